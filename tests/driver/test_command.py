"""A command line becomes variants: labels, roles and state updates."""

import pytest

from mpsolve import config
from mpsolve.driver.command import variants_of
from mpsolve.driver.options import HeatAppOptions
from mpsolve.errors import ConfigError, UnknownNameError


def variants(*words):
    return variants_of(config.argument_parser("app", "").parse_args(list(words)), HeatAppOptions)


def test_without_a_precision_the_configuration_decides():
    (only,) = variants("--set", "precision.inner=bf16")
    assert (only.label, only.options.precision.inner) == ("bf16", "bf16")


def test_a_precision_sets_every_role_but_the_halo():
    (only,) = variants("--precision", "fp16", "--set", "precision.halo=fp32", "--set", "precision.accumulate=fp64")
    roles = only.options.precision
    assert (only.label, roles.inner, roles.accumulate, roles.state, roles.halo) == (
        "fp16",
        "fp16",
        "fp32",
        "fp64",
        "fp32",
    )


def test_a_sweep_has_a_variant_per_entry_in_its_order():
    swept = variants("--sweep", "bf16,fp64", "--backend", "reference")
    assert [variant.label for variant in swept] == ["bf16", "fp64"]
    assert [variant.options.precision.inner for variant in swept] == ["bf16", "fp64"]
    assert {variant.options.run.backend for variant in swept} == {"reference"}


def test_an_entry_may_choose_how_the_state_is_kept():
    swept = variants("--sweep", "fp16:plain,fp16", "--set", "time.stepper=rk4")
    assert [variant.label for variant in swept] == ["fp16-plain", "fp16"]
    assert [variant.options.time.state_update for variant in swept] == ["plain", "increment"]


@pytest.mark.parametrize("entry", [":plain", "fp16:", ":"])
def test_half_an_entry_is_refused(entry):
    with pytest.raises(ConfigError, match="must be PRECISION or PRECISION:STATE_UPDATE"):
        variants("--sweep", entry, "--set", "time.stepper=rk4")


def test_a_state_update_without_an_explicit_stepper_is_refused():
    with pytest.raises(ConfigError, match="leave out ':plain'"):
        variants("--sweep", "fp16:plain")


def test_an_unknown_precision_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'bf16'"):
        variants("--sweep", "fp64,bf61")


def test_the_same_entry_twice_is_refused():
    with pytest.raises(ConfigError, match="more than once"):
        variants("--sweep", "fp64,bf16,fp64")
