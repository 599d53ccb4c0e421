"""The contract of a backend: it allocates fields and turns point functions into loops."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from mpsolve.bins import BINS
from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.formats.base import Format

#: A plain one-dimensional compute array, indexed by one storage index.
VECTOR = "vector"

Input = Field | NDArray


class Launch(ABC):
    """A kernel bound to its arrays and box: calling it with the scalars runs it."""

    @abstractmethod
    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        """Run over the box.

        Parameters
        ----------
        *scalars : float
            Constants of the point function; converted to the compute type once per call.

        Returns
        -------
        ndarray of int64, shape (number of dots, 2, BINS)
            Local bins of the inner products asked for; combine them over the ranks before use.
        """


class Backend(ABC):
    """Where arrays live and how kernels run; one instance per rank.

    Attributes
    ----------
    name : str
        Config name: the name of the module.
    threads : int
        Cores that this rank may use.
    """

    name: str
    threads: int

    def zeros(self, shape: tuple[int, ...], halo: int, format: Format) -> Field:
        """Allocate a field of zeros of local ``shape`` with ghost cells."""
        return Field.zeros(shape, halo, format)

    @abstractmethod
    def bind(
        self,
        point: Callable | None,
        outputs: Sequence[Field],
        inputs: Sequence[Input],
        *,
        lo: tuple[int, ...] | None = None,
        hi: tuple[int, ...] | None = None,
        dots: tuple[tuple[int, int], ...] = (),
        rounding: str = "nearest",
        first: tuple[int, ...] | None = None,
        key: int = 0,
    ) -> Launch:
        """Compile a point function for these arrays and bind it to a box.

        Parameters
        ----------
        point : callable or None
            ``point(load, arrays, scalars, *index)`` returns the value of each output at one cell; it uses its
            arguments only, has no number literals and no branch on data. None if only ``dots`` are wanted.
        outputs : sequence of Field
            Written on the box. An output may also be an input if it is loaded only at the cell itself.
        inputs : sequence of Field or ndarray
            Fields of the same origin, or one-dimensional arrays indexed by one storage index.
        lo, hi : tuple of int, optional
            Box in interior coordinates, ``hi`` exclusive; it may reach into ghosts. Default: the interior.
        dots : tuple of (int, int)
            Pairs of fields, outputs numbered first, then inputs: inner products over the box.
        rounding : str
            ``"nearest"`` or ``"stochastic"``; the latter rounds by the hash of ``key`` and the global index.
        first : tuple of int, optional
            Global index of interior cell 0, for stochastic rounding.
        key : int
            Seed of stochastic rounding, below 2**32.

        Raises
        ------
        ShapeError
            If the fields differ in origin or the box leaves their storage.
        """


def check_box(fields: Sequence[Field], lo: tuple[int, ...] | None, hi: tuple[int, ...] | None):
    """Return the box, filled in, after checking that every field can be addressed by the same indices.

    Raises
    ------
    ShapeError
        If the fields differ in origin or the box leaves a field's storage.
    """
    model = fields[0]
    lo = lo if lo is not None else (0,) * model.ndim
    hi = hi if hi is not None else model.shape
    for field in fields:
        if field.origin != model.origin or field.ndim != model.ndim:
            raise ShapeError(f"fields of one kernel share their halo and axes, not {field.origin} and {model.origin}")
        ends = zip(lo, hi, field.origin, field.storage.shape, strict=True)
        if any(start + origin < 0 or stop + origin > length for start, stop, origin, length in ends):
            raise ShapeError(f"box {lo} to {hi} leaves a field of shape {field.shape} with halo {field.halo}")
    return lo, hi


def box_size(lo: tuple[int, ...], hi: tuple[int, ...]) -> int:
    """Return the number of cells of a box; 0 if it is empty."""
    return prod(max(stop - start, 0) for start, stop in zip(lo, hi, strict=True))


def empty_bins(count: int) -> NDArray[np.int64]:
    """Return zeroed bins for ``count`` inner products, shape (count, 2, BINS)."""
    return np.zeros((count, 2, BINS), np.int64)
