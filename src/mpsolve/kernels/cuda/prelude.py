"""What every GPU kernel begins with: number formats, reproducible sums and random bits, bit for bit as elsewhere.

The text compiles as CUDA C++ for NVIDIA, as HIP for AMD, and as plain C++ where a processor plays the card in tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpsolve.bins import BINS, DEPTH, LOWEST, WIDTH
from mpsolve.formats.base import Format
from mpsolve.kernels.noise_array import LAST_SHIFT, STEPS

#: Types of the arrays by storage type.
C_TYPES = {"float64": "double", "float32": "float", "uint16": "unsigned short", "uint8": "unsigned char"}

_BASE = """
typedef unsigned int word;
typedef unsigned long long wide;
typedef long long integer;

#ifdef EMULATED
DEVICE float float_of(word bits) { float x; __builtin_memcpy(&x, &bits, 4); return x; }
DEVICE word bits_of(float x) { word bits; __builtin_memcpy(&bits, &x, 4); return bits; }
DEVICE wide bits_of(double x) { wide bits; __builtin_memcpy(&bits, &x, 8); return bits; }
DEVICE double double_of(wide bits) { double x; __builtin_memcpy(&x, &bits, 8); return x; }
DEVICE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE void add_to(integer *place, integer value) { *place += value; }
DEVICE int over_warp_greatest(int value) { return value; }
DEVICE integer over_warp_sum(integer value) { return value; }
DEVICE bool first_of_warp() { return true; }
DEVICE wide over_warp_largest(wide value) { return value; }
DEVICE void raise_to(wide *place, wide value) { if (*place < value) *place = value; }
DEVICE double over_row_sum(double value) { return value; }
// A block of one thread plays all threads of a block between two meetings.
#define SHARED static
#define EACH(t) for (int t = 0; t < THREADS; t++)
#define MEET
#else
#define SHARED __shared__
#define EACH(t) if (int t = threadIdx.x; true)
#define MEET __syncthreads();
DEVICE float float_of(word bits) { return __uint_as_float(bits); }
DEVICE word bits_of(float x) { return __float_as_uint(x); }
DEVICE wide bits_of(double x) { return (wide)__double_as_longlong(x); }
DEVICE double double_of(wide bits) { return __longlong_as_double((integer)bits); }
DEVICE float fused(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE void add_to(integer *place, integer value) { atomicAdd((wide *)place, (wide)value); }
#ifdef __HIPCC__
#define SHUFFLE(value, lane) __shfl_xor(value, lane)
#define LANES warpSize
#else
#define SHUFFLE(value, lane) __shfl_xor_sync(0xffffffffu, value, lane)
#define LANES 32
#endif
DEVICE int over_warp_greatest(int value) {
    for (int lane = LANES / 2; lane > 0; lane /= 2) {
        int other = SHUFFLE(value, lane);
        value = other > value ? other : value;
    }
    return value;
}
DEVICE integer over_warp_sum(integer value) {
    for (int lane = LANES / 2; lane > 0; lane /= 2) value += SHUFFLE(value, lane);
    return value;
}
DEVICE wide over_warp_largest(wide value) {
    for (int lane = LANES / 2; lane > 0; lane /= 2) {
        wide other = SHUFFLE(value, lane);
        value = other > value ? other : value;
    }
    return value;
}
DEVICE void raise_to(wide *place, wide value) { atomicMax(place, value); }
// The sum over the threads of a block's row, which are at most a warp, in an order that is always the same.
DEVICE double over_row_sum(double value) {
    for (int lane = blockDim.x / 2; lane > 0; lane /= 2) value += SHUFFLE(value, lane);
    return value;
}
DEVICE bool first_of_warp() {
    return ((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) % LANES == 0;
}
#endif
// FP64 products are added with two roundings, FP32 products with one.
DEVICE double fused(double a, double b, double c) { return c + a * b; }

template <class T> DEVICE T absolute(T x) { return x < 0 ? -x : x; }
template <class T> DEVICE T least(T a, T b) { return b < a ? b : a; }
template <class T> DEVICE T greatest(T a, T b) { return a < b ? b : a; }

// Round bits without sign to patterns of a format without an upper limit; STOCHASTIC adds a fraction instead of a half.
template <class W, int MANTISSA, int BIAS, int FRACTION, int FORMAT_BIAS, bool STOCHASTIC>
DEVICE W rounded(W magnitude, word random) {
    const W top = 8 * sizeof(W) - 1, lowest = BIAS - FORMAT_BIAS + 1;
    W exponent = magnitude >> MANTISSA, significand = magnitude & (((W)1 << MANTISSA) - 1);
    if (exponent > 0) significand |= (W)1 << MANTISSA; else exponent = 1;
    W field = exponent > lowest ? exponent : lowest;
    W shift = field - exponent + (MANTISSA - FRACTION);
    field = (field - lowest) << FRACTION;
    if (shift > top) { W more = shift - top; significand >>= more > top ? top : more; shift = top; }
    if (STOCHASTIC) significand += (W)((((wide)random << 31) | (1ull << 30)) >> (63 - shift));
    else significand += ((significand >> shift) & 1) + ((W)1 << (shift - 1)) - 1;
    return field + (significand >> shift);
}

template <int EXPONENT, int SIGNIFICAND, bool INFINITE> struct Format {
    static const int bits = EXPONENT + SIGNIFICAND, fraction = SIGNIFICAND - 1, bias = (1 << (EXPONENT - 1)) - 1;
    static const word largest = INFINITE ? (1u << (bits - 1)) - (1u << fraction) - 1 : (1u << (bits - 1)) - 2;
    static const word nan = INFINITE ? largest + 1 + (1u << (fraction - 1)) : largest + 1;

    DEVICE static word finish(wide pattern, bool is_nan, bool negative) {
        word found = pattern > largest ? largest + 1 : (word)pattern;
        return (is_nan ? nan : found) | ((word)negative << (bits - 1));
    }
    DEVICE static word encode(float x) {
        word given = bits_of(x), magnitude = given & 0x7fffffffu;
        wide pattern = rounded<word, 23, 127, fraction, bias, false>(magnitude, 0);
        return finish(pattern, magnitude > 0x7f800000u, given >> 31);
    }
    template <bool STOCHASTIC> DEVICE static word encode_wide(double x, word random) {
        wide given = bits_of(x), magnitude = given & 0x7fffffffffffffffull;
        wide pattern = rounded<wide, 52, 1023, fraction, bias, STOCHASTIC>(magnitude, random);
        return finish(pattern, magnitude > 0x7ff0000000000000ull, given >> 63);
    }
    DEVICE static word encode(double x) { return encode_wide<false>(x, 0); }
    DEVICE static word encode_random(double x, word random) { return encode_wide<true>((float)x, random); }
    DEVICE static float decode(word pattern) {
        if (EXPONENT == 8 && INFINITE) return float_of(pattern << (32 - bits));
        word sign = (pattern >> (bits - 1)) << 31, magnitude = pattern & ((1u << (bits - 1)) - 1);
        const bool is_infinite = INFINITE && magnitude == largest + 1;
        if (magnitude > largest) return float_of(sign | (is_infinite ? 0x7f800000u : 0x7fc00000u));
        // Both kinds of numbers are right after moving the exponent by a product with a power of two.
        float scaled = float_of(magnitude << (23 - fraction)) * float_of((word)(254 - bias) << 23);
        return float_of(sign | bits_of(scaled));
    }
};
"""

_SUMS = f"""
const int WIDTH = {WIDTH}, LOWEST = {LOWEST}, BINS = {BINS}, DEPTH = {DEPTH};
// Adding and subtracting this rounds to an integer.
#define MAGIC 6755399441055744.0

// One thread's part of a reproducible sum: integers in the three bins at and below the largest product so far.
struct Sum {{
    int top;
    integer high, middle, low;
    DEVICE Sum() : top(-1), high(0), middle(0), low(0) {{}}
    DEVICE void flush(integer *table) {{
        if (top < 0) return;
        add_to(table + BINS + top, 1);
        add_to(table + top, high);
        if (top >= 1) add_to(table + top - 1, middle);
        if (top >= DEPTH - 1) add_to(table + top - 2, low);
        high = middle = low = 0;
    }}
    DEVICE void add(double product, integer *table) {{
        wide magnitude = bits_of(product) & 0x7fffffffffffffffull;
        if (magnitude == 0) return;
        int exponent = (int)(magnitude >> 52) - 1023;
        if (exponent > 1023) {{ add_to(table + BINS + BINS - 1, 1); return; }}
        int bin = greatest((exponent + 1021) / WIDTH, 0);
        if (bin > top) {{ flush(table); top = bin; }}
        double rest = product * double_of((wide)(1023 - LOWEST - WIDTH * top) << 52);
        double whole = (rest + MAGIC) - MAGIC;
        high += (integer)whole;
        rest = (rest - whole) * (double)(1ll << WIDTH);
        whole = (rest + MAGIC) - MAGIC;
        middle += (integer)whole;
        rest = (rest - whole) * (double)(1ll << WIDTH);
        low += (integer)((rest + MAGIC) - MAGIC);
    }}
    // Every thread of a warp takes part.
    DEVICE void finish(integer *table) {{
        int greatest_top = over_warp_greatest(top);
        if (top != greatest_top) {{ flush(table); }}
        bool here = top == greatest_top && top >= 0;
        integer sums[3] = {{here ? high : 0, here ? middle : 0, here ? low : 0}};
        for (int n = 0; n < 3; n++) sums[n] = over_warp_sum(sums[n]);
        top = greatest_top;
        high = sums[0]; middle = sums[1]; low = sums[2];
        if (first_of_warp()) flush(table);
    }}
}};
"""


def _noise() -> str:
    steps = "".join(f"value = (value ^ (value >> {shift})) * {factor:#x}u; " for shift, factor in STEPS)
    return (
        f"\nDEVICE word mixed(word value) {{ {steps}return value ^ (value >> {LAST_SHIFT}); }}\n"
        "DEVICE word noise(word value) { return value; }\n"
        "template <class... Rest> DEVICE word noise(word value, integer first, Rest... rest) "
        "{ return noise(mixed(value + (word)first), rest...); }\n"
    )


def codec(format: Format) -> str:
    """Return the C++ of ``decode_NAME`` and ``encode_NAME`` of a format, to and from `float` and `double`."""
    name, kind = format.name, C_TYPES[format.storage.name]
    if name in ("fp64", "fp32"):
        return (
            f"DEVICE {kind} decode_{name}({kind} x) {{ return x; }}\n"
            f"template <class T> DEVICE {kind} encode_{name}(T x) {{ return ({kind})x; }}\n"
        )
    layout = f"Format<{format.exponent_bits}, {format.significand_bits}, {str(format.has_infinity).lower()}>"
    if kind == "float":  # The pattern lies at the high end of the word, and is a number as it is.
        lift = format.padding_bits
        return (
            f"DEVICE float decode_{name}(float x) {{ return x; }}\n"
            f"template <class T> DEVICE float encode_{name}(T x) "
            f"{{ return float_of({layout}::encode(x) << {lift}); }}\n"
        )
    fast = f"fast_{name}" if name == "fp16" else ""
    return (
        f"DEVICE float decode_{name}({kind} x) {{ return {fast or layout + '::decode'}(x); }}\n"
        f"template <class T> DEVICE {kind} encode_{name}(T x) {{ return ({kind}){fast or layout + '::encode'}(x); }}\n"
        f"template <class T> DEVICE {kind} random_{name}(T x, word random) "
        f"{{ return ({kind}){layout}::encode_random(x, random); }}\n"
    )


#: FP16 by the instructions of the card, which round as the integers do; the others have none on every card.
_HALF = """
DEVICE float fast_fp16(unsigned short x) {
#if defined(__CUDA_ARCH__)
    float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y;
#else
    return Format<5, 11, true>::decode(x);
#endif
}
DEVICE word fast_fp16(float x) {
#if defined(__CUDA_ARCH__)
    unsigned short y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y;
#else
    return Format<5, 11, true>::encode(x);
#endif
}
DEVICE word fast_fp16(double x) { return Format<5, 11, true>::encode(x); }
"""


def prelude(formats: Iterable[Format], compute: str) -> str:
    """Return the text before a kernel that reads and writes these formats and computes in FP32 or FP64."""
    used = sorted(set(formats), key=lambda format: format.name)
    half = _HALF if any(format.name == "fp16" for format in used) else ""
    text = "".join(codec(format) for format in used)
    return f"typedef {C_TYPES[compute]} real;\n{_BASE}{half}{text}{_SUMS}{_noise()}"
