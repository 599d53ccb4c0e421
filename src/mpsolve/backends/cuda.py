"""The GPU backend: arrays on a card, kernels written in C++ from point functions and compiled when first run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve import lookup
from mpsolve.backends.base import Backend, Input, Launch, check_box, check_sweep, empty_bins
from mpsolve.bins import BINS
from mpsolve.errors import BackendUnavailable
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm
from mpsolve.gemm.cublas import DeviceGemm
from mpsolve.kernels.cuda.dense_kernels import DeviceKernels
from mpsolve.kernels.cuda.devices.base import Device
from mpsolve.kernels.cuda.devices.visible import device_of_this_rank
from mpsolve.kernels.cuda.launching import launch_size
from mpsolve.kernels.cuda.source import Kernel, compute_type, loop_kernel
from mpsolve.kernels.dense import DenseKernels
from mpsolve.kernels.source import VECTOR, KernelSpec
from mpsolve.kernels.transfers.layout import Overlay, Weights


class CudaBackend(Backend):
    """Fields on one device.

    Parameters
    ----------
    device : Device
        Holds the arrays and runs the kernels.
    threads : int
        Cores that this rank may use.
    """

    name = "cuda"
    captures = True

    def __init__(self, device: Device, threads: int) -> None:
        self.device, self.threads, self.device_name = device, threads, device.name

    @cached_property
    def host(self) -> Backend:
        """The backend of this rank's processor, for panels with row exchanges."""
        for name in ("cpu", "reference"):
            with suppress(BackendUnavailable):
                return lookup.find("backends", name).create(self.threads)
        raise BackendUnavailable("no backend of the processor works")

    @property
    def dense(self) -> DenseKernels:
        """The kernels of dense matrices; see `Backend.dense`."""
        return DeviceKernels(self.device, self.host.dense)

    def products(self, format: Format, wanted: str) -> Gemm:
        """Return the device's products; see `Backend.products`."""
        if wanted not in ("auto", "cublas"):
            raise BackendUnavailable(
                f"gemm {wanted!r} multiplies arrays of the processor; with --backend cuda take solver.gemm = auto"
            )
        return DeviceGemm(format, self.threads, self.device)

    @property
    def devices(self) -> tuple[str, ...]:
        """The device; see `Backend.devices`."""
        return (self.device.identity,) if self.device.identity else ()

    def synchronize(self) -> None:
        """Wait for the device."""
        self.device.synchronize()

    def captured(self, action: Callable[[], object]) -> Callable[[], object]:
        """Capture the launches of an action; see `Backend.captured`."""
        return self.device.captured(action)

    def direct_messages(self, on: bool) -> None:
        """Say where MPI takes messages from; for exchanges that are laid out from now on."""
        self.device.direct = self.sends_from_device = on

    def free_bytes(self) -> int:
        """Return the free memory of the device."""
        return self.device.free_bytes()

    def zeros(self, shape: tuple[int, ...], halo: int, format: Format) -> Field:
        """Allocate a field on the device; see `Backend.zeros`."""
        return Field.zeros(shape, halo, format, self.device)

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
        """Bind a point function; see `Backend.bind`."""
        fields = [given for given in (*outputs, *inputs) if isinstance(given, Field)]
        lo, hi = check_box(fields, lo, hi)
        origin, first = fields[0].origin, first or (0,) * fields[0].ndim
        kinds = tuple(given.format if isinstance(given, Field) else VECTOR for given in inputs)
        formats = tuple(output.format for output in outputs)

        def kernel(scalars: int) -> Kernel:
            return loop_kernel(KernelSpec(point, len(origin), kinds, formats, scalars, dots, rounding))

        compute = compute_type(formats, kinds)
        before = [argument for given in (*outputs, *inputs) for argument in self._given(given, compute)]
        box = [[at + o for at, o in zip(corner, origin, strict=True)] for corner in (lo, hi)]
        at = [start - o for start, o in zip(first, origin, strict=True)]
        return _Loop(self.device, kernel, before, box, [*at, key], len(dots))

    def bind_sweep(
        self,
        target: Field,
        source: Field,
        rates: tuple[float, ...],
        steps: int,
        mirrors: tuple[tuple[int, int], ...],
    ) -> Launch:
        """Bind explicit steps, each a launch of its own; see `Backend.bind_sweep`."""
        check_sweep(target, source, rates, steps, mirrors)
        return _Sweep(self, target, source, rates, steps, mirrors)

    def bind_lines(self, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> Launch:
        """Bind tridiagonal systems, a thread for each row; see `Backend.bind_lines`."""
        from mpsolve.kernels.cuda.rows import tridiagonal_kernel

        fields = (output, argument, *factors)
        check_box(fields, None, None)
        kernel = tridiagonal_kernel(output.format, argument.format, factors[0].format, output.ndim)
        *rows, columns = output.shape
        count = int(np.prod(rows))
        work = self.device.zeros((count * columns,), np.dtype(kernel.compute))
        before = [argument for field in fields for argument in self._given(field, kernel.compute)]
        origin = output.origin[:-1]
        box = [list(origin), [o + n for o, n in zip(origin, rows, strict=True)]]
        return _Loop(
            self.device, lambda scalars: kernel, [*before, work, count], box, [output.origin[-1], columns], None
        )

    def bind_restriction(
        self,
        point: Callable,
        coarse: Field,
        inputs: Sequence[Input],
        overlay: Overlay,
        weights: Sequence[NDArray | None],
    ) -> Launch:
        """Bind the sum of a point function over children; see `Backend.bind_restriction`."""
        from mpsolve.kernels.cuda.transfers import restriction_kernel

        fine = next(given for given in inputs if isinstance(given, Field))
        overlay.check(fine, coarse)
        kinds = tuple(given.format if isinstance(given, Field) else VECTOR for given in inputs)
        compute = compute_type((coarse.format,), kinds)
        vectors = [np.zeros(1) if weight is None else weight for weight in weights]
        before = [argument for given in (coarse, *inputs, *vectors) for argument in self._given(given, compute)]
        return _Loop(
            self.device,
            lambda scalars: restriction_kernel(point, overlay.halved, kinds, coarse.format, scalars),
            before, _interior(coarse), [overlay.start(fine, coarse, axis) for axis in range(coarse.ndim)], None,
        )  # fmt: skip

    def bind_prolongation(self, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> Launch:
        """Bind a multilinear interpolation; see `Backend.bind_prolongation`."""
        from mpsolve.kernels.cuda.transfers import prolongation_kernel

        overlay.check(fine, coarse)
        kinds = tuple(weight.format if isinstance(weight, Field) else VECTOR for weight in weights)
        given = [np.zeros(1) if weight is None else weight for weight in weights]
        compute = compute_type((fine.format, coarse.format))
        before = [argument for each in (fine, coarse, *given) for argument in self._given(each, compute)]
        kernel = prolongation_kernel(overlay.halved, fine.format, coarse.format, kinds)
        starts = [overlay.start(fine, coarse, axis) for axis in range(fine.ndim)]
        return _Loop(self.device, lambda scalars: kernel, before, _interior(fine), starts, None)

    def _given(self, given: Input, compute: str) -> list[Any]:
        """Return the arguments that stand for a field, with its row strides, or for a vector."""
        if not isinstance(given, Field):
            return [self.device.upload(np.ascontiguousarray(given, np.dtype(compute)))]
        itemsize = given.format.itemsize
        return [given.storage, *(stride // itemsize for stride in given.storage.strides[:-1])]


def _interior(field: Field) -> list[list[int]]:
    """Return the box of a field's interior in storage indices."""
    return [list(field.origin), [o + n for o, n in zip(field.origin, field.shape, strict=True)]]


class _Loop(Launch):
    """A kernel over a box; compiled at the first call, which tells the number of scalars.

    Parameters
    ----------
    device : Device
        Where it runs.
    kernel : callable
        Returns the kernel for a number of scalars.
    before, after : list
        Arguments before the scalars, and after the box that follows them.
    box : list of list of int
        First and last storage index (exclusive) of each axis.
    dots : int or None
        Inner products; None for kernels that take no table of bins.
    """

    def __init__(
        self,
        device: Device,
        kernel: Callable[[int], Kernel],
        before: list,
        box: list[list[int]],
        after: list,
        dots: int | None,
    ) -> None:
        self.device, self.kernel, self.before, self.after = device, kernel, before, after
        self.dots, self.run = dots or 0, cast("Callable | None", None)
        self.tables = [] if dots is None else [device.zeros((max(dots, 1), 2, BINS), np.dtype(np.int64))]
        self.box = [*box[0], *box[1]]
        self.empty = any(stop <= start for start, stop in zip(*box, strict=True))
        self.grid, self.block = launch_size(device, box[0], box[1], bool(dots))

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        run = self.run = self.run or self.device.compiled(self.kernel(len(scalars)))
        if self.dots:
            self.tables[0].fill(0)
        if not self.empty:
            run(self.grid, self.block, [*self.before, *scalars, *self.box, *self.after, *self.tables])
        return self.device.download(self.tables[0]) if self.dots else empty_bins(0)


class _Sweep(Launch):
    """Explicit steps: between them the state lies in the target and in a field of the launch's own."""

    def __init__(self, backend: CudaBackend, target: Field, source: Field, rates, steps: int, mirrors) -> None:
        from mpsolve.kernels.cuda.rows import sweep_kernel

        ndim, device = source.ndim, backend.device
        typed = [np.dtype(source.format.compute).type(rate) for rate in rates]
        kernel = sweep_kernel(source.format, ndim, all(rate == typed[0] for rate in typed))
        between = source.like() if steps > 1 else target
        sides = [side for pair in mirrors for side in pair]
        ends = [place for o, n in zip(source.origin, source.shape, strict=True) for place in (o, o + n)]
        self.device, self.calls, self.replay = device, 0, cast("Callable | None", None)
        self.loops, given = [], source
        for left in reversed(range(steps)):
            result = between if left % 2 else target
            reach = [[0 if side else left for side in pair] for pair in mirrors]
            lo = [o - low for o, (low, _) in zip(source.origin, reach, strict=True)]
            hi = [o + n + high for o, n, (_, high) in zip(source.origin, source.shape, reach, strict=True)]
            before = [value for field in (result, given) for value in backend._given(field, kernel.compute)]
            self.loops.append(_Loop(device, lambda scalars: kernel, [*before, *typed, *sides], [lo, hi], ends, None))
            given = result

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        self.calls += 1
        if self.replay is None and self.calls > 1 and len(self.loops) > 1:
            # The first call has compiled the kernel.
            self.replay = self.device.captured(self._launch)
        (self.replay or self._launch)()
        return empty_bins(0)

    def _launch(self) -> None:
        for loop in self.loops:
            loop()


def create(threads: int = 1) -> Backend:
    """Return the backend on the device of this rank: its number on the node, modulo the devices that are visible.

    Raises
    ------
    BackendUnavailable
        If there is no CuPy, driver or device that works; the message says which, and what to install.
    """
    return CudaBackend(device_of_this_rank(), threads)
