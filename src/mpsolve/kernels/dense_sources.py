"""Texts of the compiled kernels of dense matrices; a matrix is a flat array and the distance of its rows."""

#: Lines that every kernel starts with.
HEAD = """from numba import njit, types
import numpy as np
from mpsolve.precision import get_format
from mpsolve.kernels import codecs, memory

element, set_element = memory.element, memory.set_element
flat = types.{type}[::1]
"""

ENCODE = '''
encode = codecs.encoder(get_format({format!r}))

@njit(types.void(types.{storage}[::1], flat, types.intp, types.intp, types.intp, types.intp, types.{type}),
      nogil=True, cache=True)
def kernel(array_target, array_source, distance, columns, lo, hi, scale):
    """Rows lo to hi; the target's rows follow each other."""
    memory.wide_vectors()
    target, source = memory.bare(array_target), memory.bare(array_source)
    for i in range(lo, hi):
        for j in range(columns):
            value = scale * element(source, (i * distance + j,))
            set_element(target, (i * columns + j,), encode(types.{compute}(value)))
    memory.keep(array_target)
    memory.keep(array_source)
'''

LARGEST = '''
@njit(types.void(flat, flat, types.intp, types.intp, types.intp, types.intp, types.intp), nogil=True, cache=True)
def kernel(found, array, distance, columns, place, lo, hi):
    """The bits of magnitudes are ordered as integers, NaN above all numbers."""
    memory.wide_vectors()
    words = array.view(np.{word})
    handle = memory.bare(words)
    largest = np.{word}(0)
    mask = np.{word}({mask})
    for i in range(lo, hi):
        for j in range(columns):
            largest = max(largest, element(handle, (i * distance + j,)) & mask)
    memory.keep(words)
    found.view(np.{word})[place] = largest
'''

ELIMINATE = '''
@njit(types.void(flat, types.intp, types.intp, types.float64[:, ::1], types.float64[:, ::1]),
      nogil=True, cache=True, error_model="numpy")
def kernel(a, distance, n, lower, upper):
    """LU without row exchanges, then the inverses of both factors in FP64."""
    for k in range(n):
        pivot = a[k * distance + k]
        for i in range(k + 1, n):
            factor = a[i * distance + k] / pivot
            a[i * distance + k] = factor
            for j in range(k + 1, n):
                a[i * distance + j] -= factor * a[k * distance + j]
    for i in range(n):
        for j in range(n):
            lower[i, j] = upper[i, j] = 0.0
        lower[i, i] = upper[i, i] = 1.0
    for i in range(n):
        for k in range(i):
            factor = types.float64(a[i * distance + k])
            for j in range(k + 1):
                lower[i, j] -= factor * lower[k, j]
    for back in range(n):
        i = n - 1 - back
        for k in range(i + 1, n):
            factor = types.float64(a[i * distance + k])
            for j in range(k, n):
                upper[i, j] -= factor * upper[k, j]
        pivot = types.float64(a[i * distance + i])
        for j in range(i, n):
            upper[i, j] /= pivot
'''

COLUMNS = '''
@njit(types.intp(flat, types.intp, types.intp, types.intp, types.intp, types.int64[::1]),
      nogil=True, cache=True, error_model="numpy")
def kernel(array, rows, width, first, last, pivots):
    """Partial pivoting; the search for the next pivot rides along with the update of its column."""
    memory.wide_vectors()
    a = memory.bare(array)
    missing = -1
    best, pivot = types.{type}(-1), first
    for i in range(first, rows):
        size = abs(element(a, (i * width + first,)))
        if size > best or (size != size and best == best):
            best, pivot = size, i
    for k in range(first, last):
        pivots[k] = pivot
        if pivot != k:
            for j in range(width):
                value = element(a, (k * width + j,))
                set_element(a, (k * width + j,), element(a, (pivot * width + j,)))
                set_element(a, (pivot * width + j,), value)
        d = element(a, (k * width + k,))
        if d == 0 and missing < 0:
            missing = k
        best, pivot = types.{type}(-1), k + 1
        inverse = types.{type}(1) / d
        safe = abs(d) >= types.{type}({smallest})
        for i in range(k + 1, rows):
            l = element(a, (i * width + k,))
            if d != 0:
                l = l * inverse if safe else l / d
            set_element(a, (i * width + k,), l)
            for j in range(k + 1, last):
                value = element(a, (i * width + j,)) - l * element(a, (k * width + j,))
                set_element(a, (i * width + j,), value)
            if k + 1 < last:
                size = abs(element(a, (i * width + k + 1,)))
                if size > best or (size != size and best == best):
                    best, pivot = size, i
    memory.keep(array)
    return missing
'''

COLUMN = '''
@njit(types.void(flat, types.intp, types.intp, types.intp, types.intp, types.intp, flat),
      nogil=True, cache=True, error_model="numpy")
def kernel(array, rows, width, top, column, last, array_row):
    """One column of the panel, and the update of those to its right."""
    memory.wide_vectors()
    a, row = memory.bare(array), memory.bare(array_row)
    d = element(row, (column,))
    for i in range(top, rows):
        l = element(a, (i * width + column,)) / d
        set_element(a, (i * width + column,), l)
        for j in range(column + 1, last):
            value = element(a, (i * width + j,)) - l * element(row, (j,))
            set_element(a, (i * width + j,), value)
    memory.keep(array)
    memory.keep(array_row)
'''

PRODUCT = '''
@njit(types.void(types.float64[:, ::1], flat, types.intp, types.intp, types.float64[:, ::1], types.intp, types.intp),
      nogil=True, cache=True, fastmath={{"reassoc", "contract"}})
def kernel(sums, array, distance, columns, vectors, lo, hi):
    """Rows lo to hi of the block; a row is read from memory once for all vectors."""
    memory.wide_vectors()
    a, x = memory.bare(array), memory.bare(vectors)
    for i in range(lo, hi):
        for v in range(vectors.shape[0]):
            total = 0.0
            for j in range(columns):
                total += types.float64(element(a, (i * distance + j,))) * element(x, (v, j))
            sums[v, i] += total
    memory.keep(array)
    memory.keep(vectors)
'''

TRANSPOSED = '''
@njit(types.void(types.float64[:, ::1], flat, types.intp, types.intp, types.float64[:, ::1], types.intp, types.intp),
      nogil=True, cache=True, fastmath={{"contract"}})
def kernel(sums, array, distance, rows, vectors, lo, hi):
    """Columns lo to hi of the block, four rows at a time, so that the sums are read and written less often."""
    memory.wide_vectors()
    a, s = memory.bare(array), memory.bare(sums)
    whole = rows // 4 * 4
    for v in range(vectors.shape[0]):
        for i in range(0, whole, 4):
            y0, y1, y2, y3 = vectors[v, i], vectors[v, i + 1], vectors[v, i + 2], vectors[v, i + 3]
            at = i * distance
            for j in range(lo, hi):
                value = element(s, (v, j)) + y0 * types.float64(element(a, (at + j,)))
                value += y1 * types.float64(element(a, (at + distance + j,)))
                value += y2 * types.float64(element(a, (at + 2 * distance + j,)))
                value += y3 * types.float64(element(a, (at + 3 * distance + j,)))
                set_element(s, (v, j), value)
        for i in range(whole, rows):
            y = vectors[v, i]
            for j in range(lo, hi):
                set_element(s, (v, j), element(s, (v, j)) + y * types.float64(element(a, (i * distance + j,))))
    memory.keep(array)
    memory.keep(sums)
'''

SUBSTITUTE = '''
@njit(types.void(flat, types.intp, types.intp, types.float64[:, ::1], types.boolean, types.boolean),
      nogil=True, cache=True, error_model="numpy")
def kernel(a, distance, n, vectors, upper, transposed):
    """Solve for every vector by substitution; the unit diagonal of the lower triangle is not stored."""
    backward = upper != transposed
    for v in range(vectors.shape[0]):
        for step in range(n):
            j = n - 1 - step if backward else step
            if transposed:
                if upper:
                    vectors[v, j] /= types.float64(a[j * distance + j])
                value = vectors[v, j]
                if backward:
                    for i in range(j):
                        vectors[v, i] -= value * types.float64(a[j * distance + i])
                else:
                    for i in range(j + 1, n):
                        vectors[v, i] -= value * types.float64(a[j * distance + i])
            else:
                total = vectors[v, j]
                if backward:
                    for i in range(j + 1, n):
                        total -= types.float64(a[j * distance + i]) * vectors[v, i]
                else:
                    for i in range(j):
                        total -= types.float64(a[j * distance + i]) * vectors[v, i]
                vectors[v, j] = total / types.float64(a[j * distance + j]) if upper else total
'''
