"""How far the model is off, from each published result predicted by the others."""

import math
from dataclasses import dataclass
from functools import cache

from mpsolve.projection import benchmarks, fit, published
from mpsolve.projection.published import Row


@dataclass(frozen=True)
class Check:
    """One published result, predicted without it.

    Attributes
    ----------
    row : Row
        The result.
    prediction : benchmarks.Prediction
        What the model says.
    used : fit.Efficiency
        The efficiency that it took, fitted to other rows.
    """

    row: Row
    prediction: benchmarks.Prediction
    used: fit.Efficiency

    @property
    def error(self) -> float:
        """Predicted rate over the published one, less 1."""
        return self.prediction.pflops / self.row.pflops - 1

    @property
    def counts(self) -> bool:
        """Whether the row counts in medians: it is not from memory."""
        return self.row.status != "recall"


@cache
def checks() -> tuple[Check, ...]:
    """Return every published result with enough known about it, predicted from the others."""
    found = []
    for row in published.rows():
        if not row.missing:
            used = fit.efficiency(benchmarks.kind_of(row), published.accelerator_of(row).family, row)
            found.append(Check(row, benchmarks.predict(row, used.value), used))
    return tuple(found)


@cache
def factor(kind: str) -> float:
    """Return by which factor a projected time may be off, up or down.

    It is the exponential of the root mean square of the logarithms of the errors, over all results of the kind, also
    those from memory: they are worse, and a guess of the uncertainty should not be too small.

    Parameters
    ----------
    kind : str
        ``"fp64"``, ``"low"`` or ``"bandwidth"``.
    """
    logarithms = [math.log1p(check.error) for check in checks() if benchmarks.kind_of(check.row) == kind]
    return math.exp(math.sqrt(sum(value * value for value in logarithms) / len(logarithms)))
