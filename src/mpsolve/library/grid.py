"""A divided grid with ghost cells, in three lines of a user's own program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpsolve.errors import ShapeError
from mpsolve.field import Field
from mpsolve.library.agreement import communicator
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.precision import get_format

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


def grid(
    shape: Sequence[int],
    *,
    periodic: bool | Sequence[bool] = False,
    comm: Intracomm | None = None,
    halo: int = 1,
    ranks: Sequence[int] | None = None,
) -> Grid:
    """Divide a grid of 1, 2 or 3 axes among the ranks, with ghost cells around each block (local).

    Parameters
    ----------
    shape : sequence of int
        Cells of the whole grid along each axis.
    periodic : bool or sequence of bool
        Which axes are periodic; one value for all.
    comm : mpi4py.MPI.Intracomm, optional
        The ranks. None: this process alone; MPI is not started.
    halo : int
        Ghost layers of every field.
    ranks : sequence of int, optional
        Blocks along each axis, 0 where it is free. Default: the division with the least surface.

    Returns
    -------
    Grid

    Raises
    ------
    ShapeError
        If blocks would be thinner than the halo; the message says which grid or number of ranks would do.

    Examples
    --------
    >>> import numpy as np, mpsolve
    >>> grid = mpsolve.grid((64, 128), periodic=(False, True), halo=2)
    >>> u = grid.field(np.cos(2 * np.pi * grid.indices()[1] / 128), format="bf16")
    >>> grid.exchange(u)
    >>> grid.with_ghosts(u).shape, float(grid.with_ghosts(u)[2, 1]) == float(u.to_numpy()[0, -1])
    ((68, 132), True)
    >>> grid.gather(u).shape
    (64, 128)
    """
    axes = tuple(shape)
    wraps = (periodic,) * len(axes) if isinstance(periodic, bool) else tuple(periodic)
    return Grid(Cartesian.create(communicator(comm), axes, wraps, halo=halo, ranks_per_axis=ranks), halo)


class Grid:
    """The block of a divided grid that this rank holds; make one with `mpsolve.grid`.

    Parameters
    ----------
    cartesian : Cartesian
        The division.
    halo : int
        Ghost layers of its fields.

    Attributes
    ----------
    shape : tuple of int
        Local shape, ghosts not counted.
    global_shape : tuple of int
        Shape of the whole grid.
    slices : tuple of slice
        Where the block lies in the whole grid.
    """

    def __init__(self, cartesian: Cartesian, halo: int) -> None:
        self.cartesian, self.halo = cartesian, halo
        self.shape, self.global_shape, self.slices = cartesian.shape, cartesian.global_shape, cartesian.slices
        self._exchanges: dict[tuple, Halo] = {}

    def indices(self) -> tuple[NDArray[np.int64], ...]:
        """Return the global indices of this rank's cells along each axis, shaped to broadcast (an open mesh)."""
        return tuple(np.ogrid[self.slices])

    def field(self, values: ArrayLike = 0.0, format: str = "fp64") -> Field:
        """Return a new field in a format, its ghosts zero (local).

        Parameters
        ----------
        values : array_like
            This rank's block, or what broadcasts to it.
        format : str
            Name of the number format.

        Raises
        ------
        ShapeError
            If the values do not broadcast to the local shape.
        """
        given = np.asarray(values, np.float64)
        try:
            block = np.broadcast_to(given, self.shape)
        except ValueError:
            raise ShapeError(f"values of shape {given.shape} do not fit this rank's block of {self.shape}") from None
        return Field.zeros(self.shape, self.halo, get_format(format)).set(block)

    def exchange(self, *fields: Field, width: int | None = None, corners: bool = False, format: str = "") -> None:
        """Fill the ghosts of fields from the neighbouring blocks, in one message a neighbour (collective).

        Ghosts beyond a side that is not periodic are left as they are. The exchange is prepared once for the same
        fields and options.

        Parameters
        ----------
        *fields : Field
            Fields of this grid.
        width : int, optional
            Layers to fill; all by default.
        corners : bool
            Whether also the ghosts that lie diagonally are filled.
        format : str
            Narrower format of the messages; empty: each field's own, bit for bit.
        """
        width = self.halo if width is None else width
        # Addresses tell fields apart: the kept exchange holds their memory, so that no other field gets the address.
        key = (tuple((field.storage.ctypes.data, field.format.name) for field in fields), width, corners, format)
        if key not in self._exchanges:
            narrow = get_format(format) if format else None
            self._exchanges[key] = Halo(self.cartesian, fields, width=width, corners=corners, format=narrow)
        self._exchanges[key].exchange()

    def with_ghosts(self, field: Field) -> NDArray:
        """Return the decoded block with its ghosts: float64 for fp64, else float32; for reading only."""
        low, high = (-self.halo,) * len(self.shape), tuple(cells + self.halo for cells in self.shape)
        decoded = field.format.decode(field.region(low, high)).view()
        decoded.flags.writeable = False
        return decoded

    def gather(self, block: Field | NDArray) -> NDArray | None:
        """Return the whole grid function on rank 0, None elsewhere (collective)."""
        return self.cartesian.gather(block.to_numpy() if isinstance(block, Field) else block)

    def scatter(self, whole: NDArray | None) -> NDArray:
        """Return this rank's block of an array of the global shape on rank 0 (collective)."""
        return self.cartesian.scatter(whole)
