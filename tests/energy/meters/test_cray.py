"""The counters of an HPE Cray node, in a folder that plays /sys/cray/pm_counters."""

import pytest

from mpsolve.energy.meters import cray
from mpsolve.errors import BackendUnavailable

FILES = {
    "energy": "123456 J 1690000000000000 us",
    "cpu_energy": "2000 J 1690000000000000 us",
    "memory_energy": "300 J 1690000000000000 us",
    "accel0_energy": "50000 J 1690000000000000 us",
    "accel1_energy": "60000 J 1690000000000000 us",
    "power": "500 W 1690000000000000 us",
    "freshness": "17",
}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "sys/cray/pm_counters"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text + "\n")
    return tmp_path


def test_node_processor_memory_and_every_accelerator_are_kept_apart(root):
    found = {(counter.scope, counter.label): counter.joules for counter in cray.create(root).read()}
    assert found == {
        ("node", "energy"): 123456.0,
        ("cpu_package", "cpu_energy"): 2000.0,
        ("dram", "memory_energy"): 300.0,
        ("gpu", "accel0_energy"): 50000.0,
        ("gpu", "accel1_energy"): 60000.0,
    }


def test_a_node_without_accelerators_has_its_own_counter(root):
    for path in (root / "sys/cray/pm_counters").glob("accel*"):
        path.unlink()
    assert {counter.scope for counter in cray.create(root).read()} == {"node", "cpu_package", "dram"}


def test_elsewhere_the_folder_is_named(tmp_path):
    with pytest.raises(BackendUnavailable, match="no power management counters of HPE Cray in .*pm_counters"):
        cray.create(tmp_path).read()


def test_a_file_without_joules_is_named(root):
    (root / "sys/cray/pm_counters/cpu_energy").write_text("not available")
    with pytest.raises(BackendUnavailable, match="cpu_energy holds 'not available'"):
        cray.create(root).read()


def test_counters_are_read_again_if_an_update_came_in_between(root, monkeypatch):
    meter, marks, looks = cray.create(root), iter("ab"), []
    monkeypatch.setattr(meter, "_freshness", lambda: next(marks))
    real = cray._counter
    monkeypatch.setattr(cray, "_counter", lambda path, scope: looks.append(path.name) or real(path, scope))
    assert len(meter.read()) == 5 and len(looks) == 10
