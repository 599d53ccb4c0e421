"""The numbers by which runs are compared, each with the reason where there is none."""

import math
from collections.abc import Sequence
from typing import Any

from mpsolve.compare.align import RunSummary
from mpsolve.compare.problem import same_problem

METRICS = (
    "precision",
    "status",
    "converged",
    "format",
    "escalations",
    "iterations",
    "refinements",
    "stagnant_cells",
    "backward_error",
    "hpl_mxp_residual",
    "condition",
    "error_l1",
    "error_l2",
    "error_linf",
    "rounding_error",
    "truncation_error",
    "rounding_over_truncation",
    "accepted",
    "mass_drift",
    "energy_drift",
    "enstrophy_drift",
    "time_s",
    "unknowns_per_s",
    "lu_flops_per_s",
    "speedup",
)
"""Rows of the table before the energy, in order; ``speedup`` is the baseline's time over the run's."""

OPTIONAL = (
    "format",
    "escalations",
    "stagnant_cells",
    "hpl_mxp_residual",
    "condition",
    "lu_flops_per_s",
    "truncation_error",
    "rounding_over_truncation",
    "accepted",
    "mass_drift",
    "error_l1",
    "energy_drift",
    "enstrophy_drift",
)
"""Rows that are left out where no run has them: what only some kinds of solves have."""


def collect(runs: Sequence[RunSummary], baseline: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Collect the metrics of each run.

    Parameters
    ----------
    runs : sequence of RunSummary
        The runs.
    baseline : int
        Index of the run that the others are measured against.

    Returns
    -------
    tuple of list
        Per run a dictionary name to value or None, the same names for all, and a dictionary name to the reason of
        each None. Joules are named ``energy_<scope>_j`` if measured and ``energy_<scope>_modelled_j`` if modelled;
        ``energy`` stands alone where no run has any.
    """
    values, reasons = [], []
    energy_names = _energy_names(runs)
    left_out = {name for name in OPTIONAL if not any(run.results.get(name) is not None for run in runs)}
    names = [name for name in METRICS[2:-1] if name not in left_out]
    for run in runs:
        row: dict[str, Any] = {"precision": run.precision, "status": run.status}
        row |= {name: _counted(run.results.get(name)) for name in names}
        why = {name: run.reasons.get(name, "not in the record") for name in names if row[name] is None}
        row["speedup"], why["speedup"] = _speedup(run, runs[baseline])
        for name in energy_names:
            row[name], why[name] = _energy(run, name)
        values.append(row)
        reasons.append({name: reason for name, reason in why.items() if reason})
    return values, reasons


def _counted(value: Any) -> Any:
    """Return the length of a list, such as that of the escalations, and anything else unchanged."""
    return len(value) if isinstance(value, list) else value


def number(value: Any) -> float | None:
    """Return a value of a record as a float, None unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def energy_name(reading: dict[str, Any]) -> str:
    """Return the column of a reading: measured and modelled joules never share one."""
    modelled = "_modelled" if reading.get("kind") == "modelled" else ""
    return f"energy_{reading.get('scope')}{modelled}_j"


def _speedup(run: RunSummary, baseline: RunSummary) -> tuple[float | None, str]:
    mine, theirs = number(run.results.get("time_s")), number(baseline.results.get("time_s"))
    for each in (run, baseline):
        # A run that stopped short of the answer is not faster.
        if each.status != "ok" or each.results.get("converged") is False:
            return None, "not solved" if each is run else "the baseline is not solved"
    if not mine or not theirs:
        return None, "no time measured"
    if not same_problem(run, baseline):
        return None, "another problem than the baseline"
    return theirs / mine, ""


def _energy_names(runs: Sequence[RunSummary]) -> list[str]:
    readings = [reading for run in runs for reading in run.energy if number(reading.get("joules")) is not None]
    return list(dict.fromkeys(map(energy_name, readings))) or ["energy"]


def _energy(run: RunSummary, name: str) -> tuple[float | None, str]:
    for reading in run.energy:
        if energy_name(reading) == name and number(reading.get("joules")) is not None:
            return number(reading["joules"]), ""
    if other := _other_kind(run, name):
        return None, other
    reasons = dict.fromkeys(str(reading["reason"]) for reading in run.energy if reading.get("reason"))
    return None, "; ".join(reasons) or "no reading in the record"


def _other_kind(run: RunSummary, name: str) -> str:
    """Return the reason why joules of the other kind, measured or modelled, do not fill a column."""
    for reading in run.energy:
        same = str(reading.get("scope")) == name.removeprefix("energy_").removesuffix("_j").removesuffix("_modelled")
        if same and number(reading.get("joules")) is not None:
            has = "modelled" if reading.get("kind") == "modelled" else "measured"
            return f"only {has} joules of this scope; measured and modelled ones are not ranked together"
    return ""
