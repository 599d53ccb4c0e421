"""The exceptions: one tree, picklable between ranks, and names with their neighbours."""

import copy
import inspect
import pickle

import pytest

from mpsolve import errors
from mpsolve.errors import MpsolveError, UnknownNameError

EVERY_ERROR = [error for _, error in inspect.getmembers(errors, inspect.isclass) if error.__module__ == errors.__name__]


def made(error: type[MpsolveError]) -> MpsolveError:
    return error("format", "fp61", ("fp16", "fp64")) if error is UnknownNameError else error("a message")


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_every_error_belongs_to_the_tree(error):
    assert issubclass(error, MpsolveError)


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_an_error_can_travel_to_another_rank(error):
    original = made(error)
    received = pickle.loads(pickle.dumps(original))
    assert type(received) is error
    assert str(received) == str(original)


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_an_error_can_be_copied(error):
    assert str(copy.copy(made(error))) == str(made(error))


def test_an_unknown_name_lists_the_choices_and_the_nearest():
    error = UnknownNameError("format", "bf61", ("bf16", "fp16", "fp64"))
    assert str(error) == "unknown format 'bf61'; there are: bf16, fp16, fp64; did you mean 'bf16'?"


def test_an_unknown_name_far_from_all_gets_no_suggestion():
    assert "did you mean" not in str(UnknownNameError("format", "zzz", ("bf16", "fp64")))


def test_an_unknown_name_keeps_its_parts():
    error = UnknownNameError("format", "x", iter(["a", "b"]))
    assert (error.kind, error.name, error.choices) == ("format", "x", ("a", "b"))


def test_an_unknown_name_with_a_line_break_stays_on_one_line():
    assert "\n" not in str(UnknownNameError("format", "fp\n16", ("fp16",)))
