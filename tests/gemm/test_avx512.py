"""What is special to our own products: which arithmetic a format gets, and processors that lack it."""

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable
from mpsolve.gemm import avx512
from mpsolve.kernels import hardware
from mpsolve.precision import get_format

FEATURES = {"avx512f": True, "avx512bf16": True}


@pytest.fixture
def processor(monkeypatch):
    """Return a function that pretends a set of features; the real ones must include AVX-512."""
    pytest.importorskip("numba")
    real = hardware.features()
    if not real.get("avx512f"):
        pytest.skip("this processor has no AVX-512")
    return lambda **features: monkeypatch.setattr(hardware, "features", lambda: {**real, **features})


def test_without_avx512_it_is_unavailable(processor):
    processor(avx512f=False)
    with pytest.raises(BackendUnavailable, match="AVX-512"):
        avx512.create.__wrapped__(get_format("fp32"), 1)


@pytest.mark.parametrize(
    ("name", "kind"), [("fp64", "fp64"), ("fp32", "fp32"), ("tf32", "fp32"), ("fp16", "fp32"), ("bf16", "fp32")]
)
def test_without_bf16_instructions_it_computes_in_fp32(processor, name, kind):
    processor(avx512bf16=False)
    gemm = avx512.create.__wrapped__(get_format(name), 1)
    assert gemm.kind == kind
    rng = np.random.default_rng(0)
    left, right = (gemm.format.encode(rng.integers(-3, 4, (20, 20)).astype(gemm.result)) for _ in range(2))
    c = np.zeros((20, 20), gemm.result)
    gemm.multiply(c, gemm.left(left), gemm.right(right))
    # Small integers are exact in every format.
    assert np.array_equal(c, gemm.format.decode(left) @ gemm.format.decode(right))


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2"])
def test_every_pattern_of_an_8_bit_format_is_exact_in_bf16(name):
    format, narrow = get_format(name), get_format("bf16")
    patterns = np.arange(256, dtype=np.uint8).view(format.storage)
    table = avx512._table(format, "bf16")
    assert np.array_equal(narrow.decode(table), format.decode(patterns), equal_nan=True)


def test_an_odd_inner_size_has_a_zero_for_a_partner():
    format = get_format("bf16")
    try:
        gemm = avx512.create(format, 1)
    except BackendUnavailable as problem:
        pytest.skip(str(problem))
    left, right = (format.encode(np.ones(shape, np.float32)) for shape in ((7, 5), (5, 9)))
    c = np.zeros((7, 9), np.float32)
    gemm.multiply(c, gemm.left(left), gemm.right(right))
    assert np.all(c == 5)


@pytest.mark.parametrize("name", ["fp32", "fp64"])
def test_a_product_may_overwrite_its_operand(processor, name):
    gemm = avx512.create(get_format(name), 1)
    rng = np.random.default_rng(0)
    left, right = (rng.integers(-3, 4, (40, 40)).astype(gemm.result) for _ in range(2))
    wanted = left @ right
    gemm.multiply(right, gemm.left(left), gemm.right(right))
    # Small integers are exact.
    assert gemm.copies and np.array_equal(right, wanted)
