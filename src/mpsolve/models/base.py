"""The contract of a model with a diffusive part: mass du/dt = source(t) - A u on a Cartesian grid."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mpsolve.operators.diffusion import Coefficients
from mpsolve.parallel.cartesian import Cartesian


class DiffusiveModel(ABC):
    """What an evolving field obeys; all arrays are FP64 blocks of this rank.

    Attributes
    ----------
    grid : Cartesian
        The division of the grid.
    coefficients : Coefficients
        Of the operator A: diffusion and reaction.
    mass : float or ndarray
        What multiplies du/dt; a number or an array of the local shape, positive.
    quantity, unit : str
        Name and unit of the field.
    time_unit : str
        Unit of the model's time.
    """

    grid: Cartesian
    coefficients: Coefficients
    mass: float | NDArray[np.float64]
    quantity: str
    unit: str
    time_unit: str

    @abstractmethod
    def initial(self) -> NDArray[np.float64]:
        """Return the field at time 0, local shape."""

    @abstractmethod
    def source(self, time: float) -> NDArray[np.float64] | None:
        """Return the source at a time, local shape, boundary values included; None if it is zero at all times."""

    @abstractmethod
    def exact(self, time: float) -> NDArray[np.float64] | None:
        """Return the analytic solution at a time, local shape; None if there is none."""
