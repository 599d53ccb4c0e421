"""Pictures of a shallow-water run: height, vorticity, error, rounding, the spectrum of a plane, an animation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.models.shallow_water.animation import Film
from mpsolve.models.shallow_water.geometry import Array, Geometry

FRAMES_PER_S = 8
#: Lines of equal value that a map aims at.
LINES = 14
DEGREES = 180 / np.pi


@dataclass(frozen=True)
class Shown:
    """What is drawn at the end of a run; global arrays.

    Attributes
    ----------
    height, vorticity : ndarray
        Of the surface in m, and relative in 1/s.
    about : str
        Problem, day and precision: the second half of the titles.
    truth : ndarray or None
        The exact height.
    exact : ndarray or None
        The height of the FP64 run of the same sweep.
    ground : ndarray or None
        Height of the ground in m.
    """

    height: Array
    vorticity: Array
    about: str
    truth: Array | None = None
    exact: Array | None = None
    ground: Array | None = None


def draw(folder: Path, geometry: Geometry, shown: Shown) -> list[Path]:
    """Draw the pictures of a run into its folder; return their paths."""
    centres, corners = (geometry.y, geometry.x), (geometry.y_edge[:-1], geometry.x_edge)
    spin, metre = "$10^{-5}$ s$^{-1}$", "m"
    maps = [
        ("height", "Height of the surface", shown.height, metre, centres),
        ("vorticity", "Relative vorticity", shown.vorticity * 1e5, spin, corners),
    ]
    if shown.truth is not None:
        maps.append(("error", "Error of the height", shown.height - shown.truth, metre, centres))
    if shown.exact is not None:
        maps.append(("rounding", "Height less that in FP64", shown.height - shown.exact, metre, centres))
    made = []
    for name, title, values, unit, places in maps:
        made.append(folder / f"{name}.png")
        ground = shown.ground if name == "height" else None
        _map(made[-1], geometry, values, (f"{title}, {shown.about}", unit), places, ground)
    if geometry.periodic:
        made.append(_spectrum(folder / "spectrum.png", shown.vorticity, shown.about))
    return made


def _map(
    path: Path,
    geometry: Geometry,
    values: Array,
    texts: tuple[str, str],
    places: tuple[Array, Array],
    ground: Array | None,
) -> None:
    """Draw a map under a title, with a unit; colours are about zero for both signs, white lines show the ground."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4.8) if geometry.sphere else (6.4, 5.4), layout="constrained")
    axes = figure.add_subplot()
    scale = DEGREES if geometry.sphere else 1e-3
    y, x = (place * scale for place in places)
    low, high = float(np.min(values)), float(np.max(values))
    bound, signed = max(-low, high), low < 0 < high
    limits: dict[str, Any] = {"vmin": -bound, "vmax": bound, "cmap": "RdBu_r"} if signed else {"cmap": "viridis"}
    mesh = axes.pcolormesh(x, y, values, shading="nearest", rasterized=True, **limits)
    # Lines go around the globe: they end where they begin.
    around = np.append(x, x[0] + (x[1] - x[0]) * len(x))
    # A line at zero would wander about where there is nothing.
    levels = [at for at in MaxNLocator(LINES).tick_values(low, high) if at or not signed] if high > low else []
    if levels:
        axes.contour(around, y, np.hstack([values, values[:, :1]]), levels, colors="0.2", linewidths=0.5)
    if ground is not None:
        closed = np.hstack([ground, ground[:, :1]])
        axes.contour(around, y, closed, 4, colors="white", linewidths=0.9, linestyles="dashed")
    axes.set_title(texts[0], fontsize="medium")
    _scale_axes(axes, geometry)
    figure.colorbar(mesh, ax=axes, label=texts[1])
    figure.savefig(path, dpi=110)


def _scale_axes(axes: Any, geometry: Geometry) -> None:
    """Name the axes and end them with the grid."""
    if geometry.sphere:
        axes.set(xlabel="longitude (°)", ylabel="latitude (°)", xlim=(0, 360), xticks=range(0, 361, 60))
        axes.set_yticks(range(-90, 91, 30))
        axes.set_ylim(geometry.y_edge[0] * DEGREES, geometry.y_edge[-1] * DEGREES)
    else:
        axes.set(xlabel="x (km)", ylabel="y (km)", aspect="equal")


def animate(path: Path, geometry: Geometry, film: Film) -> Path:
    """Write the frames of a film as a GIF; on rank 0, with Pillow."""
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    y, x = (places * (DEGREES if geometry.sphere else 1e-3) for places in film.places(geometry))
    low, high = float(np.min(film.frames)), float(np.max(film.frames))
    mesh = axes.pcolormesh(x, y, film.frames[0], shading="nearest", vmin=low, vmax=high, cmap="viridis")
    _scale_axes(axes, geometry)
    figure.colorbar(mesh, ax=axes, label="m")

    def show(number: int) -> tuple:
        mesh.set_array(film.frames[number])
        axes.set_title(f"Height of the surface, day {film.days[number]:.2f}")
        return (mesh,)

    FuncAnimation(figure, show, len(film.frames)).save(path, PillowWriter(FRAMES_PER_S), dpi=90)
    return path


def enstrophy_spectrum(vorticity: Array) -> tuple[Array, Array]:
    """Return wavenumbers and the enstrophy in a ring of unit width around each, of a doubly periodic square."""
    rows, columns = vorticity.shape
    power = np.abs(np.fft.rfft2(vorticity) / vorticity.size) ** 2
    power[:, 1 : (columns + 1) // 2] *= 2
    size = np.hypot(np.fft.fftfreq(rows, 1 / rows)[:, None], np.arange(power.shape[1])[None, :])
    rings = np.rint(size).astype(int)
    most = min(rows, columns) // 2
    energy = np.bincount(rings.ravel(), 0.5 * power.ravel(), most + 1)[: most + 1]
    return np.arange(1, most + 1, dtype=float), energy[1:]


def _spectrum(path: Path, vorticity: Array, about: str) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    wavenumbers, enstrophy = enstrophy_spectrum(vorticity)
    axes.loglog(wavenumbers, enstrophy)
    axes.set_title(f"Enstrophy by scale, {about}", fontsize="medium")
    axes.set(xlabel="wavenumber (waves across the plane)", ylabel="enstrophy (s$^{-2}$)")
    axes.grid(True, which="both", linewidth=0.3)
    figure.savefig(path, dpi=120)
    return path
