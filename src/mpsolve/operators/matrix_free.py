"""A linear operator given by a function on arrays, which does its own communication."""

from __future__ import annotations

from collections.abc import Callable
from math import frexp

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpsolve.errors import FormatError, ShapeError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.operators.base import Operator
from mpsolve.parallel.reductions import dot, norm
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format

#: A function that takes this rank's block of a vector and returns the same block of A times the vector.
Apply = Callable[[NDArray], NDArray]

#: Steps of the Lanczos iteration that estimates the norm; each one applies the operator once.
LANCZOS_STEPS = 12


def combine_product(load, a, c, *index):
    """Return p b + q w, where w = A u was formed before; a = (u, b, w), c = (p, q)."""
    b, w = a[1], a[2]
    p, q = c
    return p * load(b, *index) + q * load(w, *index)


class MatrixFree(Operator):
    """An operator that is a function on local arrays of any shape; its vectors are kept flat, without ghosts.

    Parameters
    ----------
    space : Space
        One axis of as many entries as the local array has, halo 0.
    shape : tuple of int
        Shape of the arrays that the functions take and return.
    apply : callable
        A on FP64 arrays.
    norm : float
        Bound or estimate of the norm of A, see `estimate_norm`.
    format : Format, optional
        Format of the vectors that this operator is meant for; fp64 by default.
    apply_inner : callable, optional
        A cheaper A for the operators that `in_format` makes in formats below fp64.
    scale : float
        What the function returns is divided by this power of two.
    argument_type : dtype
        Type of the arrays that `apply` takes; float64, or float32 where it need not be exact.
    """

    def __init__(
        self,
        space: Space,
        shape: tuple[int, ...],
        apply: Apply,
        norm: float,
        *,
        format: Format | None = None,
        apply_inner: Apply | None = None,
        scale: float = 1.0,
        argument_type: DTypeLike = np.float64,
    ) -> None:
        self.space, self.shape, self.scale, self.argument_type = space, shape, scale, np.dtype(argument_type)
        self.format, self.norm = format or get_format("fp64"), norm / scale
        self._apply, self._apply_inner = apply, apply_inner

    def product(self, argument: Field) -> NDArray:
        """Return the function's value for a vector, flat and not scaled (collective if the function is).

        Raises
        ------
        ShapeError
            If the function returns an array of another shape.
        FormatError
            If it returns numbers that are not real, or less precise than its argument.
        """
        decoded = argument.format.decode(argument.read())
        # A copy: decoding FP64 gives the vector itself, which the function may write to.
        given = np.array(decoded, self.argument_type).reshape(self.shape)
        returned = self._apply(given)
        if returned is None:
            raise ShapeError(f"apply returned None; it must return an array of shape {self.shape}")
        values = np.asarray(returned)
        if values.shape != self.shape:
            raise ShapeError(f"apply returned an array of shape {values.shape}; it was given one of shape {self.shape}")
        if values.dtype.kind != "f" or values.dtype.itemsize < self.argument_type.itemsize:
            raise FormatError(f"apply returned {values.dtype} values; it must return {self.argument_type}")
        return values.reshape(-1)

    def affine(
        self, output: Field, u: Field, b: Field | None = None, *, dots: tuple[tuple[int, int], ...] = (), phase: str
    ) -> Callable[[float, float], NDArray[np.float64]]:
        """Bind ``output = p b + q A u``; see `Operator.affine`."""
        product = self.space.zeros(get_format("fp64"))
        inputs = (u, b if b is not None else u, product)
        combine = self.space.bind(combine_product, [output], inputs, dots=dots, phase=phase, flops=3)

        def call(p: float, q: float) -> NDArray[np.float64]:
            product.write(self.product(u))
            return combine(p, q / self.scale)

        return call

    def in_format(self, format: Format) -> MatrixFree:
        """Return the operator for vectors in a format, scaled so that the norm is about 1; see `Operator.in_format`."""
        known = self.norm * self.scale
        scale = 2.0 ** max(-1000, min(1000, frexp(known)[1])) if 0 < known < np.inf else 1.0
        if self._apply_inner is None or format.name == "fp64":
            return MatrixFree(self.space, self.shape, self._apply, known, format=format, scale=scale)
        return MatrixFree(
            self.space, self.shape, self._apply_inner, known, format=format, scale=scale, argument_type=format.compute
        )

    def inverse_diagonal(self) -> None:
        """Return None: a function does not tell its diagonal."""


def estimate_norm(space: Space, apply: Callable[[NDArray], NDArray], start: NDArray) -> float:
    """Estimate the 2-norm of a symmetric operator from below by the Lanczos iteration (collective).

    Within a few steps it sees the largest eigenvalue; where `start` is a sum of few eigenvectors, it goes on with the
    rounding errors, in which all others are.

    Parameters
    ----------
    space : Space
        Gives the communicator.
    apply : callable
        The operator on local FP64 arrays.
    start : ndarray
        The first vector, this rank's block; the right-hand side is a good one.

    Returns
    -------
    float
        The largest magnitude of a Ritz value; 0 if `start` is zero, not finite where the operator is not.

    Notes
    -----
    Lanczos, J. Res. Natl. Bur. Stand. 45, 1950; Golub and Van Loan, Matrix Computations, section 10.1.
    """
    length = norm(space.comm, start)
    if not 0 < length < np.inf:
        return 0.0
    vector, previous, beta = start / length, np.zeros_like(start), 0.0
    diagonal, beside = [], []
    for _ in range(LANCZOS_STEPS):
        image = apply(vector) - beta * previous
        diagonal.append(dot(space.comm, vector, image))
        image = image - diagonal[-1] * vector
        beta = norm(space.comm, image)
        if not np.isfinite(beta):
            return beta
        if beta == 0.0:
            break
        beside.append(beta)
        vector, previous = image / beta, vector
    beside = beside[: len(diagonal) - 1]
    matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    return float(np.max(np.abs(np.linalg.eigvalsh(matrix))))
