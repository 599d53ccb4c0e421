"""What ``mpsolve calibrate`` measured, and the machine file that it becomes."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mpsolve import gemm_probe
from mpsolve.energy.window import Window, all_meters
from mpsolve.errors import BackendUnavailable, FileError
from mpsolve.parallel.alone import Alone
from mpsolve.records.environment import cpu_model, usable_cores

# Products run for so long while their power is read, seconds: 20 updates of a counter that moves every 100 ms.
POWER_S = 4.0

# Readings that may be added, the first group that is there: the others overlap.
SCOPES = (("node",), ("module",), ("cpu_package", "dram"))


@dataclass(frozen=True)
class Calibration:
    """Measured speeds of one host with all the cores that this process may use.

    Attributes
    ----------
    name : str
        Its processor.
    cores : int
        Cores that took part.
    memory_bytes : float
        Memory of the host.
    products : mapping
        Number format to flops per second of products.
    product_names : mapping
        Number format to the entry of ``gemm`` that was the fastest.
    speeds : mapping
        What `mpsolve.projection.rank_speeds` printed: ``ranks``, ``copy_bytes_per_s``, ``triad_bytes_per_s``, and with
        two ranks or more ``latency_s`` and ``message_bytes_per_s``.
    power_w : float or None
        Power during FP64 products, in W.
    power_reason : str
        The meter, or why there is no power.
    """

    name: str
    cores: int
    memory_bytes: float
    products: Mapping[str, float]
    product_names: Mapping[str, str]
    speeds: Mapping[str, float]
    power_w: float | None
    power_reason: str


def calibrate(formats: Sequence[str], speeds: Mapping[str, float]) -> Calibration:
    """Measure products and power here, and join them with the speeds of ranks.

    Parameters
    ----------
    formats : sequence of str
        Number formats of products; FP64 comes along, as nothing can be projected without it.
    speeds : mapping
        See `Calibration.speeds`.

    Raises
    ------
    BackendUnavailable
        If no products in FP64 work here.
    """
    cores = usable_cores()
    found = {name: gemm_probe.measure(name, cores)[0] for name in dict.fromkeys(("fp64", *formats))}
    working = {name: one for name, one in found.items() if one.flops_per_s}
    if "fp64" not in working:
        raise BackendUnavailable(f"no products in fp64 work here: {found['fp64'].reason}; see mpsolve doctor")
    power_w, reason = _power(cores)
    return Calibration(
        name=cpu_model() or "this host",
        cores=cores,
        memory_bytes=float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        products={name: one.flops_per_s or 0.0 for name, one in working.items()},
        product_names={name: one.name for name, one in working.items()},
        speeds=speeds,
        power_w=power_w,
        power_reason=reason,
    )


def machine_text(found: Calibration) -> str:
    """Return the machine file of a calibration, in TOML."""
    megawatts = None if found.power_w is None else found.power_w / 1e6
    lines = [
        "schema = 1",
        f"name = {_text(found.name)}",
        'kind = "host"',
        'operator = "this host"',
        "verified = true",
        'openness = "the one that measured it"',
        'fp64 = "native"',
        'correction = "device"',
        'array_library = "NumPy (CPU)"',
        f"accelerators_per_node = {_one('accelerators')}",
        "conflicts = []",
        *_accelerator_lines(found),
        "",
        "[count]",
        f"model = {_one('accelerators')}",
        f"nodes = {_one('nodes')}",
        "",
        "[power]",
        f"model = {_figure(megawatts, 'MW', found.power_reason)}",
        f"accelerators = {_one('accelerators')}",
        *_network_lines(found),
        *_job_lines(found.cores),
    ]
    return "\n".join(lines) + "\n"


def write_machine(path: Path, found: Calibration) -> None:
    """Write the machine file.

    Raises
    ------
    FileError
        If it exists or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(machine_text(found))
    except FileExistsError:
        raise FileError(f"{path} exists; delete it, or choose another file with --out") from None
    except OSError as problem:
        raise FileError(f"cannot write {path}: {problem.strerror}; choose another file with --out") from None


def _accelerator_lines(found: Calibration) -> list[str]:
    cores, speeds = f"{found.cores} cores", found.speeds
    message, carried = _messages(speeds)
    return [
        "",
        "[accelerator]",
        f"name = {_text(found.name)}",
        'family = "host"',
        "devices = 1",
        'array_library = "NumPy (CPU)"',
        'note = "measured by mpsolve calibrate"',
        f"memory = {_figure(found.memory_bytes / 1e9, 'GB', 'memory of the host')}",
        f"memory_bandwidth = {_figure(speeds['copy_bytes_per_s'] / 1e12, 'TB/s', f'copy, {cores}')}",
        f"power = {_figure(found.power_w, 'W', found.power_reason)}",
        f"link = {_figure(message / 1e9, 'GB/s', carried)}",
        "",
        "[accelerator.peak]",
        f"fp64 = {_product(found, 'fp64')}",
        "",
        "[accelerator.measured]",
        *(f"{'fp8' if name.startswith('fp8') else name} = {_product(found, name)}" for name in found.products),
        f"memory_bandwidth = {_figure(speeds['triad_bytes_per_s'] / 1e12, 'TB/s', f'triad, {cores}')}",
    ]


def _network_lines(found: Calibration) -> list[str]:
    message, carried = _messages(found.speeds)
    latency = found.speeds.get("latency_s")
    return [
        "",
        "[network]",
        'name = "memory of the host"',
        'topology = "one host"',
        f"injection = {_figure(message / 1e9, 'GB/s', carried)}",
        f"latency = {_figure(None if latency is None else latency * 1e6, 'us', 'MPI between two ranks, 8 bytes')}",
        f"link = {_figure(message / 1e9, 'GB/s', carried)}",
    ]


def _messages(speeds: Mapping[str, float]) -> tuple[float, str]:
    """Return bytes per second of large messages, and how they were found."""
    if "message_bytes_per_s" in speeds:
        return speeds["message_bytes_per_s"], "MPI between two ranks, 4 MiB"
    return speeds["copy_bytes_per_s"] / 2, "half of a copy: there was one rank"


def _one(unit: str) -> str:
    return f'{{ value = 1, unit = "{unit}", status = "measured", source = "calibrate" }}'


def _job_lines(cores: int) -> list[str]:
    settings: dict[str, Any] = {"scheduler": "none", "status": "measured", "source": "calibrate"}
    settings |= {"note": "ranks are started by hand with mpirun", "unverified": [], "partition": "", "account": ""}
    settings |= {"account_flag": ""}
    settings |= {"nodes": 1, "ranks_per_node": cores, "gpus_per_node": 0, "cores_per_node": cores, "cores_per_rank": 1}
    settings |= {"gpu_bind": "none", "launcher": "mpirun", "launcher_options": [], "directives": [], "modules": []}
    return ["", "[job]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]


def _product(found: Calibration, name: str) -> str:
    about = f"products of {found.product_names[name]}, {found.cores} cores"
    return _figure(found.products[name] / 1e12, "TFLOP/s", about)


def _figure(value: float | None, unit: str, note: str) -> str:
    if value is None:
        return f'{{ unit = "{unit}", status = "unknown", note = {_text(note)} }}'
    return (
        f'{{ value = {value:.6g}, unit = "{unit}", status = "measured", source = "calibrate", note = {_text(note)} }}'
    )


def _text(value: str) -> str:
    """Return a TOML string: JSON's escapes are among those of TOML."""
    return json.dumps(" ".join(value.split()))


def _power(cores: int) -> tuple[float | None, str]:
    """Return the power during FP64 products with its meter, or None with the reason."""
    gemm = gemm_probe.choose("fp64", cores)
    side = gemm.side
    left, c = np.ones((side, side)), np.zeros((side, side))
    meters = [meter for meter in all_meters() if meter.available()]
    if not meters:
        return None, "no energy meter works here: see mpsolve doctor"
    with Window(Alone(), meters) as window:
        end = perf_counter() + POWER_S
        while perf_counter() < end:
            gemm.subtract(c, gemm.left(left), gemm.right(left))
    for scopes in SCOPES:
        chosen = [one for one in window.readings if one.scope in scopes and one.joules is not None]
        if chosen:
            joules = sum(one.joules or 0.0 for one in chosen)
            return joules / window.seconds, "; ".join(one.source for one in chosen) + ", FP64 products"
    return None, window.readings[0].reason or "the meters cover only accelerators"
