"""Joules by phase of the work: shares by time, nothing lost, and long phases that are counted at their end."""

import json
import types

import pytest

from mpsolve import config, ledger
from mpsolve.driver import metering
from mpsolve.driver.command import variants_of
from mpsolve.driver.options import HeatAppOptions
from mpsolve.driver.sweep import run_all
from mpsolve.energy.base import Counter, Meter
from mpsolve.energy.phases import Elapsed, Shares
from mpsolve.energy.window import Window
from mpsolve.ledger import Ledger
from mpsolve.parallel.alone import Alone

SMALL = (
    "--backend",
    "reference",
    "--set",
    "heat.shape=[16,20]",
    "--set",
    "time.steps=3",
    "--set",
    "run.pictures=false",
    "--set",
    "run.threads=1",
)


class Plant(Meter):
    """A counter that advances by what the test says, and otherwise by 3 J a look."""

    name, kind, scope = "plant", "counter", "node"

    def __init__(self):
        self.joules = 0.0

    def read(self):
        self.joules += 3.0
        return (Counter("plant", "node", "plant", self.joules, None, 0.0),)


class Clock:
    """A clock that the test sets."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(ledger, "time", types.SimpleNamespace(perf_counter=lambda: self.now))

    def work(self, book, phase, seconds):
        self.now += seconds
        book.add(phase, "fp32", flops=1)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_the_time_of_a_phase_is_what_passed_since_the_work_before(clock):
    book = Ledger()
    clock.work(book, "setup", 9.0)
    book.start_clock()
    clock.work(book, "inner", 0.25)
    clock.work(book, "residual", 0.5)
    clock.work(book, "inner", 0.25)
    book.stop_clock()
    clock.work(book, "inner", 7.0)
    assert book.seconds == {"inner": 0.5, "residual": 0.5}


def test_joules_between_two_looks_are_shared_by_the_time_of_the_phases(clock):
    book = Ledger()
    with Window(Alone(), [Plant()], ledger=book, look_every_s=1e9) as window:
        clock.work(book, "inner", 0.2)
        clock.work(book, "residual", 0.1)
        window.so_far()
        clock.work(book, "inner", 0.5)
    (reading,) = window.readings
    # 3 J at the look after 0.2 s and 0.1 s, and 3 J at the end.
    assert reading.joules == 6.0
    assert reading.phases == pytest.approx({"inner": 2.0 + 3.0, "residual": 1.0}, rel=1e-12)
    assert sum(reading.phases.values()) == pytest.approx(reading.joules, rel=1e-12)


def test_a_phase_that_is_longer_than_the_looks_gets_what_was_waiting(clock):
    shares, elapsed = Shares(), Elapsed()
    for _ in range(4):
        shares.add(2.0, elapsed.since({}))
    shares.add(2.0, elapsed.since({"update": 5.0}))
    assert shares.by_phase() == {"update": 10.0}


def test_the_first_look_takes_no_time_of_the_first_phase(clock):
    book, plant = Ledger(), Plant()
    read = plant.read

    def slowly():
        clock.now += 5.0
        return read()

    plant.read = slowly
    with Window(Alone(), [plant], ledger=book, look_every_s=1e9):
        clock.work(book, "inner", 0.25)
    assert book.seconds == {"inner": 0.25}


def test_without_a_ledger_no_phase_is_made_up():
    with Window(Alone(), [Plant()]) as window:
        pass
    assert window.readings[0].phases == {}


@pytest.mark.ranks
def test_ranks_that_share_a_counter_share_its_phases_once(comm):
    book = Ledger()
    with Window(comm, [Plant()], ledger=book) as window:
        book.add("inner", "fp32", flops=1)
    (reading,) = window.readings
    assert sum(reading.phases.values()) == pytest.approx(reading.joules, rel=1e-12)


def test_a_record_has_joules_and_seconds_of_every_phase_that_it_counts(tmp_path, monkeypatch, alone):
    monkeypatch.setattr(metering, "all_meters", lambda devices: [Plant()])
    parsed = config.argument_parser("heat", "test").parse_args(SMALL)
    assert run_all(alone, variants_of(parsed, HeatAppOptions), tmp_path / "run", SMALL) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (reading,) = record["energy"]
    counted = set(record["ledger"])
    assert set(record["results"]["ledger_phases_s"]) == counted
    assert set(reading["phases"]) <= counted | {"other"} and reading["phases"]
    assert sum(reading["phases"].values()) == pytest.approx(reading["joules"], rel=1e-12)
    assert sum(record["results"]["ledger_phases_s"].values()) <= record["results"]["time_s"]
