"""The machine file that a calibration becomes."""

from dataclasses import replace

import pytest

from mpsolve.errors import FileError
from mpsolve.projection.calibration import Calibration, machine_text, write_machine
from mpsolve.projection.catalogue import load_machine
from mpsolve.projection.project import project

FOUND = Calibration(
    name='A "quoted" processor\n',
    cores=2,
    memory_bytes=25e9,
    products={"fp64": 1e11, "bf16": 4e11, "fp8_e4m3": 3e11},
    product_names={"fp64": "mkl", "bf16": "avx512", "fp8_e4m3": "avx512"},
    speeds={
        "ranks": 2,
        "copy_bytes_per_s": 30e9,
        "triad_bytes_per_s": 40e9,
        "latency_s": 1e-6,
        "message_bytes_per_s": 3e9,
    },
    power_w=120.0,
    power_reason="rapl: package-0",
)


@pytest.fixture
def host(tmp_path):
    path = tmp_path / "host.toml"
    write_machine(path, FOUND)
    return load_machine(str(path))


def test_the_file_is_a_machine_with_the_measured_figures(host):
    measured = host.accelerator.measured
    assert (measured["fp64"].number, measured["fp8"].number) == (0.1, 0.3)
    assert measured["memory_bandwidth"].number == 0.04
    assert (host.network["latency"].number, host.network["injection"].number) == (1.0, 3.0)
    assert host.node_power_w == pytest.approx(120.0, rel=1e-12)
    assert all(figure.status == "measured" for figure in measured.values())
    assert host.name == 'A "quoted" processor'


def test_a_run_is_projected_onto_it(host, grid_work):
    one = project(grid_work, host, 1)
    # The measured bandwidth is taken as it is: 5e9 bytes at 40 GB/s.
    assert one.phases["inner bf16"].memory_s == pytest.approx(0.125, rel=1e-12)
    assert one.energy_j == pytest.approx(120.0 * one.time_s, rel=1e-12)


def test_without_a_meter_there_is_no_energy(tmp_path, grid_work):
    path = tmp_path / "host.toml"
    write_machine(path, replace(FOUND, power_w=None, power_reason="no meter"))
    one = project(grid_work, load_machine(str(path)), 1)
    assert (one.energy_j, one.idle_j) == (None, None)
    assert any("no energy" in note for note in one.notes)


def test_one_rank_has_no_latency():
    speeds = {"ranks": 1, "copy_bytes_per_s": 30e9, "triad_bytes_per_s": 40e9}
    assert 'latency = { unit = "us", status = "unknown"' in machine_text(replace(FOUND, speeds=speeds))


def test_a_file_is_not_overwritten(tmp_path):
    path = tmp_path / "host.toml"
    write_machine(path, FOUND)
    with pytest.raises(FileError, match="exists"):
        write_machine(path, FOUND)
    with pytest.raises(FileError, match="cannot write"):
        write_machine(tmp_path / "gone" / "host.toml", FOUND)
