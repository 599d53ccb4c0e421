"""Work that meters cannot see is repeated, and figures of energy are null where nothing was measured."""

import dataclasses
import time

import pytest

from mpsolve.backends import reference
from mpsolve.driver import metering
from mpsolve.energy.base import Counter, Meter, Reading, unavailable
from mpsolve.energy.window import Window
from mpsolve.ledger import Ledger
from mpsolve.parallel.alone import Alone


class Steady(Meter):
    """Counts 2 J a look, and is updated every 0.1 ms."""

    name, kind, scope = "steady", "counter", "gpu"

    def __init__(self):
        self.joules = 0.0

    def read(self):
        self.joules += 2.0
        return (Counter("a", "gpu", "a", self.joules, None, 1e-4),)


@pytest.fixture
def meters(monkeypatch):
    monkeypatch.setattr(metering, "all_meters", lambda devices: [Steady()])


def opened():
    with Window(Alone(), [Steady()]) as window:
        pass
    return window


def test_short_work_is_repeated_and_counted_once(meters):
    ledger, done = Ledger(), []
    ledger.add("inner", "fp32", flops=5)

    def again():
        ledger.add("inner", "fp32", flops=5)
        done.append(1)
        end = time.perf_counter() + 2e-3
        while time.perf_counter() < end:
            pass

    window = opened()
    assert window.readings[0].reason.startswith("too_short")
    window.seconds = 2e-3
    (reading,) = metering.readings_of(Alone(), reference.create(), window, 0.02, ledger, again)
    assert len(done) == reading.repeats == 10
    assert reading.joules == 2.0 / 10
    assert ledger.counts["inner"]["fp32"].flops == 5


def test_without_leave_nothing_is_repeated(meters):
    window = opened()
    readings = metering.readings_of(Alone(), reference.create(), window, 0.0, Ledger(), lambda: pytest.fail("again"))
    assert readings == window.readings


def test_joules_are_told_per_unknown_and_per_correct_digit():
    readings = [Reading(80.0, "counter", "gpu", "nvml"), unavailable("none", scope="dram")]
    found, why = metering.figures(readings, {"unknowns": 40, "error_l2": 1e-8, "backward_error": 1e-12})
    assert found == {"joules_per_unknown": {"gpu": 2.0}, "joules_per_digit": {"gpu": pytest.approx(10.0)}}
    assert why == {}


def test_modelled_joules_are_never_taken_for_measured_ones():
    readings = [Reading(80.0, "modelled", "gpu", "model")]
    assert metering.figures(readings, {"unknowns": 40})[0] == {}


@pytest.mark.parametrize("results", [{"unknowns": 4}, {"unknowns": 4, "error_l2": 2.0}])
def test_without_a_correct_digit_the_reason_is_given(results):
    found, why = metering.figures([Reading(8.0, "counter", "gpu", "nvml")], results)
    assert set(found) == {"joules_per_unknown"} and set(why) == {"joules_per_digit"}


def test_without_a_meter_the_reason_is_given_twice():
    found, why = metering.figures([unavailable("no counters")], {"unknowns": 4})
    assert found == {} and why == dict.fromkeys(("joules_per_unknown", "joules_per_digit"), "no counters")
    assert dataclasses.asdict(unavailable("x"))["note"] == ""
