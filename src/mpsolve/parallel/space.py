"""Where the vectors of one problem live: communicator, backend and local shape; kernels whose sums span the ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend, Input
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.ledger import Ledger
from mpsolve.parallel.reductions import combine, maximum

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


@dataclass(frozen=True)
class Space:
    """The vectors of a problem: distributed over ``comm``, allocated and computed by ``backend``.

    Attributes
    ----------
    comm : mpi4py.MPI.Intracomm
        Ranks that share each vector.
    backend : Backend
        Compiles the kernels and allocates the fields.
    shape : tuple of int
        Local shape.
    halo : int
        Width of the ghost layer of every vector.
    ledger : Ledger
        Counts bytes and reductions of every kernel.
    """

    comm: Intracomm
    backend: Backend
    shape: tuple[int, ...]
    halo: int
    ledger: Ledger

    def zeros(self, format: Format) -> Field:
        """Allocate a vector of zeros in a format."""
        return self.backend.zeros(self.shape, self.halo, format)

    def bind(
        self,
        point: Callable | None,
        outputs: Sequence[Field],
        inputs: Sequence[Input],
        *,
        dots: tuple[tuple[int, int], ...] = (),
        phase: str = "vector",
        flops: int = 0,
        rounding: str = "nearest",
        first: tuple[int, ...] | None = None,
        key: int = 0,
    ) -> Callable[..., NDArray[np.float64]]:
        """Bind a cell-by-cell kernel; calling it with scalars returns the global inner products (collective if any).

        Parameters
        ----------
        point, outputs, inputs, dots, rounding, first, key
            As in `Backend.bind`.
        phase : str
            The ledger's phase.
        flops : int
            Operations per cell that `point` does; 2 more are counted for each inner product.
        """
        launch = self.backend.bind(point, outputs, inputs, dots=dots, rounding=rounding, first=first, key=key)
        cells = int(np.prod(self.shape))
        fields = [field for field in (*outputs, *inputs) if isinstance(field, Field)]
        moved = cells * sum(field.format.itemsize for field in fields)
        name = counted_as(fields)
        work = {"flops": (flops + 2 * len(dots)) * cells, "bytes": moved, "reductions": int(bool(dots))}

        def call(*scalars: float) -> NDArray[np.float64]:
            bins = launch(*scalars)
            self.ledger.add(phase, name, **work)
            return combine(self.comm, bins) if dots else np.empty(0)

        return call

    def bind_lines(self, output: Field, argument: Field, factors: tuple[Field, Field, Field], *, phase: str):
        """Bind the solution of tridiagonal systems along rows; see `Backend.bind_lines`. Calling it is local."""
        launch = self.backend.bind_lines(output, argument, factors)
        cells = int(np.prod(self.shape))
        moved = cells * sum(field.format.itemsize for field in (output, argument, *factors))

        def call() -> None:
            launch()
            self.ledger.add(phase, output.format.name, flops=7 * cells, bytes=moved)

        return call

    def largest(self, field: Field) -> float:
        """Return the largest magnitude in a vector, NaN if there is one (collective)."""
        if field.format.name not in ("fp64", "fp32"):
            decoded = field.format.decode(field.read())
            return maximum(self.comm, float(np.max(np.abs(decoded), initial=0.0)))
        planes = [field.interior[None]] if field.ndim == 1 else [field.interior]
        for _ in range(field.ndim - 2):
            planes = [plane for block in planes for plane in block]
        found = [self.backend.dense.largest(plane) for plane in planes]
        # NumPy's maximum passes NaN on.
        return maximum(self.comm, float(np.max(found, initial=0.0)))


def counted_as(fields: Sequence[Field]) -> str:
    """Return the format under which the ledger counts a kernel: the narrowest of those of the widest arithmetic.

    A kernel that touches one FP64 number computes in FP64, however narrow its other fields are.
    """
    widest = max(field.format.compute.itemsize for field in fields)
    formats = [field.format for field in fields if field.format.compute.itemsize == widest]
    return min(formats, key=lambda format: format.bits).name
