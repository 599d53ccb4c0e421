"""Diffusion is what its matrix says, in every dimension, with every side, on any number of ranks."""

import itertools

import numpy as np
import pytest

from mpsolve.errors import ConfigError, ShapeError
from mpsolve.operators import diffusion as module
from mpsolve.operators.diffusion import Coefficients, Diffusion, side_source, uniform_coefficients
from mpsolve.precision import get_format

pytestmark = pytest.mark.ranks

PERIODIC, DIRICHLET, NEUMANN = "periodic", "dirichlet", "neumann"
SIDES = [
    ((DIRICHLET, DIRICHLET), (NEUMANN, NEUMANN)),
    ((PERIODIC, PERIODIC), (DIRICHLET, NEUMANN)),
    ((NEUMANN, DIRICHLET), (PERIODIC, PERIODIC)),
    ((PERIODIC, PERIODIC), (PERIODIC, PERIODIC)),
    ((DIRICHLET, NEUMANN), (PERIODIC, PERIODIC), (NEUMANN, DIRICHLET)),
    ((PERIODIC, PERIODIC), (NEUMANN, NEUMANN), (DIRICHLET, DIRICHLET)),
]
#: No count of ranks divides these, and 8 ranks fit.
SHAPES = {2: (9, 11), 3: (8, 5, 7)}
CASES = [(sides, varying) for sides in SIDES for varying in (False, True)]


def build(case, grid, space, name="fp64", **options):
    return Diffusion(grid, space, case.coefficients(grid), get_format(name), **options)


def random_whole(shape, seed=3):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def applied(case, grid, space, name="fp64", p=0.0, q=1.0, **options):
    """Return p b + q A u in a format on this rank's block, and the exact inputs that went in."""
    format = get_format(name)
    operator = build(case, grid, space, name, **options)
    u, b, output = (space.zeros(format) for _ in range(3))
    u.set(random_whole(case.shape)[grid.slices])
    b.set(random_whole(case.shape, 4)[grid.slices])
    operator.affine(output, u, b, phase="test")(p, q)
    return output


@pytest.mark.parametrize(("sides", "varying"), CASES)
def test_it_is_its_matrix(comm, make_space, diffusion, whole, sides, varying):
    case = diffusion(SHAPES[len(sides)], sides, varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    result = whole(grid, applied(case, grid, space, p=0.75, q=-2.0).to_numpy())
    exact = 0.75 * random_whole(case.shape, 4).reshape(-1) - 2.0 * case.matrix() @ random_whole(case.shape).reshape(-1)
    # A row has at most 7 products and 16 operations; the norm bounds the sum of their magnitudes.
    assert np.abs(result.reshape(-1) - exact).max() <= 16 * 2.0**-53 * (2 * build(case, grid, space).norm + 1)


@pytest.mark.parametrize("name", ["fp64", "bf16"])
@pytest.mark.parametrize(("sides", "varying"), CASES)
def test_the_number_of_ranks_changes_no_bit(world, alone, make_space, diffusion, whole, sides, varying, name):
    case = diffusion(SHAPES[len(sides)], sides, varying=varying)

    def result(ranks):
        grid, space = make_space(ranks, case.shape, case.periodic)
        return whole(grid, applied(case, grid, space, name, p=0.5, q=0.25).interior)

    assert np.array_equal(result(world), result(alone))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_axis_that_is_cut_changes_no_bit(world, alone, make_space, diffusion, whole, axis):
    case = diffusion((9, 8, 10), SIDES[4], varying=True)

    def result(ranks, split):
        grid, space = make_space(ranks, case.shape, case.periodic, split=split)
        return whole(grid, applied(case, grid, space).interior)

    assert np.array_equal(result(world, tuple(n == axis for n in range(3))), result(alone, None))


@pytest.mark.parametrize("sides", [SIDES[0], SIDES[1], SIDES[3], SIDES[4]])
@pytest.mark.parametrize("varying", [False, True])
def test_overlap_changes_no_bit_and_no_inner_product(world, make_space, diffusion, monkeypatch, sides, varying):
    # Four cells or more along each axis leave an interior within the shell, on 8 ranks too.
    case = diffusion((18, 17) if len(sides) == 2 else (10, 9, 11), sides, varying=varying)
    grid, space = make_space(world, case.shape, case.periodic)
    results = []
    for cells in (1, 10**9):
        monkeypatch.setattr(module, "OVERLAP_CELLS", cells)
        operator = build(case, grid, space)
        u = space.zeros(get_format("fp64")).set(random_whole(case.shape)[grid.slices])
        output = space.zeros(get_format("fp64"))
        dots = operator.affine(output, u, dots=((0, 0), (0, 1)), phase="test")(0.0, 1.0)
        results.append((output.to_numpy(), dots))
    assert np.array_equal(results[0][0], results[1][0])
    assert results[0][1].tolist() == results[1][1].tolist()


@pytest.mark.parametrize("name", ["fp64", "fp32", "fp16"])
def test_inner_products_are_those_of_the_stored_vectors(comm, make_space, diffusion, whole, name):
    case = diffusion(SHAPES[2], SIDES[1], varying=True)
    grid, space = make_space(comm, case.shape, case.periodic)
    format = get_format(name)
    u = space.zeros(format).set(random_whole(case.shape)[grid.slices])
    b = space.zeros(format).set(random_whole(case.shape, 4)[grid.slices])
    output = space.zeros(format)
    dots = build(case, grid, space, name).affine(output, u, b, dots=((0, 0), (0, 1), (1, 2)), phase="test")(0.5, 0.5)
    w, u, b = (whole(grid, field.to_numpy()) for field in (output, u, b))
    exact = np.array([np.sum(w * w), np.sum(w * u), np.sum(u * b)])
    sizes = np.array([np.sum(w * w), np.sum(abs(w * u)), np.sum(abs(u * b))])
    # NumPy's own sum of n terms is the less exact one.
    assert np.all(np.abs(dots - exact) <= 2.0**-53 * w.size * sizes)


@pytest.mark.parametrize(("sides", "varying"), CASES)
def test_the_norm_is_a_bound_of_the_infinity_norm(comm, make_space, diffusion, sides, varying):
    case = diffusion(SHAPES[len(sides)], sides, varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    exact = np.abs(case.matrix()).sum(axis=1).max()
    norm = build(case, grid, space).norm
    assert exact * (1 - 1e-14) <= norm
    # Varying rows are bounded one by one, uniform ones by the largest face of each axis.
    assert norm <= exact * (1 + 1e-14) * (1.0 if varying else 1.5)


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("name", ["fp64", "fp32", "bf16", "fp16", "fp8_e4m3"])
def test_in_a_format_it_is_divided_by_a_power_of_two_to_a_norm_near_one(comm, make_space, diffusion, varying, name):
    case = diffusion(SHAPES[2], SIDES[0], varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    full = build(case, grid, space)
    low = full.in_format(get_format(name))
    assert np.frexp(low.scale)[0] == 0.5
    assert 0.5 <= low.norm <= 1.0
    assert low.norm * low.scale == full.norm
    assert low.format.name == name


def test_large_coefficients_do_not_overflow_a_narrow_format(comm, make_space, diffusion):
    case = diffusion(SHAPES[2], SIDES[0], varying=True)
    grid, space = make_space(comm, case.shape, case.periodic)
    coefficients = Coefficients(tuple(face * 1e9 for face in case.coefficients(grid).faces), 1e9)
    low = Diffusion(grid, space, coefficients, get_format("fp64")).in_format(get_format("fp16"))
    u, output = (space.zeros(get_format("fp16")) for _ in range(2))
    low.affine(output, u.set(1.0), phase="test")(0.0, 1.0)
    assert np.isfinite(output.to_numpy()).all()
    assert output.to_numpy().any()


@pytest.mark.parametrize("sides", [SIDES[0], SIDES[2], SIDES[4]])
def test_the_inverse_diagonal_is_that_of_the_matrix(comm, make_space, diffusion, whole, sides):
    case = diffusion(SHAPES[len(sides)], sides, varying=True)
    grid, space = make_space(comm, case.shape, case.periodic)
    inverse = whole(grid, build(case, grid, space).inverse_diagonal()).reshape(-1)
    # Seven additions and a division.
    assert np.allclose(inverse * np.diag(case.matrix()), 1.0, rtol=0, atol=8 * 2.0**-53)


def test_a_uniform_operator_needs_no_diagonal(comm, make_space, diffusion):
    case = diffusion(SHAPES[2], SIDES[0])
    grid, space = make_space(comm, case.shape, case.periodic)
    assert build(case, grid, space).inverse_diagonal() is None


@pytest.mark.parametrize(("sides", "varying"), [(SIDES[1], False), (SIDES[1], True), (SIDES[5], True)])
def test_the_coefficients_of_an_implicit_step_add_a_mass(comm, make_space, diffusion, whole, sides, varying):
    case = diffusion(SHAPES[len(sides)], sides, varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    shifted = Diffusion(grid, space, case.coefficients(grid).shifted(3.0, 0.5), get_format("fp64"))
    u, output = (space.zeros(get_format("fp64")) for _ in range(2))
    shifted.affine(output, u.set(random_whole(case.shape)[grid.slices]), phase="test")(0.0, 1.0)
    vector = random_whole(case.shape).reshape(-1)
    exact = 3.0 * vector + 0.5 * case.matrix() @ vector
    assert np.abs(whole(grid, output.to_numpy()).reshape(-1) - exact).max() <= 16 * 2.0**-53 * shifted.norm


@pytest.mark.parametrize("narrow", ["fp32", "bf16"])
def test_a_narrower_halo_rounds_ghosts_only(world, make_space, diffusion, whole, narrow):
    case = diffusion((16, 19), SIDES[1], varying=False)
    grid, space = make_space(world, case.shape, case.periodic)
    exact = applied(case, grid, space).to_numpy()
    near = applied(case, grid, space, halo_format=get_format(narrow)).to_numpy()
    # Four faces at most carry a ghost, which is rounded once after scaling; the largest face is twice 1.25.
    assert np.abs(near - exact).max() <= 4 * 2.5 * get_format(narrow).unit_roundoff * (1 + 1e-10)
    if world.size > 1:
        assert whole(grid, (near != exact).astype(float)).any()


def test_the_halo_of_a_residual_is_never_narrowed(world, make_space, diffusion):
    case = diffusion((16, 19), SIDES[1])
    grid, space = make_space(world, case.shape, case.periodic)
    full = applied(case, grid, space, inner_halo_format=get_format("bf16"))
    assert np.array_equal(full.to_numpy(), applied(case, grid, space).to_numpy())
    low = build(case, grid, space, inner_halo_format=get_format("bf16")).in_format(get_format("fp32"))
    assert low.halo_format.name == "bf16"


def test_work_is_counted(comm, make_space, diffusion):
    case = diffusion(SHAPES[2], SIDES[0], varying=True)
    grid, space = make_space(comm, case.shape, case.periodic)
    applied(case, grid, space, "fp32")
    cells = grid.shape[0] * grid.shape[1]
    work = space.ledger.to_dict()["test"]["fp32"]
    # Six operations an axis and four for p b + q A u; output, u, b, two faces and the reaction move once.
    assert (work["flops"], work["bytes"]) == (16 * cells, 6 * 4 * cells)


def test_a_cell_feels_the_ghost_beyond_a_wall_as_zero(comm, make_space, whole):
    coefficients = uniform_coefficients((8, 8), (0.5, 0.5), ((DIRICHLET, NEUMANN), (NEUMANN, NEUMANN)), 1.0, 0.0)
    grid, space = make_space(comm, (8, 8))
    u, output = (space.zeros(get_format("fp64")) for _ in range(2))
    Diffusion(grid, space, coefficients, get_format("fp64")).affine(output, u.set(1.0), phase="test")(0.0, 1.0)
    exact = np.zeros((8, 8))
    # k / h^2, doubled because the wall is half a cell away.
    exact[0] = 2 * 1.0 / 0.5**2
    assert np.array_equal(whole(grid, output.to_numpy()), exact)


@pytest.mark.parametrize("varying", [False, True])
def test_fixed_values_on_sides_enter_the_right_hand_side(comm, make_space, diffusion, whole, varying):
    sides = ((DIRICHLET, DIRICHLET), (NEUMANN, DIRICHLET))
    case = diffusion((9, 8), sides, varying=varying)
    grid, _ = make_space(comm, case.shape)
    source = whole(grid, side_source(grid, case.coefficients(grid), ((2.0, 3.0), (5.0, 7.0))))
    face_x, face_y = case.faces
    exact = np.zeros(case.shape)
    exact[0] += face_x[0] * 2.0
    exact[-1] += face_x[-1] * 3.0
    exact[:, -1] += (face_y[:, -1] if varying else face_y[-1]) * 7.0
    assert np.array_equal(source, exact)


def test_periodic_sides_have_no_values(comm, make_space, diffusion):
    case = diffusion((9, 8), SIDES[3])
    grid, _ = make_space(comm, case.shape, case.periodic)
    assert not side_source(grid, case.coefficients(grid), ((2.0, 3.0), (5.0, 7.0))).any()


def test_a_grid_of_one_axis_is_refused(comm, make_space):
    coefficients = uniform_coefficients((16,), (1.0,), ((NEUMANN, NEUMANN),), 1.0, 0.0)
    grid, space = make_space(comm, (16,))
    with pytest.raises(ShapeError, match="2 or 3 axes, not 1"):
        Diffusion(grid, space, coefficients, get_format("fp64"))


def test_uniform_faces_with_a_varying_reaction_are_refused(comm, make_space, diffusion):
    case = diffusion((9, 8), SIDES[0])
    grid, space = make_space(comm, case.shape)
    with pytest.raises(ShapeError, match="face coefficient per cell"):
        Diffusion(grid, space, Coefficients(case.faces, np.ones(grid.shape)), get_format("fp64"))


def test_every_side_is_among_the_cases():
    kinds = {kind for sides in SIDES for pair in sides for kind in pair}
    assert kinds == {PERIODIC, DIRICHLET, NEUMANN}
    assert {len(sides) for sides in SIDES} == {2, 3}
    assert len(set(itertools.chain.from_iterable(SIDES))) >= 5


@pytest.mark.parametrize("bad", [0.0, -2.0, np.nan, np.inf])
@pytest.mark.parametrize("varying", [False, True])
def test_a_bad_coefficient_is_refused_on_every_rank_with_the_first_cell(comm, make_space, diffusion, varying, bad):
    case = diffusion(SHAPES[2], SIDES[0], varying=varying)
    grid, space = make_space(comm, case.shape, case.periodic)
    coefficients = case.coefficients(grid)
    face = coefficients.faces[1]
    if varying:
        spoil_cells(face, grid, [(6, 3), (8, 9)], bad)
    else:
        face[3] = bad
    first = "(6, 3)" if varying else "(0, 3)"
    with pytest.raises(ConfigError) as caught:
        Diffusion(grid, space, coefficients, get_format("fp64"))
    assert f"of a face along axis 1 at cell {first} is {bad}" in str(caught.value)


def spoil_cells(block, grid, cells, value):
    """Write a value to global cells of a block, where this rank has them."""
    for cell in cells:
        local = tuple(at - lo for at, lo in zip(cell, grid.lo, strict=True))
        if all(0 <= at < n for at, n in zip(local, grid.shape, strict=True)):
            block[local] = value


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_a_bad_reaction_is_refused(comm, make_space, diffusion, bad):
    case = diffusion(SHAPES[2], SIDES[0], varying=True)
    grid, space = make_space(comm, case.shape, case.periodic)
    given = case.coefficients(grid)
    reaction = np.array(given.reaction)
    spoil_cells(reaction, grid, [(4, 7)], bad)
    with pytest.raises(ConfigError, match=r"of the reaction at cell \(4, 7\) is"):
        Diffusion(grid, space, Coefficients(given.faces, reaction), get_format("fp64"))


@pytest.mark.parametrize(
    ("sides", "reaction", "singular"),
    [
        (((NEUMANN, NEUMANN), (PERIODIC, PERIODIC)), 0.0, True),
        (((NEUMANN, NEUMANN), (PERIODIC, PERIODIC)), 0.5, False),
        (((NEUMANN, DIRICHLET), (PERIODIC, PERIODIC)), 0.0, False),
    ],
)
def test_it_knows_whether_anything_holds_the_solution(comm, make_space, sides, reaction, singular):
    grid, space = make_space(comm, SHAPES[2], (False, True))
    coefficients = uniform_coefficients(SHAPES[2], (1.0, 1.0), sides, 1.0, reaction)
    assert Diffusion(grid, space, coefficients, get_format("fp64")).singular == singular
