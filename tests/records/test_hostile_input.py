"""Files that were damaged or made to harm: every reader returns or raises an error of its own, in bounded time.

MPSOLVE_INPUTS says how many inputs each reader gets; make nightly sets it to 10,000.
"""

import json
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from hostile_files import READERS, whole
from hypothesis import given
from hypothesis import strategies as st

from mpsolve import config
from mpsolve.driver.options import HeatAppOptions
from mpsolve.errors import MpsolveError
from mpsolve.models.matrix_files import npy
from mpsolve.records.run import read_run
from mpsolve.records.steps import read_steps

INPUTS = int(os.environ.get("MPSOLVE_INPUTS", "120"))
SLOWEST_S = 10.0
INSERTED = (b"\x00", b"\xff" * 8, b"9" * 30, b"[" * 50, b"nan", b"1e999", b"\n", b"\\u0000")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a file with some bytes changed, taken away or put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and place < len(data):
            data[place] = rng.randrange(256)
        elif kind == 1 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[place : place + rng.choice((1, 4, 64))]
        elif kind == 3:
            data[place:place] = rng.choice(INSERTED)
        else:
            del data[place:]
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_with_a_message(name, tmp_path):
    make, read = READERS[name]
    path = tmp_path / name
    make(path)
    read(path)
    content, rng = path.read_bytes(), random.Random(name)
    for number in range(INPUTS):
        path.write_bytes(damaged(content, rng))
        begin = time.monotonic()
        try:
            read(path)
        except MpsolveError as error:
            assert str(error)
        except Exception as error:
            kept = Path("/tmp") / f"hostile-{number}-{name}"
            kept.write_bytes(path.read_bytes())
            raise AssertionError(f"{kept}: {type(error).__name__}: {error}") from error
        assert time.monotonic() - begin < SLOWEST_S


def test_a_pickle_in_an_npy_file_is_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[print, print], [print, print]], dtype=object), allow_pickle=True)
    with pytest.raises(MpsolveError):
        whole(npy)(tmp_path / "a.npy")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner)
)
SECTIONS = st.sampled_from(["heat", "time", "precision", "solver", "run", "model", "other"])
KEYS = st.sampled_from(["shape", "steps", "dt_s", "inner", "residual", "rtol", "checkpoint_steps", "inject", "problem"])
RECORD_NAMES = st.sampled_from(["schema_version", "status", "app", "config", "energy", "ledger", "results", "reasons"])


def read_or_refused(read):
    try:
        read()
    except MpsolveError as error:
        assert str(error)


@given(st.dictionaries(RECORD_NAMES, ANY_JSON), ANY_JSON)
def test_a_record_of_any_json_is_read_or_refused(tmp_path_factory, content, other):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    for one in (content, {"schema_version": 1, **content}, other):
        (folder / "run.json").write_text(json.dumps(one))
        read_or_refused(lambda: read_run(folder))


@given(st.lists(ANY_JSON, max_size=4), st.binary(max_size=20))
def test_steps_of_any_json_are_read_or_refused(tmp_path_factory, rows, tail):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode() + tail)
    read_or_refused(lambda: read_steps(path))


@given(st.dictionaries(SECTIONS, st.dictionaries(KEYS, ANY_JSON) | SCALARS))
def test_options_of_any_values_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    lines = []
    for section, values in content.items():
        if isinstance(values, dict):
            lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        else:
            lines.insert(0, f"{section} = {json.dumps(values)}")
    path.write_text("\n".join(lines))
    read_or_refused(lambda: config.load(HeatAppOptions, path))
