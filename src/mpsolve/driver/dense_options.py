"""The options of the apps for dense systems: their TOML tables as frozen dataclasses."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from mpsolve.driver.options import option, table
from mpsolve.errors import ConfigError
from mpsolve.lookup import names
from mpsolve.precision import ladder_from, preset
from mpsolve.solvers.dense.options import EQUILIBRATIONS, PIVOTINGS, REFINERS, DenseOptions
from mpsolve.solvers.injection import flips_of

_formats = partial(names, "formats")

#: Formats to climb through after one has failed.
LADDER = ("fp8_e4m3", "bf16", "fp32", "fp64")


@dataclass(frozen=True)
class MxpOptions:
    """The system of the benchmark."""

    n: int = option(4096, "rows and columns of the matrix", min=1)
    problem: str = option("hpl_mxp", "a file in models/matrices", choices=partial(names, "models.matrices"))
    condition: float = option(0.0, "condition number, where the problem has it as an option; 0: its default", min=0.0)
    seed: int = option(0, "of problems with random numbers of choice", min=0, max=2**31 - 1)


@dataclass(frozen=True)
class SystemOptions:
    """The user's system."""

    matrix: str = option("random_uniform", "a file (.npy, .h5, .hdf5, .mtx, .mtx.gz), or a file in models/matrices")
    dataset: str = option("", "the matrix in an HDF5 file; empty: A, matrix, or the only square dataset")
    rhs: str = option(
        "", "a file with the right-hand sides, (n,) or (n, k); empty: b of the matrix's file, or row sums"
    )
    rhs_dataset: str = option("", "the right-hand sides in an HDF5 file; empty: b, rhs, or the only dataset")
    n: int = option(1024, "size of a matrix of models/matrices", min=1)
    condition: float = option(0.0, "condition number, where that matrix has it as an option; 0: its default", min=0.0)
    seed: int = option(0, "of that matrix, where it has random numbers", min=0, max=2**31 - 1)


@dataclass(frozen=True)
class GridOptions:
    """How the matrix is dealt out."""

    rows: int = option(0, "ranks along the rows of the grid (P); 0: free", min=0)
    columns: int = option(0, "ranks along its columns (Q); 0: free", min=0)
    block: int = option(0, "rows and columns of a block; 0: chosen by the measured speed of products", min=0, max=8192)


@dataclass(frozen=True)
class DenseSolverOptions:
    """Factorisation and refinement."""

    rtol: float = option(1e-12, "FP64 backward error to reach, in the infinity norm", min=0.0, below=1.0)
    pivoting: str = option("auto", "row exchanges", choices=PIVOTINGS)
    equilibrate: str = option("auto", "scaling of rows and columns by powers of two", choices=EQUILIBRATIONS)
    refiner: str = option("auto", "classical refinement, GMRES, or the first as long as it is quick", choices=REFINERS)
    gemm: str = option(
        "auto", "products: a file in gemm, or the fastest here", choices=lambda: ("auto", *names("gemm"))
    )
    checksums: bool = option(False, "let checksums name blocks that a fault has struck, and factor again")
    max_refinements: int = option(50, "outer iterations", min=1)
    max_iterations: int = option(50, "iterations of GMRES in one refinement", min=1)


@dataclass(frozen=True)
class DensePrecisionOptions:
    """The format of the factorisation; --precision NAME sets it."""

    inner: str = option("bf16", "operands of the update, in memory and in messages", choices=_formats)
    ladder: tuple[str, ...] = option(LADDER, "formats to escalate through", choices=_formats)

    def rungs(self) -> tuple[str, ...]:
        """Return the formats that a solve may use, the inner one first."""
        return ladder_from(self.inner, self.ladder)


@dataclass(frozen=True)
class SolvePrecisionOptions:
    """The format of the factorisation; --precision NAME sets it."""

    inner: str = option(
        "auto", "operands of the update; auto: what is predicted to be quickest", choices=lambda: ("auto", *_formats())
    )
    ladder: tuple[str, ...] = option(LADDER, "formats to escalate through", choices=_formats)

    def rungs(self) -> tuple[str, ...]:
        """Return the formats that a solve may use, the inner one first."""
        return ladder_from(self.inner, self.ladder)


@dataclass(frozen=True)
class DenseRunOptions:
    """Where and how it runs, and what it leaves."""

    backend: str = option("auto", "a file in backends, or auto", choices=lambda: ("auto", *names("backends")))
    threads: int = option(0, "threads per rank; 0: the cores that this rank may use", min=0, max=1024)
    pictures: bool = option(True, "draw pictures at the end, if matplotlib is installed")
    fields: bool = option(True, "write the solution to fields.h5")
    checkpoint_steps: int = option(0, "columns of blocks between two checkpoints; 0: none", min=0)
    checkpoint_seconds: float = option(0.0, "seconds between two checkpoints; 0: none", unit="s", min=0.0)
    limit_seconds: float = option(
        0.0, "seconds after which the run saves a checkpoint and stops; 0: never", unit="s", min=0.0
    )
    inject: str = option("", "flip bits of low-precision arrays, for tests: bitflip:RATE; empty: none")
    energy_seconds: float = option(
        0.0, "if energy meters need longer than the run takes, repeat it for so long; 0: never", unit="s", min=0.0
    )
    log_seconds: float = option(10.0, "between two progress lines in a batch log", unit="s", above=0.0)


class _DenseApp:
    """What the options of the two apps share."""

    solver: Any
    precision: Any
    run: Any

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends that ``auto`` tries, the fastest first; most products take arrays of the processor."""
        return (*(("cuda",) if self.solver.gemm in ("auto", "cublas") else ()), "cpu", "reference")

    @property
    def is_fp64(self) -> bool:
        """Whether nothing is rounded to less than FP64."""
        return self.precision.inner == "fp64"

    def roles_used(self) -> dict[str, str]:
        """Return the format of each role as the run uses it, for the record."""
        inner = self.precision.inner
        accumulate = preset(inner).accumulate if inner != "auto" else "fp32"
        return {"state": "fp64", "inner": inner, "accumulate": accumulate, "residual": "fp64", "halo": inner}

    @staticmethod
    def preset(name: str) -> dict[str, Any]:
        """Return the dotted keys that ``--precision NAME`` sets."""
        return {"precision.inner": name}

    @staticmethod
    def state_update(entry: str, update: str) -> dict[str, Any]:
        """Refuse the second part of an entry of a sweep: there is no state to update."""
        raise ConfigError(f"--sweep has {entry!r}: a dense system has no state; leave out ':{update}'")

    def check_state_update(self, entry: str, update: str) -> None:
        """Accept nothing; `state_update` has refused it."""

    def dense(self, rtol: float, ladder: tuple[str, ...], rank: int) -> DenseOptions:
        """Return the options of the solver of a rank for a tolerance and a ladder."""
        chosen = self.solver
        return DenseOptions(
            ladder=ladder,
            pivoting=chosen.pivoting,
            equilibrate=chosen.equilibrate,
            gemm=chosen.gemm,
            refiner=chosen.refiner,
            rtol=rtol,
            max_refinements=chosen.max_refinements,
            max_iterations=chosen.max_iterations,
            checksums=chosen.checksums,
            flips=flips_of(self.run.inject, rank),
        )


@dataclass(frozen=True)
class MxpAppOptions(_DenseApp):
    """All tables of the HPL-MxP app."""

    mxp: MxpOptions = table(MxpOptions)
    grid: GridOptions = table(GridOptions)
    solver: DenseSolverOptions = table(partial(DenseSolverOptions, rtol=0.0))
    precision: DensePrecisionOptions = table(DensePrecisionOptions)
    run: DenseRunOptions = table(partial(DenseRunOptions, fields=False))

    app = driver = "mxp"


@dataclass(frozen=True)
class SolveAppOptions(_DenseApp):
    """All tables of the app for a user's own system."""

    system: SystemOptions = table(SystemOptions)
    grid: GridOptions = table(GridOptions)
    solver: DenseSolverOptions = table(DenseSolverOptions)
    precision: SolvePrecisionOptions = table(SolvePrecisionOptions)
    run: DenseRunOptions = table(DenseRunOptions)

    app = driver = "solve"

    def __post_init__(self) -> None:
        if self.solver.rtol == 0:
            raise ConfigError("solver.rtol = 0: must be above 0; 1e-12 is the default")
