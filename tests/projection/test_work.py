"""What a record tells of the work of its run."""

import pytest

from mpsolve.errors import FileError
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.projection.work import STAGES, Strips, read_work


def test_a_run_on_a_grid_is_read(grid_work):
    assert (grid_work.dense, grid_work.dimensions, grid_work.unknowns, grid_work.ranks) == (False, 2, 1_000_000, 4)
    # 200 inner iterations, 10 residuals, and one application in each of 2 steps.
    assert grid_work.exchanges == 212
    # 440 sums that each of 4 ranks counted.
    assert grid_work.reductions == 110


def test_a_dense_run_is_known_by_its_updates(dense_work):
    assert (dense_work.dense, dense_work.generated, dense_work.pivoting, dense_work.refinements) == (
        True,
        True,
        False,
        2,
    )
    assert dense_work.accuracy == {"backward_error": 2.5e-13}


def test_an_explicit_run_exchanges_in_every_stage(write_run):
    config = {
        "model": "heat",
        "heat": {"shape": [10, 10, 10]},
        "time": {"stepper": "rk4", "steps": 6, "steps_per_pass": 2},
    }
    work = read_work(write_run("rk4", "grid", config=config, results={"unknowns": 1000}))
    assert (work.exchanges, work.dimensions) == (12, 3)


def test_multigrid_has_levels(write_run):
    config = {"model": "heat", "heat": {"shape": [1024, 1024]}, "solver": {"inner": "multigrid"}}
    work = read_work(write_run("mg", "grid", config=config, results={"unknowns": 2**20, "iterations": 8}))
    # 1024 cells a side halve nine times until two are left.
    assert work.levels == 9


@pytest.mark.parametrize(("named", "levels"), [("multigrid", 9), ("cg with multigrid", 9), ("cg", 1)])
def test_what_solved_tells_the_levels_where_the_choice_was_left_open(write_run, named, levels):
    config = {"model": "heat", "heat": {"shape": [1024, 1024]}, "solver": {"inner": "auto", "preconditioner": "auto"}}
    results = {"unknowns": 2**20, "iterations": 8, "inner_solver": named}
    assert read_work(write_run("auto", "grid", config=config, results=results)).levels == levels


@pytest.mark.parametrize(("changes", "named"), [
    ({"ledger": {}}, "no ledger"),
    ({"ledger": {"inner": {"bf16": {"flops": "many"}}}}, "damaged ledger"),
    ({"ledger": {"inner": 3}}, "damaged ledger"),
    ({"ledger": {"inner": {"bf16": {"flops": -1, "bytes": 0, "reductions": 0}}}}, "below 0"),
    ({"results": {"unknowns": 0}}, "no number of unknowns"),
    ({"results": {"unknowns": None}}, "no number of unknowns"),
])  # fmt: skip
def test_a_record_without_work_is_refused(changes, named, write_run):
    with pytest.raises(FileError, match=named):
        read_work(write_run("bad", "grid", **changes))


def test_the_climate_core_exchanges_three_fields_in_every_stage_and_keeps_its_rows(climate_work):
    assert (climate_work.fields, climate_work.exchanges, climate_work.dimensions) == (3, 300, 2)
    assert climate_work.strips == Strips(240, 480, pytest.approx(1 / 3, rel=1e-12))


def test_every_stepper_of_the_climate_core_has_its_exchanges():
    for name, scheme in SCHEMES.items():
        # A stage whose velocities feel the new height exchanges that too.
        assert STAGES[name] == sum(1 + (stage.forward is not None) for stage in scheme.stages)


@pytest.mark.parametrize("climate", [{}, {"shape": [0, 8], "filter_rad": 1.0}, {"shape": [8, 8], "filter_rad": 1.6}])
def test_a_filter_without_its_grid_is_refused(climate, write_run):
    with pytest.raises(FileError, match="polar filter"):
        read_work(write_run("bad", "climate", config={"climate": climate}))


@pytest.mark.parametrize(
    ("roles", "expected"),
    [({"state": "fp32", "inner": "fp16"}, 8 / 3), ({"state": "fp64", "inner": "fp64"}, 8), ({"halo": "bf16"}, 2)],
)
def test_a_step_of_the_climate_core_sends_its_state_and_two_increments(write_run, roles, expected):
    work = read_work(write_run("sent", "climate", precision=roles))
    assert work.item_bytes == pytest.approx(expected, rel=1e-12)
