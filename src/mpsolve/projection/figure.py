"""A number of the catalogue with its unit, where it comes from, and how sure it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpsolve.errors import ConfigError

STATUSES = ("source", "derived", "recall", "unknown", "measured")
"""Looked up; computed from other figures; from memory, unverified; not known; measured by ``mpsolve calibrate``."""

KEYS = ("value", "unit", "status", "source", "note")


@dataclass(frozen=True)
class Figure:
    """One number of the catalogue.

    Attributes
    ----------
    value : float or None
        The number in `unit`; None if and only if the status is ``"unknown"``.
    unit : str
        Its unit, for instance ``"TFLOP/s"``.
    status : str
        One of `STATUSES`.
    source : str
        Key of ``sources.toml``; empty for what is derived from other figures.
    note : str
        How it was derived, or what to know about it.

    Examples
    --------
    >>> Figure(4.0, "TB/s", "source", "jsc_conf").number
    4.0
    """

    value: float | None
    unit: str
    status: str
    source: str = ""
    note: str = ""

    @property
    def number(self) -> float:
        """The value, for figures that the schema demands.

        Raises
        ------
        ConfigError
            If it is unknown.
        """
        if self.value is None:
            raise ConfigError(
                f"a figure in {self.unit} is unknown ({self.note or 'no source'}); give it in a machine file"
            )
        return self.value

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


def parse(where: str, entry: Any, unit: str, sources: Mapping[str, str]) -> Figure:
    """Read a figure from its inline table.

    Parameters
    ----------
    where : str
        File and key, for messages.
    entry : object
        The table: ``{ value = 4.0, unit = "TB/s", status = "source", source = "jsc_conf", note = "..." }``.
    unit : str
        The unit it must have; empty for any.
    sources : mapping
        The known sources.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or value, unit, status and source contradict each other.
    """
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is {entry!r}; it must be a table with {', '.join(KEYS)}")
    unknown = [key for key in entry if key not in KEYS]
    if unknown:
        raise ConfigError(f"{where} has the key {unknown[0]!r}; allowed are {', '.join(KEYS)}")
    for key in KEYS[1:]:
        if not isinstance(entry.get(key, ""), str):
            raise ConfigError(f"{where} has {key} {entry[key]!r}; it must be a text")
    figure = Figure(
        entry.get("value"),
        entry.get("unit", ""),
        entry.get("status", ""),
        entry.get("source", ""),
        entry.get("note", ""),
    )
    _check(where, figure, unit, sources)
    return figure


def _check(where: str, figure: Figure, unit: str, sources: Mapping[str, str]) -> None:
    if figure.status not in STATUSES:
        raise ConfigError(f"{where} has status {figure.status!r}; allowed are {', '.join(STATUSES)}")
    if not figure.unit or (unit and figure.unit != unit):
        raise ConfigError(f"{where} has unit {figure.unit!r}; it must be {unit or 'given'}")
    if (figure.value is None) != (figure.status == "unknown"):
        raise ConfigError(
            f"{where} has value {figure.value!r} with status {figure.status!r}; only unknown has no value"
        )
    number = isinstance(figure.value, (int, float)) and not isinstance(figure.value, bool)
    if figure.value is not None and not (number and 0 <= figure.value < float("inf")):
        raise ConfigError(f"{where} has value {figure.value!r}; it must be a finite number of at least 0")
    if figure.source and figure.source not in sources:
        raise ConfigError(f"{where} has source {figure.source!r}, which sources.toml does not list; add it there")
    if figure.status in ("source", "recall") and not figure.source:
        raise ConfigError(f"{where} has status {figure.status!r} and no source; name one of sources.toml")
    if figure.status == "derived" and not (figure.note or figure.source):
        raise ConfigError(f"{where} is derived without a note; write what it was derived from")
