"""The GPU backend: whole solves on its arrays have the bits of the processor's, on any number of ranks."""

import emulation
import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.backends import cuda
from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.field import Field
from mpsolve.kernels.cuda.devices import visible
from mpsolve.kernels.cuda.devices.emulated import Emulated
from mpsolve.kernels.transfers.layout import Overlay, corners
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Diffusion
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import get_format
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.refinement import RefinementSolver
from mpsolve.solvers.refinement_options import RefinementOptions

SIDES = (("dirichlet", "neumann"), ("periodic", "periodic"))


def solved(comm, case, backend, name, inner):
    grid = Cartesian.create(comm, case.shape, case.periodic, halo=2)
    space = Space(comm, backend, grid.shape, 2, Ledger())
    operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
    solver = RefinementSolver(operator, RefinementOptions(inner=inner, ladder=(name,), rtol=1e-11))
    solver.right_hand_side.set(np.random.default_rng(4).uniform(-1, 1, case.shape)[grid.slices])
    return grid, solver.solve(), solver.solution.to_numpy()


@pytest.mark.ranks
@pytest.mark.parametrize("inner", ["cg", "auto", "fgmres"])
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
@pytest.mark.parametrize("name", ["fp32", "fp16"])
def test_a_solve_has_the_bits_of_the_processor_on_any_number_of_ranks(
    world, alone, diffusion, whole, name, varying, inner
):
    case = diffusion((26, 33), SIDES, varying=varying)
    _, expected, values = solved(alone, case, lookup.find("backends", "cpu").create(1), name, inner)
    grid, result, found = solved(world, case, emulation.backend(), name, inner)
    assert np.array_equal(whole(grid, found), values)
    assert result == expected


@pytest.mark.parametrize("cycle", ["v", "full", "w"])
@pytest.mark.parametrize("varying", [False, True], ids=["uniform", "varying"])
def test_the_ways_of_a_cycle_are_launched_as_a_whole_and_change_no_bit_and_no_count(
    alone, diffusion, monkeypatch, cycle, varying
):
    case, captured = diffusion((40, 41), SIDES, varying=varying), []
    device = type(emulation.backend().device)
    monkeypatch.setattr(device, "captured", lambda self, action: captured.append(action) or action)
    options = MultigridOptions(cycle=cycle)
    answers = []
    for backend in (lookup.find("backends", "cpu").create(1), emulation.backend()):
        grid = Cartesian.create(alone, case.shape, case.periodic, halo=2)
        space = Space(alone, backend, grid.shape, 2, Ledger())
        operator = Diffusion(grid, space, case.coefficients(grid), get_format("fp64"))
        choice = RefinementOptions(inner="multigrid", ladder=("fp32",), rtol=1e-12, multigrid=options)
        solver = RefinementSolver(operator, choice)
        solver.right_hand_side.set(np.random.default_rng(4).uniform(-1, 1, case.shape))
        answers.append((solver.solve(), solver.solution.to_numpy(), space.ledger.to_dict()))
    (expected, values, work), (result, found, counted) = answers
    assert result == expected
    assert np.array_equal(found, values)
    assert counted == work
    # Down and up, for cycles from zero and from a guess; W-cycles go up and down in between.
    assert len(captured) == {"v": 4, "full": 2, "w": 0}[cycle]


@pytest.mark.parametrize("local", [False, True], ids=["vectors", "fields"])
@pytest.mark.parametrize("halved", [(True, True), (True, False), (True, False, True)])
@pytest.mark.parametrize(("name", "below"), [("fp64", "fp64"), ("fp16", "fp16"), ("bf16", "fp32")])
def test_transfers_have_the_bits_of_numpy(name, below, halved, local):
    shape, overlay = (6, 7, 9)[: len(halved)], Overlay(halved, tuple(int(h) for h in halved))
    answers = []
    for backend in (emulation.backend(), lookup.find("backends", "reference").create(1)):
        rng, format = np.random.default_rng(2), get_format(name)
        fine = filled(backend.zeros(shape, 2, format), rng)
        small = tuple(-(-(n - 1) // 2) if h else n for n, h in zip(shape, halved, strict=True))
        sums, coarse = (filled(backend.zeros(small, 2, get_format(below)), rng) for _ in range(2))
        lengths = zip(fine.storage.shape, halved, strict=True)
        vectors = [rng.random(n + 3).astype(format.compute) if h else None for n, h in lengths]
        fields = [backend.zeros(shape, 2, format).set(rng.random(shape)) for _ in corners(halved)]
        backend.bind_restriction(value, sums, [fine], overlay, vectors)(1.5)
        backend.bind_prolongation(fine, coarse, overlay, fields if local else vectors)()
        answers.append((sums.to_numpy(), fine.to_numpy()))
    for found, expected in zip(*answers, strict=True):
        assert np.array_equal(found, expected)


def value(load, a, c, *index):
    return c[0] * load(a[0], *index)


def filled(field: Field, rng) -> Field:
    """Write random numbers everywhere, in the ghosts too."""
    low = tuple(-field.halo for _ in field.shape)
    high = tuple(n + field.halo for n in field.shape)
    size = tuple(b - a for a, b in zip(low, high, strict=True))
    field.write(field.format.encode(rng.uniform(-1, 1, size)), low, high)
    return field


def test_an_array_of_the_device_is_not_taken_for_one_of_the_processor():
    field = emulation.backend().zeros((4, 5), 1, get_format("fp32"))
    with pytest.raises(TypeError, match="copy it with get"):
        np.asarray(field.interior)
    with pytest.raises(TypeError, match="must be uploaded"):
        field.interior[...] = np.zeros((4, 5), np.float32)


def test_what_does_not_fit_the_device_is_refused_with_what_would(monkeypatch):
    emulation.device()
    backend = cuda.CudaBackend(Emulated(memory=1 << 20), 1)
    with pytest.raises(MpsolveError, match=r"needs 0\.01 GiB; at most 131072 entries of float64 fit"):
        backend.zeros((1000, 1000), 1, get_format("fp64"))


@pytest.mark.parametrize("name", visible.LOCAL_RANKS)
def test_a_rank_takes_the_device_of_its_number_on_the_node(monkeypatch, name):
    for other in visible.LOCAL_RANKS:
        monkeypatch.delenv(other, raising=False)
    assert visible.local_rank() == 0
    monkeypatch.setenv(name, "3")
    assert visible.local_rank() == 3


def test_without_cupy_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delenv(visible.EMULATE, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'mpsolve\[cuda12\]'"):
        cuda.create()
