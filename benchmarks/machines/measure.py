"""Measure the runs whose ledgers are projected: ``python benchmarks/machines/measure.py``, on an idle host, 3 minutes.

Each app runs once in each precision, on one rank with all cores. What is kept is ``run.json``, in ``records`` beside
this file, in a folder named ``APP_FORMAT``; `write_page.py` makes the tables of the documents from it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECORDS = Path(__file__).resolve().parent / "records"

# App, its options, and the entries of the sweep with the names of their folders.
RUNS = (
    ("heat", (), {"fp64": "heat_fp64", "fp32": "heat_fp32", "bf16": "heat_bf16"}),
    ("mxp", ("--n", "4096"), {"fp64": "mxp_fp64", "bf16": "mxp_bf16"}),
    (
        "climate",
        ("--config", "williamson5", "--set", "climate.shape=[256,512]", "--set", "climate.days=1"),
        {"fp64": "climate_fp64", "fp16": "climate_fp16", "fp16:fp32": "climate_fp16-fp32"},
    ),
)


def main() -> None:
    """Measure all runs and keep their records."""
    for app, options, folders in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            words = [*options, "--sweep", ",".join(folders), "--set", "run.pictures=false", "--set", "run.fields=false"]
            subprocess.run([sys.executable, "-m", f"mpsolve.apps.{app}", *words, "--out", folder], check=True)
            for label, name in folders.items():
                (RECORDS / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path(folder) / label.replace(":", "-") / "run.json", RECORDS / name / "run.json")


if __name__ == "__main__":
    main()
