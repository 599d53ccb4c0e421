"""The power sensors of NVIDIA Grace, in a folder that plays /sys/class/hwmon."""

import pytest

from mpsolve.energy.meters import grace
from mpsolve.errors import BackendUnavailable

LABELS = ("Module Power Socket 0", "Grace Power Socket 0", "CPU Power Socket 0", "SysIO Power Socket 0")


@pytest.fixture
def root(tmp_path):
    for number, label in enumerate(LABELS):
        folder = tmp_path / f"sys/class/hwmon/hwmon{number}/device"
        folder.mkdir(parents=True)
        (folder / "power1_oem_info").write_text(label + "\n")
        (folder / "power1_average").write_text(f"{(number + 1) * 100_000_000}\n")
    return tmp_path


def test_module_and_processor_are_integrated_and_their_parts_left_out(root, monkeypatch):
    clock = iter((0.0, 0.0, 2.0, 2.0))
    monkeypatch.setattr(grace.time, "monotonic", lambda: next(clock))
    meter = grace.create(root)
    assert {counter.joules for counter in meter.read()} == {0.0}
    assert {counter.scope: counter.joules for counter in meter.read()} == {"module": 200.0, "cpu_package": 400.0}


def test_elsewhere_the_reason_names_the_folder(tmp_path):
    with pytest.raises(BackendUnavailable, match="no power sensors of NVIDIA Grace below"):
        grace.create(tmp_path).read()


@pytest.mark.parametrize("text", ["", "lots"])
def test_a_sensor_without_a_number_is_named(root, text):
    (root / "sys/class/hwmon/hwmon0/device/power1_average").write_text(text)
    with pytest.raises(BackendUnavailable, match="power1_average holds"):
        grace.create(root).read()
