"""How operands are packed: the order of the words, the zeros that fill the last tile, and parts of the inner size."""

import numpy as np
import pytest

from mpsolve.precision import get_format


@pytest.fixture
def kernels():
    """Return the module of the kernels where their vectors work."""
    pytest.importorskip("numba")
    from mpsolve.kernels import hardware, tile_product

    if not hardware.features().get("avx512f"):
        pytest.skip("this processor has no AVX-512")
    return tile_product


def stored(name, shape):
    """Return random numbers of a format as part of a larger matrix, flat, and the distance of its rows."""
    format, rng = get_format(name), np.random.default_rng(0)
    whole = format.encode(rng.standard_normal((shape[0], shape[1] + 5)).astype(format.compute))
    return whole[:, : shape[1]], whole.reshape(-1)[: (shape[0] - 1) * whole.shape[1] + shape[1]], whole.shape[1]


def in_groups(values, length, steps, first, height):
    """Return columns first to first + steps of a matrix in groups of rows, column by column, filled with zeros."""
    padded = np.zeros((-(-length // height) * height, steps), values.dtype)
    part = values[:, first : first + steps]
    padded[:length, : part.shape[1]] = part
    return np.concatenate([padded[row : row + height].T.ravel() for row in range(0, len(padded), height)])


@pytest.mark.parametrize(("first", "steps"), [(0, 40), (7, 33), (3, 5), (0, 16)])
@pytest.mark.parametrize("rows", [1, 6, 13])
@pytest.mark.parametrize("name", ["fp64", "fp32", "fp16"])
def test_rows_are_packed_step_after_step(kernels, name, rows, first, steps):
    from mpsolve.kernels.register_tile import ROWS

    kind, format = ("fp64" if name == "fp64" else "fp32"), get_format(name)
    values, array, distance = stored(name, (rows, 40))
    wanted = in_groups(format.decode(values), rows, steps, first, ROWS)
    out = np.full(wanted.size, np.nan, format.compute)
    kernels.pack_left(kind, format)(out, array, distance, rows, 40, first, steps, 0, -(-rows // ROWS))
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize(("first", "steps"), [(0, 21), (4, 17), (20, 1)])
@pytest.mark.parametrize("name", ["bf16", "fp8_e4m3", "fp8_e5m2"])
def test_pairs_of_a_row_are_words_and_an_odd_one_has_a_zero(kernels, name, first, steps):
    from mpsolve.kernels.register_tile import ROWS

    format, rows, inner = get_format(name), 9, 41
    values, array, distance = stored(name, (rows, inner))
    padded = np.zeros((rows, inner + 1), np.uint16)
    padded[:, :inner] = get_format("bf16").encode(format.decode(values))
    wanted = in_groups(padded.view(np.uint32), rows, steps, first, ROWS)
    out = np.full(wanted.size, 7, np.uint32)
    kernels.pack_left("bf16", format)(out, array, distance, rows, inner, first, steps, 0, 2)
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize("columns", [1, 64, 130])
@pytest.mark.parametrize("name", ["bf16", "fp8_e5m2"])
def test_pairs_of_rows_are_words_of_their_columns(kernels, name, columns):
    format, inner = get_format(name), 41
    values, array, distance = stored(name, (inner, columns))
    padded = np.zeros((inner + 1, columns), np.uint32)
    padded[:inner] = get_format("bf16").encode(format.decode(values))
    wanted = in_groups((padded[::2] | padded[1::2] << np.uint32(16)).T, columns, 18, 3, 64)
    out = np.full(wanted.size, 7, np.uint32)
    kernels.pack_right("bf16", format)(out, array, distance, columns, inner, 3, 18, 0, -(-columns // 64))
    assert np.array_equal(out, wanted)
