"""Roles and their formats: which number format holds what, the presets of --precision, and the way up from a format."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

from mpsolve import lookup
from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.formats.base import Format

DEFAULT_LADDER = ("fp8_e4m3", "bf16", "fp32", "fp64")


@dataclass(frozen=True)
class Roles:
    """The format of each role, by name; the defaults are the preset fp64.

    Raises
    ------
    ConfigError
        If a role has no format; only `halo` may be empty.
    UnknownNameError
        If a role names a format that does not exist.

    Examples
    --------
    >>> Roles(inner="bf16", accumulate="fp32").residual
    'fp64'
    """

    state: str = field(default="fp64", metadata={"help": "format of what lives between time steps"})
    inner: str = field(default="fp64", metadata={"help": "format of the inner solver's arrays and factors"})
    accumulate: str = field(default="fp64", metadata={"help": "format of the sums inside a kernel"})
    residual: str = field(default="fp64", metadata={"help": "format of residuals, invariants and deciding norms"})
    halo: str = field(default="", metadata={"help": "format of a message; empty: the field's own storage"})

    def __post_init__(self):
        choices = lookup.names("formats")
        for role in fields(self):
            name = getattr(self, role.name)
            if name == "" and role.name != "halo":
                raise ConfigError(f"precision.{role.name} is empty; give one of: {', '.join(choices)}")
            if name and name not in choices:
                raise UnknownNameError(f"format of precision.{role.name}", name, choices)


@functools.cache
def get_format(name: str) -> Format:
    """Return the format of a name.

    Parameters
    ----------
    name : str
        The name of a file in ``mpsolve/formats``.

    Returns
    -------
    Format
        The same object each time.

    Raises
    ------
    UnknownNameError
        If there is no such format.

    Examples
    --------
    >>> get_format("fp16").largest
    65504.0
    """
    return lookup.find("formats", name).FORMAT


def presets() -> tuple[str, ...]:
    """List the names that `preset` takes: those of the formats."""
    return lookup.names("formats")


def preset(name: str) -> Roles:
    """Return the table of roles that ``--precision NAME`` stands for.

    Parameters
    ----------
    name : str
        The format of the inner solver. State and residual stay in fp64, and sums are accumulated in
        the type that kernels compute in: fp64 for fp64, fp32 for all others.

    Returns
    -------
    Roles
        With an empty `halo`: messages carry the field's own storage.

    Raises
    ------
    UnknownNameError
        If there is no such preset.

    Examples
    --------
    >>> preset("fp16")
    Roles(state='fp64', inner='fp16', accumulate='fp32', residual='fp64', halo='')
    """
    if name not in presets():
        raise UnknownNameError("precision", name, presets())
    return Roles(state="fp64", inner=name, accumulate=f"fp{8 * get_format(name).compute.itemsize}", residual="fp64")


def ladder_from(inner: str, ladder: Sequence[str] = DEFAULT_LADDER) -> tuple[str, ...]:
    """Return the formats to try in turn: the inner one, then those of the ladder that are more precise.

    Parameters
    ----------
    inner : str
        Name of the format to start with; it need not be on the ladder.
    ladder : sequence of str
        Names of formats with rising precision, or equal precision and rising range. Empty: no escalation.

    Returns
    -------
    tuple of str
        Names, the first of them `inner`.

    Raises
    ------
    ConfigError
        If the ladder does not rise.
    UnknownNameError
        If a name is not that of a format.

    Examples
    --------
    >>> ladder_from("fp16")
    ('fp16', 'fp32', 'fp64')
    """
    start, ranks = _rank(inner), [_rank(name) for name in ladder]
    for step in range(1, len(ladder)):
        if ranks[step] <= ranks[step - 1]:
            raise ConfigError(
                f"precision.ladder goes from {ladder[step - 1]!r} to {ladder[step]!r}, which is not more precise; "
                f"each format must be more precise than the one before, for example {', '.join(DEFAULT_LADDER)}"
            )
    return (inner, *(name for name, rank in zip(ladder, ranks, strict=True) if rank > start))


def _rank(name: str) -> tuple[int, float]:
    """Return what orders formats: precision, then range."""
    chosen = get_format(name)
    return chosen.significand_bits, chosen.largest
