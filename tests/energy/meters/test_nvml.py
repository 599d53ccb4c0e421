"""The counters and the power of NVIDIA's cards, on a library that plays NVML."""

import itertools
import sys
from types import SimpleNamespace

import pytest

from mpsolve.energy.meters import nvml, nvml_power
from mpsolve.energy.window import Window, all_meters
from mpsolve.errors import BackendUnavailable
from mpsolve.parallel.alone import Alone

CARDS = ("GPU-1", "GPU-2")


class NVMLError(Exception):
    pass


class Library(SimpleNamespace):
    """Two cards whose counters move by 5 J at every look, and whose power is 300 W."""

    NVMLError = NVMLError

    def __init__(self, step=5000):
        self.counts = {uuid: itertools.count(7_000_000, step) for uuid in CARDS}
        self.broken = ""

    def nvmlInit(self):  # noqa: N802
        if self.broken == "driver":
            raise NVMLError("driver not loaded")

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        if uuid not in CARDS:
            raise NVMLError("not found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, card):  # noqa: N802
        if self.broken == "energy":
            raise NVMLError("not supported")
        return next(self.counts[card])

    def nvmlDeviceGetPowerUsage(self, card):  # noqa: N802
        if self.broken == "energy":
            raise NVMLError("not supported")
        return 300_000


@pytest.fixture
def library(monkeypatch):
    played = Library()
    monkeypatch.setitem(sys.modules, "pynvml", played)
    return played


def test_each_card_of_the_rank_has_a_counter_in_joules(library):
    first, second = nvml.create(devices=CARDS).read()
    assert (first.key, second.key) == CARDS
    assert first.scope == "gpu" and first.range_joules is None
    # It moved by 5 J at each of the looks that measured its period.
    assert first.joules == pytest.approx(7000.0 + 5.0 * 4)
    assert first.period_s > 0


def test_the_period_is_measured_once(library):
    meter = nvml.create(devices=CARDS[:1])
    (first,), (second,) = meter.read(), meter.read()
    assert second.joules - first.joules == pytest.approx(5.0) and first.period_s == second.period_s


def test_only_the_cards_of_the_rank_are_read(library):
    (counter,) = nvml.create(devices=("GPU-2", "0000:c1:00.0")).read()
    assert counter.key == "GPU-2"


@pytest.mark.parametrize("module", [nvml, nvml_power])
@pytest.mark.parametrize(
    ("devices", "broken", "words"),
    [
        ((), "", "this run uses no card of NVIDIA"),
        (("GPU-9",), "", "does not know GPU-9"),
        (CARDS, "driver", "driver not loaded"),
        (CARDS, "energy", "not supported"),
    ],
)
def test_what_is_missing_is_said(library, module, devices, broken, words):
    library.broken = broken
    with pytest.raises(BackendUnavailable, match=words):
        module.create(devices=devices).read()


def test_without_the_package_the_reason_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(BackendUnavailable, match="pip install nvidia-ml-py"):
        nvml.create(devices=CARDS).read()


def test_a_counter_that_stands_still_is_no_meter(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", Library(step=0))
    monkeypatch.setattr("mpsolve.energy.period.LONGEST_PERIOD_S", 0.01)
    with pytest.raises(BackendUnavailable, match="did not move"):
        nvml.create(devices=CARDS).read()


def test_power_is_integrated_between_samples(library, monkeypatch):
    clock = iter((10.0, 10.5, 11.5))
    monkeypatch.setattr(nvml_power.time, "monotonic", lambda: next(clock))
    meter = nvml_power.create(devices=CARDS[:1])
    assert [meter.read()[0].joules for _ in range(3)] == [0.0, 150.0, 450.0]


def test_a_window_says_where_counter_and_samples_disagree(library, monkeypatch):
    monkeypatch.setattr("mpsolve.energy.window.LEAST_UPDATES", 0)
    with Window(Alone(), all_meters(devices=CARDS[:1])) as window:
        pass
    found = {reading.kind: reading for reading in window.readings if reading.joules is not None}
    assert set(found) == {"counter", "sampled"}
    assert found["counter"].joules == pytest.approx(5.0) and "nvml_power" in found["counter"].note
