"""Whether runs solve the same problem, so that their times and errors may stand beside each other."""

from collections.abc import Sequence

from mpsolve.compare.align import RunSummary, differences
from mpsolve.errors import ConfigError

# Tables of the configuration that say what is solved; `heat` and `earth` only where they are the model of the run.
MODELS = ("heat", "earth")
TABLES = ("climate", "mxp", "system")

# What these tables say of the way to the answer, and of what is shown on it.
HOW = (
    "climate.output_hours",
    "climate.animation",
    "climate.fluxes",
    "climate.filter_rad",
    "earth.max_years",
    "earth.equilibrium_k",
)

# Simulated times that differ by no more than rounding are the same.
DIGITS = 9


def check_same_problem(runs: Sequence[RunSummary]) -> None:
    """Refuse runs of different problems: another app, model, grid, matrix, constant or length.

    Raises
    ------
    ConfigError
        Names the keys and their values.
    """
    found = {key: values for key, values in differences(runs).items() if key == "app" or _defines(key, runs)}
    sizes = {"unknowns": [run.results.get("unknowns") for run in runs], "simulated time, s": [*map(_length, runs)]}
    found |= {name: tuple(values) for name, values in sizes.items() if len({*map(str, values)} - {"None"}) > 1}
    if found:
        text = "; ".join(f"{key}: {' / '.join(map(str, values))}" for key, values in found.items())
        raise ConfigError(f"these runs solve different problems ({text}); --force compares them nevertheless")


def same_problem(run: RunSummary, other: RunSummary) -> bool:
    """Return whether two runs solve the same problem."""
    try:
        check_same_problem((run, other))
    except ConfigError:
        return False
    return True


def _defines(key: str, runs: Sequence[RunSummary]) -> bool:
    table = key.partition(".")[0]
    if key in HOW:
        return False
    if table in MODELS:
        return any(run.config.get("model", table) == table for run in runs)
    return key == "model" or table in TABLES or key.endswith("shape")


def _length(run: RunSummary) -> float | None:
    """Return the time that a run was to simulate; None where its configuration does not say so in steps."""
    steps, dt_s = run.config.get("time.steps"), run.results.get("dt_s")
    if run.config.get("model") == "earth" or not isinstance(steps, int) or not isinstance(dt_s, (int, float)):
        return None
    return float(f"{steps * dt_s:.{DIGITS}g}")
