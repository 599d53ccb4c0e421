"""Compile generated sources once per machine: a cache on disk, safe under many ranks."""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from mpsolve.kernels.hardware import features
from mpsolve.kernels.source import KernelSpec, kernel_source


def cache_folder() -> Path:
    """Return a writable folder for kernels: ``MPSOLVE_CACHE_DIR``, else the user's cache, else a temporary one."""
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    wanted = Path(os.environ.get("MPSOLVE_CACHE_DIR") or Path(user_cache) / "mpsolve")
    for folder in (wanted, Path(tempfile.gettempdir()) / f"mpsolve-{os.getuid()}"):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
                return folder
    return Path(tempfile.mkdtemp(prefix="mpsolve-"))


@cache
def _toolchain_key() -> str:
    """Everything but the source that decides the machine code: versions, processor, and our own code generator."""
    import llvmlite
    import numba

    flags = ",".join(sorted(name for name, present in features().items() if present))
    own = "".join(path.read_text() for path in sorted(Path(__file__).parent.glob("*.py")))
    return "|".join((sys.version, numba.__version__, llvmlite.__version__, platform.machine(), flags, own))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time compile a kernel; the others then load what it stored."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = stack.enter_context(open(path.with_suffix(".lock"), "w"))
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def load_kernel(source: str) -> Callable:
    """Return the compiled ``kernel`` of a generated module, from the cache if it is there.

    Parameters
    ----------
    source : str
        Text of the module; together with the toolchain it is the key.
    """
    from llvmlite import binding

    # Loops over many arrays need more overlap checks than LLVM allows by default before it gives up vectorising.
    binding.set_option("", "-runtime-memory-check-threshold=256")
    name = "kernel_" + hashlib.sha256((_toolchain_key() + source).encode()).hexdigest()[:24]
    path = cache_folder() / f"{name}.py"
    with _locked(path):
        if not path.exists():
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(source)
            temporary.replace(path)
        spec = importlib.util.spec_from_file_location(f"mpsolve_{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Numba looks the module of a cached function up by name when it loads it.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return module.kernel


@cache
def compiled(spec: KernelSpec) -> Callable:
    """Return the compiled loop of a specification; each is made once per process."""
    return load_kernel(kernel_source(spec))
