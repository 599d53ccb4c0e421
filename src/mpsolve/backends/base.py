"""The contract of a backend: it allocates fields and turns point functions into loops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from mpsolve.bins import BINS
from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm
from mpsolve.kernels.dense import DenseKernels
from mpsolve.kernels.sweep import MOST_STEPS
from mpsolve.kernels.transfers.layout import Correction, Overlay, Weights

#: A plain one-dimensional compute array, indexed by one storage index.
VECTOR = "vector"

Input = Field | NDArray


class Launch(ABC):
    """A kernel bound to its arrays and box: calling it with the scalars runs it."""

    @abstractmethod
    def __call__(self, *scalars: float) -> NDArray[np.int64]:
        """Run over the box.

        Parameters
        ----------
        *scalars : float
            Constants of the point function; converted to the compute type once per call.

        Returns
        -------
        ndarray of int64, shape (number of dots, 2, BINS)
            Local bins of the inner products asked for; combine them over the ranks before use.
        """


class Backend(ABC):
    """Where arrays live and how kernels run; one instance per rank.

    Attributes
    ----------
    name : str
        Config name: the name of the module.
    threads : int
        Cores that this rank may use.
    device_name : str
        The card that this rank uses; empty where arrays lie in the memory of the processor.
    sends_from_device : bool
        Whether MPI takes halo messages from the memory of the card.
    captures : bool
        Whether launches may be captured and done again together.
    fuses_steps : bool
        Whether several steps share a pass; see `bind_steps`.
    """

    name: str
    threads: int
    device_name: str = ""
    sends_from_device: bool = False
    captures: bool = False
    fuses_steps: bool = False

    @property
    @abstractmethod
    def dense(self) -> DenseKernels:
        """The kernels of dense matrices."""

    @property
    def host(self) -> Backend:
        """The backend of this rank's processor; this one, if it is that."""
        return self

    def products(self, format: Format, wanted: str) -> Gemm | None:
        """Return products of blocks where they lie; None if these are NumPy arrays, which any entry of ``gemm`` takes.

        Parameters
        ----------
        format : Format
            Of the operands.
        wanted : str
            The entry of ``gemm`` that was asked for, or ``"auto"``.

        Raises
        ------
        BackendUnavailable
            If that entry cannot multiply blocks where they lie.
        """
        return None

    def free_bytes(self) -> int | None:
        """Return the free memory of the device; None if arrays lie in the memory of the node."""
        return None

    @property
    def devices(self) -> tuple[str, ...]:
        """The cards that this rank uses, by the name that energy meters know: UUID or PCI address."""
        return ()

    def synchronize(self) -> None:  # noqa: B027 - the processor is done when a kernel returns
        """Wait until everything that was launched is done (local)."""

    def captured(self, action: Callable[[], object]) -> Callable[[], object]:
        """Return what does an action again with as few launches as possible; see `Device.captured`."""
        return action

    def direct_messages(self, on: bool) -> None:  # noqa: B027 - only a device has memory of its own
        """Let MPI take halo messages from the memory of the device, or from that of the host."""

    def run(self, kernel: Callable, calls: Sequence[tuple]) -> None:
        """Call a function once per tuple of arguments; a backend with threads does so side by side (local)."""
        for arguments in calls:
            kernel(*arguments)

    def zeros(self, shape: tuple[int, ...], halo: int, format: Format) -> Field:
        """Allocate a field of zeros of local ``shape`` with ghost cells."""
        return Field.zeros(shape, halo, format)

    @abstractmethod
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
        """Compile a point function for these arrays and bind it to a box.

        Parameters
        ----------
        point : callable or None
            ``point(load, arrays, scalars, *index)`` returns the value of each output at one cell; it uses its
            arguments only, has no number literals and no branch on data. None if only ``dots`` are wanted.
        outputs : sequence of Field
            Written on the box. An output may also be an input if it is loaded only at the cell itself.
        inputs : sequence of Field or ndarray
            Fields of the same origin, or one-dimensional arrays indexed by one storage index.
        lo, hi : tuple of int, optional
            Box in interior coordinates, ``hi`` exclusive; it may reach into ghosts. Default: the interior.
        dots : tuple of (int, int)
            Pairs of fields, outputs numbered first, then inputs: inner products over the box.
        rounding : str
            ``"nearest"`` or ``"stochastic"``; the latter rounds by the hash of ``key`` and the global index.
        first : tuple of int, optional
            Global index of interior cell 0, for stochastic rounding.
        key : int
            Seed of stochastic rounding, below 2**32.
        scratch : tuple of int
            Outputs that are wanted for the inner products alone: what their fields hold afterwards is not defined.

        Raises
        ------
        ShapeError
            If the fields differ in origin or the box leaves their storage.
        """

    @abstractmethod
    def bind_lines(self, output: Field, argument: Field, factors: tuple[Field, Field, Field]) -> Launch:
        """Bind the solution of a symmetric tridiagonal, possibly periodic system along the last axis of each row.

        Parameters
        ----------
        output, argument : Field
            Solution and right-hand side; 2 or 3 axes.
        factors : tuple of Field
            ``lower``: off-diagonal over the pivot before it, and at column 0 the weight of the last unknown in the
            border correction; ``inverse``: 1 / pivot; ``border``: the vector that corrects for the periodic corner,
            zero if there is none. See `mpsolve.operators.lines.factorise`.
        """

    @abstractmethod
    def bind_sweep(
        self,
        target: Field,
        source: Field,
        rates: tuple[float, ...],
        steps: int,
        mirrors: tuple[tuple[int, int], ...],
    ) -> Launch:
        """Bind explicit steps of uniform diffusion, ``u += sum rate * (u before - 2 u + u after)``, to two fields.

        Every step rounds its result to the storage format, so that the bits do not depend on how many steps share a
        pass. If all rates are equal in the compute type, the sums of all axes share one product. FP32 products are
        added with a single rounding, FP64 products with two, on every backend.

        Parameters
        ----------
        target, source : Field
            Of the same shape, halo and format. The target's ghosts are overwritten with what the kernel likes.
        rates : tuple of float
            ``dt k / h**2`` for each axis.
        steps : int
            1 to `MOST_STEPS`.
        mirrors : tuple of (int, int)
            What lies beyond the low and high side of each axis. 0: ghosts of a neighbour or of the other end, valid
            ``steps`` deep, corners included, when the launch runs. 1: no flux (the ghost is the inner cell). -1: a zero
            on the face of the cell (the ghost is minus the inner cell). The launch fills mirrored ghosts itself.

        Returns
        -------
        Launch
            To be called without scalars; it returns no bins.

        Raises
        ------
        ShapeError
            If the fields differ, or the halo is too narrow for the steps.
        """

    def bind_steps(
        self,
        point: Callable,
        target: Field,
        source: Field | None,
        inputs: Sequence[Input],
        *,
        along: tuple[int, ...],
        correction: Correction | None,
    ) -> Launch | None:
        """Bind several steps of a point function in one pass over memory; None unless `fuses_steps`.

        The numbers between the steps are not rounded to the storage format. In FP32 and FP64 the bits are those of one
        step after the other.

        Parameters
        ----------
        point : callable
            As in `bind`, with one value: ``point(load, (u, *inputs), (constant, length), *index)``. It loads ``u`` up
            to one cell away; 2 or 3 axes.
        target : Field
            The result on its interior; its halo is at least the number of steps.
        source : Field or None
            What the steps start from, valid as many cells deep as there are steps, corners included; None: zero. Not
            the target.
        inputs : sequence of Field or ndarray
            As in `bind`; valid one cell less deep.
        along : tuple of int
            Numbers of those inputs that are vectors along the last axis.
        correction : Correction or None
            A coarse field whose interpolation is added before the first step; its ghosts are valid
            ``steps // 2 + 1`` deep. Source, correction or both are given.

        Returns
        -------
        Launch or None
            To be called with the constant, and a length for each step.
        """
        return None

    @abstractmethod
    def bind_restriction(
        self,
        point: Callable,
        coarse: Field,
        inputs: Sequence[Input],
        overlay: Overlay,
        weights: Sequence[NDArray | None],
    ) -> Launch:
        """Bind ``coarse = sum over children of weight * point``: a point function summed over the children of a cell.

        Parameters
        ----------
        point : callable
            As in `bind`, with one value; evaluated at the children of every interior coarse cell, ghosts included.
        coarse : Field
            The result on its interior.
        inputs : sequence of Field or ndarray
            Of the fine block.
        overlay : Overlay
            How the blocks lie over each other.
        weights : sequence of ndarray or None
            Per halved axis a weight per fine storage index, in the compute type of the loop (0 for a child that does
            not exist); None for axes that are kept. A child counts with the product of its weights.
        """

    @abstractmethod
    def bind_prolongation(self, fine: Field, coarse: Field, overlay: Overlay, weights: Weights) -> Launch:
        """Bind ``fine += interpolation of coarse``, multilinear or by given weights, on the interior of ``fine``.

        Parameters
        ----------
        fine, coarse : Field
            Their blocks lie as `overlay` says; the coarse ghosts, corners included, must be valid one deep.
        overlay : Overlay
            How the blocks lie over each other.
        weights : sequence of ndarray or None, or sequence of Field
            Multilinear: per halved axis the weight of the coarse cell beside the parent of a fine cell (the one before
            it for a first child, after it for a second), by storage index and in the compute type (FP64 if a field is
            FP64); None for axes that are kept. Or per corner, in the order of `layout.corners`, a field of the fine
            block, all in one format: the weight of the coarse cell there.
        """


def check_sweep(target: Field, source: Field, rates: tuple, steps: int, mirrors: tuple[tuple[int, int], ...]) -> None:
    """Refuse a sweep that cannot be done.

    Raises
    ------
    ShapeError
        If the fields differ, the halo is too narrow for the steps, or an argument does not fit the axes.
    """
    if (target.shape, target.halo, target.format) != (source.shape, source.halo, source.format):
        raise ShapeError(
            f"source and target of a sweep share shape, halo and format, not {source.shape}, {source.halo}, "
            f"{source.format.name} and {target.shape}, {target.halo}, {target.format.name}"
        )
    if target.storage is source.storage or (
        source.device is None and np.may_share_memory(target.storage, source.storage)
    ):
        raise ShapeError("source and target of a sweep must not share storage; give two fields")
    if len(rates) != source.ndim or len(mirrors) != source.ndim:
        raise ShapeError(f"{source.ndim} axes need as many rates and mirrors, not {len(rates)} and {len(mirrors)}")
    if any(side not in (-1, 0, 1) for sides in mirrors for side in sides):
        raise ShapeError(f"a mirror is -1, 0 or 1, not one of {mirrors}")
    if not 1 <= steps <= MOST_STEPS:
        raise ShapeError(f"a pass has 1 to {MOST_STEPS} steps, not {steps}")
    needed = steps if any(0 in sides for sides in mirrors) else 1
    if source.halo < needed:
        raise ShapeError(f"{steps} steps in one pass need a halo of {needed}, not {source.halo}; ask for fewer steps")


def check_box(fields: Sequence[Field], lo: tuple[int, ...] | None, hi: tuple[int, ...] | None):
    """Return the box, filled in, after checking that every field can be addressed by the same indices.

    Raises
    ------
    ShapeError
        If the fields differ in origin or the box leaves a field's storage.
    """
    model = fields[0]
    lo = lo if lo is not None else (0,) * model.ndim
    hi = hi if hi is not None else model.shape
    for field in fields:
        if field.origin != model.origin or field.ndim != model.ndim:
            raise ShapeError(f"fields of one kernel share their halo and axes, not {field.origin} and {model.origin}")
        ends = zip(lo, hi, field.origin, field.storage.shape, strict=True)
        if any(start + origin < 0 or stop + origin > length for start, stop, origin, length in ends):
            raise ShapeError(f"box {lo} to {hi} leaves a field of shape {field.shape} with halo {field.halo}")
    return lo, hi


def box_size(lo: tuple[int, ...], hi: tuple[int, ...]) -> int:
    """Return the number of cells of a box; 0 if it is empty."""
    return prod(max(stop - start, 0) for start, stop in zip(lo, hi, strict=True))


def empty_bins(count: int) -> NDArray[np.int64]:
    """Return zeroed bins for ``count`` inner products, shape (count, 2, BINS)."""
    return np.zeros((count, 2, BINS), np.int64)
