"""One option: the conversion of a value to its annotated type, its limits, and the errors that name them."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mpsolve.errors import ConfigError, UnknownNameError

LARGEST_INTEGER = 2**63 - 1
"""The largest integer that TOML promises to carry and that an int64 holds."""

_SHOWN_CHARACTERS = 60


@dataclasses.dataclass(frozen=True)
class Key:
    """A dotted key, with what is allowed there; it words the errors.

    Attributes
    ----------
    name : str
        The dotted key, ``""`` for the whole configuration.
    sources : mapping
        For every dotted key that was given, the file or flag it came from.
    metadata : mapping
        The limits, as `mpsolve.config.load` describes them.
    """

    name: str
    sources: Mapping[str, str]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def below(self, name: str, metadata: Mapping[str, Any]) -> "Key":
        """Return the key of a field in this table."""
        return Key(f"{self.name}.{name}" if self.name else name, self.sources, metadata)

    def error(self, value: Any, must_be: str = "") -> ConfigError:
        """Return the error for a value that was received here; the limits of the key follow `must_be`."""
        source = self.sources.get(self.name)
        origin = f" (from {source})" if source else " (the default)"
        allowed = ", ".join(part for part in (must_be, limits_of(self.metadata)) if part)
        return ConfigError(f"{self.name or 'configuration'} = {shown(value)}{origin}: must be {allowed}")


def convert(kind: Any, value: Any, key: Key) -> Any:
    """Return a value as the annotated type of its field.

    Parameters
    ----------
    kind : annotation
        ``bool``, ``int``, ``float``, ``str``, ``Path``, ``Literal``, a tuple of these, or one of them ``| None``.
    value : Any
        What TOML or the caller gave; `dataclasses.MISSING` if nothing was given.
    key : Key
        Where it was given.

    Returns
    -------
    Any
        The value: an int has become a float, a list a tuple, a text a Path, ``"none"`` None where the field asks so.

    Raises
    ------
    ConfigError
        If the value is missing, has another type, is not finite, or is out of range.
    UnknownNameError
        If a text is not among its choices.
    TypeError
        If the annotation itself is not supported, which is a mistake in the program.
    """
    if value is dataclasses.MISSING:
        raise ConfigError(f"{key.name} is missing and has no default: must be {_named(kind)}")
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _convert_optional(kind, arguments, value, key)
    if origin is tuple:
        return _convert_tuple(kind, arguments, value, key)
    if origin is typing.Literal:
        return _chosen(value, arguments, key)
    if kind not in _SCALARS:
        raise TypeError(f"{key.name}: an option cannot be annotated {kind!r}")
    return _within(_SCALARS[kind](value, key), key)


def _convert_optional(kind: Any, arguments: tuple, value: Any, key: Key) -> Any:
    inner = [argument for argument in arguments if argument is not types.NoneType]
    if len(inner) != 1 or len(arguments) != 2:
        raise TypeError(f"{key.name}: an option cannot be annotated {kind!r}")
    return None if value is None or value == "none" else convert(inner[0], value, key)


def _convert_tuple(kind: Any, arguments: tuple, value: Any, key: Key) -> tuple:
    if not isinstance(value, list | tuple):
        raise key.error(value, _named(kind))
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(convert(arguments[0], element, key) for element in value)
    if len(value) != len(arguments):
        raise key.error(value, f"{_named(kind)} ({len(arguments)} of them, not {len(value)})")
    return tuple(convert(argument, element, key) for argument, element in zip(arguments, value, strict=True))


def _to_bool(value: Any, key: Key) -> bool:
    if not isinstance(value, bool):
        raise key.error(value, _named(bool))
    return value


def _to_int(value: Any, key: Key) -> int:
    # bool is a subclass of int in Python, but `cells = true` is a mistake.
    if not isinstance(value, int) or isinstance(value, bool):
        raise key.error(value, _named(int))
    if abs(value) > LARGEST_INTEGER:
        raise key.error(value, "an integer that fits in 64 bits")
    return int(value)


def _to_float(value: Any, key: Key) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise key.error(value, _named(float))
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise key.error(value, "a number within 64 bits; write a larger one with an exponent")
    if not math.isfinite(value):
        raise key.error(value, "a finite number")
    return float(value)


def _to_str(value: Any, key: Key) -> str:
    if not isinstance(value, str):
        raise key.error(value, f"{_named(str)} in quotes")
    # Undecodable bytes of an argument arrive as lone surrogates, which no file or record could hold.
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
        raise key.error(value, "text that is valid Unicode, without a null character")
    return value


def _to_path(value: Any, key: Key) -> Path:
    return Path(_to_str(str(value) if isinstance(value, Path) else value, key))


_SCALARS: Mapping[Any, Callable[[Any, Key], Any]] = types.MappingProxyType(
    {bool: _to_bool, int: _to_int, float: _to_float, str: _to_str, Path: _to_path}
)

_NAMES: Mapping[Any, tuple[str, str]] = types.MappingProxyType(
    {
        bool: ("true or false", "true or false"),
        int: ("an integer", "integers"),
        float: ("a number such as 0.5 or 1e-3", "numbers"),
        str: ("a text", "texts"),
        Path: ("a path", "paths"),
    }
)


def _named(kind: Any) -> str:
    """Name an annotation for a person."""
    arguments = [argument for argument in typing.get_args(kind) if argument is not types.NoneType]
    if typing.get_origin(kind) is tuple:
        return f"a list of {_NAMES.get(arguments[0], ('', 'values'))[1]} in [ ]" if arguments else "a list"
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return f'{_named(arguments[0])} or "none"'
    return _NAMES[kind][0] if kind in _NAMES else f"one of {', '.join(map(str, arguments))}"


def _within(value: Any, key: Key) -> Any:
    """Check the limits and choices of a scalar."""
    limits = key.metadata
    if isinstance(value, int | float) and (
        ("min" in limits and not (value >= limits["min"]))
        or ("max" in limits and not (value <= limits["max"]))
        or ("above" in limits and not (value > limits["above"]))
        or ("below" in limits and not (value < limits["below"]))
    ):
        raise key.error(value)
    return _chosen(value, choices_of(limits), key) if "choices" in limits else value


def choices_of(metadata: Mapping[str, Any]) -> tuple:
    """Return the choices of a field; a callable is asked only now, so that folders are listed only when needed."""
    choices: Sequence | Callable[[], Sequence] = metadata["choices"]
    return tuple(choices if isinstance(choices, Sequence) else choices())


def _chosen(value: Any, choices: tuple, key: Key) -> Any:
    # True == 1 in Python, so the type must agree as well.
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    if isinstance(value, str) and all(isinstance(choice, str) for choice in choices):
        raise UnknownNameError(key.name, value, choices)
    raise Key(key.name, key.sources).error(value, f"one of {', '.join(map(str, choices))}")


def limits_of(metadata: Mapping[str, Any]) -> str:
    """Word the limits and unit of a field for a person, for instance ``at least 0 and at most 1 m``."""
    words = {"min": "at least", "max": "at most", "above": "above", "below": "below"}
    limits = " and ".join(f"{words[name]} {metadata[name]}" for name in words if name in metadata)
    unit = metadata.get("unit", "")
    return f"{limits} {unit}" if limits and unit else limits or (f"in {unit}" if unit else "")


def shown(value: Any) -> str:
    """Return the value as one short line for an error message."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 4]} ..."


def written(value: Any) -> str:
    """Return a value in TOML; None becomes ``"none"``."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    # JSON escapes are TOML escapes, except that TOML also wants DEL escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
