"""NVIDIA's run-time compiler without a card: it makes machine code for any architecture that is named."""

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest


@cache
def library():
    """Return the compiler; the test is skipped where its package is not installed."""
    spec = find_spec("nvidia.cuda_nvrtc") if find_spec("nvidia") else None
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package nvidia-cuda-nvrtc-cu12 is not installed")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("lib/libnvrtc.so*"))
    if not found:
        pytest.skip("the package nvidia-cuda-nvrtc-cu12 has no library for this system")
    return ctypes.CDLL(str(found[0]))


def machine_code(text: str, architecture: str) -> int:
    """Return the size of the machine code of a kernel; the log is the failure of the test if there is none."""
    nvrtc, program = library(), ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture={architecture}".encode(), b"--std=c++17", b"--fmad=false"]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    if status:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        pytest.fail(log.value.decode())
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return size.value
