"""The options of the heat app: its TOML tables as frozen dataclasses, whose defaults are the default configuration."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

from mpsolve.errors import ConfigError
from mpsolve.lookup import names
from mpsolve.precision import DEFAULT_LADDER, Roles, ladder_from, preset
from mpsolve.solvers.multigrid.options import CYCLES, SMOOTHERS
from mpsolve.solvers.preconditioners import PRECONDITIONERS
from mpsolve.timestepping.base import STATE_UPDATES


def option(default: Any, help: str, **limits: Any) -> Any:
    """Return the field of an option; ``limits`` are those of `mpsolve.config.load`."""
    return field(default=default, metadata={"help": help, **limits})


def table(kind: Callable[[], Any]) -> Any:
    """Return the field of a table, whose defaults are those of ``kind()``."""
    return field(default_factory=kind)


_formats = partial(names, "formats")

#: Steppers that solve a system at each step.
IMPLICIT = ("backward_euler", "crank_nicolson")


@dataclass(frozen=True)
class HeatOptions:
    """A heat problem with a known answer on a box."""

    problem: str = option(
        "heat_manufactured", "problem: a file in models/gallery", choices=partial(names, "models.gallery")
    )
    shape: tuple[int, ...] = option((1024, 1024), "cells per axis, 2 or 3 axes", min=1)

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3):
            raise ValueError(f"heat.shape = {list(self.shape)}: must have 2 or 3 axes")


@dataclass(frozen=True)
class EarthOptions:
    """The energy balance climate of the Earth."""

    latitudes: int = option(64, "rows from south to north", min=32, max=721)
    longitudes: int = option(128, "columns", min=64, max=1440)
    points: str = option("cells", "cell centres, or nodes with both poles", choices=("cells", "nodes"))
    surface: str = option("", "HDF5 file with land_fraction or surface_class; empty: the map that is shipped")
    co2_ppm: float = option(315.0, "carbon dioxide by volume", unit="ppm", above=0.0)
    eccentricity: float = option(0.016740, "of the orbit", min=0.0, below=1.0)
    obliquity_rad: float = option(0.409253, "tilt of the axis", unit="rad", min=0.0, max=1.5707963267948966)
    perihelion_rad: float = option(1.783037, "longitude of perihelion", unit="rad", min=0.0, max=6.283185307179586)
    solar_constant_w_m2: float = option(1371.685, "sunlight at the mean distance", unit="W m-2", above=0.0)
    years: int = option(0, "years to run; 0: until the climate repeats itself", min=0)
    max_years: int = option(60, "give up the search for equilibrium after so many", min=1)
    equilibrium_k: float = option(2e-5, "largest change of the annual global mean at equilibrium", unit="K", above=0.0)


@dataclass(frozen=True)
class TimeOptions:
    """Time stepping."""

    stepper: str = option("backward_euler", "a file in steppers", choices=partial(names, "steppers"))
    steps: int = option(2, "time steps (the Earth runs by years instead)", min=1)
    dt_s: float = option(0.0, "time step; 0: from diffusion_number", unit="s", min=0.0)
    diffusion_number: float = option(1000.0, "dt k / h^2 with the smallest cell size, if dt_s is 0", above=0.0)
    state_update: str = option("increment", "how explicit steppers keep the state", choices=STATE_UPDATES)
    steps_per_pass: int = option(1, "explicit Euler: steps in one pass over memory", min=1, max=16)
    seed: int = option(1, "of stochastic rounding", min=0, max=2**31 - 1)


@dataclass(frozen=True)
class SolverOptions:
    """Implicit solves."""

    inner: str = option(
        "auto",
        "inner solver: a file in solvers/inner, or auto: by the coefficients",
        choices=lambda: ("auto", *names("solvers.inner")),
    )
    preconditioner: str = option("auto", "of the inner solver", choices=PRECONDITIONERS)
    rtol: float = option(1e-12, "FP64 backward error to reach", above=0.0, below=1.0)
    max_refinements: int = option(60, "outer iterations", min=1)
    max_iterations: int = option(10_000, "inner iterations of one refinement", min=1)
    inner_rtol: float = option(0.0, "reduction asked of one inner solve; 0: by the format", min=0.0, below=1.0)


@dataclass(frozen=True)
class MultigridTable:
    """The cycles of multigrid, if it is the inner solver."""

    cycle: str = option("v", "v, w, or full: the first cycle of each solve starts on the coarsest grid", choices=CYCLES)
    smoother: str = option("auto", "auto: lines where rows are coupled strongest", choices=("auto", *SMOOTHERS))
    sweeps_before: int = option(0, "smoothing steps before the coarser grid", min=0, max=16)
    sweeps_after: int = option(0, "smoothing steps after it; 0 and 0: 4 after it, or 2 and 2 for cg", min=0, max=16)
    levels: tuple[str, ...] = option((), "format of each grid, the last one for all coarser ones", choices=_formats)


@dataclass(frozen=True)
class PrecisionOptions:
    """Which format holds what; --precision NAME sets them all."""

    state: str = option("fp64", "between time steps", choices=("fp64", "fp32"))
    inner: str = option("fp64", "arrays of the inner solver, increments of explicit steppers", choices=_formats)
    accumulate: str = option("fp64", "sums of many steps inside the inner solver", choices=("fp32", "fp64"))
    residual: str = option("fp64", "b - A x and norms; nothing else would give an FP64 answer", choices=("fp64",))
    halo: str = option("", "messages between ranks; empty: bit for bit", choices=lambda: ("", *names("formats")))
    ladder: tuple[str, ...] = option(DEFAULT_LADDER, "formats to escalate through", choices=_formats)

    def roles(self) -> Roles:
        """Return the table of roles."""
        return Roles(self.state, self.inner, self.accumulate, self.residual, self.halo)

    def rungs(self) -> tuple[str, ...]:
        """Return the formats that a solve may use, the inner one first."""
        return ladder_from(self.inner, self.ladder)


@dataclass(frozen=True)
class HaloTable:
    """Messages between the blocks of a grid."""

    check: bool = option(False, "give messages a checksum, and send damaged ones again")


#: Backends of problems on grids, the fastest first.
GRID_BACKENDS = ("cuda", "cpu", "reference")
#: Why bits are not flipped where no solve is refined.
NOTHING_REPAIRS = "explicit steps refine nothing, so that nothing would repair a flipped bit"


@dataclass(frozen=True)
class RunOptions:
    """Where and how it runs, and what it leaves."""

    backend: str = option("auto", "a file in backends, or auto", choices=lambda: ("auto", *names("backends")))
    mpi_gpu: str = option("off", "send halos from the memory of the card", choices=("off", "on", "auto"))
    threads: int = option(0, "threads per rank; 0: the cores that this rank may use", min=0, max=1024)
    ranks: tuple[int, ...] = option((), "ranks per axis, 0 where free; empty: all free", min=0)
    pictures: bool = option(True, "draw pictures at the end, if matplotlib is installed")
    fields: bool = option(True, "write fields.h5")
    checkpoint_steps: int = option(0, "steps between two checkpoints; 0: none", min=0)
    checkpoint_seconds: float = option(0.0, "seconds between two checkpoints; 0: none", unit="s", min=0.0)
    limit_seconds: float = option(
        0.0, "seconds after which the run saves a checkpoint and stops; 0: never", unit="s", min=0.0
    )
    inject: str = option("", "flip bits of low-precision arrays, for tests: bitflip:RATE; empty: none")
    energy_seconds: float = option(
        0.0, "if energy meters need longer than the run takes, repeat it for so long; 0: never", unit="s", min=0.0
    )
    log_seconds: float = option(10.0, "between two progress lines in a batch log", unit="s", above=0.0)


class AppOptions(Protocol):
    """What the options of every app have.

    Attributes
    ----------
    precision, run : dataclass
        Tables with at least ``inner``, and ``backend``, ``threads``, ``pictures`` and ``log_seconds``.
    """

    precision: Any
    run: Any

    @property
    def app(self) -> str:
        """Name of the app, for the record."""
        ...

    @property
    def driver(self) -> str:
        """Name of the module in ``driver`` that runs it."""
        ...

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends that ``auto`` tries, the fastest first."""
        ...

    @property
    def is_fp64(self) -> bool:
        """Whether nothing is rounded to less than FP64."""
        ...

    def roles_used(self) -> dict[str, str]:
        """Return the format of each role as the run uses it, for the record."""
        ...

    @staticmethod
    def preset(name: str) -> dict[str, Any]:
        """Return the dotted keys that ``--precision NAME`` sets."""
        ...

    @staticmethod
    def state_update(entry: str, update: str) -> dict[str, Any]:
        """Return the dotted keys that the part after the colon of a sweep's entry sets."""
        ...

    def check_state_update(self, entry: str, update: str) -> None:
        """Refuse an entry of a sweep whose second part means nothing here."""
        ...


@dataclass(frozen=True)
class HeatAppOptions:
    """All tables of the heat app."""

    model: str = option("heat", "heat: a box with a known answer; earth: the climate", choices=("heat", "earth"))
    heat: HeatOptions = table(HeatOptions)
    earth: EarthOptions = table(EarthOptions)
    time: TimeOptions = table(TimeOptions)
    solver: SolverOptions = table(SolverOptions)
    multigrid: MultigridTable = table(MultigridTable)
    precision: PrecisionOptions = table(PrecisionOptions)
    halo: HaloTable = table(HaloTable)
    run: RunOptions = table(RunOptions)

    def __post_init__(self) -> None:
        if self.model == "earth" and self.time.stepper not in IMPLICIT:
            raise ConfigError(
                f"time.stepper = {self.time.stepper}: the Earth takes implicit steps: backward_euler or crank_nicolson"
            )

    @property
    def app(self) -> str:
        """Name of the app, for the record."""
        return "heat"

    @property
    def driver(self) -> str:
        """Name of the module in ``driver`` that runs it."""
        return self.model

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends that ``auto`` tries, the fastest first."""
        return GRID_BACKENDS

    @property
    def is_fp64(self) -> bool:
        """Whether nothing is rounded to less than FP64."""
        return self.precision.inner == self.precision.state == "fp64"

    @staticmethod
    def preset(name: str) -> dict[str, Any]:
        """Return the dotted keys that ``--precision NAME`` sets."""
        roles = preset(name)
        return {f"precision.{role}": getattr(roles, role) for role in ("state", "inner", "accumulate", "residual")}

    @staticmethod
    def state_update(entry: str, update: str) -> dict[str, Any]:
        """Return the dotted keys that the part after the colon of a sweep's entry sets."""
        return {"time.state_update": update}

    def check_state_update(self, entry: str, update: str) -> None:
        """Refuse an entry of a sweep whose second part means nothing here."""
        if self.implicit:
            raise ConfigError(
                f"--sweep has {entry!r}, but time.stepper = {self.time.stepper} keeps no state in low precision: "
                f"choose an explicit stepper, or leave out ':{update}'"
            )

    @property
    def implicit(self) -> bool:
        """Whether the stepper solves a system at each step."""
        return self.time.stepper in IMPLICIT

    def roles_used(self) -> dict[str, str]:
        """Return the format of each role as the run uses it, for the record.

        Explicit steppers keep the state as ``time.state_update`` says, and do neither residuals nor inner sums.
        """
        roles = asdict(self.precision.roles())
        if self.implicit:
            return roles
        inner, update = self.precision.inner, self.time.state_update
        narrow = {"plain": inner, "stochastic": inner, "compensated": f"{inner}+{inner}"}
        state = narrow.get(update) or self.precision.state
        return {"state": state, "inner": inner, "halo": roles["halo"], "state_update": update}


@dataclass(frozen=True)
class Variant:
    """One column of the comparison.

    Attributes
    ----------
    label : str
        Its name, also that of its directory in a sweep.
    options : AppOptions
        The variants of a sweep differ in ``precision`` and ``time.state_update`` alone, so they share one model.
    """

    label: str
    options: Any
