"""All grids of one operator, in the formats that the options give."""

from __future__ import annotations

from mpsolve.errors import ConfigError
from mpsolve.operators.base import Operator
from mpsolve.operators.diffusion import Diffusion
from mpsolve.precision import get_format
from mpsolve.solvers.inner.base import Layout
from mpsolve.solvers.multigrid.coefficients import LevelCoefficients
from mpsolve.solvers.multigrid.couplings import Couplings
from mpsolve.solvers.multigrid.level import Level
from mpsolve.solvers.multigrid.levels import HALO, build, chained
from mpsolve.solvers.multigrid.options import MultigridOptions
from mpsolve.solvers.multigrid.stencil import largest_diagonal


class Hierarchy:
    """The levels of a diffusion operator.

    Parameters
    ----------
    operator : Operator
        In low precision, with norm of about 1; vectors with a halo of at least `HALO`.
    options : MultigridOptions
        Smoothing, cycles, formats.

    Attributes
    ----------
    level : Level
        The finest one; its vectors are in the first of the formats.
    gain : float
        The power of two by which the finest level's solution is to be multiplied: its operator is larger by as much.
    layout : Layout
        The grids.

    Raises
    ------
    ConfigError
        If the operator is not a diffusion operator on a grid, or its vectors have too few ghosts, or it has no rows to
        smooth along.
    """

    def __init__(self, operator: Operator, options: MultigridOptions) -> None:
        self._options, diffusion = options, _checked(operator)
        options = options.steps(symmetric=False)
        if options.smoother == "lines" and diffusion.rows() is None:
            raise ConfigError(
                "multigrid.smoother = lines needs varying coefficients and rows that are not cut between ranks; "
                "set run.ranks so that the last axis has 1, or take another smoother"
            )
        formats = tuple(get_format(name) for name in options.levels) or (operator.format,)
        self.gain = largest_diagonal(formats[0])
        kind = LevelCoefficients if diffusion.coefficients.uniform else Couplings
        coefficients = kind.finest(diffusion.grid, diffusion.coefficients)
        factor = self.gain / operator.scale
        level = build(diffusion.grid, operator.space, coefficients, factor, formats, options)
        alone = diffusion.grid.comm.size == 1
        self.level: Level = chained(level, operator.space, options) if alone else level
        self.layout = Layout(tuple(self.level.describe()), tuple(self.level.notes()))

    def widened(self) -> tuple[MultigridOptions, str] | None:
        """Return options with a wider format for the level that failed last; see `InnerSolver.widened` (collective)."""
        return self._options.widened(self.level.b.format, self.level.reductions())


def _checked(operator: Operator) -> Diffusion:
    """Return the operator if multigrid can coarsen it."""
    if not isinstance(operator, Diffusion):
        raise ConfigError("multigrid needs a diffusion operator on a grid; take inner = 'cg' for other operators")
    if operator.space.halo < HALO:
        raise ConfigError(f"multigrid needs vectors with a halo of {HALO}, not {operator.space.halo}")
    return operator
