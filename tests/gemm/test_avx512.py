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


@pytest.fixture
def make():
    """Return a function that creates the products of a format, or skips the test."""

    def create(name, threads=1):
        try:
            return avx512.create(get_format(name), threads)
        except BackendUnavailable as problem:
            pytest.skip(str(problem))

    return create


@pytest.mark.parametrize("bf16", [True, False], ids=["in bf16", "in fp32"])
@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2", "fp16"])
def test_every_pattern_is_decoded_without_error(processor, name, bf16):
    if bf16 and not hardware.features().get("avx512bf16"):
        pytest.skip("this processor has no BF16 instructions")
    processor(avx512bf16=bf16)
    gemm = avx512.create.__wrapped__(get_format(name), 1)
    words = np.arange(1 << gemm.format.bits).astype(gemm.format.storage)
    one = gemm.format.encode(np.ones((1, 1)))
    values = gemm.format.decode(words)
    for left, right in ((words[:, None], one), (one, words[None, :])):
        c = np.empty((left.shape[0], right.shape[1]), np.float32)
        gemm.multiply(c, gemm.left(left), gemm.right(right))
        assert np.array_equal(c.ravel(), values, equal_nan=True)


def test_subnormal_bf16_operands_may_count_as_zeros_but_normal_ones_do_not(make):
    gemm, tiny = make("bf16"), np.finfo(np.float32).tiny
    values = np.array([[tiny / 2], [tiny]], np.float32)
    c = np.empty((2, 1), np.float32)
    gemm.multiply(c, gemm.left(gemm.format.encode(values)), gemm.right(gemm.format.encode(np.full((1, 1), 4.0))))
    assert c[0, 0] in (0.0, 2 * tiny) and c[1, 0] == 4 * tiny


@pytest.mark.parametrize("shape", [(640, 256, 1600), (1600, 256, 96)], ids=["by strips", "by groups"])
def test_shares_of_threads_have_the_bits_of_one_thread(make, shape):
    (m, k, n), rng = shape, np.random.default_rng(0)
    one, two = make("fp32"), make("fp32", 2)
    left, right = (rng.standard_normal(part).astype(np.float32) for part in ((m, k), (k, n)))
    c, d = np.empty((m, n), np.float32), np.empty((m, n), np.float32)
    one.multiply(c, one.left(left), one.right(right))
    two.multiply(d, two.left(left), two.right(right))
    assert np.array_equal(c, d)


def test_an_odd_inner_size_has_a_zero_for_a_partner(make):
    gemm = make("bf16")
    left, right = (gemm.format.encode(np.ones(shape, np.float32)) for shape in ((7, 5), (5, 9)))
    c = np.zeros((7, 9), np.float32)
    gemm.multiply(c, gemm.left(left), gemm.right(right))
    assert np.all(c == 5)
