"""Run random configurations of all apps on 1 to 8 ranks with faults, for some time: tests/soak/soak.py --minutes 5.

Each case is named by its seed; ``--seed S --cases 1`` repeats it. What must hold: exit statuses and records agree, what
is on disk can be read, a job whose rank was killed ends, restarts and other ranks give the answer of the undisturbed
run, flipped bits are repaired or told, and memory does not grow.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parent)]

from cases import Case, draw  # noqa: E402
from faults import FAULTS, Broken, Run  # noqa: E402
from memory import check_memory  # noqa: E402

#: One case in so many is repeated in one process, to see its memory.
MEMORY_EVERY = 8


def strike(case: Case, folder: Path, rng: random.Random, done: Counter[str]) -> None:
    """Run a case undisturbed and then with a fault; count what was done."""
    run = Run(case, folder, rng)
    if run.status == 2:
        done["refused as bad input"] += 1
        return
    done["not converged"] += run.status == 1
    fault = rng.choice(FAULTS)
    fault(run)
    done[(fault.__doc__ or fault.__name__).rstrip(".").partition(",")[0].lower()] += 1
    if rng.randrange(MEMORY_EVERY) == 0:
        check_memory(case, folder)
        done["memory of repeated runs"] += 1


def main() -> int:
    """Go on until the time is up; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="end after so many")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next one has the next")
    given = parser.parse_args()
    end, seed, done, broken = time.monotonic() + 60 * given.minutes, given.seed, Counter(), []
    while time.monotonic() < end and seed < given.seed + given.cases:
        rng, folder, begin = random.Random(seed), Path(tempfile.mkdtemp(prefix="soak-")), time.monotonic()
        case = draw(rng)
        try:
            strike(case, folder, rng, done)
            shutil.rmtree(folder)
            print(f"seed {seed}: {case.words[0]} on {case.ranks} ranks, {time.monotonic() - begin:.1f} s", flush=True)
        except Exception as problem:
            text = str(problem) if isinstance(problem, Broken) else traceback.format_exc()
            broken.append(seed)
            print(
                f"BROKEN: seed {seed}, {case.ranks} ranks: {' '.join(case.words)}\n  {text}\n  left in {folder}",
                flush=True,
            )
        seed += 1
    print(f"{seed - given.seed} cases: " + ", ".join(f"{count} {what}" for what, count in sorted(done.items())))
    print(f"broken: {len(broken)}" + (f", seeds {broken}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
