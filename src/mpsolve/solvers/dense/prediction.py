"""The cheapest format whose refinement should converge, predicted before anything is factored."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpsolve import gemm_probe
from mpsolve.operators.dense import DenseOperator
from mpsolve.parallel.launch import agree
from mpsolve.precision import get_format

#: Formats to choose from; the 8-bit ones are left to those who ask for them.
CANDIDATES = ("bf16", "fp16", "fp32", "fp64")
#: Steps of the bidiagonalisation: each costs a product with the matrix and one with its transpose.
STEPS = 10
#: Classical refinement is predicted for contractions below the first, GMRES below the second.
CLASSICAL, KRYLOV = 0.1, 10.0
#: Iterations of GMRES that a digit takes where classical refinement is slow.
PER_DIGIT = 2.0


@dataclass(frozen=True)
class Prediction:
    """What was chosen, and why.

    Attributes
    ----------
    format : str
        The format.
    contraction : float
        Part of the error that one classical refinement should leave.
    condition : float
        Lower bound of the 2-norm condition number.
    """

    format: str
    contraction: float
    condition: float


def predict(operator: DenseOperator, rtol: float, rate: Callable[[str], float]) -> Prediction:
    """Choose a format (collective).

    The error of factors in a format is about their unit roundoff relative to the matrix, so that a refinement leaves
    the condition number times that. The condition number is not known without factors; some steps of a
    bidiagonalisation bound it from below. If the bound was too optimistic, the solve finds out and climbs the ladder.

    Parameters
    ----------
    operator : DenseOperator
        The matrix.
    rtol : float
        Wanted backward error.
    rate : callable
        Flops per second of products in a format (collective).
    """
    condition, n = condition_bound(operator), operator.n
    entry_rate = rate("fp64")
    choices = []
    for name in CANDIDATES:
        contraction = get_format(name).unit_roundoff * condition
        if contraction > KRYLOV and name != "fp64":
            continue
        digits = -math.log10(rtol)
        iterations = digits / -math.log10(max(contraction, 1e-16)) if contraction <= CLASSICAL else PER_DIGIT * digits
        # A refinement reads the FP64 matrix and the factors; two flops for each entry stand for that.
        seconds = 2 * n**3 / 3 / max(rate(name), 1.0) + iterations * 8 * n**2 / max(entry_rate, 1.0)
        choices.append((seconds, name, contraction))
    _, name, contraction = min(choices)
    return Prediction(name, contraction, condition)


def measured_rate(operator: DenseOperator, name: str) -> float:
    """Return the flops per second of products in a format as rank 0 measures them (collective).

    NumPy's products are equally fast in all formats, so that the reference backend is not measured.
    """
    if operator.backend.name == "reference":
        return 1.0
    backend = operator.backend

    def measured() -> float:
        on_device = backend.products(get_format(name), "auto")
        if on_device is not None:
            return gemm_probe.rate(on_device)
        return gemm_probe.measure(name, backend.threads)[0].flops_per_s or 0.0

    return agree(operator.comm, measured)


def condition_bound(operator: DenseOperator, steps: int = STEPS) -> float:
    """Return a lower bound of the 2-norm condition number of the scaled matrix (collective).

    The singular values of the bidiagonal matrix of Golub and Kahan (SIAM J. Numer. Anal. 2, 1965) lie between those of
    the matrix. Rows and columns are first divided by their largest entries, as the factorisation would do.
    """
    scaling = operator.scaling("auto")
    rows, columns = (1.0, 1.0) if scaling is None else (scaling.rows, scaling.columns)
    forward = lambda v: rows * operator.product((columns * v)[None], phase="prediction")[0]  # noqa: E731
    backward = lambda u: columns * operator.product((rows * u)[None], transposed=True, phase="prediction")[0]  # noqa: E731
    v = np.random.default_rng(0).standard_normal(operator.n)
    v /= np.linalg.norm(v)
    vs, us, bidiagonal = [v], [], []
    u, beta = np.zeros(operator.n), 0.0
    for _ in range(min(steps, operator.n)):
        u = _orthogonal(forward(vs[-1]) - beta * u, us)
        alpha = float(np.linalg.norm(u))
        if not alpha > 0:
            return math.inf
        u = u / alpha
        us.append(u)
        w = _orthogonal(backward(u) - alpha * vs[-1], vs)
        bidiagonal.append((alpha, beta))
        beta = float(np.linalg.norm(w))
        if not beta > alpha * 1e-14:
            break
        vs.append(w / beta)
    size = len(bidiagonal)
    matrix = (
        np.diag([alpha for alpha, _ in bidiagonal]) + np.diag([beta for _, beta in bidiagonal[1:]], 1)[:size, :size]
    )
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else math.inf


def _orthogonal(vector: np.ndarray, basis: list[np.ndarray]) -> np.ndarray:
    """Return a vector made orthogonal to a basis."""
    for _ in range(2):
        for other in basis:
            vector = vector - (other @ vector) * other
    return vector
