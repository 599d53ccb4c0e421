"""Flipped bits: refinement repairs them or says that it cannot; never a wrong answer called converged."""

import os

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.errors import ConfigError
from mpsolve.field import Field
from mpsolve.ledger import Ledger
from mpsolve.models.array_matrix import ArrayMatrix
from mpsolve.operators.dense import DenseOperator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.dense.options import DenseOptions
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.injection import BitFlips, flips_of
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

#: Injections of each kind; docs/reliability.md has the table of a thousand.
TIMES = int(os.environ.get("MPSOLVE_INJECTIONS", "25"))
RTOL = 1e-12


@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp8_e4m3"])
def test_so_many_bits_are_flipped_as_are_counted(name):
    field = Field.zeros((40, 50), 1, get_format(name))
    flips = BitFlips(0.05, seed=3)
    flips.strike(field)
    words = np.ascontiguousarray(field.interior).view(f"u{field.format.itemsize}")
    found = sum(int(word).bit_count() for word in words.ravel())
    # A bit that is hit twice is what it was.
    assert 0 < found <= flips.flipped and (flips.flipped - found) % 2 == 0
    assert not field.storage[0].any()


def test_no_rate_flips_nothing():
    values = np.ones(100)
    assert BitFlips(0.0).strike_array(values) == 0 and np.array_equal(values, np.ones(100))


@pytest.mark.parametrize("text", ["bitflip", "bitflip:often", "bitflip:2", "bitflip:nan", "rowhammer:0.1"])
def test_what_is_no_injection_is_refused(text):
    with pytest.raises(ConfigError, match="bitflip:RATE"):
        flips_of(text, 0)


@pytest.mark.parametrize("inner", ["cg", "fgmres", "multigrid"])
def test_a_grid_solver_never_calls_a_wrong_answer_converged(alone, diffusion, inner):
    case = diffusion((17, 19), (("dirichlet", "dirichlet"), ("dirichlet", "neumann")), varying=inner != "multigrid")
    grid = Cartesian.create(alone, case.shape, case.periodic, halo=2)
    backend, b = lookup.find("backends", "reference").create(1), np.random.default_rng(4).uniform(-1, 1, case.shape)
    converged, flipped, matrix = 0, 0, None
    for seed in range(TIMES):
        flips = BitFlips(2e-3, seed)
        space = Space(alone, backend, grid.shape, 2, Ledger())
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        options = RefinementOptions(inner=inner, ladder=("fp16", "fp32", "fp64"), rtol=RTOL, flips=flips)
        solver = RefinementSolver(operator, options)
        solver.right_hand_side.set(b)
        result = solver.solve()
        flipped += flips.flipped
        if result.converged:
            converged += 1
            matrix = dense_of(operator, space, case.shape) if matrix is None else matrix
            x = solver.solution.to_numpy().ravel()
            residual = np.linalg.norm(b.ravel() - matrix @ x)
            assert residual <= 2 * RTOL * (operator.norm * np.linalg.norm(x) + np.linalg.norm(b))
        else:
            assert result.advice
    assert flipped > TIMES and converged > 0
    print(f"{inner}: {flipped} flips in {TIMES} solves, {converged} repaired, {TIMES - converged} ended with status 1")


def dense_of(operator, space, shape):
    """Return the matrix of an operator, column by column."""
    unit, image = space.zeros(get_format("fp64")), space.zeros(get_format("fp64"))
    apply = operator.affine(image, unit, phase="test")
    columns = []
    for place in np.ndindex(shape):
        values = np.zeros(shape)
        values[place] = 1.0
        unit.set(values)
        apply(0.0, 1.0)
        columns.append(image.to_numpy().ravel())
    return np.array(columns).T


@pytest.mark.parametrize("checksums", [False, True])
def test_a_dense_solver_never_calls_a_wrong_answer_converged(alone, checksums):
    n, rng = 40, np.random.default_rng(0)
    array = rng.uniform(-0.5, 0.5, (n, n)) + n / 4 * np.eye(n)
    b = rng.standard_normal((1, n))
    layout = BlockCyclic.create(ProcessGrid.create(alone), array.shape, 16)
    operator = DenseOperator(layout, ArrayMatrix(array), lookup.find("backends", "reference").create(1), Ledger())
    converged = flipped = repairs = 0
    ladder = ("fp16", "fp32", "fp64")
    for seed in range(TIMES):
        flips = BitFlips(1e-3, seed)
        solver = DenseSolver(operator, DenseOptions(ladder=ladder, rtol=RTOL, checksums=checksums, flips=flips))
        x, result = solver.solve(b)
        flipped += flips.flipped
        repairs += solver.factory.repairs
        if result.converged:
            converged += 1
            scale = np.abs(array).sum(axis=1).max() * np.abs(x).max() + np.abs(b).max()
            assert np.abs(b - x @ array.T).max() <= 2 * RTOL * scale
        else:
            assert result.advice
    assert flipped > 0 and converged > 0 and (repairs > 0) == checksums
    print(
        f"dense{' with checksums' * checksums}: {flipped} flips in {TIMES} solves, {converged} repaired "
        f"({repairs} factorisations done again), {TIMES - converged} ended with status 1"
    )
