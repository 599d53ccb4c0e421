"""When a run saves what it needs to go on, and how it goes on: all ranks at the same step."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from mpsolve.driver.options import AppOptions
from mpsolve.errors import ConfigError, FileError
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.launch import agree
from mpsolve.parallel.reductions import maximum
from mpsolve.records import checkpoint
from mpsolve.records.checkpoint import Checkpoint

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: Before the end of the job's time the last checkpoint is begun; seconds.
SPARE_S = 60.0
#: What is to be done after a step; the larger wins.
NOTHING, SAVE, STOP = 0.0, 1.0, 2.0

#: Tables of options that say how a problem is solved, and keys of the others that a restarted run may change.
HOW = ("run", "precision", "solver", "multigrid", "grid", "halo")
OPEN = ("time.steps", "time.steps_per_pass", "earth.years", "earth.max_years", "climate.output_hours")


class SavingOptions(Protocol):
    """The options that say when a run is saved: see `mpsolve.driver.options.RunOptions`."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between two checkpoints; 0: none."""
        ...

    @property
    def checkpoint_seconds(self) -> float:
        """Seconds between two checkpoints; 0: none."""
        ...

    @property
    def limit_seconds(self) -> float:
        """Seconds after which the run is saved and stops; 0: never."""
        ...


#: Arrays of this rank's block by name, and numbers.
State = tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]


class Moments:
    """When a run is saved: every so many steps or seconds, on SIGUSR1, and before it has to stop.

    As a context manager it handles SIGUSR1 (save and go on) and SIGTERM (save and stop); a second SIGTERM interrupts
    the step that is under way.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    options : SavingOptions
        How often.
    """

    def __init__(self, comm: Intracomm, options: SavingOptions) -> None:
        self.comm, self.options = comm, options
        self._asked, self._last_s = NOTHING, time.monotonic()
        self._end_s = _end_of_job(options)
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGUSR1"):
            for number in (signal.SIGUSR1, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM and self._asked == STOP:
            raise KeyboardInterrupt
        self._asked = max(self._asked, STOP if number == signal.SIGTERM else SAVE)

    def due(self, step: int) -> float:
        """Return what is to be done after a step: `NOTHING`, `SAVE`, or `STOP` after saving (collective)."""
        verdict = maximum(self.comm, self._wanted(step))
        if verdict != NOTHING:
            self._asked, self._last_s = NOTHING, time.monotonic()
        return verdict

    def _wanted(self, step: int) -> float:
        """Return what this rank wants after a step."""
        options, now = self.options, time.monotonic()
        if self._end_s is not None and time.time() > self._end_s - SPARE_S:
            self._end_s = None
            return STOP
        due = options.checkpoint_steps and step % options.checkpoint_steps == 0
        late = options.checkpoint_seconds and now - self._last_s > options.checkpoint_seconds
        return max(self._asked, SAVE if due or late else NOTHING)


class Checkpoints:
    """Saves the state of a run on a grid at its `Moments`, whose context it is.

    Parameters
    ----------
    grid : Cartesian
        How arrays are divided.
    directory : Path
        The run directory.
    options : SavingOptions
        When to save.
    """

    def __init__(self, grid: Cartesian, directory: Path, options: SavingOptions) -> None:
        self.grid, self.directory, self.moments = grid, directory, Moments(grid.comm, options)

    def __enter__(self) -> Self:
        self.moments.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self.moments.__exit__(*problem)

    def after(self, step: int, state: Callable[[], State], *, last: bool = False) -> None:
        """Save if it is time to, and stop if that was asked for (collective).

        Parameters
        ----------
        step : int
            Steps that are done.
        state : callable
            Returns this rank's part of the state.
        last : bool
            Whether the run is at its end, so that nothing needs to be saved for it.

        Raises
        ------
        KeyboardInterrupt
            On every rank, after the checkpoint, if the run has to stop.
        FileError
            On every rank, if the checkpoint cannot be written.
        """
        verdict = self.moments.due(step)
        if verdict == NOTHING or last:
            return
        arrays, numbers = state()
        whole = {name: self.grid.gather(np.ascontiguousarray(values)) for name, values in arrays.items()}
        path = agree(self.grid.comm, lambda: str(self._write(step, whole, numbers)))
        stop_if(verdict, path)

    def _write(self, step: int, whole: Mapping[str, NDArray | None], numbers: Mapping[str, Any]) -> Path:
        arrays = {name: values for name, values in whole.items() if values is not None}
        return checkpoint.save(self.directory, step, arrays, numbers)


def stop_if(verdict: float, path: str) -> None:
    """End the run after a checkpoint if that was asked for."""
    if verdict == STOP:
        raise KeyboardInterrupt(f"after the checkpoint {path}; --restart auto goes on")


def _end_of_job(options: SavingOptions) -> float | None:
    """Return when the job ends, in seconds since 1970: as Slurm says, or after so many seconds from now."""
    slurm = os.environ.get("SLURM_JOB_END_TIME", "")
    known = [float(slurm)] if slurm.isdecimal() else []
    if options.limit_seconds:
        known.append(time.time() + options.limit_seconds)
    return min(known, default=None)


def find(comm: Intracomm, wanted: str, directory: Path | None) -> Checkpoint | None:
    """Return the checkpoint to go on from, on rank 0 and None elsewhere (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    wanted : str
        ``"auto"``: the newest whole one of the run directory, if there is one; or the path of a checkpoint or of a
        run directory that has one.
    directory : Path or None
        The run directory.

    Raises
    ------
    ConfigError, FileError
        If it is not there, or damaged.
    """
    found: list[Checkpoint] = []

    def look() -> bool:
        path = _place(wanted, directory)
        one = (
            checkpoint.load(path) if path.is_file() else checkpoint.newest(path, lambda text: print(f"mpsolve: {text}"))
        )
        if one is None and wanted != "auto":
            raise FileError(f"--restart {wanted}: there is no whole checkpoint in it")
        if one is None:
            _say(f"no checkpoint in {path}: the run begins anew")
        else:
            found.append(one)
        return one is not None

    agree(comm, look)
    return found[0] if found else None


def _say(text: str) -> None:
    print(f"mpsolve: {text}")


def _place(wanted: str, directory: Path | None) -> Path:
    if wanted != "auto":
        path = Path(wanted)
        if not path.exists():
            raise FileError(
                f"--restart {wanted}: no such file or directory; give a checkpoint, a run directory or auto"
            )
        return path
    if directory is None:
        raise ConfigError("--restart auto looks in the run directory: give it with --out")
    return directory


def problem_of(options: AppOptions) -> dict[str, Any]:
    """Return what defines a problem, by dotted key, as JSON holds it: all but how it is solved."""
    flat = {
        f"{table}.{key}": value
        for table, entries in asdict(cast("Any", options)).items()
        if table not in HOW and isinstance(entries, dict)
        for key, value in entries.items()
    }
    return json.loads(json.dumps({key: value for key, value in flat.items() if key not in OPEN}))


class Resumed:
    """A checkpoint on its way to the ranks: its numbers everywhere, its arrays block by block.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    found : Checkpoint or None
        On rank 0.
    problem : dict
        What defines the problem; a checkpoint of another one is refused.

    Raises
    ------
    ConfigError
        On every rank, if the checkpoint is of another problem; the message names the key.
    """

    def __init__(self, comm: Intracomm, found: Checkpoint | None, problem: Mapping[str, Any]) -> None:
        self.comm, self.found = comm, found
        self.text, self.step, self.numbers, self._names = agree(comm, lambda: self._told(found, problem))

    @staticmethod
    def _told(found: Checkpoint | None, problem: Mapping[str, Any]) -> tuple[str, int, dict[str, Any], list[str]]:
        assert found is not None
        saved = found.numbers.get("problem", {})
        for key in sorted(set(saved) | set(problem)):
            if saved.get(key) != problem.get(key):
                raise ConfigError(
                    f"{found.path} is a checkpoint of another problem: it has {key} = {saved.get(key)}, "
                    f"the run {problem.get(key)}"
                )
        return f"{found.path}, step {found.step}", found.step, found.numbers, sorted(found.arrays)

    def arrays(self, grid: Cartesian) -> dict[str, NDArray[Any]]:
        """Return this rank's block of each array (collective)."""
        held = {} if self.found is None else self.found.arrays
        return {name: grid.scatter(held.get(name)) for name in self._names}
