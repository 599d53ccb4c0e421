"""Configuration: a TOML file and ``--set`` options become frozen dataclasses, or an error that names the key.

Only the standard library is used here, so that ``--help`` needs neither NumPy nor MPI.
"""

import argparse
import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mpsolve.errors import ConfigError, FileError, UnknownNameError
from mpsolve.options import Key, choices_of, convert, limits_of, shown, written

Options = TypeVar("Options")

LARGEST_FILE_BYTES = 2**20
"""A configuration is written by hand: a larger file is a mistake, and is refused before it is parsed."""


def load(
    options_type: type[Options],
    file: Path | str | None = None,
    sets: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Options:
    """Build options from their defaults, a TOML file, ``--set`` texts and overrides; what comes later wins.

    Parameters
    ----------
    options_type : type
        A frozen dataclass. Its fields are ``bool``, ``int``, ``float``, ``str``, ``Path``, ``Literal``, a tuple of
        these, any of these ``| None``, or another such dataclass. Field metadata: ``help`` and ``unit`` (text),
        ``min`` and ``max`` (inclusive), ``above`` and ``below`` (exclusive), ``choices`` (a tuple, or a callable
        that returns one and is called only when a value is checked). On a tuple they hold for each element.
    file : path, optional
        A TOML file, or the bare name of a published configuration such as ``earth``.
    sets : sequence of str
        Texts ``section.key=value``; the value is TOML, and a bare word is a string.
    overrides : mapping, optional
        Nested mappings, dataclasses for tables, or dotted keys. A value of None means "not given".

    Returns
    -------
    Options
        A new ``options_type``; ``"none"`` in the input of an optional field has become None.

    Raises
    ------
    ConfigError
        If a key is missing, or a value has the wrong type or range; also if the file is not TOML.
    UnknownNameError
        If a key does not exist or a name is not among its choices.
    FileError
        If the file is missing, unreadable, too large or not UTF-8.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Grid:
    ...     cells: int = dataclasses.field(default=64, metadata={"min": 1})
    >>> load(Grid, sets=["cells=128"])
    Grid(cells=128)
    """
    merged = _Merged({}, {})
    if file is not None:
        path = located(Path(file))
        merged.add(read_toml(path), str(path))
    for text in sets:
        merged.add(_parse_set(text), "--set")
    merged.add(_expand(overrides or {}), "the command line")
    return _build(options_type, merged.table, None, Key("", merged.sources))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of at most `LARGEST_FILE_BYTES`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        The tables and values of the file.

    Raises
    ------
    FileError
        If the file cannot be read, is too large, or is not UTF-8 (with the line).
    ConfigError
        If the text is not TOML (with line and column).
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read configuration file {str(path)!r}: {_reason(error)}") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise FileError(
            f"configuration file {str(path)!r} is larger than {LARGEST_FILE_BYTES} bytes: is it a TOML file?"
        )
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FileError(f"configuration file {str(path)!r}, line {line}: not UTF-8 text: is it a TOML file?") from None
    except (ValueError, RecursionError) as error:
        last = f"line {len(data.splitlines())}"
        reason = _reason(error).replace("end of document", last)
        raise ConfigError(f"configuration file {str(path)!r} is not valid TOML: {reason}") from None


def published() -> dict[str, Path]:
    """List the configurations that are shipped with the package.

    Returns
    -------
    dict
        Name without suffix, and the file.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parents[1]
    # A wheel carries configs/ inside the package; an editable install leaves it at the top of the checkout.
    folder = checkout / "configs" if (checkout / "pyproject.toml").exists() else package / "configs"
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def to_toml(options: Any) -> str:
    """Write options as TOML that `load` turns into equal options.

    Parameters
    ----------
    options : dataclass instance
        What `load` returned.

    Returns
    -------
    str
        One table per nested dataclass, every key with its help, unit and limits as a comment above it.
        None is written as ``"none"``, since TOML has no null.
    """
    return "\n".join(_table_lines(options, "")).strip() + "\n"


def argument_parser(app: str, description: str) -> argparse.ArgumentParser:
    """Make the parser of an app, with the flags that all apps share.

    Parameters
    ----------
    app : str
        The module that is run, for instance ``"mpsolve.apps.heat"``.
    description : str
        The first paragraph of ``--help``.

    Returns
    -------
    argparse.ArgumentParser
        Its `parse_args` raises `ConfigError` on bad usage instead of exiting, so that N ranks print one line.
    """
    parser = _Parser(prog=f"python -m {app}", description=description, allow_abbrev=False)
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that all apps share to a parser, in place.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Receives ``config`` (Path or None), ``set`` (list of str), ``precision`` (str or None), ``sweep`` (tuple of
        str, empty if not given), ``backend`` (str or None), ``out`` (Path or None), ``restart`` (str or None) and
        ``print_config`` (bool).
    """
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file, or a published name such as earth")
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="set one key; may be repeated"
    )
    parser.add_argument("--precision", metavar="NAME", help="preset for [precision], such as fp64, fp32, bf16, fp16")
    parser.add_argument(
        "--sweep", type=_names, default=(), metavar="NAME,NAME", help="run once per precision and compare at the end"
    )
    parser.add_argument("--backend", metavar="NAME", help="auto, cpu, cuda or reference")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run directory; default: a new one below runs/")
    parser.add_argument(
        "--restart", metavar="auto|PATH", help="go on from the newest checkpoint of --out, or from this one"
    )
    parser.add_argument(
        "--inject",
        metavar="bitflip:RATE",
        help="flip that part of the bits of low-precision arrays, to see what happens",
    )
    parser.add_argument("--print-config", action="store_true", help="print the resolved configuration as TOML and stop")


class _Parser(argparse.ArgumentParser):
    """Raises `ConfigError` where argparse would print its usage and exit on every rank."""

    def error(self, message: str) -> NoReturn:
        flags = [word for word in re.findall(r"--[\w-]+", message) if word not in self._option_string_actions]
        nearest = [near for flag in flags for near in difflib.get_close_matches(flag, self._option_string_actions, n=1)]
        advice = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ConfigError(f"{message}{advice} (--help lists the options)")


@dataclasses.dataclass
class _Merged:
    """Nested tables, and for every dotted key in them the place it came from."""

    table: dict[str, Any]
    sources: dict[str, str]

    def add(self, new: Mapping[str, Any], source: str) -> None:
        self._merge(self.table, new, source, "")

    def _merge(self, table: dict[str, Any], new: Mapping[str, Any], source: str, prefix: str) -> None:
        for name, value in new.items():
            self.sources[prefix + name] = source
            if isinstance(value, Mapping):
                below = table[name] if isinstance(table.get(name), dict) else {}
                table[name] = below
                self._merge(below, value, source, f"{prefix}{name}.")
            else:
                table[name] = value


def _build(options_type: type[Options], table: Any, default: Any, key: Key) -> Options:
    """Build one dataclass from a table; fields that the table leaves out keep the value of `default`."""
    fields = {field.name: field for field in dataclasses.fields(options_type) if field.init}  # type: ignore[arg-type]
    if not isinstance(table, Mapping):
        raise key.error(table, f"a table with the keys {', '.join(fields)}")
    prefix = f"{key.name}." if key.name else ""
    for name in table:
        if name not in fields:
            kind = f"key in {key.sources.get(prefix + name, 'configuration')}"
            raise UnknownNameError(kind, prefix + name, [prefix + known for known in fields])
    hints = typing.get_type_hints(options_type)
    values = {}
    for name, field in fields.items():
        here = key.below(name, field.metadata)
        start = getattr(default, name) if default is not None else _default(field)
        if dataclasses.is_dataclass(hints[name]):
            start = None if start is dataclasses.MISSING else start
            values[name] = _build(hints[name], table.get(name, {}), start, here)
        else:
            values[name] = convert(hints[name], table.get(name, start), here)
    try:
        return options_type(**values)
    except ValueError as error:
        raise ConfigError(f"{f'[{key.name}]' if key.name else 'configuration'}: {error}") from None


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def located(file: Path) -> Path:
    """Return `file`, or the published configuration of that bare name.

    Raises
    ------
    FileError
        If there is neither; the message lists the published ones.
    """
    try:
        if file.exists():
            return file
    except (OSError, ValueError):
        return file
    configurations = published()
    if file.name == str(file) and file.name in configurations:
        return configurations[file.name]
    there = f"; published configurations: {', '.join(configurations)}" if configurations else ""
    raise FileError(f"configuration file {str(file)!r} does not exist{there}")


def _parse_set(text: str) -> dict[str, Any]:
    """Turn ``section.key=value`` into nested tables."""
    dotted, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in dotted.split(".")):
        raise ConfigError(f"--set {shown(text)}: must be section.key=value")
    return _expand({dotted: _parse_value(value.strip())})


def _parse_value(text: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A text with a line break could define more keys: then it is a plain string.
    return table["value"] if table.keys() == {"value"} else text


def _expand(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested tables, and leave out what is None."""
    expanded = _Merged({}, {})
    for dotted, value in mapping.items():
        if value is None:
            continue
        if dataclasses.is_dataclass(value):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        value = _expand(value) if isinstance(value, Mapping) else value
        for part in reversed(dotted.split(".")):
            value = {part.strip(): value}
        expanded.add(value, "")
    return expanded.table


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r}: must be names separated by commas")
    return names


def _table_lines(options: Any, prefix: str) -> list[str]:
    """Return the lines of a table: plain keys first, since in TOML what follows a header belongs to it."""
    lines, tables = [], []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if not field.init:
            continue
        if dataclasses.is_dataclass(value):
            tables += ["", f"[{prefix}{field.name}]", *_table_lines(value, f"{prefix}{field.name}.")]
        else:
            lines += [*_comment(field.metadata), f"{field.name} = {written(value)}"]
    return lines + tables


def _comment(metadata: Mapping[str, Any]) -> list[str]:
    choices = ", ".join(map(str, choices_of(metadata))) if "choices" in metadata else ""
    parts = (metadata.get("help", ""), limits_of(metadata), choices and f"one of {choices}")
    text = "; ".join(" ".join(part.split()) for part in parts if part)
    return [f"# {text}"] if text else []
