"""The traffic on paper against what the ledger counts."""

import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.models.shallow_water.cost import exchange_traffic, step_traffic
from mpsolve.models.shallow_water.method import Method
from mpsolve.models.shallow_water.model import ShallowWaterModel
from mpsolve.models.shallow_water.stepping import HALO
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.precision import Roles, get_format

pytestmark = pytest.mark.ranks

SHAPE = (48, 64)


@pytest.mark.parametrize("inner", ["fp64", "fp16"])
@pytest.mark.parametrize("fluxes", ["energy", "enstrophy"])
@pytest.mark.parametrize("scheme", ["ab2", "ssprk3", "rk4", "fb_rk32"])
@pytest.mark.parametrize("name", ["turbulence", "williamson2"])
def test_the_ledger_agrees_but_for_rounding_to_8_bytes(comm, name, scheme, fluxes, inner):
    problem = lookup.find("models.shallow_water.problems", name).create(SHAPE, 0.0)
    grid = Cartesian.create(comm, SHAPE, (problem.geometry.periodic, True), halo=HALO)
    model, ledger = ShallowWaterModel(problem, grid, 1.6), Ledger()
    core = model.core(
        lookup.find("backends", "reference").create(1), ledger, Roles(inner=inner), fluxes=fluxes, scheme=scheme,
        dt_s=10.0, drag_per_s=0.0, viscosity_m2_s=0.0,
    )  # fmt: skip
    ledger.counts.clear()
    core.step()
    formats = [get_format(name) for name in ("fp64", inner, inner)]
    method = Method(fluxes, scheme, 10.0)
    periodic, split = problem.geometry.periodic, core.place.split
    paper = step_traffic(SHAPE, grid.ranks_per_axis, periodic, method, formats, split)
    found = [work for counts in comm.allgather(ledger.to_dict()) for work in counts.get("halo", {}).values()]
    messages = sum(work["messages"] for work in found)
    assert messages == pytest.approx(paper.messages * comm.size)
    # Each of up to three parts of a message is rounded up to 8 bytes; what the paper says is summed in another order.
    more = sum(work["message_bytes"] for work in found) - paper.bytes * comm.size
    assert -1e-6 <= more <= 3 * 7 * messages


def test_a_square_block_among_many_sends_what_the_document_says():
    n = 1024
    traffic = exchange_traffic((16 * n, 16 * n), (16, 16), True, 1, [8, 8, 8])
    assert traffic.messages == 8
    assert traffic.bytes == pytest.approx(4 * n * 24, rel=0.01)
