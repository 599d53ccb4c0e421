"""Readings hold joules or a reason, never both, never neither."""

import math

import pytest

from mpsolve.energy.base import Counter, Meter, Reading, unavailable
from mpsolve.errors import BackendUnavailable


class Broken(Meter):
    name, kind, scope = "broken", "counter", "node"

    def read(self):
        raise BackendUnavailable("the counter is switched off")


class Working(Meter):
    name, kind, scope = "working", "counter", "node"

    def read(self):
        return (Counter("a", "node", "a", 1.0, None, 1e-3),)


def test_an_unavailable_reading_has_no_joules_but_a_reason():
    reading = unavailable("no counter")
    assert (reading.joules, reading.kind, reading.reason) == (None, "unavailable", "no counter")


@pytest.mark.parametrize("joules", [None, math.nan, math.inf, -1.0])
def test_a_measured_reading_refuses_joules_that_are_no_amount(joules):
    with pytest.raises(ValueError, match="finite joules"):
        Reading(joules, "counter", "gpu", "test")


@pytest.mark.parametrize(("joules", "reason"), [(0.0, "none"), (None, "")])
def test_an_unavailable_reading_refuses_zero_joules_or_silence(joules, reason):
    with pytest.raises(ValueError, match="unavailable"):
        Reading(joules, "unavailable", "gpu", "test", reason)


@pytest.mark.parametrize(("kind", "scope"), [("guessed", "gpu"), ("counter", "house")])
def test_kinds_and_scopes_are_those_listed(kind, scope):
    with pytest.raises(ValueError, match="one of"):
        Reading(1.0, kind, scope, "test")


def test_a_meter_that_cannot_read_says_why():
    assert not Broken().available()
    assert Broken().reason() == "the counter is switched off"


def test_a_meter_that_reads_has_no_reason():
    assert Working().available()
    assert Working().reason() == ""
