"""The pages on machines are what the stored runs and the catalogue give: no figure in them is written by hand."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write_page(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "machines"))
    import write_page

    yield write_page
    sys.modules.pop("write_page")


def test_the_pages_are_those_of_the_stored_runs(write_page, tmp_path, monkeypatch):
    docs = ROOT / "docs"
    (tmp_path / "projection.md").write_text((docs / "projection.md").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(write_page, "DOCS", tmp_path)
    write_page.main()
    for name in ("machines.md", "projection.md"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (docs / name).read_text(encoding="utf-8"), name


def test_every_machine_has_every_app(write_page):
    text = (ROOT / "docs" / "machines.md").read_text(encoding="utf-8")
    sections = text.partition("## Machine by machine")[2].split("\n### ")[1:]
    assert len(sections) == 14
    for section in sections:
        for app in ("mxp", "heat", "climate"):
            assert f"| {app} fp64 | 1 |" in section and f"| {app} {write_page.LOW[app]} | 1 |" in section
