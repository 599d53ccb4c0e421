"""Rows that are worked on side by side: a vector has a number of each, so that recurrences along rows are vector loops.

A group of rows is kept by columns: the numbers of all rows in one column lie together. Squares of as many columns as
rows are turned on their way from a field and back to one.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpsolve.formats.base import Format
from mpsolve.kernels import codecs
from mpsolve.kernels.memory import address

#: Rows of a group: a vector of FP32, two of FP64 whose latencies overlap.
ROWS = 16

_INT64 = ir.IntType(64)


def _compute(handle):
    """Return the LLVM type of a vector of the numbers of a `bare` array of compute numbers."""
    return ir.VectorType(ir.DoubleType() if handle[0].dtype.bitwidth == 64 else ir.FloatType(), ROWS)


def _pointer(builder, handle, place, kind):
    return builder.bitcast(address(builder, handle, [place]), kind.as_pointer())


def _read(builder, handle, column, kind):
    """Load a column of a group; groups start on lines."""
    return builder.load(_pointer(builder, handle, builder.mul(column, _INT64(ROWS)), kind), align=64)


def _write(builder, value, handle, column):
    builder.store(value, _pointer(builder, handle, builder.mul(column, _INT64(ROWS)), value.type), align=64)


def _turned(builder, vectors):
    """Transpose a square of numbers: in each round, halves, quarters and so on change places."""
    vectors, step, mask_type = list(vectors), 1, ir.VectorType(ir.IntType(32), ROWS)
    while step < ROWS:
        low = [lane if not lane & step else ROWS + lane - step for lane in range(ROWS)]
        high = [lane + step if not lane & step else ROWS + lane for lane in range(ROWS)]
        masks = [ir.Constant(mask_type, picks) for picks in (low, high)]
        for number in (n for n in range(ROWS) if not n & step):
            pair = vectors[number], vectors[number + step]
            vectors[number], vectors[number + step] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        step *= 2
    return vectors


def _starts(builder, first, pitch, rows):
    """Return where each row starts; what goes beyond the last row is the last row again."""
    last = builder.sub(rows, _INT64(1))
    starts = []
    for number in range(ROWS):
        inside = builder.icmp_signed("<", _INT64(number), rows)
        row = builder.select(inside, _INT64(number), last)
        starts.append(builder.add(first, builder.mul(row, pitch)))
    return starts


def gathering(format: Format):
    """Return the compiled function that decodes a square of a field into a group.

    ``gather(group, column, field, first, pitch, rows)``: handles are one-dimensional and `bare`; ``first`` is the flat
    index of the square's first number, ``pitch`` the distance of rows, ``rows`` how many there are.
    """

    @intrinsic
    def gather(typing, group, column, field, first, pitch, rows):
        def generate(context, builder, signature, arguments):
            target, column, source, first, pitch, rows = arguments
            wide, vectors = _compute(group), []
            for start in _starts(builder, first, pitch, rows):
                stored = ir.VectorType(context.get_data_type(field[0].dtype), ROWS)
                bits = builder.load(_pointer(builder, source, start, stored), align=format.itemsize)
                value = codecs.emit_decode(builder, bits, format)
                vectors.append(value if value.type == wide else builder.fpext(value, wide))
            for number, vector in enumerate(_turned(builder, vectors)):
                _write(builder, vector, target, builder.add(column, _INT64(number)))
            return context.get_dummy_value()

        return types.void(group, types.intp, field, types.intp, types.intp, types.intp), generate

    return gather


def scattering(format: Format):
    """Return the compiled function that encodes a square of a group into a field; arguments as for `gathering`."""

    @intrinsic
    def scatter(typing, group, column, field, first, pitch, rows):
        def generate(context, builder, signature, arguments):
            source, column, target, first, pitch, rows = arguments
            wide = _compute(group)
            vectors = [_read(builder, source, builder.add(column, _INT64(n)), wide) for n in range(ROWS)]
            placed = list(zip(_turned(builder, vectors), _starts(builder, first, pitch, rows), strict=True))
            # What stands for rows beyond the last one is written before that one itself.
            for vector, start in reversed(placed):
                bits = codecs.emit_encode(builder, vector, format)
                builder.store(bits, _pointer(builder, target, start, bits.type), align=format.itemsize)
            return context.get_dummy_value()

        return types.void(group, types.intp, field, types.intp, types.intp, types.intp), generate

    return scatter


@intrinsic
def eliminate(typing, work, lower, count):
    """Subtract from each column of ``work`` the column before it times that of ``lower``."""

    def generate(context, builder, signature, arguments):
        target, factor, count = arguments
        wide = _compute(work)
        before = cgutils.alloca_once(builder, wide)
        builder.store(_read(builder, target, _INT64(0), wide), before)
        with cgutils.for_range_slice(builder, _INT64(1), count, _INT64(1)) as (column, _):
            product = builder.fmul(_read(builder, factor, column, wide), builder.load(before))
            value = builder.fsub(_read(builder, target, column, wide), product)
            _write(builder, value, target, column)
            builder.store(value, before)
        return context.get_dummy_value()

    return types.void(work, lower, types.intp), generate


@intrinsic
def substitute(typing, work, lower, inverse, count):
    """Replace each column of ``work``, the last one first, by its product with ``inverse``, less the column behind it.

    That is multiplied by its ``lower``.
    """

    def generate(context, builder, signature, arguments):
        target, factor, pivot, count = arguments
        wide = _compute(work)
        behind = cgutils.alloca_once(builder, wide)
        last = builder.sub(count, _INT64(1))
        value = builder.fmul(_read(builder, target, last, wide), _read(builder, pivot, last, wide))
        _write(builder, value, target, last)
        builder.store(value, behind)
        with cgutils.for_range_slice(builder, _INT64(1), count, _INT64(1)) as (number, _):
            column = builder.sub(last, number)
            product = builder.fmul(_read(builder, target, column, wide), _read(builder, pivot, column, wide))
            next_factor = _read(builder, factor, builder.add(column, _INT64(1)), wide)
            value = builder.fsub(product, builder.fmul(next_factor, builder.load(behind)))
            _write(builder, value, target, column)
            builder.store(value, behind)
        return context.get_dummy_value()

    return types.void(work, lower, inverse, types.intp), generate


@intrinsic
def close_ring(typing, work, lower, border, count):
    """Subtract ``border`` times the first column of ``work`` plus column 0 of ``lower`` times the last one."""

    def generate(context, builder, signature, arguments):
        target, factor, correction, count = arguments
        wide = _compute(work)
        last = _read(builder, target, builder.sub(count, _INT64(1)), wide)
        first = _read(builder, target, _INT64(0), wide)
        ends = builder.fadd(first, builder.fmul(_read(builder, factor, _INT64(0), wide), last))
        with cgutils.for_range_slice(builder, _INT64(0), count, _INT64(1)) as (column, _):
            product = builder.fmul(_read(builder, correction, column, wide), ends)
            _write(builder, builder.fsub(_read(builder, target, column, wide), product), target, column)
        return context.get_dummy_value()

    return types.void(work, lower, border, types.intp), generate
