"""A run directory has one owner at a time."""

import errno
import fcntl
import subprocess
import sys

import pytest

from mpsolve.errors import FileError
from mpsolve.records.claim import FILE_NAME, Claim

HOLD = """
import sys, time
from pathlib import Path
from mpsolve.records.claim import Claim

claim = Claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_another_claim_is_refused_with_the_owner_until_the_first_is_released(tmp_path):
    first = Claim(tmp_path)
    with pytest.raises(FileError, match=r"is in use by process \d+ on .*; wait until it ends, or choose"):
        Claim(tmp_path, patience_s=0.1)
    first.release()
    Claim(tmp_path, patience_s=0.0).release()
    assert list(tmp_path.iterdir()) == []


def test_the_claim_of_a_process_that_was_killed_is_void(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(FileError, match=f"process {process.pid} "):
        Claim(tmp_path, patience_s=0.0)
    process.kill()
    process.wait()
    assert (tmp_path / FILE_NAME).exists()
    Claim(tmp_path).release()
    process.stdout.close()


def test_a_file_system_without_locks_does_not_stop_a_run(tmp_path, monkeypatch):
    def without(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    Claim(tmp_path, patience_s=0.0).release()


def test_a_claim_on_a_folder_that_is_gone_names_it(tmp_path):
    with pytest.raises(FileError, match="No such file or directory; choose another directory"):
        Claim(tmp_path / "none")
