"""The HTML page of a comparison: self-contained, escaped, complete, and readable in a browser on any screen."""

import re
import shutil
import subprocess

import pytest

from mpsolve.__main__ import main

WORDS = ("-m", "mpsolve.apps.heat", "--backend", "reference", "--set", "heat.shape=[16,20]", "--set", "time.steps=2")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    import sys

    folder = tmp_path_factory.mktemp("runs")
    command = [sys.executable, *WORDS, "--sweep", "fp64,fp16", "--set", "run.pictures=false", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return [str(folder / "fp64"), str(folder / "fp16")]


@pytest.fixture
def text(runs, capsys):
    assert main(["compare", *runs, "--format", "html"]) == 0
    return capsys.readouterr().out


def test_every_part_is_there(text):
    for wanted in (
        "What differs", "Accuracy, time and energy", "Work by format", "On the machines of the catalogue",
        "backward_error", "fp16: operations", "JUPITER", "Isambard-AI", "precision.inner",
    ):  # fmt: skip
        assert wanted in text, wanted
    pytest.importorskip("matplotlib")
    assert text.count("data:image/png;base64,") >= 4


def test_nothing_is_fetched_or_run(text):
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|<script|javascript:|@import|<link", text)
    assert set(re.findall(r'src="(.{0,5})', text)) <= {"data:"}


def test_what_a_record_holds_is_escaped(runs, tmp_path, capsys):
    for name in ("a", "b"):
        shutil.copytree(runs[0], tmp_path / name)
    path = tmp_path / "b" / "run.json"
    path.write_text(
        path.read_text().replace('"problem": "heat_manufactured"', '"problem": "<img src=x onerror=alert(1)>"')
    )
    main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "html", "--force"])
    out = capsys.readouterr().out
    assert "<img src=x" not in out and "&lt;img src=x" in out


def test_a_condition_ends_with_status_one(runs, capsys):
    assert main(["compare", *runs, "--fail-if", "backward_error>1"]) == 0
    assert main(["compare", *runs, "--fail-if", "error_l2<1"]) == 1
    assert "fails: fp64: error_l2" in capsys.readouterr().err
    assert main(["compare", *runs, "--fail-if", "error_l2~1"]) == 2


@pytest.mark.launches
@pytest.mark.parametrize("width", [390, 1400])
def test_a_browser_shows_it_without_a_sideways_scroll_of_the_page(text, tmp_path, width):
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium: needs Debian's chromium")
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    # Chromium writes the measures into the document that it dumps, beside a policy that lets nothing else run.
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"
    allowed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    page.write_text(allowed.replace("</body>", probe))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},3000", "--hide-scrollbars"]
    options = {"capture_output": True, "text": True, "timeout": 60, "check": True}
    dumped = subprocess.run([browser, *flags, "--dump-dom", str(page)], **options)
    wide, window = map(int, re.search(r"<title>(\d+) of (\d+)", dumped.stdout).groups())
    assert wide <= window + 1
    subprocess.run([browser, *flags, f"--screenshot={picture}", str(page)], **options)
    assert picture.read_bytes().startswith(b"\x89PNG")
