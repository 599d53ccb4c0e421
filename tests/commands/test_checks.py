"""The checks of `mpsolve doctor` against fake machines, launchers and backends."""

import sys
import time
import types
from pathlib import Path

import pytest

from mpsolve import lookup
from mpsolve.commands import doctor
from mpsolve.commands.checks import machine, mpi, software
from mpsolve.commands.checks.finding import Finding
from mpsolve.errors import BackendUnavailable
from mpsolve.gemm_probe import Measured


def by_name(findings):
    return {finding.name: finding for finding in findings}


def write(root, path, text):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def launcher(tmp_path, text):
    """A program that stands for mpirun."""
    path = tmp_path / "mpirun"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_marks_tell_wrong_from_not_needed():
    assert Finding("a", "there").mark == "ok"
    assert Finding("a", "not there", works=False).mark == "--"
    assert Finding("a", "bad", works=False, advice="mend it").mark == "!!"
    assert Finding("a", "gone", works=False, essential=True).mark == "!!"


def test_the_verdict_repeats_what_is_wrong_with_the_advice():
    text = doctor.verdict([Finding("a", "fine"), Finding("b", "broken", works=False, advice="mend it")])
    assert text.splitlines()[1:] == ["what is wrong", "  b: broken", "    -> mend it"]


@pytest.mark.parametrize(("essential", "status"), [(True, 1), (False, 0)])
def test_only_essentials_fail_the_doctor(essential, status):
    assert doctor.exit_status([Finding("b", "broken", False, "mend it", essential=essential)]) == status


def test_the_flags_of_the_processor_decide_on_the_formats(tmp_path):
    write(tmp_path, "proc/cpuinfo", "model name : X\nflags : fpu f16c avx512_fp16 amx_bf16 avx512_bf16\n")
    found = by_name(machine.check_formats(tmp_path))
    assert set(found) == set(lookup.names("formats"))
    assert found["fp16"].text == "conversion (f16c), arithmetic (avx512_fp16)"
    assert found["bf16"].text == "conversion (avx512_bf16), dot product (avx512_bf16), matrix (amx_bf16)"
    assert not found["fp8_e4m3"].works


def test_an_arm_processor_has_features(tmp_path):
    write(tmp_path, "proc/cpuinfo", "Features\t: fp asimd fphp asimdhp bf16\n")
    assert by_name(machine.check_formats(tmp_path))["fp16"].text == "conversion (fphp), arithmetic (asimdhp)"


def test_a_processor_that_tells_nothing_has_no_hardware_for_narrow_formats(tmp_path):
    found = by_name(machine.check_formats(tmp_path))
    assert found["fp64"].works
    assert not found["fp16"].works


def test_a_limit_of_processor_time_is_a_finding_with_advice(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)
    write(tmp_path, "proc/self/cgroup", "0::/job_7\n")
    write(tmp_path, "sys/fs/cgroup/job_7/cpu.max", "150000 100000\n")
    cores = by_name(machine.check_machine(tmp_path))["cores"]
    assert "limited to the time of 1.5" in cores.text
    assert cores.mark == "!!"


@pytest.mark.parametrize("limit", ["max 100000\n", "800000 100000\n", ""])
def test_no_limit_below_the_cores_is_fine(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(machine, "usable_cores", lambda: 8)
    write(tmp_path, "sys/fs/cgroup/cpu.max", limit)
    assert by_name(machine.check_machine(tmp_path))["cores"].works


def test_memory_and_its_limit_are_shown(tmp_path):
    write(tmp_path, "proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n")
    write(tmp_path, "sys/fs/cgroup/memory.max", f"{2**31}\n")
    assert by_name(machine.check_machine(tmp_path))["memory"].text == "4.0 GiB free of 8.0 GiB, limited to 2.0 GiB"


def test_a_small_dev_shm_is_a_finding_with_advice(tmp_path, monkeypatch):
    small = types.SimpleNamespace(f_frsize=4096, f_blocks=16384)
    monkeypatch.setattr(machine.os, "statvfs", lambda path: small)
    found = by_name(machine.check_machine(tmp_path))["/dev/shm"]
    assert (found.text, found.mark) == ("64 MiB", "!!")


@pytest.mark.launches
def test_two_ranks_that_see_each_other_work(tmp_path):
    program = launcher(tmp_path, "echo rank-of-mpsolve 1 2; echo rank-of-mpsolve 0 2")
    assert mpi.check_two_ranks(program).works


@pytest.mark.launches
def test_singletons_are_recognised(tmp_path):
    found = mpi.check_two_ranks(launcher(tmp_path, "echo rank-of-mpsolve 0 1; echo rank-of-mpsolve 0 1"))
    assert found.text == "2 processes that do not see each other"
    assert "belongs to another MPI" in found.advice
    assert found.mark == "!!"


@pytest.mark.launches
def test_a_launcher_that_fails_is_quoted(tmp_path):
    found = mpi.check_two_ranks(launcher(tmp_path, "echo not enough slots >&2; exit 3"))
    assert found.text == "failed with status 3: not enough slots"


@pytest.mark.launches
def test_a_launcher_that_hangs_is_ended_with_what_it_started(tmp_path):
    program = launcher(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; sleep 600")
    found = mpi.check_two_ranks(program, limit_s=1.0)
    assert found.text == "failed with status 124: no answer within 1 s"
    assert ended(Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat"))


def ended(stat, limit_s=10.0):
    """Wait until a killed process is gone, or a zombie that its new parent has not collected."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.launches
def test_the_library_is_named_without_starting_mpi():
    assert mpi.check_library().works


@pytest.mark.launches
def test_an_mpi4py_that_does_not_load_is_quoted(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'RuntimeError: cannot load MPI library' >&2; exit 1\n")
    python.chmod(0o755)
    found = mpi.check_library(str(python))
    assert found.text == "RuntimeError: cannot load MPI library"
    assert "mpsolve[mpich]" in found.advice


def test_the_launcher_beside_python_comes_before_that_of_the_path(tmp_path, monkeypatch):
    beside, on_path = tmp_path / "venv", tmp_path / "system"
    beside.mkdir()
    on_path.mkdir()
    programs = [launcher(beside, ""), launcher(on_path, "")]
    monkeypatch.setenv("PATH", str(on_path))
    assert mpi.find_launchers(str(beside / "python")) == programs


@pytest.mark.launches
def test_no_launcher_is_a_finding_with_advice(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python").symlink_to(sys.executable)
    found = by_name(mpi.check_mpi(str(tmp_path / "python")))["launcher"]
    assert (found.text, found.mark) == ("no mpirun or mpiexec", "!!")


def test_two_mpi_wheels_at_once_are_a_finding(monkeypatch):
    monkeypatch.setattr(mpi, "version", lambda name: "5.0")
    monkeypatch.setattr(mpi, "check_library", lambda python: Finding("library", "MPICH"))
    monkeypatch.setattr(mpi, "find_launchers", lambda python: [])
    assert "pip uninstall one of them" in by_name(mpi.check_mpi())["wheels"].advice


def fake_backends(monkeypatch, **working):
    def create(name):
        if not working[name]:
            raise BackendUnavailable(f"{name} needs a card")
        return types.SimpleNamespace(device_name="")

    monkeypatch.setattr(software.lookup, "names", lambda folder: tuple(working))
    module = lambda folder, name: types.SimpleNamespace(create=lambda: create(name))  # noqa: E731
    monkeypatch.setattr(software.lookup, "find", module)


def test_a_backend_that_is_unavailable_is_shown_with_its_reason(monkeypatch):
    fake_backends(monkeypatch, cpu=True, cuda=False)
    found = by_name(software.check_backends())
    assert found["cpu"].works
    assert (found["cuda"].text, found["cuda"].mark) == ("cuda needs a card", "--")


def test_no_backend_at_all_is_wrong(monkeypatch):
    fake_backends(monkeypatch, cuda=False)
    assert doctor.exit_status(software.check_backends()) == 1


def test_every_backend_of_the_folder_is_tried():
    assert [finding.name for finding in software.check_backends()] == list(lookup.names("backends"))


def test_every_format_is_shown_with_its_fastest_products_and_reasons_once(monkeypatch):
    measured = (Measured("mine", 2.125e11), Measured("other", 5e10), Measured("third", None, "it needs a card"))
    monkeypatch.setattr(software.gemm_probe, "measure", lambda name, threads: measured)
    found = software.check_gemm()
    assert [finding.name for finding in found] == [*lookup.names("formats"), "third"]
    assert by_name(found)["bf16"].text == "mine 212 (other 50)"
    assert (found[-1].text, found[-1].mark) == ("it needs a card", "--")


def test_products_are_shown_without_numba_and_mkl(monkeypatch):
    monkeypatch.setattr(software.lookup, "names", lambda folder: ("emulated",) if folder == "gemm" else ("fp32",))
    software.gemm_probe.measure.cache_clear()
    (finding,) = software.check_gemm()
    software.gemm_probe.measure.cache_clear()
    assert finding.text.startswith("emulated ") and "(" not in finding.text


@pytest.mark.launches
def test_a_required_package_that_does_not_import_is_wrong(tmp_path, monkeypatch):
    (tmp_path / "h5py.py").write_text("raise ImportError('libhdf5 is gone')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = by_name(software.check_packages())
    assert found["h5py"].text == "ImportError: libhdf5 is gone"
    assert doctor.exit_status(found.values()) == 1
    assert found["numpy"].works


def test_a_missing_optional_package_names_its_extra(monkeypatch):
    monkeypatch.setattr(software, "version", lambda name: None)
    assert software._check_optional("numba", "cpu").text == "not installed (pip install 'mpsolve[cpu]')"


def test_energy_meters_that_do_not_work_give_their_reason(tmp_path):
    found = by_name(software.check_energy(tmp_path))["rapl"]
    assert (found.works, found.mark) == (False, "--")
    assert found.text.startswith("no powercap counters below")


def test_energy_counters_that_work_are_listed(tmp_path):
    zone = "sys/class/powercap/intel-rapl:0"
    write(tmp_path, f"{zone}/name", "package-0")
    write(tmp_path, f"{zone}/energy_uj", "1")
    write(tmp_path, f"{zone}/max_energy_range_uj", "1000")
    assert by_name(software.check_energy(tmp_path))["rapl"].text == "intel-rapl:0 package-0"
