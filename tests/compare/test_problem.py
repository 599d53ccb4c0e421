"""Runs of different problems are refused; another way to the same answer is no other problem."""

import pytest

from mpsolve.compare.align import load
from mpsolve.compare.problem import check_same_problem, same_problem
from mpsolve.errors import ConfigError

HEAT = {"model": "heat", "heat.problem": "heat_sine", "heat.shape": [64, 64], "earth.co2_ppm": 315.0, "time.steps": 4}
EARTH = HEAT | {"model": "earth"}
CLIMATE = {
    "climate.problem": "williamson5",
    "climate.shape": [64, 128],
    "climate.days": 5.0,
    "climate.fluxes": "energy",
}
MXP = {"mxp.n": 512, "mxp.seed": 0, "grid.rows": 0}


def nested(flat):
    """Return dotted keys as the tables of a record."""
    tree = {}
    for key, value in flat.items():
        table, _, name = key.rpartition(".")
        (tree.setdefault(table, {}) if table else tree)[name] = value
    return tree


def pair(make_run, base, changes, **results):
    first = load(make_run("a", config=nested(base)))
    return first, load(make_run("b", config=nested(base | changes), **results))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"app": "climate"}, "app: heat / climate"),
        ({"config": {"grid": {"shape": [32, 32]}}}, r"grid\.shape: \[64, 64\] / \[32, 32\]"),
        ({"unknowns": 99}, "unknowns: 4096 / 99"),
    ],
)
def test_another_app_or_grid_is_another_problem(make_run, changes, named):
    runs = [load(make_run("a")), load(make_run("b", **changes))]
    with pytest.raises(ConfigError, match=f"{named}.*--force"):
        check_same_problem(runs)


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (HEAT, {"heat.problem": "heat_manufactured"}),
        (EARTH, {"earth.co2_ppm": 630.0}),
        (HEAT, {"model": "earth"}),
        (CLIMATE, {"climate.problem": "galewsky"}),
        (CLIMATE, {"climate.days": 1.0}),
        (MXP, {"mxp.seed": 1}),
        ({"system.matrix": "a.npy"}, {"system.matrix": "b.npy"}),
    ],
)
def test_what_is_solved_is_in_the_tables_of_the_models(make_run, base, changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        check_same_problem(pair(make_run, base, changes))


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (HEAT, {"earth.co2_ppm": 630.0}),
        (EARTH, {"earth.max_years": 5}),
        (CLIMATE, {"climate.fluxes": "enstrophy"}),
        (MXP, {"grid.rows": 2}),
        (HEAT, {"time.stepper": "crank_nicolson"}),
    ],
)
def test_the_way_to_the_answer_is_no_other_problem(make_run, base, changes):
    assert same_problem(*pair(make_run, base, changes))


def test_fewer_steps_of_the_same_length_end_earlier(make_run):
    first = load(make_run("a", config=nested(HEAT), dt_s=0.5))
    shorter = load(make_run("b", config=nested(HEAT | {"time.steps": 2}), dt_s=0.5))
    finer = load(make_run("c", config=nested(HEAT | {"time.steps": 8}), dt_s=0.25))
    with pytest.raises(ConfigError, match=r"simulated time, s: 2.0 / 1.0"):
        check_same_problem([first, shorter])
    assert same_problem(first, finer)


def test_other_precisions_and_solvers_solve_the_same_problem(make_run):
    config = {"grid": {"shape": [64, 64]}, "solver": {"inner": "gmres"}}
    assert same_problem(load(make_run("a")), load(make_run("b", inner="fp16", config=config)))


def test_a_run_that_never_counted_its_unknowns_can_be_compared(make_run):
    check_same_problem([load(make_run("a")), load(make_run("b", unknowns=None))])
