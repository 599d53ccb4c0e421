"""Fixtures of all tests, and what makes pytest usable under mpirun: one voice, and no hang when one rank fails."""

import os
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from mpsolve import lookup
from mpsolve.ledger import Ledger
from mpsolve.operators.diffusion import Coefficients, uniform_coefficients
from mpsolve.parallel import launch
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.space import Space
from mpsolve.precision import ladder_from, preset
from mpsolve.solvers.refinement_options import RefinementOptions
from mpsolve.timestepping.base import SteppedProblem

RANKS = launch.launched()

# Variables of an outer mpirun or srun, which a nested mpirun would take for its own.
LAUNCHER_PREFIXES = ("PMI", "PMIX", "OMPI", "PRTE", "HYD", "MPI_LOCAL", "SLURM")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    """Silence the terminal of every rank but 0; last, because the reporter is made in this hook too."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if RANKS.rank and reporter is not None:
        reporter._tw._file = open(os.devnull, "w")  # noqa: SIM115


def pytest_collection_modifyitems(config, items):
    """Skip under mpirun what starts mpirun itself; take some of the cases where that is asked for."""
    _take_some(config, items, int(os.environ.get("MPSOLVE_ONE_CASE_IN", "1")))
    if RANKS.variable:
        for item in items:
            if item.get_closest_marker("launches"):
                item.add_marker(pytest.mark.skip(reason="starts its own ranks; runs under plain pytest"))


def _take_some(config, items, one_in):
    """Keep the first case of each test and about one in so many of the others, the same ones on every rank."""
    seen, kept, left = set(), [], []
    for item in items:
        name = item.nodeid.partition("[")[0]
        (left if name in seen and zlib.crc32(item.nodeid.encode()) % one_in else kept).append(item)
        seen.add(name)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_runtest_logreport(report):
    """End all ranks when a test fails on one, because the others may wait for it in a collective."""
    if RANKS.size > 1 and report.failed:
        _abort(f"{report.nodeid} failed in {report.when} on rank {RANKS.rank} of {RANKS.size}:\n{report.longreprtext}")


def pytest_collectreport(report):
    """End all ranks when a test file cannot be imported on one."""
    if RANKS.size > 1 and report.failed:
        _abort(f"{report.nodeid} cannot be collected on rank {RANKS.rank}:\n{report.longreprtext}")


def _abort(message):
    sys.stdout.flush()
    os.write(2, f"{message}\n".encode())
    launch.start().Abort(1)


@pytest.fixture(scope="session")
def world():
    """Every rank that runs the tests; one under plain pytest."""
    return launch.start()


@pytest.fixture(params={1: ["self"], 2: ["self", "world"]}.get(RANKS.size, ["world"]))
def comm(request, world):
    """COMM_SELF, or under mpirun the communicator of all ranks; on two ranks both, since one rank alone among more
    ranks does the same on each of them, whatever their number.
    """
    from mpi4py import MPI

    return world if request.param == "world" else MPI.COMM_SELF


@pytest.fixture(scope="session")
def mpirun():
    """Return a function that runs Python on N ranks and returns the completed process; see `_run_ranks`."""
    beside = Path(sys.executable).parent / "mpirun"
    program = str(beside) if beside.exists() else shutil.which("mpirun")
    if program is None:
        pytest.skip("there is no mpirun beside Python or on the PATH")

    def run_ranks(ranks, *arguments, timeout=60, environment=None):
        """Run ``python ARGUMENTS`` on N ranks and end them all if they take longer than ``timeout`` seconds."""
        return run_bounded([program, "-n", str(ranks), sys.executable, *arguments], timeout, environment)

    return run_ranks


def run_bounded(command, timeout=60, environment=None):
    """Run a command without the variables of an outer launcher; kill its process group when the time is over."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    # Open MPI refuses to start as root or with more ranks than cores unless told so; MPICH ignores these.
    allowed = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**clean, **allowed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **(environment or {})},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{command} was still running after {timeout} s\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(scope="session")
def plain():
    """Return a function that runs Python without a launcher and returns the completed process."""

    def run_alone(*arguments, timeout=60, environment=None):
        return run_bounded([sys.executable, *arguments], timeout, environment)

    return run_alone


@pytest.fixture(scope="session")
def alone(world):
    """COMM_SELF: what every other number of ranks is compared with."""
    from mpi4py import MPI

    return MPI.COMM_SELF


@pytest.fixture(scope="session")
def make_space():
    """Return a function that divides a grid and makes the space of its vectors: ``make(comm, shape, periodic)``."""

    def make(comm, shape, periodic=None, *, backend="reference", halo=1, split=None):
        grid = Cartesian.create(comm, shape, periodic or (False,) * len(shape), halo=halo, split=split)
        return grid, Space(comm, lookup.find("backends", backend).create(1), grid.shape, halo, Ledger())

    return make


@pytest.fixture(scope="session")
def diffusion():
    """Return the class of global diffusion problems with random coefficients; see `DiffusionCase`."""
    return DiffusionCase


class DiffusionCase:
    """A diffusion operator on a whole small grid: its coefficients on any block, and its matrix as the oracle."""

    def __init__(self, shape, sides, *, varying=False, reaction=0.5, seed=1):
        self.shape, self.sides = shape, sides
        self.periodic = tuple(low == "periodic" for low, _ in sides)
        if not varying:
            self.faces = uniform_coefficients(shape, (1.0,) * len(shape), sides, 1.25, reaction).faces
            self.reaction = reaction
            return
        generator = np.random.default_rng(seed)
        self.faces = tuple(self._random_faces(generator, axis) for axis in range(len(shape)))
        self.reaction = reaction * generator.uniform(0.5, 1.5, shape)

    def _random_faces(self, generator, axis):
        faces = generator.uniform(0.5, 2.0, tuple(n + (other == axis) for other, n in enumerate(self.shape)))
        ends = np.moveaxis(faces, axis, 0)
        weights = {"periodic": 1.0, "dirichlet": 2.0, "neumann": 0.0}
        ends[0] *= weights[self.sides[axis][0]]
        ends[-1] = ends[0] if self.periodic[axis] else ends[-1] * weights[self.sides[axis][1]]
        return faces

    def coefficients(self, grid):
        """Return the coefficients on the block of a grid."""
        if self.faces[0].ndim == 1:
            return Coefficients(self.faces, self.reaction)
        cut = [slice(lo, hi) for lo, hi in zip(grid.lo, grid.hi, strict=True)]
        longer = [slice(lo, hi + 1) for lo, hi in zip(grid.lo, grid.hi, strict=True)]
        where = [tuple(longer[n] if n == axis else cut[n] for n in range(grid.ndim)) for axis in range(grid.ndim)]
        faces = tuple(np.ascontiguousarray(face[at]) for face, at in zip(self.faces, where, strict=True))
        return Coefficients(faces, np.ascontiguousarray(self.reaction[tuple(cut)]))

    def matrix(self):
        """Return the dense matrix, face by face: a face adds its coefficient to the two cells beside it."""
        number = np.arange(np.prod(self.shape)).reshape(self.shape)
        matrix = np.diag(np.broadcast_to(self.reaction, self.shape).reshape(-1).astype(float))
        for axis, face in enumerate(self.faces):
            for place in np.ndindex(tuple(n + (other == axis) for other, n in enumerate(self.shape))):
                value = face[place] if face.ndim > 1 else face[place[axis]]
                self._add_face(matrix, number, axis, place, value)
        return matrix

    def _add_face(self, matrix, number, axis, place, value):
        cells = self.shape[axis]
        if self.periodic[axis] and place[axis] == cells:
            return
        pair = [list(place), list(place)]
        pair[0][axis] -= 1
        if self.periodic[axis]:
            pair[0][axis] %= cells
        inside = [number[tuple(cell)] for cell in pair if 0 <= cell[axis] < cells]
        for cell in inside:
            matrix[cell, cell] += value
        if len(inside) == 2:
            matrix[inside[0], inside[1]] -= value
            matrix[inside[1], inside[0]] -= value


@pytest.fixture(scope="session")
def whole():
    """Return a function that gives every rank the whole grid function: ``whole(grid, block)`` (collective)."""
    return lambda grid, block: grid.comm.bcast(grid.gather(np.ascontiguousarray(block)))


@pytest.fixture(scope="session")
def make_problem(make_space):
    """Return a function that describes a diffusion case to a stepper; ``initial``, ``mass`` and sources are global."""

    def make(comm, case, initial, dt, *, mass=1.0, source=None, precision="fp64", roles=None, rtol=1e-14, **options):
        halo, backend = max(1, options.get("steps_per_pass", 1)), options.pop("backend", "reference")
        grid, space = make_space(comm, case.shape, case.periodic, backend=backend, halo=halo)
        cut = lambda values: values[grid.slices].copy() if isinstance(values, np.ndarray) else values  # noqa: E731
        return SteppedProblem(
            grid=grid,
            space=space,
            coefficients=case.coefficients(grid),
            mass=cut(mass),
            initial=cut(initial),
            source=(lambda time: None) if source is None else lambda time: cut(source(time)),
            dt=dt,
            precision=roles or preset(precision),
            refinement=RefinementOptions(ladder=ladder_from(precision), rtol=rtol),
            **options,
        )

    return make
