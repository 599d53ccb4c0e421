"""Read a map of the surface from an HDF5 file, checked before memory is taken and before it is used."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.errors import HDF5_DAMAGE, FileError
from mpsolve.hdf5_reading import open_to_read
from mpsolve.models.earth.surface import Surface

# A map of 1/12 degree has 9 million cells: more would cost a rank gigabytes and show nothing on a 1440 x 720 grid.
LARGEST_LAT, LARGEST_LON = 2161, 4321
SMALLEST = 4
# Coordinates are often stored in single precision: 360 degrees then carry an error of 2e-5.
DEGREES_TOLERANCE = 1e-3


def default_surface_path() -> Path:
    """Return the path of the land map shipped with mpsolve: Natural Earth 1:50m, 0.25 degree, public domain."""
    return Path(str(files("mpsolve.models").joinpath("data", "earth_land_fraction_0p25deg.h5")))


def read_surface(path: str | Path) -> Surface:
    """Read and check a map of the surface. Local: call it on one rank.

    The file has ``lat`` and ``lon`` (degrees; cell centres or nodes with both poles, latitudes in either order,
    longitudes within -180..180 or 0..360) and, on them, ``surface_class`` (codes 1 to 8) or ``land_fraction``
    (percent), and optionally ``albedo`` (0 to 1). If both are there, ``surface_class`` is used.

    Parameters
    ----------
    path : str or Path
        An HDF5 file (NetCDF-4 files are HDF5 files).

    Returns
    -------
    Surface
        Rows from south to north, columns eastwards.

    Raises
    ------
    FileError
        If the file is missing, truncated, not HDF5, or a dataset is missing, too large, or holds values that are
        not allowed; one line that names the file, the dataset, what was found and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: {'not a file' if path.exists() else 'no such file'}; give an HDF5 file with a map")
    try:
        with open_to_read(path) as file:
            return _read(path, file)
    except HDF5_DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path}: cannot be read as HDF5 ({reason}); give a complete HDF5 file") from error


def _read(path: Path, file: Any) -> Surface:
    """Read an open file: coordinates first, so that the maps can be held against them."""
    lat = _axis(path, file, "lat", LARGEST_LAT, (-90.0, 90.0))
    lon = _axis(path, file, "lon", LARGEST_LON, (-180.0, 360.0))
    names = [name for name in ("surface_class", "land_fraction") if name in file]
    if not names:
        raise FileError(f"{path}: has neither 'land_fraction' nor 'surface_class' but {_listed(file)}; add one of them")
    maps = {names[0]: _map(path, file, names[0], lat, lon)}
    if "albedo" in file:
        maps["albedo"] = _map(path, file, "albedo", lat, lon)
    return _oriented(path, lat, lon, maps)


def _listed(file: Any) -> str:
    """List the first datasets of a file for a message."""
    names = list(file)[:8]
    return ", ".join(repr(name) for name in names) if names else "no dataset"


def _dataset(path: Path, file: Any, name: str) -> Any:
    """Return a dataset of numbers, not yet read."""
    dataset = file.get(name)
    if dataset is None:
        raise FileError(f"{path}: dataset {name!r} is missing; the file has {_listed(file)}")
    if not hasattr(dataset, "shape") or dataset.dtype.kind not in "iuf" or dataset.shape is None:
        found = f"of type {dataset.dtype}" if hasattr(dataset, "dtype") else "a group"
        raise FileError(f"{path}: {name!r} is {found}; allowed: a dataset of integers or floating-point numbers")
    return dataset


def _axis(path: Path, file: Any, name: str, largest: int, limits: tuple[float, float]) -> np.ndarray:
    """Read one coordinate in degrees, strictly monotonic and within its limits."""
    dataset = _dataset(path, file, name)
    if len(dataset.shape) != 1 or not SMALLEST <= dataset.shape[0] <= largest:
        raise FileError(f"{path}: {name!r} has shape {dataset.shape}; allowed: one axis of {SMALLEST} to {largest}")
    values = np.asarray(dataset[...], dtype=np.float64)
    low, high = limits
    inside = (values >= low - DEGREES_TOLERANCE) & (values <= high + DEGREES_TOLERANCE)
    if not inside.all():
        raise FileError(f"{path}: {name!r} has {values[~inside][0]:g}; allowed: degrees from {low:g} to {high:g}")
    steps = np.diff(values)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise FileError(f"{path}: {name!r} is not monotonic; allowed: strictly ascending or strictly descending")
    return values


_ALLOWED = {
    "surface_class": (1, 8, "codes 1 to 8"),
    "land_fraction": (0, 100, "percent from 0 to 100"),
    "albedo": (0, 1, "numbers from 0 to 1"),
}


def _map(path: Path, file: Any, name: str, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Read one map, once its shape is known to be that of the coordinates, whose lengths are limited."""
    dataset = _dataset(path, file, name)
    if dataset.shape != (len(lat), len(lon)):
        largest = f"at most ({LARGEST_LAT}, {LARGEST_LON})"
        raise FileError(
            f"{path}: {name!r} has shape {dataset.shape}; allowed: (lat, lon) = {(len(lat), len(lon))}, {largest}"
        )
    values = dataset[...]
    low, high, allowed = _ALLOWED[name]
    good = (values >= low) & (values <= high)
    if name == "surface_class":
        good &= values == np.floor(values)
    if not good.all():
        row, column = np.argwhere(~good)[0]
        where = f"at lat {lat[row]:g}, lon {lon[column]:g}"
        raise FileError(f"{path}: {name!r} has {values[row, column]} {where}; allowed: {allowed}")
    if name == "land_fraction" and 0 < values.max() <= 1:
        raise FileError(f"{path}: {name!r} has no value above {values.max():g}; allowed: {allowed}, not 0 to 1")
    return values.astype(np.uint8) if name == "surface_class" else values


def _oriented(path: Path, lat: np.ndarray, lon: np.ndarray, maps: dict[str, np.ndarray]) -> Surface:
    """Turn the map so that rows run from south to north and columns eastwards, and find the edges of its cells."""
    if lat[0] > lat[-1]:
        lat, maps = lat[::-1], {name: values[::-1] for name, values in maps.items()}
    if lon[0] > lon[-1]:
        lon, maps = lon[::-1], {name: values[:, ::-1] for name, values in maps.items()}
    if abs(lon[-1] - lon[0] - 360.0) < DEGREES_TOLERANCE:
        # The first meridian is there twice, as in many files of nodes.
        lon, maps = lon[:-1], {name: values[:, :-1] for name, values in maps.items()}
    return Surface(
        str(path),
        lat,
        lon,
        _lat_edges(path, lat),
        _lon_edges(path, lon),
        maps.get("land_fraction"),
        maps.get("surface_class"),
        maps.get("albedo"),
    )


def _lat_edges(path: Path, lat: np.ndarray) -> np.ndarray:
    """Return the edges of the rows in radians: half way between them, and the poles."""
    if lat[0] + 90.0 > lat[1] - lat[0] or 90.0 - lat[-1] > lat[-1] - lat[-2]:
        raise FileError(f"{path}: 'lat' runs from {lat[0]:g} to {lat[-1]:g}; allowed: a map of the globe, -90 to 90")
    return np.deg2rad(np.concatenate([[-90.0], (lat[1:] + lat[:-1]) / 2, [90.0]]))


def _lon_edges(path: Path, lon: np.ndarray) -> np.ndarray:
    """Return the edges of the columns in degrees: half way between them around the circle."""
    gap, widest = lon[0] + 360.0 - lon[-1], np.diff(lon).max()
    if not 0.0 < gap <= 1.5 * widest:
        span = f"from {lon[0]:g} to {lon[-1]:g}"
        raise FileError(f"{path}: 'lon' runs {span}; allowed: a map of the globe, 360 degrees around, each once")
    first = lon[0] - gap / 2
    return np.concatenate([[first], (lon[1:] + lon[:-1]) / 2, [first + 360.0]])
