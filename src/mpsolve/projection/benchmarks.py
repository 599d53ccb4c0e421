"""The published benchmarks as the model sees them: seconds of a run for an efficiency of its family."""

from dataclasses import dataclass

from mpsolve.projection.communication import Network, multigrid_halos, reduction
from mpsolve.projection.dense_lu import DenseProblem, DenseRates, factorisation, refinement
from mpsolve.projection.machine import Accelerator
from mpsolve.projection.published import Row, accelerator_of, network_of_row
from mpsolve.projection.roofline import memory_bytes, memory_bytes_per_s, product_rate, vector_rate
from mpsolve.projection.terms import Terms

# Part of the device memory that a matrix fills where its size was not published: runs with published sizes fill 0.86 to
# 0.98 of it.
FILL = 0.9

# Blocks where they were not published: 512 is usual for HPL, 2560 is the best one by OpenMxP's documentation.
HPL_BLOCK, MXP_BLOCK = 512, 2560

# HPCG moves 8 bytes of matrix for 2 flops; indices and vectors come on top, and are part of the fitted efficiency.
HPCG_FLOPS_PER_BYTE = 0.25
# Flops of one iteration for each unknown: 27 entries in the product, and in each level two sweeps of symmetric
# Gauss-Seidel and one residual, summed over levels of 1/8 the size (J. Dongarra, M. Heroux, P. Luszczek, Int. J. High
# Perform. Comput. Appl. 30 (2016) 3).
HPCG_FLOPS = 2 * 27 * (1 + 5 * 8 / 7) + 10
# Unknowns of one device, levels of its multigrid, exchanges on each, and reductions of one iteration.
HPCG_UNKNOWNS, HPCG_LEVELS, HPCG_EXCHANGES, HPCG_REDUCTIONS = 2**24, 4, 3, 3
# HPG-MxP keeps its multigrid and its basis in FP32 and about one product in ten in FP64.
HPG_FP64_PART = 0.1


@dataclass(frozen=True)
class Prediction:
    """What the model says of one row.

    Attributes
    ----------
    pflops : float
        Rate by the rules of the benchmark.
    terms : Terms
        Its time: of the whole run for dense systems, of one iteration otherwise.
    lu, refinement : Terms
        The two parts of a dense run.
    """

    pflops: float
    terms: Terms
    lu: Terms = Terms()
    refinement: Terms = Terms()


def kind_of(row: Row) -> str:
    """Return which efficiency a row depends on: ``"fp64"``, ``"low"`` or ``"bandwidth"``."""
    return {"HPL": "fp64", "HPL-MxP": "low"}.get(row.benchmark, "bandwidth")


def predict(row: Row, efficiency: float) -> Prediction:
    """Predict a row with an efficiency: of products for dense systems, of memory bandwidth otherwise.

    Parameters
    ----------
    row : Row
        One with nothing `missing`.
    efficiency : float
        Part of the peak, or of the nominal bandwidth.
    """
    accelerator, network = accelerator_of(row), network_of_row(row)
    if kind_of(row) == "bandwidth":
        return _predict_iterations(row, accelerator, network, efficiency)
    problem = problem_of(row, accelerator, network)
    rates = rates_of(row, accelerator, efficiency)
    lu = factorisation(problem, rates, network)
    fix = refinement(problem, rates, network) if problem.refinements else Terms()
    flops = 2 / 3 * float(problem.n) ** 3 + 1.5 * float(problem.n) ** 2
    return Prediction(flops / (lu + fix).total_s / 1e15, lu + fix, lu, fix)


def problem_of(row: Row, accelerator: Accelerator, network: Network) -> DenseProblem:
    """Return the dense system of a row; sizes that are unknown or from memory follow from the memory of the devices."""
    mixed = row.benchmark == "HPL-MxP"
    store = 4.0 if mixed else 8.0
    n = row.n if row.n and row.n_status != "recall" else filling(accelerator, network, store)
    item = {"fp8": 1.0}.get(row.format, 2.0) if mixed else 8.0
    block = row.block or (MXP_BLOCK if mixed else HPL_BLOCK)
    return DenseProblem(n, block, item, store, pivoting=not mixed, refinements=row.refinements if mixed else 0)


def filling(accelerator: Accelerator, network: Network, store_bytes: float) -> int:
    """Return the order of the matrix that fills `FILL` of the memory of all devices."""
    return int((FILL * memory_bytes(accelerator) * network.devices / store_bytes) ** 0.5)


def rates_of(row: Row, accelerator: Accelerator, efficiency: float) -> DenseRates:
    """Return the rates of one device in a dense run."""
    mixed = row.benchmark == "HPL-MxP"
    update = product_rate(accelerator, row.format if mixed else "fp64")
    panel, fp64 = vector_rate(accelerator, "fp32" if mixed else "fp64"), vector_rate(accelerator, "fp64")
    if update is None or panel is None or fp64 is None:
        raise ValueError(f"{accelerator.key} lacks the arithmetic of {row.benchmark}")
    memory = memory_bytes_per_s(accelerator)
    return DenseRates(update.flops_per_s * efficiency, panel.flops_per_s, fp64.flops_per_s, memory, memory, memory)


def _predict_iterations(row: Row, accelerator: Accelerator, network: Network, efficiency: float) -> Prediction:
    """Predict HPCG, or HPG-MxP with numbers of half the size in most of the work."""
    mixed = row.benchmark == "HPG-MxP"
    item = 8 * HPG_FP64_PART + 4 * (1 - HPG_FP64_PART) if mixed else 8.0
    flops = HPCG_FLOPS * HPCG_UNKNOWNS
    moved = flops / HPCG_FLOPS_PER_BYTE * item / 8
    terms = Terms(memory_s=moved / (efficiency * memory_bytes_per_s(accelerator)))
    terms += multigrid_halos(HPCG_UNKNOWNS, 3, item, network, levels=HPCG_LEVELS, exchanges=HPCG_EXCHANGES)
    terms += HPCG_REDUCTIONS * reduction(network)
    return Prediction(flops * network.devices / terms.total_s / 1e15, terms)
