"""Read off a point function how far it looks ahead in each of its arrays."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator


def _array_numbers(function: ast.FunctionDef, arrays: str, inputs: int) -> dict[str, int]:
    """Return which texts stand for which input: the names of ``x, y = arrays`` and the subscripts ``arrays[0]``."""
    numbers = {f"{arrays}[{number}]": number for number in range(inputs)}
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and ast.unparse(node.value) == arrays
            and isinstance(node.targets[0], ast.Tuple)
        ):
            numbers |= {ast.unparse(name): number for number, name in enumerate(node.targets[0].elts)}
    return numbers


def _shifts(function: ast.FunctionDef, loader: str, axes: int) -> Iterator[tuple[str, int]]:
    """Yield the array of each load with all indices, and what it adds to the first index."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == loader and len(node.args) == axes + 1:
            first = node.args[1]
            ahead = isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add) and ast.unparse(first.right)
            yield ast.unparse(node.args[0]), int(ahead) if ahead and ahead.isdigit() else 0


def leading_reach(point: Callable, inputs: int) -> tuple[int, ...]:
    """Return for each input how far ahead of the first index a point function loads it, at least 0.

    Parameters
    ----------
    point : callable
        ``point(load, arrays, scalars, *index)``.
    inputs : int
        Number of its arrays.

    Examples
    --------
    >>> def point(load, a, c, i, j):
    ...     u, b = a
    ...     return load(u, i + 1, j) - load(b, i, j - 1)
    >>> leading_reach(point, 2)
    (1, 0)
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(point)))
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    reach = [0] * inputs
    loader, arrays, _, *index = (parameter.arg for parameter in function.args.args)
    numbers = _array_numbers(function, arrays, inputs)
    for name, shift in _shifts(function, loader, len(index)):
        if numbers.get(name, inputs) < inputs:
            reach[numbers[name]] = max(reach[numbers[name]], shift)
    return tuple(reach)
