"""The same bits in fields.h5 on 1, 2, 3 and 8 ranks."""

import functools

import h5py
import numpy as np
import pytest

# A looser tolerance than the default needs fewer iterations, and any difference of a bit would show just as well.
LOOSE = ("--set", "solver.rtol=1e-5")
EARTH = ("--config", "configs/earth.toml", "--set", "earth.latitudes=32", "--set", "earth.longitudes=64")
YEAR = ("--set", "earth.years=1")
BOX = ("--set", "heat.shape=[24,20]", "--set", "time.steps=3", "--set", "time.diffusion_number=30")
EXPLICIT = ("--set", "heat.shape=[24,20]", "--set", "time.steps=15", "--set", "time.diffusion_number=0.1")
UPDATES = ("plain", "increment", "compensated", "stochastic")
#: The fused kernel takes pure diffusion alone; 8 ranks on 24 x 20 cells leave blocks of 6 x 10, wider than the halo.
FUSED = (
    *EXPLICIT,
    "--set",
    "heat.problem=heat_sine",
    "--set",
    "time.stepper=euler",
    "--set",
    "time.state_update=plain",
)
COMPILED = (*FUSED, "--precision", "fp16", "--backend", "cpu", "--set", "run.threads=1")

#: Name: words, and the folders in which the run leaves its fields.
CASES = {
    "earth": ((*EARTH, *YEAR, *LOOSE, "--sweep", "fp64,bf16"), ("fp64", "bf16")),
    "implicit": ((*BOX, *LOOSE, "--sweep", "fp64,bf16"), ("fp64", "bf16")),
    "3-D": (
        ("--config", "configs/heat3d.toml", "--set", "heat.shape=[9,8,10]", *LOOSE, "--sweep", "fp64,fp16"),
        ("fp64", "fp16"),
    ),
    "rk4": ((*EXPLICIT, "--set", "time.stepper=rk4", "--sweep", "fp64,bf16"), ("fp64", "bf16")),
    "state updates": (
        (*EXPLICIT, "--set", "time.stepper=euler", "--sweep", ",".join(f"fp16:{update}" for update in UPDATES)),
        tuple(f"fp16-{update}" for update in UPDATES),
    ),
    "compiled": (COMPILED, ("",)),
}


def contents(directory):
    """Return every dataset of fields.h5 as bytes, by name."""
    with h5py.File(directory / "fields.h5") as file:
        return {name: np.array(dataset).tobytes() for name, dataset in file.items()}


def words_on(ranks, case):
    """Return the words of a case; many ranks also take several compiled steps in one pass."""
    fused = ("--set", "time.steps_per_pass=3") if case == "compiled" and ranks > 1 else ()
    return (*CASES[case][0], *fused)


@pytest.fixture(scope="module")
def left_on(run_several, quick, tmp_path_factory):
    """Return a function that gives what every case leaves on a number of ranks; all are run in one launch."""

    @functools.cache
    def left(ranks):
        folder = tmp_path_factory.mktemp(f"on{ranks}")
        run_several(ranks, [(*quick, *words_on(ranks, case), "--out", str(folder / case)) for case in CASES])
        return {case: {label: contents(folder / case / label) for label in CASES[case][1]} for case in CASES}

    return left


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3, 8])
@pytest.mark.parametrize("case", CASES)
def test_the_bits_are_the_same_on_any_number_of_ranks(left_on, case, ranks):
    """The compiled case also shows that the number of steps in a pass changes no bit."""
    assert left_on(ranks)[case] == left_on(1)[case]


@pytest.mark.slow
def test_the_runs_that_are_compared_differ_from_each_other_and_have_the_fields(left_on):
    left = left_on(1)
    assert {"annual_mean", "monthly_mean", "zonal_mean"} <= set(left["earth"]["fp64"])
    for case, (_, labels) in CASES.items():
        assert all(left[case][label] != left[case][labels[0]] for label in labels[1:]), case
