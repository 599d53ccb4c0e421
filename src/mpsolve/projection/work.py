"""The work of a measured run, as its record tells it: what a projection carries over to another machine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpsolve.errors import FileError
from mpsolve.records.run import read_run

# Exchanges of ghost cells in one step of an explicit stepper: one for each application of the operator, and in the
# forward-backward one another for the height that the velocities feel.
STAGES = {"euler": 1, "ab2": 1, "ssprk3": 3, "rk32": 3, "rk4": 4, "fb_rk32": 6}

# Height and two velocities, exchanged together.
CLIMATE_FIELDS = 3

# The ledger's phase of the polar filter, which keeps the rows of a grid whole.
FILTER = "filter"

SIZES = ("run", "memory")
"""Size of a projected problem: that of the run, or what fills the memory of the nodes."""

# What tells how accurate a run was; `RESULT_NAMES` of the records.
ACCURACIES = (
    "backward_error",
    "hpl_mxp_residual",
    "error_l2",
    "error_linf",
    "rounding_error",
    "truncation_error",
    "mass_drift",
)


@dataclass(frozen=True)
class Phase:
    """Work of one phase in one format, over all ranks.

    Attributes
    ----------
    name, format : str
        Phase and number format, as in the ledger.
    flops, bytes, reductions : int
        Counts; reductions of all ranks together.
    """

    name: str
    format: str
    flops: int
    bytes: int
    reductions: int


@dataclass(frozen=True)
class Strips:
    """A grid whose rows stay whole, because zonal waves are filtered: only its rows are dealt out.

    Attributes
    ----------
    rows, columns : int
        Of the grid.
    filtered : float
        Part of the rows that is filtered, half of it at each end.
    """

    rows: int
    columns: int
    filtered: float


@dataclass(frozen=True)
class Work:
    """One measured run.

    Attributes
    ----------
    name, app : str
        The run directory's name, and the app.
    dense : bool
        Whether it factored a dense matrix; a grid otherwise.
    unknowns : int
        Order of the matrix, or cells times fields.
    dimensions : int
        Of the grid; 1 for a matrix.
    format : str
        Working format at the end of the run.
    phases : tuple of Phase
        The ledger.
    exchanges : int
        Exchanges of ghost cells, each rank's own.
    reductions : float
        Sums over all ranks.
    levels : int
        Levels of its multigrid; 1 without one.
    refinements : int
        Corrections in FP64.
    pivoting, generated : bool
        Of a dense run: row exchanges; an FP64 matrix that is made anew in residuals.
    accuracy : mapping
        Names of `ACCURACIES` to values.
    time_s : float or None
        The measured time.
    ranks : int
        Ranks of the run.
    fields : int
        Fields on the grid, exchanged together; the unknowns are those of all.
    strips : Strips or None
        Where rows stay whole.
    item_bytes : float or None
        Mean size of a number in a message between blocks; None: that of the format.
    """

    name: str
    app: str
    dense: bool
    unknowns: int
    dimensions: int
    format: str
    phases: tuple[Phase, ...]
    exchanges: int
    reductions: float
    levels: int
    refinements: int
    pivoting: bool
    generated: bool
    accuracy: Mapping[str, float]
    time_s: float | None
    ranks: int
    fields: int = 1
    strips: Strips | None = None
    item_bytes: float | None = None


def read_work(directory: Path) -> Work:
    """Read the work of a run.

    Raises
    ------
    FileError
        If the record is missing or damaged, or the run left no ledger or no size.
    """
    record = read_run(directory)
    phases = _phases(directory, record["ledger"])
    results, config = record["results"], record["config"]
    unknowns = results.get("unknowns")
    if not isinstance(unknowns, (int, float)) or not 1 <= unknowns < math.inf:
        raise FileError(f"{directory} has no number of unknowns in its results; only finished runs can be projected")
    ranks = max(1, len(record["environment"].get("ranks") or ()))
    dense = any(phase.name == "update" for phase in phases)
    refinements = _count(results.get("refinements"))
    return Work(
        name=directory.name,
        app=record["app"],
        dense=dense,
        unknowns=int(unknowns),
        dimensions=1 if dense else _dimensions(config),
        format=str(results.get("format") or record["precision"].get("inner") or "fp64"),
        phases=phases,
        exchanges=0 if dense else _exchanges(config, results),
        reductions=sum(phase.reductions for phase in phases) / ranks,
        levels=_levels(config, results, int(unknowns)),
        refinements=refinements,
        pivoting=results.get("pivoting") not in (None, "none"),
        generated=record["app"] == "mxp",
        accuracy={name: float(results[name]) for name in ACCURACIES if isinstance(results.get(name), (int, float))},
        time_s=float(results["time_s"]) if isinstance(results.get("time_s"), (int, float)) else None,
        ranks=ranks,
        fields=CLIMATE_FIELDS if record["app"] == "climate" else 1,
        strips=_strips(directory, config, phases),
        item_bytes=_item_bytes(record["precision"], config) if record["app"] == "climate" else None,
    )


def _phases(directory: Path, ledger: Mapping[str, Any]) -> tuple[Phase, ...]:
    try:
        phases = tuple(
            Phase(name, format, int(work["flops"]), int(work["bytes"]), int(work["reductions"]))
            for name, formats in ledger.items()
            for format, work in formats.items()
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as problem:
        raise FileError(f"{directory} has a damaged ledger ({problem!r}); run the app again") from None
    if any(count < 0 for phase in phases for count in (phase.flops, phase.bytes, phase.reductions)):
        raise FileError(f"{directory} has a damaged ledger (a count below 0); run the app again")
    if not any(phase.flops for phase in phases):
        raise FileError(f"{directory} has no ledger of its work; let the run end, or run the app again")
    return phases


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _strips(directory: Path, config: Mapping[str, Any], phases: tuple[Phase, ...]) -> Strips | None:
    if not any(phase.name == FILTER for phase in phases):
        return None
    try:
        chosen = config["climate"]
        rows, columns = map(int, chosen["shape"])
        filtered = 1 - float(chosen["filter_rad"]) / (math.pi / 2)
    except (KeyError, TypeError, ValueError) as problem:
        raise FileError(f"{directory} has a polar filter and no grid for it ({problem!r}); run the app again") from None
    if rows < 1 or columns < 1 or not 0 < filtered <= 1:
        raise FileError(f"{directory} has a polar filter on {rows} x {columns} cells; run the app again")
    return Strips(rows, columns, filtered)


def _item_bytes(roles: Mapping[str, Any], config: Mapping[str, Any]) -> float:
    """Return the mean size of a number in a message of the climate core: a step sends its state, then increments.

    Raises
    ------
    UnknownNameError
        If the record names a format that mpsolve does not have.
    """
    # Formats take NumPy, which `mpsolve --help` must not wait for.
    from mpsolve.precision import get_format

    if roles.get("halo"):
        return get_format(str(roles["halo"])).itemsize
    time = config.get("time", {})
    stages = STAGES.get(str(time.get("stepper")) if isinstance(time, Mapping) else "", 1)
    state, inner = (get_format(str(roles.get(role) or "fp64")).itemsize for role in ("state", "inner"))
    return (state + (stages - 1) * inner) / stages


def _dimensions(config: Mapping[str, Any]) -> int:
    """Return the dimensions of the grid: those of a shape in the configuration, or the two of a sphere."""
    section = config.get(str(config.get("model", "climate")), {})
    shape = section.get("shape") if isinstance(section, Mapping) else None
    return len(shape) if isinstance(shape, list) and shape else 2


def _exchanges(config: Mapping[str, Any], results: Mapping[str, Any]) -> int:
    """Return how often the operator was applied: inner iterations and residuals, or stages of explicit steps."""
    time = config.get("time", {}) if isinstance(config.get("time"), Mapping) else {}
    steps = _count(results.get("steps")) or _count(time.get("steps")) or 1
    stages = STAGES.get(str(time.get("stepper")), 1)
    iterations = _count(results.get("iterations")) + _count(results.get("refinements"))
    return iterations + steps if iterations else math.ceil(steps * stages / max(1, _count(time.get("steps_per_pass"))))


def _levels(config: Mapping[str, Any], results: Mapping[str, Any], unknowns: int) -> int:
    """Return the levels of the multigrid that the results name, or the configuration in records without that name."""
    solver = config.get("solver", {})
    asked = (solver.get("inner"), solver.get("preconditioner")) if isinstance(solver, Mapping) else ()
    if "multigrid" not in str(results.get("inner_solver") or asked):
        return 1
    # Each side is halved until a few cells are left.
    return max(1, round(math.log2(max(unknowns, 4)) / _dimensions(config)) - 1)
