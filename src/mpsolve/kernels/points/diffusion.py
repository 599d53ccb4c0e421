"""Point functions of diffusion: the operator, and a corrected iterate with its residual in one pass.

Face coefficients are those of the faces below a cell, each at the index of the cell above it.
"""


def uniform_2d(load, a, c, i, j):
    """Return p b + q A u, each face coefficient by its axis position; a = (u, b, fx, fy), c = (p, q, reaction)."""
    u, b, fx, fy = a
    p, q, reaction = c
    centre = load(u, i, j)
    flux = load(fx, i) * (load(u, i - 1, j) - centre) + load(fx, i + 1) * (load(u, i + 1, j) - centre)
    flux = flux + (load(fy, j) * (load(u, i, j - 1) - centre) + load(fy, j + 1) * (load(u, i, j + 1) - centre))
    return p * load(b, i, j) + q * (reaction * centre - flux)


def uniform_3d(load, a, c, i, j, k):
    """Return p b + q A u, each face coefficient by its axis position; a = (u, b, fx, fy, fz), c = (p, q, reaction)."""
    u, b, fx, fy, fz = a
    p, q, reaction = c
    centre = load(u, i, j, k)
    flux = load(fx, i) * (load(u, i - 1, j, k) - centre) + load(fx, i + 1) * (load(u, i + 1, j, k) - centre)
    flux = flux + (load(fy, j) * (load(u, i, j - 1, k) - centre) + load(fy, j + 1) * (load(u, i, j + 1, k) - centre))
    flux = flux + (load(fz, k) * (load(u, i, j, k - 1) - centre) + load(fz, k + 1) * (load(u, i, j, k + 1) - centre))
    return p * load(b, i, j, k) + q * (reaction * centre - flux)


def varying_2d(load, a, c, i, j):
    """Return p b + q A u, a coefficient per face and cell; a = (u, b, fx, fy, reaction), c = (p, q)."""
    u, b, fx, fy, reaction = a
    p, q = c
    centre = load(u, i, j)
    flux = load(fx, i, j) * (load(u, i - 1, j) - centre) + load(fx, i + 1, j) * (load(u, i + 1, j) - centre)
    flux = flux + (load(fy, i, j) * (load(u, i, j - 1) - centre) + load(fy, i, j + 1) * (load(u, i, j + 1) - centre))
    return p * load(b, i, j) + q * (load(reaction, i, j) * centre - flux)


def varying_3d(load, a, c, i, j, k):
    """Return p b + q A u, a coefficient per face and cell; a = (u, b, fx, fy, fz, reaction), c = (p, q)."""
    u, b, fx, fy, fz, reaction = a
    p, q = c
    centre = load(u, i, j, k)
    flux = load(fx, i, j, k) * (load(u, i - 1, j, k) - centre) + load(fx, i + 1, j, k) * (load(u, i + 1, j, k) - centre)
    flux = flux + load(fy, i, j, k) * (load(u, i, j - 1, k) - centre)
    flux = flux + load(fy, i, j + 1, k) * (load(u, i, j + 1, k) - centre)
    flux = flux + load(fz, i, j, k) * (load(u, i, j, k - 1) - centre)
    flux = flux + load(fz, i, j, k + 1) * (load(u, i, j, k + 1) - centre)
    return p * load(b, i, j, k) + q * (load(reaction, i, j, k) * centre - flux)


def corrected_uniform_2d(load, a, c, i, j):
    """Return x' = x + c d, r = b - A x' and s r; a = (x, d, b, fx, fy), c = (c, s, reaction)."""
    x, d, b, fx, fy = a
    gain, scale, reaction = c
    centre = load(x, i, j) + gain * load(d, i, j)
    north, south = load(x, i - 1, j) + gain * load(d, i - 1, j), load(x, i + 1, j) + gain * load(d, i + 1, j)
    west, east = load(x, i, j - 1) + gain * load(d, i, j - 1), load(x, i, j + 1) + gain * load(d, i, j + 1)
    flux = load(fx, i) * (north - centre) + load(fx, i + 1) * (south - centre)
    flux = flux + (load(fy, j) * (west - centre) + load(fy, j + 1) * (east - centre))
    residual = load(b, i, j) - (reaction * centre - flux)
    return centre, residual, scale * residual


def corrected_uniform_3d(load, a, c, i, j, k):
    """Return x' = x + c d, r = b - A x' and s r; a = (x, d, b, fx, fy, fz), c = (c, s, reaction)."""
    x, d, b, fx, fy, fz = a
    gain, scale, reaction = c
    centre = load(x, i, j, k) + gain * load(d, i, j, k)
    low, high = load(x, i - 1, j, k) + gain * load(d, i - 1, j, k), load(x, i + 1, j, k) + gain * load(d, i + 1, j, k)
    flux = load(fx, i) * (low - centre) + load(fx, i + 1) * (high - centre)
    low, high = load(x, i, j - 1, k) + gain * load(d, i, j - 1, k), load(x, i, j + 1, k) + gain * load(d, i, j + 1, k)
    flux = flux + (load(fy, j) * (low - centre) + load(fy, j + 1) * (high - centre))
    low, high = load(x, i, j, k - 1) + gain * load(d, i, j, k - 1), load(x, i, j, k + 1) + gain * load(d, i, j, k + 1)
    flux = flux + (load(fz, k) * (low - centre) + load(fz, k + 1) * (high - centre))
    residual = load(b, i, j, k) - (reaction * centre - flux)
    return centre, residual, scale * residual


def corrected_varying_2d(load, a, c, i, j):
    """Return x' = x + c d, r = b - A x' and s r; a = (x, d, b, fx, fy, reaction), c = (c, s)."""
    x, d, b, fx, fy, reaction = a
    gain, scale = c
    centre = load(x, i, j) + gain * load(d, i, j)
    north, south = load(x, i - 1, j) + gain * load(d, i - 1, j), load(x, i + 1, j) + gain * load(d, i + 1, j)
    west, east = load(x, i, j - 1) + gain * load(d, i, j - 1), load(x, i, j + 1) + gain * load(d, i, j + 1)
    flux = load(fx, i, j) * (north - centre) + load(fx, i + 1, j) * (south - centre)
    flux = flux + (load(fy, i, j) * (west - centre) + load(fy, i, j + 1) * (east - centre))
    residual = load(b, i, j) - (load(reaction, i, j) * centre - flux)
    return centre, residual, scale * residual


def corrected_varying_3d(load, a, c, i, j, k):
    """Return x' = x + c d, r = b - A x' and s r; a = (x, d, b, fx, fy, fz, reaction), c = (c, s)."""
    x, d, b, fx, fy, fz, reaction = a
    gain, scale = c
    centre = load(x, i, j, k) + gain * load(d, i, j, k)
    low, high = load(x, i - 1, j, k) + gain * load(d, i - 1, j, k), load(x, i + 1, j, k) + gain * load(d, i + 1, j, k)
    flux = load(fx, i, j, k) * (low - centre) + load(fx, i + 1, j, k) * (high - centre)
    low, high = load(x, i, j - 1, k) + gain * load(d, i, j - 1, k), load(x, i, j + 1, k) + gain * load(d, i, j + 1, k)
    flux = flux + load(fy, i, j, k) * (low - centre)
    flux = flux + load(fy, i, j + 1, k) * (high - centre)
    low, high = load(x, i, j, k - 1) + gain * load(d, i, j, k - 1), load(x, i, j, k + 1) + gain * load(d, i, j, k + 1)
    flux = flux + load(fz, i, j, k) * (low - centre)
    flux = flux + load(fz, i, j, k + 1) * (high - centre)
    residual = load(b, i, j, k) - (load(reaction, i, j, k) * centre - flux)
    return centre, residual, scale * residual


POINTS = {(2, True): uniform_2d, (3, True): uniform_3d, (2, False): varying_2d, (3, False): varying_3d}
CORRECTED = {
    (2, True): corrected_uniform_2d,
    (3, True): corrected_uniform_3d,
    (2, False): corrected_varying_2d,
    (3, False): corrected_varying_3d,
}
