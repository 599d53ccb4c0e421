"""Checkpoints of dense solves: a factorisation between two steps, saved block by block and taken up on any ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpsolve.driver.checkpoints import NOTHING, Moments, Resumed, problem_of, stop_if
from mpsolve.errors import ConfigError, MpsolveError
from mpsolve.parallel.block_cyclic import BlockCyclic
from mpsolve.parallel.block_stream import collect, deal
from mpsolve.parallel.launch import agree
from mpsolve.precision import get_format
from mpsolve.records.checkpoint import Checkpoint, Draft, numbers_of
from mpsolve.solvers.dense.factors import Keeper, Partial
from mpsolve.solvers.dense.refinement import DenseSolver
from mpsolve.solvers.dense.rungs import Factory, Kept

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

#: The matrix of a checkpoint.
NAME = "factors"


class DenseCheckpoints(Keeper):
    """Saves a factorisation at its moments.

    Parameters
    ----------
    moments : Moments
        When.
    factory : Factory
        Whose factors are made.
    directory : Path
        The run directory.
    options : MxpAppOptions or SolveAppOptions
        What defines the problem.
    """

    def __init__(self, moments: Moments, factory: Factory, directory: Path, options: Any) -> None:
        self.moments, self.factory, self.directory, self.options = moments, factory, directory, options
        self._verdict = NOTHING

    def due(self, step: int) -> bool:
        """Tell whether to save after a step (collective)."""
        self._verdict = self.moments.due(step)
        return self._verdict != NOTHING

    def keep(self, partial: Partial) -> None:
        """Save, and stop if that was asked for (collective).

        Raises
        ------
        KeyboardInterrupt
            On every rank, after the checkpoint, if the run has to stop.
        FileError
            On every rank, if the checkpoint cannot be written.
        """
        factory, comm = self.factory, self.moments.comm
        layout, kernels = factory.operator.layout, factory.operator.backend.dense
        local, drafts = factory.memory, []
        agree(comm, lambda: drafts.append(self._draft(partial, layout, local.dtype)) if comm.rank == 0 else None)
        problem, take = None, None
        if drafts:
            take = lambda i, j, block: drafts[0].write_block(NAME, i, j, block)  # noqa: E731
        try:
            collect(layout, lambda rows: kernels.download(local[rows]), take, local.dtype)
        except MpsolveError as error:
            problem = error
        path = agree(comm, lambda: _finished(drafts[0], problem))
        stop_if(self._verdict, path)

    def _draft(self, partial: Partial, layout: BlockCyclic, dtype: np.dtype[Any]) -> Draft:
        factory = self.factory
        numbers = {
            "problem": problem_of(self.options),
            "block": layout.rows.block,
            "format": factory.format,
            "growth": partial.growth,
            "pivoting": factory.pivoting,
            "undecided": factory.undecided,
            "messages": factory.messages,
        }
        arrays = {} if partial.order is None else {"order": partial.order}
        draft = Draft(self.directory, partial.step, arrays, numbers)
        draft.block_matrix(NAME, (layout.rows.blocks, layout.columns.blocks), layout.rows.block, dtype)
        return draft


def _finished(draft: Draft, problem: MpsolveError | None) -> str:
    if problem is not None:
        raise problem
    return str(draft.finish())


def as_before(comm: Intracomm, options: Any, restart: str, directories: Sequence[Path | None]) -> Any:
    """Return options with the size of blocks that a checkpoint has, if they leave it open (collective).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The ranks.
    options : MxpAppOptions or SolveAppOptions
        How the matrix is to be dealt out.
    restart : str
        As in `mpsolve.driver.checkpoints.find`.
    directories : sequence of Path or None
        The run directories of a sweep, which share one matrix.
    """
    places = [Path(restart)] if restart != "auto" else [path for path in directories if path is not None]

    def look() -> int:
        told = [numbers_of(path).get("block") for path in places]
        return next((block for block in told if isinstance(block, int)), 0)

    block = options.grid.block or agree(comm, look)
    return replace(options, grid=replace(options.grid, block=block))


def take_up(resumed: Resumed, solver: DenseSolver) -> list[str]:
    """Let a solver go on with the factorisation of a checkpoint (collective).

    Returns
    -------
    list of str
        What was decided before the checkpoint, or why it cannot go on and begins anew.

    Raises
    ------
    ConfigError
        If the matrix is dealt out in other blocks.
    """
    factory, layout, numbers = solver.factory, solver.operator.layout, resumed.numbers
    name, block = numbers["format"], layout.rows.block
    if numbers["block"] != block:
        raise ConfigError(
            f"grid.block = {block}: the checkpoint has blocks of {numbers['block']}; give that, or 0 to take them over"
        )
    if name not in solver.options.ladder:
        return [f"the checkpoint has factors in {name}, which this run does not use: it begins anew"]
    dtype = np.dtype(get_format(name).compute)
    order = agree(solver.operator.comm, lambda: _look(resumed.found, layout, dtype))
    solver.level = solver.options.ladder.index(name)
    partial = Partial(resumed.step, order, float(numbers["growth"]))

    def fill(local: Any) -> None:
        kernels = factory.operator.backend.dense

        def keep(rows: slice, strip: Any) -> None:
            kernels.write(local[rows], strip)

        if resumed.found is None:
            deal(layout, None, keep, dtype)
        else:
            with resumed.found.blocks(NAME) as give:
                deal(layout, give, keep, dtype)

    factory.kept = Kept(name, partial, bool(numbers["pivoting"]), bool(numbers["undecided"]), fill)
    return [str(message) for message in numbers["messages"]]


def _look(found: Checkpoint | None, layout: BlockCyclic, dtype: np.dtype[Any]) -> Any:
    """Return the order of rows of a checkpoint whose matrix fits (local, on rank 0)."""
    assert found is not None
    wanted = (layout.rows.blocks, layout.columns.blocks), layout.rows.block, dtype
    if found.matrices.get(NAME) != wanted or not 0 < found.step < layout.columns.blocks:
        raise ConfigError(f"{found.path} has no factors of a system of n = {layout.rows.n}")
    order = found.arrays.get("order")
    if order is not None and sorted(order.tolist()) != list(range(layout.rows.n)):
        raise ConfigError(f"{found.path} has no order of {layout.rows.n} rows")
    return order
