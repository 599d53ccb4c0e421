"""Rows solved side by side: the bits of NumPy's loop, whatever part of a group of rows or of a square is filled."""

import numpy as np
import pytest

from mpsolve.backends.reference import ReferenceBackend
from mpsolve.field import Field
from mpsolve.lookup import find
from mpsolve.precision import get_format
from mpsolve.solvers.lines import factorise

#: Fewer and more rows and columns than a group has, whole groups, and planes.
SHAPES = [(1, 3), (5, 16), (16, 16), (37, 50), (3, 19, 33), (2, 16, 7)]


def system(shape, ring):
    rng = np.random.default_rng(6)
    off = -rng.uniform(0.5, 1.5, shape)
    corner = off[..., 0] if ring else np.zeros(shape[:-1])
    return 3.5 + rng.random(shape), off, corner, rng.uniform(-1, 1, shape)


def solved(backend, name, shape, ring, halo):
    format = get_format(name)
    wide = get_format("fp64" if name == "fp64" else "fp32")
    diagonal, off, corner, right = system(shape, ring)
    output, argument = (Field.zeros(shape, halo, format) for _ in range(2))
    lower, inverse, border = (Field.zeros(shape, halo, wide).set(v) for v in factorise(diagonal, off, corner))
    backend.bind_lines(output, argument.set(right), (lower, inverse, border))()
    return output


@pytest.mark.parametrize("halo", [0, 2])
@pytest.mark.parametrize("ring", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["fp64", "fp32", "fp16", "bf16"])
def test_rows_have_the_bits_of_the_reference(name, shape, ring, halo):
    expected = solved(ReferenceBackend(), name, shape, ring, halo)
    for threads in (1, 2):
        got = solved(find("backends", "cpu").create(threads), name, shape, ring, halo)
        assert np.array_equal(got.interior, expected.interior)
        # Nothing beside the rows is written.
        got.interior[...] = 0
        assert not got.storage.any()


@pytest.mark.parametrize("ring", [True, False])
def test_rows_are_solved(ring):
    shape = (18, 40)
    diagonal, off, corner, right = system(shape, ring)
    found = solved(find("backends", "cpu").create(1), "fp64", shape, ring, 2).to_numpy()
    for row in range(shape[0]):
        matrix = np.diag(diagonal[row]) + np.diag(off[row, 1:], 1) + np.diag(off[row, 1:], -1)
        matrix[0, -1] += corner[row]
        matrix[-1, 0] += corner[row]
        # Rows are dominant: the inverse is at most 1 / (3.5 - 3) in size, and each of 40 columns rounds a few times.
        assert np.abs(matrix @ found[row] - right[row]).max() <= 40 * 8 * 2.0**-53 * np.abs(matrix).sum(1).max() * 2
