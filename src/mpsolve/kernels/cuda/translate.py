"""Translate a point function into C++: straight-line arithmetic on loads, one line for each assignment."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_FUNCTIONS = {"abs": "absolute", "min": "least", "max": "greatest"}


@dataclass(frozen=True)
class _Array:
    """An input, by its number."""

    number: int


@dataclass(frozen=True)
class _Group:
    """All arrays, all scalars, or the values of a tuple."""

    parts: tuple


@dataclass
class _Scope:
    """What the names of a point function stand for so far.

    Attributes
    ----------
    names : dict
        Python name to an array, a group, or the text of a C++ expression.
    lines : list of str
        The statements.
    """

    loader: str
    index: tuple[str, ...]
    names: dict[str, object] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def value(self, node: ast.expr) -> object:
        """Return what an expression stands for."""
        match node:
            case ast.Name(id=name):
                return self.names[name]
            case ast.Tuple(elts=parts):
                return _Group(tuple(self.value(part) for part in parts))
            case ast.Subscript(value=group, slice=ast.Constant(value=int(number))):
                whole = self.value(group)
                assert isinstance(whole, _Group)
                return whole.parts[number]
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return f"({self.value(left)} {_OPERATORS[type(operator)]} {self.value(right)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self.value(operand)})"
            case ast.Constant(value=int(number)):
                return str(number)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise ValueError(f"a point function may not contain `{ast.unparse(node)}`")

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> str:
        if name == self.loader:
            array = self.value(arguments[0])
            assert isinstance(array, _Array)
            places = [self._places(argument) for argument in arguments[1:]]
            return f"load{array.number}({', '.join(place for several in places for place in several)})"
        if name not in _FUNCTIONS:
            raise ValueError(f"a point function may not call {name}; it may call {', '.join(_FUNCTIONS)}")
        return f"{_FUNCTIONS[name]}({', '.join(str(self.value(argument)) for argument in arguments)})"

    def _places(self, node: ast.expr) -> Sequence[str]:
        return self.index if isinstance(node, ast.Starred) else [str(self.value(node))]

    def assign(self, target: ast.expr, value: object) -> None:
        """Bind a name, or each of several."""
        if isinstance(target, ast.Tuple):
            assert isinstance(value, _Group)
            # All values are taken before any name changes.
            for part, given in zip(target.elts, value.parts, strict=True):
                self.assign(part, given)
            return
        assert isinstance(target, ast.Name)
        if isinstance(value, str) and value not in self.index:
            name = f"{target.id}_{len(self.lines)}"
            self.lines.append(f"const auto {name} = {value};")
            value = name
        self.names[target.id] = value


def translate(point: Callable, arrays: int, scalars: int, index: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the C++ statements of a point function and the expressions of its results.

    Parameters
    ----------
    point : callable
        ``point(load, arrays, scalars, *index)``.
    arrays, scalars : int
        How many of each it gets: ``load0(i, j)`` reads array 0, ``c0`` is scalar 0.
    index : tuple of str
        Names of the indices.

    Raises
    ------
    ValueError
        If the function does more than arithmetic on loads.

    Examples
    --------
    >>> def point(load, a, c, i):
    ...     u, b = a
    ...     centre = load(u, i)
    ...     return centre + c[0] * (load(u, i + 1) - centre), load(b, i)
    >>> translate(point, 2, 1, ("i",))
    (['const auto centre_0 = load0(i);'], ['(centre_0 + (c0 * (load0((i + 1)) - centre_0)))', 'load1(i)'])
    """
    function = ast.parse(textwrap.dedent(inspect.getsource(point))).body[0]
    assert isinstance(function, ast.FunctionDef)
    loader, first, second, *rest = (argument.arg for argument in function.args.args)
    scope = _Scope(loader, index)
    scope.names[first] = _Group(tuple(_Array(number) for number in range(arrays)))
    scope.names[second] = _Group(tuple(f"c{number}" for number in range(scalars)))
    scope.names |= dict(zip(rest, index, strict=False))
    for statement in function.body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[target], value=value):
                scope.assign(target, scope.value(value))
            case ast.Return(value=ast.expr() as value):
                found = scope.value(value)
                return scope.lines, list(map(str, found.parts if isinstance(found, _Group) else [found]))
            case _:
                raise ValueError(f"a point function may not contain `{ast.unparse(statement)}`")
    raise ValueError(f"{function.name} returns nothing")
