"""Explicit diffusion steps with NumPy: the oracle of the compiled sweep, bit for bit, and the ghosts of mirrors."""

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.formats.base import Format

Mirrors = tuple[tuple[int, int], ...]


def multiply_add(left: NDArray, right: NDArray, addend: NDArray) -> NDArray:
    """Return ``left * right + addend``: rounded once in FP32, after the product and again after the sum in FP64.

    The FP32 product is exact in FP64. The FP64 sum is rounded to odd, so that the rounding to FP32 is the only one.
    """
    if addend.dtype == np.float64:
        return addend + left * right
    product, wide = np.multiply(left, right, dtype=np.float64), addend.astype(np.float64)
    total = product + wide
    part = total - product
    lost = (product - (total - part)) + (wide - part)
    bits = total.view(np.int64)
    nudged = bits + np.where((bits ^ lost.view(np.int64)) < 0, -1, 1)
    # NaN compares unequal to zero, but an infinity or a NaN must stay what it is.
    inexact = np.isfinite(total) & (lost != 0) & (bits & 1 == 0)
    return np.where(inexact, nudged, bits).view(np.float64).astype(np.float32)


def _shifted(values: NDArray, axis: int, start: int) -> NDArray:
    """Return the inner box of ``values``, which has a margin of one cell, moved by ``start - 1`` along an axis."""
    return values[
        tuple(slice(start, start + n - 2) if a == axis else slice(1, n - 1) for a, n in enumerate(values.shape))
    ]


def relax_array(values: NDArray, rates: tuple[float, ...]) -> NDArray:
    """Return ``u + sum rate * (u before - 2 u + u after)`` for all cells but a margin of one, before its storage.

    If all rates are equal in the type of ``values``, the sums of all axes share one product.
    """
    compute = values.dtype.type
    distinct = [compute(rate) for rate in rates]
    centre = _shifted(values, 0, 1)
    sums = [_shifted(values, axis, 0) + _shifted(values, axis, 2) for axis in range(values.ndim)]
    if all(rate == distinct[0] for rate in distinct):
        total = sums[0]
        for more in sums[1:]:
            total = total + more
        sums, distinct = [total], distinct[:1]
    weight, result = compute(-2.0 * values.ndim / len(sums)), centre
    for rate, total in zip(distinct, sums, strict=True):
        result = multiply_add(rate, multiply_add(weight, centre, total), result)
    return result


def _with_ghosts(values: NDArray, mirrors: Mirrors) -> NDArray:
    """Return the values with one more cell on each mirrored side."""
    for axis, sides in enumerate(mirrors):
        ends = [np.take(values, [at], axis) for at in (0, -1)]
        pieces = [side * end for side, end in zip(sides, ends, strict=True)]
        low, high = (piece if side else None for side, piece in zip(sides, pieces, strict=True))
        values = np.concatenate([piece for piece in (low, values, high) if piece is not None], axis)
    return values


def sweep_array(target: Field, source: Field, rates: tuple[float, ...], steps: int, mirrors: Mirrors) -> None:
    """Do ``steps`` steps from source to the interior of target; see `mpsolve.backends.base.Backend.bind_sweep`."""
    format = source.format
    reach = [tuple(0 if side else steps for side in sides) for sides in mirrors]
    hi = tuple(length + high for length, (_, high) in zip(source.shape, reach, strict=True))
    values = format.decode(source.region(tuple(-low for low, _ in reach), hi))
    with np.errstate(all="ignore"):
        for _ in range(steps):
            stored = format.encode(relax_array(_with_ghosts(values, mirrors), rates))
            values = format.decode(stored)
    target.interior[...] = stored


def _opposite(stored: NDArray, format: Format) -> NDArray:
    """Return the stored numbers with the other sign."""
    return -stored if stored.dtype.kind == "f" else stored ^ stored.dtype.type(1 << (format.bits - 1))


def reflect_outer_axes(field: Field, mirrors: Mirrors) -> None:
    """Fill the nearest ghosts of the mirrored sides of all axes but the last, in place."""
    for axis, sides in enumerate(mirrors[:-1]):
        rows = np.moveaxis(field.storage, axis, 0)
        first, last = field.halo, field.halo + field.shape[axis] - 1
        for side, ghost, inner in ((sides[0], first - 1, first), (sides[1], last + 1, last)):
            if side:
                rows[ghost] = rows[inner] if side > 0 else _opposite(rows[inner], field.format)
