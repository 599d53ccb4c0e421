"""The soak test itself: it strikes what it draws, and tells when a promise is broken."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SOAK = Path(__file__).parents[1] / "soak"


def test_random_cases_are_struck_and_none_is_broken():
    words = [sys.executable, str(SOAK / "soak.py"), "--cases", "3", "--seed", "3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^3 cases: .*\nbroken: 0\n$", done.stdout, re.MULTILINE), done.stdout


def test_an_answer_with_other_bits_is_told(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SOAK))
    import faults

    run = faults.Run.__new__(faults.Run)
    run.folder, run.answer = tmp_path, np.array([1.0, 2.0])
    monkeypatch.setattr(faults, "answer", lambda folder: np.array([1.0, np.nextafter(2.0, 3.0)]))
    run.compare("other", tolerance=1e-12)
    with pytest.raises(faults.Broken, match="other bits"):
        run.compare("other")
