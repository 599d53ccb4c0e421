"""The choice of products: by measurement, or by name."""

import itertools

import pytest

from mpsolve import gemm_probe, lookup
from mpsolve.errors import BackendUnavailable, FormatError, UnknownNameError
from mpsolve.gemm import emulated
from mpsolve.precision import get_format


def test_every_entry_is_measured_or_says_why_not():
    found = gemm_probe.measure("fp32", 1)
    assert {one.name for one in found} == set(lookup.names("gemm"))
    rates = [one.flops_per_s for one in found if one.flops_per_s]
    assert rates == sorted(rates, reverse=True) and rates
    assert all(one.reason for one in found if one.flops_per_s is None)


def test_the_fastest_is_chosen():
    assert gemm_probe.choose("bf16", 1).name == gemm_probe.measure("bf16", 1)[0].name


def test_a_name_overrides_the_measurement():
    gemm = gemm_probe.choose("fp16", 3, "emulated")
    assert (gemm.name, gemm.format.name, gemm.threads) == ("emulated", "fp16", 3)


def test_an_unknown_name_lists_those_that_are_there():
    with pytest.raises(UnknownNameError, match="emulated"):
        gemm_probe.choose("fp32", 1, "blas")


def test_a_format_that_an_entry_lacks_is_named(monkeypatch):
    monkeypatch.setattr(emulated, "FORMATS", ("fp64",))
    with pytest.raises(FormatError, match="bf16"):
        gemm_probe.choose.__wrapped__("bf16", 1, "emulated")


def test_an_entry_that_does_not_work_comes_last_with_its_reason(monkeypatch):
    real = lookup.find

    class Broken:
        FORMATS = ("fp32",)

        @staticmethod
        def create(format, threads):
            raise BackendUnavailable("it is broken")

    monkeypatch.setattr(gemm_probe.lookup, "names", lambda folder: ("broken", "emulated"))
    monkeypatch.setattr(gemm_probe.lookup, "find", lambda f, name: Broken if name == "broken" else real(f, name))
    gemm_probe.choose.cache_clear()
    found = gemm_probe.measure.__wrapped__("fp32", 1)
    gemm_probe.choose.cache_clear()
    assert [(one.name, one.reason) for one in found] == [("emulated", ""), ("broken", "it is broken")]


def test_a_rate_counts_two_flops_for_each_product():
    gemm = emulated.create(get_format("fp32"), 1)
    assert 1e7 < gemm_probe.rate(gemm, 64, 128) < 1e14


def test_a_library_is_charged_for_cores_that_it_was_not_given(monkeypatch):
    # Clocks on which each product takes a second and ten cores; the processor's is read before and after all of them.
    wall, cores = itertools.count(), iter((0.0, 10.0 * gemm_probe.REPEATS))
    monkeypatch.setattr(gemm_probe, "perf_counter", lambda: float(next(wall)))
    monkeypatch.setattr(gemm_probe, "process_time", lambda: next(cores))
    monkeypatch.setattr(gemm_probe, "_rest", lambda: None)
    assert gemm_probe.rate(emulated.create(get_format("fp32"), 2), 64, 128) == 2 * 64 * 128**2 / (10 / 2)


def test_threads_that_still_spin_are_waited_for(monkeypatch):
    # Two looks that find a busy core, and one that finds none.
    readings = iter((0.0, 0.02, 0.02, 0.04, 0.04, 0.04))
    looks = []
    monkeypatch.setattr(gemm_probe, "process_time", lambda: next(readings))
    monkeypatch.setattr(gemm_probe, "sleep", looks.append)
    gemm_probe._rest()
    assert looks == [gemm_probe.LOOK_S] * 3


@pytest.mark.parametrize(
    ("rates", "chosen"), [((100.0, 80.0), "beside"), ((100.0, 60.0), "best"), ((100.0, None), "best")]
)
def test_threads_that_run_anyway_are_preferred_if_they_are_nearly_as_fast(monkeypatch, rates, chosen):
    found = tuple(gemm_probe.Measured(name, rate) for name, rate in zip(("best", "beside"), rates, strict=True))
    monkeypatch.setattr(gemm_probe, "measure", lambda name, threads: found)
    assert gemm_probe.fastest("fp32", 2, "beside") == chosen
    assert gemm_probe.fastest("fp32", 2) == "best"
