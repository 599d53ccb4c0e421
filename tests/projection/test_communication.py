"""Messages, ghost cells and sums."""

import pytest

from mpsolve.projection.communication import (
    LARGE_MESSAGES,
    Network,
    halo,
    multigrid_halos,
    network_of,
    reduction,
    strip_halo,
)

# 4 devices in each of 16 nodes; 1 us, 100 GB/s a node, 150 GB/s a link; launches cost nothing.
WIRES = Network(1e-6, 100e9, 150e9, 4, 16, launch_s=0.0)


def test_devices_of_a_node_share_its_injection():
    assert WIRES.bytes_per_s() == LARGE_MESSAGES * 25e9


def test_within_a_node_the_link_counts():
    assert Network(1e-6, 100e9, 150e9, 4, 1).bytes_per_s() == LARGE_MESSAGES * 150e9


def test_a_sum_goes_up_and_down_a_tree():
    # 64 devices are 6 levels.
    assert reduction(WIRES).latency_s == pytest.approx(12e-6, rel=1e-12)
    assert reduction(Network(1e-6, 1.0, 1.0, 1, 1, launch_s=0.0)).total_s == 0


def test_ghost_cells_are_the_surface_of_a_block():
    # A block of 100 x 100 x 100 has 6 faces; the block of a node of 4 has 4^(2/3) / 4 = 4^(-1/3) of its devices' faces.
    time = halo(1e6, 3, 2, WIRES)
    assert time.bandwidth_s == pytest.approx(6e4 * 2 * 4 ** (-1 / 3) / WIRES.bytes_per_s(), rel=1e-12)
    assert time.latency_s == 1e-6


def test_fields_are_exchanged_together():
    one, three = halo(1e6, 2, 8, WIRES), halo(3e6, 2, 8, WIRES, fields=3)
    assert three.bandwidth_s == pytest.approx(3 * one.bandwidth_s, rel=1e-12)
    assert three.latency_s == one.latency_s


def test_whole_rows_go_to_two_neighbours_and_only_two_of_a_node_leave_it():
    time = strip_halo(1000, 3, 8, WIRES)
    # Two rows of three fields leave the node at its injection, which is slower than the links in it.
    assert time.bandwidth_s == pytest.approx(2 * 1000 * 3 * 8 / (LARGE_MESSAGES * 100e9), rel=1e-12)
    within = strip_halo(1000, 3, 8, Network(1e-6, 100e9, 150e9, 4, 1, launch_s=0.0))
    assert within.bandwidth_s == pytest.approx(2 * 1000 * 3 * 8 / (LARGE_MESSAGES * 150e9), rel=1e-12)
    assert strip_halo(1000, 3, 8, Network(1e-6, 1.0, 1.0, 1, 1)).bandwidth_s == 0


def test_one_device_sends_nothing():
    assert halo(1e6, 2, 8, Network(1e-6, 1.0, 1.0, 1, 1)).bandwidth_s == 0


def test_every_level_of_a_cycle_costs_its_latency():
    few, many = (multigrid_halos(1e6, 2, 8, WIRES, levels=levels, exchanges=4) for levels in (2, 8))
    assert many.latency_s == pytest.approx(4 * few.latency_s, rel=1e-12)
    # Sides are halved, so that all levels together send less than twice the finest one.
    assert many.bandwidth_s < 2 * 4 * halo(1e6, 2, 8, WIRES).bandwidth_s


def test_the_network_of_a_machine_is_that_of_its_file(jupiter):
    wires = network_of(jupiter, 10)
    assert (wires.latency_s, wires.node_bytes_per_s, wires.devices) == (1.8e-6, 100e9, 40)
