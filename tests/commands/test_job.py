"""The command that prints batch scripts."""

import pytest

from mpsolve.__main__ import main


def test_the_command_of_the_documents_prints_a_script(capsys):
    words = ["job", "heat", "--config", "earth", "--machine", "isambard-ai", "--nodes", "4", "--time", "00:30"]
    assert main([*words, "--account", "ab12", "--set", "earth.years=2"]) == 0
    out, err = capsys.readouterr()
    assert "#SBATCH --nodes=4" in out and "--config earth --set earth.years=2" in out and err == ""


def test_what_is_to_be_replaced_is_said_beside_the_script(capsys):
    assert main(["job", "mxp", "--machine", "frontier"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("#!/bin/bash\n") and err == "mpsolve: replace PROJECT (--account) in the script\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["heat", "--machine", "isambard"], "did you mean"),
        (["heat", "--machine", "frontier", "--config", "no_such"], "no_such"),
        (["heat", "--machine", "frontier", "--time", "soon"], "HH:MM"),
        (["heat", "--machine", "frontier", "--account", "a\nb"], "account"),
        (["heat", "--machine", "cerebras_cg1"], "does not run"),
    ],
)
def test_bad_input_is_one_line(words, said, capsys):
    assert main(["job", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
