"""Cut a sweep into the calls of its compiled kernel: strips for threads, tiles for the caches, scratch memory."""

from collections.abc import Callable
from dataclasses import dataclass

from mpsolve.field import Field, aligned_zeros
from mpsolve.kernels.sweep import RING, SweepSpec, compiled_sweep
from mpsolve.kernels.sweep_array import Mirrors

#: Second-level cache that the rings of one thread may fill; bytes.
RING_BYTES = 1 << 19


@dataclass(frozen=True)
class Stage:
    """One pass over memory.

    Attributes
    ----------
    source : Field
        What it reads; the ghosts of its mirrored sides are filled before.
    kernel : callable
        Compiled loop.
    calls : list of tuple
        Its arguments for each thread.
    """

    source: Field
    kernel: Callable
    calls: list[tuple]


def tile_width(spec: SweepSpec, columns: int, steps: int) -> int:
    """Return the columns of a tile, a multiple of a line: all of them if the rings of that width stay in the cache."""
    whole = -(-columns // spec.columns) * spec.columns
    if steps == 1:
        return whole
    most = max(RING_BYTES // ((steps - 1) * RING * spec.format.itemsize) // spec.columns, 1) * spec.columns
    tiles = -(-whole // most)
    return -(-whole // tiles // spec.columns) * spec.columns


def _cuts(first: int, last: int, parts: int, multiple: int = 1) -> list[tuple[int, int]]:
    """Cut a range into almost equal parts, each but the last ending at a multiple; empty parts are left out."""
    inner = [(first + (last - first) * number // parts) // multiple * multiple for number in range(1, parts)]
    edges = [first, *(min(max(edge, first), last) for edge in inner), last]
    return [(a, b) for a, b in zip(edges, edges[1:], strict=False) if a < b]


def sweep_stages(
    target: Field, source: Field, rates: tuple[float, ...], steps: int, mirrors: Mirrors, *, threads: int,
    stream: bool, width: int | None = None,
) -> list[Stage]:  # fmt: skip
    """Return the passes of a sweep: one in two dimensions, one a step in one and three.

    Parameters
    ----------
    target, source, rates, steps, mirrors
        As for `mpsolve.backends.base.Backend.bind_sweep`, checked.
    threads : int
        Number of calls to cut each pass into.
    stream : bool
        Whether the last pass writes past the caches.
    width : int, optional
        Columns of a tile, a multiple of a line; by default what the caches hold.
    """
    scalars = tuple(source.format.compute.type(rate) for rate in rates)
    scalars = scalars[:1] if all(rate == scalars[0] for rate in scalars) else scalars
    spec = SweepSpec(source.format, source.ndim, len(scalars), stream)
    if source.ndim == 2:
        return [_rows_stage(spec, target, source, scalars, steps, mirrors, threads, width)]
    chain = [source, *_intermediate(target, source, steps), target]
    stages = []
    for left, (before, after) in enumerate(zip(chain[-2::-1], chain[:0:-1], strict=True)):
        stages.append(_box_stage(spec, after, before, scalars, left, mirrors, threads))
    return stages[::-1]


def _intermediate(target: Field, source: Field, steps: int) -> list[Field]:
    """Return the fields between source and target, which alternate between a new one and the target itself."""
    if steps == 1:
        return []
    scratch = source.like()
    return [scratch if (steps - step) % 2 else target for step in range(1, steps)]


def _rows_stage(spec, target, source, rates, steps, mirrors, threads, width) -> Stage:
    rows, columns = source.shape
    width = width or tile_width(spec, columns, steps)
    calls = []
    for start, stop in _cuts(0, rows, threads):
        scratch = aligned_zeros((spec.scratch(steps, width),), spec.format.storage)
        fixed = (rows, columns, source.halo, *mirrors[0], *mirrors[1], steps, width)
        calls.append((target.storage, source.storage, scratch, *rates, start, stop, *fixed))
    return Stage(source, compiled_sweep(spec), calls)


def _box_stage(spec, target, source, rates, left, mirrors, threads) -> Stage:
    """Return a single step on a box that reaches as far into the ghosts as the ``left`` steps after it need."""
    lo = [0 if low else -left for low, _ in mirrors]
    hi = [length + (0 if high else left) for length, (_, high) in zip(source.shape, mirrors, strict=True)]
    calls = []
    for a, b in _cuts(lo[0], hi[0], threads, spec.columns if spec.ndim == 1 else 1):
        scratch = aligned_zeros((spec.scratch(1, 0),), spec.format.storage)
        box = (a, *lo[1:], b, *hi[1:])
        calls.append(
            (target.storage, source.storage, scratch, *rates, *box, source.shape[-1], source.halo, *mirrors[-1])
        )
    return Stage(source, compiled_sweep(spec), calls)
