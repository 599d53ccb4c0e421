"""Published changes of energy between two precisions, against those of the model."""

from dataclasses import dataclass

from mpsolve.projection import benchmarks, fit, published
from mpsolve.projection.project import IDLE_PART
from mpsolve.projection.published import EnergyResult, Row
from mpsolve.projection.terms import Terms

# Which benchmark replaces which, on which accelerators, by a word of the published comparison.
PAIRS = {
    "rocHPL-MxP vs rocHPL, node": ("HPL-MxP", "HPL", "mi250x", "frontier", 512, 128),
    "HPG-MxP": ("HPG-MxP", "HPCG", "mi250x", "frontier", 512, 128),
    "Portage": ("HPL-MxP", "HPL", "mi300a", "el_capitan", 512, 128),
}


@dataclass(frozen=True)
class EnergyCheck:
    """One published change of energy, and the model's.

    Attributes
    ----------
    result : EnergyResult
        What was published.
    percent : float
        What the model says.
    """

    result: EnergyResult
    percent: float


def energy_checks() -> tuple[EnergyCheck, ...]:
    """Return every published change of energy with the model's, both benchmarks at the same size."""
    found = []
    for result in published.energy_results():
        pair = next(pair for word, pair in PAIRS.items() if word in result.what)
        found.append(EnergyCheck(result, _change(*pair)))
    return tuple(found)


def _change(mixed: str, plain: str, accelerator: str, network: str, count: int, nodes: int) -> float:
    base = Row("", plain, "", 1.0, "derived", "recall", accelerator, network, count, nodes)
    size = 0
    if plain == "HPL":
        device, wires = published.accelerator_of(base), published.network_of_row(base)
        size = benchmarks.filling(device, wires, 8.0)
    energies = []
    for benchmark in (mixed, plain):
        row = Row("", benchmark, "", 1.0, "derived", "recall", accelerator, network, count, nodes, n=size)
        used = fit.efficiency(benchmarks.kind_of(row), published.accelerator_of(row).family)
        energies.append(_energy(benchmarks.predict(row, used.value).terms))
    return 100 * (energies[0] / energies[1] - 1)


def _energy(terms: Terms) -> float:
    """Energy in seconds at full power: the same nodes take part in both runs."""
    return terms.busy_s + IDLE_PART * terms.waiting_s
