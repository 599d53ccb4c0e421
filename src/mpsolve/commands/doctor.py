"""Tell what this machine has, what works, and what is wrong with it."""

import argparse
import platform
import sys
from collections.abc import Sequence

from mpsolve.commands.checks.finding import Finding

MARKS = "ok works   -- not here, and not needed   !! wrong"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments: there are none."""


def run(_: argparse.Namespace) -> int:
    """Print the findings; 0 if the essentials work, 1 otherwise."""
    # Imported here because --help must not wait for the checks' own imports.
    from mpsolve.commands.checks import machine, mpi, software

    print(f"Python {platform.python_version()} at {sys.executable}\n{MARKS}")
    checks = {
        "MPI": mpi.check_mpi,
        "backends": software.check_backends,
        "number formats in hardware": machine.check_formats,
        "matrix products, GFLOP/s on one core": software.check_gemm,
        "machine": machine.check_machine,
        "packages": software.check_packages,
        "energy meters": software.check_energy,
    }
    findings: list[Finding] = []
    for title, check in checks.items():
        part = check()
        findings += part
        print(block(title, part), flush=True)
    print(verdict(findings))
    return exit_status(findings)


def block(title: str, findings: Sequence[Finding]) -> str:
    """Return one part of the report."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = [f"  {finding.mark} {finding.name:<{width}}  {finding.text}" for finding in findings]
    return "\n".join(["", title, *lines])


def verdict(findings: Sequence[Finding]) -> str:
    """Return what is wrong and what to do about it."""
    wrong = [finding for finding in findings if finding.mark == "!!"]
    if not wrong:
        return "\nnothing is wrong"
    return "\n".join(["", "what is wrong", *(f"  {bad.name}: {bad.text}\n    -> {bad.advice}" for bad in wrong)])


def exit_status(findings: Sequence[Finding]) -> int:
    """Return 0 if the essentials work, 1 otherwise."""
    return 1 if any(finding.essential and not finding.works for finding in findings) else 0
