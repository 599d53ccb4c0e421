"""Point functions of multigrid: residuals and smoothing steps of diffusion on grids of unequal cells.

Uniform operators are given per volume by a coefficient towards each side, ``lx`` below and ``hx`` above cell i, and by
``gx gy gz``, whose product is the inverse of the diagonal. Varying ones are given as in
`mpsolve.kernels.points.diffusion`, with the inverse diagonal ``d`` stored; ``scale`` is what the stored coefficients
are multiplied by. Their residual is the affine function of that module.
"""

from mpsolve.kernels.points import diffusion
from mpsolve.solvers.multigrid import relaxation_full


def residual_uniform_2d(load, a, c, i, j):
    """Return b - A u; a = (u, b, lx, hx, ly, hy, gx, gy), c = (reaction,)."""
    u, b, lx, hx, ly, hy = a[0], a[1], a[2], a[3], a[4], a[5]
    centre = load(u, i, j)
    flux = load(lx, i) * (load(u, i - 1, j) - centre) + load(hx, i) * (load(u, i + 1, j) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1) - centre) + load(hy, j) * (load(u, i, j + 1) - centre))
    return load(b, i, j) - c[0] * centre + flux


def sweep_uniform_2d(load, a, c, i, j):
    """Return u + tau / D (b - A u); a = (u, b, lx, hx, ly, hy, gx, gy), c = (reaction, tau)."""
    u, b, lx, hx, ly, hy, gx, gy = a
    centre = load(u, i, j)
    flux = load(lx, i) * (load(u, i - 1, j) - centre) + load(hx, i) * (load(u, i + 1, j) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1) - centre) + load(hy, j) * (load(u, i, j + 1) - centre))
    return centre + c[1] * load(gx, i) * load(gy, j) * (load(b, i, j) - c[0] * centre + flux)


def coloured_uniform_2d(load, a, c, i, j):
    """Return the step of `sweep_uniform_2d` on every second cell; a = (..., px, py), c = (..., mean, sign)."""
    u, b, lx, hx, ly, hy, gx, gy, px, py = a
    centre = load(u, i, j)
    flux = load(lx, i) * (load(u, i - 1, j) - centre) + load(hx, i) * (load(u, i + 1, j) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1) - centre) + load(hy, j) * (load(u, i, j + 1) - centre))
    mask = c[2] + c[3] * load(px, i) * load(py, j)
    return centre + mask * c[1] * load(gx, i) * load(gy, j) * (load(b, i, j) - c[0] * centre + flux)


def first_uniform_2d(load, a, c, i, j):
    """Return two steps from zero, (tau1 + tau2 - tau1 tau2 A / D) b / D; c = (reaction, sum, product)."""
    b, lx, hx, ly, hy, gx, gy = a
    wx, wy = load(gx, i), load(gy, j)
    centre = wx * wy * load(b, i, j)
    flux = load(lx, i) * (load(gx, i - 1) * wy * load(b, i - 1, j) - centre)
    flux = flux + load(hx, i) * (load(gx, i + 1) * wy * load(b, i + 1, j) - centre)
    flux = flux + load(ly, j) * (load(gy, j - 1) * wx * load(b, i, j - 1) - centre)
    flux = flux + load(hy, j) * (load(gy, j + 1) * wx * load(b, i, j + 1) - centre)
    return c[1] * centre - c[2] * wx * wy * (c[0] * centre - flux)


def residual_uniform_3d(load, a, c, i, j, k):
    """Return b - A u; a = (u, b, lx, hx, ly, hy, lz, hz, ...), c = (reaction,)."""
    u, b, lx, hx, ly, hy, lz, hz = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    centre = load(u, i, j, k)
    flux = load(lx, i) * (load(u, i - 1, j, k) - centre) + load(hx, i) * (load(u, i + 1, j, k) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1, k) - centre) + load(hy, j) * (load(u, i, j + 1, k) - centre))
    flux = flux + (load(lz, k) * (load(u, i, j, k - 1) - centre) + load(hz, k) * (load(u, i, j, k + 1) - centre))
    return load(b, i, j, k) - c[0] * centre + flux


def sweep_uniform_3d(load, a, c, i, j, k):
    """Return u + tau / D (b - A u); a = (u, b, lx, hx, ly, hy, lz, hz, gx, gy, gz), c = (reaction, tau)."""
    u, b, lx, hx, ly, hy, lz, hz, gx, gy, gz = a
    centre = load(u, i, j, k)
    flux = load(lx, i) * (load(u, i - 1, j, k) - centre) + load(hx, i) * (load(u, i + 1, j, k) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1, k) - centre) + load(hy, j) * (load(u, i, j + 1, k) - centre))
    flux = flux + (load(lz, k) * (load(u, i, j, k - 1) - centre) + load(hz, k) * (load(u, i, j, k + 1) - centre))
    weight = c[1] * load(gx, i) * load(gy, j) * load(gz, k)
    return centre + weight * (load(b, i, j, k) - c[0] * centre + flux)


def coloured_uniform_3d(load, a, c, i, j, k):
    """Return the step of `sweep_uniform_3d` on every second cell; a = (..., px, py, pz), c = (..., mean, sign)."""
    u, b, lx, hx, ly, hy, lz, hz, gx, gy, gz, px, py, pz = a
    centre = load(u, i, j, k)
    flux = load(lx, i) * (load(u, i - 1, j, k) - centre) + load(hx, i) * (load(u, i + 1, j, k) - centre)
    flux = flux + (load(ly, j) * (load(u, i, j - 1, k) - centre) + load(hy, j) * (load(u, i, j + 1, k) - centre))
    flux = flux + (load(lz, k) * (load(u, i, j, k - 1) - centre) + load(hz, k) * (load(u, i, j, k + 1) - centre))
    mask = c[2] + c[3] * load(px, i) * load(py, j) * load(pz, k)
    weight = mask * c[1] * load(gx, i) * load(gy, j) * load(gz, k)
    return centre + weight * (load(b, i, j, k) - c[0] * centre + flux)


def sweep_varying_2d(load, a, c, i, j):
    """Return u + tau / D (b - A u), tau over the scale of D; a = (u, b, fx, fy, reaction, d), c = (scale, tau)."""
    u, b, fx, fy, reaction, d = a
    centre = load(u, i, j)
    flux = load(fx, i, j) * (load(u, i - 1, j) - centre) + load(fx, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + (load(fy, i, j) * (load(u, i, j - 1) - centre) + load(fy, i, j + 1) * (load(u, i, j + 1) - centre))
    return centre + c[1] * load(d, i, j) * (load(b, i, j) - c[0] * (load(reaction, i, j) * centre - flux))


def coloured_varying_2d(load, a, c, i, j):
    """Return the step of `sweep_varying_2d` on every second cell; a = (..., px, py), c = (..., mean, sign)."""
    u, b, fx, fy, reaction, d, px, py = a
    centre = load(u, i, j)
    flux = load(fx, i, j) * (load(u, i - 1, j) - centre) + load(fx, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + (load(fy, i, j) * (load(u, i, j - 1) - centre) + load(fy, i, j + 1) * (load(u, i, j + 1) - centre))
    weight = (c[2] + c[3] * load(px, i) * load(py, j)) * c[1] * load(d, i, j)
    return centre + weight * (load(b, i, j) - c[0] * (load(reaction, i, j) * centre - flux))


def sweep_varying_3d(load, a, c, i, j, k):
    """Return u + tau / D (b - A u), tau over the scale of D; a = (u, b, fx, fy, fz, reaction, d), c = (scale, tau)."""
    u, b, fx, fy, fz, reaction, d = a
    centre = load(u, i, j, k)
    flux = load(fx, i, j, k) * (load(u, i - 1, j, k) - centre) + load(fx, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(fy, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(fy, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(fz, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(fz, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    return centre + c[1] * load(d, i, j, k) * (load(b, i, j, k) - c[0] * (load(reaction, i, j, k) * centre - flux))


def coloured_varying_3d(load, a, c, i, j, k):
    """Return the step of `sweep_varying_3d` on every second cell; a = (..., px, py, pz), c = (..., mean, sign)."""
    u, b, fx, fy, fz, reaction, d, px, py, pz = a
    centre = load(u, i, j, k)
    flux = load(fx, i, j, k) * (load(u, i - 1, j, k) - centre) + load(fx, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(fy, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(fy, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(fz, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(fz, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    weight = (c[2] + c[3] * load(px, i) * load(py, j) * load(pz, k)) * c[1] * load(d, i, j, k)
    return centre + weight * (load(b, i, j, k) - c[0] * (load(reaction, i, j, k) * centre - flux))


def start_uniform_2d(load, a, c, i, j):
    """Return tau / D b, one step from zero; a = (b, gx, gy), c = (tau,)."""
    return c[0] * load(a[1], i) * load(a[2], j) * load(a[0], i, j)


def start_uniform_3d(load, a, c, i, j, k):
    """Return tau / D b, one step from zero; a = (b, gx, gy, gz), c = (tau,)."""
    return c[0] * load(a[1], i) * load(a[2], j) * load(a[3], k) * load(a[0], i, j, k)


def start_varying(load, a, c, *index):
    """Return tau / D b, one step from zero; a = (b, d), c = (tau,)."""
    return c[0] * load(a[1], *index) * load(a[0], *index)


def given(load, a, c, *index):
    """Return b, the residual of zero; a = (b,)."""
    return load(a[0], *index)


#: Kinds of operators: given by vectors; coupled through faces; coupled to all cells around.
UNIFORM, STAR, FULL = "uniform", "star", "full"

RESIDUALS = {
    (2, UNIFORM): residual_uniform_2d,
    (3, UNIFORM): residual_uniform_3d,
    (2, STAR): diffusion.varying_2d,
    (3, STAR): diffusion.varying_3d,
    (2, FULL): relaxation_full.residual_full_2d,
    (3, FULL): relaxation_full.residual_full_3d,
}
SWEEPS = {
    (2, UNIFORM): sweep_uniform_2d,
    (3, UNIFORM): sweep_uniform_3d,
    (2, STAR): sweep_varying_2d,
    (3, STAR): sweep_varying_3d,
    (2, FULL): relaxation_full.sweep_full_2d,
    (3, FULL): relaxation_full.sweep_full_3d,
}
STARTS = {
    (2, UNIFORM): start_uniform_2d,
    (3, UNIFORM): start_uniform_3d,
    **{(ndim, kind): start_varying for ndim in (2, 3) for kind in (STAR, FULL)},
}
COLOURED = {
    (2, UNIFORM): coloured_uniform_2d,
    (3, UNIFORM): coloured_uniform_3d,
    (2, STAR): coloured_varying_2d,
    (3, STAR): coloured_varying_3d,
    (2, FULL): relaxation_full.coloured_full_2d,
    (3, FULL): relaxation_full.coloured_full_3d,
}
