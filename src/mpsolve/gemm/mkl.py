"""Products by Intel's MKL, called in its wheel: matrix units where the processor has them."""

import ctypes
import os
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, FormatError
from mpsolve.formats.base import Format
from mpsolve.gemm.base import Gemm

#: Function and type of alpha and beta for each format; TF32 operands are FP32 numbers that were rounded before.
FUNCTIONS = {
    "fp64": ("cblas_dgemm", ctypes.c_double),
    "fp32": ("cblas_sgemm", ctypes.c_float),
    "tf32": ("cblas_sgemm", ctypes.c_float),
    "bf16": ("cblas_gemm_bf16bf16f32", ctypes.c_float),
    "fp16": ("cblas_gemm_f16f16f32", ctypes.c_float),
    "fp8_e4m3": ("cblas_gemm_e4m3e4m3f32", ctypes.c_float),
    "fp8_e5m2": ("cblas_gemm_e5m2e5m2f32", ctypes.c_float),
}
FORMATS = tuple(FUNCTIONS)

# Constants of the CBLAS interface.
ROW_MAJOR, COLUMN_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 102, 111, 112
FIX_OFFSET = 173

#: Sizes m, k, n of the product that is checked before a function is trusted: whole vectors, and what is left of them.
CHECKED = (37, 65, 83)


class MklGemm(Gemm):
    """One function of MKL; operands are used where they lie."""

    name = "mkl"

    def __init__(self, format: Format, threads: int, library: ctypes.CDLL) -> None:
        super().__init__(format, threads)
        name, self._scalar = FUNCTIONS[format.name]
        self._function, self._library = getattr(library, name), library

    def left(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the operand; see `Gemm.left`."""
        return _with_contiguous_rows(values)

    def right(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the operand; see `Gemm.right`."""
        return _with_contiguous_rows(values)

    def subtract(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply and subtract; see `Gemm.subtract`."""
        self._call(c, left, right, -scale, 1.0)

    def multiply(self, c: NDArray[Any], left: Any, right: Any, scale: float = 1.0) -> None:
        """Multiply; see `Gemm.multiply`."""
        if left.shape[1] == 0:
            c[...] = 0
        else:
            self._call(c, left, right, scale, 0.0)

    def _call(self, c: NDArray[Any], left: NDArray[Any], right: NDArray[Any], alpha: float, beta: float) -> None:
        (m, k), n = left.shape, right.shape[1]
        if min(m, n, k) == 0:
            return
        # Only for this thread: other parts of the program may use MKL with other settings.
        before = self._library.MKL_Set_Num_Threads_Local(self.threads)
        self._function(
            ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, *map(_size, (m, n, k)),
            self._scalar(alpha), *_address(left), *_address(right), self._scalar(beta), *_address(c),
        )  # fmt: skip
        self._library.MKL_Set_Num_Threads_Local(before)


def _with_contiguous_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Return the operand itself if MKL can use it where it lies: rows one after the other, not backwards."""
    rows, columns = values.shape
    along = columns <= 1 or values.strides[1] == values.itemsize
    apart = rows <= 1 or values.strides[0] >= columns * values.itemsize
    return values if along and apart else np.ascontiguousarray(values)


def _size(number: int) -> ctypes.c_int64:
    """Return a size for MKL, which reads 32 or 64 bits of it, as MKL_INTERFACE_LAYER says."""
    return ctypes.c_int64(number)


def _address(values: NDArray[Any]) -> tuple[ctypes.c_void_p, ctypes.c_int64]:
    """Return the address of a matrix and the distance of its rows."""
    distance = values.strides[0] // values.itemsize if len(values) > 1 else values.shape[1]
    return ctypes.c_void_p(values.ctypes.data), _size(max(distance, values.shape[1], 1))


@cache
def _library() -> ctypes.CDLL:
    """Load the library of the wheel.

    Raises
    ------
    BackendUnavailable
        If it is not installed or cannot be loaded.
    """
    advice = "pip install 'mpsolve[cpu]' (Intel publishes it for x86_64 alone)"
    try:
        files = [Path(str(file.locate())) for file in metadata.files("mkl") or [] if "mkl_rt" in file.name]
    except metadata.PackageNotFoundError:
        files = []
    # Its threads would go on spinning for 200 ms after each product, on cores that other kernels wait for.
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    files = [*files, *Path(sys.prefix).glob("lib/libmkl_rt.so*"), *Path(sys.prefix).glob("Library/bin/mkl_rt*.dll")]
    problem = "there is no MKL library"
    for file in sorted(set(files), reverse=True):
        try:
            return ctypes.CDLL(str(file))
        except OSError as error:
            problem = str(error)
    raise BackendUnavailable(f"gemm 'mkl' does not work: {problem}; {advice}")


def integer_product(left: NDArray[Any], right: NDArray[Any], threads: int = 1) -> NDArray[np.int32]:
    """Return the exact product of signed and unsigned 8-bit integers, a building block of emulated FP64.

    Parameters
    ----------
    left : ndarray of int8 or uint8, shape (m, k)
        Each row contiguous, rows at any distance.
    right : ndarray of uint8 or int8, shape (k, n)
        The same; one of the two operands is signed, the other is not.
    threads : int
        Cores to use.

    Returns
    -------
    ndarray of int32, shape (m, n)
        New, in C or Fortran order. Exact for k up to 65,793, beyond which sums of 128 * 255 could pass 2**31.

    Raises
    ------
    FormatError
        If the operands are of other types.
    BackendUnavailable
        If MKL does not work here, or its sums of integers saturate, as those of processors without VNNI may.
    """
    if {left.dtype, right.dtype} != {np.dtype(np.int8), np.dtype(np.uint8)}:
        raise FormatError(
            f"an integer product takes one int8 and one uint8 operand, not {left.dtype} and {right.dtype}"
        )
    library = _library()
    if not _integers_are_right(library):
        raise BackendUnavailable("cblas_gemm_s8u8s32 of this MKL is missing, or wrong on this processor")
    return _integer_product(library, left, right, threads)


def _integer_product(library: ctypes.CDLL, left: NDArray[Any], right: NDArray[Any], threads: int) -> NDArray[np.int32]:
    (m, k), n = left.shape, right.shape[1]
    # MKL's first operand is signed in the column-major interface, and unsigned in the row-major one.
    by_columns = left.dtype == np.int8
    layout, operation = (COLUMN_MAJOR, TRANSPOSE) if by_columns else (ROW_MAJOR, NO_TRANSPOSE)
    c = np.zeros((n, m) if by_columns else (m, n), np.int32)
    if min(m, n, k) > 0:
        left, right = _with_contiguous_rows(left), _with_contiguous_rows(right)
        offset, none = np.zeros(1, np.int32), ctypes.c_int8(0)
        before = library.MKL_Set_Num_Threads_Local(threads)
        library.cblas_gemm_s8u8s32(
            layout, operation, operation, FIX_OFFSET, *map(_size, (m, n, k)),
            ctypes.c_float(1), *_address(left), none, *_address(right), none,
            ctypes.c_float(0), *_address(c), ctypes.c_void_p(offset.ctypes.data),
        )  # fmt: skip
        library.MKL_Set_Num_Threads_Local(before)
    return c.T if by_columns else c


@cache
def _integers_are_right(library: ctypes.CDLL) -> bool:
    """Compare a product of the largest integers, whose pairs of products overflow 16 bits, with NumPy's."""
    if not hasattr(library, "cblas_gemm_s8u8s32"):
        return False
    (m, k, n), rng = CHECKED, np.random.default_rng(0)
    left = rng.choice(np.array([-128, 127], np.int8), (m, k))
    right = rng.choice(np.array([254, 255], np.uint8), (k, n))
    return np.array_equal(_integer_product(library, left, right, 1), left.astype(np.int32) @ right.astype(np.int32))


@cache
def create(format: Format, threads: int = 1) -> Gemm:
    """Return MKL's products of a format, checked on a small example.

    Raises
    ------
    FormatError
        If MKL has no function for the format.
    BackendUnavailable
        If MKL is not installed, or its function is missing or wrong on this processor.
    """
    if format.name not in FUNCTIONS:
        raise FormatError(f"gemm 'mkl' has no products in {format.name}; it has {', '.join(FORMATS)}")
    library = _library()
    name = FUNCTIONS[format.name][0]
    if not hasattr(library, name):
        raise BackendUnavailable(f"this MKL has no {name}; pip install --upgrade mkl")
    gemm = MklGemm(format, threads, library)
    if not _is_right(gemm):
        raise BackendUnavailable(f"{name} of this MKL gives wrong products on this processor")
    return gemm


def _is_right(gemm: Gemm) -> bool:
    """Compare a product of small integers, which is exact in every format, with NumPy's."""
    (m, k, n), rng = CHECKED, np.random.default_rng(0)
    left, right = (rng.integers(-3, 4, shape).astype(gemm.result) for shape in ((m, k), (k, n)))
    c = np.zeros((m, n), gemm.result)
    gemm.multiply(c, gemm.left(gemm.format.encode(left)), gemm.right(gemm.format.encode(right)))
    return np.array_equal(c, left @ right)
