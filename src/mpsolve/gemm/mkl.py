"""Products by Intel's MKL, called in its wheel: matrix units where the processor has them."""

import ctypes
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
ROW_MAJOR, NO_TRANSPOSE = 101, 111
FIX_OFFSET = 173

#: Side of the product that is checked before a function is trusted.
CHECKED = 24


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
            ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, *map(ctypes.c_int, (m, n, k)),
            self._scalar(alpha), *_address(left), *_address(right), self._scalar(beta), *_address(c),
        )  # fmt: skip
        self._library.MKL_Set_Num_Threads_Local(before)


def _with_contiguous_rows(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.shape[1] <= 1 or values.strides[1] == values.itemsize else np.ascontiguousarray(values)


def _address(values: NDArray[Any]) -> tuple[ctypes.c_void_p, ctypes.c_int]:
    """Return the address of a matrix and the distance of its rows."""
    distance = values.strides[0] // values.itemsize if len(values) > 1 else values.shape[1]
    return ctypes.c_void_p(values.ctypes.data), ctypes.c_int(max(distance, values.shape[1], 1))


@cache
def _library() -> ctypes.CDLL:
    """Load the library of the wheel.

    Raises
    ------
    BackendUnavailable
        If it is not installed or cannot be loaded.
    """
    advice = "install it with pip install 'mpsolve[cpu]' (x86_64 alone)"
    try:
        files = [Path(str(file.locate())) for file in metadata.files("mkl") or [] if "mkl_rt" in file.name]
    except metadata.PackageNotFoundError:
        files = []
    files = [*files, *Path(sys.prefix).glob("lib/libmkl_rt.so*"), *Path(sys.prefix).glob("Library/bin/mkl_rt*.dll")]
    problem = "there is no MKL library"
    for file in sorted(set(files), reverse=True):
        try:
            return ctypes.CDLL(str(file))
        except OSError as error:
            problem = str(error)
    raise BackendUnavailable(f"gemm 'mkl' does not work: {problem}; {advice}")


def integer_product(left: NDArray[np.uint8], right: NDArray[np.int8], threads: int = 1) -> NDArray[np.int32]:
    """Return the exact product of unsigned and signed 8-bit integers, the building block of emulated FP64.

    Parameters
    ----------
    left : ndarray of uint8, shape (m, k)
        Contiguous; MKL takes the unsigned operand on this side.
    right : ndarray of int8, shape (k, n)
        Contiguous.
    threads : int
        Cores to use.

    Raises
    ------
    BackendUnavailable
        If MKL does not work here.
    """
    library, c = _library(), np.zeros((left.shape[0], right.shape[1]), np.int32)
    if min(*left.shape, right.shape[1]) == 0:
        return c
    offset, (m, k), n = np.zeros(1, np.int32), left.shape, right.shape[1]
    before = library.MKL_Set_Num_Threads_Local(threads)
    library.cblas_gemm_s8u8s32(
        ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, FIX_OFFSET, *map(ctypes.c_int, (m, n, k)),
        ctypes.c_float(1), *_address(left), ctypes.c_byte(0), *_address(right), ctypes.c_byte(0),
        ctypes.c_float(0), *_address(c), ctypes.c_void_p(offset.ctypes.data),
    )  # fmt: skip
    library.MKL_Set_Num_Threads_Local(before)
    return c


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
    rng = np.random.default_rng(0)
    left, right = (rng.integers(-3, 4, (CHECKED, CHECKED)).astype(gemm.result) for _ in range(2))
    c = np.zeros((CHECKED, CHECKED), gemm.result)
    gemm.multiply(c, gemm.left(gemm.format.encode(left)), gemm.right(gemm.format.encode(right)))
    return np.array_equal(c, left @ right)
