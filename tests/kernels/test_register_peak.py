"""The loop that finds the rate of the arithmetic."""

import numpy as np
import pytest


@pytest.mark.parametrize("kind", ["bf16", "fp32", "fp64"])
def test_every_round_adds_its_products_to_every_sum(kind):
    pytest.importorskip("numba")
    from mpsolve.kernels import hardware, register_peak

    if not hardware.features().get("avx512bf16" if kind == "bf16" else "avx512f"):
        pytest.skip("this processor has no such vectors")
    number = np.float64 if kind == "fp64" else np.float32
    # As a pair of BF16, an FP32 number is its upper half and zero.
    assert register_peak.spin(kind)(5, number(2.0)) == 5 * register_peak.SUMS * 4.0
