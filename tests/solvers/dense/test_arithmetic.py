"""What a factorisation computes with: triangular products, scales, and the choice of products."""

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable
from mpsolve.parallel.alone import Alone
from mpsolve.precision import get_format
from mpsolve.solvers.dense.arithmetic import Arithmetic


@pytest.fixture
def computing(backend, monkeypatch):
    monkeypatch.setattr(type(backend.dense), "smallest_triangle", 8)
    return lambda name, gemm="auto": Arithmetic(Alone(), backend, get_format(name), gemm)


@pytest.mark.parametrize("name", ["fp64", "fp32"])
@pytest.mark.parametrize("n", [1, 7, 16, 45])
def test_triangular_products_are_products(computing, name, n):
    chosen, rng = computing(name), np.random.default_rng(0)
    lower, upper = np.tril(rng.standard_normal((n, n))), np.triu(rng.standard_normal((n, n)))
    wide, tall = rng.standard_normal((n, 30)), rng.standard_normal((30, n))
    lower, upper, wide, tall = (part.astype(chosen.storage) for part in (lower, upper, wide, tall))
    unit = np.finfo(chosen.storage).eps
    held = [chosen.kernels.upload(part.copy()) for part in (lower, upper, wide, tall)]
    chosen.multiply_lower(held[0], held[2])
    chosen.multiply_upper(held[3], held[1])
    row, panel = (chosen.kernels.download(part) for part in held[2:])
    assert np.all(np.abs(row - lower.astype(float) @ wide) <= (n + 2) * unit * (np.abs(lower) @ np.abs(wide)) + unit)
    assert np.all(np.abs(panel - tall.astype(float) @ upper) <= (n + 2) * unit * (np.abs(tall) @ np.abs(upper)) + unit)


@pytest.mark.parametrize("name", ["fp16", "fp8_e4m3"])
@pytest.mark.parametrize("largest", [1e-30, 0.7, 1.0, 3e4, 1e30])
def test_a_scale_uses_the_range_without_leaving_it(computing, name, largest):
    chosen = computing(name)
    scaled = largest * chosen.scale(largest)
    assert chosen.format.largest / 8 <= scaled <= chosen.format.largest
    assert np.frexp(chosen.scale(largest))[0] == 0.5


@pytest.mark.parametrize("name", ["fp64", "fp32", "tf32", "bf16"])
def test_formats_with_the_range_of_fp32_are_not_scaled(computing, name):
    assert computing(name).scale(1e30) == 1.0


@pytest.mark.parametrize("largest", [0.0, np.inf, np.nan])
def test_what_cannot_be_scaled_is_left(computing, largest):
    assert computing("fp16").scale(largest) == 1.0


def test_emulation_can_be_asked_for(computing, backend):
    if backend.name == "cuda":
        with pytest.raises(BackendUnavailable, match="with --backend cuda take solver.gemm = auto"):
            computing("bf16", "emulated")
        return
    chosen = computing("bf16", "emulated")
    assert chosen.update.name == chosen.panels.name == "emulated"


def test_storage_is_fp32_but_for_fp64(computing):
    assert computing("bf16").storage == np.float32 and computing("fp64").storage == np.float64
