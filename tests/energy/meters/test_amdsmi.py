"""The counters of AMD's cards, on a library that plays AMD SMI."""

import itertools
import sys
from types import SimpleNamespace

import pytest

from mpsolve.energy.meters import amdsmi
from mpsolve.errors import BackendUnavailable

ADDRESS = "0000:c1:00.0"


class AmdSmiException(Exception):
    pass


class Library(SimpleNamespace):
    """Two dies; the counter of the first moves by 1000 units of 15 microjoules at every look."""

    AmdSmiException = AmdSmiException

    def __init__(self, name="energy_accumulator", step=1000):
        self.name, self.counts = name, itertools.count(1_000_000, step)

    def amdsmi_init(self):
        pass

    def amdsmi_get_processor_handles(self):
        return ["0000:C1:00.0", "0000:c6:00.0"]

    def amdsmi_get_gpu_device_bdf(self, handle):
        return handle

    def amdsmi_get_energy_count(self, handle):
        if handle != "0000:C1:00.0":
            raise AmdSmiException("not supported in a guest")
        return {self.name: next(self.counts), "counter_resolution": 15.0, "timestamp": 0}


@pytest.mark.parametrize("name", ["energy_accumulator", "power"])
def test_the_counter_is_read_under_its_old_and_its_new_name(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "amdsmi", Library(name))
    meter = amdsmi.create(devices=[ADDRESS])
    (first,), (second,) = meter.read(), meter.read()
    assert first.scope == "gpu" and first.key == ADDRESS
    assert second.joules - first.joules == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (["GPU-1"], "no card of AMD"),
        (["0000:c6:00.0"], "not supported in a guest"),
        (["0000:d0:00.0"], "does not know the card"),
    ],
)
def test_what_is_missing_is_said(monkeypatch, devices, words):
    monkeypatch.setitem(sys.modules, "amdsmi", Library())
    with pytest.raises(BackendUnavailable, match=words):
        amdsmi.create(devices=devices).read()


def test_a_counter_that_stands_still_is_no_meter(monkeypatch):
    monkeypatch.setitem(sys.modules, "amdsmi", Library(step=0))
    monkeypatch.setattr("mpsolve.energy.period.LONGEST_PERIOD_S", 0.01)
    with pytest.raises(BackendUnavailable, match="did not move"):
        amdsmi.create(devices=[ADDRESS]).read()


def test_without_the_package_the_reason_says_what_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with pytest.raises(BackendUnavailable, match="needs the package amdsmi"):
        amdsmi.create(devices=[ADDRESS]).read()
