"""The options of the heat app: defaults that are published, checks across tables, roles as they are used."""

from pathlib import Path

import pytest

from mpsolve import config
from mpsolve.driver.climate_options import ClimateAppOptions
from mpsolve.driver.dense_options import MxpAppOptions, SolveAppOptions
from mpsolve.driver.options import HeatAppOptions
from mpsolve.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def options(*sets):
    return config.load(HeatAppOptions, None, sets)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_published_configuration_loads(path):
    # Each is written for one app; the others refuse its tables.
    text = path.read_text()
    kind = MxpAppOptions if path.stem == "mxp" else ClimateAppOptions if "[climate]" in text else HeatAppOptions
    assert config.load(kind, path).driver in ("heat", "earth", "mxp", "climate")


def test_the_defaults_are_the_published_configuration_of_the_app():
    assert options() == config.load(HeatAppOptions, "heat")


def test_options_survive_toml(tmp_path):
    given = options("heat.shape=[3,4,5]", "precision.ladder=[]", "earth.surface=map.h5", "run.ranks=[2,0,1]")
    (tmp_path / "again.toml").write_text(config.to_toml(given))
    assert config.load(HeatAppOptions, tmp_path / "again.toml") == given


@pytest.mark.parametrize("shape", ["[4]", "[4,4,4,4]", "[]"])
def test_a_box_has_two_or_three_axes(shape):
    with pytest.raises(ConfigError, match="2 or 3 axes"):
        options(f"heat.shape={shape}")


@pytest.mark.parametrize("stepper", ["euler", "ssprk3", "rk4"])
def test_the_earth_takes_implicit_steps_only(stepper):
    with pytest.raises(ConfigError, match="crank_nicolson"):
        options("model=earth", f"time.stepper={stepper}")


@pytest.mark.parametrize(
    ("update", "state"),
    [("increment", "fp64"), ("plain", "fp16"), ("compensated", "fp16+fp16"), ("stochastic", "fp16")],
)
def test_the_record_names_the_format_that_an_explicit_state_has(update, state):
    chosen = options("time.stepper=euler", "precision.inner=fp16", f"time.state_update={update}")
    assert not chosen.implicit
    assert chosen.roles_used() == {"state": state, "inner": "fp16", "halo": "", "state_update": update}


def test_an_implicit_run_uses_the_table_of_roles():
    used = options("precision.inner=bf16", "precision.accumulate=fp32", "precision.state=fp32").roles_used()
    assert used == {"state": "fp32", "inner": "bf16", "accumulate": "fp32", "residual": "fp64", "halo": ""}


def test_a_ladder_starts_with_the_inner_format():
    assert options("precision.inner=fp16").precision.rungs() == ("fp16", "fp32", "fp64")


@pytest.mark.parametrize("kind", [MxpAppOptions, SolveAppOptions])
def test_options_of_dense_systems_survive_toml(tmp_path, kind):
    given = config.load(kind, None, ["grid.rows=2", "precision.ladder=[]", "solver.pivoting=partial"])
    (tmp_path / "again.toml").write_text(config.to_toml(given))
    assert config.load(kind, tmp_path / "again.toml") == given


def test_a_dense_sweep_has_no_state_update():
    with pytest.raises(ConfigError, match="'fp16:plain'.*no state"):
        MxpAppOptions.state_update("fp16:plain", "plain")


def test_the_format_of_a_factorisation_is_that_of_its_messages():
    roles = config.load(MxpAppOptions, None, ["precision.inner=fp16"]).roles_used()
    assert roles == {"state": "fp64", "inner": "fp16", "accumulate": "fp32", "residual": "fp64", "halo": "fp16"}
    assert config.load(SolveAppOptions).roles_used()["inner"] == "auto"


def test_the_benchmark_chooses_its_own_tolerance_and_a_user_must():
    assert config.load(MxpAppOptions).solver.rtol == 0
    with pytest.raises(ConfigError, match="solver.rtol = 0"):
        config.load(SolveAppOptions, None, ["solver.rtol=0"])
