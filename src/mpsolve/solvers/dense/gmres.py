"""GMRES for several right-hand sides side by side, with the low-precision factors as right preconditioner, in FP64."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Apply = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Correction:
    """What a cycle of GMRES found.

    Attributes
    ----------
    vectors : ndarray, shape (count, n)
        The corrections.
    iterations : int
        Products with the matrix.
    reduction : ndarray, shape (count,)
        Norm of each residual over that at the start, as the recurrence has it.
    """

    vectors: NDArray[np.float64]
    iterations: int
    reduction: NDArray[np.float64]


def gmres(apply: Apply, precondition: Apply, b: NDArray[np.float64], rtol: float, most: int) -> Correction:
    """Solve A d = b from a zero guess in one cycle (collective if the two functions are).

    Each system has its own Krylov space; they advance together, so that products and solves are done for all at once.
    Vectors are whole on every rank, so that inner products need no message.

    Parameters
    ----------
    apply, precondition : callable
        The product with A, and the solve with its factors, for vectors of shape (count, n).
    b : ndarray of float64, shape (count, n)
        Right-hand sides.
    rtol : float
        Stop when every residual is below this part of its start.
    most : int
        Most iterations.

    Returns
    -------
    Correction
        The best from the spaces that were built; zero where NaN or infinity appeared.

    Notes
    -----
    Saad and Schultz, SIAM J. Sci. Stat. Comput. 7 (1986); the preconditioned vectors are kept, as in its flexible form,
    so that the solution needs no further solve. Orthogonalised twice by classical Gram-Schmidt.
    """
    count, n = b.shape
    start = np.linalg.norm(b, axis=1)
    basis, searched = np.zeros((2, most + 1, count, n))
    hessenberg = np.zeros((count, most + 1, most))
    basis[0] = b / np.where(start > 0, start, 1.0)[:, None]
    reduction, done = np.where(start > 0, 1.0, 0.0), 0
    weights = np.zeros((count, 0))
    with np.errstate(all="ignore"):
        while done < most and not np.all(reduction <= rtol):
            searched[done] = precondition(basis[done])
            w = apply(searched[done])
            if not np.isfinite(w).all():
                break
            _orthogonalise(basis[: done + 1], w, hessenberg[:, : done + 1, done])
            length = np.linalg.norm(w, axis=1)
            if not np.isfinite((*length, *hessenberg[:, : done + 1, done].ravel())).all():
                break
            hessenberg[:, done + 1, done] = length
            basis[done + 1] = w / np.where(length > 0, length, 1.0)[:, None]
            done += 1
            weights, reduction = _least_squares(hessenberg[:, : done + 1, :done], start)
    vectors = np.einsum("cj,jcn->cn", weights, searched[:done]) if done else np.zeros_like(b)
    return Correction(vectors, done, reduction)


def _orthogonalise(basis: NDArray, w: NDArray, column: NDArray) -> None:
    """Make each w orthogonal to its basis, in place, and write the coefficients to a column (count, basis size)."""
    for _ in range(2):
        coefficients = np.einsum("jcn,cn->cj", basis, w)
        w -= np.einsum("cj,jcn->cn", coefficients, basis)
        column += coefficients


def _least_squares(hessenberg: NDArray, start: NDArray) -> tuple[NDArray, NDArray]:
    """Return the weights that minimise each residual, and what remains of it."""
    count, rows, size = hessenberg.shape
    weights, reduction = np.zeros((count, size)), np.zeros(count)
    for system in range(count):
        if start[system] == 0:
            continue
        target = np.zeros(rows)
        target[0] = start[system]
        weights[system] = np.linalg.lstsq(hessenberg[system], target, rcond=None)[0]
        reduction[system] = np.linalg.norm(target - hessenberg[system] @ weights[system]) / start[system]
    return weights, reduction
