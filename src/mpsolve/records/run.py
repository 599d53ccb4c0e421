"""run.json: one run's configuration, environment and results, and the directory that holds them."""

import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpsolve.energy.base import Reading
from mpsolve.errors import FileError
from mpsolve.ledger import Ledger
from mpsolve.parallel.launch import agree
from mpsolve.records import steps
from mpsolve.records.claim import Claim
from mpsolve.records.disk import reason, rename
from mpsolve.records.environment import gather_environment
from mpsolve.records.plain import plain
from mpsolve.records.results import fill_results

SCHEMA_VERSION = 1
RUNS = Path("runs")
STATUSES = ("running", "ok", "failed", "interrupted")
FILE_NAME = "run.json"
FIELDS_NAME = "fields.h5"

_HALF_WRITTEN = re.compile(r"\.(run\.json|fields\.h5|checkpoint-\d+\.h5)\.[0-9a-f]{8}")

# A record is some kilobytes, with a line per rank; what is larger is not one of ours.
LARGEST_BYTES = 256 * 2**20


class RunRecord:
    """The record of one run; written by rank 0, first with status ``"running"``.

    Made by `create`. As a context manager it ends the record as ``"failed"`` or ``"interrupted"`` when an exception
    passes through, without any collective call.

    Attributes
    ----------
    directory : Path
        The run directory, the same on every rank.
    steps : StepLog
        The log of steps; does nothing on ranks other than 0.

    Examples
    --------
    ::

        with RunRecord.create(options.out, "heat", config, sys.argv, comm, precision) as record:
            record.steps.append(step=1, residual=1e-9, format="bf16")
            record.finish("ok", {"time_s": 1.5, "converged": True}, ledger, window.readings)
    """

    def __init__(self, directory: Path, content: dict[str, Any], comm: Any, claims: Sequence[Claim] = ()):
        self.directory, self.comm = directory, comm
        self._claims = claims
        self.steps = steps.StepLog(directory / steps.FILE_NAME if comm.rank == 0 else None)
        self._content = content

    @classmethod
    def create(
        cls,
        directory: str | Path | None,
        app: str,
        config: Any,
        argv: Sequence[str],
        comm: Any,
        precision: Any,
        *,
        devices: Sequence[str] = (),
        resumed: str = "",
    ) -> Self:
        """Make the run directory and write the first ``run.json``; collective.

        Parameters
        ----------
        directory : str, Path or None
            The run directory (``--out``), made with its parents; None makes ``runs/<UTC>_<app>_<id>``.
        app : str
            Name of the app.
        config : dict or dataclass
            The resolved configuration, defaults written in.
        argv : sequence of str
            The command line.
        comm : communicator
            Has ``rank``, ``size``, ``gather`` and ``bcast``, for instance an mpi4py communicator.
        precision : dict or dataclass
            Format of each role.
        devices : sequence of str
            Devices of this rank; see `gather_environment`.
        resumed : str
            The checkpoint that the run goes on from; a run directory may then hold the run that it is of.

        Returns
        -------
        RunRecord

        Raises
        ------
        FileError
            On every rank, if the directory cannot be made or written, holds a run already, or one that is under way.
        """
        environment = gather_environment(comm, devices)
        content = {
            "schema_version": SCHEMA_VERSION,
            "status": "running",
            "app": app,
            "config": config,
            "argv": list(argv),
            "environment": environment,
            "precision": precision,
            "ledger": {},
            "energy": [],
        }
        if resumed:
            content["resumed"] = resumed
        content["results"], content["reasons"] = fill_results({}, otherwise="the run has not ended")
        claims: list[Claim] = []
        try:
            path = Path(agree(comm, lambda: str(_first_write(directory, app, content, claims))))
        except BaseException:
            for claim in claims:
                claim.release()
            raise
        return cls(path, content, comm, claims)

    @property
    def fields_path(self) -> Path:
        """Where the fields of this run belong."""
        return self.directory / FIELDS_NAME

    def finish(
        self,
        status: str,
        results: Mapping[str, Any],
        ledger: Ledger,
        energy: Sequence[Reading],
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        """Write the results; collective.

        Parameters
        ----------
        status : str
            ``"ok"``, ``"failed"`` or ``"interrupted"``.
        results : mapping
            Results by name, see `fill_results`; those of rank 0 are written.
        ledger : Ledger
            The work of this rank; the ranks' counts are added up here.
        energy : sequence of Reading
            The readings of the window; those of rank 0 are written.
        reasons : mapping, optional
            Why a result is missing, by name.

        Raises
        ------
        FileError
            On every rank, if the file cannot be written.
        """
        if status not in STATUSES[1:]:
            raise ValueError(f"status {status!r} must be one of {STATUSES[1:]}")
        total = Ledger()
        for counts in self.comm.gather(ledger.to_dict()) or ():
            total.absorb(counts)
        filled, missing = fill_results(results, reasons)
        self._content |= {"ledger": total.to_dict(), "energy": list(energy), "results": filled, "reasons": missing}
        agree(self.comm, lambda: self._end(status))
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if kind is not None and self.comm.rank == 0 and self._content["status"] == "running":
                filled = fill_results({}, otherwise=f"the run ended early: {kind.__name__}: {error}")
                self._content["results"], self._content["reasons"] = filled
                self._end("interrupted" if issubclass(kind, KeyboardInterrupt) else "failed")
        finally:
            self._close()

    def _end(self, status: str) -> None:
        self._content["status"] = status
        write_json(self.directory / FILE_NAME, self._content)

    def _close(self) -> None:
        self.steps.close()
        for claim in self._claims:
            claim.release()


def check_directory(directory: str | Path | None, *, resumed: bool = False) -> None:
    """Refuse a run directory that `RunRecord.create` would refuse; local, leaves nothing behind.

    For a long preparation, whose end is too late for a mistake in ``--out``.

    Parameters
    ----------
    directory : str, Path or None
        As for `RunRecord.create`.
    resumed : bool
        Whether a run that it holds may go on.

    Raises
    ------
    FileError
        If it holds a run, or cannot be made or written.
    """
    path = RUNS if directory is None else Path(directory)
    if directory is not None and not resumed:
        _refuse_taken(path)
    missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir()
            made.append(folder)
        os.rmdir(tempfile.mkdtemp(prefix=".mpsolve-", dir=path))
    except OSError as problem:
        raise _cannot_make(path, problem) from None
    finally:
        for folder in reversed(made):
            folder.rmdir()


def finished(directory: Path | None) -> bool:
    """Tell whether a directory holds a run that ended well; local."""
    if directory is None or not (directory / FILE_NAME).exists():
        return False
    return read_run(directory)["status"] == "ok"


def write_json(path: Path, content: Any) -> None:
    """Write `content` (see `plain`) to `path` in one go: a reader sees the old file or the new one.

    Raises
    ------
    FileError
        If it cannot be written; nothing half-written stays behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            json.dump(plain(content), file, indent=1, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise FileError(f"cannot write {path}: {reason(problem)}; choose another directory with --out") from None


def read_run(directory: Path) -> dict[str, Any]:
    """Read the ``run.json`` of a run directory.

    Returns
    -------
    dict
        The record; every section is there and of its type.

    Raises
    ------
    FileError
        If it is missing, damaged, too large or of another schema version.
    """
    path = directory / FILE_NAME
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FileError(f"{path} is larger than {LARGEST_BYTES} bytes: not a record of mpsolve")
        content = json.loads(path.read_bytes())
    except OSError as problem:
        raise FileError(f"cannot read {path}: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise FileError(f"{path} is damaged: {problem}") from None
    _check(path, content)
    return content


def _check(path: Path, content: Any) -> None:
    if not isinstance(content, dict) or "schema_version" not in content:
        raise FileError(f"{path} is not a record of mpsolve: it has no schema_version")
    if content["schema_version"] != SCHEMA_VERSION:
        found = str(content["schema_version"])[:40]
        raise FileError(f"{path} has schema_version {found}; this mpsolve reads {SCHEMA_VERSION}")
    sections: dict[str, type] = {"status": str, "app": str, "argv": list, "energy": list}
    sections |= dict.fromkeys(("config", "environment", "precision", "ledger", "results", "reasons"), dict)
    for name, kind in sections.items():
        if not isinstance(content.get(name), kind):
            raise FileError(f"{path} is damaged: {name} is missing or not a {kind.__name__}")


def _first_write(directory: str | Path | None, app: str, content: dict[str, Any], claims: list[Claim]) -> Path:
    """Make the directory, claim it, and write the first record."""
    path = _new_directory(app) if directory is None else Path(directory)
    resumed = bool(content.get("resumed"))
    if not resumed:
        _refuse_taken(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        claims.append(Claim(path))
        # Another run may have begun meanwhile, or the one that had it has ended well.
        if not (resumed and _unfinished(path)):
            _refuse_taken(path)
        _clear(path)
        # Made here, where a failure reaches every rank, and opened later on rank 0 alone.
        (path / steps.FILE_NAME).touch(exist_ok=resumed)
    except OSError as problem:
        raise _cannot_make(path, problem) from None
    write_json(path / FILE_NAME, content)
    return path


def _refuse_taken(path: Path) -> None:
    """Refuse a directory with a run: it is never overwritten silently, not even half of one."""
    for name in (FILE_NAME, steps.FILE_NAME, FIELDS_NAME):
        if os.path.lexists(path / name):
            raise FileError(f"{path} already holds a run ({name}); choose another directory with --out or delete it")


def _unfinished(path: Path) -> bool:
    """Tell whether a run may go on here: one that did not end well, which may have written its fields, or none."""
    return not finished(path) if (path / FILE_NAME).exists() else not (path / FIELDS_NAME).exists()


def _clear(path: Path) -> None:
    """Delete what a run that was killed has left half-written."""
    for left in path.iterdir():
        if _HALF_WRITTEN.fullmatch(left.name):
            left.unlink(missing_ok=True)


def _cannot_make(path: Path, problem: OSError) -> FileError:
    advice = "choose another one with --out"
    return FileError(f"cannot write the run directory {path}: {problem.strerror}; {advice}")


def _new_directory(app: str) -> Path:
    return RUNS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{app}_{secrets.token_hex(4)}"
