"""Transfers between a grid and a coarser one in NumPy: what the compiled kernels are tested against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.kernels.transfers.layout import Overlay, Weight, blending_order


def child_sums(values: NDArray, overlay: Overlay, weights: Sequence[NDArray | None]) -> NDArray:
    """Return the weighted sums over the children of each coarse cell, the last axis summed last.

    Parameters
    ----------
    values : ndarray
        At the children of all coarse cells.
    overlay : Overlay
        Which axes are halved.
    weights : sequence of ndarray or None
        Per halved axis, a weight for each index of `values` along it.
    """
    # The compiled loop sums the innermost of the outer axes first, because it nests them.
    order = [*reversed(range(values.ndim - 1)), values.ndim - 1]
    for axis in order:
        if overlay.halved[axis]:
            weight = weights[axis]
            assert weight is not None
            wide = weight.reshape([-1 if other == axis else 1 for other in range(values.ndim)])
            low, high = (_every_second(axis, values.ndim, start) for start in (0, 1))
            values = wide[low] * values[low] + wide[high] * values[high]
    return values


def _every_second(axis: int, ndim: int, start: int) -> tuple[slice, ...]:
    return tuple(slice(start, None, 2) if other == axis else slice(None) for other in range(ndim))


def interpolation(fine: Field, coarse: Field, overlay: Overlay, weights: Sequence[Weight]) -> NDArray:
    """Return the multilinear interpolation of a coarse field at the interior cells of a fine one.

    Between the parent of a fine cell and the coarse cell beside it, along the axes of `blending_order`.
    """
    compute = np.result_type(fine.format.compute, coarse.format.compute)
    values = coarse.format.decode(coarse.storage).astype(compute)
    for axis in range(fine.ndim):
        values = values if overlay.halved[axis] else _taken(values, axis, coarse.origin[axis], fine.shape[axis])
    order = blending_order([isinstance(weight, Field) for weight in weights])
    return _blend(values, order[::-1], fine, coarse, overlay, weights)


def _taken(values: NDArray, axis: int, start: int, count: int) -> NDArray:
    return np.take(values, range(start, start + count), axis)


def _blend(
    values: NDArray, axes: Sequence[int], fine: Field, coarse: Field, overlay: Overlay, weights: Sequence[Weight]
):
    """Blend along axes, the first of them last."""
    if not axes:
        return values
    axis, *others = axes
    if not overlay.halved[axis]:
        return _blend(values, others, fine, coarse, overlay, weights)
    local = np.arange(fine.shape[axis]) - overlay.first[axis]
    parent = (local >> 1) + coarse.origin[axis]
    beside = parent + 2 * (local & 1) - 1
    near, far = (
        _blend(np.take(values, index, axis), others, fine, coarse, overlay, weights) for index in (parent, beside)
    )
    return near + _weight(weights[axis], fine, axis) * (far - near)


def _weight(weight: Weight, fine: Field, axis: int) -> NDArray:
    if isinstance(weight, Field):
        return weight.format.decode(weight.interior)
    assert weight is not None
    start = fine.origin[axis]
    return weight[start : start + fine.shape[axis]].reshape([-1 if other == axis else 1 for other in range(fine.ndim)])
