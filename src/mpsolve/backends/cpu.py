"""The CPU backend: point functions compiled by Numba, rows shared out to threads, stores that bypass the caches."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import VECTOR, Backend, Input, Launch, box_size, check_box, check_sweep, empty_bins
from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.field import Field
from mpsolve.kernels.dense import DenseKernels
from mpsolve.kernels.sweep_array import reflect_outer_axes
from mpsolve.kernels.transfers.layout import Correction, Overlay, Weights

#: Below this many cells a second thread costs more than it saves.
CELLS_PER_THREAD = 1 << 14
#: Outputs larger than this leave the caches anyway, so streaming stores save reading them first; unit: bytes.
STREAM_BYTES = 1 << 25


def _slabs(lo: tuple[int, ...], hi: tuple[int, ...], threads: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cut a box along its first axis into at most ``threads`` slabs of almost equal height."""
    count = max(1, min(threads, box_size(lo, hi) // CELLS_PER_THREAD, hi[0] - lo[0]))
    cuts = [lo[0] + (hi[0] - lo[0]) * number // count for number in range(count + 1)]
    return [((a, *lo[1:]), (b, *hi[1:])) for a, b in zip(cuts, cuts[1:], strict=False)]


def _check_widths(read: Sequence[Field]) -> None:
    """Refuse to read two formats of one width in one loop, which tells them apart by their width alone."""
    for bits in (8, 16):
        names = sorted({field.format.name for field in read if field.format.bits == bits})
        if len(names) > 1:
            raise FormatError(f"one loop reads at most one format of {bits} bits, not {' and '.join(names)}; take one")


class _Compiled(Launch):
    def __init__(self, backend, spec, outputs, inputs, lo, hi, first, key):
        self.backend, self.spec, self.kernel, self.scalar = backend, spec, None, np.dtype(spec.compute).type
        self.arrays = [given.storage if isinstance(given, Field) else given for given in (*outputs, *inputs)]
        model = next(given for given in (*outputs, *inputs) if isinstance(given, Field))
        at = tuple(start - origin for start, origin in zip(first, model.origin, strict=True))
        self.boxes = []
        for a, b in _slabs(lo, hi, backend.threads):
            corners = [x + origin for corner in (a, b) for x, origin in zip(corner, model.origin, strict=True)]
            self.boxes.append((*corners, *at, np.uint32(key)))

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        if self.kernel is None:
            self.kernel = self.backend.compiled(self.spec, len(scalars))
        arguments = (*self.arrays, *map(self.scalar, scalars))
        bins = [empty_bins(len(self.spec.dots)) for _ in self.boxes]
        calls = [(*arguments, *box, table) for box, table in zip(self.boxes, bins, strict=True)]
        self.backend.run(self.kernel, calls)
        return bins[0] if len(bins) == 1 else sum(bins[1:], bins[0])


class CpuBackend(Backend):
    """Numba on the cores of this rank."""

    name = "cpu"
    fuses_steps = True

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    @property
    def dense(self) -> DenseKernels:
        """The kernels of dense matrices; see `Backend.dense`."""
        from mpsolve.kernels.dense_compiled import CompiledKernels

        return CompiledKernels(self.threads, self.run)

    def run(self, kernel: Callable, calls: Sequence[tuple]) -> None:
        """Call a compiled kernel once per tuple of arguments, on as many threads as there are calls."""
        if self._pool is None or len(calls) == 1:
            for arguments in calls:
                kernel(*arguments)
            return
        for future in [self._pool.submit(kernel, *arguments) for arguments in calls]:
            future.result()

    @staticmethod
    def compiled(spec, scalars: int) -> Callable:
        """Return the compiled loop for a specification and a number of scalars."""
        from dataclasses import replace

        from mpsolve.kernels.compile import compiled

        return compiled(replace(spec, scalars=scalars))

    def bind(
        self,
        point: Callable | None,
        outputs: Sequence[Field],
        inputs: Sequence[Input],
        *,
        lo: tuple[int, ...] | None = None,
        hi: tuple[int, ...] | None = None,
        dots: tuple[tuple[int, int], ...] = (),
        rounding: str = "nearest",
        first: tuple[int, ...] | None = None,
        key: int = 0,
        scratch: tuple[int, ...] = (),
    ) -> Launch:
        """Compile a point function and bind it to arrays; see `Backend.bind`."""
        from mpsolve.kernels.points.shallow_water_rows import ROLLED
        from mpsolve.kernels.source import KernelSpec

        fields = [given for given in (*outputs, *inputs) if isinstance(given, Field)]
        lo, hi = check_box(fields, lo, hi)
        _check_widths([given for given in (*(outputs if dots else ()), *inputs) if isinstance(given, Field)])
        formats = tuple(given.format if isinstance(given, Field) else VECTOR for given in inputs)
        aliases = tuple(
            (number, place)
            for number, given in enumerate(inputs)
            for place, output in enumerate(outputs)
            if isinstance(given, Field) and output.storage is given.storage
        )
        large = sum(output.storage.nbytes for output in outputs) > STREAM_BYTES
        spec = KernelSpec(
            point=point,
            ndim=fields[0].ndim,
            inputs=formats,
            outputs=tuple(output.format for output in outputs),
            dots=dots,
            rounding=rounding,
            # Sums over narrow formats leave memory idle; there a second look at a buffer costs more than it saves.
            stream=large and not aliases and not (dots and max(output.format.itemsize for output in outputs) < 4),
            aliases=aliases,
            scratch=scratch,
            rolled=ROLLED.get(point) if fields[0].halo > 1 and not (dots or aliases or rounding != "nearest") else None,
        )
        first = first if first is not None else (0,) * fields[0].ndim
        return _Compiled(self, spec, outputs, inputs, lo, hi, first, key)

    def bind_sweep(
        self,
        target: Field,
        source: Field,
        rates: tuple[float, ...],
        steps: int,
        mirrors: tuple[tuple[int, int], ...],
    ) -> Launch:
        """Compile and bind explicit diffusion steps; see `Backend.bind_sweep`."""
        check_sweep(target, source, rates, steps, mirrors)
        return _CompiledSweep(self, target, source, rates, steps, mirrors)

    def bind_lines(self, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> Launch:
        """Compile and bind the solution of tridiagonal systems along rows; see `Backend.bind_lines`."""
        return _CompiledLines(self, output, argument, factors)

    def bind_steps(
        self,
        point: Callable,
        target: Field,
        source: Field | None,
        inputs: Sequence[Input],
        *,
        along: tuple[int, ...],
        correction: Correction | None,
    ) -> Launch:
        """Compile and bind several steps in one pass; see `Backend.bind_steps`."""
        return _CompiledSteps(self, point, target, source, inputs, along, correction)

    def bind_restriction(
        self,
        point: Callable,
        coarse: Field,
        inputs: Sequence[Input],
        overlay: Overlay,
        weights: Sequence[NDArray | None],
    ) -> Launch:
        """Compile and bind the sum of a point function over children; see `Backend.bind_restriction`."""
        overlay.check(next(given for given in inputs if isinstance(given, Field)), coarse)
        return _CompiledRestriction(self, point, coarse, inputs, overlay, weights)

    def bind_prolongation(self, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> Launch:
        """Compile and bind a multilinear interpolation; see `Backend.bind_prolongation`."""
        overlay.check(fine, coarse)
        return _CompiledProlongation(self, fine, coarse, overlay, weights)


class _CompiledRestriction(Launch):
    def __init__(self, backend, point, coarse: Field, inputs, overlay: Overlay, weights) -> None:
        from mpsolve.kernels.transfers.restriction import RestrictionSpec

        formats = tuple(given.format if isinstance(given, Field) else VECTOR for given in inputs)
        self.backend, self.kernel = backend, None
        self.spec = RestrictionSpec(point, overlay.halved, formats, coarse.format)
        fine = next(given for given in inputs if isinstance(given, Field))
        self.scalar = np.dtype(self.spec.loop.compute).type
        # Between grids in different formats the loop computes in the wider one; vectors come in that of the fine grid.
        arrays = [given.storage if isinstance(given, Field) else np.asarray(given, self.scalar) for given in inputs]
        given_weights = (np.zeros(0) if weight is None else weight for weight in weights)
        self.arrays = [coarse.storage, *arrays, *(np.asarray(weight, self.scalar) for weight in given_weights)]
        at = [overlay.start(fine, coarse, axis) for axis in range(coarse.ndim)]
        self.boxes = []
        for a, b in _slabs((0,) * coarse.ndim, coarse.shape, backend.threads):
            self.boxes.append([x + o for corner in (a, b) for x, o in zip(corner, coarse.origin, strict=True)] + at)

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        if self.kernel is None:
            from dataclasses import replace

            from mpsolve.kernels.transfers.restriction import restriction_kernel

            self.kernel = restriction_kernel(replace(self.spec, scalars=len(scalars)))
        arguments = (*self.arrays, *map(self.scalar, scalars))
        self.backend.run(self.kernel, [(*arguments, *box) for box in self.boxes])
        return empty_bins(0)


class _CompiledProlongation(Launch):
    def __init__(self, backend, fine: Field, coarse: Field, overlay: Overlay, weights) -> None:
        from mpsolve.kernels.transfers.prolongation import ProlongationSpec, prolongation_kernel

        formats = tuple(given.format if isinstance(given, Field) else VECTOR for given in weights)
        spec = ProlongationSpec(overlay.halved, fine.format, coarse.format, formats)
        compute = np.dtype(spec.compute)
        whole = (np.zeros(0) if given is None else given for given in weights)
        arrays = [given.storage if isinstance(given, Field) else np.asarray(given, compute) for given in whole]
        fixed = (fine.storage, coarse.storage, *arrays)
        at = [overlay.start(fine, coarse, axis) for axis in range(fine.ndim)]
        self.backend, self.kernel, self.calls = backend, prolongation_kernel(spec), []
        for a, b in _slabs((0,) * fine.ndim, fine.shape, backend.threads):
            box = [x + o for corner in (a, b) for x, o in zip(corner, fine.origin, strict=True)]
            self.calls.append((*fixed, *box, *at))

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        self.backend.run(self.kernel, self.calls)
        return empty_bins(0)


class _CompiledSweep(Launch):
    def __init__(self, backend, target, source, rates, steps, mirrors) -> None:
        from mpsolve.kernels.passes import sweep_stages

        self.backend, self.mirrors = backend, mirrors
        threads = len(_slabs((0,) * source.ndim, source.shape, backend.threads))
        stream = target.storage.nbytes > STREAM_BYTES
        self.stages = sweep_stages(target, source, rates, steps, mirrors, threads=threads, stream=stream)

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        for stage in self.stages:
            reflect_outer_axes(stage.source, self.mirrors)
            self.backend.run(stage.kernel, stage.calls)
        return empty_bins(0)


class _CompiledSteps(Launch):
    def __init__(self, backend, point, target, source, inputs, along, correction) -> None:
        from mpsolve.kernels.wavefront import BoundSteps

        self.backend = backend
        stream = target.storage.nbytes > STREAM_BYTES
        self.boxes = _slabs((0,) * target.ndim, target.shape, backend.threads)
        self.bound = BoundSteps(point, target, source, inputs, along, correction, stream)

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        kernel, calls = self.bound.calls(scalars, self.boxes)
        self.backend.run(kernel, calls)
        return empty_bins(0)


class _CompiledLines(Launch):
    def __init__(self, backend, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> None:
        from mpsolve.kernels.tridiagonal import compute_type, grouped, tridiagonal_kernel

        check_box((output, argument, *factors), None, None)
        formats = (output.format, argument.format, factors[0].format)
        self.backend, self.kernel, self.calls = backend, tridiagonal_kernel(*formats), []
        fields = [field.storage.reshape(-1, field.storage.shape[-1]) for field in (output, argument)]
        *outer, columns = output.shape
        first = output.origin[-1]
        for plane in range(outer[0]) if len(outer) > 1 else (None,):
            # The rows of one plane lie together; planes are apart by their ghost rows.
            before = 0 if plane is None else (plane + output.halo) * output.storage.shape[1]
            for (a, *_), (b, *_) in _slabs((0, 0), (outer[-1], columns), backend.threads):
                picked = (slice(a, b),) if plane is None else (plane, slice(a, b))
                arrays = grouped(factors, picked, compute_type(*formats))
                rows = before + output.halo
                self.calls.append((*fields, *arrays, rows + a, rows + b, first, columns))

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        self.backend.run(self.kernel, self.calls)
        return empty_bins(0)


def create(threads: int = 1) -> Backend:
    """Return the CPU backend.

    Raises
    ------
    BackendUnavailable
        If Numba is not installed.
    """
    from importlib.util import find_spec

    if find_spec("numba") is None:
        raise BackendUnavailable("backend 'cpu' needs Numba: pip install 'mpsolve[cpu]'; or use --backend reference")
    return CpuBackend(threads)
