"""MPI starts in one place, and every rank ends together whatever one of them does."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from mpsolve.errors import LaunchError, MpsolveError, ShapeError
from mpsolve.parallel import launch

CONFTEST = Path(__file__).parents[1] / "conftest.py"

# A rank that fails waits GRACE_S for the others; the rest is MPI's start and Python's imports on busy cores.
SECONDS_TO_ABORT = launch.GRACE_S + 40

PROGRAM = """
import sys, time
from mpsolve.errors import ConfigError, MpsolveError
from mpsolve.parallel import launch

def main(argv):
    {early}
    comm = launch.start()
    {body}
    comm.Barrier()
    time.sleep({sleep})
    return 0

sys.exit(launch.run(main, sys.argv[1:]))
"""


def program(body="pass", early="pass", sleep=0):
    return "-c", PROGRAM.format(body=body, early=early, sleep=sleep)


def lines(text, start="mpsolve:"):
    return [line for line in text.splitlines() if line.startswith(start)]


def errors(done):
    """Return standard error without the banner that Open MPI's launcher adds to any status but 0."""
    return re.sub(r"-{60,}\n.*?-{60,}\n", "", done.stderr, flags=re.DOTALL)


def test_no_launcher_means_one_rank():
    assert launch.launched({}) == launch.Launched(0, 1, "")


@pytest.mark.parametrize(("size", "rank"), [("PMI_SIZE", "PMI_RANK"), ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK")])
def test_mpirun_says_rank_and_size(size, rank):
    assert launch.launched({size: "8", rank: "3"}) == launch.Launched(3, 8, size)


def test_srun_says_rank_and_size():
    environment = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "6", "SLURM_PROCID": "5"}
    assert launch.launched(environment) == launch.Launched(5, 6, "SLURM_STEP_NUM_TASKS")


@pytest.mark.parametrize("step", ["4294967291", "4294967290", "batch", ""])
def test_batch_and_interactive_steps_of_slurm_are_no_launcher(step):
    environment = {"SLURM_STEP_ID": step, "SLURM_STEP_NUM_TASKS": "6", "SLURM_PROCID": "0"}
    assert launch.launched(environment).size == 1


def test_mpirun_inside_a_slurm_step_wins_over_slurm():
    environment = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "PMI_SIZE": "8"}
    assert launch.launched(environment).size == 8


def test_singletons_are_refused_with_advice():
    with pytest.raises(LaunchError, match=r"started 8 ranks \(PMI_SIZE=8\).*sees only 1.*mpirun of Open MPI.*pmix"):
        launch.check_world_size(1, "Open MPI", {"PMI_SIZE": "8", "PMI_RANK": "0"})


def test_a_world_of_the_launched_size_is_accepted():
    launch.check_world_size(8, "MPICH", {"PMI_SIZE": "8", "PMI_RANK": "0"})


def test_a_world_larger_than_one_component_of_the_job_is_accepted():
    launch.check_world_size(12, "MPICH", {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "0"})


def test_start_returns_the_same_communicator_again(world):
    assert launch.start() is world


def test_start_sees_all_ranks(world):
    assert (world.rank, world.size) == (launch.launched().rank, launch.launched().size)


def test_agree_runs_on_rank_0_only(comm):
    assert launch.agree(comm, lambda: comm.rank) == 0


def test_agree_raises_the_error_of_rank_0_everywhere(comm):
    def refuse():
        raise ShapeError(f"refused on rank {comm.rank}")

    with pytest.raises(ShapeError, match="refused on rank 0"):
        launch.agree(comm, refuse)


class KeyMissingError(MpsolveError):
    """An error whose text is not what it is made from, as pickle would assume."""

    def __init__(self, table, key):
        super().__init__(f"table {table} has no key {key}")


def test_agree_carries_an_error_that_cannot_be_pickled(comm):
    def refuse():
        raise KeyMissingError("grid", "n")

    with pytest.raises(KeyMissingError, match="table grid has no key n"):
        launch.agree(comm, refuse)


def test_a_rank_alone_may_use_all_its_cores():
    from mpi4py import MPI

    assert launch.threads_per_rank(MPI.COMM_SELF) == len(os.sched_getaffinity(0))


def test_ranks_share_the_cores_of_their_node(world, monkeypatch):
    monkeypatch.setattr(launch, "_allowed_cores", lambda: frozenset(range(7)))
    on_node = world.allgather(os.uname().nodename).count(os.uname().nodename)
    assert launch.threads_per_rank(world) == max(1, 7 // on_node)


def test_ranks_bound_to_their_own_cores_do_not_share(world, monkeypatch):
    own = frozenset(range(3 * world.rank, 3 * world.rank + 3))
    monkeypatch.setattr(launch, "_allowed_cores", lambda: own)
    assert launch.threads_per_rank(world) == 3


@pytest.mark.launches
def test_importing_the_package_does_not_load_mpi(plain):
    code = "import sys, mpsolve.parallel.halo; sys.exit('mpi4py.MPI' in sys.modules)"
    assert plain("-c", code).returncode == 0


@pytest.mark.launches
def test_a_program_that_never_starts_mpi_ends_without_it(plain):
    done = plain("-c", "import sys; from mpsolve.parallel import launch; sys.exit(launch.run(lambda argv: 0, []))")
    assert (done.returncode, errors(done)) == (0, "")


@pytest.mark.launches
def test_a_program_runs_without_mpirun(plain):
    done = plain(*program("print(comm.size)"))
    assert (done.returncode, done.stdout, errors(done)) == (0, "1\n", "")


@pytest.mark.launches
def test_a_program_runs_on_8_ranks_and_ends_quietly(mpirun):
    done = mpirun(8, *program("total = comm.reduce(1); print(total) if comm.rank == 0 else None"))
    assert (done.returncode, done.stdout, errors(done)) == (0, "8\n", "")


@pytest.mark.launches
def test_the_status_that_all_ranks_return_is_the_exit_status(mpirun):
    done = mpirun(3, *program("return 1"))
    assert (done.returncode, errors(done)) == (1, "")


@pytest.mark.launches
def test_the_largest_status_is_that_of_all_ranks(mpirun):
    done = mpirun(3, *program("comm.Barrier(); return comm.rank % 2"))
    assert (done.returncode, errors(done)) == (1, "")


@pytest.mark.launches
@pytest.mark.parametrize("ranks", [1, 2, 8])
def test_an_error_of_all_ranks_is_one_line_and_status_2(mpirun, ranks):
    body = """launch.agree(comm, lambda: (_ for _ in ()).throw(ConfigError("grid.n is -1;\\n it must be positive")))"""
    done = mpirun(ranks, *program(body))
    assert (done.returncode, errors(done)) == (2, "mpsolve: error: grid.n is -1; it must be positive\n")


@pytest.mark.launches
@pytest.mark.parametrize("ranks", [1, 3])
def test_an_error_before_mpi_starts_is_one_line_and_status_2(mpirun, ranks):
    done = mpirun(ranks, *program(early="raise ConfigError('no such key')"))
    assert (done.returncode, errors(done)) == (2, "mpsolve: error: no such key\n")


@pytest.mark.launches
def test_an_error_without_mpirun_is_one_line_and_status_2(plain):
    done = plain(*program(early="raise ConfigError('no such key')"))
    assert (done.returncode, errors(done)) == (2, "mpsolve: error: no such key\n")


@pytest.mark.launches
def test_an_error_of_one_rank_ends_all_with_its_line_and_status_2(mpirun):
    begin = time.monotonic()
    done = mpirun(3, *program("if comm.rank == 2: raise ConfigError('cannot read')", sleep=600))
    assert time.monotonic() - begin < SECONDS_TO_ABORT
    assert (done.returncode, lines(done.stderr)) == (2, ["mpsolve: error on rank 2: cannot read"])


@pytest.mark.launches
def test_an_error_of_one_rank_before_mpi_starts_ends_all(mpirun):
    early = "if launch.launched().rank == 1: raise ConfigError('cannot read')"
    done = mpirun(3, *program(early=early, sleep=600), timeout=SECONDS_TO_ABORT)
    assert (done.returncode, lines(done.stderr)) == (2, ["mpsolve: error on rank 1: cannot read"])


@pytest.mark.launches
def test_a_rank_that_failed_does_not_wait_for_ever_for_others_that_never_start_mpi(mpirun):
    early = """launch.ENTRY_PATIENCE_S = 1
    if launch.launched().rank == 0: raise ConfigError('cannot read')
    return 0"""
    done = mpirun(2, *program(early=early), timeout=SECONDS_TO_ABORT)
    assert done.returncode != 0
    assert lines(done.stderr) == ["mpsolve: error: cannot read"]


@pytest.mark.launches
def test_an_error_of_one_rank_after_the_others_finished_is_reported_without_abort(mpirun):
    done = mpirun(3, *program("if comm.rank != 1: return 0\n    raise ConfigError('cannot write')"))
    assert (done.returncode, errors(done)) == (2, "mpsolve: error on rank 1: cannot write\n")


@pytest.mark.launches
def test_two_different_errors_are_both_reported(mpirun):
    done = mpirun(4, *program("raise ConfigError(f'part {comm.rank // 2}')"))
    assert done.returncode == 2
    assert sorted(lines(done.stderr)) == ["mpsolve: error on rank 0: part 0", "mpsolve: error on rank 2: part 1"]


@pytest.mark.launches
def test_an_unexpected_error_of_one_rank_ends_all_with_its_traceback(mpirun):
    begin = time.monotonic()
    done = mpirun(8, *program("1 // (5 - comm.rank)", sleep=600))
    assert time.monotonic() - begin < SECONDS_TO_ABORT
    assert done.returncode == 1
    assert "mpsolve: unexpected error on rank 5:" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.launches
def test_an_unexpected_error_of_all_ranks_is_printed_once(mpirun):
    done = mpirun(3, *program("{}['mass']"))
    assert done.returncode == 1
    assert done.stderr.count("KeyError: 'mass'") == 1


@pytest.mark.launches
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("if comm.rank == 1: sys.exit(7)", 7),
        ("if comm.rank == 1: sys.exit('cannot go on')", 1),
        ("if comm.rank == 1: raise KeyboardInterrupt", 3),
        ("if comm.rank == 1: import os, signal; os.kill(os.getpid(), signal.SIGINT); time.sleep(600)", 3),
    ],
)
def test_one_rank_that_exits_or_is_interrupted_ends_all(mpirun, body, status):
    done = mpirun(3, *program(body, sleep=600), timeout=SECONDS_TO_ABORT)
    assert done.returncode == status


@pytest.mark.launches
@pytest.mark.parametrize("ranks", [1, 3])
def test_all_ranks_that_exit_end_quietly_with_their_status(mpirun, ranks):
    done = mpirun(ranks, *program("sys.exit(4)"))
    assert (done.returncode, errors(done)) == (4, "")


@pytest.mark.launches
def test_an_error_with_a_message_still_under_way_does_not_hang(mpirun):
    body = """
    big = bytearray(1 << 24)
    request = comm.Issend(big, (comm.rank + 1) % comm.size, 1)
    raise ConfigError('stop')"""
    done = mpirun(2, *program(body), timeout=SECONDS_TO_ABORT + launch.PATIENCE_S)
    assert done.returncode != 0
    assert lines(done.stderr) == ["mpsolve: error: stop"]


@pytest.mark.launches
def test_singletons_end_with_one_line_and_status_2(plain):
    from mpi4py import MPI

    # The variables of the other MPI's launcher, so that the library itself does not react to them.
    name = "PMI" if MPI.get_vendor()[0] == "Open MPI" else "OMPI_COMM_WORLD"
    first, second = (plain(*program(), environment={f"{name}_SIZE": "4", f"{name}_RANK": rank}) for rank in "01")
    assert (first.returncode, second.returncode, errors(second)) == (2, 2, "")
    assert len(lines(first.stderr, "mpsolve: error: the launcher started 4 ranks")) == 1
    assert len(first.stderr.splitlines()) == 1


@pytest.mark.launches
def test_nothing_but_launch_starts_mpi(plain):
    code = "import sys, mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; import mpsolve.parallel.halo; "
    assert plain("-c", code + "sys.exit(MPI.Is_initialized())").returncode == 0


@pytest.mark.launches
def test_a_failing_test_on_one_rank_ends_the_others(mpirun, tmp_path):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(
        "def test_it(world):\n    assert world.rank != 1, 'not here'\n    world.Barrier()\n"
    )
    done = mpirun(3, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), timeout=SECONDS_TO_ABORT)
    assert done.returncode == 1
    assert "failed in call on rank 1 of 3" in done.stderr
    assert "not here" in done.stderr


@pytest.mark.launches
def test_only_rank_0_prints_what_passed(mpirun, tmp_path):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text("def test_it(world):\n    world.Barrier()\n")
    done = mpirun(3, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), timeout=SECONDS_TO_ABORT)
    assert (done.returncode, done.stdout.count("1 passed")) == (0, 1)
