"""Turn values into what JSON can hold, which knows neither NaN nor NumPy."""

import dataclasses
import json
import math
from typing import Any


def plain(value: Any) -> Any:
    """Return `value` as dictionaries, lists, text, numbers, booleans and None.

    Parameters
    ----------
    value : object
        Dataclasses become dictionaries, tuples and sets lists, NumPy scalars and arrays numbers and lists;
        NaN and infinities become the text ``"nan"``, ``"inf"`` or ``"-inf"``; anything else its ``str``.

    Returns
    -------
    object
        New containers that ``json.dumps(..., allow_nan=False)`` accepts.

    Examples
    --------
    >>> plain({"shape": (64, 32), "end_s": float("inf")})
    {'shape': [64, 32], 'end_s': 'inf'}
    """
    if isinstance(value, type):
        return value.__name__
    if dataclasses.is_dataclass(value):
        value = {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def without_gaps(values: dict[str, Any], reasons: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace numbers that are not finite by None and say so in the reasons.

    Parameters
    ----------
    values : dict
        Names and values of one level.
    reasons : dict
        Reasons known already; they win over the one made here.

    Returns
    -------
    tuple of dict
        New values and new reasons.
    """
    values, reasons = {name: plain(value) for name, value in values.items()}, dict(reasons)
    for name, value in values.items():
        if isinstance(value, str) and value in ("nan", "inf", "-inf"):
            values[name] = None
            reasons.setdefault(name, f"it became {value}")
    return values, reasons


def to_line(value: Any) -> str:
    """Return `value` as JSON on one line, without line end."""
    return json.dumps(plain(value), allow_nan=False)
