"""What a factorisation without row exchanges costs on a P x Q grid: flops, bytes and messages, on paper."""

from dataclasses import dataclass

from mpsolve.parallel.ring import PIECE_BYTES
from mpsolve.solvers.dense.messages import HEADER_BYTES


@dataclass(frozen=True)
class Cost:
    """Work of one rank, as a mean over the ranks.

    Attributes
    ----------
    update_flops : float
        Of products in the working format.
    panel_flops, row_flops : float
        Of products in FP32 with inverted diagonal blocks.
    panel_bytes, row_bytes : float
        Sent along the rows and down the columns of the grid.
    panel_messages, row_messages : float
        The same, in messages.
    """

    update_flops: float
    panel_flops: float
    row_flops: float
    panel_bytes: float
    row_bytes: float
    panel_messages: float
    row_messages: float


def factorisation_cost(n: int, block: int, rows: int, columns: int, itemsize: int) -> Cost:
    """Return the cost of LU with an even share for every rank; docs/scaling.md has the closed forms.

    Parameters
    ----------
    n, block : int
        Sizes of the matrix and of a block.
    rows, columns : int
        Ranks along the rows (P) and columns (Q) of the grid.
    itemsize : int
        Bytes of a number in the working format.
    """
    totals = [0.0] * 7
    for start in range(0, n, block):
        width = min(block, n - start)
        rest = n - start - width
        area = 2.0 * width * rest
        panel, row = HEADER_BYTES + rest / rows * width * itemsize, HEADER_BYTES + rest / columns * width * itemsize
        inverse = HEADER_BYTES + 4 * width**2
        # Every rank of a ring but the last passes on what it gets; the inverse travels in one row of the grid.
        along, down = (columns - 1) / columns, (rows - 1) / rows
        step = (
            area * rest / (rows * columns),
            area * width / (rows * columns),
            area * width / (rows * columns),
            along * (panel + inverse / rows),
            down * row,
            along * (_pieces(panel) + _pieces(inverse) / rows),
            down * _pieces(row),
        )
        totals = [total + part for total, part in zip(totals, step, strict=True)]
    return Cost(*totals)


def _pieces(size: float) -> int:
    """Return into how many messages a ring cuts an array."""
    return int(-(-size // PIECE_BYTES))
