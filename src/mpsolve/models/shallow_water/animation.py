"""Frames of an animation of the height, gathered on rank 0 during a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpsolve.models.shallow_water.geometry import Array, Geometry
from mpsolve.models.shallow_water.stepping import Core

#: Most rows or columns of a frame; finer grids are thinned out.
MOST_CELLS = 360


class Film:
    """Frames of the height of the surface.

    Parameters
    ----------
    core : Core
        Whose height is shown.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.days: list[float] = []
        self.frames: list[NDArray[np.float32]] = []
        self._every = max(1, -(-max(core.grid.global_shape) // MOST_CELLS))

    def add(self, day: float) -> None:
        """Keep the present height as the next frame (collective)."""
        whole = self.core.grid.gather(self.core.height())
        if whole is not None:
            self.frames.append(whole[:: self._every, :: self._every].astype(np.float32))
            self.days.append(day)

    def places(self, geometry: Geometry) -> tuple[Array, Array]:
        """Return y and x of the cells that are shown."""
        return geometry.y[:: self._every], geometry.x[:: self._every]
