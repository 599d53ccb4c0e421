"""Pictures of runs as PNG: accuracy against time, residual per iteration, and the field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpsolve.compare import colours
from mpsolve.compare.align import RunSummary
from mpsolve.compare.metrics import number
from mpsolve.compare.repeats import spread
from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.records.run import FIELDS_NAME
from mpsolve.records.steps import FILE_NAME as STEPS_NAME
from mpsolve.records.steps import read_steps

# What a picture of accuracy shows, the best evidence first.
ACCURACIES = (
    ("error_l2", "Error against the reference, L2 norm"),
    ("error_linf", "Error against the reference, maximum norm"),
    ("rounding_error", "Distance from the FP64 run"),
    ("hpl_mxp_residual", "Scaled residual (HPL-MxP)"),
    ("backward_error", "Backward error"),
)

STYLE = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "legend.frameon": False,
}
DOTS_PER_INCH = 150

# More curves than this in one legend cannot be told apart.
MOST_LABELS = 12


@dataclass(frozen=True)
class Point:
    """What a run costs and how wrong it is; of repeats the least and the largest cost beside the median."""

    label: str
    cost: float
    error: float
    spread: tuple[float, float] | None


def draw(runs: Sequence[RunSummary], out: Path) -> tuple[list[Path], list[str]]:
    """Draw every picture that the records have data for.

    Parameters
    ----------
    runs : sequence of RunSummary
        The runs.
    out : Path
        Directory of the pictures, made if it is not there.

    Returns
    -------
    tuple
        The files written, and a line for each picture that could not be drawn with the reason.

    Raises
    ------
    BackendUnavailable
        If matplotlib is not installed.
    FileError
        If a picture cannot be written.
    """
    _matplotlib()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise FileError(f"cannot make {out}: {problem.strerror}; choose another directory with --out") from None
    pictures: list[tuple[Any, tuple, Path]] = [
        (accuracy_against_time, (runs,), out / "accuracy_against_time.png"),
        (residual_history, (runs,), out / "residual.png"),
    ]
    for name, run in zip(_file_names(runs), runs, strict=True):
        if (run.directory / FIELDS_NAME).is_file():
            pictures.append((field_picture, (run,), out / f"field_{name}.png"))
    written, problems = [], []
    for function, arguments, path in pictures:
        if reason := function(*arguments, path):
            problems.append(f"no {path.name}: {reason}")
        else:
            written.append(path)
    return written, problems


def accuracy_against_time(runs: Sequence[RunSummary], path: Path) -> str:
    """Draw the error of each run over its time, both axes logarithmic, labelled by precision.

    Parameters
    ----------
    runs : sequence of RunSummary
        Runs without a positive time and error are left out.
    path : Path
        The PNG.

    Returns
    -------
    str
        Why nothing was drawn; empty if the picture was written.
    """
    points = {name: _points(runs, name) for name, _ in ACCURACIES}
    name, title = max(ACCURACIES, key=lambda accuracy: len(points[accuracy[0]]))
    if not points[name]:
        return "no run has both a time and an error greater than 0"
    return _pareto(points[name], "time of the timed phase [s]", f"{name} [1]", title, path)


def accuracy_against_energy(runs: Sequence[RunSummary], path: Path) -> str:
    """Draw the error of each run over its measured joules; parameters and return value as `accuracy_against_time`.

    Joules of the scope that most runs have; modelled ones are never drawn beside them.
    """
    scopes: dict[str, dict[int, float]] = {}
    for place, run in enumerate(runs):
        for reading in run.energy:
            joules = number(reading.get("joules"))
            if joules and reading.get("kind") != "modelled":
                scopes.setdefault(str(reading.get("scope")), {}).setdefault(place, joules)
    if not scopes:
        return "no run has measured joules"
    scope, joules = max(scopes.items(), key=lambda entry: len(entry[1]))
    points = [
        Point(label, joules[place], error, spread(run, f"energy_{scope}_j", run))
        for place, (label, run) in enumerate(zip(labels(runs), runs, strict=True))
        if place in joules
        for error in [next((number(run.results.get(name)) for name, _ in ACCURACIES if run.results.get(name)), None)]
        if error
    ]
    if not points:
        return "no run has both joules and an error greater than 0"
    return _pareto(points, f"measured energy, {scope} [J]", "error [1]", "Error against energy", path)


def residual_history(runs: Sequence[RunSummary], path: Path) -> str:
    """Draw the FP64 residual per refinement of the last solve, or per step where there are no refinements.

    Parameters, return value: as `accuracy_against_time`; a damaged ``steps.jsonl`` leaves its run out.
    """
    curves = [(label, _residuals(run)) for label, run in zip(labels(runs), runs, strict=True)]
    curves = [(label, points) for label, points in curves if points]
    if not curves:
        return f"no run has residuals in {STEPS_NAME}"
    with _matplotlib().rc_context(STYLE):
        figure, axes = _figure((7.0, 4.6))
        for index, (label, points) in enumerate(curves):
            colour, marker = colours.CYCLE[index % len(colours.CYCLE)], "osD^vP"[index % 6]
            size = 6 if len(points) <= 60 else 2
            axes.semilogy(
                *zip(*points, strict=True), marker=marker, markersize=size, color=colour, label=label, linewidth=1.8
            )
        axes.set(xlabel="refinement of the last solve, or step", ylabel="FP64 backward error [1]")
        axes.set_title("Residual per refinement", loc="left")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(curves) <= MOST_LABELS:
            figure.legend(loc="outside right upper")
        return _save(figure, path)


def field_picture(run: RunSummary, path: Path) -> str:
    """Draw the first field of ``fields.h5`` with two dimensions, or the middle plane of the first with three.

    Parameters, return value: as `accuracy_against_time`.
    """
    from mpsolve.compare import plane
    from mpsolve.errors import MpsolveError

    try:
        chosen = plane.load(run.directory / FIELDS_NAME)
    except MpsolveError as problem:
        return str(problem)
    if chosen is None:
        return f"{run.directory / FIELDS_NAME} holds no field of two or three dimensions with a finite value"
    with _matplotlib().rc_context(STYLE | {"axes.grid": False}):
        figure, axes = _figure(chosen.figure_size(), "compressed")
        image = axes.pcolormesh(*chosen.mesh(), chosen.values, **chosen.colours(), rasterized=True)
        axes.set(xlabel=chosen.x.label, ylabel=chosen.y.label)
        _degrees(axes, chosen)
        if chosen.equal_scales():
            axes.set_aspect("equal")
        axes.set_title(f"{chosen.title}\n{run.app}, {run.precision}", loc="left")
        # An inset is as tall as the axes, whatever their aspect.
        figure.colorbar(image, cax=axes.inset_axes((1.02, 0.0, 0.025, 1.0)), label=chosen.bar_label)
        return _save(figure, path)


def labels(runs: Sequence[RunSummary]) -> list[str]:
    """Return a short label per run: the precision, with a number where several runs share one."""
    names = [f"{run.precision} ({len(run.members)} runs)" if run.members else run.precision for run in runs]
    if len(set(names)) == len(names):
        return names
    return [f"{name} {index + 1}" for index, name in enumerate(names)]


def _file_names(runs: Sequence[RunSummary]) -> list[str]:
    """Return a name per run for its files: the precision, with a number where several runs share one."""
    if len({run.precision for run in runs}) == len(runs):
        return [run.precision for run in runs]
    return [f"{run.precision}_{index + 1}" for index, run in enumerate(runs)]


def _points(runs: Sequence[RunSummary], name: str) -> list[Point]:
    points = []
    for label, run in zip(labels(runs), runs, strict=True):
        time_s, error = number(run.results.get("time_s")), number(run.results.get(name))
        if time_s and error and time_s > 0 and error > 0:
            points.append(Point(label, time_s, error, spread(run, "time_s", run)))
    return points


def _pareto(points: Sequence[Point], across: str, up: str, title: str, path: Path) -> str:
    """Draw errors over costs, with a line over the spread of repeats."""
    with _matplotlib().rc_context(STYLE):
        figure, axes = _figure((7.0, 4.6))
        for index, point in enumerate(points):
            colour, marker = colours.CYCLE[index % len(colours.CYCLE)], "osD^vP"[index % 6]
            if point.spread:
                axes.plot(point.spread, (point.error, point.error), "|-", color=colour, linewidth=1.5, markersize=9)
            label, place = point.label, (point.cost, point.error)
            axes.loglog(*place, marker, color=colour, markersize=11, markeredgecolor="white", label=label)
        axes.set(xlabel=across, ylabel=up)
        repeated = "; medians, lines from least to most" if any(point.spread for point in points) else ""
        axes.set_title(f"{title}\n(lower left is better{repeated})", loc="left")
        ends = [end for point in points for end in (point.cost, *(point.spread or ()))]
        _frame(axes, ends, [point.error for point in points])
        # Beside the axes, because runs of like precision lie on top of each other.
        figure.legend(loc="outside right upper")
        return _save(figure, path)


def _residuals(run: RunSummary) -> list[tuple[float, float]]:
    try:
        rows = read_steps(run.directory / STEPS_NAME)
    except FileError:
        return []
    refinements = [row for row in rows if row.get("kind") == "refinement"]
    last = [row for row in refinements if row.get("step") == refinements[-1].get("step")]
    shown = [row for row in last or rows if (number(row.get("residual")) or 0.0) > 0]
    return [(float(row.get("refinement", index + 1)), float(row["residual"])) for index, row in enumerate(shown)]


def _frame(axes: Any, times: list[float], errors: list[float]) -> None:
    """Show at least a decade of each axis, so that small differences look small, with plain numbers at the ticks."""
    axes.set_xlim(min(times) / 3.2, max(times) * 3.2)
    axes.set_ylim(min(errors) / 3.2, max(errors) * 3.2)
    for axis, values in ((axes.xaxis, times), (axes.yaxis, errors)):
        axis.set_major_formatter("{x:g}")
        near = max(values) < 10 * min(values)
        axis.set_minor_formatter(_between_powers if near else "")


def _between_powers(value: float, _: int) -> str:
    """Label 2 and 5 between the powers of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def _degrees(axes: Any, plane: Any) -> None:
    """Put the ticks of a world map on round degrees."""
    for axis, shown in ((axes.xaxis, plane.x), (axes.yaxis, plane.y)):
        if shown.units.startswith("degrees_") and abs(shown.edges[-1] - shown.edges[0]) >= 150:
            axis.set_major_locator(_matplotlib().ticker.MultipleLocator(30 if "north" in shown.units else 60))


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.figure
        import matplotlib.ticker
    except ImportError:
        raise BackendUnavailable("pictures need matplotlib: pip install 'mpsolve[report]'") from None
    return matplotlib


def _figure(inches: tuple[float, float], layout: str = "constrained") -> tuple[Any, Any]:
    # A figure made without pyplot draws with Agg, needs no display and leaves no global state.
    figure = _matplotlib().figure.Figure(figsize=inches, layout=layout)
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> str:
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.15)
    except OSError as problem:
        raise FileError(f"cannot write {path}: {problem.strerror}; choose another directory with --out") from None
    return ""
