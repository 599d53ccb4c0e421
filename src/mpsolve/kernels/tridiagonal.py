"""Tridiagonal solves along the rows of a field, eight rows abreast to hide the latency of the recurrence."""

from collections.abc import Callable
from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.compile import load_kernel

#: Rows that advance together.
ABREAST = 8

_SOURCE = '''from numba import njit, types
import numpy as np
from mpsolve.precision import get_format
from mpsolve.kernels import codecs, memory

decode = codecs.decoder(({formats}))
encode = codecs.encoder(get_format({output!r}))
element, set_element = memory.element, memory.set_element

@njit(types.void({types}, types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True)
def kernel(array_x, array_r, array_lower, array_inverse, array_border, lo, hi, first, count):
    """Rows lo to hi of two-dimensional views; columns first to first + count."""
    memory.wide_vectors()
    x, r, lower = memory.bare(array_x), memory.bare(array_r), memory.bare(array_lower)
    inverse, border = memory.bare(array_inverse), memory.bare(array_border)
    array_work = np.empty((count, {abreast}), np.{compute})
    work = memory.bare(array_work)
    for start in range(lo, hi, {abreast}):
        rows = min({abreast}, hi - start)
        for n in range(rows):
            set_element(work, (0, n), types.{compute}(decode(element(r, (start + n, first)))))
        for j in range(1, count):
            for n in range(rows):
                l = decode(element(lower, (start + n, first + j)))
                value = decode(element(r, (start + n, first + j)))
                set_element(work, (j, n), types.{compute}(value - l * element(work, (j - 1, n))))
        for n in range(rows):
            d = decode(element(inverse, (start + n, first + count - 1)))
            set_element(work, (count - 1, n), types.{compute}(element(work, (count - 1, n)) * d))
        for k in range(1, count):
            j = count - 1 - k
            for n in range(rows):
                d = decode(element(inverse, (start + n, first + j)))
                l = decode(element(lower, (start + n, first + j + 1)))
                value = element(work, (j, n)) * d - l * element(work, (j + 1, n))
                set_element(work, (j, n), types.{compute}(value))
        for n in range(rows):
            wrap = decode(element(lower, (start + n, first)))
            ends = element(work, (0, n)) + wrap * element(work, (count - 1, n))
            for j in range(count):
                value = element(work, (j, n)) - decode(element(border, (start + n, first + j))) * ends
                set_element(x, (start + n, first + j), encode(types.{compute}(value)))
    memory.keep(array_work)
'''


@cache
def tridiagonal_kernel(output: Format, argument: Format, factors: Format) -> Callable:
    """Return the compiled solver of rows for an output, an argument and factors in these formats."""
    formats = (output, argument, factors)
    compute = "float64" if any(format.name == "fp64" for format in formats) else "float32"
    arrays = [output, argument, factors, factors, factors]
    source = _SOURCE.format(
        formats="".join(f"get_format({format.name!r}), " for format in formats),
        output=output.name,
        types=", ".join(f"types.{format.storage.name}[:, ::1]" for format in arrays),
        compute=compute,
        abreast=ABREAST,
    )
    return load_kernel(source)
