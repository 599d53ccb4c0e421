"""What a shallow-water core is told: the constants of its problem, and how to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mpsolve.field import Field
from mpsolve.models.shallow_water.stages import SCHEMES, Stage

#: Weights of the vorticity at the shared corner, at the other one of the own face, and at the third one.
TRIADS = {
    # Conserves potential enstrophy in flow without divergence (Sadourny, J. Atmos. Sci. 32, 1975).
    "enstrophy": (0.125, 0.125, 0.0),
    # Conserves energy, and enstrophy in flow without divergence (Arakawa and Lamb, Mon. Weather Rev. 109, 1981, in the
    # form with equal weights of each triad).
    "arakawa_lamb": (1 / 12, 1 / 12, 1 / 12),
}
FLUXES = ("energy", *TRIADS)

#: Height of the surface and velocities.
Set = tuple[Field, Field, Field]


@dataclass(frozen=True, eq=False)
class Physics:
    """Constants of a problem.

    Attributes
    ----------
    depth_m : float
        Mean height of the surface over the ground's zero.
    gravity_m_s2, viscosity_m2_s, drag_per_s : float
        Gravity, viscosity and linear drag of the momentum equation.
    wind_m_s2 : ndarray, rows
        Acceleration along x, global.
    bottom_m : ndarray or None
        Height of the ground, local block; None: flat.
    hyperviscosity_m4_s : float
        Of the momentum equation: minus the Laplacian of the Laplacian.
    """

    depth_m: float
    gravity_m_s2: float
    viscosity_m2_s: float
    drag_per_s: float
    wind_m_s2: NDArray[np.float64]
    bottom_m: NDArray[np.float64] | None = None
    hyperviscosity_m4_s: float = 0.0


@dataclass(frozen=True)
class TermFormats:
    """A format for each term, by name; empty: not kept by itself.

    Attributes
    ----------
    continuity : str
        What a stage adds to the height; empty: the format of the role ``inner``.
    vorticity, kinetic_energy, diffusion : str
        Potential vorticity, kinetic energy, and the divergence and vorticity that are diffused; empty: as wide as the
        state. Any of them given: the terms are kept in arrays, from which a second pass makes the tendency.
    """

    continuity: str = ""
    vorticity: str = ""
    kinetic_energy: str = ""
    diffusion: str = ""

    @property
    def kept(self) -> bool:
        """Whether terms are kept in arrays."""
        return bool(self.vorticity or self.kinetic_energy or self.diffusion)


@dataclass(frozen=True)
class Method:
    """How to step.

    Attributes
    ----------
    fluxes, scheme : str
        One of `FLUXES` and of `SCHEMES`.
    dt_s : float
        Time step.
    smooth : callable, optional
        Filters the parts of an increment with the given numbers in place; see
        `mpsolve.models.shallow_water.polar_filter`.
    terms : TermFormats
        Formats of terms.
    advection : bool
        Whether the velocities stay as they are, so that the height alone moves.
    """

    fluxes: str
    scheme: str
    dt_s: float
    smooth: Callable[[Set, Sequence[int]], None] | None = None
    terms: TermFormats = TermFormats()
    advection: bool = False

    @property
    def weights(self) -> tuple[float, float, float]:
        """Weights of the vorticity in `TRIADS`; those that conserve energy alone leave out two of three."""
        return TRIADS.get(self.fluxes, (0.25, 0.0, 0.0))

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages; a filter needs the last increment by itself, before it becomes part of the state."""
        if SCHEMES[self.scheme].history:
            return SCHEMES[self.scheme].stages
        *first, last = SCHEMES[self.scheme].stages
        return (*first, last if self.smooth is None else replace(last, target=SCHEMES[self.scheme].increments))

    def additions(self) -> tuple[tuple[int, float], ...]:
        """Return the increments that are added to the new state at the end, with their factors."""
        scheme = SCHEMES[self.scheme]
        if scheme.history:
            return ()
        return scheme.extra + (((scheme.increments, 1.0),) if self.smooth is not None else ())
