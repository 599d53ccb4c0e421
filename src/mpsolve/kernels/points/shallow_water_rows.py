"""The one-pass stages of `mpsolve.kernels.points.shallow_water` in pieces, for processors that keep rows in a cache.

A stage there computes what cells share once for each of them. Here it is computed once: a row of values, then a row of
what lies between values and tendency, then the stage from two rows of that. The operations of a cell are the same, in
the same order, and so are the bits.
"""

from collections.abc import Callable

from mpsolve.kernels.points import shallow_water as points
from mpsolve.kernels.rolled import Rolled


def values_first(load, a, c, j, i):
    """Return thickness, height of the surface and velocities of the state; a, c of `energy_first`."""
    height = load(a[0], j, i)
    return c[0] + height, height, load(a[1], j, i), load(a[2], j, i)


def values_flat(load, a, c, j, i):
    """Return the same of state and increment; a, c of `energy_flat`."""
    height = load(a[0], j, i) + c[8] * load(a[3], j, i)
    u, v = load(a[1], j, i) + c[9] * load(a[4], j, i), load(a[2], j, i) + c[10] * load(a[5], j, i)
    return c[0] + height, height, u, v


def values_over(load, a, c, j, i):
    """Return the same over a bottom; a, c of `energy_over`."""
    height = load(a[0], j, i) + c[8] * load(a[3], j, i)
    u, v = load(a[1], j, i) + c[9] * load(a[4], j, i), load(a[2], j, i) + c[10] * load(a[5], j, i)
    return c[0] + height - load(a[15], j, i), height, u, v


def between(load, w, o, c, j, i):
    """Return potential vorticity, vorticity and flux of row j + 1, flux along and Bernoulli function of row j.

    w = the values of row j, then those of row j + 1; o = the vectors
    """
    h, e, u, v, hn, en, un, vn = w
    dx, dxe, ra, rz, fa, fb, fc, wind, open = o
    gravity, dy, viscosity, half, quarter = c[1], c[2], c[4], c[6], c[7]
    h00, h0m, hp0, hpm, u00, u0p = load(h, i), load(h, i - 1), load(hn, i), load(hn, i - 1), load(u, i), load(u, i + 1)
    v00, vp0, w0, wp, rdx = load(v, i), load(vn, i), load(dxe, j), load(dxe, j + 1), load(ra, j) * dy
    zp0 = ((vp0 - load(vn, i - 1)) * dy - (load(un, i) * load(dx, j + 1) - u00 * load(dx, j))) * load(rz, j + 1)
    sp0 = (load(fa, j + 1) + load(fb, j + 1) * load(fc, i) + zp0) / (quarter * (hp0 + hpm + (h00 + h0m)))
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * load(ra, j)
    b00 = viscosity * d00 - (gravity * load(e, i) + quarter * (speeds + across * rdx))
    return sp0, zp0, half * (hp0 + h00) * vp0 * wp, half * (h00 + h0m) * u00 * dy, b00


def tendency(load, w, m, o, c, j, i):
    """Return the tendencies of height and velocities; m = what is between for row j - 1, then for row j."""
    h, e, u, v, hn, en, un, vn = w
    s, z, f, gm, bm, sn, zn, fn, g, b = m
    dx, dxe, ra, rz, fa, fb, fc, wind, open = o
    dy, rdy, viscosity, drag, quarter = c[2], c[3], c[4], c[5], c[7]
    s00, z00, f00, f0m, fp0, fpm = load(s, i), load(z, i), load(f, i), load(f, i - 1), load(fn, i), load(fn, i - 1)
    gm0, gmp, g00, g0p, b00 = load(gm, i), load(gm, i + 1), load(g, i), load(g, i + 1), load(b, i)
    area, rdx = load(ra, j), load(ra, j) * dy
    height = -((g0p - g00) + (fp0 - f00)) * area
    turn = quarter * (s00 * (f0m + f00) + load(sn, i) * (fpm + fp0))
    twist = quarter * (s00 * (gm0 + g00) + load(s, i + 1) * (gmp + g0p))
    east = turn * rdx + (b00 - load(b, i - 1)) * rdx - viscosity * (load(zn, i) - z00) * rdy
    east = east + load(wind, j) - drag * load(u, i)
    north = (b00 - load(bm, i)) * rdy + viscosity * (load(z, i + 1) - z00) * (load(rz, j) * dy) - twist * rdy
    return height, east, (north - drag * load(v, i)) * load(open, j)


def finish_first(load, a, t, c, j, i):
    """Return a stage of the state alone from the tendencies t."""
    cy, te, tu, tv = c[8], c[9], c[10], c[11]
    return cy * load(a[0], j, i) + te * t[0], cy * load(a[1], j, i) + tu * t[1], cy * load(a[2], j, i) + tv * t[2]


def finish(load, a, t, c, j, i):
    """Return a stage of state and increment."""
    cy, de, du, dv, te, tu, tv = c[11], c[12], c[13], c[14], c[15], c[16], c[17]
    height = cy * load(a[0], j, i) + de * load(a[3], j, i) + te * t[0]
    east = cy * load(a[1], j, i) + du * load(a[4], j, i) + tu * t[1]
    return height, east, cy * load(a[2], j, i) + dv * load(a[5], j, i) + tv * t[2]


ROLLED: dict[Callable | None, Rolled] = {
    points.energy_first: Rolled(values_first, between, tendency, finish_first, 4, 5, (3, 12)),
    points.energy_flat: Rolled(values_flat, between, tendency, finish, 4, 5, (6, 15)),
    points.energy_over: Rolled(values_over, between, tendency, finish, 4, 5, (6, 15)),
}
"""The stages that have pieces."""
