"""What the machine offers: processor, number formats in hardware, cores, memory."""

import os
from pathlib import Path

from mpsolve import lookup
from mpsolve.commands.checks.finding import Finding
from mpsolve.records.environment import cpu_model, usable_cores

# Flags as Linux names them in /proc/cpuinfo (x86 `flags`, Arm `Features`).
HARDWARE = {
    "fp64": {},
    "fp32": {},
    "tf32": {"matrix": ("amx_tf32",)},
    "bf16": {
        "conversion": ("avx512_bf16", "avx_ne_convert", "bf16"),
        "dot product": ("avx512_bf16", "bf16"),
        "matrix": ("amx_bf16",),
    },
    "fp16": {
        "conversion": ("f16c", "fphp"),
        "arithmetic": ("avx512_fp16", "asimdhp"),
        "matrix": ("amx_fp16",),
    },
    "fp8_e4m3": {"conversion": ("f8cvt",), "matrix": ("amx_fp8", "f8mm8")},
    "fp8_e5m2": {"conversion": ("f8cvt",), "matrix": ("amx_fp8", "f8mm8")},
}
ALWAYS = ("fp64", "fp32")

GIBIBYTE = 2**30

# MPI libraries pass messages between the ranks of a host through /dev/shm; containers often get 64 MB.
LEAST_SHARED_MEMORY = 128 * 2**20


def check_formats(root: str | Path = "/") -> list[Finding]:
    """Tell for each format what this processor does in hardware."""
    flags = _flags(Path(root))
    return [_check_format(name, flags) for name in lookup.names("formats")]


def check_machine(root: str | Path = "/") -> list[Finding]:
    """Look at processor, cores and memory, with the limits of the container or batch job."""
    root = Path(root)
    return [
        Finding("processor", cpu_model(root) or "unknown"),
        _check_cores(root),
        _check_memory(root),
        *_check_shared_memory(root),
    ]


def _check_format(name: str, flags: frozenset[str]) -> Finding:
    if name in ALWAYS:
        return Finding(name, "arithmetic")
    found = {work: [flag for flag in wanted if flag in flags] for work, wanted in HARDWARE.get(name, {}).items()}
    text = ", ".join(f"{work} ({' '.join(present)})" for work, present in found.items() if present)
    return Finding(name, text or "no hardware support: converted with integer operations", works=bool(text))


def _flags(root: Path) -> frozenset[str]:
    lines = _text(root / "proc/cpuinfo").splitlines()
    names = [line.partition(":") for line in lines if line.startswith(("flags", "Features"))]
    return frozenset(names[0][2].split()) if names else frozenset()


def _check_cores(root: Path) -> Finding:
    usable, total = usable_cores(), os.cpu_count() or 1
    quota, _, period = _text(_cgroup(root) / "cpu.max").partition(" ")
    text = f"{usable} usable of {total}"
    if quota.isdecimal() and period.strip().isdecimal() and int(quota) < usable * int(period):
        cores = int(quota) / int(period)
        advice = f"start at most {max(1, int(cores))} ranks x threads, or the kernel halts them in turns"
        return Finding("cores", f"{text}, limited to the time of {cores:.3g}", False, advice)
    return Finding("cores", text)


def _check_memory(root: Path) -> Finding:
    sizes = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, size = line.partition(":")
        sizes[name] = size.split()[0] if size.split() else ""
    if not (sizes.get("MemTotal", "").isdecimal() and sizes.get("MemAvailable", "").isdecimal()):
        return Finding("memory", "unknown", works=False)
    total, free = (int(sizes[name]) * 1024 / GIBIBYTE for name in ("MemTotal", "MemAvailable"))
    limit = _text(_cgroup(root) / "memory.max").strip()
    limited = f", limited to {int(limit) / GIBIBYTE:.1f} GiB" if limit.isdecimal() else ""
    return Finding("memory", f"{free:.1f} GiB free of {total:.1f} GiB{limited}")


def _check_shared_memory(root: Path) -> list[Finding]:
    try:
        space = os.statvfs(root / "dev/shm")
    except OSError:
        return []
    size = space.f_frsize * space.f_blocks
    if size >= LEAST_SHARED_MEMORY:
        return [Finding("/dev/shm", f"{size / GIBIBYTE:.1f} GiB")]
    advice = "MPI may fail with a bus error on large messages: start the container with --shm-size=1g"
    return [Finding("/dev/shm", f"{size / 2**20:.0f} MiB", False, advice)]


def _cgroup(root: Path) -> Path:
    """The control group (version 2) of this process."""
    own = [line for line in _text(root / "proc/self/cgroup").splitlines() if line.startswith("0::/")]
    return root / "sys/fs/cgroup" / (own[0][4:] if own else "")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
