"""Pictures of a shallow-water run: height, vorticity, error, the spectrum of a plane, an animation of the height."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mpsolve.models.shallow_water.animation import Film
from mpsolve.models.shallow_water.geometry import Array, Geometry

FRAMES_PER_S = 8


def draw(folder: Path, geometry: Geometry, height: Array, vorticity: Array, truth: Array | None) -> list[Path]:
    """Draw the pictures of a run into its folder; return their paths."""
    made = [
        _map(folder / "height.png", geometry, height, "Height of the surface", "m", signed=False),
        _map(
            folder / "vorticity.png", geometry, vorticity * 1e5, "Relative vorticity", "$10^{-5}$ s$^{-1}$", signed=True
        ),
    ]
    if truth is not None:
        made.append(_map(folder / "error.png", geometry, height - truth, "Error of the height", "m", signed=True))
    if geometry.periodic:
        made.append(_spectrum(folder / "spectrum.png", vorticity))
    return made


def _map(path: Path, geometry: Geometry, values: Array, title: str, unit: str, *, signed: bool) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.add_subplot()
    scale = 180 / np.pi if geometry.sphere else 1e-3
    x, y = geometry.x * scale, geometry.y * scale
    bound = float(np.max(np.abs(values))) or 1.0
    limits: dict[str, Any] = {"vmin": -bound, "vmax": bound, "cmap": "RdBu_r"} if signed else {"cmap": "viridis"}
    mesh = axes.pcolormesh(x, y, values, shading="nearest", rasterized=True, **limits)
    axes.contour(x, y, values, 12, colors="0.2", linewidths=0.4)
    axes.set_title(title)
    names = ("longitude (°)", "latitude (°)") if geometry.sphere else ("x (km)", "y (km)")
    axes.set(xlabel=names[0], ylabel=names[1])
    figure.colorbar(mesh, ax=axes, label=unit)
    figure.savefig(path, dpi=120)
    return path


def animate(path: Path, geometry: Geometry, film: Film) -> Path:
    """Write the frames of a film as a GIF; on rank 0, with Pillow."""
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    y, x = (places * (180 / np.pi if geometry.sphere else 1e-3) for places in film.places(geometry))
    low, high = float(np.min(film.frames)), float(np.max(film.frames))
    mesh = axes.pcolormesh(x, y, film.frames[0], shading="nearest", vmin=low, vmax=high, cmap="viridis")
    names = ("longitude (°)", "latitude (°)") if geometry.sphere else ("x (km)", "y (km)")
    axes.set(xlabel=names[0], ylabel=names[1])
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


def _spectrum(path: Path, vorticity: Array) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    wavenumbers, enstrophy = enstrophy_spectrum(vorticity)
    axes.loglog(wavenumbers, enstrophy)
    axes.set(title="Enstrophy", xlabel="wavenumber (waves across the plane)", ylabel="s$^{-2}$")
    axes.grid(True, which="both", linewidth=0.3)
    figure.savefig(path, dpi=120)
    return path
