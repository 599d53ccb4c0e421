"""What the surface of the Earth is made of: kinds of surface, their classification and their fractions on a grid."""

from dataclasses import dataclass

import numpy as np

from mpsolve.models.earth.grid import SphereGrid
from mpsolve.models.earth.regrid import to_grid

KINDS = ("land", "sea_ice", "ice_sheet", "lake", "ocean")

# Surface classes of Zhuang, North and Stevens (SoftwareX 6, 2017): four oceans that this model treats alike.
CLASS_CODES = {"land": (1,), "sea_ice": (2,), "ice_sheet": (3,), "lake": (4,), "ocean": (5, 6, 7, 8)}

# Where a land map without classes is ice, in degrees: the Antarctic, Greenland with its neighbours, perennial sea ice.
ANTARCTIC_ICE_SHEET_SOUTH_OF = -60.0
NORTHERN_ICE_SHEET_NORTH_OF = 60.0
NORTHERN_ICE_SHEET_LONGITUDES = (-73.0, -12.0)
ARCTIC_SEA_ICE_NORTH_OF = 75.0
ANTARCTIC_SEA_ICE_SOUTH_OF = -70.0


@dataclass(frozen=True, eq=False)
class Surface:
    """A map of the surface on its own grid, rows from south to north, columns eastwards.

    Parameters
    ----------
    source : str
        Where it comes from, for messages and records.
    lat, lon : ndarray
        Centres of the rows and columns in degrees, shapes (p,) and (q,), ascending.
    lat_edges : ndarray
        Edges of the rows in radians, shape (p + 1,), from -pi/2 to pi/2.
    lon_edges : ndarray
        Edges of the columns in degrees, shape (q + 1,), 360 in all.
    land_percent : ndarray or None
        Percent of each cell that is land, shape (p, q).
    surface_class : ndarray or None
        Surface class of each cell, codes 1 to 8 (see `CLASS_CODES`), shape (p, q); it goes before `land_percent`.
    albedo : ndarray or None
        Albedo between 0 and 1 that replaces the formula of the model, shape (p, q).
    """

    source: str
    lat: np.ndarray
    lon: np.ndarray
    lat_edges: np.ndarray
    lon_edges: np.ndarray
    land_percent: np.ndarray | None = None
    surface_class: np.ndarray | None = None
    albedo: np.ndarray | None = None

    def share(self, kind: str) -> np.ndarray:
        """Return the share of each cell of the map that is of one kind.

        Parameters
        ----------
        kind : str
            One of `KINDS`.

        Returns
        -------
        ndarray
            New float64 array between 0 and 1, shape (p, q).
        """
        if self.surface_class is not None:
            return np.isin(self.surface_class, CLASS_CODES[kind]).astype(np.float64)
        dry = np.asarray(self.land_percent, dtype=np.float64) / 100.0
        ice_sheet, sea_ice = _ice_masks(self.lat, self.lon)
        if kind in ("land", "ice_sheet"):
            return np.where(ice_sheet == (kind == "ice_sheet"), dry, 0.0)
        if kind in ("ocean", "sea_ice"):
            return np.where(sea_ice == (kind == "sea_ice"), 1.0 - dry, 0.0)
        return np.zeros_like(dry)

    def dry_share(self) -> np.ndarray:
        """Return the share of each cell that is land or ice sheet, shape (p, q): its 0.5 contour is the coast."""
        return self.share("land") + self.share("ice_sheet")


@dataclass(frozen=True, eq=False)
class SurfaceFractions:
    """Fractions of each cell of a model grid by kind of surface, shape (n, m) each; in every cell they sum to 1."""

    land: np.ndarray
    sea_ice: np.ndarray
    ice_sheet: np.ndarray
    lake: np.ndarray
    ocean: np.ndarray

    def blend(self, **values: np.ndarray | float) -> np.ndarray:
        """Average one value per kind by the fractions.

        Parameters
        ----------
        **values : float or ndarray
            One for each of `KINDS`: a number, or an array that broadcasts with (n, m).

        Returns
        -------
        ndarray
            New float64 array, shape (n, m).
        """
        blended = np.zeros_like(self.land)
        for kind in KINDS:
            blended += getattr(self, kind) * values[kind]
        return blended


def surface_fractions(surface: Surface, grid: SphereGrid) -> SurfaceFractions:
    """Average a surface map over the cells of a model grid of any size, by the area of the overlaps.

    Parameters
    ----------
    surface : Surface
        The map; it is classified on its own grid, before it is averaged.
    grid : SphereGrid
        The model grid.

    Returns
    -------
    SurfaceFractions
        New arrays of shape ``grid.shape``; the global share of each kind is that of the map.
    """
    parts = {
        kind: np.clip(to_grid(surface.share(kind), surface.lat_edges, surface.lon_edges, grid), 0.0, 1.0)
        for kind in KINDS
    }
    # The parts sum to 1 up to rounding; dividing by their sum leaves no cell short of surface.
    total = sum(parts.values())
    return SurfaceFractions(**{kind: part / total for kind, part in parts.items()})


def surface_albedo(surface: Surface, grid: SphereGrid) -> np.ndarray | None:
    """Average the albedo of a surface map over the cells of a model grid.

    Returns
    -------
    ndarray or None
        New array of shape ``grid.shape``, or None if the map has no albedo.
    """
    if surface.albedo is None:
        return None
    return np.clip(to_grid(surface.albedo, surface.lat_edges, surface.lon_edges, grid), 0.0, 1.0)


def _ice_masks(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where land is ice sheet and where ocean is perennial sea ice, as (p, q) masks."""
    west, east = NORTHERN_ICE_SHEET_LONGITUDES
    wrapped = (lon + 180.0) % 360.0 - 180.0
    north, between = lat > NORTHERN_ICE_SHEET_NORTH_OF, (wrapped > west) & (wrapped < east)
    ice_sheet = (lat < ANTARCTIC_ICE_SHEET_SOUTH_OF)[:, None] | (north[:, None] & between)
    sea_ice = ((lat > ARCTIC_SEA_ICE_NORTH_OF) | (lat < ANTARCTIC_SEA_ICE_SOUTH_OF))[:, None]
    return ice_sheet, np.broadcast_to(sea_ice, ice_sheet.shape)
