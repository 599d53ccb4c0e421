"""The catalogue: machine files by name, or one of the user's own."""

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from mpsolve.errors import ConfigError, FileError, UnknownNameError
from mpsolve.projection.machine import Accelerator, Machine
from mpsolve.projection.schema import VERSION, read_accelerator, read_machine

# A machine file has some kilobytes.
LARGEST_BYTES = 2**20


def folder() -> Path:
    """Return where the files of the catalogue are."""
    return Path(str(resources.files("mpsolve.projection")))


def machine_names() -> tuple[str, ...]:
    """Return the names of the machines: those of the files below ``machines``, sorted.

    Examples
    --------
    >>> "jupiter" in machine_names()
    True
    """
    return _names("machines")


@cache
def accelerator_names() -> tuple[str, ...]:
    """Return the names of the accelerators: those of the files below ``accelerators``, sorted."""
    return _names("accelerators")


@cache
def sources() -> dict[str, str]:
    """Return key to text of every source."""
    return {key: str(text) for key, text in read_toml(folder() / "sources.toml").items()}


def load_machine(name: str) -> Machine:
    """Read and check a machine.

    Parameters
    ----------
    name : str
        A name of `machine_names`, or the path of a file ending in ``.toml``, for instance from ``mpsolve calibrate``.

    Raises
    ------
    UnknownNameError
        If the catalogue has no such machine; the message has the nearest name.
    FileError
        If the file is missing or not TOML.
    ConfigError
        If an entry is wrong; the message names file and key.

    Examples
    --------
    >>> load_machine("jupiter").accelerator.memory.value
    96.0
    """
    path = Path(name)
    if path.suffix != ".toml":
        key = name.lower().replace("-", "_")
        if key not in machine_names():
            raise UnknownNameError("machine", name, machine_names())
        path = folder() / "machines" / f"{key}.toml"
    entries = _of_version(path)
    own = entries.get("accelerator")
    if isinstance(own, dict):
        accelerator = read_accelerator(path.stem, f"{path.name}: [accelerator]", own, sources())
        entries = entries | {"accelerator": path.stem}
    elif isinstance(own, str):
        accelerator = load_accelerator(own)
    else:
        raise ConfigError(f"{path.name}: accelerator is {own!r}; give the name of one, or a table")
    return read_machine(path.stem, path.name, entries, accelerator, sources())


@cache
def load_accelerator(name: str) -> Accelerator:
    """Read and check an accelerator of the catalogue; errors as in `load_machine`."""
    if name not in accelerator_names():
        raise UnknownNameError("accelerator", name, accelerator_names())
    path = folder() / "accelerators" / f"{name}.toml"
    return read_accelerator(name, path.name, _of_version(path), sources())


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    FileError
        If it is missing, too large or damaged.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FileError(f"{path} is larger than {LARGEST_BYTES} bytes: not a file of the catalogue")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise FileError(f"{path} is no TOML file: {problem}") from None


def _of_version(path: Path) -> dict[str, Any]:
    entries = read_toml(path)
    if entries.get("schema") != VERSION:
        raise ConfigError(f"{path.name}: schema is {entries.get('schema')!r}; this mpsolve reads {VERSION}")
    return entries


def _names(kind: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (folder() / kind).glob("*.toml")))
