"""Point functions of coarse grids whose cells are coupled to all neighbours, those across edges and corners too.

Couplings are those to the neighbours before a cell, in the order of `offsets_before`; a cell loads the ones behind it
from there. ``scale`` is what the stored coefficients are multiplied by, as in `mpsolve.solvers.multigrid.relaxation`.
"""


def residual_full_2d(load, a, c, i, j):
    """Return p b + q A u; a = (u, b, couplings, reaction), c = (p, q)."""
    u, b, w0, w1, w2, w3, reaction = a
    centre = load(u, i, j)
    flux = load(w0, i, j) * (load(u, i - 1, j - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1) * (load(u, i + 1, j + 1) - centre)
    flux = flux + load(w1, i, j) * (load(u, i - 1, j) - centre)
    flux = flux + load(w1, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + load(w2, i, j) * (load(u, i - 1, j + 1) - centre)
    flux = flux + load(w2, i + 1, j - 1) * (load(u, i + 1, j - 1) - centre)
    flux = flux + load(w3, i, j) * (load(u, i, j - 1) - centre)
    flux = flux + load(w3, i, j + 1) * (load(u, i, j + 1) - centre)
    return c[0] * load(b, i, j) + c[1] * (load(reaction, i, j) * centre - flux)


def sweep_full_2d(load, a, c, i, j):
    """Return u + tau / D (b - A u), tau over the scale of D; a = (u, b, couplings, reaction, d), c = (scale, tau)."""
    u, b, w0, w1, w2, w3, reaction, d = a
    centre = load(u, i, j)
    flux = load(w0, i, j) * (load(u, i - 1, j - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1) * (load(u, i + 1, j + 1) - centre)
    flux = flux + load(w1, i, j) * (load(u, i - 1, j) - centre)
    flux = flux + load(w1, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + load(w2, i, j) * (load(u, i - 1, j + 1) - centre)
    flux = flux + load(w2, i + 1, j - 1) * (load(u, i + 1, j - 1) - centre)
    flux = flux + load(w3, i, j) * (load(u, i, j - 1) - centre)
    flux = flux + load(w3, i, j + 1) * (load(u, i, j + 1) - centre)
    rest = load(b, i, j) - c[0] * (load(reaction, i, j) * centre - flux)
    return centre + c[1] * load(d, i, j) * rest


def coloured_full_2d(load, a, c, i, j):
    """Return the step of `sweep_full_2d` on every second cell; a = (..., px, py), c = (..., mean, sign)."""
    u, b, w0, w1, w2, w3, reaction, d, px, py = a
    centre = load(u, i, j)
    flux = load(w0, i, j) * (load(u, i - 1, j - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1) * (load(u, i + 1, j + 1) - centre)
    flux = flux + load(w1, i, j) * (load(u, i - 1, j) - centre)
    flux = flux + load(w1, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + load(w2, i, j) * (load(u, i - 1, j + 1) - centre)
    flux = flux + load(w2, i + 1, j - 1) * (load(u, i + 1, j - 1) - centre)
    flux = flux + load(w3, i, j) * (load(u, i, j - 1) - centre)
    flux = flux + load(w3, i, j + 1) * (load(u, i, j + 1) - centre)
    rest = load(b, i, j) - c[0] * (load(reaction, i, j) * centre - flux)
    weight = (c[2] + c[3] * load(px, i) * load(py, j)) * c[1] * load(d, i, j)
    return centre + weight * rest


def residual_full_3d(load, a, c, i, j, k):
    """Return p b + q A u; a = (u, b, couplings, reaction), c = (p, q)."""
    u, b, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, reaction = a
    centre = load(u, i, j, k)
    flux = load(w0, i, j, k) * (load(u, i - 1, j - 1, k - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1, k + 1) * (load(u, i + 1, j + 1, k + 1) - centre)
    flux = flux + load(w1, i, j, k) * (load(u, i - 1, j - 1, k) - centre)
    flux = flux + load(w1, i + 1, j + 1, k) * (load(u, i + 1, j + 1, k) - centre)
    flux = flux + load(w2, i, j, k) * (load(u, i - 1, j - 1, k + 1) - centre)
    flux = flux + load(w2, i + 1, j + 1, k - 1) * (load(u, i + 1, j + 1, k - 1) - centre)
    flux = flux + load(w3, i, j, k) * (load(u, i - 1, j, k - 1) - centre)
    flux = flux + load(w3, i + 1, j, k + 1) * (load(u, i + 1, j, k + 1) - centre)
    flux = flux + load(w4, i, j, k) * (load(u, i - 1, j, k) - centre)
    flux = flux + load(w4, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(w5, i, j, k) * (load(u, i - 1, j, k + 1) - centre)
    flux = flux + load(w5, i + 1, j, k - 1) * (load(u, i + 1, j, k - 1) - centre)
    flux = flux + load(w6, i, j, k) * (load(u, i - 1, j + 1, k - 1) - centre)
    flux = flux + load(w6, i + 1, j - 1, k + 1) * (load(u, i + 1, j - 1, k + 1) - centre)
    flux = flux + load(w7, i, j, k) * (load(u, i - 1, j + 1, k) - centre)
    flux = flux + load(w7, i + 1, j - 1, k) * (load(u, i + 1, j - 1, k) - centre)
    flux = flux + load(w8, i, j, k) * (load(u, i - 1, j + 1, k + 1) - centre)
    flux = flux + load(w8, i + 1, j - 1, k - 1) * (load(u, i + 1, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j, k) * (load(u, i, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j + 1, k + 1) * (load(u, i, j + 1, k + 1) - centre)
    flux = flux + load(w10, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(w10, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(w11, i, j, k) * (load(u, i, j - 1, k + 1) - centre)
    flux = flux + load(w11, i, j + 1, k - 1) * (load(u, i, j + 1, k - 1) - centre)
    flux = flux + load(w12, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(w12, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    return c[0] * load(b, i, j, k) + c[1] * (load(reaction, i, j, k) * centre - flux)


def sweep_full_3d(load, a, c, i, j, k):
    """Return u + tau / D (b - A u), tau over the scale of D; a = (u, b, couplings, reaction, d), c = (scale, tau)."""
    u, b, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, reaction, d = a
    centre = load(u, i, j, k)
    flux = load(w0, i, j, k) * (load(u, i - 1, j - 1, k - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1, k + 1) * (load(u, i + 1, j + 1, k + 1) - centre)
    flux = flux + load(w1, i, j, k) * (load(u, i - 1, j - 1, k) - centre)
    flux = flux + load(w1, i + 1, j + 1, k) * (load(u, i + 1, j + 1, k) - centre)
    flux = flux + load(w2, i, j, k) * (load(u, i - 1, j - 1, k + 1) - centre)
    flux = flux + load(w2, i + 1, j + 1, k - 1) * (load(u, i + 1, j + 1, k - 1) - centre)
    flux = flux + load(w3, i, j, k) * (load(u, i - 1, j, k - 1) - centre)
    flux = flux + load(w3, i + 1, j, k + 1) * (load(u, i + 1, j, k + 1) - centre)
    flux = flux + load(w4, i, j, k) * (load(u, i - 1, j, k) - centre)
    flux = flux + load(w4, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(w5, i, j, k) * (load(u, i - 1, j, k + 1) - centre)
    flux = flux + load(w5, i + 1, j, k - 1) * (load(u, i + 1, j, k - 1) - centre)
    flux = flux + load(w6, i, j, k) * (load(u, i - 1, j + 1, k - 1) - centre)
    flux = flux + load(w6, i + 1, j - 1, k + 1) * (load(u, i + 1, j - 1, k + 1) - centre)
    flux = flux + load(w7, i, j, k) * (load(u, i - 1, j + 1, k) - centre)
    flux = flux + load(w7, i + 1, j - 1, k) * (load(u, i + 1, j - 1, k) - centre)
    flux = flux + load(w8, i, j, k) * (load(u, i - 1, j + 1, k + 1) - centre)
    flux = flux + load(w8, i + 1, j - 1, k - 1) * (load(u, i + 1, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j, k) * (load(u, i, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j + 1, k + 1) * (load(u, i, j + 1, k + 1) - centre)
    flux = flux + load(w10, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(w10, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(w11, i, j, k) * (load(u, i, j - 1, k + 1) - centre)
    flux = flux + load(w11, i, j + 1, k - 1) * (load(u, i, j + 1, k - 1) - centre)
    flux = flux + load(w12, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(w12, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    rest = load(b, i, j, k) - c[0] * (load(reaction, i, j, k) * centre - flux)
    return centre + c[1] * load(d, i, j, k) * rest


def coloured_full_3d(load, a, c, i, j, k):
    """Return the step of `sweep_full_3d` on every second cell; a = (..., px, py, pz), c = (..., mean, sign)."""
    u, b, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, reaction, d, px, py, pz = a
    centre = load(u, i, j, k)
    flux = load(w0, i, j, k) * (load(u, i - 1, j - 1, k - 1) - centre)
    flux = flux + load(w0, i + 1, j + 1, k + 1) * (load(u, i + 1, j + 1, k + 1) - centre)
    flux = flux + load(w1, i, j, k) * (load(u, i - 1, j - 1, k) - centre)
    flux = flux + load(w1, i + 1, j + 1, k) * (load(u, i + 1, j + 1, k) - centre)
    flux = flux + load(w2, i, j, k) * (load(u, i - 1, j - 1, k + 1) - centre)
    flux = flux + load(w2, i + 1, j + 1, k - 1) * (load(u, i + 1, j + 1, k - 1) - centre)
    flux = flux + load(w3, i, j, k) * (load(u, i - 1, j, k - 1) - centre)
    flux = flux + load(w3, i + 1, j, k + 1) * (load(u, i + 1, j, k + 1) - centre)
    flux = flux + load(w4, i, j, k) * (load(u, i - 1, j, k) - centre)
    flux = flux + load(w4, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(w5, i, j, k) * (load(u, i - 1, j, k + 1) - centre)
    flux = flux + load(w5, i + 1, j, k - 1) * (load(u, i + 1, j, k - 1) - centre)
    flux = flux + load(w6, i, j, k) * (load(u, i - 1, j + 1, k - 1) - centre)
    flux = flux + load(w6, i + 1, j - 1, k + 1) * (load(u, i + 1, j - 1, k + 1) - centre)
    flux = flux + load(w7, i, j, k) * (load(u, i - 1, j + 1, k) - centre)
    flux = flux + load(w7, i + 1, j - 1, k) * (load(u, i + 1, j - 1, k) - centre)
    flux = flux + load(w8, i, j, k) * (load(u, i - 1, j + 1, k + 1) - centre)
    flux = flux + load(w8, i + 1, j - 1, k - 1) * (load(u, i + 1, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j, k) * (load(u, i, j - 1, k - 1) - centre)
    flux = flux + load(w9, i, j + 1, k + 1) * (load(u, i, j + 1, k + 1) - centre)
    flux = flux + load(w10, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(w10, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(w11, i, j, k) * (load(u, i, j - 1, k + 1) - centre)
    flux = flux + load(w11, i, j + 1, k - 1) * (load(u, i, j + 1, k - 1) - centre)
    flux = flux + load(w12, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(w12, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    rest = load(b, i, j, k) - c[0] * (load(reaction, i, j, k) * centre - flux)
    weight = (c[2] + c[3] * load(px, i) * load(py, j) * load(pz, k)) * c[1] * load(d, i, j, k)
    return centre + weight * rest
