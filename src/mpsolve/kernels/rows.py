"""One diffusion step along rows, as explicit vector instructions: load, relax, round, store, and fetch ahead.

Written out because LLVM's own vectoriser would check overlaps on every row, finish ragged ends number by number, and
cannot use streaming stores; and because reads and streaming stores must alternate line by line to keep memory busy.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpsolve.formats.base import Format
from mpsolve.kernels.lines import LineLayout
from mpsolve.kernels.memory import emit_fetch
from mpsolve.kernels.relax import relax, splat

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _mark_streaming(builder, instruction):
    instruction.set_metadata("nontemporal", builder.module.add_metadata([_INT32(1)]))


def block_step(format: Format, rows: int, ndim: int, streams: bool):
    """Return the compiled function that takes some neighbouring rows of stored numbers one step forward.

    Rows that are worked on together share the loads of the rows between them, and keep several reads and writes of
    memory under way at once.

    Parameters
    ----------
    format : Format
        Of source and target.
    rows : int
        Rows of the block, counted along the last axis but one; 1 if ``ndim`` is 1.
    ndim : int
        Number of axes, 1 to 3.
    streams : bool
        Whether new values go past the caches; the target's lines must then be aligned.

    Returns
    -------
    callable
        ``step(target, targets, source, sources, plane, ahead, fetches, rates, lines)``. Handles are one-dimensional
        and `bare`; positions are flat and those of the first column: ``targets`` of the rows, ``sources`` of the rows
        with the row before and the row after them (in one dimension the row alone). ``plane`` is the distance between
        planes. ``fetches`` are positions in ``ahead`` whose lines are requested on the way. ``rates`` has one rate
        for all axes or one each.
    """
    layout = LineLayout(format)
    skipped = 1 if ndim > 1 else 0

    def emit_line(builder, target, targets, source, sources, plane, rates, window):
        lines = [layout.load(builder, source, row) for row in sources]
        for number, position in enumerate(targets):
            here = number + skipped
            axes = [] if ndim < 2 else [(lines[here - 1], lines[here + 1])]
            if ndim > 2:
                sides = (builder.sub(sources[here], plane), builder.add(sources[here], plane))
                axes.insert(0, tuple(layout.load(builder, source, side) for side in sides))
            axes.append(layout.beside(builder, source, sources[here], lines[here], window, number))
            new = []
            for part, centre in enumerate(lines[here]):
                new.append(relax(builder, centre, [(before[part], after[part]) for before, after in axes], rates))
            for instruction in layout.store(builder, new, target, position, streams):
                if streams:
                    _mark_streaming(builder, instruction)

    def emit_block(context, builder, signature, arguments):
        target, targets, source, sources, plane, ahead, fetches, rates, lines = arguments
        unpack = cgutils.unpack_tuple
        targets, sources, fetches = (unpack(builder, packed) for packed in (targets, sources, fetches))
        rates = [splat(builder, rate, layout.lanes) for rate in unpack(builder, rates)]
        window = layout.open_window(builder, source, sources[skipped : skipped + rows])
        with cgutils.for_range_slice(builder, _INT64(0), lines, _INT64(1)) as (line, _):
            start = builder.mul(line, _INT64(layout.columns))
            for position in fetches:
                emit_fetch(builder, ahead, [builder.add(position, start)])
            here = [[builder.add(position, start) for position in group] for group in (targets, sources)]
            emit_line(builder, target, here[0], source, here[1], plane, rates, window)
        return context.get_dummy_value()

    @intrinsic
    def step(typing, target, targets, source, sources, plane, ahead, fetches, rates, lines):
        whole = types.intp
        return types.void(target, targets, source, sources, whole, ahead, fetches, rates, whole), emit_block

    return step
