"""The contract of a heat problem with a known answer: a box, its sides, its coefficients and the exact solution."""

import functools
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def product(factors: Iterable[Array]) -> Array:
    """Return the product of arrays that broadcast to one shape."""
    return functools.reduce(operator.mul, factors)


@dataclass(frozen=True)
class HeatProblem:
    """du/dt = div(conductivity grad u) - reaction u + source on a box; callables take open-mesh coordinates in metres.

    Attributes
    ----------
    lengths_m : tuple of float
        Size of the box per axis.
    sides : tuple of (str, str)
        ``"periodic"``, ``"dirichlet"`` or ``"neumann"`` for the low and high side of each axis.
    conductivity : float or callable
        In m2/s: a number, or ``conductivity(*x)``.
    exact : callable
        ``exact(t, *x)`` in K.
    reaction : float
        In 1/s.
    source : callable, optional
        ``source(t, *x)`` in K/s.
    side_values : tuple of (float, float), optional
        Values in K on Dirichlet sides; zero if left out.
    """

    lengths_m: tuple[float, ...]
    sides: tuple[tuple[str, str], ...]
    conductivity: float | Callable[..., Array]
    exact: Callable[..., Array]
    reaction: float = 0.0
    source: Callable[..., Array] | None = None
    side_values: tuple[tuple[float, float], ...] | None = None
