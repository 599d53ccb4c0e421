"""Point functions of rotating shallow water on an Arakawa C-grid: one stage of a stepper, in a single pass.

Vector-invariant form with one-dimensional orthogonal metrics (Sadourny, J. Atmos. Sci. 32, 1975): u lies on the west
face of cell (j, i), v on its south face, vorticity on its south-west corner. Each variable is a state and an increment,
both loaded: ``e + se p`` is the height of the surface over its mean, ``u + su q`` and ``v + sv r`` the velocities. The
results are ``cy state + d increment + t tendency``: the next increment of a stage, or the new state at its end.

Vectors along j: lengths of rows ``dx`` and of the faces south of them ``dxe``, inverse areas of cells ``ra`` and of
corners ``rz`` (0 on walls and poles), Coriolis parameter ``fa + fb fc`` at the corners (``fc`` along i), wind
acceleration ``wind``, and ``open``, which is 0 on faces that nothing crosses. The scalars are named in `SCALARS`.
"""

SCALARS = (
    "depth", "gravity", "dy", "rdy", "viscosity", "drag", "half", "quarter", "se", "su", "sv", "cy", "de", "du", "dv",
    "te", "tu", "tv",
)  # fmt: skip
"""Mean depth (m), gravity (m/s2), cell height and its inverse, viscosity (m2/s), drag (1/s), one half and one quarter,
the scales of the increments, the factor of the state, of the increments and of the tendencies. `triads` also takes the
weights of the vorticity at the corner that both faces share, at the other one of the own face, and at the third."""


def energy_first(load, a, c, j, i):
    """Return `energy_flat` of the state alone; a = (e, u, v, dx, ...), c = `SCALARS` without those of increments."""
    e, u, v, dx, dxe, ra, rz, fa, fb, fc, wind, open = a
    depth, gravity, dy, rdy, viscosity, drag, half, quarter, cy, te, tu, tv = c
    emm, em0 = load(e, j - 1, i - 1), load(e, j - 1, i)
    emp, e0m = load(e, j - 1, i + 1), load(e, j, i - 1)
    e00, e0p = load(e, j, i), load(e, j, i + 1)
    epm, ep0 = load(e, j + 1, i - 1), load(e, j + 1, i)
    hmm, hm0, hmp, h0m, h00, h0p = depth + emm, depth + em0, depth + emp, depth + e0m, depth + e00, depth + e0p
    hpm, hp0, um0 = depth + epm, depth + ep0, load(u, j - 1, i)
    ump, u0m = load(u, j - 1, i + 1), load(u, j, i - 1)
    u00, u0p = load(u, j, i), load(u, j, i + 1)
    up0, vm0 = load(u, j + 1, i), load(v, j - 1, i)
    v0m, v00 = load(v, j, i - 1), load(v, j, i)
    v0p, vpm = load(v, j, i + 1), load(v, j + 1, i - 1)
    vp0, xm, x0, xp = load(v, j + 1, i), load(dx, j - 1), load(dx, j), load(dx, j + 1)
    wm, w0, wp = load(dxe, j - 1), load(dxe, j), load(dxe, j + 1)
    area, rdx = load(ra, j), load(ra, j) * dy
    # Relative vorticity and potential vorticity at the corners.
    z00 = ((v00 - v0m) * dy - (u00 * x0 - um0 * xm)) * load(rz, j)
    s00 = (load(fa, j) + load(fb, j) * load(fc, i) + z00) / (quarter * (h00 + h0m + (hm0 + hmm)))
    zp0 = ((vp0 - vpm) * dy - (up0 * xp - u00 * x0)) * load(rz, j + 1)
    sp0 = (load(fa, j + 1) + load(fb, j + 1) * load(fc, i) + zp0) / (quarter * (hp0 + hpm + (h00 + h0m)))
    z0p = ((v0p - v00) * dy - (u0p * x0 - ump * xm)) * load(rz, j)
    s0p = (load(fa, j) + load(fb, j) * load(fc, i + 1) + z0p) / (quarter * (h0p + h00 + (hmp + hm0)))
    # Volume fluxes through the faces that meet this cell's.
    f00, f0m, fp0 = half * (h00 + hm0) * v00 * w0, half * (h0m + hmm) * v0m * w0, half * (hp0 + h00) * vp0 * wp
    fpm, g00, g0p = half * (hpm + h0m) * vpm * wp, half * (h00 + h0m) * u00 * dy, half * (h0p + h00) * u0p * dy
    gm0, gmp = half * (hm0 + hmm) * um0 * dy, half * (hmp + hm0) * ump * dy
    # Bernoulli function, less friction by divergence and negative, of this cell, the one west and the one south of it.
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    b00 = viscosity * d00 - (gravity * e00 + quarter * (speeds + across * rdx))
    speeds, across = u0m * u0m + u00 * u00, v0m * v0m * w0 + vpm * vpm * wp
    d0m = ((u00 - u0m) * dy + (vpm * wp - v0m * w0)) * area
    b0m = viscosity * d0m - (gravity * e0m + quarter * (speeds + across * rdx))
    speeds, across = um0 * um0 + ump * ump, vm0 * vm0 * wm + v00 * v00 * w0
    dm0, height = ((ump - um0) * dy + (v00 * w0 - vm0 * wm)) * load(ra, j - 1), -((g0p - g00) + (fp0 - f00)) * area
    bm0 = viscosity * dm0 - (gravity * em0 + quarter * (speeds + across * (load(ra, j - 1) * dy)))
    turn, twist = quarter * (s00 * (f0m + f00) + sp0 * (fpm + fp0)), quarter * (s00 * (gm0 + g00) + s0p * (gmp + g0p))
    east = turn * rdx + (b00 - b0m) * rdx - viscosity * (zp0 - z00) * rdy
    east = east + load(wind, j) - drag * u00
    north = (b00 - bm0) * rdy + viscosity * (z0p - z00) * (load(rz, j) * dy) - twist * rdy
    north, kept = (north - drag * v00) * load(open, j), cy * load(e, j, i)
    moved = cy * load(u, j, i)
    return kept + te * height, moved + tu * east, cy * load(v, j, i) + tv * north


def energy_flat(load, a, c, j, i):
    """Return one stage over a flat bottom, which conserves energy; a = (e, u, v, p, q, r, dx, ...), c = `SCALARS`."""
    e, u, v, p, q, r, dx, dxe, ra, rz, fa, fb, fc, wind, open = a
    depth, gravity, dy, rdy, viscosity, drag, half, quarter, se, su, sv, cy, de, du, dv, te, tu, tv = c
    emm, em0 = load(e, j - 1, i - 1) + se * load(p, j - 1, i - 1), load(e, j - 1, i) + se * load(p, j - 1, i)
    emp, e0m = load(e, j - 1, i + 1) + se * load(p, j - 1, i + 1), load(e, j, i - 1) + se * load(p, j, i - 1)
    e00, e0p = load(e, j, i) + se * load(p, j, i), load(e, j, i + 1) + se * load(p, j, i + 1)
    epm, ep0 = load(e, j + 1, i - 1) + se * load(p, j + 1, i - 1), load(e, j + 1, i) + se * load(p, j + 1, i)
    hmm, hm0, hmp, h0m, h00, h0p = depth + emm, depth + em0, depth + emp, depth + e0m, depth + e00, depth + e0p
    hpm, hp0, um0 = depth + epm, depth + ep0, load(u, j - 1, i) + su * load(q, j - 1, i)
    ump, u0m = load(u, j - 1, i + 1) + su * load(q, j - 1, i + 1), load(u, j, i - 1) + su * load(q, j, i - 1)
    u00, u0p = load(u, j, i) + su * load(q, j, i), load(u, j, i + 1) + su * load(q, j, i + 1)
    up0, vm0 = load(u, j + 1, i) + su * load(q, j + 1, i), load(v, j - 1, i) + sv * load(r, j - 1, i)
    v0m, v00 = load(v, j, i - 1) + sv * load(r, j, i - 1), load(v, j, i) + sv * load(r, j, i)
    v0p, vpm = load(v, j, i + 1) + sv * load(r, j, i + 1), load(v, j + 1, i - 1) + sv * load(r, j + 1, i - 1)
    vp0, xm, x0, xp = load(v, j + 1, i) + sv * load(r, j + 1, i), load(dx, j - 1), load(dx, j), load(dx, j + 1)
    wm, w0, wp = load(dxe, j - 1), load(dxe, j), load(dxe, j + 1)
    area, rdx = load(ra, j), load(ra, j) * dy
    # Relative vorticity and potential vorticity at the corners.
    z00 = ((v00 - v0m) * dy - (u00 * x0 - um0 * xm)) * load(rz, j)
    s00 = (load(fa, j) + load(fb, j) * load(fc, i) + z00) / (quarter * (h00 + h0m + (hm0 + hmm)))
    zp0 = ((vp0 - vpm) * dy - (up0 * xp - u00 * x0)) * load(rz, j + 1)
    sp0 = (load(fa, j + 1) + load(fb, j + 1) * load(fc, i) + zp0) / (quarter * (hp0 + hpm + (h00 + h0m)))
    z0p = ((v0p - v00) * dy - (u0p * x0 - ump * xm)) * load(rz, j)
    s0p = (load(fa, j) + load(fb, j) * load(fc, i + 1) + z0p) / (quarter * (h0p + h00 + (hmp + hm0)))
    # Volume fluxes through the faces that meet this cell's.
    f00, f0m, fp0 = half * (h00 + hm0) * v00 * w0, half * (h0m + hmm) * v0m * w0, half * (hp0 + h00) * vp0 * wp
    fpm, g00, g0p = half * (hpm + h0m) * vpm * wp, half * (h00 + h0m) * u00 * dy, half * (h0p + h00) * u0p * dy
    gm0, gmp = half * (hm0 + hmm) * um0 * dy, half * (hmp + hm0) * ump * dy
    # Bernoulli function, less friction by divergence and negative, of this cell, the one west and the one south of it.
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    b00 = viscosity * d00 - (gravity * e00 + quarter * (speeds + across * rdx))
    speeds, across = u0m * u0m + u00 * u00, v0m * v0m * w0 + vpm * vpm * wp
    d0m = ((u00 - u0m) * dy + (vpm * wp - v0m * w0)) * area
    b0m = viscosity * d0m - (gravity * e0m + quarter * (speeds + across * rdx))
    speeds, across = um0 * um0 + ump * ump, vm0 * vm0 * wm + v00 * v00 * w0
    dm0, height = ((ump - um0) * dy + (v00 * w0 - vm0 * wm)) * load(ra, j - 1), -((g0p - g00) + (fp0 - f00)) * area
    bm0 = viscosity * dm0 - (gravity * em0 + quarter * (speeds + across * (load(ra, j - 1) * dy)))
    turn, twist = quarter * (s00 * (f0m + f00) + sp0 * (fpm + fp0)), quarter * (s00 * (gm0 + g00) + s0p * (gmp + g0p))
    east = turn * rdx + (b00 - b0m) * rdx - viscosity * (zp0 - z00) * rdy
    east = east + load(wind, j) - drag * u00
    north = (b00 - bm0) * rdy + viscosity * (z0p - z00) * (load(rz, j) * dy) - twist * rdy
    north, kept = (north - drag * v00) * load(open, j), cy * load(e, j, i) + de * load(p, j, i)
    moved = cy * load(u, j, i) + du * load(q, j, i)
    return kept + te * height, moved + tu * east, cy * load(v, j, i) + dv * load(r, j, i) + tv * north


def energy_over(load, a, c, j, i):
    """Return one stage over a bottom, which conserves energy; a = (e, u, v, p, q, r, dx, ...), c = `SCALARS`."""
    e, u, v, p, q, r, dx, dxe, ra, rz, fa, fb, fc, wind, open, bottom = a
    depth, gravity, dy, rdy, viscosity, drag, half, quarter, se, su, sv, cy, de, du, dv, te, tu, tv = c
    emm, em0 = load(e, j - 1, i - 1) + se * load(p, j - 1, i - 1), load(e, j - 1, i) + se * load(p, j - 1, i)
    emp, e0m = load(e, j - 1, i + 1) + se * load(p, j - 1, i + 1), load(e, j, i - 1) + se * load(p, j, i - 1)
    e00, e0p = load(e, j, i) + se * load(p, j, i), load(e, j, i + 1) + se * load(p, j, i + 1)
    epm, ep0 = load(e, j + 1, i - 1) + se * load(p, j + 1, i - 1), load(e, j + 1, i) + se * load(p, j + 1, i)
    hmm, hm0 = depth + emm - load(bottom, j - 1, i - 1), depth + em0 - load(bottom, j - 1, i)
    hmp, h0m = depth + emp - load(bottom, j - 1, i + 1), depth + e0m - load(bottom, j, i - 1)
    h00, h0p = depth + e00 - load(bottom, j, i), depth + e0p - load(bottom, j, i + 1)
    hpm, hp0 = depth + epm - load(bottom, j + 1, i - 1), depth + ep0 - load(bottom, j + 1, i)
    um0, ump = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j - 1, i + 1) + su * load(q, j - 1, i + 1)
    u0m, u00 = load(u, j, i - 1) + su * load(q, j, i - 1), load(u, j, i) + su * load(q, j, i)
    u0p, up0 = load(u, j, i + 1) + su * load(q, j, i + 1), load(u, j + 1, i) + su * load(q, j + 1, i)
    vm0, v0m = load(v, j - 1, i) + sv * load(r, j - 1, i), load(v, j, i - 1) + sv * load(r, j, i - 1)
    v00, v0p = load(v, j, i) + sv * load(r, j, i), load(v, j, i + 1) + sv * load(r, j, i + 1)
    vpm, vp0 = load(v, j + 1, i - 1) + sv * load(r, j + 1, i - 1), load(v, j + 1, i) + sv * load(r, j + 1, i)
    xm, x0, xp, wm, w0 = load(dx, j - 1), load(dx, j), load(dx, j + 1), load(dxe, j - 1), load(dxe, j)
    wp = load(dxe, j + 1)
    area, rdx = load(ra, j), load(ra, j) * dy
    # Relative vorticity and potential vorticity at the corners.
    z00 = ((v00 - v0m) * dy - (u00 * x0 - um0 * xm)) * load(rz, j)
    s00 = (load(fa, j) + load(fb, j) * load(fc, i) + z00) / (quarter * (h00 + h0m + (hm0 + hmm)))
    zp0 = ((vp0 - vpm) * dy - (up0 * xp - u00 * x0)) * load(rz, j + 1)
    sp0 = (load(fa, j + 1) + load(fb, j + 1) * load(fc, i) + zp0) / (quarter * (hp0 + hpm + (h00 + h0m)))
    z0p = ((v0p - v00) * dy - (u0p * x0 - ump * xm)) * load(rz, j)
    s0p = (load(fa, j) + load(fb, j) * load(fc, i + 1) + z0p) / (quarter * (h0p + h00 + (hmp + hm0)))
    # Volume fluxes through the faces that meet this cell's.
    f00, f0m, fp0 = half * (h00 + hm0) * v00 * w0, half * (h0m + hmm) * v0m * w0, half * (hp0 + h00) * vp0 * wp
    fpm, g00, g0p = half * (hpm + h0m) * vpm * wp, half * (h00 + h0m) * u00 * dy, half * (h0p + h00) * u0p * dy
    gm0, gmp = half * (hm0 + hmm) * um0 * dy, half * (hmp + hm0) * ump * dy
    # Bernoulli function, less friction by divergence and negative, of this cell, the one west and the one south of it.
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    b00 = viscosity * d00 - (gravity * e00 + quarter * (speeds + across * rdx))
    speeds, across = u0m * u0m + u00 * u00, v0m * v0m * w0 + vpm * vpm * wp
    d0m = ((u00 - u0m) * dy + (vpm * wp - v0m * w0)) * area
    b0m = viscosity * d0m - (gravity * e0m + quarter * (speeds + across * rdx))
    speeds, across = um0 * um0 + ump * ump, vm0 * vm0 * wm + v00 * v00 * w0
    dm0, height = ((ump - um0) * dy + (v00 * w0 - vm0 * wm)) * load(ra, j - 1), -((g0p - g00) + (fp0 - f00)) * area
    bm0 = viscosity * dm0 - (gravity * em0 + quarter * (speeds + across * (load(ra, j - 1) * dy)))
    turn, twist = quarter * (s00 * (f0m + f00) + sp0 * (fpm + fp0)), quarter * (s00 * (gm0 + g00) + s0p * (gmp + g0p))
    east = turn * rdx + (b00 - b0m) * rdx - viscosity * (zp0 - z00) * rdy
    east = east + load(wind, j) - drag * u00
    north = (b00 - bm0) * rdy + viscosity * (z0p - z00) * (load(rz, j) * dy) - twist * rdy
    north, kept = (north - drag * v00) * load(open, j), cy * load(e, j, i) + de * load(p, j, i)
    moved = cy * load(u, j, i) + du * load(q, j, i)
    return kept + te * height, moved + tu * east, cy * load(v, j, i) + dv * load(r, j, i) + tv * north


def triads(load, a, c, j, i):
    """Return one stage over a bottom, vorticity fluxes by triads; a = (e, u, v, p, q, r, dx, ...), c = `SCALARS`."""
    e, u, v, p, q, r, dx, dxe, ra, rz, wind, open, bottom, s = a
    depth, gravity, dy, rdy, viscosity, drag, half, quarter, se = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]
    su, sv, cy, de, du, dv, te, tu, tv = c[9], c[10], c[11], c[12], c[13], c[14], c[15], c[16], c[17]
    shared, own, third = c[18], c[19], c[20]
    emm, em0 = load(e, j - 1, i - 1) + se * load(p, j - 1, i - 1), load(e, j - 1, i) + se * load(p, j - 1, i)
    emp, e0m = load(e, j - 1, i + 1) + se * load(p, j - 1, i + 1), load(e, j, i - 1) + se * load(p, j, i - 1)
    e00, e0p = load(e, j, i) + se * load(p, j, i), load(e, j, i + 1) + se * load(p, j, i + 1)
    epm, ep0 = load(e, j + 1, i - 1) + se * load(p, j + 1, i - 1), load(e, j + 1, i) + se * load(p, j + 1, i)
    hmm, hm0 = depth + emm - load(bottom, j - 1, i - 1), depth + em0 - load(bottom, j - 1, i)
    hmp, h0m = depth + emp - load(bottom, j - 1, i + 1), depth + e0m - load(bottom, j, i - 1)
    h00, h0p = depth + e00 - load(bottom, j, i), depth + e0p - load(bottom, j, i + 1)
    hpm, hp0 = depth + epm - load(bottom, j + 1, i - 1), depth + ep0 - load(bottom, j + 1, i)
    um0, ump = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j - 1, i + 1) + su * load(q, j - 1, i + 1)
    u0m, u00 = load(u, j, i - 1) + su * load(q, j, i - 1), load(u, j, i) + su * load(q, j, i)
    u0p, up0 = load(u, j, i + 1) + su * load(q, j, i + 1), load(u, j + 1, i) + su * load(q, j + 1, i)
    vm0, v0m = load(v, j - 1, i) + sv * load(r, j - 1, i), load(v, j, i - 1) + sv * load(r, j, i - 1)
    v00, v0p = load(v, j, i) + sv * load(r, j, i), load(v, j, i + 1) + sv * load(r, j, i + 1)
    vpm, vp0 = load(v, j + 1, i - 1) + sv * load(r, j + 1, i - 1), load(v, j + 1, i) + sv * load(r, j + 1, i)
    xm, x0, xp, wm, w0 = load(dx, j - 1), load(dx, j), load(dx, j + 1), load(dxe, j - 1), load(dxe, j)
    wp = load(dxe, j + 1)
    area, rdx = load(ra, j), load(ra, j) * dy
    z00 = ((v00 - v0m) * dy - (u00 * x0 - um0 * xm)) * load(rz, j)
    zp0 = ((vp0 - vpm) * dy - (up0 * xp - u00 * x0)) * load(rz, j + 1)
    z0p = ((v0p - v00) * dy - (u0p * x0 - ump * xm)) * load(rz, j)
    sm0, smp, s0m, s00 = load(s, j - 1, i), load(s, j - 1, i + 1), load(s, j, i - 1), load(s, j, i)
    s0p, spm, sp0, spp = load(s, j, i + 1), load(s, j + 1, i - 1), load(s, j + 1, i), load(s, j + 1, i + 1)
    # Volume fluxes through the faces that meet this cell's.
    f00, f0m, fp0 = half * (h00 + hm0) * v00 * w0, half * (h0m + hmm) * v0m * w0, half * (hp0 + h00) * vp0 * wp
    fpm, g00, g0p = half * (hpm + h0m) * vpm * wp, half * (h00 + h0m) * u00 * dy, half * (h0p + h00) * u0p * dy
    gm0, gmp = half * (hm0 + hmm) * um0 * dy, half * (hmp + hm0) * ump * dy
    # Bernoulli function and divergence of this cell, the one west and the one south of it.
    speeds, across = u00 * u00 + u0p * u0p, v00 * v00 * w0 + vp0 * vp0 * wp
    b00, d00 = gravity * e00 + quarter * (speeds + across * rdx), ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    speeds, across = u0m * u0m + u00 * u00, v0m * v0m * w0 + vpm * vpm * wp
    b0m, d0m = gravity * e0m + quarter * (speeds + across * rdx), ((u00 - u0m) * dy + (vpm * wp - v0m * w0)) * area
    speeds, across = um0 * um0 + ump * ump, vm0 * vm0 * wm + v00 * v00 * w0
    bm0 = gravity * em0 + quarter * (speeds + across * (load(ra, j - 1) * dy))
    dm0, height = ((ump - um0) * dy + (v00 * w0 - vm0 * wm)) * load(ra, j - 1), -((g0p - g00) + (fp0 - f00)) * area
    turn = (shared * s00 + own * sp0 + third * s0m) * f0m + (shared * sp0 + own * s00 + third * spm) * fpm
    turn = turn + ((shared * s00 + own * sp0 + third * s0p) * f00 + (shared * sp0 + own * s00 + third * spp) * fp0)
    twist = (shared * s00 + own * s0p + third * sm0) * gm0 + (shared * s0p + own * s00 + third * smp) * gmp
    twist = twist + ((shared * s00 + own * s0p + third * sp0) * g00 + (shared * s0p + own * s00 + third * spp) * g0p)
    east = turn * rdx - (b00 - b0m) * rdx + viscosity * ((d00 - d0m) * rdx - (zp0 - z00) * rdy)
    east = east + load(wind, j) - drag * u00
    north = viscosity * ((d00 - dm0) * rdy + (z0p - z00) * load(rz, j) * dy) - twist * rdy - (b00 - bm0) * rdy
    north, kept = (north - drag * v00) * load(open, j), cy * load(e, j, i) + de * load(p, j, i)
    moved = cy * load(u, j, i) + du * load(q, j, i)
    return kept + te * height, moved + tu * east, cy * load(v, j, i) + dv * load(r, j, i) + tv * north


def potential_vorticity(load, a, c, j, i):
    """Return absolute vorticity over thickness at the corner, times the last scalar.

    a = (e, u, v, p, q, r, dx, rz, fa, fb, fc, bottom), c = (depth, dy, quarter, se, su, sv, factor)
    """
    e, u, v, p, q, r, dx, rz, fa, fb, fc, bottom = a
    depth, dy, quarter, se, su, sv, factor = c
    here = load(e, j, i) + load(e, j, i - 1) + se * (load(p, j, i) + load(p, j, i - 1))
    below = load(e, j - 1, i) + load(e, j - 1, i - 1) + se * (load(p, j - 1, i) + load(p, j - 1, i - 1))
    ground = load(bottom, j, i) + load(bottom, j, i - 1) + (load(bottom, j - 1, i) + load(bottom, j - 1, i - 1))
    along = load(v, j, i) - load(v, j, i - 1) + sv * (load(r, j, i) - load(r, j, i - 1))
    upper = (load(u, j, i) + su * load(q, j, i)) * load(dx, j)
    lower = (load(u, j - 1, i) + su * load(q, j - 1, i)) * load(dx, j - 1)
    vorticity = (along * dy - (upper - lower)) * load(rz, j)
    thickness = depth + quarter * (here + below - ground)
    return factor * ((load(fa, j) + load(fb, j) * load(fc, i) + vorticity) / thickness)
