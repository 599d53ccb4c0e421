"""Configuration: sources, strict types and ranges, words of the errors, and the round trip through TOML."""

import math
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpsolve import config
from mpsolve.errors import ConfigError, FileError, UnknownNameError


@dataclass(frozen=True)
class Grid:
    cells: int = field(default=64, metadata={"help": "cells along each axis", "min": 1, "max": 10**6})
    length_m: float = field(default=1.0, metadata={"unit": "m", "above": 0.0})
    periodic: bool = False
    shape: tuple[int, ...] = field(default=(4, 4), metadata={"min": 1})
    corner: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Precision:
    inner: str = field(default="fp32", metadata={"choices": ("fp64", "fp32", "bf16")})
    ladder: tuple[str, ...] = field(default=("bf16", "fp64"), metadata={"choices": lambda: ("fp64", "fp32", "bf16")})


@dataclass(frozen=True)
class Settings:
    title: str = "heat"
    steps: int | None = field(default=10, metadata={"min": 0})
    surface: Path | None = None
    scheme: Literal["explicit", "implicit"] = "implicit"
    order: Literal[1, 2] = 2
    grid: Grid = field(default_factory=Grid)
    precision: Precision = field(default_factory=Precision)


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


# Where values come from


def test_without_input_the_defaults_are_returned():
    assert config.load(Settings) == Settings()


def test_a_file_sets_keys_and_leaves_the_others(tmp_path):
    options = config.load(Settings, write(tmp_path, '[grid]\ncells = 8\n[precision]\ninner = "bf16"'))
    assert options == Settings(grid=Grid(cells=8), precision=Precision(inner="bf16"))


def test_set_wins_over_the_file(tmp_path):
    file = write(tmp_path, "[grid]\ncells = 8\nlength_m = 3.0")
    assert config.load(Settings, file, ["grid.cells=9"]).grid == Grid(cells=9, length_m=3.0)


def test_overrides_win_over_set():
    assert config.load(Settings, None, ["precision.inner=bf16"], {"precision.inner": "fp64"}).precision.inner == "fp64"


def test_the_last_of_two_sets_wins():
    assert config.load(Settings, None, ["grid.cells=1", "grid.cells=2"]).grid.cells == 2


def test_an_override_of_none_counts_as_not_given():
    assert config.load(Settings, None, ["title=a"], {"title": None, "grid": {"cells": None}}).title == "a"


def test_an_override_may_be_a_dataclass():
    assert config.load(Settings, overrides={"grid": Grid(cells=3)}).grid == Grid(cells=3)


def test_the_default_of_a_table_is_the_start_of_a_partial_table():
    @dataclass(frozen=True)
    class Special:
        grid: Grid = field(default_factory=lambda: Grid(cells=7, periodic=True))

    assert config.load(Special, None, ["grid.length_m=2"]).grid == Grid(cells=7, length_m=2.0, periodic=True)


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbfsteps = 3\n")
    assert config.load(Settings, path).steps == 3


# Values of --set


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title=bare-word", "bare-word"),
        ("title=two words", "two words"),
        ('title="quoted"', "quoted"),
        ("title=a=b", "a=b"),
        ("title=", ""),
        ("title=1\nsteps=5", "1\nsteps=5"),
        ("grid.periodic=true", True),
        ("grid.cells=12", 12),
        (" grid . cells = 12", 12),
        ("grid.length_m=1e-3", 1e-3),
        ("grid.shape=[8, 9]", (8, 9)),
        ("precision.ladder=['bf16']", ("bf16",)),
        ("surface=a/b.h5", Path("a/b.h5")),
        ("steps=none", None),
    ],
)
def test_a_set_value_is_toml_or_a_bare_word(text, expected):
    value = config.load(Settings, None, [text])
    for part in text.partition("=")[0].split("."):
        value = getattr(value, part.strip())
    assert value == expected
    assert type(value) is type(expected)


def test_an_inline_table_in_set_keeps_the_other_keys():
    options = config.load(Settings, None, ["grid.periodic=true", "grid={cells=3}"])
    assert options.grid == Grid(cells=3, periodic=True)


@pytest.mark.parametrize("text", ["grid.cells", "=3", "grid..cells=3", ".cells=3", "grid.=3", ""])
def test_a_set_that_is_not_key_equals_value_is_refused(text):
    with pytest.raises(ConfigError, match=r"must be section\.key=value"):
        config.load(Settings, None, [text])


# Types


def test_an_int_becomes_a_float_where_a_float_is_asked():
    length = config.load(Settings, None, ["grid.length_m=2"]).grid.length_m
    assert type(length) is float


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("grid.cells=1.0", "an integer, at least 1 and at most 1000000"),
        ("grid.cells=true", "an integer"),
        ("grid.cells=many", "an integer"),
        ("grid.cells=99999999999999999999", "64 bits"),
        ("grid.cells={a=1}", "an integer"),
        ("grid.length_m=false", "a number"),
        ("grid.length_m=nan", "finite"),
        ("grid.length_m=-inf", "finite"),
        ("grid.length_m=1e999", "finite"),
        ("grid.length_m=1" + "0" * 400, "number within 64 bits"),
        ("grid.periodic=1", "true or false"),
        ("grid.periodic=True", "true or false"),
        ("grid.shape=4", "a list of integers"),
        ("grid.shape=[4, 4.5]", "an integer"),
        ("grid.shape=[4, 0]", "at least 1"),
        ("grid.corner=[1.0]", "2 of them, not 1"),
        ("grid=3", "a table with the keys cells, length_m"),
        ("title=3", "a text"),
        ("title=1979-05-27", "a text"),
        ("steps=1.5", "an integer"),
        ("steps=-1", "at least 0"),
        ("surface=7", "a text"),
        ("order=3", "one of 1, 2"),
        ("order=true", "one of 1, 2"),
    ],
)
def test_a_wrong_type_is_refused_with_the_key_and_what_is_allowed(text, allowed):
    with pytest.raises(ConfigError, match=re.escape(allowed)) as caught:
        config.load(Settings, None, [text])
    assert str(caught.value).startswith(text.partition("=")[0])


@pytest.mark.parametrize("text", ["title=a\udcff", "surface=a\udcff", 'title="a\\u0000"'])
def test_text_that_no_file_could_hold_is_refused(text):
    with pytest.raises(ConfigError, match="valid Unicode"):
        config.load(Settings, None, [text])


@pytest.mark.parametrize(("value", "word"), [(0, "at least 1"), (10**6 + 1, "at most 1000000")])
def test_a_value_out_of_range_is_refused(value, word):
    with pytest.raises(ConfigError, match=word):
        config.load(Settings, None, [f"grid.cells={value}"])


@pytest.mark.parametrize("value", [1, 10**6])
def test_the_limits_themselves_are_allowed(value):
    assert config.load(Settings, None, [f"grid.cells={value}"]).grid.cells == value


def test_an_exclusive_limit_refuses_the_limit_itself_and_names_the_unit():
    with pytest.raises(ConfigError, match=r"grid\.length_m = 0\.0 \(from --set\): must be above 0\.0 m"):
        config.load(Settings, None, ["grid.length_m=0.0"])


def test_a_default_out_of_range_is_found():
    @dataclass(frozen=True)
    class Wrong:
        cells: int = field(default=0, metadata={"min": 1})

    with pytest.raises(ConfigError, match=r"cells = 0 \(the default\)"):
        config.load(Wrong)


def test_a_missing_value_without_default_is_named():
    @dataclass(frozen=True)
    class Needs:
        cells: int

    with pytest.raises(ConfigError, match="cells is missing and has no default: must be an integer"):
        config.load(Needs)


def test_an_annotation_that_no_toml_value_fits_is_a_mistake_of_the_program():
    @dataclass(frozen=True)
    class Odd:
        data: dict = field(default_factory=dict)

    with pytest.raises(TypeError, match="data"):
        config.load(Odd)


def test_a_check_across_fields_ends_as_a_config_error():
    @dataclass(frozen=True)
    class Range:
        low: int = 0
        high: int = 1

        def __post_init__(self):
            if not self.low < self.high:
                raise ValueError(f"low {self.low} must be below high {self.high}")

    with pytest.raises(ConfigError, match="low 5 must be below high 1"):
        config.load(Range, None, ["low=5"])


# Names


def test_an_unknown_key_lists_the_keys_and_the_nearest(tmp_path):
    file = write(tmp_path, "[grid]\ncell = 3")
    with pytest.raises(UnknownNameError, match=r"'grid\.cell'; there are: grid\.cells, .*mean 'grid\.cells'") as caught:
        config.load(Settings, file)
    assert str(file) in str(caught.value)


def test_an_unknown_section_is_refused_even_if_empty(tmp_path):
    with pytest.raises(UnknownNameError, match="'gird'.*did you mean 'grid'"):
        config.load(Settings, write(tmp_path, "[gird]\n"))


def test_an_unknown_override_is_refused():
    with pytest.raises(UnknownNameError, match="backend"):
        config.load(Settings, overrides={"backend": "cpu"})


@pytest.mark.parametrize("key", ["precision.inner", "precision.ladder"])
def test_a_name_that_is_no_choice_lists_those_that_are(key):
    value = "fp23" if key.endswith("inner") else ["fp23"]
    with pytest.raises(UnknownNameError, match=f"unknown {key} 'fp23'; there are: fp64, fp32, bf16; did you mean"):
        config.load(Settings, overrides={key: value})


def test_a_literal_that_is_no_choice_lists_those_that_are():
    with pytest.raises(UnknownNameError, match="unknown scheme 'implict'.*did you mean 'implicit'"):
        config.load(Settings, None, ["scheme=implict"])


def test_choices_given_as_a_callable_are_not_asked_before_a_value_is_checked():
    asked = []

    @dataclass(frozen=True)
    class Lazy:
        name: str = field(default="a", metadata={"choices": lambda: asked.append(1) or ("a",)})

    assert asked == []
    config.load(Lazy)
    assert asked == [1]


@pytest.mark.parametrize("value", ["x" * 10**5, list(range(10**5)), "a\nb"])
def test_an_error_is_one_short_line_whatever_the_value(value):
    with pytest.raises(ConfigError) as caught:
        config.load(Settings, overrides={"grid.cells": value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


# Files


def test_a_missing_file_is_named():
    with pytest.raises(FileError, match="'no/such.toml' does not exist"):
        config.load(Settings, Path("no/such.toml"))


def test_a_folder_is_no_configuration_file(tmp_path):
    with pytest.raises(FileError, match="cannot read"):
        config.load(Settings, tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_file_name_that_the_system_refuses_is_a_file_error(name):
    with pytest.raises(FileError):
        config.load(Settings, name)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b'steps = 3\ntitle = "\xe9"\n')
    with pytest.raises(FileError, match=r"latin\.toml', line 2: not UTF-8"):
        config.load(Settings, path)


@pytest.mark.parametrize(
    ("text", "place"),
    [("steps = 3\nsteps = 4", "line 2"), ("[grid\n", "line 1"), ("a = 1\n\nb =", "line 3")],
)
def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path, text, place):
    with pytest.raises(ConfigError, match=rf"run\.toml' is not valid TOML: .*{place}"):
        config.load(Settings, write(tmp_path, text))


@pytest.mark.parametrize("text", ["steps = " + "[" * 10**5, "steps = " + "1" * 10**5])
def test_a_hostile_file_is_refused_and_not_a_crash(tmp_path, text):
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load(Settings, write(tmp_path, text))


def test_a_file_that_is_too_large_is_refused_before_it_is_parsed(tmp_path):
    with pytest.raises(FileError, match="larger than"):
        config.load(Settings, write(tmp_path, "#" * (config.LARGEST_FILE_BYTES + 1)))


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "fields.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(FileError, match="line 1: not UTF-8"):
        config.load(Settings, path)


# Writing


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(lambda text: text != "none")
finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(["fp64", "fp32", "bf16"])
grids = st.builds(
    Grid,
    cells=st.integers(1, 10**6),
    length_m=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    periodic=st.booleans(),
    shape=st.lists(st.integers(1, 2**63 - 1), max_size=4).map(tuple),
    corner=st.tuples(finite, finite),
)
settings_of_any_kind = st.builds(
    Settings,
    title=texts,
    steps=st.none() | st.integers(0, 2**63 - 1),
    surface=st.none() | texts.map(Path).filter(lambda path: str(path) != "none"),
    scheme=st.sampled_from(["explicit", "implicit"]),
    order=st.sampled_from([1, 2]),
    grid=grids,
    precision=st.builds(Precision, inner=names, ladder=st.lists(names).map(tuple)),
)


@given(settings_of_any_kind)
def test_toml_that_was_written_loads_as_equal_options(tmp_path_factory, options):
    path = tmp_path_factory.getbasetemp() / "round_trip.toml"
    path.write_text(config.to_toml(options), encoding="utf-8", newline="")
    loaded = config.load(Settings, path)
    assert loaded == options
    assert math.copysign(1.0, loaded.grid.corner[0]) == math.copysign(1.0, options.grid.corner[0])


def test_toml_carries_help_unit_limits_and_choices_as_comments():
    text = config.to_toml(Settings())
    assert "# cells along each axis; at least 1 and at most 1000000\ncells = 64" in text
    assert "# above 0.0 m\nlength_m = 1.0" in text
    assert "# one of fp64, fp32, bf16\n" in text


def test_toml_has_every_key_even_those_that_are_none():
    assert tomllib.loads(config.to_toml(Settings()))["surface"] == "none"


# Flags


def parsed(*arguments: str):
    return config.argument_parser("mpsolve.apps.heat", "Heat.").parse_args(arguments)


def test_flags_that_are_not_given_have_neutral_values():
    assert vars(parsed()) == {
        "config": None,
        "set": [],
        "precision": None,
        "inject": None,
        "sweep": (),
        "backend": None,
        "out": None,
        "restart": None,
        "print_config": False,
    }


def test_flags_are_parsed():
    arguments = parsed("--set", "a.b=1", "--set", "c=2", "--sweep", "fp64, bf16", "--out", "x", "--config", "y.toml")
    assert arguments.set == ["a.b=1", "c=2"]
    assert arguments.sweep == ("fp64", "bf16")
    assert (arguments.out, arguments.config) == (Path("x"), Path("y.toml"))


def test_two_parsers_do_not_share_their_sets():
    parsed("--set", "a=1")
    assert parsed().set == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precison", "fp32"], "did you mean --precision"),
        (["--prec", "fp32"], "--prec"),
        (["--sweep", "fp64,,fp32"], "names separated by commas"),
        (["--config"], "expected one argument"),
        (["stray"], "stray"),
    ],
)
def test_bad_usage_is_a_config_error_and_no_exit(arguments, message):
    with pytest.raises(ConfigError, match=message):
        parsed(*arguments)


def test_a_published_configuration_is_found_by_its_bare_name(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "published", lambda: {"tiny": write(tmp_path, "steps = 2")})
    assert config.load(Settings, Path("tiny")).steps == 2


def test_a_missing_file_lists_the_published_configurations(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "published", lambda: {"tiny": tmp_path / "tiny.toml"})
    with pytest.raises(FileError, match="published configurations: tiny"):
        config.load(Settings, Path("tiny.toml"))


def test_the_flags_need_neither_numpy_nor_mpi():
    code = (
        "import sys; from mpsolve import config; config.argument_parser('a', 'b'); "
        "print([name for name in ('numpy', 'mpi4py', 'h5py', 'numba', 'matplotlib') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
