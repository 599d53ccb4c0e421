"""Repeat a run in one process, and see that it does not take more and more memory."""

import json
import subprocess
import sys
from pathlib import Path

from cases import Case
from faults import Broken

REPEATS, SETTLED = 14, 6
#: What may be added between the sixth and the last run: the allocator gives memory back by pages.
ALLOWED_BYTES = 8 << 20
PROGRAM = """
import importlib, json, os, shutil, sys
from mpsolve.parallel import launch, stream

stream.ARRAY_BYTES = stream.LEAST_BYTES = 1 << 20
app, out, repeats = importlib.import_module("mpsolve.apps." + sys.argv[1]), sys.argv[2], int(sys.argv[3])

def main(words):
    sizes = []
    for _ in range(repeats):
        app.main([*words, "--out", out])
        shutil.rmtree(out)
        with open("/proc/self/statm") as file:
            sizes.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    print("sizes", json.dumps(sizes))
    return 0

sys.exit(launch.run(main, sys.argv[4:]))
"""


def check_memory(case: Case, folder: Path) -> None:
    """Raise if a run that is repeated grows."""
    words = [sys.executable, "-c", PROGRAM, case.words[0], str(folder / "repeated"), str(REPEATS), *case.words[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("sizes ")]
    if done.returncode or not lines:
        raise Broken(f"a run that is repeated in one process: {done.stderr[-1500:]}")
    sizes = json.loads(lines[-1].removeprefix("sizes "))
    if sizes[-1] - sizes[SETTLED - 1] > ALLOWED_BYTES:
        raise Broken(f"memory grows: {[size >> 20 for size in sizes]} MiB after each run")
