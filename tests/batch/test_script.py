"""Batch scripts for every machine: they parse, hold what was asked for, and refuse what cannot be."""

import re
import subprocess
from itertools import pairwise

import mpijob
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
def test_a_kubernetes_job_keeps_to_the_schema_of_an_mpijob(name):
    machine, text = script(name, image="registry.example.org/mpsolve:1", account="team")
    job = mpijob.read(text)
    assert mpijob.problems(job) == []
    launcher, worker = (job["spec"]["mpiReplicaSpecs"][kind] for kind in ("Launcher", "Worker"))
    (start,), (work,) = (replica["template"]["spec"]["containers"] for replica in (launcher, worker))
    ranks = job["spec"]["slotsPerWorker"] * worker["replicas"]
    assert start["command"][:3] == ["mpirun", "-n", str(ranks)] and ranks == 2 * machine.job.ranks_per_node
    assert start["command"][-2:] == ["--precision", "bf16"]
    assert work["resources"]["limits"]["nvidia.com/gpu"] == machine.job.gpus_per_node
    # mpirun hands on what its own container has.
    forwarded = {word for flag, word in pairwise(start["command"]) if flag == "-x"}
    assert {one["name"] for one in start["env"]} | {"PATH", "LD_LIBRARY_PATH"} == forwarded
    assert {**machine.job.environment, **machine.job.mpi}.items() <= {
        v["name"]: v["value"] for v in start["env"]
    }.items()


@pytest.mark.parametrize(("before", "after", "named"), [
    ("kind: MPIJob", "kind: Job", "job.kind = 'Job'"),
    ("  slotsPerWorker: 8", "  slotsPerWorker: 0", "slotsPerWorker = 0"),
    ("  mpiImplementation: OpenMPI", "  mpiImplementations: OpenMPI", "mpiImplementations is unknown"),
    ("      replicas: 2", "      replica: 2", "Worker.replicas is missing"),
    ('  namespace: "team"', '  namespace: "My Team"', "namespace = 'My Team'"),
    ("                limits: {", '                limits: {"x": "8", ', "limits ="),
])  # fmt: skip
def test_the_schema_finds_what_is_wrong(before, after, named):
    _, text = script("coreweave", image="registry.example.org/mpsolve:1", account="team")
    assert before in text
    assert any(named in found for found in mpijob.problems(mpijob.read(text.replace(before, after))))


@pytest.mark.parametrize("text", ["a", "a: 1\na: 2", "a:", "a:\n    b: 1\n  c: 1", "a: b c", 'a: "b'])
def test_what_is_no_yaml_of_the_template_is_refused(text):
    with pytest.raises(ValueError, match="."):
        mpijob.read(text)


def test_ranks_get_their_cores():
    for name, wanted in (("frontier", "srun --cpus-per-task=7 "), ("el_capitan", 'flux run -N 2 -n "$ranks" -c24 ')):
        assert script(name)[1].splitlines()[-1].startswith(wanted)


def test_every_directive_of_pbs_and_flux_is_an_option_with_a_value():
    kinds = {"aurora": r"#PBS (-[a-zA-Z] \S+)", "abci3": r"#PBS (-[a-zA-Z] \S+)", "el_capitan": r"#flux: --[a-z-]+=\S+"}
    for name, wanted in kinds.items():
        prefix = wanted.partition(" ")[0]
        lines = [line for line in script(name)[1].splitlines() if line.startswith(prefix)]
        assert len(lines) >= 5 and all(re.fullmatch(wanted, line) for line in lines), name


def test_slurm_directives_come_before_the_first_command():
    _, text = script("isambard_ai", account="ab12", partition="workq", name="my-run")
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if not line.startswith("#"))
    head = lines[:first]
    for wanted in ("--job-name=my-run", "--nodes=2", "--ntasks-per-node=4", "--time=00:30:00", "--account=ab12"):
        assert f"#SBATCH {wanted}" in head
    assert "#SBATCH --gpus-per-node=4" in head and "module load PrgEnv-gnu" in text
    assert lines[-1].startswith(
        "srun --cpus-per-task=72 --mpi=cray_shasta --gpus-per-task=1 python -m mpsolve.apps.heat"
    )


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
    with pytest.raises(ConfigError, match="a job on Isambard-AI has at most 1362 nodes"):
        script("isambard_ai", nodes=2000)
    # Its sites are not one machine.
    with pytest.raises(ConfigError, match="at most 976 nodes"):
        script("coreweave", nodes=977)
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
