"""What is special to MKL's products: exact integers, and a library that is missing or wrong."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.gemm import mkl
from mpsolve.precision import get_format


@pytest.fixture
def library():
    try:
        return mkl._library()
    except BackendUnavailable as problem:
        pytest.skip(str(problem))


@pytest.fixture
def integers(library):
    """Return the function that multiplies integers, or skip where MKL gets them wrong."""
    if not mkl._integers_are_right(library):
        pytest.skip("this processor adds pairs of products with saturation")
    return mkl.integer_product


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("signed", ["left", "right"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 9), (64, 33, 17), (3, 0, 4), (0, 3, 4), (131, 257, 70)])
def test_products_of_integers_are_exact(integers, shape, signed, threads):
    (m, k, n), rng = shape, np.random.default_rng(0)
    kinds = (np.int8, np.uint8) if signed == "left" else (np.uint8, np.int8)
    # Parts of larger matrices, so that their rows are apart.
    left, right = (
        rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, (rows + 1, columns + 3)).astype(kind)[1:, 2:-1]
        for (rows, columns), kind in zip(((m, k), (k, n)), kinds, strict=True)
    )
    assert np.array_equal(integers(left, right, threads), left.astype(np.int64) @ right.astype(np.int64))


def test_integers_of_one_sign_are_refused(integers):
    with pytest.raises(FormatError, match="one int8 and one uint8"):
        integers(np.ones((2, 2), np.int8), np.ones((2, 2), np.int8))


def test_wrong_integers_are_found_before_they_are_used(library, monkeypatch):
    monkeypatch.setattr(mkl, "_integers_are_right", lambda library: False)
    with pytest.raises(BackendUnavailable, match="s8u8s32"):
        mkl.integer_product(np.ones((2, 2), np.int8), np.ones((2, 2), np.uint8))


def test_the_wide_interface_of_the_library_gives_the_same_products(library):
    code = "from mpsolve.gemm import mkl; from mpsolve.precision import get_format; mkl.create(get_format('bf16'))"
    environment = {**os.environ, "MKL_INTERFACE_LAYER": "ILP64"}
    # Creating it compares a product with NumPy's; before sizes had 64 bits, it ended with a segmentation fault.
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0


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
