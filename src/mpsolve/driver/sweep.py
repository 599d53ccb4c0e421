"""Run a problem once, or once per variant of a sweep, and compare the variants."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpsolve.compare.align import load
from mpsolve.compare.table import render
from mpsolve.driver import device_messages
from mpsolve.driver.checkpoints import Resumed, find, problem_of
from mpsolve.driver.dense_checkpoints import as_before
from mpsolve.driver.metering import figures
from mpsolve.driver.options import AppOptions, Variant
from mpsolve.driver.outcome import Outcome, Reference
from mpsolve.driver.setup import choose_backend
from mpsolve.parallel.launch import agree
from mpsolve.parallel.stream import copy_bandwidth
from mpsolve.records.run import RunRecord, check_directory, finished

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Figures that would mix the work of a whole run with the time or energy of its part after a checkpoint.
OF_WHOLE_RUNS = (
    "unknowns_per_s",
    "penalised_unknowns_per_s",
    "lu_flops_per_s",
    "joules_per_unknown",
    "joules_per_digit",
)


def run_all(
    comm: Intracomm, variants: Sequence[Variant], out: Path | None, argv: Sequence[str], restart: str | None = None
) -> int:
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
    restart : str, optional
        Where to go on from: see `mpsolve.driver.checkpoints.find`. Variants that are finished are left as they are.

    Returns
    -------
    int
        Exit status: 0 if all converged, else 1.
    """
    sweep = _Sweep(comm, variants, out, argv, restart)
    # FP64 goes first, whatever the order of the columns: the others are compared with it.
    for variant in sorted(variants, key=lambda variant: not variant.options.is_fp64):
        sweep.run(variant)
    if comm.rank == 0:
        _report([sweep.records[variant.label] for variant in variants], sweep.texts, sweep.advice, variants[0], out)
    return 1 if sweep.advice else 0


class _Sweep:
    """What the variants share: the model, the reference, the bandwidth of the machine."""

    def __init__(
        self,
        comm: Intracomm,
        variants: Sequence[Variant],
        out: Path | None,
        argv: Sequence[str],
        restart: str | None = None,
    ) -> None:
        self.comm, self.argv, self.restart = comm, argv, restart
        self.directories = {v.label: out / v.label if out and len(variants) > 1 else out for v in variants}
        # What is wrong with the output should not come to light after hours.
        auto = restart == "auto"
        paths = dict.fromkeys([out, *self.directories.values()])
        agree(comm, lambda: [check_directory(path, resumed=auto) for path in paths])
        begin = time.perf_counter()
        # Only that one: each brings modules that the others do not need, on every rank.
        self.app = importlib.import_module(f"mpsolve.driver.{variants[0].options.driver}")
        options = variants[0].options
        if restart and hasattr(options, "grid"):
            options = as_before(comm, options, restart, list(self.directories.values()))
        self.model = self.app.build(comm, options)
        self.build_s = time.perf_counter() - begin
        self.reference = Reference(None, "no FP64 run of the same problem in this sweep to compare with")
        self.bandwidth = 0.0
        self.records: dict[str, Path] = {}
        self.texts: list[str] = []
        self.advice: list[str] = []

    def run(self, variant: Variant) -> None:
        """Run and record one variant, or go on with it (collective)."""
        options, directory = variant.options, self.directories[variant.label]
        if self.restart == "auto" and agree(self.comm, lambda: finished(directory)):
            assert directory is not None
            self.records[variant.label] = directory
            self.reference = Reference(None, "the FP64 run ended before the restart")
            return
        backend = choose_backend(self.comm, options.run.backend, options.run.threads, options.backends)
        if hasattr(options.run, "mpi_gpu"):
            device_messages.choose(self.comm, backend, options.run.mpi_gpu)
        # What is wrong with the input shows here, before anything is written.
        prepared = self.app.prepare(self.model, backend, options)
        self.bandwidth = self.bandwidth or copy_bandwidth(self.comm)
        precision = options.roles_used() | {"name": variant.label}
        reference = Reference(None, "this is an FP64 run itself") if variant.options.is_fp64 else self.reference
        resumed = self._resumed(options, directory)
        # A run that was ended before its first checkpoint begins anew, in the same directory.
        told = resumed.text if resumed else "the beginning" if self.restart == "auto" else ""
        with RunRecord.create(
            directory, options.app, asdict(options), self.argv, self.comm, precision, resumed=told
        ) as record:
            if resumed is not None:
                record.steps.append(kind="restart", step=resumed.step)
            outcome, energy = self.app.run(self.model, backend, variant, prepared, record, reference, resumed)
            results = outcome.results | {"backend": backend.name, "threads_per_rank": backend.threads}
            if backend.device_name:
                results |= {"device": backend.device_name, "messages_from_device": backend.sends_from_device}
            results |= reference.penalised(results)
            used, why = figures(energy, results)
            results |= used | ({"ledger_phases_s": prepared.ledger.seconds} if prepared.ledger.seconds else {})
            if resumed is not None:
                results |= dict.fromkeys(OF_WHOLE_RUNS)
                why |= dict.fromkeys(OF_WHOLE_RUNS, f"this run did only what comes after step {resumed.step}")
            results |= {"setup_s": self.build_s + prepared.setup_s, "stream_bytes_per_s": self.bandwidth}
            status = "ok" if outcome.converged else "failed"
            record.finish(status, results, prepared.ledger, energy, outcome.reasons | why)
        self._keep(variant, record, outcome)

    def _resumed(self, options: AppOptions, directory: Path | None) -> Resumed | None:
        """Return the checkpoint to go on from, if that was asked for and there is one (collective)."""
        if not self.restart:
            return None
        found = find(self.comm, self.restart, directory)
        if not agree(self.comm, lambda: found is not None):
            return None
        return Resumed(self.comm, found, problem_of(options))

    def _keep(self, variant: Variant, record: RunRecord, outcome: Outcome) -> None:
        self.records[variant.label] = record.directory
        if outcome.text:
            self.texts.append(outcome.text)
        if outcome.advice:
            self.advice.append(f"{variant.label}: {outcome.advice}")
        if variant.options.is_fp64 and self.reference.state is None:
            converged = Reference(outcome.state, iterations=outcome.results.get("iterations") or 0)
            self.reference = converged if outcome.converged else Reference(None, "the FP64 run did not converge")


def _report(
    records: Sequence[Path], texts: Sequence[str], advice: Sequence[str], variant: Variant, out: Path | None
) -> None:
    """Print the table, what did not converge, and where everything is; draw the comparison."""
    runs = [load(record) for record in records]
    for text in texts:
        print(text)
    print(render(runs))
    for line in advice:
        print(f"not converged: {line}")
    for record in records:
        print(f"record: {record}")
    if variant.options.run.pictures:
        for picture in _draw(runs, out if out is not None else records[-1]):
            print(f"picture: {picture}")


def _draw(runs: Sequence[Any], folder: Path) -> list[Path]:
    """Draw the comparison if matplotlib is installed; return every picture of these runs."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        return []
    from mpsolve.compare.plot import draw

    drawn, _ = draw(runs, folder / "comparison" if len(runs) > 1 else folder)
    return [*sorted({path for run in runs[-1:] for path in run.directory.glob("*.png")} - set(drawn)), *drawn]
