"""What a user asks of a batch job, checked before anything is written."""

import re
from dataclasses import dataclass

from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.projection.machine import Machine

APPS = ("heat", "climate", "mxp", "solve")
_TIME = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


@dataclass(frozen=True)
class Request:
    """A job.

    Attributes
    ----------
    app : str
        One of `APPS`.
    arguments : tuple of str
        Of the app, passed on as they are.
    nodes : int
        Number of nodes.
    seconds : int
        Limit of the wall time.
    account, partition, image : str
        What the machine file leaves open; empty: what it says. The image is that of a container.
    environment : str
        The virtual environment that has mpsolve, as a path that the shell of the job expands.
    name : str
        Of the job.
    """

    app: str
    arguments: tuple[str, ...]
    nodes: int
    seconds: int
    account: str = ""
    partition: str = ""
    image: str = ""
    environment: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.app not in APPS:
            raise UnknownNameError("app", self.app, list(APPS))
        if self.nodes < 1:
            raise ConfigError(f"--nodes {self.nodes}: must be at least 1")
        if not _NAME.fullmatch(self.name or self.app):
            raise ConfigError(f"--name {self.name!r}: a job is named with small letters, digits and hyphens")

    @property
    def clock(self) -> str:
        """The limit as hours, minutes and seconds."""
        hours, rest = divmod(self.seconds, 3600)
        return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def seconds_of(text: str) -> int:
    """Return the seconds of a time limit.

    Raises
    ------
    ConfigError
        If it is none.

    Examples
    --------
    >>> seconds_of("00:30"), seconds_of("1:00:30")
    (1800, 3630)
    """
    match = _TIME.fullmatch(text)
    seconds = 0
    if match is not None:
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = 3600 * hours + 60 * minutes + rest
    if not seconds:
        raise ConfigError(f"--time {text!r}: must be HH:MM or HH:MM:SS, and more than nothing")
    return seconds


def check_nodes(request: Request, machine: Machine) -> None:
    """Refuse more nodes than a machine has, and machines on which mpsolve cannot run.

    Raises
    ------
    ConfigError
        With the reason.
    """
    if machine.job.scheduler == "none":
        raise ConfigError(f"mpsolve does not run on {machine.name}: {machine.job.note}")
    if request.nodes > machine.nodes:
        raise ConfigError(f"--nodes {request.nodes}: a job on {machine.name} has at most {machine.nodes} nodes")
