"""The names that results go by, and the reason beside each one that is missing."""

from collections.abc import Mapping
from typing import Any

from mpsolve.records.plain import without_gaps

RESULT_NAMES = (
    "time_s",
    "setup_s",
    "unknowns",
    "unknowns_per_s",
    "flops_per_s",
    "bytes_per_s",
    "stream_bytes_per_s",
    "iterations",
    "refinements",
    "backward_error",
    "hpl_mxp_residual",
    "error_l2",
    "error_linf",
    "error_reference",
    "rounding_error",
    "mass_drift",
    "energy_drift",
    "converged",
)
"""Standard names: an app uses these wherever they apply and its own names for the rest."""


def fill_results(
    values: Mapping[str, Any],
    reasons: Mapping[str, str] | None = None,
    *,
    otherwise: str = "this app does not measure it",
) -> tuple[dict[str, Any], dict[str, str]]:
    """Complete the results with every standard name.

    Parameters
    ----------
    values : mapping
        What is known; None, NaN and infinities count as missing. Names beyond `RESULT_NAMES` are kept.
    reasons : mapping, optional
        Why a value is missing, by name; reasons of values that are there are dropped.
    otherwise : str
        The reason of a missing value without one.

    Returns
    -------
    tuple of dict
        ``results``: name to value or None, standard names first; ``reasons``: name to text for each None.

    Examples
    --------
    >>> results, reasons = fill_results({"time_s": 1.5}, {"flops_per_s": "no flop counter in this kernel"})
    >>> results["time_s"], results["flops_per_s"], reasons["flops_per_s"]
    (1.5, None, 'no flop counter in this kernel')
    """
    known, why = without_gaps(dict(values), dict(reasons or {}))
    results = {name: known.get(name) for name in (*RESULT_NAMES, *known)}
    return results, {name: why.get(name, otherwise) for name, value in results.items() if value is None}
