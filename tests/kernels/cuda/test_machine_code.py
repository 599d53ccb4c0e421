"""Every kernel becomes machine code for the cards, where there is a compiler and no card."""

import nvrtc
import pytest

from mpsolve import lookup
from mpsolve.kernels.cuda.devices.card import HEADER
from mpsolve.kernels.cuda.rows import sweep_kernel, tridiagonal_kernel
from mpsolve.kernels.cuda.source import LoopSpec, loop_kernel
from mpsolve.kernels.cuda.transfers import prolongation_kernel, restriction_kernel
from mpsolve.kernels.points.diffusion import CORRECTED, POINTS
from mpsolve.kernels.source import VECTOR
from mpsolve.precision import get_format
from mpsolve.solvers.inner.cg import update
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.vectors import add_scaled, scaled_copy

FP64, FP16 = get_format("fp64"), get_format("fp16")
FORMATS = lookup.names("formats")


def compiles(kernel, architecture):
    assert nvrtc.machine_code(HEADER + kernel.text, architecture) > 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_loop_with_inner_products_in_every_format(name):
    format = get_format(name)
    dots = ((0, 0), (0, 2))
    compiles(loop_kernel(LoopSpec(add_scaled, 2, (format, format), (format,), 1, dots)), "sm_80")
    if format.bits <= 16:
        compiles(loop_kernel(LoopSpec(scaled_copy, 3, (FP64,), (format,), 1, (), "stochastic")), "sm_90")


@pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "varying"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_kernels_of_diffusion(ndim, uniform):
    extra = (VECTOR,) * ndim if uniform else (FP16,) * (ndim + 1)
    wide = (VECTOR,) * ndim if uniform else (FP64,) * (ndim + 1)
    apply = LoopSpec(POINTS[ndim, uniform], ndim, (FP16, FP16, *extra), (FP16,), 2 + uniform, ((0, 1),))
    correct = LoopSpec(CORRECTED[ndim, uniform], ndim, (FP64, FP16, FP64, *wide), (FP64, FP64, FP16), 2 + uniform)
    for spec in (apply, correct):
        compiles(loop_kernel(spec), "sm_90")


@pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "varying"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_kernels_of_multigrid(ndim, uniform):
    key = (ndim, uniform)
    operator = (VECTOR,) * (2 * ndim) if uniform else (FP16,) * (ndim + 1)
    inverse = (VECTOR,) * ndim if uniform else (FP16,)
    specs = [
        LoopSpec(relaxation.STARTS[key], ndim, (FP16, *inverse), (FP16,), 1),
        LoopSpec(relaxation.SWEEPS[key], ndim, (FP16, FP16, *operator, *inverse), (FP16,), 2),
        LoopSpec(relaxation.COLOURED[key], ndim, (FP16, FP16, *operator, *inverse, *(VECTOR,) * ndim), (FP16,), 4),
    ]
    for spec in specs:
        compiles(loop_kernel(spec), "sm_80")
    halved, residual = (True,) * ndim, relaxation.RESIDUALS[key]
    compiles(restriction_kernel(residual, halved, (FP16, FP16, *operator), FP16, 1 if uniform else 2), "sm_90")
    weights = (VECTOR,) * ndim if uniform else (FP16,) * ndim
    compiles(prolongation_kernel(halved, FP16, FP16, weights), "sm_90")


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16"])
def test_steps_rows_and_conjugate_gradients(name):
    format, wide = get_format(name), get_format("fp64" if name == "fp64" else "fp32")
    compiles(sweep_kernel(format, 2, True), "sm_90")
    compiles(sweep_kernel(format, 3, False), "sm_80")
    compiles(tridiagonal_kernel(format, format, wide, 2), "sm_90")
    compiles(loop_kernel(LoopSpec(update, 2, (format,) * 6, (format, format, wide, format), 2)), "sm_90")
