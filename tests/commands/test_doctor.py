"""`mpsolve doctor` as a user runs it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.launches


def test_the_report_has_every_part_and_this_machine_works(mpsolve):
    result = mpsolve("doctor", environment={"PATH": "/usr/bin:/bin"})
    titles = ("MPI", "backends", "number formats in hardware", "matrix products, GFLOP/s on one core", "machine")
    titles += ("packages", "energy meters")
    assert all(f"\n{title}\n" in result.stdout for title in titles)
    assert "-n 2  2 ranks" in result.stdout
    assert (result.returncode, result.stderr) == (0, "")


def test_mpi_is_never_started_in_the_own_process():
    code = (
        "import sys; from mpsolve.__main__ import main; main(['doctor'])\n"
        "print('mpi4py.MPI' in sys.modules)"
    )  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"
