"""The HTML page of a comparison: self-contained, escaped, complete, and readable in a browser on any screen."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mpsolve.__main__ import main

WORDS = ("-m", "mpsolve.apps.heat", "--backend", "reference", "--set", "heat.shape=[16,20]", "--set", "time.steps=2")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
)  # fmt: skip
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
        "What differs", "Accuracy, time and energy", "Seconds by phase", "Work by format", "Memory traffic",
        "On the machines of the catalogue", "backward_error", "JUPITER", "Isambard-AI", "precision.inner",
        "fp16 [~J]", "What limits fp64 on one node",
    ):  # fmt: skip
        assert wanted in text.replace("<wbr>", ""), wanted
    pytest.importorskip("matplotlib")
    assert text.count("data:image/png;base64,") >= 4


def test_phases_on_the_page_add_up_to_the_time(runs, text):
    section = text.partition("Seconds by phase")[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", section)]
    assert rows[0] == ["s", "fp64", "fp16"] and rows[-1][0] == "sum"
    for column, run in enumerate(runs, 1):
        time_s = json.loads((Path(run) / "run.json").read_text())["results"]["time_s"]
        # Three digits each.
        parts = sum(float(row[column]) for row in rows[1:-1] if row[column] != "-")
        assert parts == pytest.approx(float(rows[-1][column]), rel=len(rows) * 5e-3)
        assert float(rows[-1][column]) == pytest.approx(time_s, rel=5e-3)


def test_measured_joules_have_their_phases_on_the_page(runs, tmp_path, capsys):
    for name, joules in (("a", 8.0), ("b", 2.0)):
        shutil.copytree(runs[0], tmp_path / name)
        path = tmp_path / name / "run.json"
        record = json.loads(path.read_text())
        phases = {"inner": joules / 2, "residual": joules / 2}
        record["energy"] = [{"joules": joules, "kind": "counter", "scope": "gpu", "source": "x", "phases": phases}]
        path.write_text(json.dumps(record))
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--each", "--format", "html"]) == 0
    section = capsys.readouterr().out.partition("Joules by phase: energy_gpu_j")[2].partition("</table>")[0]
    assert "<td>inner</td><td>4</td><td>1</td>" in section and "<td>sum</td><td>8</td><td>2</td>" in section


def test_machines_are_compared_on_a_matrix_that_all_formats_have_room_for(tmp_path, capsys):
    records = Path(__file__).parents[2] / "benchmarks" / "machines" / "records"
    assert main(["compare", str(records / "mxp_fp64"), str(records / "mxp_bf16"), "--format", "html"]) == 0
    section = capsys.readouterr().out.partition("All nodes, the problem that fills their memory")[2]
    (row,) = re.findall(r"<tr><td>JUPITER Booster</td>(.*?)</tr>", section)
    nodes, unknowns, full, low, *joules = map(float, re.findall(r"<td>(.*?)</td>", row))
    # FP64 factors: 8 bytes an entry in 0.9 of 96 GB on 4 devices of each node.
    assert nodes == 5938 and unknowns == pytest.approx((0.9 * 96e9 * 4 * 5938 / 8) ** 0.5, rel=5e-3)
    assert full > 4 * low and joules[0] > 4 * joules[1]


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
@pytest.mark.parametrize("width", [390, 1440])
def test_a_browser_shows_it_without_a_sideways_scroll_of_the_page(text, tmp_path, width):
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium: needs Debian's chromium")
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    # Chromium writes the measures into the document that it dumps, beside a policy that lets nothing else run.
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"
    allowed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    page.write_text(allowed.replace("</body>", probe))
    flags = [*QUIET, f"--window-size={width},3000", f"--user-data-dir={tmp_path / 'profile'}"]
    options = {"capture_output": True, "text": True, "timeout": 60, "check": True}
    dumped = subprocess.run([browser, *flags, "--dump-dom", str(page)], **options)
    wide, window = map(int, re.search(r"<title>(\d+) of (\d+)", dumped.stdout).groups())
    assert wide <= window + 1
    subprocess.run([browser, *flags, f"--screenshot={picture}", str(page)], **options)
    assert picture.read_bytes().startswith(b"\x89PNG")
