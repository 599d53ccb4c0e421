"""Fuzz the readers with inputs that coverage guides: python tests/soak/fuzz.py [--runs N] [READER ...].

Each reader is fuzzed in a process of its own, because a finding ends it; the input that was found is kept.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

#: Seconds for one input, and mebibytes for a process.
SLOWEST_S, LARGEST_MIB = 10, 2048
#: Bytes of an input; the files that the readers start from are smaller.
LARGEST_INPUT = 65536


def fuzz(name: str, folder: Path, runs: int) -> None:
    """Give a reader many inputs; returns only through the fuzzer's exit."""
    import atheris

    with atheris.instrument_imports(include=["mpsolve", "json", "tomllib"]):
        from hostile_files import READERS

        from mpsolve.errors import MpsolveError

    make, read = READERS[name]
    path = folder / name
    make(path)
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "whole").write_bytes(path.read_bytes())

    def one(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(MpsolveError):
            read(path)

    limits = [f"-runs={runs}", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={LARGEST_MIB}", f"-max_len={LARGEST_INPUT}"]
    kept = f"-artifact_prefix={Path.cwd()}/found-{name}-"
    atheris.Setup([sys.argv[0], *limits, "-verbosity=0", kept, str(corpus)], one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the readers that were named, or all of them, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER")
    parser.add_argument("--runs", type=int, default=10_000, help="inputs for each reader")
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.within:
        fuzz(given.readers[0], given.within, given.runs)
        return 0
    from hostile_files import READERS

    failed = []
    for name in given.readers or READERS:
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, __file__, name, "--runs", str(given.runs), "--within", folder]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        print(f"{name}: {given.runs} inputs, {'none got through' if done.returncode == 0 else 'FOUND:'}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout[-3000:], done.stderr[-3000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
