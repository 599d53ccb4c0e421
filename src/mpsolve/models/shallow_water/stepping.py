"""The core: a state, increments in low precision, and one kernel a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend, Input
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.kernels.points import shallow_water as points
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.geometry import Geometry
from mpsolve.models.shallow_water.method import TRIADS, Method, Physics, Set
from mpsolve.models.shallow_water.stages import SCHEMES, Stage
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.reductions import total
from mpsolve.parallel.space import Space
from mpsolve.precision import Roles, get_format
from mpsolve.solvers.multigrid.stencil import local_vector
from mpsolve.solvers.vectors import add_scaled, add_two, scaled_copy

#: Ghost layers: a stage reaches one cell, and with triads the vorticity beside it another one.
HALO = 2
#: Where the largest increment comes to lie in a narrow format: there is room for growth, and below it for small ones.
TYPICAL = 256.0
#: Operations of a stage on one cell.
FLOPS = 150
#: Exponent of the scale of velocities where nothing moves.
SMALLEST_EXPONENT = -40

#: Names of the parts of a state.
NAMES = ("surface", "eastward", "northward")


class Core:
    """Shallow water on a divided grid, stepped in the formats of its roles.

    The state is kept in the format of the role ``state``; what is added to it during a step is kept in the format of
    the role ``inner``, scaled by powers of two. Heights are those of the surface over their mean, never the full depth.

    Parameters
    ----------
    geometry : Geometry
        The whole grid.
    grid : Cartesian
        Its division.
    backend : Backend
        Runs the kernels.
    ledger : Ledger
        Counts the work.
    roles : Roles
        Formats.
    physics : Physics
        Constants.
    method : Method
        How to step.
    """

    def __init__(
        self,
        geometry: Geometry,
        grid: Cartesian,
        backend: Backend,
        ledger: Ledger,
        roles: Roles,
        physics: Physics,
        method: Method,
    ) -> None:
        self.geometry, self.grid, self.physics, self.method = geometry, grid, physics, method
        self.space = Space(grid.comm, backend, grid.shape, HALO, ledger)
        self._state, self._inner = get_format(roles.state), get_format(roles.inner)
        self._halo_format = get_format(roles.halo) if roles.halo else None
        self.states = self._set(self._state), self._set(self._state)
        count = SCHEMES[method.scheme].increments + (method.smooth is not None)
        self.increments = [self._set(self._inner) for _ in range(count)]
        self.bottom = None if physics.bottom_m is None else self._bottom(physics.bottom_m)
        # Fluxes by triads load the ground and the vorticity of the corners from memory.
        self._corners = self._over_ground() if method.fluxes in TRIADS else None
        self.now, self.steps, self.scales = 0, 0, (1.0, 1.0, 1.0)
        self._scheme = SCHEMES[method.scheme]
        #: Scales of the increments as they were last made; the tendency of the step before counts once there is one.
        self._made_with, self._has_history = [self.scales] * count, False
        self._bind()

    def _bind(self) -> None:
        """Bind what a step does, from either of the two states."""
        there_and_back = (self.states, self.states[::-1])
        self._stages = [
            [self._bound(self._turned(stage, now), now) for stage in self.method.stages()] for now in (0, 1)
        ]
        self._united = [self._unions(now) for now in (0, 1)] if self._scheme.history else []
        self._additions = [
            [(factor, self._added(number, 1 - now)) for number, factor in self.method.additions()] for now in (0, 1)
        ]
        self._copies = [
            [self.space.bind(scaled_copy, [new], [old], phase="stage") for old, new in zip(*pair, strict=True)]
            for pair in there_and_back
        ]
        self._tendency: list[tuple[Callable, list[Callable]]] | None = None
        self._exchanges = [self._halo(state) for state in self.states]
        self._swaps = [self._halo(increment) for increment in self.increments]

    def _turned(self, stage: Stage, now: int) -> Stage:
        """Return a stage whose increment is that of this step's turn, if increments take turns."""
        return replace(stage, target=now) if self._scheme.history else stage

    def _unions(self, now: int) -> list[Callable[..., object]]:
        """Bind the new state as the old one and both increments."""
        old, new, first, second = self.states[now], self.states[1 - now], self.increments[now], self.increments[1 - now]
        return [
            self.space.bind(add_two, [n], [o, p, q], phase="stage", flops=4)
            for n, o, p, q in zip(new, old, first, second, strict=True)
        ]

    def _unite(self) -> None:
        """Add the increments of this step and of the one before to the state."""
        here, before = self._scheme.history if self._has_history and self._scheme.history else (1.0, 0.0)
        scales = zip(self._made_with[self.now], self._made_with[1 - self.now], strict=True)
        for unite, (now, then) in zip(self._united[self.now], scales, strict=True):
            unite(here * now, before * then)
        self._has_history = True

    def _set(self, format: Format) -> Set:
        return self.space.zeros(format), self.space.zeros(format), self.space.zeros(format)

    def _bottom(self, block: NDArray[np.float64]) -> Field:
        """Store the ground in the wider of the two formats, with its ghosts."""
        field = self.space.zeros(self._state).set(block)
        self._halo((field,)).exchange()
        return field

    def _over_ground(self) -> tuple[Field, Field]:
        """Return the ground, zeros if it is flat, and the potential vorticity of the corners."""
        return self.bottom or self.space.zeros(self._state), self.space.zeros(self._inner)

    def _halo(self, fields: Sequence[Field]) -> Halo:
        width = 2 if self.method.fluxes in TRIADS else 1
        return Halo(
            self.grid, fields, width=width, corners=True, format=self._halo_format, ledger=self.space.ledger
        )  # fmt: skip

    def _vectors(self, names: str, like: Field) -> list[NDArray]:
        """Return the metric vectors of a kernel by name, laid out by storage index."""
        geometry, (fa, fb, fc) = self.geometry, self.geometry.coriolis
        rows = {
            "dx": geometry.dx_m, "dxe": geometry.edge_m, "ra": 1 / geometry.area_m2, "rz": geometry.inverse_corner_area,
            "fa": fa, "fb": fb, "wind": self.physics.wind_m_s2, "open": geometry.open,
        }  # fmt: skip
        return [
            local_vector(fc, like, self.grid, 1) if name == "fc" else local_vector(rows[name], like, self.grid, 0)
            for name in names.split()
        ]

    def _bound(self, stage: Stage, now: int) -> Callable[[], object]:
        """Bind one stage from a state: the launch of its kernel, with its scalars."""
        state = self.states[now]
        given = state if stage.source < 0 else self.increments[stage.source]
        made = self.states[1 - now] if stage.target < 0 else self.increments[stage.target]
        like = max((*state, *given), key=lambda field: field.format.compute.itemsize)
        weights = TRIADS.get(self.method.fluxes, ())
        # The kernel of stages that read no increment has none to load.
        alone = stage.source < 0 and self.bottom is None and self._corners is None
        inputs: list[Input] = [*state, *given]
        before = None
        if self._corners is not None:
            before = self._bound_vorticity(inputs, like, *self._corners)
            point, names = points.triads, "dx dxe ra rz wind open"
            inputs += [*self._vectors(names, like), *self._corners]
        else:
            names = "dx dxe ra rz fa fb fc wind open"
            point = points.energy_flat if self.bottom is None else points.energy_over
            if alone:
                point = points.energy_first
                del inputs[3:]
            inputs += [*self._vectors(names, like), *([] if self.bottom is None else [self.bottom])]
        launch = self.space.bind(point, made, inputs, phase="stage", flops=FLOPS)
        physics, dy = self.physics, self.geometry.dy_m
        constants = (physics.depth_m, physics.gravity_m_s2, dy, 1 / dy, physics.viscosity_m2_s, physics.drag_per_s)

        def run() -> None:
            read = (0.0, 0.0, 0.0) if stage.source < 0 else self.scales
            if before is not None:
                before(physics.depth_m, dy, 0.25, *read)
            final = stage.target < 0
            written = (1.0, 1.0, 1.0) if final else self.scales
            keep = tuple(stage.keep * old / new if old else 0.0 for old, new in zip(read, written, strict=True))
            advance = tuple(stage.advance * self.method.dt_s / new for new in written)
            read, keep = ((), ()) if alone else (read, keep)
            launch(*constants, 0.5, 0.25, *read, float(final), *keep, *advance, *weights)
            if not final:
                self._made_with[stage.target] = written

        return run

    def _bound_vorticity(
        self, inputs: Sequence[Input], like: Field, bottom: Field, vorticity: Field
    ) -> Callable[..., object]:
        """Bind the potential vorticity of the corners, one beyond the block on each side."""
        vectors = self._vectors("dx rz fa fb fc", like)
        lo, hi = (-1, -1), tuple(n + 1 for n in self.grid.shape)
        backend = self.space.backend
        return backend.bind(
            points.potential_vorticity, [vorticity], [*inputs, *vectors, bottom], lo=lo, hi=hi
        )  # fmt: skip

    def _added(self, number: int, now: int) -> list[Callable[..., object]]:
        pairs = zip(self.states[now], self.increments[number], strict=True)
        return [self.space.bind(add_scaled, [x], [x, d], phase="stage", flops=2) for x, d in pairs]

    @property
    def state(self) -> Set:
        """The present height of the surface over its mean, and the velocities."""
        return self.states[self.now]

    def set_state(self, height: NDArray, eastward: NDArray, northward: NDArray) -> None:
        """Begin at a state: heights of the surface and velocities, local blocks (collective)."""
        self.steps, self._has_history = 0, False
        for field, values in zip(self.state, (height - self.physics.depth_m, eastward, northward), strict=True):
            field.set(values)
        self.choose_scales()

    def snapshot(self) -> tuple[int, list[NDArray[np.float64]]]:
        """Return the number of steps done and the state, local blocks."""
        return self.steps, [field.to_numpy() for field in self.state]

    def go_back(self, snapshot: tuple[int, list[NDArray[np.float64]]]) -> None:
        """Return to an earlier state."""
        self.steps, blocks = snapshot
        self._has_history = False
        for field, values in zip(self.state, blocks, strict=True):
            field.set(values)

    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return what the next step depends on: local blocks that hold stored numbers exactly, and numbers."""
        arrays = {name: field.to_numpy() for name, field in zip(NAMES, self.state, strict=True)}
        numbers: dict[str, Any] = {"steps": self.steps, "scales": list(self.scales), "history": self._has_history}
        if self._has_history:
            before = self.increments[1 - self.now]
            arrays |= {f"{name}_before": field.to_numpy() for name, field in zip(NAMES, before, strict=True)}
            numbers["made_with"] = list(self._made_with[1 - self.now])
        return arrays, numbers

    def restore(self, arrays: Mapping[str, NDArray[np.float64]], numbers: Mapping[str, Any]) -> None:
        """Go on from what `saved` returned, in the same precision or in another one (collective)."""
        self.steps, self.now = int(numbers["steps"]), 0
        for name, field in zip(NAMES, self.state, strict=True):
            field.set(arrays[name])
        self.scales = self._triple(numbers["scales"])
        self._has_history = bool(numbers["history"]) and bool(self._scheme.history)
        if self._has_history:
            self._made_with[1] = self._triple(numbers["made_with"])
            for name, field in zip(NAMES, self.increments[1], strict=True):
                field.set(arrays[f"{name}_before"])

    def _triple(self, numbers: Sequence[float]) -> tuple[float, float, float]:
        first, second, third = map(float, numbers)
        return first, second, third

    def height(self) -> NDArray[np.float64]:
        """Return the height of the surface, local block, m."""
        return self.state[0].to_numpy() + self.physics.depth_m

    def choose_scales(self) -> None:
        """Scale increments by what a step adds now (collective); formats of 32 bits and more need none.

        Waves share their energy between height and velocity, so that one of them may be zero now and not a step later:
        all scales follow from the largest increment, as a velocity.
        """
        if self._inner.bits >= 32:
            return
        wave = math.sqrt(self.physics.gravity_m_s2 / self.physics.depth_m)
        largest = max(
            self.space.largest(field) * factor
            for field, factor in zip(self._increment_of_a_step(), (wave, 1.0, 1.0), strict=True)
        )
        exponent = math.frexp(largest / TYPICAL)[1] if 0 < largest < math.inf else SMALLEST_EXPONENT
        self.scales = 2.0 ** (exponent - math.frexp(wave)[1]), 2.0**exponent, 2.0**exponent

    def _increment_of_a_step(self) -> Set:
        """Return dt times the tendency of the state; it lies in the other state, which a step overwrites."""
        if self._tendency is None:
            whole = Stage(-1, -1, 0.0, 1.0)
            removals = [
                [
                    self.space.bind(add_scaled, [new], [new, old], phase="scaling", flops=2)
                    for new, old in zip(self.states[1 - now], self.states[now], strict=True)
                ]
                for now in (0, 1)
            ]
            self._tendency = [(self._bound(whole, now), removals[now]) for now in (0, 1)]
        self._exchanges[self.now].exchange()
        run, remove = self._tendency[self.now]
        run()
        for each in remove:
            each(-1.0)
        return self.states[1 - self.now]

    def step(self) -> None:
        """Do one time step (collective)."""
        smooth = self.method.smooth
        self._exchanges[self.now].exchange()
        for stage, run in zip(self.method.stages(), self._stages[self.now], strict=True):
            if stage.source >= 0:
                self._swaps[stage.source].exchange()
            run()
            if smooth is not None:
                smooth(self.increments[self._turned(stage, self.now).target])
        if self._scheme.history:
            self._unite()
        for copy in self._copies[self.now] if smooth is not None and not self._scheme.history else ():
            copy(1.0)
        for factor, adds in self._additions[self.now]:
            for add, scale in zip(adds, self.scales, strict=True):
                add(factor * scale)
        self.now, self.steps = 1 - self.now, self.steps + 1

    def volume(self) -> float:
        """Return the volume of water over the mean height, m3 (collective)."""
        rows = self.geometry.area_m2[self.grid.slices[0], None]
        return total(self.grid.comm, self.state[0].to_numpy() * rows)

    def restore_volume(self, volume_m3: float) -> float:
        """Raise the surface everywhere so that the volume is what it was; return by how much, m (collective).

        Rounding of increments to a narrow format adds and removes water at random.
        """
        whole = float(np.sum(self.geometry.area_m2)) * self.geometry.shape[1]
        rise = (volume_m3 - self.volume()) / whole
        surface = self.state[0]
        surface.set(surface.to_numpy() + rise)
        return rise
