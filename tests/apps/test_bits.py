"""The same bits in fields.h5 on 1, 2, 3 and 8 ranks."""

import h5py
import numpy as np
import pytest

# A looser tolerance than the default needs fewer iterations, and any difference of a bit would show just as well.
EARTH = ("--config", "configs/earth.toml", "--set", "earth.latitudes=32", "--set", "earth.longitudes=64")
YEAR = ("--set", "earth.years=1", "--set", "solver.rtol=1e-7")
BOX = ("--set", "heat.shape=[24,20]", "--set", "time.steps=3", "--set", "time.diffusion_number=30")
EXPLICIT = ("--set", "heat.shape=[24,20]", "--set", "time.steps=15", "--set", "time.diffusion_number=0.1")
UPDATES = ("plain", "increment", "compensated", "stochastic")
CASES = {
    "implicit": ((*BOX, "--sweep", "fp64,bf16"), ("fp64", "bf16"), (1, 2, 3, 8)),
    "3-D": (
        ("--config", "configs/heat3d.toml", "--set", "heat.shape=[9,8,10]", "--sweep", "fp64,fp16"),
        ("fp64", "fp16"),
        (1, 3, 8),
    ),
    "rk4": ((*EXPLICIT, "--set", "time.stepper=rk4", "--sweep", "fp64,bf16"), ("fp64", "bf16"), (1, 3, 8)),
    "state updates": (
        (*EXPLICIT, "--set", "time.stepper=euler", "--sweep", ",".join(f"fp16:{update}" for update in UPDATES)),
        [f"fp16-{update}" for update in UPDATES],
        (1, 3, 8),
    ),
}


def contents(directory):
    """Return every dataset of fields.h5 as bytes, by name."""
    with h5py.File(directory / "fields.h5") as file:
        return {name: np.array(dataset).tobytes() for name, dataset in file.items()}


def contents_on(app, words, labels, counts, **options):
    """Run on each number of ranks; return what each left for each label."""
    left = []
    for ranks in counts:
        run = app(*words, ranks=ranks, out=f"on{ranks}", **options)
        assert run.status == 0, run.error
        left.append([contents(run.directory / label) for label in labels])
    return left


@pytest.mark.slow
def test_the_earth_has_the_same_bits_on_any_number_of_ranks(app):
    words = (*EARTH, *YEAR, "--sweep", "fp64,bf16")
    one, *others = contents_on(app, words, ("fp64", "bf16"), (1, 2, 3, 8), quick=True)
    assert {"annual_mean", "monthly_mean", "zonal_mean"} <= set(one[0])
    assert one[0] != one[1]
    assert all(other == one for other in others)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_heat_has_the_same_bits_on_any_number_of_ranks(app, case):
    one, *others = contents_on(app, *CASES[case], quick=True)
    assert all(other == one for other in others)


@pytest.mark.slow
def test_neither_ranks_nor_steps_per_pass_change_a_bit_of_compiled_euler(app):
    # The fused kernel takes pure diffusion alone; 8 ranks on 24 x 20 cells leave blocks of 6 x 10, wider than the halo.
    words = (*EXPLICIT, "--set", "heat.problem=heat_sine", "--set", "time.stepper=euler")
    words += ("--set", "time.state_update=plain", "--precision", "fp16")
    compiled = ("--backend", "cpu", "--set", "run.pictures=false", "--set", "run.threads=1")
    (single,) = contents_on(app, (*words, *compiled), [""], (1,))
    fused = contents_on(app, (*words, *compiled, "--set", "time.steps_per_pass=3"), [""], (2, 3, 8))
    assert all(other == single for other in fused)
