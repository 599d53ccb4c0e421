"""The FP64 defect step: what rounding does in one step, measured against the same step in FP64, and removed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.shallow_water.stepping import Core
from mpsolve.parallel.reductions import total


class Defect:
    """Does a step of a core also in FP64, and puts that in its place.

    Parameters
    ----------
    core : Core
        The core in low precision.
    exact : Core
        The same problem and step in FP64.

    Attributes
    ----------
    steps : int
        Defect steps so far.

    Notes
    -----
    The defect of a step is what its rounding did. To add it once for each of the steps since the last one would remove
    what they have in common, but rounding has next to nothing in common from step to step (`persistence`): it would
    multiply the rest. Of a stepper that has a history, the tendency of the step before stays rounded.
    """

    def __init__(self, core: Core, exact: Core) -> None:
        self.core, self.exact, self.steps = core, exact, 0
        self._squares, self._alike = 0.0, 0.0
        self._before: list[NDArray[np.float64]] | None = None

    @property
    def drift(self) -> float:
        """Root mean square of what a step rounds, over the size of the state, both as the root of an energy."""
        return math.sqrt(self._squares / self.steps) if self.steps else math.nan

    @property
    def persistence(self) -> float:
        """Mean correlation of a defect with the one before: 1 if rounding does the same each time, 0 if chance."""
        return self._alike / (self.steps - 1) if self.steps > 1 else math.nan

    def step(self) -> float:
        """Do a step in both precisions, keep the one in FP64; return the relative size of the defect (collective)."""
        core, exact = self.core, self.exact
        exact.restore(*core.saved())
        exact.step()
        core.step()
        right = [field.to_numpy() for field in exact.state]
        defect = [value - field.to_numpy() for value, field in zip(right, core.state, strict=True)]
        for field, value in zip(core.state, right, strict=True):
            field.set(value)
        square = self._product(defect, defect)
        relative = square / (self._product(right, right) or 1.0)
        if self._before is not None and square > 0:
            self._alike += self._product(defect, self._before) / math.sqrt(
                square * (self._product(self._before, self._before) or math.inf)
            )
        self._before, self.steps, self._squares = defect, self.steps + 1, self._squares + relative
        return math.sqrt(relative)

    def _product(self, first: list[NDArray[np.float64]], second: list[NDArray[np.float64]]) -> float:
        """Return the inner product whose square is twice the energy of small waves (collective)."""
        core = self.core
        area = core.geometry.area_m2[core.grid.slices[0], None]
        weights = (core.physics.gravity_m_s2, core.physics.depth_m, core.physics.depth_m)
        return total(
            core.grid.comm, sum(w * a * b for w, a, b in zip(weights, first, second, strict=True)) * area
        )  # fmt: skip
