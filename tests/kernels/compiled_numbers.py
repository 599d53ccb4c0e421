"""Compare compiled code with the formats and the reference backend; run as a program, in an environment of choice."""

import sys

import numpy as np
from numba import njit

from mpsolve import lookup
from mpsolve.backends import cpu, reference
from mpsolve.field import Field
from mpsolve.kernels import codecs
from mpsolve.precision import get_format

FORMATS = lookup.names("formats")
SMALL = [name for name in FORMATS if get_format(name).bits <= 16]


def compiled_decode(format):
    """Return a compiled function that decodes an array into another."""
    decode = codecs.decoder((format,))

    @njit
    def run(stored, out):
        for number in range(stored.size):
            out[number] = decode(stored[number])

    return run


def compiled_encode(format):
    """Return a compiled function that encodes an array into another."""
    encode = codecs.encoder(format)

    @njit
    def run(values, out):
        for number in range(values.size):
            out[number] = encode(values[number])

    return run


def differing(left, right, format):
    """Count the stored numbers that differ; one NaN is as good as another."""
    numbers = format.decode(left), format.decode(right)
    both_nan = np.isnan(numbers[0]) & np.isnan(numbers[1])
    words = [stored.view(f"u{stored.itemsize}") for stored in (left, right)]
    return int(np.count_nonzero((words[0] != words[1]) & ~both_nan))


def all_patterns(format):
    return np.arange(1 << format.bits).astype(format.storage)


def hard_values(format, dtype):
    """All numbers of a small format, their midpoints and the neighbours of those, and random bits of a float type."""
    values = [np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 65519.9, 65520.0, 447.9, 448.0, 464.0, 480.0])]
    if format.bits <= 16:
        with np.errstate(invalid="ignore"):  # Signalling NaN.
            decoded = format.decode(all_patterns(format)).astype(np.float64)
        numbers = np.unique(decoded[np.isfinite(decoded)])
        middle = (numbers[1:] + numbers[:-1]) / 2
        values += [numbers, middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf)]
        values += [np.nextafter(middle.astype(np.float32), np.float32(side)).astype(np.float64) for side in (-9e9, 9e9)]
    words = np.random.default_rng(0).integers(0, 1 << 8 * dtype.itemsize, 1 << 16, f"u{dtype.itemsize}", endpoint=False)
    with np.errstate(all="ignore"):
        return np.concatenate([np.concatenate(values).astype(dtype), words.view(dtype)])


def decoding_errors(format):
    stored = all_patterns(format)
    out = np.empty(stored.size, np.float32)
    compiled_decode(format)(stored, out)
    expected = format.decode(stored)
    same = (out == expected) | (np.isnan(out) & np.isnan(expected))
    return int(np.count_nonzero(~same | (np.signbit(out) != np.signbit(expected)) & ~np.isnan(out)))


def encoding_errors(format, dtype):
    values = hard_values(format, np.dtype(dtype))
    out = np.empty(values.size, format.storage)
    compiled_encode(format)(values, out)
    with np.errstate(all="ignore"):
        return differing(out, format.encode(values), format)


def sweep_errors(format):
    """Count the cells in which three compiled steps differ from those of the reference backend."""
    field = Field.zeros((9, 70), 3, format)
    field.storage[...] = format.encode(np.random.default_rng(1).standard_normal(field.storage.shape))
    results = [field.like(), field.like()]
    for made, target in zip((cpu.create(1), reference.create()), results, strict=True):
        made.bind_sweep(target, field, (0.2, 0.2), 3, ((0, 0), (1, -1)))()
    return differing(*(target.interior.copy() for target in results), format)


def tie_errors():
    """Return 1 if a number 2^-60 below the midpoint of two FP32 numbers is rounded wrongly, as by way of FP64."""
    small = 2.0**-18
    around = np.full((3, 3), 1 + 2.0**-23)
    around[0, 1], around[2, 1] = 2 + small, 1 + 2.0**-22
    field = Field.zeros((1, 1), 1, get_format("fp32"))
    field.region((-1, -1), (2, 2))[...] = around
    target = field.like()
    rate = 2.0**-24 * (1 - small)
    # The second difference is 1 + 2^-18 without rounding, and its product with the rate 2^-24 - 2^-60.
    cpu.create(1).bind_sweep(target, field, (rate, rate), 1, ((0, 0), (0, 0)))()
    return int(target.interior[0, 0] != np.float32(1 + 2.0**-23))


def main():
    """Print what differs and return whether something did."""
    counts = {f"decode {name}": decoding_errors(get_format(name)) for name in SMALL}
    for name in FORMATS:
        counts |= {f"encode {name} {dtype}": encoding_errors(get_format(name), dtype) for dtype in ("f4", "f8")}
    counts |= {f"sweep {name}": sweep_errors(get_format(name)) for name in ("fp64", "fp32", "bf16", "fp16")}
    counts["tie"] = tie_errors()
    print({name: count for name, count in counts.items() if count})
    return any(counts.values())


if __name__ == "__main__":
    sys.exit(main())
