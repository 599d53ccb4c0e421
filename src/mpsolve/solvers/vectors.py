"""Point functions on vectors, cell by cell."""


def scaled_copy(load, a, c, *index):
    """Return c v: a vector brought into the range of another format; a = (v,), c = (scale,)."""
    (vector,) = a
    (scale,) = c
    return scale * load(vector, *index)


def add_scaled(load, a, c, *index):
    """Return x + c d; a = (x, d), c = (scale,)."""
    x, correction = a
    (scale,) = c
    return load(x, *index) + scale * load(correction, *index)


def add_two(load, a, c, *index):
    """Return x + f p + g q; a = (x, p, q), c = (f, g)."""
    x, p, q = a
    f, g = c
    return load(x, *index) + f * load(p, *index) + g * load(q, *index)


def multiply(load, a, c, *index):
    """Return the product of two vectors; a = (left, right)."""
    return load(a[0], *index) * load(a[1], *index)
