"""Machines and accelerators of the catalogue, as they are after reading and checking."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpsolve.projection.figure import Figure

FORMATS = ("fp64", "fp64_matrix", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4", "fp64_emulated")
"""Keys of `Accelerator.peak`; ``fp64_matrix`` is that of matrix units, ``fp64`` of vectors."""

FAMILIES = ("nvidia", "amd", "intel", "fujitsu", "aws", "cerebras", "host")
"""Makers; efficiencies are fitted for each. ``host`` is a machine that ``mpsolve calibrate`` measured."""

KINDS = ("ai", "hpc", "both", "host")
SCHEDULERS = ("slurm", "pbs", "flux", "kubernetes", "none")
CORRECTIONS = ("device", "host", "emulated")
"""Where FP64 arithmetic runs: on the accelerator, on the processors beside it, or emulated by its low precision."""


@dataclass(frozen=True)
class Accelerator:
    """One accelerator, or one processor where there is none.

    Attributes
    ----------
    key, name : str
        Its name in machine files, and the one for people.
    family : str
        One of `FAMILIES`.
    devices : int
        Devices that the system sees, for instance 2 for the two halves of an MI250X; a rank drives one.
    array_library, note : str
        What Python can use, and what to know.
    memory : Figure
        In GB.
    memory_bandwidth : Figure
        In TB/s, nominal.
    power : Figure
        In W, by design.
    link : Figure
        To a neighbour in the node, GB/s in one direction.
    peak : mapping
        Format (see `FORMATS`) to dense peak in TFLOP/s (``int8``: TOP/s).
    measured : mapping
        The same where sustained rates were measured; also ``memory_bandwidth`` in TB/s, ``fp64_gemm``, ``fp32_gemm``.
    """

    key: str
    name: str
    family: str
    devices: int
    array_library: str
    note: str
    memory: Figure
    memory_bandwidth: Figure
    power: Figure
    link: Figure
    peak: Mapping[str, Figure]
    measured: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class JobSettings:
    """What a batch job on a machine needs to know.

    Attributes
    ----------
    scheduler : str
        One of `SCHEDULERS`; ``"none"`` where mpsolve cannot run.
    status, source, note : str
        How sure the table is as a whole (see `mpsolve.projection.figure.STATUSES`), from where, and what to know.
    unverified : tuple of str
        Names of the attributes below that are from memory, whatever `status` says.
    partition, account : str
        Partition or queue, and who pays; capital letters are a placeholder that the user replaces. Empty: not used.
    account_flag : str
        What the scheduler wants before the account, such as ``"--account="`` or ``"-A "``.
    nodes : int
        Nodes of an example job.
    ranks_per_node, gpus_per_node, cores_per_node, cores_per_rank : int
        Shape of a node as ranks see it; 0 GPUs where ranks compute on the processors.
    gpu_bind : str
        How a rank gets its device.
    launcher : str
        Command that starts the ranks.
    launcher_options : tuple of str
        Its options, one word each, without the numbers of nodes and ranks.
    directives : tuple of str
        Further directives of the scheduler, without its prefix; for Kubernetes resource limits.
    modules : tuple of str
        Environment modules, in the order of loading.
    environment, mpi : mapping
        Variables to export: of the software, and of MPI. A value may refer to other variables (``$ROCM_PATH``).
    """

    scheduler: str
    status: str
    source: str
    note: str
    unverified: tuple[str, ...]
    partition: str
    account: str
    account_flag: str
    nodes: int
    ranks_per_node: int
    gpus_per_node: int
    cores_per_node: int
    cores_per_rank: int
    gpu_bind: str
    launcher: str
    launcher_options: tuple[str, ...]
    directives: tuple[str, ...]
    modules: tuple[str, ...]
    environment: Mapping[str, str]
    mpi: Mapping[str, str]


@dataclass(frozen=True)
class Machine:
    """One machine of the catalogue.

    Attributes
    ----------
    key, name, kind, operator, openness : str
        Its file's name, the one for people, one of `KINDS`, who runs it, who may use it.
    verified : bool
        Whether a second source confirms that it exists as described.
    accelerator : Accelerator
        What it computes on.
    accelerators_per_node : Figure
        Accelerators in a node.
    fp64 : str
        ``"native"`` or ``"none"``.
    correction : str
        One of `CORRECTIONS`.
    array_library : str
        What Python can use.
    conflicts : tuple of str
        Where figures disagree, in words.
    document : mapping
        What the source document says, word for word.
    count : mapping
        Counts by name; ``model`` (accelerators) and ``nodes`` are those that projections use; ``job_nodes``
        (optional) is the most that one job can have.
    power : mapping
        In MW by name; ``model`` is that of projections, for ``accelerators`` of them.
    network : mapping
        ``injection`` (GB/s of a node in one direction), ``latency`` (us), ``link`` (GB/s in the node).
    network_name, topology : str
        The network in words.
    results : mapping
        Published results, in PFLOP/s, and ``green500`` in GFLOP/s/W.
    software : mapping
        Batch system, launcher, MPI in words.
    host : mapping
        FP64 of the processors of one node, where the accelerator has none: ``fp64`` (TFLOP/s), ``memory_bandwidth``
        (TB/s), ``link`` (GB/s between the accelerators of a node and them).
    job : JobSettings
        For batch jobs.
    """

    key: str
    name: str
    kind: str
    operator: str
    openness: str
    verified: bool
    accelerator: Accelerator
    accelerators_per_node: Figure
    fp64: str
    correction: str
    array_library: str
    conflicts: tuple[str, ...]
    document: Mapping[str, str]
    count: Mapping[str, Figure]
    power: Mapping[str, Figure]
    network: Mapping[str, Figure]
    network_name: str
    topology: str
    results: Mapping[str, Figure]
    software: Mapping[str, str]
    host: Mapping[str, Figure]
    job: JobSettings

    @property
    def nodes(self) -> int:
        """Nodes that one job can have: all, or those of one site where the count covers several (``job_nodes``)."""
        return int(self.count.get("job_nodes", self.count["nodes"]).number)

    @property
    def devices_per_node(self) -> int:
        """Devices of a node, each driven by a rank."""
        return int(self.accelerators_per_node.number) * self.accelerator.devices

    @property
    def node_power_w(self) -> float | None:
        """Power of a node at work, in W: that of the machine shared among the nodes; None on a host without a meter."""
        megawatts = self.power["model"].value
        if megawatts is None:
            return None
        return megawatts * 1e6 / self.power["accelerators"].number * self.accelerators_per_node.number
