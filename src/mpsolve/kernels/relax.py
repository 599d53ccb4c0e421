"""The arithmetic of one diffusion step on vectors: the same roundings on every processor and backend."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from llvmlite import ir
from numba.core import cgutils

from mpsolve.kernels import codecs
from mpsolve.kernels.hardware import fuses_products

_FLOAT, _DOUBLE, _INT32, _INT64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)


def splat(builder, scalar, count):
    """Emit a vector with ``count`` copies of a number."""
    vector = ir.Constant(ir.VectorType(scalar.type, count), ir.Undefined)
    for lane in range(count):
        vector = builder.insert_element(vector, scalar, _INT32(lane))
    return vector


def _round_sum_to_odd(builder, left, right):
    """Add FP64 numbers so that a second rounding, to FP32, equals a single one: the last bit keeps what was lost."""
    total = builder.fadd(left, right)
    part = builder.fsub(total, left)
    lost = builder.fadd(builder.fsub(left, builder.fsub(total, part)), builder.fsub(right, part))
    int64, zero = codecs.like(total, _INT64), codecs.constant(total, _DOUBLE, 0.0)
    one, minus_one, none = (codecs.constant(total, _INT64, value) for value in (1, -1, 0))
    bits = builder.bitcast(total, int64)
    even = builder.icmp_signed("==", builder.and_(bits, one), none)
    inward = builder.icmp_signed("<", builder.xor(bits, builder.bitcast(lost, int64)), none)
    nudged = builder.add(bits, builder.select(inward, minus_one, one))
    inexact = builder.fcmp_ordered("!=", lost, zero)
    return builder.bitcast(builder.select(builder.and_(inexact, even), nudged, bits), total.type)


def _multiply_add(builder, left, right, addend):
    """Emit FP32 ``left * right + addend``, rounded once on every processor."""
    kind = addend.type
    if fuses_products():
        signature = ir.FunctionType(kind, [kind] * 3)
        function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.fma.v{kind.count}f32")
        return builder.call(function, [left, right, addend])
    wide = [builder.fpext(value, codecs.like(value, _DOUBLE)) for value in (left, right, addend)]
    return builder.fptrunc(_round_sum_to_odd(builder, builder.fmul(wide[0], wide[1]), wide[2]), kind)


def _add_product(builder, left, right, addend):
    """Emit ``left * right + addend``: one rounding in FP32, two in FP64, as the reference backend does."""
    if addend.type.element == _FLOAT:
        return _multiply_add(builder, left, right, addend)
    return builder.fadd(addend, builder.fmul(left, right))


def relax(builder, centre, axes, rates):
    """Emit ``u + sum rate * (before - 2 u + after)``; with a single rate the sums of all axes share one product.

    Parameters
    ----------
    centre : vector
        The numbers u.
    axes : list of (vector, vector)
        The numbers before and after them along each axis.
    rates : list of vector
        One rate for all axes, or one for each.
    """
    sums = [builder.fadd(before, after) for before, after in axes]
    if len(rates) == 1:
        total = sums[0]
        for more in sums[1:]:
            total = builder.fadd(total, more)
        sums = [total]
    weight = codecs.constant(centre, centre.type.element, -2.0 * len(axes) / len(sums))
    result = centre
    for rate, total in zip(rates, sums, strict=True):
        result = _add_product(builder, rate, _add_product(builder, weight, centre, total), result)
    return result
