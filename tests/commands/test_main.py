"""The command `mpsolve` itself: help that costs nothing, errors of one line."""

import os
import subprocess
import sys
import time

import pytest

from mpsolve.__main__ import COMMANDS, build_parser, main

pytestmark = pytest.mark.launches

HEAVY = ("numpy", "numba", "h5py", "matplotlib", "mpi4py", "rich")


def test_help_names_every_command(mpsolve):
    text = mpsolve("--help").stdout
    assert all(f"\n    {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_no_numerical_library_and_no_mpi(arguments):
    code = (
        "import sys; from mpsolve.__main__ import main\n"
        f"try: main({arguments!r})\n"
        f"except SystemExit: print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1].strip() == "loaded:"


def test_help_takes_less_than_half_a_second():
    # The best of five, because the machine may be busy with other things.
    def once():
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mpsolve", "--help"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.5


@pytest.mark.parametrize("command", ["ls", "show", "compare"])
def test_looking_at_records_starts_no_mpi(command, sweep, plain, tmp_path):
    code = (
        f"import os, sys; os.chdir({str(tmp_path)!r}); from mpsolve.__main__ import main\n"
        f"status = main([{command!r}, 'runs' if {command!r} != 'show' else 'bf16_run'])\n"
        "print('loaded:', *[name for name in ('mpi4py', 'numpy', 'matplotlib') if name in sys.modules], status)"
    )
    assert plain("-c", code).stdout.splitlines()[-1] == "loaded: 0"


def test_an_error_is_one_line_and_status_2(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "nothing"]) == 2
    assert capsys.readouterr().err == "mpsolve: error: unknown run 'nothing'; there are: none below runs\n"


@pytest.mark.parametrize("arguments", [[], ["sing"], ["show"], ["compare", "a", "--format", "pdf"], ["ls", "--loud"]])
def test_a_wrong_argument_is_one_line_and_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_reader_that_stops_reading_is_no_error(sweep, tmp_path):
    # head ends after one line; what is printed must exceed the pipe's 64 KiB for the writer to notice.
    code = "from mpsolve.__main__ import main; import sys; sys.exit(max(main(['compare', 'runs']) for _ in range(200)))"
    command = f'{sys.executable} -c "{code}" | head -n 1'
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    shell = ["bash", "-o", "pipefail", "-c", command]
    result = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.stderr, result.returncode) == ("", 0)


def test_every_command_has_its_parts():
    actions = build_parser()._subparsers._group_actions[0].choices
    assert tuple(actions) == COMMANDS
    assert all(callable(parser.get_default("run")) for parser in actions.values())
