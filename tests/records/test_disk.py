"""Disks that are full, slow to answer or far away."""

import errno
import os
import subprocess
import sys

import pytest

from mpsolve.errors import FileError
from mpsolve.records import checkpoint, disk
from mpsolve.records.fields import write_fields
from mpsolve.records.run import write_json


@pytest.fixture
def written(tmp_path):
    (tmp_path / "new").write_text("new")
    (tmp_path / "file").write_text("before")
    return tmp_path / "new", tmp_path / "file"


def failing(monkeypatch, number, *, after):
    """Let renames fail the first so many times, `after` they were done or before."""
    replace, calls = os.replace, []

    def strange(source, target):
        calls.append(source)
        if len(calls) > number:
            return replace(source, target)
        if after:
            replace(source, target)
        raise OSError(errno.ENOENT if after else errno.ESTALE, "as a network file system says it")

    monkeypatch.setattr(disk.os, "replace", strange)
    monkeypatch.setattr(disk, "_PAUSE_S", 0.0)


def test_a_rename_whose_answer_was_lost_is_done(written, monkeypatch):
    failing(monkeypatch, 1, after=True)
    disk.rename(*written)
    assert written[1].read_text() == "new"


def test_a_rename_that_is_delayed_is_asked_for_again(written, monkeypatch):
    failing(monkeypatch, 3, after=False)
    disk.rename(*written)
    assert written[1].read_text() == "new"


def test_a_rename_that_never_works_leaves_the_old_file(written, monkeypatch):
    failing(monkeypatch, 99, after=False)
    with pytest.raises(OSError, match="network file system"):
        disk.rename(*written)
    assert written[1].read_text() == "before"


WRITERS = {
    "checkpoint": lambda path: checkpoint.save(path, 2, {"a": [1.0]}, {}),
    "fields": lambda path: write_fields(path / "fields.h5", {"x": ([1.0], "1", {})}, {}),
    "record": lambda path: write_json(path / "run.json", {"a": 1}),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_what_the_disk_refuses_is_one_line_and_leaves_what_was_there(tmp_path, monkeypatch, writer, number):
    kept = checkpoint.save(tmp_path, 1, {"a": [1.0]}, {})

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk.os, "replace", refuse)
    monkeypatch.setattr(disk, "_PAUSE_S", 0.0)
    with pytest.raises(FileError, match=os.strerror(number)):
        WRITERS[writer](tmp_path)
    assert list(tmp_path.iterdir()) == [kept]


def test_a_checkpoint_whose_name_is_there_before_its_content_is_skipped(tmp_path):
    kept = checkpoint.save(tmp_path, 1, {"a": [1.0]}, {})
    (tmp_path / "checkpoint-000000000002.h5").symlink_to(tmp_path / "not there yet")
    told = []
    found = checkpoint.newest(tmp_path, told.append)
    assert found is not None
    assert found.path == kept
    assert len(told) == 1


TRIED = """
import errno, io, sys
from pathlib import Path
import numpy as np
from mpsolve.errors import FileError
from mpsolve.records import checkpoint, hdf5_draft
from mpsolve.records.fields import write_fields

room = 0

class Full(io.FileIO):
    def write(self, data):
        if self.tell() + len(data) > room:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        return super().write(data)

folder, refused = Path(sys.argv[1]), 0
Path.open = lambda path, mode, buffering=0: Full(path, "x+")
values = np.arange(3000.0)
for room in range(0, 60_000, 1_500):
    for write in (
        lambda: checkpoint.save(folder, 1, {"a": values, "b": values}, {"c": 1}),
        lambda: write_fields(folder / "fields.h5", {"a": (values, "m", {}), "b": (values, "m", {})}, {}),
    ):
        try:
            write()
        except FileError as problem:
            assert "Disk quota exceeded" in str(problem), problem
            refused += 1
print(refused, *sorted(path.name for path in folder.iterdir()))
"""


def test_a_quota_that_is_met_anywhere_in_a_file_neither_crashes_nor_leaves_a_part(tmp_path):
    done = subprocess.run([sys.executable, "-c", TRIED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, *left = done.stdout.split()
    assert int(refused) >= 60
    assert left == ["checkpoint-000000000001.h5", "fields.h5"]
