"""Coarse couplings: the product of Galerkin against dense matrices, and an interpolation that follows jumps."""

import itertools

import numpy as np
import pytest

from mpsolve.kernels.transfers.layout import corners
from mpsolve.solvers.multigrid.couplings import Couplings, offsets_before
from mpsolve.solvers.multigrid.galerkin import galerkin, interpolate
from mpsolve.solvers.multigrid.stencil import dense_matrix


def random_couplings(shape, periodic, star, reaction=0.3, seed=0):
    """Couplings over six decades; none across a side."""
    generator = np.random.default_rng(seed)
    before = {}
    for step in offsets_before(len(shape), star):
        values = 10.0 ** generator.uniform(-6, 0, shape)
        for axis, (n, ring) in enumerate(zip(step, periodic, strict=True)):
            if n and not ring:
                np.moveaxis(values, axis, 0)[0 if n < 0 else -1] = 0.0
        before[step] = values
    return Couplings(periodic, before, reaction * generator.uniform(0, 1, shape))


def interpolation_matrix(shape, periodic, interpolation):
    """The matrix P of stored weights, cell by cell."""
    halved = interpolation.halved
    coarse = tuple((n + 1) // 2 if half else n for n, half in zip(shape, halved, strict=True))
    matrix = np.zeros((int(np.prod(shape)), int(np.prod(coarse))))
    for row, cell in enumerate(np.ndindex(*shape)):
        for corner in corners(halved):
            parent = [c // 2 if half else c for c, half in zip(cell, halved, strict=True)]
            place = [(p + c) % n for p, c, n in zip(parent, corner, coarse, strict=True)]
            matrix[row, np.ravel_multi_index(place, coarse)] += interpolation.weights[corner][cell]
    return matrix, coarse


CASES = [
    (shape, periodic, halved, star)
    for shape in ((5, 6), (7, 4), (3, 4, 5))
    for periodic in ((False,) * len(shape), (True,) * len(shape), (True, False, True)[: len(shape)])
    for halved in itertools.product((True, False), repeat=len(shape))
    if any(halved)
    for star in (True, False)
]


@pytest.mark.parametrize(("shape", "periodic", "halved", "star"), CASES)
def test_coarse_couplings_are_the_product_of_the_matrices(shape, periodic, halved, star):
    fine = random_couplings(shape, periodic, star)
    interpolation = interpolate(fine, halved)
    given, (P, coarse) = dense_matrix(fine, 1.0), interpolation_matrix(shape, periodic, interpolation)
    product = galerkin(fine, interpolation)
    assert product.shape == coarse
    # Three products of sums over at most 27 neighbours.
    allowed = 200 * np.finfo(float).eps * np.max(np.abs(given))
    assert np.max(np.abs(dense_matrix(product, 1.0) - P.T @ given @ P)) <= allowed
    assert np.max(np.abs(P.sum(1) + interpolation.missing.ravel() - 1)) <= 200 * np.finfo(float).eps


@pytest.mark.parametrize("sign", [0.0, -1.0])
def test_the_product_is_that_of_the_matrices_where_no_coupling_is_above_zero(sign):
    fine = random_couplings((8, 6), (False, True), False)
    for step, values in fine.before.items():
        if step[0]:
            values[-1] *= sign
    interpolation = interpolate(fine, (True, True))
    given, (P, _) = dense_matrix(fine, 1.0), interpolation_matrix((8, 6), (False, True), interpolation)
    allowed = 200 * np.finfo(float).eps * np.max(np.abs(given))
    assert np.max(np.abs(P.sum(1) + interpolation.missing.ravel() - 1)) <= 200 * np.finfo(float).eps
    assert np.max(np.abs(dense_matrix(galerkin(fine, interpolation), 1.0) - P.T @ given @ P)) <= allowed


def test_weights_lie_between_zero_and_one_and_a_constant_is_kept_where_nothing_holds_it():
    fine = random_couplings((9, 10), (False, True), False, reaction=0.0)
    interpolation = interpolate(fine, (True, True))
    stacked = np.array(list(interpolation.weights.values()))
    assert stacked.min() >= 0.0
    assert stacked.max() <= 1.0
    assert not interpolation.missing.any()
    assert not galerkin(fine, interpolation).reaction.any()


def test_equal_couplings_interpolate_linearly():
    before = {step: np.ones((9, 9)) for step in offsets_before(2, True)}
    weights = interpolate(Couplings((True, True), before, np.zeros((9, 9))), (True, True)).weights
    assert [weights[corner][1, 1] for corner in corners((True, True))] == pytest.approx([0.25] * 4, rel=1e-15)
    assert [weights[corner][1, 2] for corner in corners((True, True))] == [0.5, 0.0, 0.5, 0.0]


def test_a_cell_follows_the_neighbour_it_is_strongly_coupled_to():
    before = {step: np.full((5, 4), 1.0) for step in offsets_before(2, True)}
    before[-1, 0][2, :] = 1e6
    weights = interpolate(Couplings((False, False), before, np.zeros((5, 4))), (True, False)).weights
    assert weights[1, 0][1].tolist() == pytest.approx([1.0] * 4, rel=2e-6)


def test_a_strong_cell_between_weak_ones_that_the_reaction_holds_stays_on_the_coarse_grid():
    # A row of strong couplings on odd cells, 1e-6 across, and a reaction far above that.
    before = {(-1, 0): np.full((5, 6), 1e-6), (0, -1): np.full((5, 6), 1e-6)}
    before[0, -1][1] = 1.0
    weights = interpolate(Couplings((False, True), before, np.full((5, 6), 1e-3)), (True, True)).weights
    assert sum(weights[corner][1, 2] for corner in corners((True, True))) == pytest.approx(1.0, rel=1e-15)


def test_the_bound_of_the_eigenvalues_holds_where_couplings_are_negative():
    fine = random_couplings((5, 5), (True, True), False)
    fine.before[-1, -1][...] = -0.1
    scaled = dense_matrix(fine, 1.0) / fine.bound().reshape(-1, 1)
    assert np.max(np.linalg.eigvals(scaled).real) <= 2.0 + 1e-12
