"""Scaling of a projected run to the whole machine, as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mpsolve.compare import colours
from mpsolve.compare.plot import DOTS_PER_INCH, STYLE
from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.projection.project import Projection

PARTS = (("compute_s", "arithmetic"), ("memory_s", "memory"), ("latency_s", "latency"), ("bandwidth_s", "messages"))


def draw_scaling(title: str, kind: str, projections: Sequence[Projection], path: Path) -> None:
    """Draw time against nodes, with its parts and its uncertainty, and the efficiency below.

    Parameters
    ----------
    title : str
        Run and machine.
    kind : str
        ``"strong"``: the same problem on more nodes; ``"weak"``: the same share for each node.
    projections : sequence of Projection
        In the order of their nodes.
    path : Path
        The PNG.

    Raises
    ------
    BackendUnavailable
        If matplotlib is not installed.
    FileError
        If the picture cannot be written.
    """
    matplotlib = _matplotlib()
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(8.6, 6.0), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        nodes = [one.nodes for one in projections]
        _times(above, nodes, projections)
        above.set(ylabel="time [s]")
        above.set_title(f"{title}\n{kind} scaling, projected", loc="left")
        below.plot(nodes, efficiencies(kind, projections), "o-", color=colours.CYCLE[0], linewidth=1.8)
        below.set(xscale="log", ylim=(0, 1.05), xlabel="nodes", ylabel="efficiency")
        # Beside the axes, because the lines cross all of them.
        figure.legend(loc="outside right upper", fontsize=10)
        try:
            figure.savefig(path, dpi=DOTS_PER_INCH)
        except OSError as problem:
            raise FileError(f"cannot write {path}: {problem.strerror}; choose another directory with --out") from None


def efficiencies(kind: str, projections: Sequence[Projection]) -> list[float]:
    """Return the parallel efficiency of each projection against the first.

    Strong: the node seconds of the first over those of each. Weak: the part of the time in which the devices work,
    because the flops of a dense matrix grow faster than the memory that it fills.
    """
    first = projections[0]
    if kind == "strong":
        return [first.time_s * first.nodes / (one.time_s * one.nodes) for one in projections]
    return [_busy_part(one) / _busy_part(first) for one in projections]


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError:
        raise BackendUnavailable("pictures need matplotlib: pip install 'mpsolve[report]'") from None
    return matplotlib


def _busy_part(one: Projection) -> float:
    return one.terms.busy_s / one.time_s


def _times(axes: Any, nodes: Sequence[int], projections: Sequence[Projection]) -> None:
    times = [one.time_s for one in projections]
    lows, highs = [one.low_s for one in projections], [one.high_s for one in projections]
    axes.fill_between(nodes, lows, highs, color=colours.CYCLE[0], alpha=0.15, label="spread of the model")
    axes.loglog(nodes, times, "o-", color=colours.CYCLE[0], linewidth=2.2, label="time")
    # Parts far below the whole only stretch the axis.
    floor = min(times) / 1000
    for index, (name, label) in enumerate(PARTS, 1):
        values = [getattr(one.terms, name) for one in projections]
        if max(values) > floor:
            shown = [value if value > floor else float("nan") for value in values]
            axes.loglog(nodes, shown, "--", color=colours.CYCLE[index % len(colours.CYCLE)], linewidth=1.5, label=label)
