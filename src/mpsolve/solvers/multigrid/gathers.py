"""Point functions that collect a residual for the coarse cell of each fine cell: the transpose of an interpolation.

Weight ``w_c`` of a fine cell is that of the coarse cell which lies c cells behind its parent; so a fine cell finds, at
the cells before it, what they owe to its own parent. The sum over the children of a coarse cell is the restriction.
"""


def gather_y_2d(load, a, c, i, j):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1 = a
    total = load(w0, i, j) * load(r, i, j)
    return total + load(w1, i, j - 1) * load(r, i, j - 1)


def gather_x_2d(load, a, c, i, j):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1 = a
    total = load(w0, i, j) * load(r, i, j)
    return total + load(w1, i - 1, j) * load(r, i - 1, j)


def gather_xy_2d(load, a, c, i, j):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1, w2, w3 = a
    total = load(w0, i, j) * load(r, i, j)
    total = total + load(w1, i, j - 1) * load(r, i, j - 1)
    total = total + load(w2, i - 1, j) * load(r, i - 1, j)
    return total + load(w3, i - 1, j - 1) * load(r, i - 1, j - 1)


def gather_z_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    return total + load(w1, i, j, k - 1) * load(r, i, j, k - 1)


def gather_y_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    return total + load(w1, i, j - 1, k) * load(r, i, j - 1, k)


def gather_yz_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1, w2, w3 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    total = total + load(w1, i, j, k - 1) * load(r, i, j, k - 1)
    total = total + load(w2, i, j - 1, k) * load(r, i, j - 1, k)
    return total + load(w3, i, j - 1, k - 1) * load(r, i, j - 1, k - 1)


def gather_x_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    return total + load(w1, i - 1, j, k) * load(r, i - 1, j, k)


def gather_xz_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1, w2, w3 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    total = total + load(w1, i, j, k - 1) * load(r, i, j, k - 1)
    total = total + load(w2, i - 1, j, k) * load(r, i - 1, j, k)
    return total + load(w3, i - 1, j, k - 1) * load(r, i - 1, j, k - 1)


def gather_xy_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1, w2, w3 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    total = total + load(w1, i, j - 1, k) * load(r, i, j - 1, k)
    total = total + load(w2, i - 1, j, k) * load(r, i - 1, j, k)
    return total + load(w3, i - 1, j - 1, k) * load(r, i - 1, j - 1, k)


def gather_xyz_3d(load, a, c, i, j, k):
    """Return the sum of weights times residuals; a = (r, weights)."""
    r, w0, w1, w2, w3, w4, w5, w6, w7 = a
    total = load(w0, i, j, k) * load(r, i, j, k)
    total = total + load(w1, i, j, k - 1) * load(r, i, j, k - 1)
    total = total + load(w2, i, j - 1, k) * load(r, i, j - 1, k)
    total = total + load(w3, i, j - 1, k - 1) * load(r, i, j - 1, k - 1)
    total = total + load(w4, i - 1, j, k) * load(r, i - 1, j, k)
    total = total + load(w5, i - 1, j, k - 1) * load(r, i - 1, j, k - 1)
    total = total + load(w6, i - 1, j - 1, k) * load(r, i - 1, j - 1, k)
    return total + load(w7, i - 1, j - 1, k - 1) * load(r, i - 1, j - 1, k - 1)


#: By the axes that are halved.
GATHERS = {
    (False, True): gather_y_2d,
    (True, False): gather_x_2d,
    (True, True): gather_xy_2d,
    (False, False, True): gather_z_3d,
    (False, True, False): gather_y_3d,
    (False, True, True): gather_yz_3d,
    (True, False, False): gather_x_3d,
    (True, False, True): gather_xz_3d,
    (True, True, False): gather_xy_3d,
    (True, True, True): gather_xyz_3d,
}
