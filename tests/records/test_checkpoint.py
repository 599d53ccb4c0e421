"""Checkpoints: exact, whole or not there, the last two kept, damaged ones recognised."""

import math
import os

import h5py
import numpy as np
import pytest

from mpsolve.errors import FileError
from mpsolve.records import checkpoint

ARRAYS = {"state": np.random.default_rng(0).standard_normal((300, 700)), "counts": np.arange(5, dtype=np.int64)}
NUMBERS = {"time": 0.1, "nan": math.nan, "names": ["a", "b"], "deep": {"n": np.int64(3), "x": np.float64(1e-300)}}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_arrays_and_numbers_come_back_exactly(tmp_path):
    path = checkpoint.save(tmp_path, 12, ARRAYS, NUMBERS)
    found = checkpoint.load(path)
    assert found.step == 12 and set(found.arrays) == set(ARRAYS)
    assert all(np.array_equal(found.arrays[name], values) for name, values in ARRAYS.items())
    assert found.numbers["time"] == 0.1 and math.isnan(found.numbers["nan"])
    assert found.numbers["deep"] == {"n": 3, "x": 1e-300}


def test_the_last_two_are_kept_and_the_newest_is_found(tmp_path):
    for step in (9, 10, 100):
        checkpoint.save(tmp_path, step, ARRAYS, {"step": step})
    assert names(tmp_path) == ["checkpoint-000000000010.h5", "checkpoint-000000000100.h5"]
    assert checkpoint.newest(tmp_path, pytest.fail).numbers == {"step": 100}


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "numbers"])
def test_a_damaged_one_is_skipped_with_a_message(tmp_path, damage):
    checkpoint.save(tmp_path, 1, ARRAYS, {"step": 1})
    path = checkpoint.save(tmp_path, 2, ARRAYS, {"step": 2})
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        place = file["arrays/state"].id.get_offset() if damage == "flip" else file["numbers"].id.get_offset()
    if damage in ("flip", "numbers"):
        content[place + 3] ^= 4
    elif damage == "cut":
        content = content[: len(content) // 2]
    else:
        content = bytearray(b"" if damage == "empty" else b"no checkpoint")
    path.write_bytes(content)
    said = []
    assert checkpoint.newest(tmp_path, said.append).step == 1
    assert len(said) == 1 and "checkpoint-000000000002.h5" in said[0]


def test_an_array_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path):
    path = checkpoint.save(tmp_path, 1, {}, {})
    with h5py.File(path, "a") as file:
        file.create_dataset("arrays/huge", (1 << 40,), "f8")
        file.create_dataset("checksums/huge", (1,), "u4")
    with pytest.raises(FileError, match="larger than the file"):
        checkpoint.load(path)


def test_arrays_that_were_given_other_names_are_damage(tmp_path):
    path = checkpoint.save(tmp_path, 1, ARRAYS, {})
    with h5py.File(path, "a") as file:
        name = next(iter(file["arrays"]))
        file["arrays"].move(name, "other")
    with pytest.raises(FileError, match="its arrays are not those that have checksums"):
        checkpoint.load(path)


@pytest.mark.parametrize("name", ["numbers", "arrays", "checksums"])
def test_a_link_that_leads_elsewhere_is_damage(tmp_path, name):
    path = checkpoint.save(tmp_path, 1, ARRAYS, {})
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = np.dtype("f8")
    with pytest.raises(FileError, match="checkpoint-000000000001.h5"):
        checkpoint.load(path)


def test_a_full_disk_leaves_the_checkpoints_before(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 1, ARRAYS, {})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device; the checkpoints before it are kept"):
        checkpoint.save(tmp_path, 2, ARRAYS, {})
    assert names(tmp_path) == ["checkpoint-000000000001.h5"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="cannot write"):
        checkpoint.save(tmp_path, 2, ARRAYS, {})


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path / "none.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(FileError, match="no checkpoint of this version"):
        checkpoint.load(tmp_path / "other.h5")
    assert checkpoint.newest(tmp_path / "nowhere", pytest.fail) is None


def test_numbers_that_json_cannot_hold_are_refused(tmp_path):
    with pytest.raises(TypeError, match="cannot hold set"):
        checkpoint.save(tmp_path, 1, {}, {"a": {1}})
