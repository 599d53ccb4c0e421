"""Published results that the model is checked against, from ``validation.toml``."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from mpsolve.errors import ConfigError
from mpsolve.projection.catalogue import folder, load_accelerator, load_machine, read_toml, sources
from mpsolve.projection.communication import LAUNCH_S, Network, network_of
from mpsolve.projection.figure import Figure
from mpsolve.projection.figure import parse as parse_figure
from mpsolve.projection.machine import Accelerator
from mpsolve.projection.schema import NETWORK_UNITS

FILE_NAME = "validation.toml"
BENCHMARKS = ("HPL", "HPL-MxP", "HPCG", "HPG-MxP")


@dataclass(frozen=True)
class Row:
    """One published result.

    Attributes
    ----------
    machine, benchmark, date, status, source, note : str
        What was run where and when; the benchmark is one of `BENCHMARKS`.
    pflops : float
        The published rate in PFLOP/s.
    accelerator, network : str
        Keys of the catalogue, or of ``[network]`` in ``validation.toml``; empty where they are not known.
    accelerators, nodes : int
        How many took part; 0 where it was not published.
    n, block : int
        Sizes of matrix and block; 0 where they were not published.
    n_status : str
        Where n is from.
    format : str
        Working format of HPL-MxP.
    refinements : int
        Refinements of HPL-MxP.
    time_s, lu_s, refinement_s : float or None
        Published times, in seconds.
    power_mw : float or None
        Published power, in MW.
    power_status : str
        Where it is from.
    """

    machine: str
    benchmark: str
    date: str
    pflops: float
    status: str
    source: str
    accelerator: str = ""
    network: str = ""
    accelerators: int = 0
    nodes: int = 0
    n: int = 0
    n_status: str = ""
    block: int = 0
    format: str = "fp16"
    refinements: int = 2
    time_s: float | None = None
    lu_s: float | None = None
    refinement_s: float | None = None
    power_mw: float | None = None
    power_status: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """Machine, benchmark and date."""
        return f"{self.machine} {self.benchmark} {self.date}"

    @property
    def missing(self) -> str:
        """Why the row cannot be predicted; empty if it can."""
        if not self.accelerator or not self.network:
            return "the accelerator is not in the catalogue"
        return "" if self.accelerators and self.nodes else "the number of accelerators was not published"


@dataclass(frozen=True)
class EnergyResult:
    """A published change of energy between two ways to solve one problem.

    Attributes
    ----------
    what, status, source, note : str
        What was compared, and where it is from.
    change_percent : float
        Change of the energy.
    """

    what: str
    change_percent: float
    status: str
    source: str
    note: str = ""


@cache
def rows() -> tuple[Row, ...]:
    """Return every published result.

    Raises
    ------
    ConfigError
        If a row has an unknown key, benchmark or source.
    """
    found = []
    for entry in _content()["row"]:
        try:
            row = Row(**entry)
        except TypeError as problem:
            raise ConfigError(f"{FILE_NAME}: {entry.get('machine')}: {problem}") from None
        if row.benchmark not in BENCHMARKS or row.source not in sources():
            raise ConfigError(f"{FILE_NAME}: {row.label} has benchmark {row.benchmark!r}, source {row.source!r}")
        found.append(row)
    return tuple(found)


@cache
def energy_results() -> tuple[EnergyResult, ...]:
    """Return every published change of energy."""
    return tuple(EnergyResult(**entry) for entry in _content()["energy"])


def accelerator_of(row: Row) -> Accelerator:
    """Return the accelerator of a row."""
    return load_accelerator(row.accelerator)


def network_of_row(row: Row) -> Network:
    """Return the network that a row ran on: that of a machine of the catalogue, or one from ``validation.toml``."""
    accelerator = accelerator_of(row)
    per_node = max(1, round(row.accelerators / row.nodes)) * accelerator.devices
    own = _content()["network"].get(row.network)
    if own is None:
        base = network_of(load_machine(row.network), row.nodes)
        return Network(base.latency_s, base.node_bytes_per_s, base.link_bytes_per_s, per_node, row.nodes)
    place = f"{FILE_NAME}: [network.{row.network}]"
    figures: dict[str, Figure] = {
        name: parse_figure(f"{place}: {name}", own.get(name), unit, sources()) for name, unit in NETWORK_UNITS.items()
    }
    return Network(
        figures["latency"].number * 1e-6,
        figures["injection"].number * 1e9,
        figures["link"].number * 1e9,
        per_node,
        row.nodes,
        LAUNCH_S,
    )


@cache
def _content() -> dict[str, Any]:
    return read_toml(folder() / FILE_NAME)
