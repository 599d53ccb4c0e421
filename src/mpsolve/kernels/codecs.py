"""Decode and encode narrow numbers inside compiled loops, bit-equal to the formats folder."""

# pyright: reportAttributeAccessIssue=false
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mpsolve.formats.base import Format
from mpsolve.kernels.hardware import converts_fp16

_INT16, _INT32, _INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_HALF, _FLOAT, _DOUBLE = ir.HalfType(), ir.FloatType(), ir.DoubleType()
_BIAS32, _MANTISSA32 = 127, 23


def like(value, element):
    """Return the LLVM type of ``element`` with as many lanes as ``value`` has: every codec works on vectors too."""
    return ir.VectorType(element, value.type.count) if isinstance(value.type, ir.VectorType) else element


def constant(value, element, number):
    """Return a constant of type ``element`` in as many lanes as ``value`` has."""
    kind = like(value, element)
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


def _ints(value):
    """Return the maker of int32 constants for the lanes of a value."""
    return lambda number: constant(value, _INT32, number)


def _mantissa(format: Format) -> int:
    return format.significand_bits - 1


def _bias(format: Format) -> int:
    return (1 << (format.exponent_bits - 1)) - 1


def _widen(builder, bits, format):
    """Decode by integers: shift into place, rescale by a power of two, mend infinities and NaN."""
    int32, number, floats = like(bits, _INT32), _ints(bits), like(bits, _FLOAT)
    wide = builder.zext(bits, int32)
    sign_bit = 1 << (format.bits - 1)
    magnitude = builder.and_(wide, number(sign_bit - 1))
    sign = builder.shl(builder.and_(wide, number(sign_bit)), number(32 - format.bits))
    shifted = builder.shl(magnitude, number(_MANTISSA32 - _mantissa(format)))
    # A product with a power of two is exact and turns the narrow format's subnormals into normal numbers.
    power = constant(bits, _FLOAT, 2.0 ** (_BIAS32 - _bias(format)))
    result = builder.bitcast(builder.fmul(builder.bitcast(shifted, floats), power), int32)
    if format.has_infinity:
        first_special = ((1 << format.exponent_bits) - 1) << _mantissa(format)
        special = builder.or_(shifted, number(0x7F800000))
    else:
        first_special = sign_bit - 1
        special = number(0x7FC00000)
    is_special = builder.icmp_unsigned(">=", magnitude, number(first_special))
    return builder.bitcast(builder.or_(builder.select(is_special, special, result), sign), floats)


def _specials(format):
    """Return the bit patterns of the largest number, of overflow, and of NaN, all positive."""
    if format.has_infinity:
        infinity = ((1 << format.exponent_bits) - 1) << _mantissa(format)
        return infinity - 1, infinity, infinity | (1 << (_mantissa(format) - 1))
    not_a_number = (1 << (format.bits - 1)) - 1
    return not_a_number - 1, not_a_number, not_a_number


def _finish(builder, magnitude, rounded, sign, format):
    """Replace overflow and NaN, add the sign, and cut to the storage width."""
    number = _ints(magnitude)
    largest, overflow, not_a_number = _specials(format)
    too_large = builder.icmp_unsigned(">", rounded, number(largest))
    rounded = builder.select(too_large, number(overflow), rounded)
    is_nan = builder.icmp_unsigned(">", magnitude, number(0x7F800000))
    rounded = builder.select(is_nan, number(not_a_number), rounded)
    sign = builder.lshr(sign, number(32 - format.bits))
    return builder.trunc(builder.or_(rounded, sign), like(magnitude, ir.IntType(format.bits)))


def _split_sign(builder, value):
    bits, number = builder.bitcast(value, like(value, _INT32)), _ints(value)
    return builder.and_(bits, number(0x7FFFFFFF)), builder.and_(bits, number(1 << 31))


def _rebase(format):
    """Return the first FP32 pattern that is normal in the format, and the shift of the exponent field."""
    smallest_normal = (_BIAS32 - _bias(format) + 1) << _MANTISSA32
    return smallest_normal, (_BIAS32 - _bias(format)) << _mantissa(format)


def _narrow(builder, value, format):
    """Encode FP32 to nearest even by integers; subnormals are rounded by one FP32 addition."""
    magnitude, sign = _split_sign(builder, value)
    number = _ints(value)
    drop = _MANTISSA32 - _mantissa(format)
    smallest_normal, rebase = _rebase(format)
    odd = builder.and_(builder.lshr(magnitude, number(drop)), number(1))
    raised = builder.add(builder.add(magnitude, number((1 << (drop - 1)) - 1)), odd)
    normal = builder.sub(builder.lshr(raised, number(drop)), number(rebase))
    # Adding this constant aligns the smallest subnormal with the last bit of an FP32 significand.
    anchor = constant(value, _FLOAT, 2.0 ** (1 - _bias(format) - _mantissa(format) + _MANTISSA32))
    anchored = builder.fadd(builder.bitcast(magnitude, like(value, _FLOAT)), anchor)
    int32 = like(value, _INT32)
    subnormal = builder.sub(builder.bitcast(anchored, int32), builder.bitcast(anchor, int32))
    is_normal = builder.icmp_unsigned(">=", magnitude, number(smallest_normal))
    return _finish(builder, magnitude, builder.select(is_normal, normal, subnormal), sign, format)


def _subnormal_stochastic(builder, magnitude, random_bits, format):
    """Round in units of the smallest subnormal: the whole part, plus one if fraction and noise make one.

    The noise is (k + 1/2) / 2**32 for random bits k. FP64 holds both sides of the comparison exactly.
    """
    floats, doubles, int32 = (like(magnitude, kind) for kind in (_FLOAT, _DOUBLE, _INT32))
    scale = constant(magnitude, _FLOAT, 2.0 ** (_bias(format) - 1 + _mantissa(format)))
    units = builder.fmul(builder.bitcast(magnitude, floats), scale)
    in_range = builder.fcmp_ordered("<", units, constant(magnitude, _FLOAT, 65536.0))
    whole = builder.fptosi(builder.select(in_range, units, constant(magnitude, _FLOAT, 0.0)), int32)
    fraction = builder.fpext(builder.fsub(units, builder.sitofp(whole, floats)), doubles)
    fraction = builder.fmul(fraction, constant(magnitude, _DOUBLE, 2.0**32))
    missing = builder.uitofp(builder.xor(random_bits, constant(magnitude, _INT32, 0xFFFFFFFF)), doubles)
    missing = builder.fadd(missing, constant(magnitude, _DOUBLE, 0.5))
    return builder.add(whole, builder.zext(builder.fcmp_ordered(">=", fraction, missing), int32))


def _narrow_stochastic(builder, value, random_bits, format):
    """Encode FP32 by adding random bits below the last kept bit and truncating."""
    magnitude, sign = _split_sign(builder, value)
    number = _ints(value)
    drop = _MANTISSA32 - _mantissa(format)
    smallest_normal, rebase = _rebase(format)
    noise = builder.lshr(random_bits, number(32 - drop))
    normal = builder.sub(builder.lshr(builder.add(magnitude, noise), number(drop)), number(rebase))
    if format.exponent_bits < 8:
        is_normal = builder.icmp_unsigned(">=", magnitude, number(smallest_normal))
        rounded = builder.select(is_normal, normal, _subnormal_stochastic(builder, magnitude, random_bits, format))
    else:
        rounded = normal
    # An infinity plus noise must stay an infinity.
    is_infinite = builder.icmp_unsigned("==", magnitude, number(0x7F800000))
    rounded = builder.select(is_infinite, number(_specials(format)[1]), rounded)
    return _finish(builder, magnitude, rounded, sign, format)


def _round_to_odd(builder, value):
    """Convert FP64 to FP32 so that a second rounding to a narrower format equals a single one."""
    int32, int64 = like(value, _INT32), like(value, _INT64)
    nearest = builder.fptrunc(value, like(value, _FLOAT))
    back = builder.fpext(nearest, like(value, _DOUBLE))
    mask = constant(value, _INT64, (1 << 63) - 1)
    exact_bits = builder.and_(builder.bitcast(value, int64), mask)
    back_bits = builder.and_(builder.bitcast(back, int64), mask)
    too_large = builder.zext(builder.icmp_unsigned(">", back_bits, exact_bits), int32)
    inexact = builder.zext(builder.icmp_unsigned("!=", back_bits, exact_bits), int32)
    bits = builder.or_(builder.sub(builder.bitcast(nearest, int32), too_large), inexact)
    return builder.bitcast(bits, like(value, _FLOAT))


def emit_bf16_bits(builder, value):
    """Emit the int32 patterns of FP32 numbers rounded to BF16; their low halves are junk.

    A NaN must have zeros in its low half, as results of decoded numbers have: it then stays a NaN without a test.
    """
    bits, number = builder.bitcast(value, like(value, _INT32)), _ints(value)
    odd = builder.and_(builder.lshr(bits, number(16)), number(1))
    return builder.add(builder.add(bits, number(0x7FFF)), odd)


def _encode_bf16(builder, value):
    bits, number = builder.bitcast(value, like(value, _INT32)), _ints(value)
    quiet = builder.or_(builder.and_(bits, number(1 << 31)), number(0x7FC00000))
    is_nan = builder.fcmp_unordered("uno", value, value)
    rounded = builder.select(is_nan, quiet, emit_bf16_bits(builder, value))
    return builder.trunc(builder.lshr(rounded, number(16)), like(value, _INT16))


def _encode_tf32(builder, value):
    bits, number = builder.bitcast(value, like(value, _INT32)), _ints(value)
    odd = builder.and_(builder.lshr(bits, number(13)), number(1))
    rounded = builder.and_(builder.add(builder.add(bits, number(0xFFF)), odd), number(0xFFFFE000))
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.select(is_nan, value, builder.bitcast(rounded, value.type))


def emit_decode(builder, bits, format: Format):
    """Emit the decoding of stored values, one or a vector; those above 16 bits stay as they are."""
    if format.bits > 16:
        return bits
    if format.name == "bf16":
        wide = builder.shl(builder.zext(bits, like(bits, _INT32)), constant(bits, _INT32, 16))
        return builder.bitcast(wide, like(bits, _FLOAT))
    if format.name == "fp16" and converts_fp16():
        return builder.fpext(builder.bitcast(bits, like(bits, _HALF)), like(bits, _FLOAT))
    return _widen(builder, bits, format)


def emit_encode(builder, value, format: Format):
    """Emit the rounding to nearest even of FP64 or FP32 values, one or a vector, to the storage of a format."""
    double = like(value, _DOUBLE)
    if format.name == "fp64":
        return value if value.type == double else builder.fpext(value, double)
    if format.name == "fp32":
        return builder.fptrunc(value, like(value, _FLOAT)) if value.type == double else value
    value = _round_to_odd(builder, value) if value.type == double else value
    if format.name == "tf32":
        return _encode_tf32(builder, value)
    if format.name == "bf16":
        return _encode_bf16(builder, value)
    if format.name == "fp16" and converts_fp16():
        return builder.bitcast(builder.fptrunc(value, like(value, _HALF)), like(value, _INT16))
    return _narrow(builder, value, format)


def decoder(formats: tuple[Format, ...]):
    """Return the compiled function that turns a stored value into a compute number.

    Formats are told apart by storage width, so one loop holds at most one 16-bit and one 8-bit format.
    """
    narrow = {format.bits: format for format in formats if format.bits <= 16}

    @intrinsic
    def decode(typing, value):
        if isinstance(value, types.Float):
            return value(value), lambda context, builder, signature, arguments: arguments[0]
        format = narrow[value.bitwidth]

        def generate(context, builder, signature, arguments):
            return emit_decode(builder, arguments[0], format)

        return types.float32(value), generate

    return decode


def encoder(format: Format):
    """Return the compiled function that rounds a compute number to nearest even in the format's storage."""
    from numba import from_dtype

    @intrinsic
    def encode(typing, value):
        def generate(context, builder, signature, arguments):
            return emit_encode(builder, arguments[0], format)

        return from_dtype(format.storage)(value), generate

    return encode


def stochastic_encoder(format: Format):
    """Return the compiled function that rounds an FP32 number stochastically, given 32 random bits."""
    from numba import from_dtype

    @intrinsic
    def encode(typing, value, random_bits):
        def generate(context, builder, signature, arguments):
            if format.bits > 16:
                return emit_encode(builder, arguments[0], format)
            value = arguments[0]
            value = builder.fptrunc(value, _FLOAT) if value.type == _DOUBLE else value
            return _narrow_stochastic(builder, value, arguments[1], format)

        return from_dtype(format.storage)(value, types.uint32), generate

    return encode
