"""What is special to MKL's products: exact integers, and a library that is missing or wrong."""

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable
from mpsolve.gemm import mkl
from mpsolve.precision import get_format


@pytest.fixture
def library():
    try:
        return mkl._library()
    except BackendUnavailable as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 9), (64, 33, 17), (3, 0, 4)])
@pytest.mark.usefixtures("library")
def test_products_of_integers_are_exact(shape):
    m, k, n = shape
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 256, (m, k)).astype(np.uint8), rng.integers(-128, 128, (k, n)).astype(np.int8)
    # Some processors add pairs of products with saturation, which small factors do not reach.
    left //= 2
    assert np.array_equal(mkl.integer_product(left, right), left.astype(np.int64) @ right.astype(np.int64))


def test_a_missing_library_names_the_extra(monkeypatch):
    mkl._library.cache_clear()
    monkeypatch.setattr(mkl.metadata, "files", lambda name: [])
    monkeypatch.setattr(mkl.sys, "prefix", "/nowhere")
    try:
        with pytest.raises(BackendUnavailable, match=r"mpsolve\[cpu\]"):
            mkl._library()
    finally:
        mkl._library.cache_clear()


def test_a_wrong_product_is_found_before_it_is_used(library, monkeypatch):
    monkeypatch.setattr(mkl, "_is_right", lambda gemm: False)
    with pytest.raises(BackendUnavailable, match="wrong products"):
        mkl.create.__wrapped__(get_format("fp32"), 1)


def test_the_check_sees_a_wrong_product(library):
    class Wrong(mkl.MklGemm):
        def multiply(self, c, left, right, scale=1.0):
            super().multiply(c, left, right, 2 * scale)

    assert mkl._is_right(mkl.MklGemm(get_format("fp32"), 1, library))
    assert not mkl._is_right(Wrong(get_format("fp32"), 1, library))
