"""Write docs/machines.md and the check in docs/projection.md: ``python benchmarks/machines/write_page.py``.

The runs are the folders of ``records`` beside this file, named ``APP_FORMAT``, each with the ``run.json`` that an app
left (`measure.py`).
"""

from pathlib import Path

from mpsolve.errors import ConfigError
from mpsolve.projection import catalogue, check_text
from mpsolve.projection.machine import Machine
from mpsolve.projection.machine_text import mark
from mpsolve.projection.project import Projection, grown_alike, project
from mpsolve.projection.work import Work, read_work
from mpsolve.records.run import read_run

FOLDER = Path(__file__).resolve().parent
RUNS_FOLDER = FOLDER / "records"
DOCS = FOLDER.parents[1] / "docs"
BEGIN, END = "<!-- check: begin -->", "<!-- check: end -->"
# The run in low precision that stands for an app in the tables; the others are shown beside it.
LOW = {"mxp": "bf16", "heat": "fp32", "climate": "fp16-fp32"}
TITLES = {"mxp": "Dense LU (mxp)", "heat": "Implicit heat", "climate": "The climate core"}

INTRODUCTION = """# Fourteen machines

Written by `python benchmarks/machines/write_page.py` from the stored runs in `benchmarks/machines/records`, which
`python benchmarks/machines/measure.py` measured on a 2-core host; nothing here was measured on these machines. What the
model is, and how far it was off on published results, is in [projection.md](projection.md). A range is the time divided
and multiplied by that spread. Figures and their sources: `mpsolve machines NAME`. Marks: ^d derived, ^r from memory
(verify before quoting). CoreWeave is one mean site of 32. One run alone, on any machine:

    mpsolve project benchmarks/machines/records/climate_fp64 --machine jupiter --nodes 1..all --size memory
"""

RUNS = """
## The runs

Each ran on {ranks} rank of a 2-core host. What is projected are its counts, which do not depend on the host; how fast
mpsolve is there is in [performance.md](performance.md).

| run | what | exchanges of ghost cells | GB moved | accuracy |
|---|---|---|---|---|
{rows}

All formats of heat and mxp end at the accuracy that FP64 asks for: what differs is time and energy. {iterations}
The climate core adds increments in FP16 to a state in FP64 (fp16) or FP32 (fp16-fp32); its error is that of the grid
(truncation), and rounding adds the part that the table has. It takes as many steps in every format.
"""
NOTES = {
    "heat": "Where the accelerator has no FP64, the fp64 run is one of the host processors alone.",
    "climate": "The steps are those of the run, on a finer grid each: times are for so many steps, not for a day. With "
    "a state in FP64 the stages compute in FP64, so that fp16 saves bytes alone, and on machines without FP64 runs on "
    "their hosts. The polar filter is FP64 in each, is counted on the device, and waits for those at the poles, which "
    "hold all of it; today mpsolve computes it on the processors beside a GPU. Sums for corrections and diagnostics, "
    "fewer than one in 20 steps, are left out.",
}


def main() -> None:
    """Write both pages."""
    works = read_works(RUNS_FOLDER)
    machines = [catalogue.load_machine(name) for name in catalogue.machine_names()]
    apps = sorted({name.rpartition("_")[0] for name in works}, key=lambda name: (name != "mxp", name))
    parts = [INTRODUCTION, runs_section(works), claims_section(machines, works)]
    parts += [app_section(app, works, machines) for app in apps]
    parts += ["\n## Machine by machine\n", *(machine_section(machine, works, apps) for machine in machines)]
    (DOCS / "machines.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    page = DOCS / "projection.md"
    text = page.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n```\n{check_text.render()}\n```\n\n{END}{after}", encoding="utf-8")


def read_works(folder: Path) -> dict[str, Work]:
    """Return the stored runs by their folders' names."""
    return {path.parent.name: read_work(path.parent) for path in sorted(folder.glob("*/run.json"))}


def runs_section(works: dict[str, Work]) -> str:
    """Return what was run."""
    texts = {"heat": "implicit heat, {n:,} cells", "mxp": "dense LU, n = {n:,}", "climate": "{n:,} unknowns, {steps}"}
    rows = []
    for name, work in works.items():
        results = read_run(RUNS_FOLDER / name)["results"]
        steps = f"{results.get('steps')} steps"
        what = texts[work.app].format(n=work.unknowns, steps=steps)
        count = "-" if work.dense else f"{work.exchanges:,}"
        moved = sum(phase.bytes for phase in work.phases) / 1e9
        bytes_moved = "-" if work.dense else f"{moved:,.1f}"
        rows.append(f"| {name} | {what} | {count} | {bytes_moved} | {accuracy(work)} |")
    return RUNS.format(rows="\n".join(rows), ranks=works["heat_fp64"].ranks, iterations=_iterations(works))


def _iterations(works: dict[str, Work]) -> str:
    """Return in words what low precision costs heat in iterations and saves it in bytes."""
    results = {name: read_run(RUNS_FOLDER / name)["results"] for name in works if name.startswith("heat_")}
    moved = {name: sum(phase.bytes for phase in works[name].phases) for name in results}
    parts = []
    for name in ("heat_fp32", "heat_bf16"):
        less = moved["heat_fp64"] / moved[name]
        format = name.removeprefix("heat_")
        parts.append(f"{results[name]['iterations']} in {format}, which moves {less:.1f} times fewer bytes")
    solver = str(results["heat_fp64"].get("inner_solver"))
    return f"Heat ({solver})\ntakes {results['heat_fp64']['iterations']} iterations in fp64, {', and '.join(parts)}."


def accuracy(work: Work) -> str:
    """Return what a run reached."""
    if "backward_error" in work.accuracy:
        return f"backward error {work.accuracy['backward_error']:.1e}"
    truncation, rounding = work.accuracy["truncation_error"], work.accuracy.get("rounding_error")
    return f"truncation {truncation:.1e}" + ("" if rounding is None else f", rounding {rounding:.1e}")


def attempt(work: Work, machine: Machine, nodes: int) -> Projection | str:
    """Return the projection, or why there is none."""
    try:
        return project(work, machine, nodes)
    except ConfigError as problem:
        return str(problem).split(";")[0]


def formats_of(app: str, works: dict[str, Work]) -> list[str]:
    """Return the formats in which an app was run: FP64, others, and that which stands for low precision."""
    found = [name.removeprefix(f"{app}_") for name in works if name.startswith(f"{app}_")]
    return ["fp64", *sorted(set(found) - {"fp64", LOW[app]}), LOW[app]]


def projected(app: str, works: dict[str, Work], machine: Machine, nodes: int) -> dict[str, Projection | str]:
    """Return the problem that fills the nodes in FP64, projected in each format."""
    formats = formats_of(app, works)
    grown = grown_alike([works[f"{app}_{name}"] for name in formats], machine, nodes)
    return {name: attempt(work, machine, nodes) for name, work in zip(formats, grown, strict=True)}


def app_section(app: str, works: dict[str, Work], machines: list[Machine]) -> str:
    """Return the table of one app on every whole machine."""
    formats = formats_of(app, works)
    times = " | ".join(f"{name}, s" for name in formats)
    head = f"| machine | nodes | unknowns | {times} | from - to | gain in time | gain in energy | waits |"
    lines = [
        f"\n## {TITLES[app]}: the whole machine, its memory full in FP64\n",
        head,
        "|" + "---|" * (7 + len(formats)),
    ]
    for machine in machines:
        nodes = machine.nodes
        found = projected(app, works, machine, nodes)
        full, low = found["fp64"], found[LOW[app]]
        cells = ["no FP64 products" if isinstance(one, str) else f"{one.time_s:.3g}" for one in found.values()]
        gains = ["-", "-"]
        if isinstance(full, Projection):
            gains = [f"{full.time_s / low.time_s:.1f}", f"{full.energy_j / low.energy_j:.1f}"]
        waits = f"{low.terms.waiting_s / low.time_s:.0%}"
        energy = f"{_kilojoules(full)} to {_kilojoules(low)}"
        lines.append(
            f"| {machine.key} | {nodes:,} | {low.unknowns:.3g} | {' | '.join(cells)} | "
            f"{low.low_s:.3g} - {low.high_s:.3g} | {gains[0]} | {gains[1]} | {waits} | {energy} |"
        )
    if app in NOTES:
        lines.append(f"\n{NOTES[app]}")
    return "\n".join(lines)


def _kilojoules(one: Projection | str) -> str:
    """Return the energy for a thousand million unknowns."""
    return "-" if isinstance(one, str) else f"{one.energy_j / one.unknowns * 1e6:.3g}"


def claims_section(machines: list[Machine], works: dict[str, Work]) -> str:
    """Return the document's energy per exaFLOP against figures: 1 MW for each EFLOP/s is 1 pJ a flop."""
    head = (
        "| machine | the document says, MW/Exa | FP64 peak | BF16/FP16 peak | FP8 peak | HPL, published | "
        "LU fp64, projected | LU bf16, projected |"
    )
    lines = [
        "\n## Energy per exaFLOP: the document's column answered\n",
        "One MW for each EFLOP/s is one pJ a flop. Peaks are dense, with the power of the machine over all its "
        "accelerators; for the LU, the joules of a whole run on a full machine over (2/3) n^3. HPL, published, is by "
        "the Green500 (Isambard-AI: its first phase).\n",
        head,
        "|" + "---|" * 8,
    ]
    for machine in machines:
        full, low = projected("mxp", works, machine, machine.nodes).values()
        cells = [machine.key, machine.document["energy_per_exaflop"]]
        cells += [
            _peak(machine, "fp64_matrix", "fp64"),
            _peak(machine, "bf16", "fp16"),
            _peak(machine, "fp8"),
            _hpl(machine),
        ]
        cells += [_per_flop(full), _per_flop(low)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" + CLAIMS


CLAIMS = """
- The column mixes precisions. The rows of the AI machines count FP16 or FP8, several of them with sparsity; the row of
  the HPC machines counts FP64. In one precision the gap closes: at the BF16 or FP16 peak El Capitan, JUPITER,
  Isambard-AI and Aurora take less than Colossus and CoreWeave, whose power includes the site, and than RSC, whose A100
  is older; at the FP64 peak El Capitan and Frontier take least of all.
- 5 to 10 MW for an FP64 exaFLOP is met by no measured run: HPL took 16 to 38 on those three machines.
- 0.2 to 0.5 (JUPITER, Isambard-AI, PanaAI, Andromeda, CG-1) are sparse ratings. Dense FP8 takes about 1.3 to 1.7 times
  that, dense FP16 on the Cerebras machines eight times.
- Meta RSC and Doudna contradict themselves: 100 MW for 5 EFLOP/s is 20 MW/Exa, and 5 MW for 20 PFLOP/s is 250.
- What a solver pays is in the last two columns: joules for the same FP64 accuracy. Their ratio is what mixed precision
  saves by the model. Published measurements (-79% on Frontier, -81% on MI300A) saved less than it says, see
  [projection.md](projection.md).
"""


def peak_energy(machine: Machine, *formats: str) -> float | None:
    """Return picojoules a flop at the dense peak of the first format that the machine has; None without any."""
    for name in formats:
        figure = machine.accelerator.peak.get(name)
        if figure is not None and figure.value:
            count = machine.power["accelerators"].number
            return machine.power["model"].number * 1e6 / (count * figure.value)
    return None


def _peak(machine: Machine, *formats: str) -> str:
    found = peak_energy(machine, *formats)
    return "none" if found is None else f"{found:.2f}"


def _hpl(machine: Machine) -> str:
    result = machine.results["hpl"]
    efficiency = machine.results["green500"].value
    return "-" if not (result.known and efficiency) else f"{1000 / efficiency:.1f}"


def _per_flop(one: Projection | str) -> str:
    if isinstance(one, str):
        return "no FP64 products"
    return f"{one.energy_j / (2 / 3 * float(one.unknowns) ** 3) * 1e12:.2f}"


def machine_section(machine: Machine, works: dict[str, Work], apps: list[str]) -> str:
    """Return one machine: both figures, the conflicts, and its projections on one node and on all."""
    document = machine.document
    where = {"device": "on its accelerators", "host": "on the processors of its nodes", "emulated": "emulated"}
    count, power = machine.count["model"], machine.power["model"]
    lines = [
        f"### {machine.name}\n",
        f"The document: {document['chips']}; {document['peak']}; {document['power']}; "
        f"{document['energy_per_exaflop']}. Here: "
        f"{mark(count)} x {machine.accelerator.name} in {machine.nodes:,} nodes of one job, {mark(power)} MW; "
        f"{machine.openness}. FP64: {machine.fp64}; corrections run {where[machine.correction]}."
        + ("" if machine.verified else " **Not verified: there is no second source.**")
        + "\n",
        *(f"- {conflict}" for conflict in machine.conflicts),
        "",
        "| run | nodes | unknowns | time, s | from - to | arithmetic | memory | latency | bandwidth | MJ |",
        "|" + "---|" * 10,
    ]
    notes: list[str] = []
    for app in apps:
        for nodes in dict.fromkeys((1, machine.nodes)):
            for format, one in projected(app, works, machine, nodes).items():
                name = f"{app} {format}"
                if isinstance(one, str):
                    lines.append(f"| {name} | {nodes:,} | {one} |" + " |" * 7)
                    continue
                terms = (one.terms.compute_s, one.terms.memory_s, one.terms.latency_s, one.terms.bandwidth_s)
                parts = " | ".join(f"{value:.3g}" for value in terms)
                spread = f"{one.low_s:.3g} - {one.high_s:.3g}"
                lines.append(
                    f"| {name} | {nodes:,} | {one.unknowns:.3g} | {one.time_s:.3g} | {spread} | {parts} | "
                    f"{one.energy_j / 1e6:.3g} |"
                )
                notes += [note for note in one.notes if not note.startswith("n = ")]
    lines += ["", *(f"Note: {note}." for note in dict.fromkeys(notes)), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
