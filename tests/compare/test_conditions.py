"""Conditions that a comparison fails by: absolute, relative to the baseline, and of values that are not known."""

from types import SimpleNamespace

import pytest

from mpsolve.compare.conditions import parsed
from mpsolve.errors import ConfigError, UnknownNameError

RUNS = [SimpleNamespace(name=name, members=()) for name in ("first", "second", "third")]
VALUES = [{"time_s": 1.0, "error_l2": 1e-9}, {"time_s": 1.04, "error_l2": None}, {"time_s": 1.06, "error_l2": 2e-8}]
REASONS = [{}, {"error_l2": "no answer"}, {}]


def failing(text, baseline=0):
    return parsed(text, list(VALUES[0])).failing(RUNS, VALUES, REASONS, baseline)


def test_a_limit_relative_to_the_baseline():
    assert failing("time_s>+5%") == ["third: time_s = 1.06, the limit is 1.05"]
    assert failing("time_s > 10%") == []
    assert failing("time_s<-5%", baseline=2) == ["first: time_s = 1, the limit is 1.007"]


def test_an_absolute_limit_holds_for_every_run_and_a_missing_value_fails():
    assert failing("error_l2>1e-8") == [
        "second: error_l2 is not known (no answer)",
        "third: error_l2 = 2e-08, the limit is 1e-08",
    ]
    assert [line.split(":")[0] for line in failing("time_s<1.05")] == ["first", "second"]


@pytest.mark.parametrize(
    "text", ["", "time_s", "time_s>", "time_s>fast", "time_s>=1", "time_s>5%%", "__import__('os')>1"]
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ConfigError, match="NAME>NUMBER"):
        parsed(text, ["time_s"])


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UnknownNameError, match="time_s"):
        parsed("times>1", ["time_s", "error_l2"])
