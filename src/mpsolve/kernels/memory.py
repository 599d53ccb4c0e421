"""Element access for generated loops: plain addressing without index wrap-around, and streaming stores."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportCallIssue=false
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

#: Bytes of one streaming store: a cache line.
LINE = 64


@intrinsic
def bare(typing, array):
    """Return the handle of a C-contiguous array: its address and shape alone.

    An array that is handed to an inlined function is counted as a reference, and LLVM vectorises no loop that counts.
    """
    result = types.Tuple((types.CPointer(array.dtype), types.UniTuple(types.intp, array.ndim)))

    def generate(context, builder, signature, arguments):
        struct = context.make_array(array)(context, builder, arguments[0])
        return context.make_tuple(builder, result, (struct.data, struct.shape))

    return result(array), generate


@intrinsic
def shifted(typing, handle, offset):
    """Return a one-dimensional `bare` handle whose element 0 is the given one of another, or lies before it."""

    def generate(context, builder, signature, arguments):
        data, shape = cgutils.unpack_tuple(builder, arguments[0], 2)
        return context.make_tuple(builder, handle, (builder.gep(data, [arguments[1]]), shape))

    return handle(handle, types.intp), generate


@intrinsic
def ring(typing, handle, offset, lengths):
    """Return a handle of a few slices of a grid, each of which lies where an older one lay.

    Parameters
    ----------
    handle : tuple
        A one-dimensional `bare` array.
    offset : int
        Of the element that stands for index 0 along every axis; it may lie before the array.
    lengths : tuple of int
        The number of slices along the first axis, a power of two, and the lengths of the other axes.
    """
    result = types.Tuple((handle[0], lengths, types.intp))

    def generate(context, builder, signature, arguments):
        data, _ = cgutils.unpack_tuple(builder, arguments[0], 2)
        slices = cgutils.unpack_tuple(builder, arguments[2], lengths.count)[0]
        mask = builder.sub(slices, context.get_constant(types.intp, 1))
        return context.make_tuple(builder, result, (builder.gep(data, [arguments[1]]), arguments[2], mask))

    return result(handle, types.intp, lengths), generate


def address(builder, handle, index):
    """Emit the address of one element of a `bare` array or a `ring`; indices are never negative here."""
    data, shape, *mask = cgutils.unpack_tuple(builder, handle, len(handle.type.elements))
    lengths = cgutils.unpack_tuple(builder, shape, len(index))
    linear = builder.and_(index[0], mask[0]) if mask else index[0]
    for axis in range(1, len(index)):
        linear = builder.add(builder.mul(linear, lengths[axis]), index[axis])
    return builder.gep(data, [linear])


@intrinsic
def element(typing, handle, index):
    """Return the stored element of a `bare` array at the index tuple; of a tuple of one number, that number."""
    if isinstance(handle[0], types.Float):
        return handle[0](handle, index), lambda context, builder, signature, arguments: builder.extract_value(
            arguments[0], 0
        )

    def generate(context, builder, signature, arguments):
        position = cgutils.unpack_tuple(builder, arguments[1], index.count)
        return builder.load(address(builder, arguments[0], position))

    return handle[0].dtype(handle, index), generate


@intrinsic
def set_element(typing, handle, index, value):
    """Store ``value``, of the array's own type, at the index tuple of a `bare` array."""

    def generate(context, builder, signature, arguments):
        position = cgutils.unpack_tuple(builder, arguments[1], index.count)
        builder.store(arguments[2], address(builder, arguments[0], position))
        return context.get_dummy_value()

    return types.void(handle, index, handle[0].dtype), generate


@intrinsic
def wide_vectors(typing):
    """Let the loops of this function use 512-bit vectors, which LLVM avoids by default on AVX-512 processors."""

    def generate(context, builder, signature, arguments):
        # llvmlite's own `add` knows only enumerated attributes; LLVM accepts any string attribute.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def keep(typing, array):
    """Do nothing, but let the array live until here: a `bare` handle does not count as a reference."""
    return types.void(array), lambda context, builder, signature, arguments: context.get_dummy_value()


@intrinsic
def _stream_lines(typing, target, target_start, source, source_start, count):
    """Copy ``count`` elements, full aligned lines, to flat index ``target_start``, past the caches."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        line = ir.VectorType(ir.IntType(32), LINE // 4).as_pointer()
        size = context.get_constant(types.intp, target[0].dtype.bitwidth // 8)
        starts = []
        for handle, start in (arguments[0:2], arguments[2:4]):
            starts.append(builder.ptrtoint(address(builder, handle, [start]), word))
        end = builder.mul(arguments[4], size)
        with cgutils.for_range_slice(builder, word(0), end, word(LINE)) as (offset, _):
            value = builder.load(builder.inttoptr(builder.add(starts[1], offset), line), align=LINE)
            store = builder.store(value, builder.inttoptr(builder.add(starts[0], offset), line), align=LINE)
            store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


def emit_fetch(builder, handle, position):
    """Emit a request for the line of one element, to all caches; an address outside memory does no harm."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    signature = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    pointer = builder.bitcast(address(builder, handle, position), byte)
    builder.call(function, [pointer, number(0), number(3), number(1)])


@intrinsic
def fetch_lines(typing, handle, index, count):
    """Request ``count`` lines that follow each other, from the one that holds the element at the index tuple."""
    per_line = LINE // (handle[0].dtype.bitwidth // 8)

    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        *outer, last = cgutils.unpack_tuple(builder, arguments[1], index.count)
        with cgutils.for_range_slice(builder, word(0), arguments[2], word(1)) as (line, _):
            emit_fetch(builder, arguments[0], [*outer, builder.add(last, builder.mul(line, word(per_line)))])
        return context.get_dummy_value()

    return types.void(handle, index, types.intp), generate


@njit(nogil=True)
def misfit(array):
    """Return how many elements to skip until the data lie on a line."""
    return (-array.ctypes.data % LINE) // array.itemsize


@njit(nogil=True)
def stream_row(target, start, stop, buffer, buffer_start, per_line):
    """Copy a row piece from a buffer to flat storage indices ``start`` to ``stop``, whole lines past the caches.

    Target and buffer are one-dimensional `bare` handles. ``buffer_start`` is the flat index that the first element of
    the buffer stands for, a multiple of a line: so source and target share their alignment, and only the ragged ends
    are copied element by element. A line has ``per_line`` elements.
    """
    head = min(stop, -(-start // per_line) * per_line)
    tail = max(head, stop // per_line * per_line)
    for position in range(start, head):
        set_element(target, (position,), element(buffer, (position - buffer_start,)))
    _stream_lines(target, head, buffer, head - buffer_start, tail - head)
    for position in range(tail, stop):
        set_element(target, (position,), element(buffer, (position - buffer_start,)))
