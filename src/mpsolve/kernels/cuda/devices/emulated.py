"""A processor that plays the card: the same text of each kernel, compiled as C++, thread by thread.

It is for tests: every kernel runs without a card, on arrays that refuse what arrays of a card refuse.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray, arguments_of
from mpsolve.kernels.cuda.source import Kernel

#: What plays the card's memory; bytes.
MEMORY = 1 << 30
OPTIONS = ("-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-w")
HEADER = """
#define EMULATED
#define DEVICE inline
#define KERNEL void
struct Triple { unsigned x, y, z; };
static Triple blockIdx, threadIdx, blockDim, gridDim;
"""


class EmulatedArray:
    """An array that only its device may touch: NumPy cannot take it for one of its own.

    Parameters
    ----------
    values : ndarray
        What it holds; shared.
    """

    __array_ufunc__ = None

    def __init__(self, values: NDArray) -> None:
        self.values = values

    shape = property(lambda self: self.values.shape)
    dtype = property(lambda self: self.values.dtype)
    nbytes = property(lambda self: self.values.nbytes)
    size = property(lambda self: self.values.size)
    strides = property(lambda self: self.values.strides)

    @property
    def __cuda_array_interface__(self) -> dict:
        """Let MPI take the memory, as that of a card: it is the host's, so that every MPI can."""
        return self.values.__array_interface__ | {"version": 3, "stream": None}

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, *arguments, **options):
        raise TypeError("an array of the device is no NumPy array; copy it with get()")

    def __getitem__(self, place):
        return EmulatedArray(self.values[place])

    def __setitem__(self, place, given) -> None:
        if isinstance(given, np.ndarray):
            raise TypeError("a NumPy array must be uploaded before it is assigned to an array of the device")
        self.values[place] = given.values if isinstance(given, EmulatedArray) else given

    def fill(self, number: float) -> None:
        """Set every entry."""
        self.values.fill(number)

    def copy(self) -> EmulatedArray:
        """Return a copy on the device."""
        return EmulatedArray(self.values.copy())

    def view(self, dtype: np.dtype) -> EmulatedArray:
        """Return the same memory as numbers of another type."""
        return EmulatedArray(self.values.view(dtype))

    def reshape(self, *shape: int) -> EmulatedArray:
        """Return the same numbers in another shape: the same memory, if rows follow each other."""
        return EmulatedArray(self.values.reshape(*shape))

    def get(self) -> NDArray:
        """Return a NumPy copy."""
        return self.values.copy()


class Emulated(Device):
    """The device of tests; it needs ``g++``.

    Raises
    ------
    BackendUnavailable
        If there is no ``g++``.
    """

    name, block, most_blocks, probe_side = "emulated device", (4, 2, 1), 6, 64

    def __init__(self, number: int = 0, memory: int = MEMORY) -> None:
        compiler = shutil.which(os.environ.get("CXX", "g++"))
        if compiler is None:
            raise BackendUnavailable("the emulated device needs the compiler g++")
        self._compiler, self.number, self._memory = compiler, number, memory
        self._compiled: dict[str, Callable] = {}

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype) -> DeviceArray:
        """Return an array of zeros; see `Device.zeros`."""
        self.reserve(shape, dtype)
        return EmulatedArray(np.zeros(shape, dtype))

    def upload(self, values: NDArray) -> DeviceArray:
        """Return a copy; see `Device.upload`."""
        self.reserve(values.shape, values.dtype)
        return EmulatedArray(np.array(values))

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return bytes of the host."""
        return np.zeros(size, np.uint8)

    def fetch(self, values: DeviceArray, host: NDArray) -> None:
        """Copy at once."""
        host[...] = values.values

    def send(self, host: NDArray, values: DeviceArray) -> None:
        """Copy at once."""
        values.values[...] = host

    def compiled(self, kernel: Kernel) -> Callable[[tuple, tuple, Sequence], None]:
        """Return a compiled kernel; see `Device.compiled`."""
        if kernel.text not in self._compiled:
            self._compiled[kernel.text] = self._load(kernel)
        launch = self._compiled[kernel.text]

        def run(grid: tuple, block: tuple, given: Sequence) -> None:
            sizes = [*grid, *(1,) * (3 - len(grid)), *block, *(1,) * (3 - len(block))]
            held = [_pointed(value) for value in arguments_of(kernel, given)]
            pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(value) for value in held))
            launch(pointers, (ctypes.c_uint * 6)(*sizes))

        return run

    def together(self, threads: int) -> int:
        """Return one thread, which plays all of a block in turn."""
        return 1

    def multiply(
        self, format: Format, c: DeviceArray, left: DeviceArray, right: DeviceArray, alpha: float, beta: float
    ) -> None:
        """Multiply with NumPy; see `Device.multiply`."""
        with np.errstate(all="ignore"):
            product = format.decode(left.values) @ format.decode(right.values)
            product *= product.dtype.type(alpha)
            c.values[...] = product + c.values * product.dtype.type(beta) if beta else product

    def _load(self, kernel: Kernel) -> Callable:
        """Compile the text once for all processes of this user, and load it."""
        text = HEADER + kernel.text + _launcher(kernel)
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        folder = Path(tempfile.gettempdir()) / f"mpsolve-emulated-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise MpsolveError(f"{folder} belongs to another user; set TMPDIR to a folder of your own")
        library = folder / f"{name}.so"
        if not library.exists():
            own = folder / f"{name}.{os.getpid()}"
            own.with_suffix(f"{own.suffix}.cpp").write_text(text)
            source = own.with_suffix(f"{own.suffix}.cpp")
            command = [self._compiler, *OPTIONS, str(source), "-o", f"{own}.so"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise MpsolveError(
                    f"the emulated device could not compile {kernel.name} in {source}:\n{done.stderr[:2000]}"
                )
            os.replace(f"{own}.so", library)
            source.unlink()
        return ctypes.CDLL(str(library)).launch

    def synchronize(self) -> None:
        """Nothing is left to do: kernels run when they are launched."""

    def free_bytes(self) -> int:
        """Return what plays the memory."""
        return self._memory


def _pointed(value) -> ctypes._SimpleCData | ctypes.Structure:
    """Return the C object of an argument."""
    if isinstance(value, EmulatedArray):
        return ctypes.c_void_p(value.values.ctypes.data)
    kinds = {np.int64: ctypes.c_int64, np.uint32: ctypes.c_uint32, np.int32: ctypes.c_int32}
    kinds |= {np.float32: ctypes.c_float, np.float64: ctypes.c_double}
    return kinds[type(value)](value.item())


def _launcher(kernel: Kernel) -> str:
    """Return the function that calls the kernel for each thread of each block."""
    arguments = ", ".join(f"*({kind} *)p[{number}]" for number, kind in enumerate(kernel.parameters))
    kinds = ["blockIdx", "threadIdx"]
    loops = "".join(
        f"for ({kind}.{axis} = 0; {kind}.{axis} < {'gridDim' if kind == 'blockIdx' else 'blockDim'}.{axis}; "
        f"{kind}.{axis}++) "
        for kind in kinds
        for axis in "zyx"
    )
    return (
        '\nextern "C" void launch(void **p, const unsigned *size) {\n'
        "    gridDim = {size[0], size[1], size[2]}; blockDim = {size[3], size[4], size[5]};\n"
        f"    {loops}kernel({arguments});\n}}\n"
    )
