"""The rate of the arithmetic alone, products and sums in vector registers: the most that a matrix product can reach."""

# pyright: reportAttributeAccessIssue=false
from collections.abc import Callable
from functools import cache

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mpsolve.kernels.compile import load_kernel
from mpsolve.kernels.register_tile import Arithmetic

#: Sums that do not wait for each other: more than the latency of a sum times the sums that start in a cycle.
SUMS = 24
#: Flops of one vector instruction for each kind of arithmetic of `register_tile`.
FLOPS = {"bf16": 64, "fp32": 32, "fp64": 16}

_INT64 = ir.IntType(64)

_SOURCE = '''from numba import njit, types
from mpsolve.kernels import register_peak

spin = register_peak.spin_function({kind!r})

@njit(types.{number}(types.intp, types.{number}), nogil=True, cache=True)
def kernel(rounds, value):
    """Some rounds of sums of squares of a value."""
    return spin(rounds, value)
'''


def spin_function(kind: str):
    """Return the compiled function ``spin(rounds, value)``: `SUMS` instructions a round, at least one round."""

    @intrinsic
    def spin(typing, rounds, value):
        number = types.float64 if kind == "fp64" else types.float32

        def generate(context, builder, signature, arguments):
            return _emit_rounds(Arithmetic(kind, builder), builder, *arguments)

        return number(types.intp, number), generate

    return spin


def _emit_rounds(arithmetic, builder, rounds, value):
    vector = builder.bitcast(arithmetic.splat(value), arithmetic.loaded)
    before, body, end = builder.block, builder.append_basic_block("body"), builder.append_basic_block("end")
    builder.branch(body)
    builder.position_at_end(body)
    index, *sums = [builder.phi(kind) for kind in (_INT64, *[arithmetic.vector] * SUMS)]
    new = [builder.add(index, _INT64(1)), *(arithmetic.multiply_add(total, vector, vector) for total in sums)]
    for phi, after in zip((index, *sums), new, strict=True):
        phi.add_incoming(ir.Constant(phi.type, 0 if phi is index else [0.0] * arithmetic.lanes), before)
        phi.add_incoming(after, body)
    builder.cbranch(builder.icmp_signed("<", new[0], rounds), body, end)
    builder.position_at_end(end)
    total = new[1]
    for part in new[2:]:
        total = builder.fadd(total, part)
    return builder.extract_element(total, ir.IntType(32)(0))


@cache
def spin(kind: str) -> Callable:
    """Return the kernel ``spin(rounds, value)``, which does ``rounds * SUMS * FLOPS[kind]`` flops and holds no lock.

    Parameters
    ----------
    kind : {"bf16", "fp32", "fp64"}
        Arithmetic, of processors with AVX-512 alone; "bf16" needs AVX512_BF16.
    """
    return load_kernel(_SOURCE.format(kind=kind, number="float64" if kind == "fp64" else "float32"))
