"""The core: a state, increments in low precision, and one kernel a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.backends.base import Backend
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.geometry import Geometry
from mpsolve.models.shallow_water.method import TRIADS, Method, Physics, Set
from mpsolve.models.shallow_water.passes import TYPICAL, Place, Terms, in_one_pass, in_parts
from mpsolve.models.shallow_water.stages import SCHEMES, Stage
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.reductions import total
from mpsolve.parallel.space import Space
from mpsolve.precision import Roles, get_format
from mpsolve.solvers.vectors import add_scaled, add_two, scaled_copy

#: Ghost layers: a stage reaches one cell, and with triads the vorticity beside it another one.
HALO = 2
#: Exponent of the scale of velocities where nothing moves.
SMALLEST_EXPONENT = -40

#: How often a surface in less than FP64 is raised: what rounding leaves of a volume falls to that of a few cells.
RAISES = 4
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
        self._height = get_format(method.terms.continuity) if method.terms.continuity else self._inner
        self._halo_format = get_format(roles.halo) if roles.halo else None
        count = SCHEMES[method.scheme].increments + (method.smooth is not None)
        flat = physics.bottom_m is None
        self.place = Place(
            geometry, grid, self.space, physics, method, self._state, self._inner,
            self.space.zeros(self._state), flat, self._halo,
        )  # fmt: skip
        if physics.bottom_m is not None:
            self.place.bottom.set(physics.bottom_m)
            self._halo((self.place.bottom,)).exchange()
        #: The ground; None if it is flat.
        self.bottom = None if flat else self.place.bottom
        self.states = self._set(self._state, self._state), self._set(self._state, self._state)
        self.increments = [self._set(self._height, self._inner) for _ in range(count)]
        self.terms = Terms(self.place)
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
        # Heights have been exchanged when velocities were to feel them.
        forward = any(stage.forward for stage in self.method.stages()) and not self.method.advection
        self._swaps = [self._halo(increment[1:] if forward else increment) for increment in self.increments]

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

    def _set(self, height: Format, velocity: Format) -> Set:
        return self.space.zeros(height), self.space.zeros(velocity), self.space.zeros(velocity)

    def _halo(self, fields: Sequence[Field]) -> Halo:
        width = 2 if self.method.fluxes in TRIADS or self.place.split else 1
        return Halo(
            self.grid, fields, width=width, corners=True, format=self._halo_format, ledger=self.space.ledger
        )  # fmt: skip

    def _bound(self, stage: Stage, now: int) -> Callable[[], object]:
        """Bind one stage from a state: the launches of its kernels, with the scales of what they read and make."""
        state = self.states[now]
        given = state if stage.source < 0 else self.increments[stage.source]
        made = self.states[1 - now] if stage.target < 0 else self.increments[stage.target]
        launch = (in_parts if self.place.split else in_one_pass)(self.place, self.terms, stage, state, given, made)

        def run() -> None:
            read = (0.0, 0.0, 0.0) if stage.source < 0 else self.scales
            written = (1.0, 1.0, 1.0) if stage.target < 0 else self.scales
            launch(read, written)
            if stage.target >= 0:
                self._made_with[stage.target] = written

        return run

    def _added(self, number: int, now: int) -> list[Callable[..., object]]:
        pairs = zip(self.states[now], self.increments[number], strict=True)
        return [self.space.bind(add_scaled, [x], [x, d], phase="stage", flops=2) for x, d in pairs]

    @property
    def state(self) -> Set:
        """The present height of the surface over its mean, and the velocities."""
        return self.states[self.now]

    def exchange(self) -> None:
        """Fill the ghosts of the state (collective)."""
        self._exchanges[self.now].exchange()

    def set_state(self, height: NDArray, eastward: NDArray, northward: NDArray) -> None:
        """Begin at a state: heights of the surface and velocities, local blocks (collective)."""
        self.steps, self._has_history = 0, False
        for field, values in zip(self.state, (height - self.physics.depth_m, eastward, northward), strict=True):
            field.set(values)
        self.choose_scales()

    def saved(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        """Return what the next step depends on: local blocks that hold stored numbers exactly, and numbers."""
        arrays = {name: field.to_numpy() for name, field in zip(NAMES, self.state, strict=True)}
        numbers: dict[str, Any] = {"steps": self.steps, "scales": list(self.scales), "history": self._has_history}
        numbers["term_scales"] = list(self.terms.scales)
        numbers["scaled"] = self._scaled()
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
        self.terms.scales[:] = map(float, numbers.get("term_scales", self.terms.scales))
        self._has_history = bool(numbers["history"]) and bool(self._scheme.history)
        other = numbers.get("scaled", self._scaled()) != self._scaled()
        if other:
            self.choose_scales()
        if self._has_history:
            made = self._triple(numbers["made_with"])
            self._made_with[1] = self.scales if other else made
            for name, field, old, new in zip(NAMES, self.increments[1], made, self._made_with[1], strict=True):
                field.set(arrays[f"{name}_before"] * (old / new))

    def _scaled(self) -> list[str]:
        """Return the formats for which scales are chosen."""
        return [format.name for format in (self._height, self._inner, *(field.format for field in self.terms.fields))]

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
        if self.terms.narrow:
            self._exchanges[self.now].exchange()
            self.terms.choose_scales(self.state)
        if min(self._inner.bits, self._height.bits) >= 32:
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

        Rounding of increments to a narrow format adds and removes water at random. Where the state itself is rounded to
        less than FP64, what that takes is added before it, some times over, and the rest in two cells where heights are
        rounded least.
        """
        whole = float(np.sum(self.geometry.area_m2)) * self.geometry.shape[1]
        surface, rise = self.state[0], 0.0
        values, wide = surface.to_numpy(), self._state.bits >= 64
        for _ in range(1 if wide else RAISES):
            rise += (volume_m3 - self.volume()) / whole
            surface.set(values + rise)
        if not wide:
            # First where it hardly shows, then, when little is left, where a unit of the last place is the least water.
            area = self.geometry.area_m2[self.grid.slices[0], None]
            self._settle(volume_m3, np.ones_like(area))
            self._settle(volume_m3, area)
        return rise

    def _settle(self, volume_m3: float, weights: NDArray[np.float64]) -> None:
        """Put the rest of a volume into the cell whose height over the mean, weighted, is least (collective)."""
        rest, values = volume_m3 - self.volume(), self.state[0].to_numpy()
        sizes = np.abs(values) * weights
        row, column = map(int, np.unravel_index(int(np.argmin(sizes)), sizes.shape))
        here = (self.grid.lo[0] + row, self.grid.lo[1] + column)
        least = min(self.grid.comm.allgather((float(sizes[row, column]), *here)))
        if least[1:] == here:
            values[row, column] += rest / self.geometry.area_m2[here[0]]
            self.state[0].set(values)
