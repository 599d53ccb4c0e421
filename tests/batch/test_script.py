"""Batch scripts for every machine: they parse, hold what was asked for, and refuse what cannot be."""

import json
import subprocess

import pytest

from mpsolve.batch.request import Request, seconds_of
from mpsolve.batch.script import placeholders, write
from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.projection import catalogue

MACHINES = catalogue.machine_names()
SCHEDULERS = {name: catalogue.load_machine(name).job.scheduler for name in MACHINES}
RUNNING = [name for name in MACHINES if SCHEDULERS[name] != "none"]


def script(machine_name, **changes):
    machine = catalogue.load_machine(machine_name)
    request = {"app": "heat", "arguments": ("--precision", "bf16"), "nodes": 2, "seconds": 1800} | changes
    return machine, write(Request(**request), machine)


@pytest.mark.parametrize("name", RUNNING)
def test_every_machine_has_a_script_without_holes(name):
    machine, text = script(name)
    assert "@" not in text.replace("@NAME@", "")
    assert "mpsolve.apps.heat" in text and "bf16" in text
    for name_of, value in machine.job.mpi.items():
        assert name_of in text and value in text


@pytest.mark.parametrize("name", [name for name in RUNNING if SCHEDULERS[name] != "kubernetes"])
def test_a_shell_script_parses_and_starts_every_rank(name, tmp_path):
    machine, text = script(name)
    path = tmp_path / "job.sh"
    path.write_text(text)
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ranks, by_srun = 2 * machine.job.ranks_per_node, machine.job.launcher == "srun"
    assert by_srun or f"ranks={ranks}" in text
    assert str(machine.job.ranks_per_node) in text and "00:30:00" in text or "=30m" in text


@pytest.mark.parametrize("name", [name for name in RUNNING if SCHEDULERS[name] == "kubernetes"])
def test_a_kubernetes_job_has_its_fields_as_json_values(name):
    machine, text = script(name, image="registry.example.org/mpsolve:1")
    fields = [line.partition(": ")[::2] for line in text.splitlines() if ": " in line]
    held = {key.strip(" -"): value for key, value in fields}
    assert held["kind"] == "MPIJob" and json.loads(held["slotsPerWorker"]) == machine.job.ranks_per_node
    command = json.loads(held["command"])
    assert command[:3] == ["mpirun", "-n", str(2 * machine.job.ranks_per_node)]
    assert command[-2:] == ["--precision", "bf16"] and "nvidia.com/gpu" in json.loads(held["limits"])
    assert all(set(one) == {"name", "value"} for one in json.loads(held["env"]))


def test_slurm_directives_come_before_the_first_command():
    _, text = script("isambard_ai", account="ab12", partition="workq", name="my-run")
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if not line.startswith("#"))
    head = lines[:first]
    for wanted in ("--job-name=my-run", "--nodes=2", "--ntasks-per-node=4", "--time=00:30:00", "--account=ab12"):
        assert f"#SBATCH {wanted}" in head
    assert "#SBATCH --gpus-per-node=4" in head and "module load PrgEnv-gnu" in text
    assert lines[-1].startswith("srun --mpi=cray_shasta --gpus-per-task=1 python -m mpsolve.apps.heat")


def test_values_that_could_break_out_are_refused_and_others_quoted():
    for change in ({"account": "a\n#SBATCH --uid=0"}, {"partition": "x; rm"}, {"environment": '"; id; "'}):
        with pytest.raises(ConfigError):
            script("isambard_ai", **change)
    with pytest.raises(ConfigError, match="--name"):
        script("isambard_ai", name="a b")
    _, text = script("isambard_ai", arguments=("--set", "heat.shape=[8,8]; id"))
    assert "'heat.shape=[8,8]; id'" in text


def test_what_is_left_open_is_told():
    machine = catalogue.load_machine("isambard_ai")
    request = Request("heat", (), 1, 60)
    assert placeholders(request, machine) == ["PROJECT (--account)"]
    assert "# replace PROJECT (--account)" in write(request, machine)
    assert placeholders(Request("heat", (), 1, 60, account="ab12"), machine) == []


def test_more_nodes_than_there_are_and_machines_without_mpi_are_refused():
    with pytest.raises(ConfigError, match="Isambard-AI has 1362 nodes"):
        script("isambard_ai", nodes=2000)
    with pytest.raises(ConfigError, match="does not run on"):
        script("cerebras_cg1")
    with pytest.raises(ConfigError, match="at least 1"):
        script("isambard_ai", nodes=0)
    with pytest.raises(UnknownNameError, match="heat"):
        script("isambard_ai", app="heats")


@pytest.mark.parametrize("text", ["", "30", "00:00", "1:60", "-1:00", "1:2:3:4", "1:00\n"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="HH:MM"):
        seconds_of(text)
