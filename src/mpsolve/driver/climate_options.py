"""The options of the climate app: its TOML tables as frozen dataclasses."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from mpsolve.driver.options import GRID_BACKENDS, NOTHING_REPAIRS, HaloTable, RunOptions, option, table
from mpsolve.lookup import names
from mpsolve.models.shallow_water.method import FLUXES, TermFormats
from mpsolve.models.shallow_water.stages import SCHEMES
from mpsolve.precision import Roles, get_format, preset

_formats = partial(names, "formats")


def _formats_or_none() -> tuple[str, ...]:
    return ("", *names("formats"))


def _problems() -> tuple[str, ...]:
    return names("models.shallow_water.problems")


@dataclass(frozen=True)
class ClimateOptions:
    """Rotating shallow water."""

    problem: str = option("williamson2", "a file in models/shallow_water/problems", choices=_problems)
    shape: tuple[int, ...] = option((64, 128), "rows and columns", min=8)
    angle_rad: float = option(0.0, "tilt of the flow (williamson1, williamson2, laeuter)", unit="rad", min=0.0, max=1.6)
    days: float = option(0.0, "simulated days; 0: the usual length of the problem", min=0.0)
    output_hours: float = option(24.0, "simulated hours between two rows of diagnostics", unit="h", above=0.0)
    animation: bool = option(False, "write height.gif, a frame for each row of diagnostics")
    fluxes: str = option("energy", "what the vorticity fluxes conserve", choices=FLUXES)
    filter_rad: float = option(
        1.0471975511965976, "latitude from which short zonal waves are slowed down; 1.6: nowhere", unit="rad", above=0.0
    )
    ground: str = option("", "HDF5 or NetCDF-4 file with the height of the ground; empty: that of the problem")
    initial: str = option("", "HDF5 or NetCDF-4 file with the initial state; empty: that of the problem")
    wind_m_s2: float = option(0.0, "acceleration by a wind along x, in the middle of the rows", unit="m/s2")
    drag_per_s: float = option(0.0, "linear drag on the velocities", unit="1/s", min=0.0)
    viscosity_m2_s: float = option(-1.0, "of the velocities; negative: that of the problem", unit="m2/s")
    hyperviscosity_m4_s: float = option(
        0.0, "of the velocities: minus the Laplacian of the Laplacian", unit="m4/s", min=0.0
    )

    def __post_init__(self) -> None:
        if len(self.shape) != 2:
            raise ValueError(f"climate.shape = {list(self.shape)}: must have 2 axes")


@dataclass(frozen=True)
class StepOptions:
    """Time stepping."""

    stepper: str = option("ssprk3", "ssprk3, rk32, fb_rk32, rk4 or ab2", choices=tuple(SCHEMES))
    dt_s: float = option(0.0, "time step; 0: from courant", unit="s", min=0.0)
    courant: float = option(0.8, "part of the largest stable step that is taken, if dt_s is 0", above=0.0, max=1.0)
    correction_steps: int = option(50, "steps between two FP64 corrections of the mass", min=1)
    correct_energy: bool = option(False, "correct the energy too, where nothing but rounding may change it")
    defect_steps: int = option(0, "every so many steps one is also done in FP64, which is kept; 0: none", min=0)


@dataclass(frozen=True)
class ClimatePrecision:
    """Which format holds what; --precision NAME sets the increments."""

    state: str = option("fp64", "between time steps", choices=("fp64", "fp32"))
    inner: str = option("fp64", "increments within a step, and their halos", choices=_formats)
    halo: str = option("", "messages between ranks; empty: bit for bit", choices=_formats_or_none)
    continuity: str = option("", "what a stage adds to the height; empty: as inner", choices=_formats_or_none)
    vorticity: str = option("", "potential vorticity, in an array of its own; empty: none", choices=_formats_or_none)
    kinetic_energy: str = option("", "kinetic energy, in an array of its own; empty: none", choices=_formats_or_none)
    diffusion: str = option("", "what is diffused, in arrays of its own; empty: none", choices=_formats_or_none)

    def __post_init__(self) -> None:
        read = (self.inner, self.continuity, self.vorticity, self.kinetic_energy, self.diffusion)
        for bits in (8, 16):
            found = sorted({name for name in read if name and get_format(name).bits == bits})
            if len(found) > 1:
                raise ValueError(
                    f"precision: one loop reads at most one format of {bits} bits, not {' and '.join(found)}; take one"
                )

    def terms(self) -> TermFormats:
        """Return the formats of the terms."""
        return TermFormats(self.continuity, self.vorticity, self.kinetic_energy, self.diffusion)

    def roles(self) -> Roles:
        """Return the table of roles."""
        return Roles(state=self.state, inner=self.inner, halo=self.halo)


@dataclass(frozen=True)
class ClimateAppOptions:
    """All tables of the climate app."""

    climate: ClimateOptions = table(ClimateOptions)
    time: StepOptions = table(StepOptions)
    precision: ClimatePrecision = table(ClimatePrecision)
    halo: HaloTable = table(HaloTable)
    run: RunOptions = table(RunOptions)

    def __post_init__(self) -> None:
        if self.run.inject:
            raise ValueError(f"run.inject = {self.run.inject!r}: {NOTHING_REPAIRS}")
        chosen = self.climate
        changed = chosen.wind_m_s2 or chosen.drag_per_s or chosen.viscosity_m2_s > 0 or chosen.hyperviscosity_m4_s
        if self.time.correct_energy and changed:
            raise ValueError("time.correct_energy = true: wind, drag and friction change the energy; set them to 0")

    app = "climate"
    driver = "climate"
    backends = GRID_BACKENDS

    @property
    def is_fp64(self) -> bool:
        """Whether nothing is rounded to less than FP64."""
        chosen = self.precision
        terms = (chosen.continuity, chosen.vorticity, chosen.kinetic_energy, chosen.diffusion)
        return chosen.inner == chosen.state == "fp64" and set(terms) <= {"", "fp64"}

    def roles_used(self) -> dict[str, str]:
        """Return the format of each role as the run uses it, for the record."""
        return asdict(self.precision)

    @staticmethod
    def preset(name: str) -> dict[str, Any]:
        """Return the dotted keys that ``--precision NAME`` sets."""
        # FP64 is what the others are compared with: no term is kept in less.
        terms = ("continuity", "vorticity", "kinetic_energy", "diffusion") if name == "fp64" else ()
        return {"precision.inner": preset(name).inner} | {f"precision.{term}": "" for term in terms}

    @staticmethod
    def state_update(entry: str, update: str) -> dict[str, Any]:
        """Return the dotted keys of the second part of a sweep's entry: the format of the state."""
        return {"precision.state": update}

    def check_state_update(self, entry: str, update: str) -> None:
        """Every format of the state may be combined with every one of the increments."""
