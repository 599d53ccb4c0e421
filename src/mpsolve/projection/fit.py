"""Efficiencies of device families, fitted to published results and checked by leaving each result out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mpsolve.projection import benchmarks, published
from mpsolve.projection.machine import Accelerator
from mpsolve.projection.published import Row

# The efficiency that reproduces a row is looked for between these; above 1 it only says that the model moves more than
# the run did, as it may where indices of a matrix are compressed.
LEAST, MOST = 0.01, 2.0
HALVINGS = 24


@dataclass(frozen=True)
class Efficiency:
    """A fitted efficiency.

    Attributes
    ----------
    value : float
        Part of the peak, or of the nominal bandwidth.
    rows : tuple of str
        The results that it was fitted to.
    pooled : bool
        Whether they belong to other families, because this one has none (left).
    """

    value: float
    rows: tuple[str, ...]
    pooled: bool


def usable(row: Row) -> bool:
    """Return whether a row may be fitted: nothing of it is from memory or missing."""
    if row.missing or row.status == "recall" or row.benchmark == "HPG-MxP":
        return False
    accelerator = published.accelerator_of(row)
    if benchmarks.kind_of(row) == "bandwidth":
        figure = accelerator.measured.get("memory_bandwidth", accelerator.memory_bandwidth)
        return figure.status != "recall"
    name = "fp64" if row.benchmark == "HPL" else row.format
    return all(accelerator.peak[key].status != "recall" for key in (name, f"{name}_matrix") if key in accelerator.peak)


@cache
def needed(row: Row) -> float:
    """Return the efficiency with which the model reproduces a row exactly (bisection on its logarithm)."""
    low, high = LEAST, MOST
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        if benchmarks.predict(row, middle).pflops < row.pflops:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def efficiency(kind: str, family: str, without: Row | None = None) -> Efficiency:
    """Return the efficiency of a family: the geometric mean of what its results need.

    Of several results of one benchmark on one machine the newest counts: software is tuned over the years, and the
    lists keep the newest too.

    Parameters
    ----------
    kind : str
        ``"fp64"`` and ``"low"`` (products), or ``"bandwidth"``.
    family : str
        Maker of the device.
    without : Row, optional
        A result that must not be used, for checking the model on it.

    Returns
    -------
    Efficiency
        From the other families, each counted once, if this one has no usable result.
    """
    newest: dict[tuple[str, str, str], Row] = {}
    for row in published.rows():
        if row != without and usable(row) and benchmarks.kind_of(row) == kind:
            place = (row.machine, row.benchmark, row.format)
            newest[place] = max(newest.get(place, row), row, key=lambda one: one.date)
    groups: dict[str, list[Row]] = {}
    for row in newest.values():
        groups.setdefault(published.accelerator_of(row).family, []).append(row)
    if family in groups:
        return Efficiency(_mean(groups[family]), tuple(row.label for row in groups[family]), False)
    means = [_mean(group) for group in groups.values()]
    value = math.exp(sum(map(math.log, means)) / len(means))
    return Efficiency(value, tuple(row.label for group in groups.values() for row in group), True)


def of_accelerator(kind: str, accelerator: Accelerator) -> Efficiency:
    """Return the efficiency for a projection; 1 where rates were measured by ``mpsolve calibrate``."""
    if accelerator.family == "host":
        return Efficiency(1.0, ("measured on this machine",), False)
    return efficiency(kind, accelerator.family)


def _mean(group: Sequence[Row]) -> float:
    return math.exp(sum(math.log(needed(row)) for row in group) / len(group))
