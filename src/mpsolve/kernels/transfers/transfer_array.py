"""Transfers between a grid and a coarser one in NumPy: what the compiled kernels are tested against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.kernels.transfers.layout import Overlay, Weights, corners


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


def interpolation(fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> NDArray:
    """Return the interpolation of a coarse field at the interior cells of a fine one.

    Between the parent of a fine cell and the coarse cells beside it: whole coarse rows are blended before they are
    spread along the last axis, or each coarse cell has a weight.
    """
    compute = np.result_type(fine.format.compute, coarse.format.compute)
    values = coarse.format.decode(coarse.storage).astype(compute)
    if isinstance(weights[0], Field):
        return _corner_sum(values, fine, coarse, overlay, weights)
    for axis in range(fine.ndim):
        if overlay.halved[axis]:
            continue
        values = np.take(values, range(coarse.origin[axis], coarse.origin[axis] + fine.shape[axis]), axis)
    return _blend(values, [fine.ndim - 1, *range(fine.ndim - 1)], fine, coarse, overlay, weights)


def _corner_sum(values: NDArray, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> NDArray:
    total = np.zeros(fine.shape, values.dtype)
    for number, (corner, weight) in enumerate(zip(corners(overlay.halved), weights, strict=True)):
        assert isinstance(weight, Field)
        places = [
            coarse.origin[axis] + parent + side * (beside - parent)
            for axis, side in enumerate(corner)
            for parent, beside in [_around(fine, overlay, axis)]
        ]
        term = weight.format.decode(weight.interior).astype(values.dtype) * values[np.ix_(*places)]
        total = total + term if number else term
    return total


def _around(fine: Field, overlay: Overlay, axis: int) -> tuple[NDArray, NDArray]:
    """Return, per fine cell along an axis, its parent and the coarse cell beside that, by their interior indices."""
    local = np.arange(fine.shape[axis]) - overlay.first[axis]
    if not overlay.halved[axis]:
        return local, local
    return local >> 1, (local >> 1) + 2 * (local & 1) - 1


def _blend(values: NDArray, axes: Sequence[int], fine: Field, coarse: Field, overlay: Overlay, weights: Weights):
    """Blend along axes, the first of them last."""
    if not axes:
        return values
    axis, *others = axes
    weight = weights[axis]
    if not overlay.halved[axis]:
        return _blend(values, others, fine, coarse, overlay, weights)
    assert isinstance(weight, np.ndarray)
    near, far = (
        _blend(np.take(values, index + coarse.origin[axis], axis), others, fine, coarse, overlay, weights)
        for index in _around(fine, overlay, axis)
    )
    start = fine.origin[axis]
    wide = [-1 if other == axis else 1 for other in range(fine.ndim)]
    return near + weight[start : start + fine.shape[axis]].reshape(wide) * (far - near)
