"""Element access for generated loops: plain addressing without index wrap-around, and streaming stores."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

#: Bytes of one streaming store: a cache line.
LINE = 64


def _address(context, builder, array_type, array, index):
    """Return the address of one element of a C-contiguous array; indices are never negative here."""
    struct = context.make_array(array_type)(context, builder, array)
    shape = cgutils.unpack_tuple(builder, struct.shape, array_type.ndim)
    linear = index[0]
    for axis in range(1, array_type.ndim):
        linear = builder.add(builder.mul(linear, shape[axis]), index[axis])
    return builder.gep(struct.data, [linear])


@intrinsic
def element(typing, array, index):
    """Return the stored element of ``array`` at the index tuple."""

    def generate(context, builder, signature, arguments):
        position = cgutils.unpack_tuple(builder, arguments[1], array.ndim)
        return builder.load(_address(context, builder, array, arguments[0], position))

    return array.dtype(array, index), generate


@intrinsic
def set_element(typing, array, index, value):
    """Store ``value``, of the array's own type, at the index tuple."""

    def generate(context, builder, signature, arguments):
        position = cgutils.unpack_tuple(builder, arguments[1], array.ndim)
        builder.store(arguments[2], _address(context, builder, array, arguments[0], position))
        return context.get_dummy_value()

    return types.void(array, index, array.dtype), generate


@intrinsic
def wide_vectors(typing):
    """Let the loops of this function use 512-bit vectors, which LLVM avoids by default on AVX-512 processors."""

    def generate(context, builder, signature, arguments):
        # llvmlite's own `add` knows only enumerated attributes; LLVM accepts any string attribute.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _stream_lines(typing, target, target_start, source, source_start, count):
    """Copy ``count`` elements, full aligned lines, to flat index ``target_start`` with stores that bypass the caches."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        line = ir.VectorType(ir.IntType(32), LINE // 4).as_pointer()
        size = context.get_constant(types.intp, target.dtype.bitwidth // 8)
        starts = []
        for array_type, array, start in ((target, *arguments[0:2]), (source, *arguments[2:4])):
            data = context.make_array(array_type)(context, builder, array).data
            starts.append(builder.ptrtoint(builder.gep(data, [start]), word))
        end = builder.mul(arguments[4], size)
        with cgutils.for_range_slice(builder, word(0), end, word(LINE)) as (offset, _):
            value = builder.load(builder.inttoptr(builder.add(starts[1], offset), line), align=LINE)
            store = builder.store(value, builder.inttoptr(builder.add(starts[0], offset), line), align=LINE)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


@njit(nogil=True)
def misfit(array):
    """Return how many elements to skip until the data lie on a line."""
    return (-array.ctypes.data % LINE) // array.itemsize


@njit(nogil=True)
def stream_row(target, start, stop, buffer, buffer_start):
    """Copy a row piece from a buffer to flat storage indices ``start`` to ``stop``, whole lines past the caches.

    ``buffer_start`` is the flat index that ``buffer[0]`` stands for, a multiple of a line: so source and target share
    their alignment, and only the ragged ends are copied element by element.
    """
    per_line = LINE // target.itemsize
    head = min(stop, -(-start // per_line) * per_line)
    tail = max(head, stop // per_line * per_line)
    for position in range(start, head):
        set_element(target, (position,), element(buffer, (position - buffer_start,)))
    _stream_lines(target, head, buffer, head - buffer_start, tail - head)
    for position in range(tail, stop):
        set_element(target, (position,), element(buffer, (position - buffer_start,)))
