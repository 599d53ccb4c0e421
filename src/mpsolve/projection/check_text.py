"""The model against published results, as text or Markdown."""

import statistics
from collections.abc import Sequence
from typing import Any

from mpsolve.projection import published, spread
from mpsolve.projection.benchmarks import kind_of
from mpsolve.projection.energy_check import EnergyCheck, energy_checks
from mpsolve.projection.fit import needed
from mpsolve.projection.spread import Check

HEADER = ("result", "predicted PF", "published PF", "error", "needs", "used", "fitted to", "status")

WHY_REFINEMENT = "no other result has its refinement apart: the time of a dependent step is from memory, and not fitted"

# What is aimed at: the median of the absolute errors, by benchmark.
AIMS = {"HPL": 0.15, "HPL-MxP": 0.15, "HPCG": 0.20}
# The one run that is published with its times: OpenMxP on 1,024 halves of MI250X, within this.
OPENMXP_AIM = 0.10


def render() -> str:
    """Return the whole check: every row, the medians against their aims, times, energies, and what failed and why."""
    checks = spread.checks()
    lines = [
        "Each result is predicted from the others; no result from memory (status recall) is fitted or counted.",
        "",
    ]
    lines += _table([HEADER, *map(_row, checks)])
    lines += ["", "not predicted:"]
    lines += [f"  {row.label}: {row.missing}" for row in published.rows() if row.missing]
    lines += ["", "median of the absolute errors", *_medians(checks)]
    lines += ["", "times of the OpenMxP run, seconds", *_times(checks)]
    lines += ["", "change of energy", *map(_energy, energy_checks())]
    lines += ["", "beyond 20%, and why", *_failures(checks)]
    return "\n".join(lines)


def records() -> list[dict[str, Any]]:
    """Return every predicted row as plain values."""
    return [
        {
            "result": check.row.label,
            "predicted_pflops": check.prediction.pflops,
            "published_pflops": check.row.pflops,
            "error": check.error,
            "efficiency": check.used.value,
            "fitted_to": check.used.rows,
            "other_families": check.used.pooled,
            "status": check.row.status,
            "source": check.row.source,
        }
        for check in spread.checks()
    ]


def medians(checks: Sequence[Check]) -> dict[str, float]:
    """Return benchmark to the median of the absolute errors of its rows that count."""
    errors: dict[str, list[float]] = {}
    for check in checks:
        if check.counts:
            errors.setdefault(check.row.benchmark, []).append(abs(check.error))
    return {benchmark: statistics.median(values) for benchmark, values in errors.items()}


def why(check: Check) -> str:
    """Return what is known about the reason of a large error."""
    row, kind = check.row, kind_of(check.row)
    if row.status == "recall":
        return "the published figure is from memory"
    if check.used.pooled:
        return "the only result of its family: it is predicted from the other families, which says little about it"
    reasons = {
        "low": "the other results of the family need another efficiency: software of another year, or another format",
        "fp64": "the other results of the family need another efficiency",
        "bandwidth": "the devices of one family differ in the part of their nominal bandwidth that HPCG reaches",
    }
    text = reasons[kind]
    return f"{text}; {row.note}" if "assumed" in row.note or "suspect" in row.note else text


def _row(check: Check) -> tuple[str, ...]:
    row, used = check.row, check.used
    return (
        row.label,
        f"{check.prediction.pflops:.4g}",
        f"{row.pflops:.4g}",
        f"{check.error:+.1%}",
        f"{needed(row):.3f}",
        f"{used.value:.3f}",
        "other families" if used.pooled else f"{len(used.rows)} of its family",
        row.status,
    )


def _medians(checks: Sequence[Check]) -> list[str]:
    found = medians(checks)
    lines = []
    for benchmark, aim in AIMS.items():
        rows = [check for check in checks if check.counts and check.row.benchmark == benchmark]
        own = [abs(check.error) for check in rows if not check.used.pooled]
        value = found[benchmark]
        verdict = "met" if value < aim else "MISSED"
        inside = f"{statistics.median(own):.1%} of the {len(own)} predicted within their family"
        lines.append(f"  {benchmark:<8} {value:.1%} of {len(rows)} rows (aim: under {aim:.0%}, {verdict}); {inside}")
    both = [abs(check.error) for check in checks if check.counts and check.row.benchmark in ("HPL", "HPL-MxP")]
    lines.append(f"  HPL and HPL-MxP together {statistics.median(both):.1%} of {len(both)} rows")
    return lines


def _times(checks: Sequence[Check]) -> list[str]:
    check = next(check for check in checks if check.row.lu_s)
    parts = (
        ("factorisation", check.prediction.lu.total_s, check.row.lu_s),
        ("refinement", check.prediction.refinement.total_s, check.row.refinement_s),
        ("whole run", check.prediction.terms.total_s, check.row.time_s),
    )
    lines = []
    for name, predicted, known in parts:
        error = predicted / (known or 1.0) - 1
        verdict = "met" if abs(error) < OPENMXP_AIM else "MISSED"
        lines.append(
            f"  {name:<13} {predicted:.1f} predicted, {known:.1f} published, {error:+.1%} "
            f"(aim: within {OPENMXP_AIM:.0%}, {verdict})"
        )
        if name == "refinement" and verdict == "MISSED":
            lines.append(f"    {WHY_REFINEMENT}")
    return lines


def _energy(check: EnergyCheck) -> str:
    return f"  {check.result.what}: {check.percent:+.0f}% predicted, {check.result.change_percent:+.0f}% published"


def _failures(checks: Sequence[Check]) -> list[str]:
    return [f"  {check.row.label}: {check.error:+.0%}; {why(check)}" for check in checks if abs(check.error) > 0.2]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
