"""A cache line of stored numbers as vectors of compute numbers: how it is loaded, stored and shifted by one column."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from llvmlite import ir
from numba.core import cgutils

from mpsolve.formats.base import Format
from mpsolve.kernels import codecs
from mpsolve.kernels.hardware import features
from mpsolve.kernels.memory import LINE, address

_FLOAT, _DOUBLE, _INT32, _INT64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_HIGH_HALF, _LOW_HALF = 0xFFFF0000, 0xFFFF
#: Truth table of (a & c) | b, the operands numbered from the highest bit of the index.
_TRUTH = 0xEC


class LineLayout:
    """The vectors of one line: one for FP64 and FP32, two for 16-bit formats, four for 8-bit formats.

    BF16 is split into its even and its odd columns, because that takes one instruction each, and because the odd
    columns beside the even ones are then there already. Other narrow formats are split in order; their neighbours are
    shifted out of decoded vectors, since decoding costs more than a shift.

    Attributes
    ----------
    columns : int
        Stored numbers of a line.
    lanes : int
        Compute numbers of a vector.
    """

    def __init__(self, format: Format):
        self.format = format
        self.compute = _DOUBLE if format.compute.itemsize == 8 else _FLOAT
        self.columns, self.lanes = LINE // format.itemsize, LINE // format.compute.itemsize
        self.interleaved = format.name == "bf16"
        self.stored = ir.VectorType(self.compute if format.bits > 16 else ir.IntType(format.bits), self.lanes)
        self.words = ir.VectorType(_INT32, self.lanes)

    def _read(self, builder, handle, position, kind):
        pointer = builder.bitcast(address(builder, handle, [position]), kind.as_pointer())
        return builder.load(pointer, align=self.format.itemsize)

    def _part(self, builder, handle, position):
        """Emit the decoded vector that starts at a position."""
        return codecs.emit_decode(builder, self._read(builder, handle, position, self.stored), self.format)

    def _even(self, builder, words):
        return builder.bitcast(builder.shl(words, codecs.constant(words, _INT32, 16)), codecs.like(words, _FLOAT))

    def _odd(self, builder, words):
        high = builder.and_(words, codecs.constant(words, _INT32, _HIGH_HALF))
        return builder.bitcast(high, codecs.like(words, _FLOAT))

    def load(self, builder, handle, position):
        """Emit the decoded vectors of the line at a position."""
        if self.interleaved:
            words = self._read(builder, handle, position, self.words)
            return [self._even(builder, words), self._odd(builder, words)]
        starts = [builder.add(position, _INT64(first)) for first in range(0, self.columns, self.lanes)]
        return [self._part(builder, handle, start) for start in starts]

    def open_window(self, builder, handle, rows):
        """Emit the memory of a loop along rows: the vector before the line of each row, decoded once."""
        if self.interleaved or self.format.bits > 16:
            return None
        slots = [cgutils.alloca_once(builder, codecs.like(ir.Constant(self.stored, None), _FLOAT)) for _ in rows]
        for slot, row in zip(slots, rows, strict=True):
            builder.store(self._part(builder, handle, builder.sub(row, _INT64(self.lanes))), slot)
        return slots

    def beside(self, builder, handle, position, line, window, number):
        """Emit the columns before and those after a loaded line, each as a list of vectors in the line's order."""
        one = _INT64(1)
        if self.interleaved:
            two = _INT64(2)
            before = self._odd(builder, self._read(builder, handle, builder.sub(position, two), self.words))
            after = self._even(builder, self._read(builder, handle, builder.add(position, two), self.words))
            return [before, line[0]], [line[1], after]
        if window is None:
            return self.load(builder, handle, builder.sub(position, one)), self.load(
                builder, handle, builder.add(position, one)
            )
        following = self._part(builder, handle, builder.add(position, _INT64(self.columns)))
        parts = [builder.load(window[number]), *line, following]
        builder.store(line[-1], window[number])
        shifts = [range(self.lanes - 1, 2 * self.lanes - 1), range(1, self.lanes + 1)]
        masks = [ir.Constant(self.words, list(shift)) for shift in shifts]
        pairs = [list(zip(parts[:-2], line, strict=True)), list(zip(line, parts[2:], strict=True))]
        return tuple(
            [builder.shuffle_vector(*pair, mask) for pair in side] for side, mask in zip(pairs, masks, strict=True)
        )

    def store(self, builder, parts, handle, position, aligned):
        """Emit the encoding and the stores of a line and return the store instructions."""
        if self.interleaved:
            encoded = [_round_pairs(builder, *(builder.bitcast(part, self.words) for part in parts))]
        else:
            encoded = [codecs.emit_encode(builder, part, self.format) for part in parts]
        instructions = []
        for number, value in enumerate(encoded):
            start = builder.add(position, _INT64(number * self.lanes))
            pointer = builder.bitcast(address(builder, handle, [start]), value.type.as_pointer())
            size = LINE // len(encoded)
            instructions.append(builder.store(value, pointer, align=size if aligned else self.format.itemsize))
        return instructions


def _round_pairs(builder, even, odd):
    """Emit the rounding to BF16 of the FP32 patterns of even and odd columns, two columns in each word of 32 bits.

    The high halves and the low halves are gathered first, so that one instruction rounds both columns. A high half
    grows by one if its low half, less one if the high half is even, has its highest bit set. NaN must have zeros in
    its low half, as results of decoded numbers have: it then stays a NaN without a test.
    """
    sixteen = codecs.constant(even, _INT32, 16)
    halves = ir.VectorType(ir.IntType(16), 2 * even.type.count)
    number = lambda value: ir.Constant(halves, [value] * halves.count)  # noqa: E731
    tops = builder.bitcast(_masked_or(builder, odd, _HIGH_HALF, builder.lshr(even, sixteen)), halves)
    rests = builder.bitcast(_masked_or(builder, even, _LOW_HALF, builder.shl(odd, sixteen)), halves)
    name, signature = f"llvm.usub.sat.v{halves.count}i16", ir.FunctionType(halves, [halves] * 2)
    saturating = cgutils.get_or_insert_function(builder.module, signature, name)
    is_even = builder.and_(builder.xor(tops, number(0xFFFF)), number(1))
    carry = builder.lshr(builder.call(saturating, [rests, is_even]), number(15))
    return builder.bitcast(builder.add(tops, carry), even.type)


def _masked_or(builder, value, mask, other):
    """Emit ``value & mask | other`` on 16 words.

    Named as the one AVX-512 instruction that it is: LLVM would see halves being shuffled, which takes three.
    """
    mask = codecs.constant(value, _INT32, mask)
    if not features().get("avx512f", False):
        return builder.or_(builder.and_(value, mask), other)
    kind = value.type
    signature = ir.FunctionType(kind, [kind, kind, kind, _INT32])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.x86.avx512.pternlog.d.512")
    return builder.call(function, [value, other, mask, _INT32(_TRUTH)])
