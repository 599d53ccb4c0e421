"""Runs whose low-precision arrays and messages are struck on purpose: the answer is right, and the record counts."""

import json

import pytest

WORDS = (
    "-m", "mpsolve.apps.heat", "--backend", "reference", "--precision", "fp16", "--set", "run.pictures=false",
    "--set", "heat.shape=[24,30]", "--set", "time.steps=2", "--inject", "bitflip:2e-3",
)  # fmt: skip


@pytest.mark.parametrize("check", [False, True])
def test_a_struck_run_reaches_the_fp64_answer_and_counts_what_it_took(mpirun, tmp_path, check):
    done = mpirun(3, *WORDS, "--set", f"halo.check={str(check).lower()}", "--out", tmp_path)
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    assert results["injected_flips"] > 0
    assert (results.get("repeated_messages", 0) > 0) == check
    assert done.returncode == (0 if results["converged"] else 1), done.stderr
    if results["converged"]:
        assert results["backward_error"] <= 1e-12
    else:
        assert "not converged" in done.stdout
