"""The window of work: differences of counters, wraps, ranks that share a host, and failures."""

import dataclasses
import time

import pytest

from mpsolve.energy import window
from mpsolve.energy.base import Counter, Meter
from mpsolve.energy.window import Window, all_meters
from mpsolve.errors import BackendUnavailable

ONE = Counter("a", "cpu_package", "a", 0.0, None, 0.0)


class Scripted(Meter):
    """Reads what the test wrote, one tuple of counters per look; the last stays."""

    name, kind, scope = "scripted", "counter", "cpu_package"

    def __init__(self, *looks):
        self.looks = list(looks)

    def read(self):
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, str):
            raise BackendUnavailable(look)
        return look


def at(joules, **changes):
    return dataclasses.replace(ONE, joules=joules, **changes)


def readings_of(comm, *meters, **options):
    with Window(comm, meters, **options) as measured:
        pass
    return measured.readings


class Ranks:
    """A communicator whose other ranks sent what the test says."""

    def __init__(self, change):
        self.change = change

    def Barrier(self):  # noqa: N802
        pass

    def allgather(self, value):
        return self.change(value)


@pytest.mark.ranks
def test_the_joules_are_the_difference_of_the_counter(comm):
    (reading,) = readings_of(comm, Scripted((at(100.0),), (at(107.5),)))
    assert (reading.joules, reading.kind, reading.scope) == (7.5, "counter", "cpu_package")


@pytest.mark.ranks
def test_ranks_on_one_host_count_its_counter_once(comm):
    # Every rank reads 7.5 J; all of them run on this host, so the sum is not size * 7.5.
    (reading,) = readings_of(comm, Scripted((at(0.0),), (at(7.5),)))
    assert reading.joules == 7.5


def test_the_counters_of_several_hosts_add_up():
    def other_host(reports):
        return [reports, [dataclasses.replace(report, host="other") for report in reports]]

    (reading,) = readings_of(Ranks(other_host), Scripted((at(0.0),), (at(7.5),)))
    assert reading.joules == 15.0
    assert "on 2 hosts" in reading.source


def test_a_counter_missing_on_one_host_makes_the_sum_unavailable():
    def other_host(reports):
        return [reports, [dataclasses.replace(report, host="other", problem="switched off") for report in reports]]

    (reading,) = readings_of(Ranks(other_host), Scripted((at(0.0),), (at(7.5),)))
    assert (reading.joules, reading.reason) == (None, "switched off (on 1 of 2 hosts)")


def test_a_scope_missing_on_one_host_makes_that_scope_unavailable():
    both, later = ((at(value), at(value, key="b", scope="dram")) for value in (0.0, 1.0))

    def other_host(reports):
        return [
            reports,
            [dataclasses.replace(report, host="other", counters=report.counters[:1]) for report in reports],
        ]

    package, dram = readings_of(Ranks(other_host), Scripted(both, later))
    assert (package.joules, dram.joules, dram.reason) == (2.0, None, "only 1 of 2 hosts have this counter")


def test_scopes_are_kept_apart_and_counters_of_one_scope_added(comm):
    names = (("a", "cpu_package"), ("b", "cpu_package"), ("c", "dram"))
    before = tuple(at(0.0, key=key, scope=scope) for key, scope in names)
    after = tuple(at(2.0**index, key=key, scope=scope) for index, (key, scope) in enumerate(names))
    readings = readings_of(comm, Scripted(before, after))
    assert {reading.scope: reading.joules for reading in readings} == {"cpu_package": 3.0, "dram": 4.0}


def test_a_counter_that_wraps_once_still_counts(comm):
    (reading,) = readings_of(comm, Scripted((at(95.0, range_joules=100.0),), (at(5.0, range_joules=100.0),)))
    assert reading.joules == 10.0


def test_a_long_window_looks_in_between_and_so_survives_many_wraps(comm):
    looks = [(at(value, range_joules=100.0),) for value in (95.0, 35.0, 75.0, 15.0, 55.0)]
    meter = Scripted(*looks)
    with Window(comm, [meter], look_every_s=0.001) as measured:
        while len(meter.looks) > 1:
            time.sleep(0.001)
    assert measured.readings[0].joules == 4 * 40.0


def test_a_counter_that_goes_back_without_a_range_is_no_reading(comm):
    (reading,) = readings_of(comm, Scripted((at(5.0),), (at(4.0),)))
    assert (reading.joules, reading.kind) == (None, "unavailable")
    assert "back to 4.0 J" in reading.reason


def test_a_window_shorter_than_twenty_updates_is_too_short(comm):
    (reading,) = readings_of(comm, Scripted((at(0.0, period_s=10.0),), (at(1.0, period_s=10.0),)))
    assert reading.joules is None
    assert reading.reason.startswith("too_short: ")
    assert "the counter needs 200 s for 20 updates" in reading.reason


def test_a_meter_that_breaks_during_the_work_is_no_reading(comm):
    (reading,) = readings_of(comm, Scripted((at(0.0),), "unplugged"))
    assert (reading.joules, reading.reason) == (None, "unplugged")


def test_without_a_working_meter_one_reading_gives_all_reasons(comm):
    (reading,) = readings_of(comm, Scripted("no counters"), Scripted("no device"))
    assert (reading.kind, reading.reason) == ("unavailable", "no counters; no device")


def test_without_any_meter_there_is_still_a_reading(comm):
    (reading,) = readings_of(comm)
    assert (reading.kind, reading.reason) == ("unavailable", "there is no energy meter")


def test_a_meter_that_does_not_work_is_named_beside_one_that_does(comm):
    readings = readings_of(comm, Scripted((at(0.0),), (at(1.0),)), Scripted("no device"))
    assert [(reading.joules, reading.reason) for reading in readings] == [(1.0, ""), (None, "no device")]


def test_an_exception_leaves_without_a_collective_call():
    class Once:
        """Another barrier would wait for ranks that never come."""

        barriers = 0

        def Barrier(self):  # noqa: N802
            self.barriers += 1

    comm = Once()
    measured = Window(comm, [Scripted((at(0.0),))])
    with pytest.raises(ZeroDivisionError), measured:
        _ = 1 / 0
    assert comm.barriers == 1
    assert measured.readings[0].reason == "the work ended early: ZeroDivisionError: division by zero"


def test_every_meter_of_the_folder_is_found_and_looks_below_the_root(tmp_path):
    meters = all_meters(root=tmp_path)
    assert "rapl" in [meter.name for meter in meters]
    assert not any(meter.available() for meter in meters)


def test_the_host_is_known_by_its_boot_and_not_by_its_name(monkeypatch):
    monkeypatch.setattr(window.platform, "node", lambda: "a-container")
    assert window._host() != "a-container"


def test_each_card_of_a_host_has_one_owner_among_the_ranks_that_read_it():
    # Ranks 0 and 1 share one card, rank 2 has its own.
    def three_ranks(reports):
        other = [
            dataclasses.replace(report, counters=tuple(dataclasses.replace(one, key="b") for one in report.counters))
            for report in reports
        ]
        return [reports, reports, other]

    (reading,) = readings_of(Ranks(three_ranks), Scripted((at(0.0, scope="gpu"),), (at(7.5, scope="gpu"),)))
    assert reading.joules == 15.0


def test_the_device_is_waited_for_before_both_readings(comm):
    waits = []
    with Window(comm, [], synchronize=lambda: waits.append(len(waits))):
        assert waits == [0]
    assert waits == [0, 1]


def test_the_joules_so_far_are_told_by_scope(comm):
    looks = [(at(value), at(2 * value, key="b", scope="dram")) for value in (0.0, 3.0, 5.0)]
    with Window(comm, [Scripted(*looks)]) as measured:
        assert measured.so_far() == {"cpu_package": 3.0, "dram": 6.0}
    with Window(comm, [Scripted("no counters")]) as blind:
        assert blind.so_far() is None
