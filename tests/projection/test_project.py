"""A run on another machine: terms, energy, limits, and what stands in for FP64."""

import math
from dataclasses import replace

import pytest

from mpsolve.errors import ConfigError, UnknownNameError
from mpsolve.projection import catalogue
from mpsolve.projection.figure import Figure
from mpsolve.projection.grid_work import most_nodes
from mpsolve.projection.project import IDLE_PART, grown, node_counts, project
from mpsolve.projection.terms import Terms
from mpsolve.projection.work import read_work

MACHINES = catalogue.machine_names()


@pytest.fixture(params=["grid", "dense"])
def work(request):
    return request.getfixturevalue(f"{request.param}_work")


@pytest.mark.parametrize("name", MACHINES)
def test_every_run_has_its_projection_on_every_machine(name, work):
    machine = catalogue.load_machine(name)
    one = project(work, machine, machine.nodes)
    assert sum(one.phases.values(), Terms()) == one.terms
    assert 0 < one.low_s < one.time_s < one.high_s
    assert one.accuracy == work.accuracy
    watts = machine.node_power_w * machine.nodes
    assert one.energy_j == pytest.approx(watts * (one.terms.busy_s + IDLE_PART * one.terms.waiting_s), rel=1e-12)


def test_memory_time_is_that_of_the_bytes(grid_work, jupiter):
    from mpsolve.projection.arithmetic import memory_efficiency

    one = project(grid_work, jupiter, 2)
    # 5e9 bytes among 8 devices of 4 TB/s.
    expected = 5e9 / 8 / (4e12 * memory_efficiency(jupiter))
    assert one.phases["inner bf16"].memory_s == pytest.approx(expected, rel=1e-12)


def test_more_nodes_share_the_work_and_wait_longer(grid_work, jupiter):
    few, many = project(grid_work, jupiter, 4), project(grid_work, jupiter, 4096)
    assert many.terms.busy_s == pytest.approx(few.terms.busy_s / 1024, rel=1e-12)
    assert many.terms.latency_s > few.terms.latency_s


@pytest.mark.parametrize("name", MACHINES)
def test_the_climate_core_fills_every_machine(name, climate_work):
    machine = catalogue.load_machine(name)
    large = grown(climate_work, machine, machine.nodes, "memory")
    factor = large.unknowns / climate_work.unknowns
    assert large.strips.rows * large.strips.columns == pytest.approx(240 * 480 * factor, rel=1e-4)
    assert project(large, machine, machine.nodes).time_s > 0


def test_transforms_of_longer_rows_take_more_operations(climate_work, jupiter):
    large = grown(climate_work, jupiter, 8, "memory")
    factor = large.unknowns / climate_work.unknowns
    (before, after) = (next(one for one in work.phases if one.name == "filter") for work in (climate_work, large))
    logarithms = math.log2(large.strips.columns) / math.log2(480)
    assert after.flops == pytest.approx(factor * logarithms * before.flops, rel=1e-6)
    assert after.bytes == pytest.approx(factor * before.bytes, rel=1e-6)


def test_rows_that_stay_whole_limit_the_nodes(climate_work, jupiter):
    # Two rows at least for each of four devices of a node.
    assert most_nodes(climate_work, jupiter) == 30
    assert project(climate_work, jupiter, 30).time_s > 0
    with pytest.raises(ConfigError, match="240 of them are enough for 30 nodes of jupiter, not 31"):
        project(climate_work, jupiter, 31)


def test_the_devices_at_the_poles_filter_for_all(climate_work, jupiter):
    # A third of the rows is filtered: with two devices each has its share, with eight those at the ends filter all.
    def filtered(nodes):
        return project(climate_work, jupiter, nodes).phases["filter fp64"].busy_s

    assert filtered(2) == pytest.approx(filtered(30) * 15, rel=1e-12)
    alone = replace(jupiter, accelerators_per_node=replace(jupiter.accelerators_per_node, value=1))
    one, two = (project(climate_work, alone, nodes).phases["filter fp64"].busy_s for nodes in (1, 2))
    assert two == pytest.approx(one / 2, rel=1e-12)


def test_where_there_is_no_fp64_the_filtered_rows_travel_to_the_host(climate_work):
    one = project(climate_work, catalogue.load_machine("aws_rainier"), 1)
    assert one.phases["filter fp64 (host)"].busy_s > 0 and one.phases["to and from the host"].bandwidth_s > 0
    whole = replace(climate_work, phases=tuple(replace(phase, format="fp64") for phase in climate_work.phases))
    assert "to and from the host" not in project(whole, catalogue.load_machine("aws_rainier"), 1).phases


@pytest.mark.parametrize("name", ["aws_rainier", "cerebras_cg1"])
def test_without_fp64_the_correction_runs_on_the_host(name, work):
    one = project(work, catalogue.load_machine(name), 4)
    assert any("no FP64 on the accelerator: fp64 runs on the host" in note for note in one.notes)
    assert one.phases["to and from the host"].bandwidth_s > 0


def test_the_file_may_have_fp64_emulated_instead(grid_work):
    machine = catalogue.load_machine("aws_rainier")
    emulated = Figure(20.0, "TFLOP/s", "derived", note="for this test")
    accelerator = replace(machine.accelerator, peak={**machine.accelerator.peak, "fp64_emulated": emulated})
    one = project(grid_work, replace(machine, accelerator=accelerator, correction="emulated"), 4)
    assert "FP64 is emulated in low precision" in one.notes
    assert "to and from the host" not in one.phases


def test_a_faster_host_shortens_only_what_runs_on_it(grid_work):
    machine = catalogue.load_machine("aws_rainier")
    host = {name: replace(figure, value=2 * figure.value) for name, figure in machine.host.items()}
    slow, fast = project(grid_work, machine, 1), project(grid_work, replace(machine, host=host), 1)
    assert fast.phases["inner bf16"] == slow.phases["inner bf16"]
    name = "residual fp64 (host)"
    assert fast.phases[name].busy_s == pytest.approx(slow.phases[name].busy_s / 2, rel=1e-12)


def test_a_format_that_is_missing_is_named(write_run):
    work = read_work(write_run("fp8", "dense", "fp8_e4m3"))
    one = project(work, catalogue.load_machine("frontier"), 1)
    assert "no fp8_e4m3 on this accelerator: products run in fp16" in one.notes


def test_a_format_that_mpsolve_does_not_have_is_refused(grid_work, jupiter):
    phase = replace(grid_work.phases[0], format="fp3")
    with pytest.raises(UnknownNameError, match="fp3"):
        project(replace(grid_work, phases=(phase,)), jupiter, 1)


@pytest.mark.parametrize("unknowns", [1, 2, 65])
def test_tiny_problems_have_finite_times(unknowns, work, jupiter):
    for nodes in (1, 5938):
        assert 0 < project(replace(work, unknowns=unknowns), jupiter, nodes).time_s < 1


def test_an_unknown_latency_is_said(grid_work):
    notes = project(grid_work, catalogue.load_machine("cerebras_andromeda"), 2).notes
    assert any("latency is not known" in note for note in notes)


@pytest.mark.parametrize("nodes", [0, -1, 5939])
def test_a_machine_has_no_more_nodes_than_it_has(nodes, grid_work, jupiter):
    with pytest.raises(ConfigError, match=f"jupiter has 1 to 5938 nodes, not {nodes}"):
        project(grid_work, jupiter, nodes)


def test_a_matrix_must_fit_into_the_memory(dense_work, jupiter):
    # 4 bytes x 1e12 in 4 devices of 96 GB: 10.4 nodes.
    with pytest.raises(ConfigError, match="takes 11 nodes of jupiter, not 10"):
        project(replace(dense_work, unknowns=1_000_000), jupiter, 10)
    assert project(replace(dense_work, unknowns=1_000_000), jupiter, 11).time_s > 0


def test_a_grown_problem_fills_the_memory(work, jupiter):
    large = grown(work, jupiter, 8, "memory")
    assert grown(work, jupiter, 8, "run") is work
    assert project(large, jupiter, 8).unknowns == large.unknowns > work.unknowns


def test_work_on_a_grid_grows_with_its_unknowns(grid_work, jupiter):
    large = grown(grid_work, jupiter, 8, "memory")
    factor = large.unknowns / grid_work.unknowns
    for before, after in zip(grid_work.phases, large.phases, strict=True):
        assert after.bytes == pytest.approx(factor * before.bytes, abs=1)


@pytest.mark.parametrize(("text", "counts"), [
    ("4", (4,)), ("all", (511,)), ("1..8", (1, 2, 4, 8)), ("3..all", (3, 6, 12, 24, 48, 96, 192, 384, 511)),
    ("7..7", (7,)),
])  # fmt: skip
def test_nodes_are_counted_as_written(text, counts):
    assert node_counts(catalogue.load_machine("panaai"), text) == counts


@pytest.mark.parametrize("text", ["", "many", "1..2..3", "8..2", "1..512", "0"])
def test_other_nodes_are_refused(text):
    with pytest.raises(ConfigError, match=r"--nodes|nodes, not"):
        node_counts(catalogue.load_machine("panaai"), text)
