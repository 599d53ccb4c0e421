"""The reference backend: NumPy on shifted views, the oracle that every other backend is tested against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend, Input, Launch, check_box, check_sweep, empty_bins
from mpsolve.bins import accumulate
from mpsolve.errors import FormatError
from mpsolve.field import Field
from mpsolve.kernels.dense import DenseKernels
from mpsolve.kernels.dense_array import ArrayKernels
from mpsolve.kernels.noise_array import random_bits_array
from mpsolve.kernels.sweep_array import sweep_array
from mpsolve.kernels.transfers.layout import Overlay, Weights
from mpsolve.kernels.transfers.transfer_array import child_sums, interpolation


@dataclass(frozen=True)
class _Index:
    """One axis of a box in storage coordinates; adding an integer shifts it."""

    axis: int
    start: int
    stop: int

    def __add__(self, shift: int) -> "_Index":
        return _Index(self.axis, self.start + shift, self.stop + shift)

    def __sub__(self, shift: int) -> "_Index":
        return self + (-shift)

    @property
    def range(self) -> slice:
        return slice(self.start, self.stop)


def _load(array: Input, *index: _Index) -> NDArray:
    """Return the decoded box of a field, or the piece of a vector shaped to broadcast along its axis."""
    if isinstance(array, Field):
        return array.format.decode(array.storage[tuple(position.range for position in index)])
    (position,) = index
    return _Vector.along(array, position)


class _Vector:
    """Shapes one-dimensional arrays for a box."""

    @staticmethod
    def along(array: NDArray, position: _Index) -> NDArray:
        """Return the piece of ``array`` for one axis; trailing axes are added when it meets a field."""
        return array[position.range].reshape([-1 if axis == position.axis else 1 for axis in range(position.axis + 1)])


class _Reference(Launch):
    def __init__(self, point, outputs, inputs, lo, hi, dots, rounding, first, key):
        self.point, self.outputs, self.inputs, self.dots = point, tuple(outputs), tuple(inputs), dots
        self.lo, self.hi, self.rounding, self.first, self.key = lo, hi, rounding, first, key
        fields = [given for given in (*outputs, *inputs) if isinstance(given, Field)]
        self.fields, self.compute = fields, np.result_type(*(field.format.compute for field in fields))
        ends = zip(fields[0].origin, lo, hi, strict=True)
        self.index = tuple(_Index(axis, o + a, o + b) for axis, (o, a, b) in enumerate(ends))

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        if self.point is not None:
            self._store(tuple(self.compute.type(scalar) for scalar in scalars))
        bins = empty_bins(len(self.dots))
        for number, (left, right) in enumerate(self.dots):
            pair = [self.fields[side] for side in (left, right)]
            decoded = [side.format.decode(side.region(self.lo, self.hi)).astype(np.float64) for side in pair]
            with np.errstate(all="ignore"):
                accumulate(decoded[0] * decoded[1], bins[number])
        return bins

    def evaluate(self, scalars: tuple) -> list[NDArray]:
        """Return the values of the point function on the box, before they are rounded to a storage format."""
        shape = tuple(max(position.stop - position.start, 0) for position in self.index)
        with np.errstate(all="ignore"):
            values = self.point(self._loader(len(shape)), self.inputs, scalars, *self.index)
        values = values if isinstance(values, tuple) else (values,)
        return [np.broadcast_to(value, shape) for value in values]

    def _store(self, scalars: tuple) -> None:
        for number, (field, value) in enumerate(zip(self.outputs, self.evaluate(scalars), strict=True)):
            if value.dtype != field.format.compute and value.dtype != self.compute:
                raise FormatError(f"{self.point.__name__} computed in {value.dtype}, not in {self.compute}")
            field.region(self.lo, self.hi)[...] = self._encoded(field, number, value)

    @staticmethod
    def _loader(ndim: int) -> Callable:
        def load(array, *index):
            values = _load(array, *index)
            return values.reshape(values.shape + (1,) * (ndim - values.ndim)) if len(index) == 1 else values

        return load

    def _encoded(self, field: Field, number: int, value: NDArray) -> NDArray:
        if self.rounding != "stochastic" or field.format.bits > 16:
            return field.format.encode(value)
        starts = tuple(start + at for start, at in zip(self.lo, self.first, strict=True))
        bits = random_bits_array(self.key, number, starts, value.shape)
        return field.format.encode(value.astype(np.float32), rounding="stochastic", random_bits=bits)


class ReferenceBackend(Backend):
    """NumPy, one thread, no compilation."""

    name = "reference"

    def __init__(self) -> None:
        self.threads = 1

    @property
    def dense(self) -> DenseKernels:
        """The kernels of dense matrices; see `Backend.dense`."""
        return ArrayKernels()

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
        """Bind a point function to arrays; see `Backend.bind`."""
        fields = [given for given in (*outputs, *inputs) if isinstance(given, Field)]
        lo, hi = check_box(fields, lo, hi)
        first = first if first is not None else (0,) * fields[0].ndim
        return _Reference(point, outputs, inputs, lo, hi, dots, rounding, first, key)

    def bind_sweep(
        self,
        target: Field,
        source: Field,
        rates: tuple[float, ...],
        steps: int,
        mirrors: tuple[tuple[int, int], ...],
    ) -> Launch:
        """Bind explicit diffusion steps; see `Backend.bind_sweep`."""
        check_sweep(target, source, rates, steps, mirrors)
        return _ReferenceSweep(target, source, rates, steps, mirrors)

    def bind_lines(self, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> Launch:
        """Bind the solution of tridiagonal systems along rows; see `Backend.bind_lines`."""
        return _ReferenceLines(output, argument, factors)

    def bind_restriction(
        self,
        point: Callable,
        coarse: Field,
        inputs: Sequence[Input],
        overlay: Overlay,
        weights: Sequence[NDArray | None],
    ) -> Launch:
        """Bind the sum of a point function over children; see `Backend.bind_restriction`."""
        overlay.check(next(given for given in inputs if isinstance(given, Field)), coarse)
        return _ReferenceRestriction(point, coarse, inputs, overlay, weights)

    def bind_prolongation(self, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> Launch:
        """Bind a multilinear interpolation; see `Backend.bind_prolongation`."""
        overlay.check(fine, coarse)
        return _ReferenceProlongation(fine, coarse, overlay, weights)


class _ReferenceRestriction(Launch):
    def __init__(self, point, coarse: Field, inputs, overlay: Overlay, weights) -> None:
        fine = next(given for given in inputs if isinstance(given, Field))
        counts = [(2 if halved else 1) * n for halved, n in zip(overlay.halved, coarse.shape, strict=True)]
        hi = tuple(first + count for first, count in zip(overlay.first, counts, strict=True))
        self.coarse, self.overlay = coarse, overlay
        self.values = _Reference(point, [], inputs, overlay.first, hi, (), "nearest", (0,) * fine.ndim, 0)
        pieces = zip(weights, fine.origin, overlay.first, hi, strict=True)
        self.weights = [None if w is None else w[origin + lo : origin + up] for w, origin, lo, up in pieces]

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        values = self.values.evaluate(tuple(self.values.compute.type(scalar) for scalar in scalars))[0]
        with np.errstate(all="ignore"):
            self.coarse.interior[...] = self.coarse.format.encode(child_sums(values, self.overlay, self.weights))
        return empty_bins(0)


class _ReferenceProlongation(Launch):
    def __init__(self, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> None:
        self.fine, self.coarse, self.overlay, self.weights = fine, coarse, overlay, weights

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        with np.errstate(all="ignore"):
            added = interpolation(self.fine, self.coarse, self.overlay, self.weights)
            decoded = self.fine.format.decode(self.fine.interior)
            self.fine.interior[...] = self.fine.format.encode(decoded + added)
        return empty_bins(0)


class _ReferenceSweep(Launch):
    def __init__(self, *arguments) -> None:
        self.arguments = arguments

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        sweep_array(*self.arguments)
        return empty_bins(0)


class _ReferenceLines(Launch):
    def __init__(self, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> None:
        self.output, self.argument = output, argument
        self.lower, self.inverse, self.border = (field.format.decode(field.interior) for field in factors)

    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        work = self.argument.format.decode(self.argument.interior)
        work = work.astype(np.result_type(work, self.lower, self.output.format.compute))
        count = work.shape[-1]
        with np.errstate(all="ignore"):
            for j in range(1, count):
                work[..., j] -= self.lower[..., j] * work[..., j - 1]
            work[..., -1] *= self.inverse[..., -1]
            for j in range(count - 2, -1, -1):
                work[..., j] = work[..., j] * self.inverse[..., j] - self.lower[..., j + 1] * work[..., j + 1]
            ends = work[..., :1] + self.lower[..., :1] * work[..., -1:]
            self.output.interior[...] = self.output.format.encode(work - self.border * ends)
        return empty_bins(0)


def create(threads: int = 1) -> Backend:
    """Return the reference backend; it uses one thread whatever is asked."""
    return ReferenceBackend()
