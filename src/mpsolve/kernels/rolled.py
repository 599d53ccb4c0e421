"""Write the source of a compiled loop that keeps rows of what cells share in a cache, instead of computing it anew.

The columns are cut into strips. In a strip the loop goes up row by row: it decodes a row of values, computes a row of
what lies between values and tendencies, and then the points of the row from the two last rows of that. Rows are kept in
the compute type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: Bytes of a row of a strip: the rows that are kept then stay in the second-level cache, and loops are long.
STRIP_BYTES = 32768
#: Elements of a kept row before its first column and after its last one, a whole line.
MARGIN = 16


@dataclass(frozen=True)
class Rolled:
    """The pieces of a point function of two axes that reaches one cell far.

    Attributes
    ----------
    values : callable
        ``values(load, arrays, scalars, j, i)`` returns the decoded values of a cell.
    row : callable
        ``row(load, vectors, scalars, j)`` returns numbers that all cells of a row need.
    between : callable
        ``between(load, rows, vectors, row, scalars, j, i)``: ``rows`` are those of the values of row j, then of row
        j + 1, each loaded by its column alone.
    tendency : callable
        ``tendency(load, rows, between, vectors, row, scalars, j, i)``: ``between`` are the rows that were made for row
        j - 1, then those for row j.
    finish : callable
        ``finish(load, arrays, tendency, scalars, j, i)`` returns the value of each output.
    kept, made : int
        How many values and how many numbers between there are.
    vectors : tuple of int
        Numbers of the first of the arrays that are vectors, and of the one after the last.
    """

    values: Callable
    row: Callable
    between: Callable
    tendency: Callable
    finish: Callable
    kept: int
    made: int
    vectors: tuple[int, int]

    @property
    def pieces(self) -> dict[str, Callable]:
        """The functions by their names in the generated module."""
        names = ("values", "row", "between", "tendency", "finish")
        return {name: getattr(self, name) for name in names}

    def names(self) -> tuple[list[str], list[str]]:
        """Return what rows of values and of what lies between are called in the generated module."""
        return [f"w{number}" for number in range(self.kept)], [f"m{number}" for number in range(self.made)]


def strip(compute: str) -> int:
    """Return the columns of a strip."""
    return STRIP_BYTES // (8 if compute == "float64" else 4)


def _tuple(names: list[str]) -> str:
    return f"({', '.join(names)},)"


def _rows(rolled: Rolled, compute: str) -> list[str]:
    """Name the rows: those of row i, and with an ``n`` those of row i + 1, which lie where those of row i - 1 lay."""
    width, (kept, made) = strip(compute) + 2 * MARGIN, rolled.names()
    lines = []
    for number, name in enumerate((*kept, *made)):
        lines.append(f"{name} = memory.shifted(rows, here + {number * width})")
        lines.append(f"{name}n = memory.shifted(rows, ahead + {number * width})")
    return lines


def rolled_loops(
    rolled: Rolled, counts: tuple[int, int], compute: str, stores: list[str], after: list[str]
) -> list[str]:
    """Return the loops over strips, rows and columns.

    Parameters
    ----------
    rolled : Rolled
        The pieces.
    counts : tuple of int
        Numbers of arrays and of scalars.
    compute : str
        The compute type.
    stores : list of str
        Store ``value`` at row i, column j.
    after : list of str
        What follows a row of a strip.
    """
    arrays = [f"a{number}" for number in range(counts[0])]
    inputs, scalars = _tuple(arrays), _tuple([f"c{number}" for number in range(counts[1])])
    vectors, (kept, made) = _tuple(arrays[slice(*rolled.vectors)]), rolled.names()
    values, turned = _tuple([*kept, *(f"{n}n" for n in kept)]), _tuple([*(f"{n}n" for n in made), *made])
    size = (rolled.kept + rolled.made) * (strip(compute) + 2 * MARGIN)
    return [
        f"    raw_rows = np.empty({2 * size} + {MARGIN}, np.{compute})",
        "    rows = memory.bare(raw_rows[memory.misfit(raw_rows):])",
        f"    for first in range(lo1 // {strip(compute)} * {strip(compute)}, hi1, {strip(compute)}):",
        f"        start, stop = max(first, lo1), min(first + {strip(compute)}, hi1)",
        "        for i in range(lo0 - 2, hi0):",
        f"            here = (i & 1) * {size} + {MARGIN} - first",
        f"            ahead = ((i + 1) & 1) * {size} + {MARGIN} - first",
        *(f"            {line}" for line in _rows(rolled, compute)),
        "            for j in range(start - 2, stop + 2):",
        f"                value = values({inputs}, {scalars}, i + 1, j)",
        *(f"                set_element({name}n, (j,), value[{n}])" for n, name in enumerate(kept)),
        f"            numbers = row({vectors}, {scalars}, i)",
        "            if i >= lo0 - 1:",
        "                for j in range(start - 1, stop + 1):",
        f"                    value = between({values}, {vectors}, numbers, {scalars}, i, j)",
        *(f"                    set_element({name}, (j,), value[{n}])" for n, name in enumerate(made)),
        "            if i >= lo0:",
        "                for j in range(start, stop):",
        f"                    change = tendency({values}, {turned}, {vectors}, numbers, {scalars}, i, j)",
        f"                    value = finish({inputs}, change, {scalars}, i, j)",
        *(f"                    {line}" for line in stores),
        *(f"                {line}" for line in after),
        "    memory.keep(raw_rows)",
    ]
