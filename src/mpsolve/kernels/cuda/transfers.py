"""GPU kernels between a grid and a coarser one: sums over children, and multilinear interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.source import INDEX, Kernel, Storage, assemble, box_parameters, compute_type, over_box
from mpsolve.kernels.cuda.translate import translate
from mpsolve.kernels.source import VECTOR
from mpsolve.kernels.transfers.layout import corners

_COARSE = ("p", "q", "r")


def restriction_kernel(
    point: Callable, halved: tuple[bool, ...], inputs: tuple, output: Format, scalars: int
) -> Kernel:
    """Return the kernel of `Backend.bind_restriction`; a thread makes a coarse cell.

    Parameters of the kernel: coarse field, inputs, a weight vector per axis (used where it is halved), scalars, the box
    of coarse storage indices, and the fine storage index of the first child of coarse index 0 per axis.
    """
    ndim = len(halved)
    index = INDEX[:ndim]
    coarse = Storage("o0", output, ndim)
    fields = [Storage(f"a{number}", format, ndim) for number, format in enumerate(inputs)]
    statements, (value,) = translate(point, len(inputs), scalars, _COARSE[:ndim])
    names = ", ".join(f"integer {name}" for name in _COARSE[:ndim])
    body = [f"auto point = [&]({names}) {{ {' '.join(statements)} return {value}; }};"]
    body += [f"const integer f{axis} = {2 if h else 1} * {index[axis]} + at{axis};" for axis, h in enumerate(halved)]
    body.append(coarse.store(index, _children(halved)))
    vectors = [Storage(f"w{axis}", VECTOR, ndim) for axis in range(ndim)]
    lines = [field.load(f"load{number}") for number, field in enumerate(fields)] + over_box(ndim, body)
    parameters = [parameter for field in (coarse, *fields, *vectors) for parameter in field.parameters]
    parameters += [("real", f"c{number}") for number in range(scalars)] + box_parameters(ndim)
    parameters += [("integer", f"at{axis}") for axis in range(ndim)]
    formats = [output, *(format for format in inputs if isinstance(format, Format))]
    return assemble(f"restriction of {point.__name__}", formats, compute_type((output,), inputs), parameters, lines)


def _children(halved: tuple[bool, ...]) -> str:
    """Return the sum over the children: the outer axes nested within the last one, as the other backends add."""
    last = len(halved) - 1

    def nested(axis: int, places: Sequence[str], column: str) -> str:
        if axis == last:
            return f"point({', '.join([*places, column])})"
        if not halved[axis]:
            return nested(axis + 1, [*places, f"f{axis}"], column)
        low, high = (nested(axis + 1, [*places, f"f{axis} + {side}"], column) for side in (0, 1))
        return f"(w{axis}[f{axis}] * {low} + w{axis}[f{axis} + 1] * {high})"

    if not halved[last]:
        return nested(0, [], f"f{last}")
    low, high = (nested(0, [], f"f{last} + {side}") for side in (0, 1))
    return f"w{last}[f{last}] * {low} + w{last}[f{last} + 1] * {high}"


def prolongation_kernel(halved: tuple[bool, ...], fine: Format, coarse: Format, weights: tuple) -> Kernel:
    """Return the kernel of `Backend.bind_prolongation`; a thread makes a fine cell.

    Parameters of the kernel: fine field, coarse field, a weight per axis or per corner, the box of fine storage
    indices, and the fine storage index of the first child of coarse index 0 per axis.
    """
    ndim = len(halved)
    index = INDEX[:ndim]
    target, source = Storage("o0", fine, ndim), Storage("a0", coarse, ndim)
    given = [Storage(f"w{axis}", format, ndim) for axis, format in enumerate(weights)]
    body = []
    for axis, name in enumerate(index):
        body.append(
            f"const integer l{axis} = {name} - at{axis}, n{axis} = {f'l{axis} >> 1' if halved[axis] else f'l{axis}'};"
        )
        body.append(f"const integer b{axis} = n{axis} + 2 * (l{axis} & 1) - 1;" if halved[axis] else "")
    body += _blended(halved) if weights[0] == VECTOR else _summed(halved)
    body.append(target.store(index, f"(real)decode_{fine.name}({target.at(*index)}) + x"))
    lines = [source.load("load"), *(field.load(f"weight{axis}") for axis, field in enumerate(given))]
    parameters = [parameter for field in (target, source, *given) for parameter in field.parameters]
    parameters += [*box_parameters(ndim), *(("integer", f"at{axis}") for axis in range(ndim))]
    formats = [fine, coarse, *(format for format in weights if isinstance(format, Format))]
    return assemble("prolongation", formats, compute_type((fine, coarse)), parameters, [*lines, *over_box(ndim, body)])


def _loads(halved: tuple[bool, ...]) -> dict[tuple[int, ...], str]:
    """Return the load of each coarse cell around, by its corner."""
    names = ("n", "b")
    return {
        corner: f"load({', '.join(f'{names[side]}{axis}' for axis, side in enumerate(corner))})"
        for corner in corners(halved)
    }


def _summed(halved: tuple[bool, ...]) -> list[str]:
    """Add up the coarse cells around, each with its weight."""
    place = ", ".join(INDEX[: len(halved)])
    terms = [f"weight{number}({place}) * {value}" for number, value in enumerate(_loads(halved).values())]
    return [f"const real x = {' + '.join(terms)};"]


def _blended(halved: tuple[bool, ...]) -> list[str]:
    """Interpolate along one axis after the other, the last one at last."""
    ndim = len(halved)
    names = {corner: f"x{''.join(map(str, corner))}" for corner in corners(halved)}
    lines = [f"real {names[corner]} = {value};" for corner, value in _loads(halved).items()]
    done: list[int] = []
    for axis in (axis for axis in (*reversed(range(ndim - 1)), ndim - 1) if halved[axis]):
        done.append(axis)
        for corner in [c for c in names if not any(c[other] for other in done)]:
            near, far = names[corner], names[(*corner[:axis], 1, *corner[axis + 1 :])]
            lines.append(f"{near} = {near} + weight{axis}({INDEX[axis]}) * ({far} - {near});")
    return [*lines, f"const real x = x{'0' * ndim};"]
