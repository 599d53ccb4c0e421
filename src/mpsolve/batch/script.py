"""Fill the template of a scheduler."""

import re
from collections.abc import Mapping
from pathlib import Path

from mpsolve.batch.request import Request, check_nodes
from mpsolve.batch.words import command, comment, directive, export, yaml
from mpsolve.errors import ConfigError
from mpsolve.projection.machine import JobSettings, Machine

FILES = {"slurm": "slurm.sbatch", "pbs": "pbs.pbs", "flux": "flux.sh", "kubernetes": "kubernetes.yaml"}
#: The number of threads that libraries start for a rank: the cores are mpsolve's own threads'.
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
#: What ranks that mpirun starts over ssh need of the image besides.
FORWARDED = ("PATH", "LD_LIBRARY_PATH")
#: Where the virtual environment is if the user does not say.
ENVIRONMENT = "$HOME/mpsolve/.venv"
_PLACEHOLDER = re.compile(r"[A-Z]{4,}")
_PATH = re.compile(r"(\$[A-Za-z_][A-Za-z0-9_]*|~)?[A-Za-z0-9_./+-]*")


def templates() -> Path:
    """Return the folder of the templates: inside the package of a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1]
    folder = checkout / "jobs" if (checkout / "pyproject.toml").exists() else package / "jobs"
    return folder / "templates"


def write(request: Request, machine: Machine) -> str:
    """Return the batch script of a job on a machine.

    Raises
    ------
    ConfigError
        If the machine has not so many nodes or cannot run mpsolve, or a value could break out of the script.
    """
    check_nodes(request, machine)
    fill = {"slurm": _slurm, "pbs": _pbs, "flux": _flux, "kubernetes": _kubernetes}[machine.job.scheduler]
    text = (templates() / FILES[machine.job.scheduler]).read_text(encoding="utf-8")
    return _filled(text, fill(request, machine))


def placeholders(request: Request, machine: Machine) -> list[str]:
    """Return what the user has to replace in the script, or give as a flag: words in capital letters."""
    job = machine.job
    open_values = {"account": request.account or job.account, "partition": request.partition or job.partition}
    if job.scheduler == "kubernetes":
        open_values["image"] = request.image or "IMAGE"
    return [f"{word} (--{flag})" for flag, word in open_values.items() if _PLACEHOLDER.fullmatch(word)]


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of a template; a line that holds an empty one alone goes."""
    lines = []
    for line in text.splitlines():
        for name in re.findall(r"@([A-Z_]+)@", line):
            if name not in values:
                raise ConfigError(f"the template has @{name}@, which nothing fills")
            line = line.replace(f"@{name}@", values[name])
        lines.append(line)
    return "\n".join(line for line in lines if line.strip()) + "\n"


def _common(request: Request, machine: Machine) -> dict[str, str]:
    """Return what all schedulers that run a shell script need."""
    job = machine.job
    path = request.environment or ENVIRONMENT
    if not _PATH.fullmatch(path):
        raise ConfigError(f"--environment {path!r}: must be a path without quotes or spaces; $HOME may stand first")
    lines = [f"module load {command(job.modules)}"] if job.modules else []
    lines += [export(name, value) for name, value in {**THREADS, **job.environment, **job.mpi}.items()]
    lines.append(f'source "{path}/bin/activate"')
    return {
        "JOB": directive("--name", request.name or request.app),
        "NODES": str(request.nodes),
        "RANKS_PER_NODE": str(job.ranks_per_node),
        "CORES_PER_RANK": str(max(job.cores_per_rank, 1)),
        "TIME": request.clock,
        "NOTES": _notes(request, machine),
        "ENVIRONMENT": "\n".join(lines),
        "RANKS": f"ranks={request.nodes * job.ranks_per_node}",
    }


def _notes(request: Request, machine: Machine) -> str:
    """Return comments: what to know of the machine, what of it is from memory, and what is to be replaced."""
    job = machine.job
    notes = [comment(f"{machine.name}: {job.note}")] if job.note else []
    if job.unverified:
        notes.append(comment(f"from memory, to be checked: {', '.join(job.unverified)}"))
    return "\n".join([*notes, *(comment(f"replace {word}") for word in placeholders(request, machine))])


def _directives(prefix: str, job: JobSettings, more: Mapping[str, str]) -> str:
    """Return the lines of directives: those with a value, and those of the machine."""
    lines = [f"{prefix} {flag}{directive(flag, value)}" for flag, value in more.items() if value]
    return "\n".join([*lines, *(f"{prefix} {directive('directive', value)}" for value in job.directives)])


def _app(request: Request) -> list[str]:
    return ["python", "-m", f"mpsolve.apps.{request.app}", *request.arguments]


def _started(job: JobSettings, words: list[str], ranks: str) -> str:
    """Return the line that starts the ranks; ``ranks`` are the options with their number."""
    launcher = command(job.launcher.split()) if job.launcher else "mpirun"
    options = command(job.launcher_options)
    return " ".join(part for part in (launcher, ranks, options, command(words)) if part)


def _slurm(request: Request, machine: Machine) -> dict[str, str]:
    job, values = machine.job, _common(request, machine)
    gpus = "" if any("gres=gpu" in given for given in job.directives) else str(job.gpus_per_node or "")
    more = {job.account_flag: request.account or job.account, "--partition=": request.partition or job.partition}
    values["DIRECTIVES"] = _directives("#SBATCH", job, more | {"--gpus-per-node=": gpus})
    by_srun = job.launcher.split()[:1] == ["srun"]
    # srun takes no cores for each rank from the directives (since Slurm 22.05).
    ranks = f"--cpus-per-task={values['CORES_PER_RANK']}" if by_srun else '-n "$ranks"'
    values["COMMAND"] = _started(job, _app(request), ranks)
    if by_srun:
        values["RANKS"] = ""
    return values


def _pbs(request: Request, machine: Machine) -> dict[str, str]:
    job, values = machine.job, _common(request, machine)
    more = {job.account_flag: request.account or job.account, "-q ": request.partition or job.partition}
    values["DIRECTIVES"] = _directives("#PBS", job, more)
    per_node = f" -ppn {job.ranks_per_node}" if job.launcher == "mpiexec" else ""
    values["COMMAND"] = _started(job, _app(request), '-n "$ranks"' + per_node)
    return values


def _flux(request: Request, machine: Machine) -> dict[str, str]:
    job, values = machine.job, _common(request, machine)
    values["TIME"] = f"{-(-request.seconds // 60)}m"
    more = {job.account_flag: request.account or job.account, "--queue=": request.partition or job.partition}
    values["DIRECTIVES"] = _directives("#flux:", job, more)
    ranks = f'-N {request.nodes} -n "$ranks" -c{values["CORES_PER_RANK"]}'
    values["COMMAND"] = _started(job, _app(request), ranks)
    return values


def _kubernetes(request: Request, machine: Machine) -> dict[str, str]:
    job = machine.job
    ranks = str(request.nodes * job.ranks_per_node)
    words = [job.launcher or "mpirun", "-n", ranks, *job.launcher_options]
    for name in (*FORWARDED, *THREADS, *job.environment, *job.mpi):
        words += ["-x", name]
    command([*words, *_app(request)])
    limits = dict(part.split(": ", 1) for part in job.directives)
    variables = {**THREADS, **job.environment, **job.mpi}
    return {
        "NOTES": _notes(request, machine),
        "JOB": yaml(request.name or request.app),
        "NAMESPACE": yaml(directive("account", request.account or job.account)),
        "RANKS_PER_NODE": str(job.ranks_per_node),
        "NODES": str(request.nodes),
        "SECONDS": str(request.seconds),
        "IMAGE": yaml(directive("image", request.image or "IMAGE")),
        "COMMAND": yaml([*words, *_app(request)]),
        "ENVIRONMENT": yaml([{"name": name, "value": value} for name, value in variables.items()]),
        "LIMITS": yaml({name: int(count) for name, count in limits.items()}),
    }
