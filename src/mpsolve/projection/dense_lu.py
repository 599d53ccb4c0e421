"""Dense LU and its refinement on a P x Q grid of devices, simulated panel by panel with look-ahead 1."""

from dataclasses import dataclass

import numpy as np

from mpsolve.projection.communication import Network
from mpsolve.projection.terms import Terms

# At most so many panels are evaluated; each stands for its neighbours, whose times differ little.
MOST_PANELS = 1000

# Operations that make one entry of the benchmark's matrix anew in a residual: two 64-bit multiplications and additions,
# the shifts and the conversion of a congruential generator, and the product itself.
ENTRY_OPERATIONS = 20

# In the triangle of a diagonal block each unknown waits for the one before it, about one access to a cache that all of
# the device shares: from memory, 0.2 to 0.5 microseconds on the accelerators of the catalogue.
DEPENDENT_STEP_S = 0.3e-6


@dataclass(frozen=True)
class DenseProblem:
    """A dense system as it is factored.

    Attributes
    ----------
    n, block : int
        Sizes of matrix and block.
    item_bytes : float
        Of a number in messages and products.
    store_bytes : float
        Of a stored entry: 4 for FP32 storage, 8 for FP64.
    pivoting : bool
        Whether each column of a panel is searched for its pivot, and rows are exchanged.
    refinements : int
        Refinements in FP64.
    generated : bool
        Whether a residual makes the FP64 matrix anew (the benchmark) instead of reading it.
    """

    n: int
    block: int
    item_bytes: float
    store_bytes: float
    pivoting: bool
    refinements: int
    generated: bool = True


@dataclass(frozen=True)
class DenseRates:
    """What one device does.

    Attributes
    ----------
    update : float
        Flops per second of products in the working format.
    panel : float
        Flops per second of panels and rows.
    correction : float
        Flops per second in FP64.
    memory : float
        Bytes per second of its memory.
    update_memory : float
        The same for what a product of small inner size reads and writes beside its flops; infinite where `update` was
        measured on such products and includes it.
    correction_memory : float
        The same of the memory that FP64 arithmetic works on: that of the host where it runs there.
    dependent_step_s : float
        Time for each unknown of a diagonal block in a triangular solve.
    """

    update: float
    panel: float
    correction: float
    memory: float
    update_memory: float
    correction_memory: float
    dependent_step_s: float = DEPENDENT_STEP_S


def grid_of(devices: int) -> tuple[float, float]:
    """Return P and Q: the most nearly square factors; where these differ by more than 4, the root on both sides."""
    rows = int(devices**0.5)
    while devices % rows:
        rows -= 1
    columns = devices // rows
    return (float(rows), float(columns)) if columns <= 4 * rows else (devices**0.5, devices**0.5)


def factorisation(problem: DenseProblem, rates: DenseRates, network: Network) -> Terms:
    """Return the time of the factorisation.

    A step is the update of the rest of the matrix, on every device, with its share of panel and row of blocks. While it
    runs, the next panel is factored by one column of the grid and sent along rows, and the row of blocks down columns:
    what takes longer than the update is waited for.
    """
    rows, columns = grid_of(network.devices)
    b = problem.block
    count = max(1, -(-problem.n // b))
    at = np.unique(np.linspace(0, count - 1, min(count, MOST_PANELS)).round()).astype(np.int64)
    each = count / len(at)
    rest = np.maximum(problem.n - (at + 1.0) * b, 0.0)
    # In a block-cyclic layout the fullest device has up to a block more than the mean; half of one is typical.
    high, wide = rest / rows + b / 2 * (rows > 1), rest / columns + b / 2 * (columns > 1)
    update = 2 * high * wide * b / rates.update
    # A product of small inner size reads and writes the rest of the matrix beside its flops: tile by tile, before and
    # after them.
    traffic = 2 * problem.store_bytes * high * wide / rates.update_memory
    panel, row = high * b * b / rates.panel, wide * b * b / rates.panel
    work = update + traffic + panel / columns + row / rows
    path_work = panel + 2 / 3 * b**3 / rates.panel
    latency, carried = _messages(problem, network, rows, columns, high, wide)
    if network.devices == 1:
        return each * Terms(float(np.sum(update + panel + row)), float(np.sum(traffic)))
    waiting = np.maximum(path_work + latency + carried - work, 0.0)
    # Waiting is shared among its causes in proportion; the part of the panel's own work is arithmetic.
    causes = np.maximum(path_work + latency + carried, 1e-300)
    parts = [float(np.sum(waiting * cause / causes)) for cause in (path_work, latency, carried)]
    moved = float(np.sum(traffic))
    return each * Terms(float(np.sum(work)) - moved + parts[0], moved, parts[1], parts[2])


def _messages(
    problem: DenseProblem, network: Network, rows: float, columns: float, high: np.ndarray, wide: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return latency and transfer time of each step's messages."""
    down, along = np.log2(max(rows, 1.0)), np.log2(max(columns, 1.0))
    once = (down + along) * network.latency_s + 4 * network.launch_s
    # The search for a pivot is one reduction down the grid column for each column of the panel.
    search = problem.block * 2 * down * network.latency_s if problem.pivoting else 0.0
    # In a node of p x q devices, p pieces of the panel and q of the row of blocks come in and go out.
    p, q = grid_of(network.devices_per_node)
    pieces = (p * high * (columns > 1) + q * wide * (rows > 1)) / network.devices_per_node
    pieces = pieces if network.nodes > 1 else high * (columns > 1) + wide * (rows > 1)
    exchanged = 2 * wide * (8 / problem.item_bytes) if problem.pivoting else 0.0
    carried = (pieces + exchanged) * problem.block * problem.item_bytes / network.bytes_per_s()
    return np.full_like(high, once + search), carried


def refinement(problem: DenseProblem, rates: DenseRates, network: Network) -> Terms:
    """Return the time of all refinements: one residual more than solves, which the first test of convergence takes."""
    share = float(problem.n) ** 2 / network.devices
    solves = problem.refinements
    if problem.generated:
        residual = Terms(compute_s=ENTRY_OPERATIONS * share / rates.correction)
    else:
        residual = Terms(memory_s=8 * share / rates.correction_memory)
    steps = 2 * max(1, -(-problem.n // problem.block))
    levels = float(np.log2(network.devices)) / 2
    waiting = 2 * levels * network.latency_s + 2 * network.launch_s
    solve = Terms(
        compute_s=2 * problem.n * rates.dependent_step_s,
        memory_s=problem.store_bytes * share / rates.memory,
        latency_s=steps * waiting,
    )
    return (solves + 1) * residual + solves * solve
