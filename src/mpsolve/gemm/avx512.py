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

#: Inner size of one pass over C: a strip of R then stays in the second-level cache, beside a part of L.
INNER = {"bf16": 512, "fp32": 512, "fp64": 256}
#: Bytes of a cache line.
LINE = 64
#: Fewest flops, and fewest numbers to pack, of a share of the work; and shares for each thread.
FLOPS_PER_SHARE, NUMBERS_PER_SHARE, SHARES = 1 << 22, 1 << 16, 4


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
    """Packed operands and register tiles of 6 x 64 FP32 or 6 x 32 FP64 sums.

    8-bit formats are decoded to BF16 and FP16 to FP32 while they are packed, which is exact. The dot-product
    instruction of BF16 takes subnormal BF16 operands for zeros and makes subnormal sums zeros; numbers of the 8-bit
    formats, their subnormals included, are normal in BF16. Without the instruction both are computed in FP32.
    """

    name, copies = "avx512", True

    def __init__(self, format: Format, threads: int, kind: str) -> None:
        super().__init__(format, threads)
        from mpsolve.kernels import register_tile, tile_product

        self.kind = kind
        self._word, _, lanes = tile_product.KINDS[kind]
        self._rows, self._columns = register_tile.ROWS, register_tile.VECTORS * lanes
        self._pack_left = tile_product.pack_left(kind, format)
        self._pack_right = tile_product.pack_right(kind, format)
        self._product, self._cached_bytes = tile_product.product(kind), tile_product.CACHED_BYTES
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def left(self, values: NDArray[Any]) -> Operand:
        """Pack; see `Gemm.left`."""
        rows, inner = values.shape
        return self._packed(self._pack_left, values, rows, inner, self._rows)

    def right(self, values: NDArray[Any]) -> Operand:
        """Pack; see `Gemm.right`."""
        inner, columns = values.shape
        return self._packed(self._pack_right, values, columns, inner, self._columns)

    def _packed(self, kernel: Callable, values: NDArray[Any], length: int, inner: int, height: int) -> Operand:
        """Pack strips of ``height`` rows or columns, for one pass after the other."""
        array, distance = flat(_with_contiguous_rows(values))
        strips, parts = -(-length // height), []
        for first, steps in self._passes(inner):
            packed = _aligned(strips * height * steps, np.dtype(self._word))
            self._share(
                kernel, (packed, array, distance, length, inner, first, steps), strips, values.size // NUMBERS_PER_SHARE
            )
            parts.append((packed, steps))
        return Operand(length, inner, tuple(parts))

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
        groups, strips = -(-left.length // self._rows), -(-right.length // self._columns)
        for (packed_left, steps), (packed_right, _) in zip(left.parts, right.parts, strict=True):
            group_bytes = self._rows * steps * packed_left.itemsize
            cached = max(1, self._cached_bytes // group_bytes)
            fixed = array, distance, left.length, right.length, packed_left, packed_right, steps, c.dtype.type(factor)
            most = 2 * c.size * left.inner // len(left.parts) // FLOPS_PER_SHARE
            if strips >= SHARES * self.threads:
                self._share(self._product, (*fixed, keep, cached, 0, groups), strips, most)
            else:
                self._share(self._product, (*fixed, keep, cached), groups, most, (0, strips))
            keep = True

    def _passes(self, inner: int) -> Iterator[tuple[int, int]]:
        """Yield first step and number of steps of each pass over C; passes of about the same length."""
        steps = -(-inner // 2) if self.kind == "bf16" else inner
        longest = INNER[self.kind] // (2 if self.kind == "bf16" else 1)
        passes = -(-steps // longest)
        cuts = [steps * part // passes for part in range(passes)] + [steps] if passes else []
        for first, stop in zip(cuts, cuts[1:], strict=False):
            yield first, stop - first

    def _share(self, kernel: Callable, fixed: tuple, count: int, most: int, rest: tuple = ()) -> None:
        """Run a kernel on ``count`` groups or strips, cut into ``most`` shares at most.

        The bounds of a share stand between the ``fixed`` arguments of the kernel and the ``rest``.
        """
        # More shares than threads: a thread that others disturb then does fewer of them.
        shares = min(SHARES * self.threads, most, count)
        if self._pool is None or shares < 2:
            kernel(*fixed, 0, count, *rest)
            return
        # All threads draw from one iterator, this one too: to start a task takes as long as a small share.
        bounds = iter([(count * part // shares, count * (part + 1) // shares) for part in range(shares)])

        def work() -> None:
            for lo, hi in bounds:
                kernel(*fixed, lo, hi, *rest)

        helpers = [self._pool.submit(work) for _ in range(min(self.threads, shares) - 1)]
        work()
        for helper in helpers:
            helper.result()


def _with_contiguous_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return the operand itself if it can be packed from where it lies: rows one after the other, not backwards."""
    rows, columns = values.shape
    along = columns <= 1 or values.strides[1] == values.itemsize
    apart = rows <= 1 or values.strides[0] >= columns * values.itemsize
    return values if along and apart else np.ascontiguousarray(values)


def _aligned(count: int, word: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that starts on a cache line, as the tile's loads expect; packing writes all of it."""
    raw = np.empty(count * word.itemsize + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + count * word.itemsize].view(word)


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
