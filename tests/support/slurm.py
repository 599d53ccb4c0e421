"""A Slurm of its own on this host: one controller and some virtual nodes, for tests that submit jobs."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "runuser")
PACKAGES = "slurmctld slurmd slurm-client munge"
NODES, CPUS = 4, 2
#: Ports of the controller and of the first node, away from those of a Slurm that may run here.
CONTROLLER, FIRST = 16817, 17101
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}
SlurmctldPort={controller}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=pmi2
ReturnToService=2
KillWait=5
MessageTimeout=60
MinJobAge=3600
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
NodeName=n[1-{nodes}] NodeHostname={host} Port=[{first}-{last}] CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


class Slurm:
    """Starts the daemons in a folder; nothing outside it is written.

    Skips the test, with the reason, where they cannot be started.
    """

    def __init__(self, folder: Path) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"no {', '.join(missing)}: needs Debian's {PACKAGES}")
        if os.getuid():
            pytest.skip("starting slurmctld and slurmd needs root")
        self.folder, self.environment = folder, os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[Path] = []
        try:
            self._start()
        except (OSError, subprocess.CalledProcessError, RuntimeError) as problem:
            self.stop()
            pytest.skip(f"Slurm does not start here: {problem}")

    def _start(self) -> None:
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir()
        self._start_munge()
        values = {"host": socket.gethostname().split(".")[0], "folder": self.folder, "nodes": NODES, "cpus": CPUS}
        values |= {"controller": CONTROLLER, "first": FIRST, "last": FIRST + NODES - 1}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))
        self._run("slurmctld")
        self.daemons.append(self.folder / "slurmctld.pid")
        for number in range(1, NODES + 1):
            self._run("slurmd", "-N", f"n{number}")
            self.daemons.append(self.folder / f"n{number}.pid")
        end = time.monotonic() + 60
        while self._run("sinfo", "-h", "-t", "idle", "-o", "%D").strip() != str(NODES):
            if time.monotonic() > end:
                raise RuntimeError(
                    f"the nodes are not idle after 60 s; {(self.folder / 'slurmctld.log').read_text()[-500:]}"
                )
            time.sleep(0.5)

    def _start_munge(self) -> None:
        """Start an authentication daemon with a key and a socket of its own."""
        own = self.folder / "munge"
        for path in (self.folder, *self.folder.parents):
            # The daemon's user must reach its folder.
            if path.owner() == "root" and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(own, "munge", "munge")
        own.chmod(0o755)
        files = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "munged.pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        as_munge = ["runuser", "-u", "munge", "--"]
        self._run(*as_munge, "mungekey", "--create", f"--keyfile={own}/key")
        self._run(*as_munge, "munged", "--force", *(f"--{flag}={own}/{name}" for flag, name in files.items()))
        self.daemons.append(own / "munged.pid")

    def _run(self, *words: str) -> str:
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def submit(self, *words: str, folder: Path, **variables: str) -> str:
        """Submit a script from a folder; return the number of the job."""
        done = subprocess.run(
            ["sbatch", "--parsable", *words], cwd=folder, env=self.environment | variables,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split(";")[0]

    def states(self, job: str) -> list[dict[str, str]]:
        """Return what the controller knows of each task of an array."""
        lines = self._run("scontrol", "-o", "show", "job", job).splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def command(self, *words: str) -> str:
        """Run a command of Slurm and return what it prints."""
        return self._run(*words)

    def wait(self, job: str, timeout_s: float = 400.0) -> list[dict[str, str]]:
        """Return the end of a job, or of every task of an array."""
        end = time.monotonic() + timeout_s
        while True:
            found = self.states(job)
            if all(one["JobState"] not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING") for one in found):
                return found
            assert time.monotonic() < end, f"job {job} has not ended after {timeout_s} s: {found}"
            time.sleep(0.3)

    def stop(self) -> None:
        """End every job, then every daemon that was started, by its own pid file, controller first."""
        self._cancel()
        pids = [int(path.read_text()) for path in self.daemons if path.exists() and path.read_text().strip()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue

    def _cancel(self) -> None:
        """Cancel what still runs, such as the job of a test that gave up: it would go on without the daemons."""
        try:
            jobs = self._run("squeue", "-h", "-o", "%A").split()
            if jobs:
                self._run("scancel", *dict.fromkeys(jobs))
            end = time.monotonic() + 30
            while jobs and self._run("squeue", "-h", "-o", "%A").split() and time.monotonic() < end:
                time.sleep(0.3)
        except (OSError, subprocess.SubprocessError):
            # Without a controller there is nothing to cancel.
            return
