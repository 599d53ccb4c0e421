"""Seconds and joules by phase add up to the whole."""

import pytest

from mpsolve.compare.phases import spent

RESULTS = {"time_s": 2.0, "ledger_phases_s": {"residual": 0.25, "inner": 1.5}}
READINGS = [
    {"kind": "counter", "scope": "gpu", "joules": 8.0, "phases": {"inner": 6.0, "residual": 1.0, "other": 1.0}},
    {"kind": "modelled", "scope": "gpu", "joules": 5.0, "phases": {"inner": 5.0}},
    {"kind": "unavailable", "scope": "node", "joules": None, "phases": {}},
]


def test_what_no_phase_accounts_for_stands_apart_so_that_seconds_add_up_to_the_time():
    found = spent(RESULTS, [])
    assert found.seconds == {"residual": 0.25, "inner": 1.5, "other": 0.25}
    assert sum(found.seconds.values()) == RESULTS["time_s"]
    assert found.phases == ["inner", "residual", "other"]


def test_joules_stand_under_their_scope_and_kind():
    found = spent({}, READINGS)
    assert found.joules == {"energy_gpu_j": READINGS[0]["phases"], "energy_gpu_modelled_j": {"inner": 5.0}}
    assert sum(found.joules["energy_gpu_j"].values()) == READINGS[0]["joules"]


@pytest.mark.parametrize("damaged", [None, 3, [], {"inner": "long"}, {"inner": float("nan")}])
def test_what_is_no_time_is_left_out(damaged):
    found = spent({"time_s": 1.0, "ledger_phases_s": damaged}, [{"kind": "counter", "phases": damaged}])
    assert (found.seconds, found.joules) == ({}, {})
