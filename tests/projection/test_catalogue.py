"""The catalogue: machines by name or file, and errors that name file and key."""

import tomllib

import pytest

from mpsolve.errors import ConfigError, FileError, UnknownNameError
from mpsolve.projection import catalogue
from mpsolve.projection.machine_text import show_machine

# A change to the text of a good file, and what the error must name.
DAMAGES = {
    "unknown key": ("[network]", "[network]\nspeed = 1", "speed"),
    "unknown status": ('status = "derived"', 'status = "guessed"', "guessed"),
    "wrong unit": ('unit = "GB/s"', 'unit = "Gb/s"', "Gb/s"),
    "unlisted source": ('source = "hwluxx_jup"', 'source = "a_friend"', "a_friend"),
    "value without a number": ("value = 5938", 'value = "many"', "many"),
    "negative value": ("value = 5938", "value = -5938", "-5938"),
    "unknown with a value": ('unit = "us", status = "recall"', 'unit = "us", status = "unknown"', "latency"),
    "other schema": ("schema = 1", "schema = 7", "schema is 7"),
    "wrong scheduler": ('scheduler = "slurm"', 'scheduler = "cron"', "cron"),
    "negative ranks": ("ranks_per_node = 4", "ranks_per_node = -4", "ranks_per_node is -4"),
    "missing latency": ("latency = {", "lateness = {", "lateness"),
    "no host for the correction": ('correction = "device"', 'correction = "host"', "[host]"),
    "no emulation": ('correction = "device"', 'correction = "emulated"', "fp64_emulated"),
    "no accelerators": ("per_node = { value = 4", "per_node = { value = 0", "accelerators_per_node"),
    "half an accelerator": ("per_node = { value = 4", "per_node = { value = 4.5", "whole numbers"),
    "no injection": ("injection = { value = 100.0", "injection = { value = 0", "injection"),
    "source that is a list": ('source = "hwluxx_jup"', 'source = ["hwluxx_jup"]', "must be a text"),
    "FP64 that is there": ('fp64 = "native"', 'fp64 = "none"', "33.5"),
}  # fmt: skip


@pytest.fixture
def jupiter_text():
    return (catalogue.folder() / "machines/jupiter.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_entry_is_named_with_its_file(damage, jupiter_text, tmp_path):
    before, after, named = DAMAGES[damage]
    assert before in jupiter_text
    path = tmp_path / "mine.toml"
    path.write_text(jupiter_text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        catalogue.load_machine(str(path))
    assert "mine.toml" in str(caught.value)
    assert named in str(caught.value)


def test_a_machine_is_added_with_a_file(jupiter_text, tmp_path):
    path = tmp_path / "twin.toml"
    path.write_text(jupiter_text.replace("value = 5938", "value = 12"), encoding="utf-8")
    machine = catalogue.load_machine(str(path))
    assert (machine.key, machine.nodes, machine.accelerator.key) == ("twin", 12, "gh200_96")


def test_the_nearest_machine_is_proposed():
    with pytest.raises(UnknownNameError, match="did you mean 'jupiter'"):
        catalogue.load_machine("jupitre")


def test_dashes_and_capitals_name_the_same_machine():
    assert catalogue.load_machine("El-Capitan").key == "el_capitan"


def test_an_unknown_accelerator_is_refused(jupiter_text, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(jupiter_text.replace('"gh200_96"', '"gh300"'), encoding="utf-8")
    with pytest.raises(UnknownNameError, match="gh300"):
        catalogue.load_machine(str(path))


@pytest.mark.parametrize("content", [None, "schema = ", "\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(content, tmp_path):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(FileError, match=r"mine\.toml"):
        catalogue.load_machine(str(path))


def test_a_machine_is_shown_with_both_figures_and_the_conflict():
    text = show_machine(catalogue.load_machine("meta_rsc"))
    assert "document      100 MW  (document)" in text
    assert "node_based    13^d MW" in text
    assert "20 MW/Exa, not ~1" in text


def test_the_power_of_a_node_is_its_share():
    machine = catalogue.load_machine("frontier")
    # 24.6 MW for 38,416 accelerators, four in a node.
    assert machine.node_power_w == pytest.approx(24.6e6 / 38416 * 4, rel=1e-12)


def test_every_source_that_is_named_is_listed():
    used = set()
    for path in catalogue.folder().rglob("*.toml"):
        if path.name != "sources.toml":
            used |= set(_values(tomllib.loads(path.read_text(encoding="utf-8")), "source"))
    assert set(used) <= set(catalogue.sources())


def _values(table, key):
    entries = table.values() if isinstance(table, dict) else table
    for entry in entries:
        if isinstance(entry, (dict, list)):
            yield from _values(entry, key)
    if isinstance(table, dict) and isinstance(table.get(key), str):
        yield table[key]
