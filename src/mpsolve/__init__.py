"""mpsolve: FP64 answers at low-precision speed. `refine` and `solve` take your linear systems, `grid` your grids.

Names are imported when they are first used, so that ``import mpsolve`` is quick and starts nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpsolve.errors import MpsolveError
    from mpsolve.field import Field
    from mpsolve.library.dense import DistributedMatrix, matrix, solve
    from mpsolve.library.grid import Grid, grid
    from mpsolve.library.refinement import refine
    from mpsolve.parallel.launch import start
    from mpsolve.solvers.base import Refinement, Result, Status

    __version__: str

__all__ = [
    "DistributedMatrix",
    "Field",
    "Grid",
    "MpsolveError",
    "Refinement",
    "Result",
    "Status",
    "__version__",
    "grid",
    "matrix",
    "refine",
    "solve",
    "start",
]

_HOMES = (
    ("mpsolve.errors", ("MpsolveError",)),
    ("mpsolve.field", ("Field",)),
    ("mpsolve.library.dense", ("DistributedMatrix", "matrix", "solve")),
    ("mpsolve.library.grid", ("Grid", "grid")),
    ("mpsolve.library.refinement", ("refine",)),
    ("mpsolve.parallel.launch", ("start",)),
    ("mpsolve.solvers.base", ("Refinement", "Result", "Status")),
)


def __getattr__(name: str) -> object:
    """Import a public name from the module that defines it."""
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("mpsolve")
    for home, names in _HOMES:
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'mpsolve' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
