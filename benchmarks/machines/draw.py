"""Draw docs/pictures/machines_*.png and projected_*.png: ``python benchmarks/machines/draw.py``."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.ticker

sys.path.insert(0, str(Path(__file__).resolve().parent))

from write_page import DOCS, LOW, RUNS_FOLDER, TITLES, peak_energy, projected, read_works

from mpsolve.compare.colours import CYCLE
from mpsolve.compare.plot import DOTS_PER_INCH, STYLE
from mpsolve.projection import catalogue
from mpsolve.projection.grid_work import most_nodes
from mpsolve.projection.machine import Machine
from mpsolve.projection.picture import draw_scaling
from mpsolve.projection.project import Projection, grown, node_counts, project
from mpsolve.projection.work import Work

PEAKS = {"FP64 peak": ("fp64_matrix", "fp64"), "BF16 or FP16 peak": ("bf16", "fp16"), "FP8 peak": ("fp8",)}
STRONG = {"heat_fp32": "projected_heat_strong_jupiter.png"}
KINDS = {"hpc": "HPC machines", "both": "both", "ai": "AI machines"}
Series = Mapping[str, Sequence[float | None]]


def main() -> None:
    """Draw both pictures."""
    works = read_works(RUNS_FOLDER)
    machines = [catalogue.load_machine(name) for name in catalogue.machine_names()]
    machines.sort(key=lambda machine: (list(KINDS).index(machine.kind), machine.key), reverse=True)
    draw(
        machines, energies(machines, works), "picojoules a flop, which are MW for each EFLOP/s",
        "Energy of a flop: at the dense peak, and in a solve to FP64 accuracy",
        DOCS / "pictures" / "machines_energy.png",
    )  # fmt: skip
    machines = [machine for machine in machines if machine.fp64 == "native"]
    draw(
        machines, gains(machines, works), "time in FP64 over time in low precision, both to the accuracy that is asked",
        "What low precision gains on a whole machine with full memory (projected)",
        DOCS / "pictures" / "machines_gain.png",
    )  # fmt: skip
    jupiter = catalogue.load_machine("jupiter")
    for name, picture in STRONG.items():
        draw_strong(works, name, jupiter, DOCS / "pictures" / picture)


def draw_strong(works: dict[str, Work], name: str, machine: Machine, path: Path) -> None:
    """Draw a run that fills one node on more and more nodes."""
    full = grown(works[name], machine, 1, "memory")
    counts = node_counts(machine, f"1..{min(machine.nodes, most_nodes(full, machine))}")
    title = f"{TITLES[full.app]} in {full.format}, one node's memory full"
    draw_scaling(title, "strong", [project(full, machine, count) for count in counts], path)
    print(path)


def energies(machines: Sequence[Machine], works: dict[str, Work]) -> Series:
    """Return picojoules a flop of each machine: at its peaks, of HPL as published, and of LU as projected."""
    found: dict[str, list[float | None]] = {
        name: [peak_energy(one, *keys) for one in machines] for name, keys in PEAKS.items()
    }
    found["HPL, published"] = [
        1000 / value if (value := one.results["green500"].value) and one.results["hpl"].known else None
        for one in machines
    ]
    for name in ("fp64", LOW["mxp"]):
        runs = [projected("mxp", works, one, one.nodes)[name] for one in machines]
        found[f"LU in {name}, projected"] = [
            run.energy_j / (2 / 3 * float(run.unknowns) ** 3) * 1e12 if isinstance(run, Projection) else None
            for run in runs
        ]
    return found


def gains(machines: Sequence[Machine], works: dict[str, Work]) -> Series:
    """Return the gain in time of each app on machines whose accelerators have FP64."""
    found: dict[str, list[float | None]] = {}
    for app, title in TITLES.items():
        runs = [projected(app, works, one, one.nodes) for one in machines]
        found[f"{title}, {LOW[app]}"] = [run["fp64"].time_s / run[LOW[app]].time_s for run in runs]
    return found


def draw(machines: Sequence[Machine], series: Series, across: str, title: str, path: Path) -> None:
    """Draw a row for each machine with a mark for each series, on a logarithmic axis."""
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(9.5, 6.2), layout="constrained")
        axes = figure.subplots()
        for index, (name, values) in enumerate(series.items()):
            shown = [(value, place) for place, value in enumerate(values) if value]
            axes.plot(
                *zip(*shown, strict=True), "osD^vP"[index % 6], color=CYCLE[index % len(CYCLE)], label=name,
                markersize=8, markeredgecolor="white",
            )  # fmt: skip
        names = [f"{machine.name.partition(' (')[0]} ({machine.kind})" for machine in machines]
        axes.set(xscale="log", yticks=range(len(names)), yticklabels=names, xlabel=across)
        axes.set_title(title, loc="left", fontsize=12)
        # The least gain is none.
        axes.set_xlim(left=min(1.0, axes.get_xlim()[0]))
        _plain_numbers(axes)
        figure.legend(loc="outside lower center", ncols=3, fontsize=10)
        figure.savefig(path, dpi=DOTS_PER_INCH * 0.8)
    print(path)


def _plain_numbers(axes: Any) -> None:
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(matplotlib.ticker.LogLocator(subs=(2, 5)))
    axes.xaxis.set_minor_formatter("{x:g}")


if __name__ == "__main__":
    main()
