"""LU panel by panel: the flops are all there, and waiting is what the network causes."""

from dataclasses import replace

import pytest

from mpsolve.projection.communication import Network
from mpsolve.projection.dense_lu import DenseProblem, DenseRates, factorisation, grid_of, refinement

FOREVER = float("inf")
PROBLEM = DenseProblem(n=100_000, block=500, item_bytes=2, store_bytes=4, pivoting=False, refinements=2)
RATES = DenseRates(1e14, 1e14, 1e13, 1e12, FOREVER, 1e12)
# Free messages between 8 x 8 devices.
FREE = Network(0.0, FOREVER, FOREVER, 8, 8, launch_s=0.0)
SLOW = Network(2e-6, 1e11, 1e11, 8, 8)


def test_the_flops_are_all_there():
    # Updates are 2/3 n^3 less b n^2 / 2 and panels and rows add b n^2 together: 3 b / n of the whole bounds the rest.
    alone = Network(0.0, FOREVER, FOREVER, 1, 1, launch_s=0.0)
    expected = 2 / 3 * PROBLEM.n**3 / RATES.update
    time = factorisation(PROBLEM, RATES, alone)
    assert time.compute_s == pytest.approx(expected, rel=3 * PROBLEM.block / PROBLEM.n)
    assert time.waiting_s == 0


def test_free_messages_share_the_flops():
    # Blocks are dealt unevenly: half of one a side, of n / (8 b) = 25 at the start and fewer later.
    time = factorisation(PROBLEM, RATES, FREE)
    ideal = 2 / 3 * PROBLEM.n**3 / RATES.update / 64
    assert ideal < time.total_s < ideal * 1.15
    assert time.waiting_s == 0


def test_slow_messages_are_waited_for():
    free, slow = (factorisation(PROBLEM, RATES, wires).total_s for wires in (FREE, SLOW))
    slower = factorisation(PROBLEM, RATES, replace(SLOW, node_bytes_per_s=1e9, link_bytes_per_s=1e9))
    assert free < slow < slower.total_s
    assert slower.bandwidth_s > slower.compute_s


def test_a_search_for_pivots_costs_latency():
    plain, pivoted = (factorisation(replace(PROBLEM, n=20_000, pivoting=on), RATES, SLOW) for on in (False, True))
    assert pivoted.latency_s > plain.latency_s


def test_a_stored_matrix_that_moves_takes_memory_time():
    time = factorisation(PROBLEM, replace(RATES, update_memory=1e12), FREE)
    # Every step reads and writes what is left: 2 x 4 bytes x n^3 / (3 b) in all, with the uneven blocks as above.
    ideal = 8 * PROBLEM.n**3 / (3 * PROBLEM.block) / 1e12 / 64
    assert ideal < time.memory_s < 1.15 * ideal


def test_the_sampled_panels_stand_for_all():
    # 1,000 panels are all evaluated, and of 2,000 every second one; half blocks change panels and uneven ends a little.
    coarse = factorisation(replace(PROBLEM, n=500_000, block=500), RATES, FREE)
    fine = factorisation(replace(PROBLEM, n=500_000, block=250), RATES, FREE)
    assert fine.compute_s == pytest.approx(coarse.compute_s, rel=0.05)


def test_a_refinement_needs_one_residual_more_than_solves():
    none = refinement(replace(PROBLEM, refinements=0), RATES, FREE)
    one, two = (refinement(replace(PROBLEM, refinements=count), RATES, FREE) for count in (1, 2))
    assert none.total_s > 0
    assert two.total_s - one.total_s == pytest.approx(one.total_s - none.total_s, rel=1e-12)


@pytest.mark.parametrize(("devices", "grid"), [(1, (1, 1)), (64, (8, 8)), (72, (8, 9)), (1024, (32, 32))])
def test_grids_are_nearly_square(devices, grid):
    assert grid_of(devices) == grid


def test_a_prime_number_of_devices_is_counted_as_a_square():
    assert grid_of(10_007) == (10_007**0.5,) * 2
