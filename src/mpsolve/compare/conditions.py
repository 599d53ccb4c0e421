"""Conditions under which a comparison fails, such as ``time_s>+5%``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpsolve.compare.align import RunSummary
from mpsolve.compare.metrics import number
from mpsolve.compare.repeats import about
from mpsolve.errors import ConfigError, UnknownNameError

_TEXT = re.compile(r"\s*(\w+)\s*([<>])\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(%?)\s*")


@dataclass(frozen=True)
class Condition:
    """A metric that is too large or too small.

    Attributes
    ----------
    name : str
        Of the metric.
    above : bool
        Whether too large fails, else too small.
    limit : float
        A value, or a part of that of the baseline by which a run may differ.
    relative : bool
        Whether the limit is such a part.
    """

    name: str
    above: bool
    limit: float
    relative: bool

    def failing(
        self,
        runs: Sequence[RunSummary],
        values: Sequence[Mapping[str, Any]],
        reasons: Sequence[Mapping[str, str]],
        baseline: int,
    ) -> list[str]:
        """Return a line for each run that fails; a run without the value fails too.

        Parameters
        ----------
        runs, values, reasons
            Of `mpsolve.compare.metrics.collect`.
        baseline : int
            Index of the run that relative limits refer to; it does not fail against itself.
        """
        lines, base = [], number(values[baseline][self.name])
        for place, (run, row, why) in enumerate(zip(runs, values, reasons, strict=True)):
            if self.relative and place == baseline:
                continue
            value = number(row[self.name])
            if value is None:
                lines.append(f"{run.name}: {self.name} is not known ({why.get(self.name, 'it is no finite number')})")
                continue
            if self.relative and base is None:
                reason = reasons[baseline].get(self.name, "it is no finite number")
                lines.append(f"{run.name}: {self.name} of the baseline {runs[baseline].name} is not known ({reason})")
                continue
            bound = self.limit if base is None or not self.relative else base * (1 + self.limit)
            if value > bound if self.above else value < bound:
                of = about(run, self.name, runs[baseline])
                counted = f" ({of})" if of else ""
                lines.append(f"{run.name}: {self.name} = {value:.6g}{counted}, the limit is {bound:.6g}")
        return lines


def parsed(text: str, names: Sequence[str]) -> Condition:
    """Read a condition.

    Raises
    ------
    ConfigError
        If it cannot be read.
    UnknownNameError
        If no metric has that name.

    Examples
    --------
    >>> parsed("time_s>+5%", ["time_s"])
    Condition(name='time_s', above=True, limit=0.05, relative=True)
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ConfigError(f"--fail-if {text!r}: must be NAME>NUMBER or NAME<NUMBER, such as 'time_s>+5%'")
    name, sign, value, percent = match.groups()
    if name not in names:
        raise UnknownNameError("metric", name, names)
    return Condition(name, sign == ">", float(value) / (100 if percent else 1), bool(percent))
