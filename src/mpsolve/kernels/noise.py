"""Random bits for stochastic rounding, a function of the seed and the global index, so that ranks do not matter."""

# pyright: reportAttributeAccessIssue=false
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpsolve.kernels.noise_array import LAST_SHIFT, STEPS

_INT32 = ir.IntType(32)


def _emit_mix(builder, value):
    for shift, multiplier in STEPS:
        value = builder.xor(value, builder.lshr(value, _INT32(shift)))
        value = builder.mul(value, _INT32(multiplier))
    return builder.xor(value, builder.lshr(value, _INT32(LAST_SHIFT)))


@intrinsic
def random_bits(typing, key, number, index):
    """Return 32 random bits for output ``number`` at the global ``index`` tuple."""
    axes = len(index)

    def generate(context, builder, signature, arguments):
        value = builder.add(arguments[0], builder.trunc(arguments[1], _INT32))
        for position in cgutils.unpack_tuple(builder, arguments[2], axes):
            value = _emit_mix(builder, builder.add(value, builder.trunc(position, _INT32)))
        return value

    return types.uint32(types.uint32, types.intp, index), generate
