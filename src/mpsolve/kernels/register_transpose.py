"""Rows of a matrix written column after column, in vector registers: how the left operand of a product is packed."""

# pyright: reportAttributeAccessIssue=false
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mpsolve.kernels import memory
from mpsolve.kernels.register_tile import ROWS, VECTOR_BYTES

_INT32 = ir.IntType(32)


@intrinsic
def transpose_rows(typing, target, to, source, at, distance):
    """Write one vector of each of `ROWS` rows as columns of `ROWS` elements that follow each other.

    Arrays are handles of `memory.bare` of the same type; ``to`` and ``at`` are flat indices, ``distance`` is that from
    one row of the source to the next.
    """

    def generate(context, builder, signature, arguments):
        target_handle, start, source_handle, first, apart = arguments
        lanes = VECTOR_BYTES * 8 // source[0].dtype.bitwidth
        vector = ir.VectorType(context.get_value_type(source[0].dtype), lanes).as_pointer()
        rows = []
        for row in range(ROWS):
            place = memory.address(builder, source_handle, [builder.add(first, builder.mul(apart, apart.type(row)))])
            rows.append(builder.load(builder.bitcast(place, vector), align=source[0].dtype.bitwidth // 8))
        for part in range(ROWS):
            place = memory.address(builder, target_handle, [builder.add(start, start.type(part * lanes))])
            value = _emit_part(builder, rows, part * lanes, lanes)
            builder.store(value, builder.bitcast(place, vector), align=source[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    whole = types.intp
    return types.void(target, whole, source, whole, whole), generate


def _emit_part(builder, rows, first, lanes):
    """Emit the vector of what comes from element ``first`` of the columns on: from pairs of rows, then blended."""
    places = [divmod(first + lane, ROWS) for lane in range(lanes)]
    value = None
    for low in range(0, ROWS, 2):
        # In lanes that belong to other pairs of rows, anything will do.
        picked = [column + lanes * (row == low + 1) for column, row in places]
        pair = builder.shuffle_vector(rows[low], rows[low + 1], _mask(picked))
        blend = [lane + lanes * (row >= low) for lane, (_, row) in enumerate(places)]
        value = pair if value is None else builder.shuffle_vector(value, pair, _mask(blend))
    return value


def _mask(lanes):
    return ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes)
