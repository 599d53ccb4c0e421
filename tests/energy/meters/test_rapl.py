"""The powercap reader against fake sysfs trees."""

import os

import pytest

from mpsolve.energy.meters import rapl
from mpsolve.errors import BackendUnavailable


def add_zone(root, zone, name, energy, largest=262143328850):
    folder = root / rapl.FOLDER / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{largest}\n")
    return folder


def scopes(root):
    return {counter.label: counter.scope for counter in rapl.create(root=root).read()}


def test_packages_and_dram_are_read_in_joules(tmp_path):
    add_zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    add_zone(tmp_path, "intel-rapl:0:0", "dram", 250_000)
    package, dram = rapl.create(root=tmp_path).read()
    # Both are a decimal number of microjoules times 1e-6, so one rounding away from the written value.
    assert package.joules == pytest.approx(5.0, rel=2**-52)
    assert dram.joules == pytest.approx(0.25, rel=2**-52)
    assert (package.scope, dram.scope) == ("cpu_package", "dram")


def test_what_overlaps_the_package_is_left_out(tmp_path):
    add_zone(tmp_path, "intel-rapl:0", "package-0", 1)
    add_zone(tmp_path, "intel-rapl:0:0", "core", 1)
    add_zone(tmp_path, "intel-rapl:0:1", "uncore", 1)
    add_zone(tmp_path, "intel-rapl:1", "psys", 1)
    assert scopes(tmp_path) == {"intel-rapl:0 package-0": "cpu_package"}


def test_a_package_seen_through_two_doors_is_counted_once(tmp_path):
    add_zone(tmp_path, "intel-rapl:0", "package-0", 1)
    add_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 1)
    assert list(scopes(tmp_path)) == ["intel-rapl:0 package-0"]


def test_zone_numbers_may_have_two_digits(tmp_path):
    add_zone(tmp_path, "intel-rapl:11", "package-11", 1)
    assert list(scopes(tmp_path)) == ["intel-rapl:11 package-11"]


def test_the_range_of_the_counter_comes_from_the_kernel(tmp_path):
    add_zone(tmp_path, "intel-rapl:0", "package-0", 1, largest=65_532_610_987)
    (counter,) = rapl.create(root=tmp_path).read()
    assert counter.range_joules == pytest.approx(65532.610987, rel=2**-52)


def test_a_machine_without_counters_says_where_it_looked(tmp_path):
    meter = rapl.create(root=tmp_path)
    assert not meter.available()
    assert meter.reason().startswith(f"no powercap counters below {tmp_path}/sys/class/powercap;")


def test_a_counter_that_is_no_number_is_a_reason(tmp_path):
    (add_zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").write_text("")
    assert "where a number of microjoules belongs" in rapl.create(root=tmp_path).reason()


def test_a_counter_that_fails_is_a_reason(tmp_path):
    energy = add_zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj"
    energy.unlink()
    energy.mkdir()
    assert "energy_uj: Is a directory" in rapl.create(root=tmp_path).reason()


def test_missing_rights_are_explained(tmp_path, monkeypatch):
    zone = add_zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (zone / "energy_uj").chmod(0)
    if os.access(zone / "energy_uj", os.R_OK):
        # The superuser reads everything, so the refusal is played.
        read_text = type(zone).read_text

        def refuse(path, *arguments, **options):
            if path.name == "energy_uj":
                raise PermissionError(13, "Permission denied")
            return read_text(path, *arguments, **options)

        monkeypatch.setattr(type(zone), "read_text", refuse)
    with pytest.raises(BackendUnavailable, match="root-only since Linux 5.10; ask the administrator"):
        rapl.create(root=tmp_path).read()
