"""Set-up: the backend, the division of the grid, and a stepper that is refused before anything is written."""

import re

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from mpsolve import config, lookup
from mpsolve.driver import heat
from mpsolve.driver.options import GRID_BACKENDS, HeatAppOptions
from mpsolve.driver.setup import choose_backend, divide, halo_width
from mpsolve.errors import BackendUnavailable, ConfigError, ShapeError, UnknownNameError


def options(*sets):
    return config.load(HeatAppOptions, None, ("heat.shape=[12,10]", *sets))


def unavailable(threads):
    raise BackendUnavailable("not here")


def test_auto_takes_the_first_backend_that_works(alone, monkeypatch):
    monkeypatch.setattr(lookup.find("backends", "cpu"), "create", unavailable)
    assert choose_backend(alone, "auto", 1, GRID_BACKENDS).name == "reference"


def test_a_named_backend_is_not_replaced(alone, monkeypatch):
    monkeypatch.setattr(lookup.find("backends", "cpu"), "create", unavailable)
    with pytest.raises(BackendUnavailable, match="not here"):
        choose_backend(alone, "cpu", 1, GRID_BACKENDS)


def test_an_unknown_backend_is_refused(alone):
    with pytest.raises(UnknownNameError, match="reference"):
        choose_backend(alone, "gpu", 1, GRID_BACKENDS)


@pytest.mark.parametrize(
    ("sets", "width"), [((), 2), (("solver.inner=cg",), 1), (("time.stepper=euler", "time.steps_per_pass=3"), 3)]
)
def test_the_halo_is_as_wide_as_multigrid_or_the_steps_of_a_pass_need(sets, width):
    assert halo_width(options(*sets)) == width


def test_ranks_per_axis_must_match_the_axes(alone):
    with pytest.raises(
        ConfigError, match=re.escape("run.ranks = [1, 1, 1]: must have one entry for each of the 2 axes")
    ):
        divide(alone, (12, 10), (False, False), options("run.ranks=[1,1,1]"))


def test_ranks_per_axis_must_match_the_ranks(alone):
    with pytest.raises(ShapeError, match="35 ranks"):
        divide(alone, (12, 10), (False, False), options("run.ranks=[5,7]"))


@pytest.mark.ranks
def test_a_prepared_stepper_is_at_its_start_and_has_counted_nothing(comm):
    chosen = options("time.diffusion_number=1", "precision.inner=fp32", "precision.accumulate=fp32")
    model = heat.build(comm, chosen)
    prepared = heat.prepare(model, choose_backend(comm, "reference", 1, GRID_BACKENDS), chosen)
    assert (prepared.stepper.steps, prepared.stepper.time) == (0, 0.0)
    assert np.array_equal(prepared.stepper.state(), model.initial())
    assert not any(work.flops for formats in prepared.ledger.counts.values() for work in formats.values())


@pytest.mark.ranks
@pytest.mark.parametrize("stepper", ["euler", "ssprk3", "rk4"])
def test_the_largest_stable_step_of_the_refusal_is_accepted(comm, stepper):
    def prepare(*sets):
        chosen = options(f"time.stepper={stepper}", *sets)
        return heat.prepare(heat.build(comm, chosen), choose_backend(comm, "reference", 1, GRID_BACKENDS), chosen)

    with pytest.raises(ConfigError, match=f"time.dt_s = 1 is unstable with time.stepper = {stepper}") as refused:
        prepare("time.dt_s=1")
    largest = float(re.search(r"largest stable one is (\S+) s", str(refused.value))[1])
    prepare(f"time.dt_s={largest}")
    with pytest.raises(ConfigError, match="unstable"):
        prepare(f"time.dt_s={largest * 1.0001}")
    with pytest.raises(ConfigError, match="unstable") as refused:
        prepare()
    number = float(re.search(r"largest stable one is ([^,]+), a time step of", str(refused.value))[1])
    prepare(f"time.diffusion_number={number}")


def test_libraries_have_no_more_threads_than_the_rank(alone):
    blas = ThreadpoolController().select(user_api="blas")
    with blas.limit(limits=2):
        choose_backend(alone, "reference", 1, ())
        assert blas.info() and all(found["num_threads"] == 1 for found in blas.info())
        choose_backend(alone, "reference", 2, ())
        assert all(found["num_threads"] == 1 for found in blas.info())
