"""Compiled kernels are kept on disk, once, whoever asks and how many at a time."""

import subprocess
import sys

import pytest

pytest.importorskip("numba")

from mpsolve.kernels import compile as compiling
from mpsolve.kernels.source import KernelSpec, kernel_source
from mpsolve.precision import get_format

PROGRAM = """
import numpy as np
from mpsolve.backends import cpu
from mpsolve.field import Field
from mpsolve.precision import get_format

field = Field.zeros((4, 70), 2, get_format("bf16")).set(1.0)
target = field.like()
cpu.create(1).bind_sweep(target, field, (0.2, 0.2), 2, ((1, 1), (1, 1)))()
print(bool((target.interior == field.interior).all()))
"""


def twice(load, a, c, i):
    return load(a[0], i) + load(a[0], i)


def spec(point):
    return KernelSpec(point=point, ndim=1, inputs=(get_format("fp32"),), outputs=(get_format("fp32"),))


def compiled_files(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("*.nb[ci]")}


@pytest.mark.launches
def test_a_second_process_loads_what_the_first_compiled(plain, tmp_path):
    first = plain("-c", PROGRAM, environment={"MPSOLVE_CACHE_DIR": str(tmp_path)})
    kept = compiled_files(tmp_path)
    second = plain("-c", PROGRAM, environment={"MPSOLVE_CACHE_DIR": str(tmp_path)})
    assert (first.stdout, second.stdout) == ("True\n", "True\n"), first.stderr + second.stderr
    assert kept
    assert compiled_files(tmp_path) == kept


@pytest.mark.launches
def test_eight_processes_may_compile_the_same_kernel_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MPSOLVE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    command = [sys.executable, "-c", PROGRAM]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(8)]
    answers = [process.communicate(timeout=110) for process in running]
    assert [out for out, _ in answers] == ["True\n"] * 8, answers
    assert len([name for name in compiled_files(tmp_path) if name.endswith(".nbc")]) == 1


@pytest.mark.launches
def test_a_cache_that_cannot_be_written_is_no_error(plain, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    environment = {"MPSOLVE_CACHE_DIR": str(blocked / "below"), "TMPDIR": str(tmp_path)}
    assert plain("-c", PROGRAM, environment=environment).stdout == "True\n"


def test_the_source_of_a_kernel_names_no_address():
    # An address in a source would make a new kernel in each process.
    assert kernel_source(spec(twice)) == kernel_source(spec(twice))
    assert "0x7" not in kernel_source(spec(twice)).replace("0x7FFFFFFFFFFFFFFF", "")


def test_another_point_is_another_kernel(tmp_path, monkeypatch):
    def thrice(load, a, c, i):
        return load(a[0], i) + load(a[0], i) + load(a[0], i)

    monkeypatch.setenv("MPSOLVE_CACHE_DIR", str(tmp_path))
    for point in (twice, thrice):
        compiling.load_kernel(kernel_source(spec(point)))
    assert len(list(tmp_path.glob("kernel_*.py"))) == 2


def test_a_point_may_call_its_loader_by_any_name():
    def renamed(read, a, c, i):
        return read(a[0], i)

    text = kernel_source(spec(renamed))
    assert "read = load" in text
    assert "def point(a, c, i)" in text
