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


def _mantissa(format: Format) -> int:
    return format.significand_bits - 1


def _bias(format: Format) -> int:
    return (1 << (format.exponent_bits - 1)) - 1


def _widen(builder, bits, format):
    """Decode by integers: shift into place, rescale by a power of two, mend infinities and NaN."""
    wide = builder.zext(bits, _INT32)
    sign_bit = 1 << (format.bits - 1)
    magnitude = builder.and_(wide, _INT32(sign_bit - 1))
    sign = builder.shl(builder.and_(wide, _INT32(sign_bit)), _INT32(32 - format.bits))
    shifted = builder.shl(magnitude, _INT32(_MANTISSA32 - _mantissa(format)))
    # A product with a power of two is exact and turns the narrow format's subnormals into normal numbers.
    scaled = builder.fmul(builder.bitcast(shifted, _FLOAT), _FLOAT(2.0 ** (_BIAS32 - _bias(format))))
    result = builder.bitcast(scaled, _INT32)
    if format.has_infinity:
        first_special = ((1 << format.exponent_bits) - 1) << _mantissa(format)
        special = builder.or_(shifted, _INT32(0x7F800000))
    else:
        first_special = sign_bit - 1
        special = _INT32(0x7FC00000)
    is_special = builder.icmp_unsigned(">=", magnitude, _INT32(first_special))
    return builder.bitcast(builder.or_(builder.select(is_special, special, result), sign), _FLOAT)


def _specials(format):
    """Return the bit patterns of the largest number, of overflow, and of NaN, all positive."""
    if format.has_infinity:
        infinity = ((1 << format.exponent_bits) - 1) << _mantissa(format)
        return infinity - 1, infinity, infinity | (1 << (_mantissa(format) - 1))
    not_a_number = (1 << (format.bits - 1)) - 1
    return not_a_number - 1, not_a_number, not_a_number


def _finish(builder, magnitude, rounded, sign, format):
    """Replace overflow and NaN, add the sign, and cut to the storage width."""
    largest, overflow, not_a_number = _specials(format)
    too_large = builder.icmp_unsigned(">", rounded, _INT32(largest))
    rounded = builder.select(too_large, _INT32(overflow), rounded)
    is_nan = builder.icmp_unsigned(">", magnitude, _INT32(0x7F800000))
    rounded = builder.select(is_nan, _INT32(not_a_number), rounded)
    sign = builder.lshr(sign, _INT32(32 - format.bits))
    return builder.trunc(builder.or_(rounded, sign), ir.IntType(format.bits))


def _split_sign(builder, value):
    bits = builder.bitcast(value, _INT32)
    return builder.and_(bits, _INT32(0x7FFFFFFF)), builder.and_(bits, _INT32(1 << 31))


def _rebase(format):
    """Return the first FP32 pattern that is normal in the format, and the shift of the exponent field."""
    smallest_normal = (_BIAS32 - _bias(format) + 1) << _MANTISSA32
    return smallest_normal, (_BIAS32 - _bias(format)) << _mantissa(format)


def _narrow(builder, value, format):
    """Encode FP32 to nearest even by integers; subnormals are rounded by one FP32 addition."""
    magnitude, sign = _split_sign(builder, value)
    drop = _MANTISSA32 - _mantissa(format)
    smallest_normal, rebase = _rebase(format)
    odd = builder.and_(builder.lshr(magnitude, _INT32(drop)), _INT32(1))
    raised = builder.add(builder.add(magnitude, _INT32((1 << (drop - 1)) - 1)), odd)
    normal = builder.sub(builder.lshr(raised, _INT32(drop)), _INT32(rebase))
    # Adding this constant aligns the smallest subnormal with the last bit of an FP32 significand.
    anchor = _FLOAT(2.0 ** (1 - _bias(format) - _mantissa(format) + _MANTISSA32))
    anchored = builder.fadd(builder.bitcast(magnitude, _FLOAT), anchor)
    subnormal = builder.sub(builder.bitcast(anchored, _INT32), builder.bitcast(anchor, _INT32))
    is_normal = builder.icmp_unsigned(">=", magnitude, _INT32(smallest_normal))
    return _finish(builder, magnitude, builder.select(is_normal, normal, subnormal), sign, format)


def _subnormal_stochastic(builder, magnitude, random_bits, format):
    """Round in units of the smallest subnormal: the whole part, plus one if the fraction exceeds a uniform number."""
    units = builder.fmul(builder.bitcast(magnitude, _FLOAT), _FLOAT(2.0 ** (_bias(format) - 1 + _mantissa(format))))
    in_range = builder.fcmp_ordered("<", units, _FLOAT(65536.0))
    whole = builder.fptosi(builder.select(in_range, units, _FLOAT(0.0)), _INT32)
    fraction = builder.fsub(units, builder.sitofp(whole, _FLOAT))
    uniform = builder.fmul(builder.uitofp(builder.lshr(random_bits, _INT32(8)), _FLOAT), _FLOAT(2.0**-24))
    return builder.add(whole, builder.zext(builder.fcmp_ordered(">", fraction, uniform), _INT32))


def _narrow_stochastic(builder, value, random_bits, format):
    """Encode FP32 by adding random bits below the last kept bit and truncating."""
    magnitude, sign = _split_sign(builder, value)
    drop = _MANTISSA32 - _mantissa(format)
    smallest_normal, rebase = _rebase(format)
    noise = builder.lshr(random_bits, _INT32(32 - drop))
    normal = builder.sub(builder.lshr(builder.add(magnitude, noise), _INT32(drop)), _INT32(rebase))
    if format.exponent_bits < 8:
        is_normal = builder.icmp_unsigned(">=", magnitude, _INT32(smallest_normal))
        rounded = builder.select(is_normal, normal, _subnormal_stochastic(builder, magnitude, random_bits, format))
    else:
        rounded = normal
    # An infinity plus noise must stay an infinity.
    is_infinite = builder.icmp_unsigned("==", magnitude, _INT32(0x7F800000))
    rounded = builder.select(is_infinite, _INT32(_specials(format)[1]), rounded)
    return _finish(builder, magnitude, rounded, sign, format)


def _round_to_odd(builder, value):
    """Convert FP64 to FP32 so that a second rounding to a narrower format equals a single one."""
    nearest = builder.fptrunc(value, _FLOAT)
    back = builder.fpext(nearest, _DOUBLE)
    mask = _INT64((1 << 63) - 1)
    exact_bits = builder.and_(builder.bitcast(value, _INT64), mask)
    back_bits = builder.and_(builder.bitcast(back, _INT64), mask)
    too_large = builder.zext(builder.icmp_unsigned(">", back_bits, exact_bits), _INT32)
    inexact = builder.zext(builder.icmp_unsigned("!=", back_bits, exact_bits), _INT32)
    bits = builder.or_(builder.sub(builder.bitcast(nearest, _INT32), too_large), inexact)
    return builder.bitcast(bits, _FLOAT)


def _encode_bf16(builder, value):
    bits = builder.bitcast(value, _INT32)
    odd = builder.and_(builder.lshr(bits, _INT32(16)), _INT32(1))
    rounded = builder.add(builder.add(bits, _INT32(0x7FFF)), odd)
    quiet = builder.or_(builder.and_(bits, _INT32(1 << 31)), _INT32(0x7FC00000))
    rounded = builder.select(builder.fcmp_unordered("uno", value, value), quiet, rounded)
    return builder.trunc(builder.lshr(rounded, _INT32(16)), _INT16)


def _encode_tf32(builder, value):
    bits = builder.bitcast(value, _INT32)
    odd = builder.and_(builder.lshr(bits, _INT32(13)), _INT32(1))
    rounded = builder.and_(builder.add(builder.add(bits, _INT32(0xFFF)), odd), _INT32(0xFFFFE000))
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.select(is_nan, value, builder.bitcast(rounded, _FLOAT))


def emit_decode(builder, bits, format: Format):
    """Emit the decoding of one stored value of a 16- or 8-bit format to FP32."""
    if format.name == "bf16":
        return builder.bitcast(builder.shl(builder.zext(bits, _INT32), _INT32(16)), _FLOAT)
    if format.name == "fp16" and converts_fp16():
        return builder.fpext(builder.bitcast(bits, _HALF), _FLOAT)
    return _widen(builder, bits, format)


def emit_encode(builder, value, format: Format):
    """Emit the rounding to nearest even of an FP64 or FP32 value to the storage of a format."""
    if format.name == "fp64":
        return value if value.type == _DOUBLE else builder.fpext(value, _DOUBLE)
    if format.name == "fp32":
        return builder.fptrunc(value, _FLOAT) if value.type == _DOUBLE else value
    value = _round_to_odd(builder, value) if value.type == _DOUBLE else value
    if format.name == "tf32":
        return _encode_tf32(builder, value)
    if format.name == "bf16":
        return _encode_bf16(builder, value)
    if format.name == "fp16" and converts_fp16():
        return builder.bitcast(builder.fptrunc(value, _HALF), _INT16)
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
