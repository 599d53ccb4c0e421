"""Find runs on disk and tell where their configurations differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpsolve.errors import FileError, UnknownNameError
from mpsolve.records.run import FILE_NAME, read_run

RUNS = Path("runs")

ABSENT = "(absent)"


@dataclass(frozen=True)
class RunSummary:
    """What a comparison needs of one run.

    Parameters
    ----------
    name : str
        Name of the run directory.
    directory : Path
        The run directory.
    app, status : str
        As in ``run.json``.
    precision : str
        Name for the column: ``precision.name`` if the record has it, the inner format otherwise.
    config : dict
        Dotted key to value, with the roles below ``precision.``.
    results : dict
        Name to value or None.
    reasons : dict
        Name to the reason of a None.
    energy : tuple of dict
        The readings.
    ranks : int
        Number of ranks.
    started : str
        UTC, ISO 8601.
    machine : tuple of str
        Models of the processors and names of the devices that it ran on.
    members : tuple of RunSummary
        The runs that this one stands for (see `mpsolve.compare.repeats`); empty for a run as it is on disk.
    """

    name: str
    directory: Path
    app: str
    status: str
    precision: str
    config: dict[str, Any]
    results: dict[str, Any]
    reasons: dict[str, str]
    energy: tuple[dict[str, Any], ...]
    ranks: int
    started: str
    machine: tuple[str, ...] = ()
    members: tuple["RunSummary", ...] = ()


def load(directory: str | Path) -> RunSummary:
    """Read the record of a run directory.

    Raises
    ------
    FileError
        If it is missing or damaged.
    """
    directory = Path(directory)
    record = read_run(directory)
    roles, environment = record["precision"], record["environment"]
    ranks = environment.get("ranks")
    return RunSummary(
        name=directory.resolve().name,
        directory=directory,
        app=record["app"],
        status=record["status"],
        precision=str(roles.get("name") or roles.get("inner") or "unknown"),
        config=flatten(record["config"]) | flatten({"precision": roles}),
        results=record["results"],
        reasons={name: str(reason) for name, reason in record["reasons"].items()},
        energy=tuple(reading for reading in record["energy"] if isinstance(reading, dict)),
        ranks=len(ranks) if isinstance(ranks, list) else 0,
        started=str(environment.get("started_utc", "")),
        machine=_machine(environment),
    )


def _machine(environment: dict[str, Any]) -> tuple[str, ...]:
    """Return the models of the processors and the devices, without their numbers, of a run."""
    hosts, ranks = environment.get("hosts"), environment.get("ranks")
    known = hosts.values() if isinstance(hosts, dict) else ()
    found = {str(host.get("cpu_model")) for host in known if isinstance(host, dict)}
    for rank in ranks if isinstance(ranks, list) else ():
        devices = rank.get("devices") if isinstance(rank, dict) else None
        found |= {str(device).partition(" ")[2] for device in devices} if isinstance(devices, list) else set()
    return tuple(sorted(found))


def load_all(directories: Sequence[Path]) -> tuple[list[RunSummary], list[str]]:
    """Read several runs; a damaged one becomes a line of text instead of an exception.

    Returns
    -------
    tuple
        The runs that could be read, in order, and a line for each that could not.
    """
    runs, problems = [], []
    for directory in directories:
        try:
            runs.append(load(directory))
        except FileError as problem:
            problems.append(f"{directory.name}: {problem}")
    return runs, problems


def runs_below(folder: Path) -> list[Path]:
    """Return the run directories directly below `folder`, sorted by name.

    Raises
    ------
    FileError
        If `folder` cannot be listed.
    """
    try:
        return sorted(entry for entry in folder.iterdir() if (entry / FILE_NAME).is_file())
    except OSError as problem:
        raise FileError(f"cannot list {folder}: {problem.strerror}; name a directory that holds runs") from None


def resolve(name: str, runs: Path = RUNS) -> list[Path]:
    """Find the run directories that `name` means.

    Parameters
    ----------
    name : str
        A run directory; a directory of runs, for instance of a sweep, which means all of them; or the name of a run
        below `runs`, or the beginning of one that no other run shares.
    runs : Path
        Where runs are looked for by name.

    Returns
    -------
    list of Path
        At least one.

    Raises
    ------
    FileError
        If `name` is a directory without runs or the beginning of several names.
    UnknownNameError
        If nothing has this name; the message lists the runs that are there.
    """
    for path in (Path(name), runs / name):
        if path.is_dir():
            found = [path] if (path / FILE_NAME).is_file() else in_order(runs_below(path))
            if not found:
                raise FileError(f"{path} holds no run: there is no {FILE_NAME} in it or one level below")
            return found
    there = [entry.name for entry in runs_below(runs)] if runs.is_dir() else []
    matching = [entry for entry in there if entry.startswith(name)]
    if len(matching) > 1:
        raise FileError(f"{name!r} is the beginning of {len(matching)} runs: {', '.join(matching)}; give more of it")
    if not matching:
        raise UnknownNameError("run", name, there or [f"none below {runs}"])
    return [runs / matching[0]]


def differences(runs: Sequence[RunSummary]) -> dict[str, tuple[Any, ...]]:
    """Return the keys whose values differ: ``app`` and dotted configuration keys, with a value per run."""
    values = {"app": tuple(run.app for run in runs)}
    for key in dict.fromkeys(key for run in runs for key in run.config):
        values[key] = tuple(run.config.get(key, ABSENT) for run in runs)
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dictionaries as one with dotted keys.

    Examples
    --------
    >>> flatten({"grid": {"shape": [64, 64]}})
    {'grid.shape': [64, 64]}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def in_order(directories: Sequence[Path]) -> list[Path]:
    """Return run directories in the order in which the runs began; damaged ones last."""
    runs, _ = load_all(directories)
    started = {run.directory: run.started for run in runs}
    return sorted(directories, key=lambda directory: (started.get(directory, "~"), directory.name))
