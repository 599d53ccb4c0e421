"""Format: what a binary number format can hold, and how arrays are rounded to it and read back."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpsolve.errors import FormatError, ShapeError, UnknownNameError

ROUNDINGS = ("nearest", "stochastic")

# Values rounded at a time: the temporaries of one block (a dozen of 8 bytes each) stay in a 2 MiB cache.
BLOCK = 1 << 14


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: sign, biased exponent, fraction with subnormals.

    Parameters
    ----------
    name : str
        The config name, which is the name of the file that defines the format.
    exponent_bits : int
        Width of the exponent field; the bias is ``2**(exponent_bits - 1) - 1``.
    significand_bits : int
        Precision, with the hidden bit.
    storage : numpy.dtype
        Type of the arrays that hold encoded numbers. A format narrower than its storage type lies at
        the high end of the word and the low bits are zero.
    compute : numpy.dtype
        Type that holds every number of the format exactly and that kernels compute in.
    has_infinity : bool
        False for the "fn" layouts of the OCP 8-bit specification: no infinity, and all bits of
        exponent and fraction set is the only NaN.
    native : numpy.dtype or None
        The NumPy float with the same bits, if there is one: its conversions replace the integer ones.

    Examples
    --------
    >>> from mpsolve.formats.bf16 import FORMAT as bf16
    >>> bf16.unit_roundoff, bf16.itemsize
    (0.00390625, 2)
    >>> stored = bf16.encode([1.0, 3.14159, 1e39])
    >>> stored.dtype.name, bf16.decode(stored).tolist()
    ('uint16', [1.0, 3.140625, inf])
    >>> bf16.round([1e39], saturate=True).tolist() == [bf16.largest]
    True
    """

    name: str
    exponent_bits: int
    significand_bits: int
    storage: np.dtype[Any]
    compute: np.dtype[Any]
    has_infinity: bool = True
    native: np.dtype[Any] | None = None

    @property
    def bits(self) -> int:
        """Width of sign, exponent and fraction together; tf32 has 19, kept in 32 bits of storage."""
        return self.exponent_bits + self.significand_bits

    @property
    def fraction_bits(self) -> int:
        """Width of the fraction field, which is the significand without the hidden bit."""
        return self.significand_bits - 1

    @property
    def itemsize(self) -> int:
        """Bytes that one number takes in memory and in a message."""
        return self.storage.itemsize

    @property
    def padding_bits(self) -> int:
        """Low bits of a storage word that the format does not use."""
        return 8 * self.itemsize - self.bits

    @property
    def exponent_bias(self) -> int:
        """What is subtracted from the exponent field of a normal number."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def largest_pattern(self) -> int:
        """Bits of the largest finite number; the pattern above it is infinity, or NaN where there is none."""
        patterns = 1 << (self.bits - 1)
        return patterns - 2 if not self.has_infinity else patterns - (1 << self.fraction_bits) - 1

    @property
    def nan_pattern(self) -> int:
        """Bits of the quiet NaN with a clear sign that `encode` writes."""
        if not self.has_infinity:
            return self.largest_pattern + 1
        return self.largest_pattern + 1 + (1 << (self.fraction_bits - 1))

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding to nearest in the normal range."""
        return 2.0**-self.significand_bits

    @property
    def largest(self) -> float:
        """Largest finite number."""
        return _number(self.largest_pattern, self)

    @property
    def smallest_normal(self) -> float:
        """Smallest positive number with full precision."""
        return _number(1 << self.fraction_bits, self)

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive number."""
        return _number(1, self)

    def encode(
        self,
        values: ArrayLike,
        *,
        rounding: str = "nearest",
        saturate: bool = False,
        random_bits: NDArray[np.uint32] | np.random.Generator | None = None,
    ) -> NDArray[Any]:
        """Round values to the format, once, from the precision they come in.

        Parameters
        ----------
        values : array_like
            float32 or float64, any shape; integers and lists are taken as float64. Not changed.
        rounding : {"nearest", "stochastic"}
            To nearest with ties to even, or to one of the two neighbours with a probability that is
            proportional to the distance from the other, in steps of 2**-32 of their distance.
        saturate : bool
            True: what is beyond the largest number, infinity too, becomes the largest with its sign.
            False: it becomes infinity, or NaN where the format has none. NaN stays NaN either way.
        random_bits : numpy.ndarray of uint32 with the shape of values, or numpy.random.Generator
            Source of the stochastic rounding. The result depends on values and bits alone, and is
            the same for a float32 and for the float64 that equals it. Not used with "nearest".

        Returns
        -------
        numpy.ndarray
            New array of type `storage` with the shape of values.

        Raises
        ------
        FormatError
            If values are complex, wider than float64 or not numbers, or random bits are missing.
        ShapeError
            If random bits have another shape than the values.
        UnknownNameError
            If there is no such rounding.
        """
        if rounding not in ROUNDINGS:
            raise UnknownNameError("rounding", rounding, ROUNDINGS)
        numbers = _as_floats(values, self)
        if saturate:
            # Clipping first gives the same as clipping after, because the largest number is exact.
            numbers = np.asarray(np.clip(numbers, -self.largest, self.largest))
        if rounding == "stochastic":
            return _encode_blocks(numbers, self, _random_words(random_bits, numbers.shape))
        if self.native is not None:
            with np.errstate(all="ignore"):
                return numbers.astype(self.native, order="C").view(self.storage)
        return _encode_blocks(numbers, self)

    def decode(self, storage: NDArray[Any]) -> NDArray[Any]:
        """Read encoded numbers, without error.

        Parameters
        ----------
        storage : numpy.ndarray
            Array of type `storage` as `encode` returns it, any shape; not changed, and not rounded again.

        Returns
        -------
        numpy.ndarray
            New array of type `compute` with the shape of storage.

        Raises
        ------
        FormatError
            If the array has another type than `storage`.
        """
        stored = np.asarray(storage)
        if stored.dtype != self.storage:
            raise FormatError(f"{self.name} is stored as {self.storage}, but decode received {stored.dtype}")
        if self.native is not None:
            with np.errstate(invalid="ignore"):
                return np.ascontiguousarray(stored).view(self.native).astype(self.compute).reshape(stored.shape)
        words = np.ascontiguousarray(stored).reshape(-1).view(_word(self.itemsize))
        if self.exponent_bits == 8 and self.has_infinity:
            # The layout is that of binary32 with a shorter fraction, so that the bits only move up.
            raised = words.astype(np.uint32) << np.uint32(32 - 8 * self.itemsize)
            return raised.view(np.float32).astype(self.compute, copy=False).reshape(stored.shape)
        return _table(self)[words >> self.padding_bits].reshape(stored.shape)

    def round(
        self,
        values: ArrayLike,
        *,
        rounding: str = "nearest",
        saturate: bool = False,
        random_bits: NDArray[np.uint32] | np.random.Generator | None = None,
    ) -> NDArray[Any]:
        """Round values to the format and return them as an array of type `compute`: `decode` of `encode`."""
        return self.decode(self.encode(values, rounding=rounding, saturate=saturate, random_bits=random_bits))


def _as_floats(values: ArrayLike, target: Format) -> NDArray[Any]:
    """Return the values as native float32 or float64, at least as wide as the target's compute type."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub" or not np.can_cast(given.dtype, np.float64):
        raise FormatError(f"{target.name} cannot encode {given.dtype} values; give float32 or float64")
    if given.dtype == np.float32 and target.compute == np.float32:
        return given
    # Widening is exact; NumPy warns of an invalid value when it makes a signalling NaN quiet.
    with np.errstate(invalid="ignore"):
        return given.astype(np.float64, copy=False)


def _random_words(source: object, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Return 32 random bits for each value, drawn if the source is a generator."""
    if isinstance(source, np.random.Generator):
        return np.asarray(source.integers(0, 1 << 32, size=shape, dtype=np.uint32))
    if not isinstance(source, np.ndarray) or source.dtype != np.uint32:
        received = "none" if source is None else f"{getattr(source, 'dtype', type(source).__name__)}"
        raise FormatError(
            f"stochastic rounding received random_bits of type {received}; give a uint32 array with the "
            "shape of the values, or a numpy.random.Generator"
        )
    if source.shape != shape:
        raise ShapeError(f"random_bits have shape {source.shape}, but the values have shape {shape}")
    return source


def _word(itemsize: int) -> np.dtype[Any]:
    """Return the unsigned type of that many bytes."""
    return np.dtype(f"u{itemsize}")


def _encode_blocks(
    numbers: NDArray[Any], target: Format, random_words: NDArray[np.uint32] | None = None
) -> NDArray[Any]:
    """Encode in blocks that stay in cache; stochastic if random words are given."""
    # Stochastic rounding starts from float64, so that its steps do not depend on the type of the values.
    with np.errstate(invalid="ignore"):
        source = numbers if random_words is None else numbers.astype(np.float64, copy=False)
    flat, words = source.reshape(-1), None if random_words is None else random_words.reshape(-1)
    out = np.empty(flat.size, _word(target.itemsize))
    for start in range(0, flat.size, BLOCK):
        block = slice(start, start + BLOCK)
        patterns = _encode(flat[block], target, None if words is None else words[block])
        patterns <<= target.padding_bits
        out[block] = patterns
    return out.view(target.storage).reshape(source.shape)


def _encode(numbers: NDArray[Any], target: Format, random_words: NDArray[np.uint32] | None) -> NDArray[Any]:
    """Return the patterns of float32 or float64 numbers in the target, as words of the numbers' width."""
    source, width = np.finfo(numbers.dtype), 8 * numbers.itemsize
    bits = np.ascontiguousarray(numbers).view(_word(numbers.itemsize))
    magnitude = bits & ((1 << (width - 1)) - 1)
    patterns = _round(magnitude, source, target, random_words)
    # Overflow of every size, and infinity, lie above the largest number: the next pattern stands for them.
    np.minimum(patterns, target.largest_pattern + 1, out=patterns)
    infinity = ((1 << source.nexp) - 1) << source.nmant
    np.copyto(patterns, target.nan_pattern, where=magnitude > infinity)
    patterns |= (bits >> (width - 1)) << (target.bits - 1)
    return patterns


def _round(
    magnitude: NDArray[Any], source: Any, target: Format, random_words: NDArray[np.uint32] | None
) -> NDArray[Any]:
    """Round bits without sign, of the layout source, to patterns of the target without an upper limit.

    The significand is shifted right by the bits that the target drops: more of them below the
    target's smallest normal number, whose exponent then stands still. Adding the quotient, hidden
    bit included, to the exponent field lets a carry run into the exponent, as IEEE 754 encodings do.
    """
    exponent = magnitude >> source.nmant
    significand = magnitude & ((1 << source.nmant) - 1)
    significand |= (exponent > 0).astype(magnitude.dtype) << source.nmant
    np.maximum(exponent, 1, out=exponent)
    lowest = source.maxexp - 1 - target.exponent_bias + 1
    field = np.maximum(exponent, lowest)
    shift = field - exponent
    shift += source.nmant - target.fraction_bits
    field -= lowest
    field <<= target.fraction_bits
    _limit(significand, shift)
    significand += _half(significand, shift) if random_words is None else _fraction(random_words, shift)
    significand >>= shift
    field += significand
    return field


def _limit(significand: NDArray[Any], shift: NDArray[Any]) -> None:
    """Bring shifts below the word's width, in place, by shifting the significand beforehand.

    What is lost is below the half that decides on nearest, and below the steps of the random fraction.
    """
    top = 8 * shift.itemsize - 1
    significand >>= np.minimum(np.maximum(shift, top) - shift.dtype.type(top), top)
    np.minimum(shift, top, out=shift)


def _half(significand: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """Return what rounds to nearest when added before the shift: just below half, or half if the quotient is odd."""
    one = shift.dtype.type(1)
    odd = (significand >> shift) & one
    odd += (one << (shift - one)) - one
    return odd


def _fraction(random_words: NDArray[np.uint32], shift: NDArray[Any]) -> NDArray[np.uint64]:
    """Return (k + 1/2) / 2**32 of the unit that is shifted out, for random words k: never a whole unit."""
    fraction = (random_words.astype(np.uint64) << np.uint64(31)) | np.uint64(1 << 30)
    fraction >>= np.uint64(63) - shift
    return fraction


def _number(pattern: int, target: Format) -> float:
    """Return the finite number of a pattern with a clear sign."""
    field, fraction = divmod(pattern, 1 << target.fraction_bits)
    hidden = 1 << target.fraction_bits if field else 0
    return float(np.ldexp(float(hidden + fraction), max(field, 1) - target.exponent_bias - target.fraction_bits))


@functools.cache
def _table(target: Format) -> NDArray[Any]:
    """Return the numbers of all patterns of a small format, in the order of the patterns; read only."""
    half = 1 << (target.bits - 1)
    magnitudes = np.full(half, np.nan, target.compute)
    if target.has_infinity:
        magnitudes[target.largest_pattern + 1] = np.inf
    finite = [_number(pattern, target) for pattern in range(target.largest_pattern + 1)]
    magnitudes[: len(finite)] = finite
    table = np.concatenate([magnitudes, -magnitudes])
    table.setflags(write=False)
    return table
