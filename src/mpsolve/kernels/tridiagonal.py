"""Tridiagonal solves along the rows of a field, a group of rows side by side."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field, aligned_zeros
from mpsolve.formats.base import Format
from mpsolve.kernels.abreast import ROWS
from mpsolve.kernels.compile import load_kernel

_SOURCE = '''from numba import njit, types
import numpy as np
from mpsolve.precision import get_format
from mpsolve.kernels import abreast, codecs, memory

decode = codecs.decoder((get_format({argument!r}),))
encode = codecs.encoder(get_format({output!r}))
gather, scatter = abreast.gathering(get_format({argument!r})), abreast.scattering(get_format({output!r}))
element, set_element = memory.element, memory.set_element

@njit(types.void({types}, types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True)
def kernel(array_x, array_r, array_lower, array_inverse, array_border, lo, hi, first, count):
    """Rows lo to hi of two-dimensional views; columns first to first + count; a row of the factors for each group."""
    memory.wide_vectors()
    x, r = memory.bare(array_x.reshape(array_x.size)), memory.bare(array_r.reshape(array_r.size))
    pitch_x, pitch_r, size = array_x.shape[1], array_r.shape[1], count * {rows}
    factors = memory.bare(array_lower.reshape(array_lower.size))
    pivots = memory.bare(array_inverse.reshape(array_inverse.size))
    corrections = memory.bare(array_border.reshape(array_border.size))
    raw = np.zeros(size + 64, np.{compute})
    work = memory.bare(raw[memory.misfit(raw):])
    whole = count // {rows} * {rows}
    for group in range(array_lower.shape[0]):
        start, at = lo + group * {rows}, group * size
        rows = min({rows}, hi - start)
        from_r, from_x = start * pitch_r + first, start * pitch_x + first
        for column in range(0, whole, {rows}):
            gather(work, column, r, from_r + column, pitch_r, rows)
        for column in range(whole, count):
            for n in range(rows):
                value = types.{compute}(decode(element(r, (from_r + n * pitch_r + column,))))
                set_element(work, (column * {rows} + n,), value)
        lower = memory.shifted(factors, at)
        abreast.eliminate(work, lower, count)
        abreast.substitute(work, lower, memory.shifted(pivots, at), count)
        abreast.close_ring(work, lower, memory.shifted(corrections, at), count)
        for column in range(0, whole, {rows}):
            scatter(work, column, x, from_x + column, pitch_x, rows)
        for column in range(whole, count):
            for n in range(rows):
                value = element(work, (column * {rows} + n,))
                set_element(x, (from_x + n * pitch_x + column,), encode(types.{compute}(value)))
    memory.keep(raw)
'''


@cache
def tridiagonal_kernel(output: Format, argument: Format, factors: Format) -> Callable:
    """Return the compiled solver of rows for an output, an argument and factors in these formats."""
    compute = compute_type(output, argument, factors)
    storage = [f"types.{format.storage.name}[:, ::1]" for format in (output, argument)]
    source = _SOURCE.format(
        output=output.name,
        argument=argument.name,
        types=", ".join([*storage, *[f"types.{compute}[:, ::1]"] * 3]),
        compute=compute,
        rows=ROWS,
    )
    return load_kernel(source)


def compute_type(*formats: Format) -> str:
    """Return the name of the type that a solve computes in."""
    return "float64" if any(format.name == "fp64" for format in formats) else "float32"


def grouped(factors: Sequence[Field], rows: tuple[slice | int, ...], compute: str) -> list[NDArray]:
    """Return the factors by groups of rows: each of shape (groups, columns * `ROWS`), zero beyond.

    Parameters
    ----------
    factors : sequence of Field
        As in `Backend.bind_lines`.
    rows : tuple of slice or int
        Picks rows of the interior, as a two-dimensional array.
    compute : str
        Name of the type.
    """
    found = []
    for factor in factors:
        values = factor.format.decode(factor.interior[rows])
        count, columns = values.shape
        groups = -(-count // ROWS)
        padded = np.zeros((groups * ROWS, columns), compute)
        padded[:count] = values
        target = aligned_zeros((groups, columns * ROWS), np.dtype(compute))
        target[...] = padded.reshape(groups, ROWS, columns).transpose(0, 2, 1).reshape(groups, -1)
        found.append(target)
    return found
