"""What JSON cannot hold is turned into what it can."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from mpsolve.records.plain import plain, to_line, without_gaps


@dataclasses.dataclass(frozen=True)
class Options:
    shape: tuple[int, ...]
    out: Path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Options((3, 4), Path("runs")), {"shape": [3, 4], "out": "runs"}),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.arange(3), [0, 1, 2]),
        ({1: {"b", "a"}}, {"1": ["a", "b"]}),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (None, None),
        (True, True),
        (float, "float"),
    ],
)
def test_values_become_plain(value, expected):
    assert plain(value) == expected


def test_a_line_holds_no_constant_that_json_does_not_know():
    def refuse(name):
        raise AssertionError(name)

    assert json.loads(to_line({"a": [math.inf, np.float64("nan")]}), parse_constant=refuse) == {"a": ["inf", "nan"]}


def test_numbers_that_are_not_finite_become_none_with_a_reason():
    values, reasons = without_gaps({"a": math.nan, "b": math.inf, "c": 1.0}, {"b": "it diverged"})
    assert values == {"a": None, "b": None, "c": 1.0}
    assert reasons == {"a": "it became nan", "b": "it diverged"}
