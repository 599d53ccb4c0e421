"""Roles, presets and the ladder of formats."""

import pytest

from mpsolve import lookup
from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.precision import DEFAULT_LADDER, Roles, get_format, ladder_from, preset, presets


def test_fp64_is_the_preset_and_the_default_of_all_roles():
    assert preset("fp64") == Roles() == Roles("fp64", "fp64", "fp64", "fp64", "")


@pytest.mark.parametrize("name", ["fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"])
def test_a_low_preset_lowers_the_inner_solver_and_its_sums(name):
    assert preset(name) == Roles(state="fp64", inner=name, accumulate="fp32", residual="fp64", halo="")


def test_every_format_is_a_preset():
    assert presets() == lookup.names("formats")
    assert [preset(name).inner for name in presets()] == list(presets())


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown precision 'bf61'.*did you mean 'bf16'"):
        preset("bf61")


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown format 'fp23'.*did you mean 'fp32'"):
        get_format("fp23")


@pytest.mark.parametrize("role", ["state", "inner", "accumulate", "residual", "halo"])
def test_a_role_with_an_unknown_format_names_the_key(role):
    with pytest.raises(UnknownNameError, match=rf"precision\.{role} 'fp99'"):
        Roles(**{role: "fp99"})


@pytest.mark.parametrize("role", ["state", "inner", "accumulate", "residual"])
def test_a_role_without_a_format_names_the_key(role):
    with pytest.raises(ConfigError, match=rf"precision\.{role} is empty"):
        Roles(**{role: ""})


def test_get_format_returns_the_same_object():
    assert get_format("bf16") is get_format("bf16")


@pytest.mark.parametrize(
    "inner, expected",
    [
        ("fp8_e4m3", ("fp8_e4m3", "bf16", "fp32", "fp64")),
        ("fp8_e5m2", ("fp8_e5m2", "fp8_e4m3", "bf16", "fp32", "fp64")),
        ("bf16", ("bf16", "fp32", "fp64")),
        ("fp16", ("fp16", "fp32", "fp64")),
        ("tf32", ("tf32", "fp32", "fp64")),
        ("fp32", ("fp32", "fp64")),
        ("fp64", ("fp64",)),
    ],
)
def test_the_default_ladder_goes_up_from_the_inner_format(inner, expected):
    assert ladder_from(inner) == expected


def test_a_wider_range_at_equal_precision_is_a_rung():
    assert ladder_from("fp16", ("fp16", "tf32", "fp64")) == ("fp16", "tf32", "fp64")


def test_an_empty_ladder_does_not_escalate():
    assert ladder_from("bf16", ()) == ("bf16",)


@pytest.mark.parametrize("ladder", [("fp32", "bf16"), ("bf16", "bf16")])
def test_a_ladder_that_does_not_rise_is_refused(ladder):
    with pytest.raises(ConfigError, match=r"precision\.ladder"):
        ladder_from("fp8_e4m3", ladder)


@pytest.mark.parametrize("inner, ladder", [("fp99", DEFAULT_LADDER), ("bf16", ("bf16", "fp99")), ("fp99", ())])
def test_an_unknown_format_on_the_way_up_is_refused(inner, ladder):
    with pytest.raises(UnknownNameError, match="fp99"):
        ladder_from(inner, ladder)
