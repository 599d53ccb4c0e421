"""Block size and memory of a dense solve, before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.precision import get_format

#: Block sizes to choose from.
BLOCKS = (128, 256, 384, 512, 768, 1024)
#: Every rank should have about this many blocks each way, or ranks at the end of the matrix have nothing to do.
LEAST_BLOCKS = 6
#: Copies of a panel and a row of blocks in FP32 that are alive at once beside the messages: products and operands.
WORK_PANELS = 2
#: Part of the products with a triangle that is left when its zeros are not multiplied; and how much slower the small
#: products of diagonal blocks are than large ones, as measured on two cores.
TRIANGLES, SLOWNESS = 0.75, 10.0
#: Rates are measured to some percent; of blocks that cost as good as the same the smallest is taken, since it leaves
#: more to do side by side.
ALIKE = 1.04


def choose_block(n: int, ranks: int, update_rate: Callable[[int], float], panel_rate: float) -> int:
    """Return the block size with the least predicted time for a factorisation.

    Parameters
    ----------
    n : int
        Size of the matrix.
    ranks : int
        The larger of the numbers of ranks along rows and columns.
    update_rate : callable
        Flops per second of the update for an inner size.
    panel_rate : float
        Flops per second of products in FP32: panels and rows cost 2 n^2 block flops, diagonal blocks 2 n block^2.

    Examples
    --------
    >>> choose_block(16384, 1, lambda inner: 1e12 * inner / (inner + 100), 3e11)
    256
    """
    fitting = [block for block in BLOCKS if block * ranks * LEAST_BLOCKS <= n]
    if not fitting:
        # Small matrices: a few blocks for each rank, of a multiple of the width of vectors.
        return max(16, min(BLOCKS[0], n // (ranks * LEAST_BLOCKS) // 16 * 16))
    cost = {
        block: 2 * n**3 / 3 / update_rate(block)
        + TRIANGLES * 2 * n**2 * block / panel_rate
        + SLOWNESS * 2 * n * block**2 / panel_rate
        for block in fitting
    }
    least = min(cost.values())
    return next(block for block in fitting if cost[block] <= ALIKE * least)


def bytes_needed(layout: BlockCyclic, formats: Sequence[str], *, stored: bool, vectors: int = 1) -> int:
    """Return the bytes that a solve takes on this rank at most: matrix, factors, messages, panels, vectors.

    Parameters
    ----------
    layout : BlockCyclic
        How the matrix is dealt out.
    formats : sequence of str
        Formats of the factorisations that are counted.
    stored : bool
        Whether the FP64 matrix is kept.
    vectors : int
        Right-hand sides.
    """
    rows, columns = layout.shape
    block, most = layout.columns.block, 0
    for name in formats:
        format = get_format(name)
        wide = format.compute.itemsize
        messages = (2 * rows + columns) * block * format.itemsize
        panels = WORK_PANELS * (rows + columns) * block * wide
        most = max(most, rows * columns * wide + messages + panels)
    return most + 8 * rows * columns * stored + 8 * 6 * vectors * layout.rows.n
