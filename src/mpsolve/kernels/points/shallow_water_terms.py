"""Point functions of rotating shallow water in parts: the terms of a stage, its continuity, its momentum.

They do what those of `mpsolve.kernels.points.shallow_water` do in one pass, with the same places and vectors. Between
the parts lie arrays: potential vorticity ``s`` and relative vorticity ``z`` at corners, kinetic energy ``k`` and
divergence ``d`` at centres, each divided by a scale and kept in a format of its own. The height may so be made before
the velocities, which then feel its gradient at a later time.
"""


def friction(load, a, c, j, i):
    """Return the vector Laplacian of the velocities; a = (u, v, q, r, dx, dxe, ra, rz, open), c = (dy, rdy, su, sv)."""
    u, v, q, r, dx, dxe, ra, rz, open = a
    dy, rdy, su, sv = c
    um0, ump = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j - 1, i + 1) + su * load(q, j - 1, i + 1)
    u0m, u00 = load(u, j, i - 1) + su * load(q, j, i - 1), load(u, j, i) + su * load(q, j, i)
    u0p, up0 = load(u, j, i + 1) + su * load(q, j, i + 1), load(u, j + 1, i) + su * load(q, j + 1, i)
    vm0, v0m = load(v, j - 1, i) + sv * load(r, j - 1, i), load(v, j, i - 1) + sv * load(r, j, i - 1)
    v00, v0p = load(v, j, i) + sv * load(r, j, i), load(v, j, i + 1) + sv * load(r, j, i + 1)
    vpm, vp0 = load(v, j + 1, i - 1) + sv * load(r, j + 1, i - 1), load(v, j + 1, i) + sv * load(r, j + 1, i)
    wm, w0, wp = load(dxe, j - 1), load(dxe, j), load(dxe, j + 1)
    x0, area, rdx = load(dx, j), load(ra, j), load(ra, j) * dy
    z00 = ((v00 - v0m) * dy - (u00 * x0 - um0 * load(dx, j - 1))) * load(rz, j)
    zp0 = ((vp0 - vpm) * dy - (up0 * load(dx, j + 1) - u00 * x0)) * load(rz, j + 1)
    z0p = ((v0p - v00) * dy - (u0p * x0 - ump * load(dx, j - 1))) * load(rz, j)
    d00 = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    d0m = ((u00 - u0m) * dy + (vpm * wp - v0m * w0)) * area
    dm0 = ((ump - um0) * dy + (v00 * w0 - vm0 * wm)) * load(ra, j - 1)
    north = (d00 - dm0) * rdy + (z0p - z00) * load(rz, j) * dy
    return (d00 - d0m) * rdx - (zp0 - z00) * rdy, north * load(open, j)


def terms(load, a, c, j, i):
    """Return potential vorticity, kinetic energy, divergence and vorticity, times the last four of the scalars.

    a = (e, u, v, p, q, r, dx, dxe, ra, rz, fa, fb, fc, bottom), c = (depth, dy, quarter, se, su, sv, cs, ck, cd, cz)
    """
    e, u, v, p, q, r, dx, dxe, ra, rz, fa, fb, fc, bottom = a
    depth, dy, quarter, se, su, sv, cs, ck, cd, cz = c
    here = load(e, j, i) + load(e, j, i - 1) + se * (load(p, j, i) + load(p, j, i - 1))
    below = load(e, j - 1, i) + load(e, j - 1, i - 1) + se * (load(p, j - 1, i) + load(p, j - 1, i - 1))
    ground = load(bottom, j, i) + load(bottom, j, i - 1) + (load(bottom, j - 1, i) + load(bottom, j - 1, i - 1))
    um0, u00 = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j, i) + su * load(q, j, i)
    u0p, v0m = load(u, j, i + 1) + su * load(q, j, i + 1), load(v, j, i - 1) + sv * load(r, j, i - 1)
    v00, vp0 = load(v, j, i) + sv * load(r, j, i), load(v, j + 1, i) + sv * load(r, j + 1, i)
    w0, wp, area = load(dxe, j), load(dxe, j + 1), load(ra, j)
    spin = ((v00 - v0m) * dy - (u00 * load(dx, j) - um0 * load(dx, j - 1))) * load(rz, j)
    potential = (load(fa, j) + load(fb, j) * load(fc, i) + spin) / (depth + quarter * (here + below - ground))
    kinetic = quarter * (u00 * u00 + u0p * u0p + (v00 * v00 * w0 + vp0 * vp0 * wp) * (area * dy))
    spread = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    return cs * potential, ck * kinetic, cd * spread, cz * spin


def terms_beyond(load, a, c, j, i):
    """Return `terms` with divergence and vorticity of ``viscosity (u, v) - hyperviscosity (lu, lv)``.

    a = (..., bottom, lu, lv), where (lu, lv) is what `friction` made; c = (..., sv, viscosity, hyperviscosity, cs, ...)
    """
    e, u, v, p, q, r, dx, dxe, ra, rz, fa, fb, fc, bottom, lu, lv = a
    depth, dy, quarter, se, su, sv, viscosity, hyperviscosity, cs, ck, cd, cz = c
    here = load(e, j, i) + load(e, j, i - 1) + se * (load(p, j, i) + load(p, j, i - 1))
    below = load(e, j - 1, i) + load(e, j - 1, i - 1) + se * (load(p, j - 1, i) + load(p, j - 1, i - 1))
    ground = load(bottom, j, i) + load(bottom, j, i - 1) + (load(bottom, j - 1, i) + load(bottom, j - 1, i - 1))
    um0, u00 = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j, i) + su * load(q, j, i)
    u0p, v0m = load(u, j, i + 1) + su * load(q, j, i + 1), load(v, j, i - 1) + sv * load(r, j, i - 1)
    v00, vp0 = load(v, j, i) + sv * load(r, j, i), load(v, j + 1, i) + sv * load(r, j + 1, i)
    w0, wp, area, x0, xm = load(dxe, j), load(dxe, j + 1), load(ra, j), load(dx, j), load(dx, j - 1)
    spin = ((v00 - v0m) * dy - (u00 * x0 - um0 * xm)) * load(rz, j)
    potential = (load(fa, j) + load(fb, j) * load(fc, i) + spin) / (depth + quarter * (here + below - ground))
    kinetic = quarter * (u00 * u00 + u0p * u0p + (v00 * v00 * w0 + vp0 * vp0 * wp) * (area * dy))
    spread = ((u0p - u00) * dy + (vp0 * wp - v00 * w0)) * area
    far = ((load(lu, j, i + 1) - load(lu, j, i)) * dy + (load(lv, j + 1, i) * wp - load(lv, j, i) * w0)) * area
    turn = (load(lv, j, i) - load(lv, j, i - 1)) * dy - (load(lu, j, i) * x0 - load(lu, j - 1, i) * xm)
    spread, spin = viscosity * spread - hyperviscosity * far, viscosity * spin - hyperviscosity * turn * load(rz, j)
    return cs * potential, ck * kinetic, cd * spread, cz * spin


def continuity(load, a, c, j, i):
    """Return the height of a stage; a = (e, u, v, p, q, r, dxe, ra, bottom).

    c = (depth, dy, half, se, su, sv, cy, de, te): as in `mpsolve.kernels.points.shallow_water.SCALARS`
    """
    e, u, v, p, q, r, dxe, ra, bottom = a
    depth, dy, half, se, su, sv, cy, de, te = c
    h00 = depth + (load(e, j, i) + se * load(p, j, i)) - load(bottom, j, i)
    h0m = depth + (load(e, j, i - 1) + se * load(p, j, i - 1)) - load(bottom, j, i - 1)
    h0p = depth + (load(e, j, i + 1) + se * load(p, j, i + 1)) - load(bottom, j, i + 1)
    hm0 = depth + (load(e, j - 1, i) + se * load(p, j - 1, i)) - load(bottom, j - 1, i)
    hp0 = depth + (load(e, j + 1, i) + se * load(p, j + 1, i)) - load(bottom, j + 1, i)
    west = half * (h00 + h0m) * (load(u, j, i) + su * load(q, j, i)) * dy
    east = half * (h0p + h00) * (load(u, j, i + 1) + su * load(q, j, i + 1)) * dy
    south = half * (h00 + hm0) * (load(v, j, i) + sv * load(r, j, i)) * load(dxe, j)
    north = half * (hp0 + h00) * (load(v, j + 1, i) + sv * load(r, j + 1, i)) * load(dxe, j + 1)
    height = -((east - west) + (north - south)) * load(ra, j)
    return cy * load(e, j, i) + de * load(p, j, i) + te * height


def momentum(load, a, c, j, i):
    """Return the velocities of a stage; the pressure is that of the height ``ce e + cp p + cn n``.

    a = (e, u, v, p, q, r, n, dxe, ra, rz, wind, open, bottom, s, k, d, z)
    c = (depth, gravity, dy, rdy, drag, half, se, su, sv, ce, cp, cn, cy, du, dv, tu, tv, shared, own, third, fk, fd,
    fz): the weights of the vorticity are times its scale, and the last three are the scales of the other terms
    """
    e, u, v, p, q, r, n, dxe, ra, rz, wind, open, bottom, s, k, d, z = a
    depth, gravity, dy, rdy, drag, half, se, su, sv = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]
    ce, cp, cn, cy, du, dv, tu, tv = c[9], c[10], c[11], c[12], c[13], c[14], c[15], c[16]
    shared, own, third, fk, fd, fz = c[17], c[18], c[19], c[20], c[21], c[22]
    hmm = depth + (load(e, j - 1, i - 1) + se * load(p, j - 1, i - 1)) - load(bottom, j - 1, i - 1)
    hm0 = depth + (load(e, j - 1, i) + se * load(p, j - 1, i)) - load(bottom, j - 1, i)
    hmp = depth + (load(e, j - 1, i + 1) + se * load(p, j - 1, i + 1)) - load(bottom, j - 1, i + 1)
    h0m = depth + (load(e, j, i - 1) + se * load(p, j, i - 1)) - load(bottom, j, i - 1)
    h00 = depth + (load(e, j, i) + se * load(p, j, i)) - load(bottom, j, i)
    h0p = depth + (load(e, j, i + 1) + se * load(p, j, i + 1)) - load(bottom, j, i + 1)
    hpm = depth + (load(e, j + 1, i - 1) + se * load(p, j + 1, i - 1)) - load(bottom, j + 1, i - 1)
    hp0 = depth + (load(e, j + 1, i) + se * load(p, j + 1, i)) - load(bottom, j + 1, i)
    um0, ump = load(u, j - 1, i) + su * load(q, j - 1, i), load(u, j - 1, i + 1) + su * load(q, j - 1, i + 1)
    u00, u0p = load(u, j, i) + su * load(q, j, i), load(u, j, i + 1) + su * load(q, j, i + 1)
    v0m, v00 = load(v, j, i - 1) + sv * load(r, j, i - 1), load(v, j, i) + sv * load(r, j, i)
    vpm, vp0 = load(v, j + 1, i - 1) + sv * load(r, j + 1, i - 1), load(v, j + 1, i) + sv * load(r, j + 1, i)
    w0, wp, rdx, rwx = load(dxe, j), load(dxe, j + 1), load(ra, j) * dy, load(rz, j) * dy
    # Volume fluxes through the faces that meet this cell's.
    f00, f0m, fp0 = half * (h00 + hm0) * v00 * w0, half * (h0m + hmm) * v0m * w0, half * (hp0 + h00) * vp0 * wp
    fpm, g00, g0p = half * (hpm + h0m) * vpm * wp, half * (h00 + h0m) * u00 * dy, half * (h0p + h00) * u0p * dy
    gm0, gmp = half * (hm0 + hmm) * um0 * dy, half * (hmp + hm0) * ump * dy
    sm0, smp, s0m, s00 = load(s, j - 1, i), load(s, j - 1, i + 1), load(s, j, i - 1), load(s, j, i)
    s0p, spm, sp0, spp = load(s, j, i + 1), load(s, j + 1, i - 1), load(s, j + 1, i), load(s, j + 1, i + 1)
    turn = (shared * s00 + own * sp0 + third * s0m) * f0m + (shared * sp0 + own * s00 + third * spm) * fpm
    turn = turn + ((shared * s00 + own * sp0 + third * s0p) * f00 + (shared * sp0 + own * s00 + third * spp) * fp0)
    twist = (shared * s00 + own * s0p + third * sm0) * gm0 + (shared * s0p + own * s00 + third * smp) * gmp
    twist = twist + ((shared * s00 + own * s0p + third * sp0) * g00 + (shared * s0p + own * s00 + third * spp) * g0p)
    p00 = ce * load(e, j, i) + cp * load(p, j, i) + cn * load(n, j, i)
    p0m = ce * load(e, j, i - 1) + cp * load(p, j, i - 1) + cn * load(n, j, i - 1)
    pm0 = ce * load(e, j - 1, i) + cp * load(p, j - 1, i) + cn * load(n, j - 1, i)
    k00, d00, z00 = fk * load(k, j, i), fd * load(d, j, i), fz * load(z, j, i)
    east = turn * rdx - (gravity * (p00 - p0m) + (k00 - fk * load(k, j, i - 1))) * rdx
    east = east + ((d00 - fd * load(d, j, i - 1)) * rdx - (fz * load(z, j + 1, i) - z00) * rdy)
    north = -twist * rdy - (gravity * (p00 - pm0) + (k00 - fk * load(k, j - 1, i))) * rdy
    north = north + ((d00 - fd * load(d, j - 1, i)) * rdy + (fz * load(z, j, i + 1) - z00) * rwx)
    east, north = east + load(wind, j) - drag * u00, (north - drag * v00) * load(open, j)
    moved = cy * load(u, j, i) + du * load(q, j, i)
    return moved + tu * east, cy * load(v, j, i) + dv * load(r, j, i) + tv * north
