"""Lookup: a config name is the name of a file in an extension folder, and nothing else is reachable."""

import subprocess
import sys

import pytest

from mpsolve import lookup
from mpsolve.errors import UnknownNameError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the name of an extension folder that is made for one test."""
    package = tmp_path / "gadgets"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "base.py").write_text("")
    (package / "red.py").write_text("COLOUR = 'red'\n")
    (package / "broken.py").write_text("raise RuntimeError('imported')\n")
    (package / "notes.txt").write_text("")
    import mpsolve

    monkeypatch.setattr(mpsolve, "__path__", [*mpsolve.__path__, str(tmp_path)])
    yield "gadgets"
    for name in [name for name in sys.modules if name.startswith("mpsolve.gadgets")]:
        del sys.modules[name]
    if hasattr(mpsolve, "gadgets"):
        del mpsolve.gadgets


def test_names_are_the_files_but_base_and_are_not_imported(folder):
    assert lookup.names(folder) == ("broken", "red")


def test_a_new_file_is_a_new_entry(folder, tmp_path):
    (tmp_path / "gadgets" / "blue.py").write_text("")
    assert lookup.names(folder) == ("blue", "broken", "red")


def test_an_entry_is_imported_by_its_name(folder):
    assert lookup.find(folder, "red").COLOUR == "red"


@pytest.mark.parametrize("name", ["base", "blue", "", "__init__", "..errors", "red.COLOUR", "../red", "notes", "Red"])
def test_what_is_no_entry_is_refused_with_the_entries(folder, name):
    with pytest.raises(UnknownNameError, match="unknown gadget .*there are: broken, red"):
        lookup.find(folder, name)


def test_the_mistake_inside_an_entry_is_not_hidden(folder):
    with pytest.raises(RuntimeError, match="imported"):
        lookup.find(folder, "broken")


def test_the_formats_are_entries():
    assert {"fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"} <= set(lookup.names("formats"))


def test_listing_the_formats_does_not_import_them():
    code = (
        "import sys; from mpsolve import lookup; lookup.names('formats'); print('mpsolve.formats.bf16' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
