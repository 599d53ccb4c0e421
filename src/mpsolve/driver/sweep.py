"""Run a problem once, or once per variant of a sweep, and compare the variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpsolve.compare.align import load
from mpsolve.compare.table import render
from mpsolve.driver import earth, heat
from mpsolve.driver.options import HeatAppOptions
from mpsolve.driver.outcome import Outcome
from mpsolve.driver.setup import choose_backend
from mpsolve.records.run import RunRecord

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

MODELS = {"heat": heat, "earth": earth}


@dataclass(frozen=True)
class Variant:
    """One column of the comparison: its label and its options."""

    label: str
    options: HeatAppOptions


def run_all(comm: Intracomm, variants: Sequence[Variant], out: Path | None, argv: Sequence[str]) -> int:
    """Run the variants one after the other (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    variants : sequence of Variant
        At least one.
    out : Path or None
        Run directory; a sweep makes one below it per variant.
    argv : sequence of str
        The command line, for the record.

    Returns
    -------
    int
        Exit status: 0 if all converged, else 1.
    """
    reference: NDArray[np.float64] | None = None
    records: dict[str, Path] = {}
    advice = []
    # FP64 goes first, whatever the order of the columns: the others are compared with it.
    for variant in sorted(variants, key=lambda variant: variant.options.precision.inner != "fp64"):
        directory = out / variant.label if out is not None and len(variants) > 1 else out
        records[variant.label], outcome = run_one(comm, variant, directory, argv, reference)
        if outcome.advice:
            advice.append(f"{variant.label}: {outcome.advice}")
        if reference is None and variant.options.precision.inner == "fp64" and outcome.converged:
            reference = outcome.state
    if comm.rank == 0:
        _report(
            [records[variant.label] for variant in variants], advice, pictures=variants[0].options.run.pictures, out=out
        )
    return 1 if advice else 0


def run_one(
    comm: Intracomm, variant: Variant, directory: Path | None, argv: Sequence[str], reference: NDArray | None
) -> tuple[Path, Outcome]:
    """Run one variant and record it; return the run directory and the outcome (collective)."""
    options, model = variant.options, MODELS[variant.options.model]
    backend = choose_backend(comm, options.run.backend, options.run.threads)
    # What is wrong with the input shows here, before anything is written.
    prepared = model.prepare(comm, backend, options)
    precision = asdict(options.precision.roles()) | {"name": variant.label}
    with RunRecord.create(directory, "heat", asdict(options), argv, comm, precision) as record:
        outcome, energy = model.run(comm, backend, options, prepared, record, reference)
        results = outcome.results | {"backend": backend.name, "threads_per_rank": backend.threads}
        status = "ok" if outcome.converged else "failed"
        record.finish(status, results, prepared.ledger, energy, outcome.reasons)
    return record.directory, outcome


def _report(records: Sequence[Path], advice: Sequence[str], *, pictures: bool, out: Path | None) -> None:
    """Print the table, what did not converge, and where everything is; draw the comparison."""
    runs = [load(record) for record in records]
    print(render(runs))
    for line in advice:
        print(f"not converged: {line}")
    for record in records:
        print(f"record: {record}")
    if pictures:
        for picture in _draw(runs, out if out is not None else records[-1]):
            print(f"picture: {picture}")


def _draw(runs, folder: Path) -> list[Path]:
    """Draw the comparison if matplotlib is installed; return every picture of these runs."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        return []
    from mpsolve.compare.plot import draw

    drawn, _ = draw(runs, folder / "comparison" if len(runs) > 1 else folder)
    return [*sorted({path for run in runs[-1:] for path in run.directory.glob("*.png")} - set(drawn)), *drawn]
