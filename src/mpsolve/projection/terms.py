"""What the time of a projection consists of."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("compute_s", "memory_s", "latency_s", "bandwidth_s")


@dataclass(frozen=True)
class Terms:
    """Seconds by what limits them; they add up to the whole.

    Attributes
    ----------
    compute_s, memory_s : float
        Work that is limited by arithmetic, and by the memory of the devices.
    latency_s, bandwidth_s : float
        Waiting for messages that no work hides: their latency (and that of launches), and the bytes they carry.

    Examples
    --------
    >>> (2 * Terms(compute_s=1.0) + Terms(latency_s=0.5)).total_s
    2.5
    """

    compute_s: float = 0.0
    memory_s: float = 0.0
    latency_s: float = 0.0
    bandwidth_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All of them."""
        return self.compute_s + self.memory_s + self.latency_s + self.bandwidth_s

    @property
    def busy_s(self) -> float:
        """Time at work."""
        return self.compute_s + self.memory_s

    @property
    def waiting_s(self) -> float:
        """Time in which the devices wait."""
        return self.latency_s + self.bandwidth_s

    def __add__(self, other: Terms) -> Terms:
        return Terms(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __mul__(self, factor: float) -> Terms:
        return Terms(*(getattr(self, name) * factor for name in NAMES))

    __rmul__ = __mul__


def roofline(flops: float, flops_per_s: float, bytes_moved: float, bytes_per_s: float) -> Terms:
    """Return the time of work that overlaps arithmetic with memory traffic: the longer one counts.

    Source: S. Williams, A. Waterman, D. Patterson, Commun. ACM 52 (2009) 65.
    """
    compute, memory = flops / flops_per_s, bytes_moved / bytes_per_s
    return Terms(compute_s=compute) if compute >= memory else Terms(memory_s=memory)
