"""What every machine and accelerator of the catalogue promises: it reads, and its figures agree."""

import pytest

from mpsolve.projection import catalogue
from mpsolve.projection.machine_text import all_figures, list_machines, show_machine

MACHINES = catalogue.machine_names()

# The table that the catalogue answers has these rows; Frontier, Aurora and El Capitan share one.
ROWS = {
    "aws_rainier", "meta_rsc", "xai_colossus", "coreweave", "panaai", "cerebras_andromeda", "cerebras_cg1",
    "frontier", "aurora", "el_capitan", "doudna", "abci3", "jupiter", "isambard_ai",
}  # fmt: skip


@pytest.fixture(params=MACHINES)
def machine(request):
    return catalogue.load_machine(request.param)


def test_every_machine_of_the_document_is_there():
    assert set(MACHINES) >= ROWS


@pytest.mark.parametrize("name", catalogue.accelerator_names())
def test_an_accelerator_has_what_a_projection_needs(name):
    accelerator = catalogue.load_accelerator(name)
    assert accelerator.memory.known
    assert accelerator.memory_bandwidth.known
    assert accelerator.power.known
    assert any(figure.known for figure in accelerator.peak.values())


def test_nodes_hold_the_accelerators(machine):
    held = machine.count["nodes"].number * machine.accelerators_per_node.number
    # Counts are published rounded, and nodes as whole numbers.
    assert held == pytest.approx(machine.count["model"].number, rel=0.01)


def test_power_is_within_what_its_accelerators_take(machine):
    designed = machine.count["model"].number * machine.accelerator.power.number / 1e6
    # From 0.87 (El Capitan's HPL run) to 2.14 (Colossus' whole site) times the sum over the accelerators.
    assert 0.8 < machine.node_power_w * machine.count["nodes"].number / 1e6 / designed < 2.5


def test_what_the_document_says_is_kept(machine):
    assert {"row", "chips", "peak", "power", "energy_per_exaflop"} <= set(machine.document)
    assert machine.conflicts


def test_a_machine_without_fp64_has_none_and_says_where_it_runs(machine):
    known = [name for name in ("fp64", "fp64_matrix") if machine.accelerator.peak[name].known]
    assert bool(known) == (machine.fp64 == "native")
    assert machine.correction != "device" or known


def test_every_figure_says_where_it_is_from(machine):
    unexplained = [
        place
        for place, figure in all_figures(machine).items()
        if figure.known and not (figure.source in catalogue.sources() or figure.note)
    ]
    assert unexplained == []


def test_a_job_has_a_rank_for_each_device(machine):
    job = machine.job
    if job.scheduler == "none":
        assert (job.gpus_per_node, job.launcher) == (0, "")
    else:
        assert job.ranks_per_node == (machine.devices_per_node if job.gpus_per_node else job.cores_per_node)
        assert job.ranks_per_node * job.cores_per_rank <= job.cores_per_node


def test_it_is_listed_and_shown(machine):
    assert machine.key in list_machines([machine])
    text = show_machine(machine)
    assert all(conflict in text for conflict in machine.conflicts)
