"""What happens to a run, and what must hold afterwards."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import Case
from quick_apps import answer, command, ranks_below

from mpsolve.records.run import read_run
from mpsolve.records.steps import read_steps

#: A job whose rank was killed ends within so many seconds; no run takes longer than this many.
PROMPT_S, LONGEST_S = 10.0, 300.0


class Broken(Exception):
    """A promise that did not hold."""


class Run:
    """A case that nobody has disturbed, and how it is to be repeated.

    Raises
    ------
    Broken
        If it did not end as it should.
    """

    def __init__(self, case: Case, folder: Path, rng: random.Random) -> None:
        self.case, self.folder, self.rng = case, folder, rng
        begin = time.monotonic()
        self.status = self.run(case.ranks, "whole")
        self.duration_s = time.monotonic() - begin
        self.answer = None if self.status == 2 else answer(folder / "whole")

    def run(self, ranks: int, name: str, *more: str) -> int:
        """Run the case to its end; return the exit status."""
        words = command(ranks, self.case.words, self.folder / name, *more)
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST_S)
        if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr:
            raise Broken(f"exit status {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
        if done.returncode == 2 and len(done.stderr.strip().splitlines()) != 1:
            raise Broken(f"more than a line was said of bad input: {done.stderr[-1500:]}")
        if done.returncode != 2:
            self.check_record(name, done.returncode)
        return done.returncode

    def begin(self, name: str) -> subprocess.Popen[bytes]:
        """Start the case, and wait until it has begun its steps, and a moment more."""
        words = command(self.case.ranks, self.case.words, self.folder / name)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + LONGEST_S
        while process.poll() is None and not (self.folder / name / "steps.jsonl").exists():
            if time.monotonic() > end:
                raise Broken("no step was begun")
            time.sleep(0.01)
        time.sleep(self.rng.uniform(0.0, self.duration_s / 2))
        return process

    def go_on(self, name: str) -> None:
        """Restart on other ranks, where that changes nothing, and compare."""
        ranks = self.case.other_ranks if self.case.same_bits else self.case.ranks
        status = self.run(ranks, name, "--restart", "auto")
        if status != self.status:
            raise Broken(f"the restart ended with status {status}, the undisturbed run with {self.status}")
        self.compare(name)

    def compare(self, name: str, tolerance: float = 0.0) -> None:
        """Raise unless an answer is that of the undisturbed run."""
        assert self.answer is not None
        found = answer(self.folder / name)
        if tolerance:
            apart = float(np.abs(found - self.answer).max() / np.abs(self.answer).max())
            if not apart <= tolerance:
                raise Broken(f"the answer is {apart:.2e} away from that of the undisturbed run")
        elif not np.array_equal(found, self.answer, equal_nan=True):
            raise Broken("the answer has other bits than that of the undisturbed run")

    def check_record(self, name: str, status: int) -> None:
        """Raise unless what is on disk can be read and agrees with the exit status."""
        record = read_run(self.folder / name)
        read_steps(self.folder / name / "steps.jsonl")
        if record["status"] != ("ok" if status == 0 else "failed"):
            raise Broken(f"status {record['status']!r} after exit status {status}")
        if status == 0 and record["results"]["converged"] is not True:
            raise Broken("exit status 0, and not converged")


def other_ranks(run: Run) -> None:
    """Run on other ranks."""
    status = run.run(run.case.other_ranks, "other")
    if status != run.status:
        raise Broken(f"status {status} on {run.case.other_ranks} ranks, {run.status} on {run.case.ranks}")
    run.compare("other", 0.0 if run.case.same_bits else run.case.tolerance)


def killed(run: Run) -> None:
    """Kill a rank, and restart."""
    process = run.begin("killed")
    if alive := ranks_below(process.pid):
        os.kill(run.rng.choice(alive), signal.SIGKILL)
    _wait(process)
    if _finished(run, "killed"):
        return
    if process.returncode == 0:
        raise Broken("a job whose rank was killed ended with status 0")
    run.go_on("killed")


def terminated(run: Run) -> None:
    """Ask the job to end, as a batch system does, and restart."""
    process = run.begin("terminated")
    process.send_signal(signal.SIGTERM)
    _wait(process)
    if not _finished(run, "terminated"):
        run.go_on("terminated")


def damaged(run: Run) -> None:
    """Kill a rank, damage the newest checkpoint, and restart."""
    process = run.begin("damaged")
    for rank in ranks_below(process.pid):
        os.kill(rank, signal.SIGKILL)
    _wait(process)
    if _finished(run, "damaged"):
        return
    if found := sorted((run.folder / "damaged").glob("checkpoint-*.h5")):
        content = bytearray(found[-1].read_bytes())
        for _ in range(5):
            content[run.rng.randrange(len(content))] ^= 1 << run.rng.randrange(8)
        found[-1].write_bytes(content)
    run.go_on("damaged")


def flipped(run: Run) -> None:
    """Flip bits of low-precision arrays, if something watches over them."""
    if not run.case.repairs or run.status:
        return
    rate = 10 ** run.rng.uniform(-5, -2.5)
    status = run.run(run.case.ranks, "flipped", "--inject", f"bitflip:{rate:.2e}")
    if status == 0:
        run.compare("flipped", run.case.tolerance)


FAULTS: tuple[Callable[[Run], None], ...] = (other_ranks, killed, killed, terminated, damaged, flipped)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PROMPT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Broken(f"the job did not end within {PROMPT_S} s") from None


def _finished(run: Run, name: str) -> bool:
    """Tell whether a run had ended already; its answer must be right then."""
    if not (run.folder / name / "run.json").exists():
        return False
    if read_run(run.folder / name)["status"] not in ("ok", "failed"):
        return False
    run.compare(name)
    return True
