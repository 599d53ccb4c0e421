"""Reads the tables of a machine or accelerator file; a wrong entry is an error that names file and key."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from mpsolve.errors import ConfigError
from mpsolve.projection.figure import STATUSES, Figure, parse
from mpsolve.projection.machine import (
    CORRECTIONS,
    FAMILIES,
    FORMATS,
    KINDS,
    SCHEDULERS,
    Accelerator,
    JobSettings,
    Machine,
)

VERSION = 1
NETWORK_UNITS = {"injection": "GB/s", "latency": "us", "link": "GB/s"}
RESULT_UNITS = {"hpl": "PFLOP/s", "hpl_mxp": "PFLOP/s", "hpcg": "PFLOP/s", "green500": "GFLOP/s/W"}
HOST_UNITS = {"fp64": "TFLOP/s", "memory_bandwidth": "TB/s", "link": "GB/s"}
TABLES = ("document", "count", "power", "network", "results", "software", "host", "job")
WORDS = ("name", "kind", "operator", "accelerator", "openness", "fp64", "correction", "array_library")


class Table:
    """One table of a file with its place, for messages."""

    def __init__(self, place: str, entries: Any, sources: Mapping[str, str]):
        if not isinstance(entries, dict):
            raise ConfigError(f"{place} is {entries!r}; it must be a table")
        self.place, self.entries, self.sources = place, entries, sources

    def only(self, names: tuple[str, ...]) -> None:
        """Refuse keys that are not listed."""
        for key in self.entries:
            if key not in names:
                raise ConfigError(f"{self.place}: unknown key {key!r}; allowed are {', '.join(names)}")

    def get(self, key: str, kind: type, choices: tuple[str, ...] = ()) -> Any:
        """Return a value of a type, one of `choices` if there are any."""
        value = self.entries.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigError(f"{self.place}: {key} is {value!r}; it must be given as {kind.__name__}")
        if choices and value not in choices:
            raise ConfigError(f"{self.place}: {key} is {value!r}; allowed are {', '.join(choices)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self.get(key, list)
        if not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{self.place}: {key} is {values!r}; it must be a list of texts")
        return tuple(values)

    def figure(self, key: str, unit: str) -> Figure:
        """Return a figure with a unit."""
        if key not in self.entries:
            raise ConfigError(f"{self.place}: {key} is missing; give its value, unit ({unit}), status and source")
        return parse(f"{self.place}: {key}", self.entries[key], unit, self.sources)

    def below(self, key: str) -> "Table":
        """Return the table in this one; an empty one if it is missing."""
        return Table(f"{self.place}: [{key}]", self.entries.get(key, {}), self.sources)

    def words(self) -> dict[str, str]:
        """Return all entries, which must be texts."""
        return {key: self.get(key, str) for key in self.entries}

    def figures(self, units: Mapping[str, str], *, other: str | None = None) -> dict[str, Figure]:
        """Return all entries as figures.

        Parameters
        ----------
        units : mapping
            Key to unit; without `other`, no further key is allowed.
        other : str, optional
            The unit of further keys; empty for any.
        """
        if other is None:
            self.only(tuple(units))
        return {key: self.figure(key, units.get(key, other or "")) for key in self.entries}


def read_accelerator(key: str, place: str, entries: Any, sources: Mapping[str, str]) -> Accelerator:
    """Build an accelerator from its file, or from the table ``[accelerator]`` of a machine file.

    Raises
    ------
    ConfigError
        If something is missing, unknown or of another kind; the message names file and key.
    """
    table = Table(place, entries, sources)
    table.only(
        ("schema", "name", "family", "devices", "array_library", "note", "memory", "memory_bandwidth", "power")
        + ("power_low", "link", "peak", "measured")
    )
    units = {name: "TOP/s" if name == "int8" else "TFLOP/s" for name in FORMATS}
    devices = table.get("devices", int)
    if devices < 1:
        raise ConfigError(f"{place}: devices is {devices}; it must be at least 1")
    return Accelerator(
        key=key,
        name=table.get("name", str),
        family=table.get("family", str, FAMILIES),
        devices=devices,
        array_library=table.get("array_library", str),
        note=table.get("note", str),
        memory=table.figure("memory", "GB"),
        memory_bandwidth=table.figure("memory_bandwidth", "TB/s"),
        power=table.figure("power", "W"),
        link=table.figure("link", "GB/s"),
        peak=table.below("peak").figures(units),
        measured=table.below("measured").figures(
            units | {"memory_bandwidth": "TB/s", "fp64_gemm": "TFLOP/s", "fp32_gemm": "TFLOP/s"}
        ),
    )


def read_machine(
    key: str, place: str, entries: dict[str, Any], accelerator: Accelerator, sources: Mapping[str, str]
) -> Machine:
    """Build a machine from its file.

    Raises
    ------
    ConfigError
        As `read_accelerator`.
    """
    table = Table(place, entries, sources)
    table.only(("schema", "verified", "accelerators_per_node", "conflicts", *WORDS, *TABLES))
    network = table.below("network")
    numbers = Table(network.place, {k: v for k, v in network.entries.items() if k in NETWORK_UNITS}, sources)
    network.only(("name", "topology", *NETWORK_UNITS))
    count = table.below("count")
    machine = Machine(
        key=key,
        name=table.get("name", str),
        kind=table.get("kind", str, KINDS),
        operator=table.get("operator", str),
        openness=table.get("openness", str),
        verified=table.get("verified", bool),
        accelerator=accelerator,
        accelerators_per_node=table.figure("accelerators_per_node", "accelerators"),
        fp64=table.get("fp64", str, ("native", "none")),
        correction=table.get("correction", str, CORRECTIONS),
        array_library=table.get("array_library", str),
        conflicts=table.texts("conflicts"),
        document=table.below("document").words(),
        count=count.figures({"model": "accelerators", "nodes": "nodes", "job_nodes": "nodes"}, other=""),
        power=table.below("power").figures({"accelerators": "accelerators"}, other="MW"),
        network=numbers.figures(NETWORK_UNITS),
        network_name=network.get("name", str),
        topology=network.get("topology", str),
        results=table.below("results").figures(RESULT_UNITS),
        software=table.below("software").words(),
        host=table.below("host").figures(HOST_UNITS),
        job=read_job(table.below("job")),
    )
    _check_whole(place, machine)
    return machine


def read_job(table: Table) -> JobSettings:
    """Build the settings of batch jobs from ``[job]``.

    Raises
    ------
    ConfigError
        As `read_accelerator`.
    """
    names = tuple(entry.name for entry in fields(JobSettings) if entry.default is MISSING)
    table.only(names)
    table.get("scheduler", str, SCHEDULERS)
    table.get("status", str, STATUSES)
    if table.get("source", str) not in table.sources:
        raise ConfigError(f"{table.place}: source is {table.entries['source']!r}, which sources.toml does not list")
    values: dict[str, Any] = {}
    for entry in fields(JobSettings):
        if entry.type is int:
            values[entry.name] = table.get(entry.name, int)
            if values[entry.name] < 0:
                raise ConfigError(f"{table.place}: {entry.name} is {values[entry.name]}; it must be at least 0")
        elif entry.type is str:
            values[entry.name] = table.get(entry.name, str)
        elif entry.name in ("environment", "mpi"):
            values[entry.name] = table.below(entry.name).words()
        else:
            values[entry.name] = table.texts(entry.name)
    for name in values["unverified"]:
        if name not in names:
            raise ConfigError(f"{table.place}: unverified names {name!r}; allowed are {', '.join(names)}")
    return JobSettings(**values)


def _check_whole(place: str, machine: Machine) -> None:
    """Check what takes more than one entry to see."""
    for name, group in (
        ("count", ("model", "nodes")),
        ("power", ("model", "accelerators")),
        ("network", tuple(NETWORK_UNITS)),
    ):
        for key in group:
            figure = getattr(machine, name).get(key)
            if figure is None:
                raise ConfigError(
                    f"{place}: [{name}] has no {key}; projections need it (it may be unknown in [network])"
                )
            if name == "power" and machine.kind == "host" and not figure.known:
                continue
            if name != "network" and not (figure.value or 0) > 0:
                raise ConfigError(f"{place}: [{name}] {key} is {figure.value!r}; projections need a number above 0")
    accelerator = machine.accelerator
    needed = {
        "accelerators_per_node": machine.accelerators_per_node,
        "[network] injection": machine.network["injection"],
    }
    needed |= {
        f"{accelerator.key} {name}": getattr(accelerator, name) for name in ("memory", "memory_bandwidth", "link")
    }
    for name, figure in needed.items():
        if not (figure.value or 0) > 0:
            raise ConfigError(f"{place}: {name} is {figure.value!r}; projections need a number above 0")
    if machine.accelerators_per_node.number % 1 or machine.nodes < 1:
        raise ConfigError(f"{place}: accelerators_per_node and nodes must be whole numbers of at least 1")
    if machine.correction == "host" and set(machine.host) != set(HOST_UNITS):
        raise ConfigError(f"{place}: correction is 'host', so that [host] must have {', '.join(HOST_UNITS)}")
    emulated = machine.accelerator.peak.get("fp64_emulated")
    if machine.correction == "emulated" and not (emulated and emulated.known):
        raise ConfigError(f"{place}: correction is 'emulated', but the accelerator has no fp64_emulated")
    fp64 = machine.accelerator.peak.get("fp64")
    if (machine.fp64 == "native") != bool(fp64 and fp64.known):
        raise ConfigError(f"{place}: fp64 is {machine.fp64!r}, but the accelerator's fp64 is {fp64 and fp64.value!r}")
