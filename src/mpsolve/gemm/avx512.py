"""Our own products for processors with AVX-512: BF16 by its dot-product instruction, the rest by FP32 or FP64."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm
from mpsolve.kernels.flat import flat

FORMATS = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2")

#: Inner size of one pass over C: packed strips of both operands then share the first-level cache.
INNER = {"bf16": 512, "fp32": 256, "fp64": 192}
#: Fewest flops, or numbers to pack, of a share of the work; and shares for each thread.
FLOPS_PER_SHARE, SHARES = 1 << 22, 4


@dataclass(frozen=True, eq=False)
class Operand:
    """A packed operand.

    Attributes
    ----------
    length : int
        Rows of L, or columns of R.
    inner : int
        The other dimension.
    parts : tuple of (ndarray, int)
        For each pass the packed words, and the steps of the innermost loop.
    """

    length: int
    inner: int
    parts: tuple[tuple[NDArray[Any], int], ...]


class Avx512Gemm(Gemm):
    """Packed operands and register tiles of 6 x 64 FP32 sums.

    8-bit formats are exact in BF16, and FP16 is exact in FP32, which is what their products are computed in. The
    dot-product instruction takes subnormal BF16 operands for zeros; without it BF16 is computed in FP32.
    """

    name, copies = "avx512", True

    def __init__(self, format: Format, threads: int, kind: str) -> None:
        super().__init__(format, threads)
        from mpsolve.kernels import register_tile, tile_product

        self.kind = kind
        self._word, _, lanes = tile_product.KINDS[kind]
        self._rows, self._columns = register_tile.ROWS, register_tile.VECTORS * lanes
        self._pack_left, self._pack_right = tile_product.pack_left(kind), tile_product.pack_right(kind)
        self._product, self._cached_bytes = tile_product.product(kind), tile_product.CACHED_BYTES
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def left(self, values: NDArray[Any]) -> Operand:
        """Pack; see `Gemm.left`."""
        rows, inner = values.shape
        words = self._numbers(values)
        if self.kind == "bf16":
            # Pairs along a row are words already; an odd row gets a zero for a partner.
            padded = words if inner % 2 == 0 else np.pad(words, ((0, 0), (0, 1)))
            words = _as_pairs(padded)
        groups, parts = -(-rows // self._rows), []
        for first, steps in self._passes(inner):
            packed = np.empty(groups * self._rows * steps, self._word)
            fixed = (packed, *flat(words), rows, first, steps)
            self._share(self._pack_left, fixed, groups, rows * inner)
            parts.append((packed, steps))
        return Operand(rows, inner, tuple(parts))

    def right(self, values: NDArray[Any]) -> Operand:
        """Pack; see `Gemm.right`."""
        inner, columns = values.shape
        numbers = self._numbers(values)
        strips, parts = -(-columns // self._columns), []
        for first, steps in self._passes(inner):
            packed = _aligned(strips * self._columns * steps, self._word)
            rows = (inner,) if self.kind == "bf16" else ()
            fixed = (packed, *flat(numbers), columns, *rows, first, steps)
            self._share(self._pack_right, fixed, strips, columns * inner)
            parts.append((packed, steps))
        return Operand(columns, inner, tuple(parts))

    def subtract(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply and subtract; see `Gemm.subtract`."""
        self._multiply(c, left, right, -scale, keep=True)

    def multiply(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply; see `Gemm.multiply`."""
        if not left.parts:
            c[...] = 0
        self._multiply(c, left, right, scale, keep=False)

    def _multiply(self, c: NDArray[Any], left: Operand, right: Operand, factor: float, *, keep: bool) -> None:
        if c.size == 0:
            return
        array, distance = flat(c)
        strips = -(-right.length // self._columns)
        for (packed_left, steps), (packed_right, _) in zip(left.parts, right.parts, strict=True):
            group_bytes = self._rows * steps * packed_left.itemsize
            cached = max(1, self._cached_bytes // group_bytes)
            fixed = array, distance, left.length, right.length, packed_left, packed_right, steps, c.dtype.type(factor)
            self._share(self._product, (*fixed, keep, cached), strips, 2 * c.size * left.inner)
            keep = True

    def _passes(self, inner: int) -> Iterator[tuple[int, int]]:
        """Yield first step and number of steps of each pass over C; passes of about the same length."""
        steps = -(-inner // 2) if self.kind == "bf16" else inner
        longest = INNER[self.kind] // (2 if self.kind == "bf16" else 1)
        passes = -(-steps // longest)
        cuts = [steps * part // passes for part in range(passes)] + [steps] if passes else []
        for first, stop in zip(cuts, cuts[1:], strict=False):
            yield first, stop - first

    def _numbers(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an operand in what the tile multiplies: BF16 words, FP32 or FP64."""
        if self.format.itemsize == 1:
            return _table(self.format, self.kind)[values]
        if self.format.name == "bf16" and self.kind == "bf16":
            return values if values.strides[1] == values.itemsize else np.ascontiguousarray(values)
        if self.format.compute == self.format.storage:
            return values if values.strides[1] == values.itemsize else np.ascontiguousarray(values)
        return self.format.decode(values)

    def _share(self, kernel: Callable, fixed: tuple, count: int, work: int) -> None:
        """Run a kernel on ``count`` groups or strips, cut into a share for each thread that has enough to do."""
        if self._pool is None or work < 2 * FLOPS_PER_SHARE or count < 2:
            kernel(*fixed, 0, count)
            return
        # More shares than threads: a thread that others disturb then does fewer of them.
        shares = min(SHARES * self.threads, work // FLOPS_PER_SHARE, count)
        cuts = [count * part // shares for part in range(shares + 1)]
        for future in [self._pool.submit(kernel, *fixed, lo, hi) for lo, hi in zip(cuts, cuts[1:], strict=False)]:
            future.result()


def _as_pairs(words: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Return 16-bit words of even rows as pairs, without a copy if the rows allow it."""
    if words.size and words.strides[0] % 4:
        words = np.ascontiguousarray(words)
    return words.view(np.uint32)


def _aligned(count: int, word: str) -> NDArray[Any]:
    """Return an array that starts on a cache line, as the tile's loads expect."""
    from mpsolve.field import aligned_zeros

    return aligned_zeros((count,), np.dtype(word))


@cache
def _table(format: Format, kind: str) -> NDArray[Any]:
    """Return what each pattern of an 8-bit format is as a BF16 word or an FP32 number."""
    numbers = format.decode(np.arange(256, dtype=np.uint8).view(format.storage))
    if kind == "bf16":
        from mpsolve.precision import get_format

        numbers = get_format("bf16").encode(numbers)
    return numbers


@cache
def create(format: Format, threads: int = 1) -> Gemm:
    """Return the products of a format.

    Raises
    ------
    BackendUnavailable
        If Numba is not installed, or the processor has no AVX-512.
    FormatError
        If there are no products in the format.
    """
    from importlib.util import find_spec

    if format.name not in FORMATS:
        raise FormatError(f"gemm 'avx512' has no products in {format.name}; it has {', '.join(FORMATS)}")
    if find_spec("numba") is None:
        raise BackendUnavailable("gemm 'avx512' needs Numba: pip install 'mpsolve[cpu]'")
    from mpsolve.kernels.hardware import features

    if not features().get("avx512f", False):
        raise BackendUnavailable("gemm 'avx512' needs a processor with AVX-512")
    narrow = format.name in ("bf16", "fp8_e4m3", "fp8_e5m2") and features().get("avx512bf16", False)
    kind = "bf16" if narrow else "fp64" if format.name == "fp64" else "fp32"
    return Avx512Gemm(format, threads, kind)
