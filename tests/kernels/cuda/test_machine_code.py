"""Every kernel becomes machine code for the cards, where there is a compiler and no card."""

import nvrtc
import pytest

from mpsolve import lookup
from mpsolve.gemm.cublas import AS_FP16
from mpsolve.kernels.cuda import dense
from mpsolve.kernels.cuda.devices.card import HEADER
from mpsolve.kernels.cuda.recoding import recode_kernel
from mpsolve.kernels.cuda.rows import sweep_kernel, tridiagonal_kernel
from mpsolve.kernels.cuda.source import loop_kernel
from mpsolve.kernels.cuda.transfers import prolongation_kernel, restriction_kernel
from mpsolve.kernels.points import shallow_water, shallow_water_terms
from mpsolve.kernels.points.diffusion import CORRECTED, POINTS
from mpsolve.kernels.source import VECTOR, KernelSpec
from mpsolve.precision import get_format
from mpsolve.solvers.inner.cg import update
from mpsolve.solvers.inner.fgmres import orthogonalise
from mpsolve.solvers.multigrid import relaxation
from mpsolve.solvers.multigrid.couplings import offsets_before
from mpsolve.solvers.multigrid.gathers import GATHERS
from mpsolve.solvers.vectors import add_scaled, scaled_copy

FP64, FP16 = get_format("fp64"), get_format("fp16")
FORMATS = lookup.names("formats")


@pytest.fixture(params=["sm_80", "sm_90"])
def compiles(request):
    """Return a function that makes machine code of a kernel for one kind of card."""

    def check(kernel):
        assert nvrtc.machine_code(HEADER + kernel.text, request.param) > 0

    return check


@pytest.mark.parametrize("name", FORMATS)
def test_a_loop_with_inner_products_in_every_format(compiles, name):
    format = get_format(name)
    dots = ((0, 0), (0, 2))
    compiles(loop_kernel(KernelSpec(add_scaled, 2, (format, format), (format,), 1, dots)))
    if format.bits <= 16:
        compiles(loop_kernel(KernelSpec(scaled_copy, 3, (FP64,), (format,), 1, (), "stochastic")))


@pytest.mark.parametrize("uniform", [True, False], ids=["uniform", "varying"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_kernels_of_diffusion(compiles, ndim, uniform):
    extra = (VECTOR,) * ndim if uniform else (FP16,) * (ndim + 1)
    wide = (VECTOR,) * ndim if uniform else (FP64,) * (ndim + 1)
    apply = KernelSpec(POINTS[ndim, uniform], ndim, (FP16, FP16, *extra), (FP16,), 2 + uniform, ((0, 1),))
    correct = KernelSpec(CORRECTED[ndim, uniform], ndim, (FP64, FP16, FP64, *wide), (FP64, FP64, FP16), 2 + uniform)
    for spec in (apply, correct):
        compiles(loop_kernel(spec))


@pytest.mark.parametrize("kind", [relaxation.UNIFORM, relaxation.STAR, relaxation.FULL])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_kernels_of_multigrid(compiles, ndim, kind):
    key, uniform, halved = (ndim, kind), kind == relaxation.UNIFORM, (True,) * ndim
    couplings = len(offsets_before(ndim, kind == relaxation.STAR))
    operator = (VECTOR,) * (2 * ndim) if uniform else (FP16,) * (couplings + 1)
    inverse = (VECTOR,) * ndim if uniform else (FP16,)
    specs = [
        KernelSpec(relaxation.STARTS[key], ndim, (FP16, *inverse), (FP16,), 1),
        KernelSpec(relaxation.RESIDUALS[key], ndim, (FP16, FP16, *operator), (FP16,), 1 if uniform else 2),
        KernelSpec(relaxation.SWEEPS[key], ndim, (FP16, FP16, *operator, *inverse), (FP16,), 2),
        KernelSpec(relaxation.COLOURED[key], ndim, (FP16, FP16, *operator, *inverse, *(VECTOR,) * ndim), (FP16,), 4),
    ]
    for spec in specs:
        compiles(loop_kernel(spec))
    if uniform:
        compiles(restriction_kernel(relaxation.RESIDUALS[key], halved, (FP16, FP16, *operator), FP16, 1))
        compiles(prolongation_kernel(halved, FP16, FP16, (VECTOR,) * ndim))
        return
    weights = (FP16,) * 2**ndim
    compiles(restriction_kernel(GATHERS[halved], halved, (FP16, *weights), FP16, 0))
    compiles(prolongation_kernel(halved, FP16, FP16, weights))


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16"])
def test_steps_rows_and_conjugate_gradients(compiles, name):
    format, wide = get_format(name), get_format("fp64" if name == "fp64" else "fp32")
    compiles(sweep_kernel(format, 2, True))
    compiles(sweep_kernel(format, 3, False))
    compiles(tridiagonal_kernel(format, format, wide, 2))
    compiles(loop_kernel(KernelSpec(update, 2, (format,) * 6, (format, format, wide, format), 2)))


@pytest.mark.parametrize("name", ["fp64", "fp16"])
def test_shallow_water_and_flexible_gmres(compiles, name):
    format, wide = get_format(name), FP64
    state, metrics = (wide,) * 3 + (format,) * 3, (VECTOR,) * 9
    made = (format,) * 3
    compiles(loop_kernel(KernelSpec(shallow_water.energy_first, 2, ((wide,) * 3 + metrics), made, 12)))
    compiles(loop_kernel(KernelSpec(shallow_water.energy_flat, 2, (*state, *metrics), made, 18)))
    compiles(loop_kernel(KernelSpec(shallow_water.energy_over, 2, (*state, *metrics, wide), made, 18)))
    compiles(loop_kernel(KernelSpec(shallow_water.triads, 2, (*state, *(VECTOR,) * 6, wide, format), made, 21)))
    corners = (*state, *(VECTOR,) * 5, wide)
    compiles(loop_kernel(KernelSpec(shallow_water.potential_vorticity, 2, corners, (format,), 7)))
    terms = (*state, *(VECTOR,) * 7, wide)
    compiles(loop_kernel(KernelSpec(shallow_water_terms.terms, 2, terms, (format,) * 4, 10)))
    compiles(loop_kernel(KernelSpec(shallow_water_terms.terms_beyond, 2, (*terms, wide, wide), (format,) * 4, 12)))
    moving = (*state[1:3], *state[4:], *(VECTOR,) * 5)
    compiles(loop_kernel(KernelSpec(shallow_water_terms.friction, 2, moving, (wide, wide), 4)))
    compiles(loop_kernel(KernelSpec(shallow_water_terms.continuity, 2, (*state, VECTOR, VECTOR, wide), made[:1], 9)))
    inputs = (*state, format, *(VECTOR,) * 5, wide, *(format,) * 4)
    compiles(loop_kernel(KernelSpec(shallow_water_terms.momentum, 2, inputs, made[:2], 23)))
    compiles(loop_kernel(KernelSpec(orthogonalise, 2, (format,) * 3, (format,), 1, ((0, 3),))))


@pytest.mark.parametrize("compute", ["float32", "float64"])
def test_the_kernels_of_dense_matrices(compiles, compute):
    names = ["fp64"] if compute == "float64" else [name for name in FORMATS if name != "fp64"]
    kernels = [dense.encode_kernel(get_format(name), compute) for name in names]
    kernels += [dense.largest_kernel(compute), dense.eliminate_kernel(compute), dense.substitute_kernel(compute)]
    for source in ("stored", "generated"):
        kernels += [dense.copy_kernel(source, compute)]
        kernels += [dense.product_kernel(source, compute, transposed=transposed) for transposed in (False, True)]
    for direction in ("take", "put"):
        kernels += [dense.rows_kernel(direction, compute), dense.entries_kernel(direction, compute)]
    for kernel in kernels:
        compiles(kernel)


@pytest.mark.parametrize("name", AS_FP16)
def test_the_operands_of_products(compiles, name):
    compiles(recode_kernel(get_format(name), FP16))
