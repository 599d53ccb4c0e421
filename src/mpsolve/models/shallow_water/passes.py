"""The kernels of a stage, bound to their arrays: in one pass, or in parts with the terms between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from mpsolve.backends.base import Input
from mpsolve.field import Field
from mpsolve.formats.base import Format
from mpsolve.kernels.points import shallow_water as points
from mpsolve.kernels.points import shallow_water_terms as parts
from mpsolve.models.shallow_water.geometry import Geometry
from mpsolve.models.shallow_water.method import TRIADS, Method, Physics, Set
from mpsolve.models.shallow_water.stages import Stage
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.parallel.space import Space, counted_as
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid.stencil import local_vector
from mpsolve.solvers.vectors import scaled_copy

Triple = tuple[float, float, float]
#: Runs a stage: the scales of the increment that it reads and of the one that it makes.
Run = Callable[[Triple, Triple], None]
#: Operations of a stage on one cell: in one pass, of the vorticity at corners before it, and of each of its parts.
FLOPS, CORNER_FLOPS, TERMS_FLOPS, CONTINUITY_FLOPS, MOMENTUM_FLOPS, FRICTION_FLOPS = 150, 34, 60, 30, 150, 60
#: Where the largest number comes to lie in a narrow format: there is room for growth, and below it for small ones.
TYPICAL = 256.0


@dataclass(frozen=True, eq=False)
class Place:
    """What all kernels of a core share.

    Attributes
    ----------
    geometry, grid, space, physics, method
        As in `mpsolve.models.shallow_water.stepping.Core`.
    wide : Format
        Format of the state.
    narrow : Format
        Format of the increments.
    bottom : Field
        Height of the ground; zeros where it is flat.
    flat : bool
        Whether it is.
    halo : callable
        Prepares an exchange of fields.
    """

    geometry: Geometry
    grid: Cartesian
    space: Space
    physics: Physics
    method: Method
    wide: Format
    narrow: Format
    bottom: Field
    flat: bool
    halo: Callable[[Sequence[Field]], Halo]

    @property
    def split(self) -> bool:
        """Whether a stage is done in parts."""
        method = self.method
        forward = any(stage.forward for stage in method.stages())
        return bool(forward or method.terms.kept or method.advection or self.physics.hyperviscosity_m4_s)

    def vectors(self, names: str, like: Field) -> list[NDArray]:
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

    def beyond(self, point: Callable, outputs: Sequence[Field], inputs: Sequence[Input]) -> Callable[..., object]:
        """Bind a kernel on the block and one cell beyond it on each side."""
        lo, hi = (-1, -1), tuple(n + 1 for n in self.grid.shape)
        return self.space.backend.bind(point, outputs, inputs, lo=lo, hi=hi)

    def count(self, fields: Sequence[Field], flops: int) -> Callable[[], None]:
        """Return what adds a pass over some fields to the ledger."""
        cells = self.grid.shape[0] * self.grid.shape[1]
        moved = cells * sum(field.format.itemsize for field in fields)
        name = counted_as(fields)
        return lambda: self.space.ledger.add("stage", name, flops=flops * cells, bytes=moved)


def widest(fields: Sequence[Field]) -> Field:
    """Return a field of the widest arithmetic."""
    return max(fields, key=lambda field: field.format.compute.itemsize)


def factors(stage: Stage, dt_s: float, read: Triple, written: Triple) -> tuple[list[float], list[float]]:
    """Return the factors of the increment that is read and of the tendencies."""
    keep = [stage.keep * old / new if old else 0.0 for old, new in zip(read, written, strict=True)]
    return keep, [stage.advance * dt_s / new for new in written]


class Terms:
    """The arrays between the parts of a stage, with their scales.

    Attributes
    ----------
    scales : list of float
        Powers of two by which potential vorticity, kinetic energy, divergence and vorticity are divided.
    """

    def __init__(self, place: Place) -> None:
        names = place.method.terms
        chosen = [names.vorticity, names.kinetic_energy, names.diffusion, names.diffusion]
        if not place.split:
            # Fluxes by triads alone keep the vorticity, in the format of the increments.
            chosen = [place.narrow.name] if place.method.fluxes in TRIADS else []
        elif place.method.advection:
            chosen = []
        formats = [get_format(name) if name else place.wide for name in chosen]
        self._place, self._probes = place, {}
        self.fields = [place.space.zeros(format) for format in formats]
        beyond = bool(chosen) and place.physics.hyperviscosity_m4_s > 0
        self.friction = [place.space.zeros(place.wide) for _ in range(2 * beyond)]
        self.scales = [1.0] * 4
        self.narrow = [number for number, format in enumerate(formats) if format.bits < 32]

    def bind(self, state: Set, given: Set, made: Sequence[Field] | None = None) -> Callable[[Triple], None]:
        """Bind the terms of a state and an increment; ``made``: other arrays, in which they are not scaled."""
        place, fields = self._place, made or self.fields
        physics, dy, like = place.physics, place.geometry.dy_m, widest((*state, *given))
        inputs: list[Input] = [
            *state, *given, *place.vectors("dx dxe ra rz fa fb fc", like), place.bottom, *self.friction
        ]  # fmt: skip
        diffused: tuple[float, ...] = ()
        before = None
        if self.friction:
            diffused = (physics.viscosity_m2_s, physics.hyperviscosity_m4_s)
            vectors = place.vectors("dx dxe ra rz open", like)
            before = place.beyond(parts.friction, self.friction, [*state[1:], *given[1:], *vectors])
        launch = place.beyond(parts.terms_beyond if self.friction else parts.terms, fields, inputs)
        count = place.count((*state, *given, *fields), TERMS_FLOPS + (FRICTION_FLOPS if self.friction else 0))
        viscous = 1.0 if self.friction else physics.viscosity_m2_s

        def run(read: Triple) -> None:
            if before is not None:
                before(dy, 1 / dy, *read[1:])
            scales = [1.0] * 4 if made else self.scales
            unit = [factor / scale for factor, scale in zip((1.0, 1.0, viscous, viscous), scales, strict=True)]
            launch(physics.depth_m, dy, 0.25, *read, *diffused, *unit)
            count()

        return run

    def choose_scales(self, state: Set) -> None:
        """Scale what is kept in narrow formats by what the terms of a state are (collective); its ghosts are valid."""
        if not self.narrow:
            return
        if id(state[0]) not in self._probes:
            probes = [self._place.space.zeros(self._place.wide) for _ in range(4)]
            self._probes[id(state[0])] = probes, self.bind(state, state, probes)
        probes, probe = self._probes[id(state[0])]
        probe((0.0, 0.0, 0.0))
        for number in self.narrow:
            largest = self._place.space.largest(probes[number])
            if 0 < largest < math.inf:
                self.scales[number] = power_of_two(largest / TYPICAL)


def power_of_two(number: float) -> float:
    """Return the least power of two above a positive number."""
    return 2.0 ** math.frexp(number)[1]


def in_one_pass(place: Place, terms: Terms, stage: Stage, state: Set, given: Set, made: Set) -> Run:
    """Bind a stage as a single kernel, after one for the vorticity of the corners if fluxes need it."""
    method, physics, dy = place.method, place.physics, place.geometry.dy_m
    like = widest((*state, *given))
    weights = TRIADS.get(method.fluxes)
    # The kernel of stages that read no increment has none to load.
    alone = stage.source < 0 and place.flat and weights is None
    inputs: list[Input] = [*state] if alone else [*state, *given]
    before = None
    if weights is not None:
        vectors = place.vectors("dx rz fa fb fc", like)
        before = place.beyond(points.potential_vorticity, terms.fields[:1], [*inputs, *vectors, place.bottom])
        point, names, more = points.triads, "dx dxe ra rz wind open", [place.bottom, terms.fields[0]]
    else:
        names, more = "dx dxe ra rz fa fb fc wind open", [] if place.flat else [place.bottom]
        point = points.energy_first if alone else points.energy_flat if place.flat else points.energy_over
    launch = place.space.bind(point, made, [*inputs, *place.vectors(names, like), *more], phase="stage", flops=FLOPS)
    constants = (physics.depth_m, physics.gravity_m_s2, dy, 1 / dy, physics.viscosity_m2_s, physics.drag_per_s)
    last, count = float(stage.target < 0), place.count((*state, *given, *terms.fields[:1]), CORNER_FLOPS)

    def run(read: Triple, written: Triple) -> None:
        scale = terms.scales[0]
        if before is not None:
            before(physics.depth_m, dy, 0.25, *read, 1 / scale)
            count()
        keep, advance = factors(stage, method.dt_s, read, written)
        if alone:
            launch(*constants, 0.5, 0.25, last, *advance)
        else:
            launch(*constants, 0.5, 0.25, *read, last, *keep, *advance, *(scale * weight for weight in weights or ()))
        if method.smooth is not None and stage.target >= 0:
            method.smooth(made, (0, 1, 2))

    return run


def in_parts(place: Place, terms: Terms, stage: Stage, state: Set, given: Set, made: Set) -> Run:
    """Bind a stage as the terms, then the height, then the velocities, which may feel the new height."""
    method, physics, dy = place.method, place.physics, place.geometry.dy_m
    like = widest((*state, *given))
    bind = place.space.bind
    inputs: list[Input] = [*state, *given]
    vectors = [*place.vectors("dxe ra", like), place.bottom]
    height = bind(parts.continuity, made[:1], [*inputs, *vectors], phase="stage", flops=CONTINUITY_FLOPS)
    last, smooth = float(stage.target < 0), method.smooth if stage.target >= 0 else None
    move = _unmoved(place, stage, state, made) if method.advection else _velocities(
        place, terms, stage, state, given, made
    )  # fmt: skip
    before = None if method.advection else terms.bind(state, given)
    exchange = place.halo(made[:1]) if stage.forward and not method.advection else None

    def run(read: Triple, written: Triple) -> None:
        if before is not None:
            before(read)
        keep, advance = factors(stage, method.dt_s, read, written)
        height(physics.depth_m, dy, 0.5, *read, last, keep[0], advance[0])
        if smooth is not None:
            smooth(made, (0,))
        if exchange is not None:
            exchange.exchange()
        move(read, written)
        if smooth is not None and not method.advection:
            smooth(made, (1, 2))

    return run


def _unmoved(place: Place, stage: Stage, state: Set, made: Set) -> Run:
    """Keep the velocities: the new state has those of the old one, and increments have none."""
    copies = [
        place.space.bind(scaled_copy, [new], [old], phase="stage")
        for new, old in zip(made[1:], state[1:], strict=True)
        if stage.target < 0
    ]

    def run(read: Triple, written: Triple) -> None:
        for copy in copies:
            copy(1.0)

    return run


def _velocities(place: Place, terms: Terms, stage: Stage, state: Set, given: Set, made: Set) -> Run:
    method, physics, dy = place.method, place.physics, place.geometry.dy_m
    vectors = [*place.vectors("dxe ra rz wind open", widest((*state, *given))), place.bottom]
    inputs = [*state, *given, made[0], *vectors, *terms.fields]
    launch = place.space.bind(parts.momentum, made[1:], inputs, phase="stage", flops=MOMENTUM_FLOPS)
    constants = (physics.depth_m, physics.gravity_m_s2, dy, 1 / dy, physics.drag_per_s, 0.5)
    last = float(stage.target < 0)

    def run(read: Triple, written: Triple) -> None:
        keep, advance = factors(stage, method.dt_s, read, written)
        new, middle = stage.forward or (0.0, 1.0)
        felt = (1.0 - new * last, middle * read[0], new * written[0])
        scale, *rest = terms.scales
        turn = (scale * weight for weight in method.weights)
        launch(*constants, *read, *felt, last, *keep[1:], *advance[1:], *turn, *rest)

    return run
