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


def row(load, o, c, j):
    """Return what the vectors o have for the points of row j, but for the one along i."""
    dx, dxe, ra, rz, fa, fb, fc, wind, open = o
    here = load(dx, j), load(dxe, j), load(ra, j), load(ra, j) * c[2], load(rz, j) * c[2], load(wind, j), load(open, j)
    return (*here, load(dx, j + 1), load(dxe, j + 1), load(rz, j + 1), load(fa, j + 1), load(fb, j + 1))


def between(load, w, o, r, c, j, i):
    """Return potential vorticity, vorticity and flux of row j + 1, flux along and Bernoulli function of row j.

    w = the values of row j, then those of row j + 1; o = the vectors; r = `row`
    """
    h, e, u, v, hn, en, un, vn = w
    x0, w0, area, rdx, xp, wp, rz, fa, fb = r[0], r[1], r[2], r[3], r[7], r[8], r[9], r[10], r[11]
    gravity, dy, viscosity, half, quarter = c[1], c[2], c[4], c[6], c[7]
    h00, h0m, hp0, hpm, u00, u0p = load(h, i), load(h, i - 1), load(hn, i), load(hn, i - 1), load(u, i), load(u, i + 1)
    v00, vp0 = load(v, i), load(vn, i)
    zp0 = ((vp0 - load(vn, i - 1)) * dy - (load(un, i) * xp - u00 * x0)) * rz
    sp0 = (fa + fb * load(o[6], i) + zp0) / (quarter * (hp0 + hpm + (h00 + h0m)))
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    b00 = viscosity * d00 - (gravity * load(e, i) + quarter * (speeds + across * rdx))
    return sp0, zp0, half * (hp0 + h00) * vp0 * wp, half * (h00 + h0m) * u00 * dy, b00


def tendency(load, w, m, o, r, c, j, i):
    """Return the tendencies of height and velocities; m = what is between for row j - 1, then for row j."""
    h, e, u, v, hn, en, un, vn = w
    s, z, f, gm, bm, sn, zn, fn, g, b = m
    area, rdx, rwx, wind, open = r[2], r[3], r[4], r[5], r[6]
    rdy, viscosity, drag, quarter = c[3], c[4], c[5], c[7]
    s00, z00, f00, f0m, fp0, fpm = load(s, i), load(z, i), load(f, i), load(f, i - 1), load(fn, i), load(fn, i - 1)
    gm0, gmp, g00, g0p, b00 = load(gm, i), load(gm, i + 1), load(g, i), load(g, i + 1), load(b, i)
    height = -((g0p - g00) + (fp0 - f00)) * area
    turn = quarter * (s00 * (f0m + f00) + load(sn, i) * (fpm + fp0))
    twist = quarter * (s00 * (gm0 + g00) + load(s, i + 1) * (gmp + g0p))
    east = turn * rdx + (b00 - load(b, i - 1)) * rdx - viscosity * (load(zn, i) - z00) * rdy
    east = east + wind - drag * load(u, i)
    north = (b00 - load(bm, i)) * rdy + viscosity * (load(z, i + 1) - z00) * rwx - twist * rdy
    return height, east, (north - drag * load(v, i)) * open


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
    points.energy_first: Rolled(values_first, row, between, tendency, finish_first, 4, 5, (3, 12)),
    points.energy_flat: Rolled(values_flat, row, between, tendency, finish, 4, 5, (6, 15)),
    points.energy_over: Rolled(values_over, row, between, tendency, finish, 4, 5, (6, 15)),
}
"""The stages that have pieces."""
