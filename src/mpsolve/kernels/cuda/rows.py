"""GPU kernels of explicit diffusion steps and of tridiagonal systems along rows."""

from __future__ import annotations

from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.source import INDEX, Kernel, Storage, assemble, box_parameters, compute_type, over_box


def sweep_kernel(format: Format, ndim: int, shared: bool) -> Kernel:
    """Return the kernel of one explicit step over a box; see `Backend.bind_sweep`.

    Parameters of the kernel: target, source, the rates (all equal if ``shared``), the mirrors of each axis (low side,
    high side), the box, and per axis the first storage index of the grid and the one after its last.
    """
    index = INDEX[:ndim]
    target, source = Storage("o0", format, ndim), Storage("a0", format, ndim)
    body = [f"const real centre = load({', '.join(index)});"]
    for axis in range(ndim):
        before, after = (
            f"load({', '.join(f'{name} {sign} 1' if n == axis else name for n, name in enumerate(index))})"
            for sign in "-+"
        )
        here = index[axis]
        low = f"low{axis} && {here} == first{axis} ? low{axis} * centre : {before}"
        high = f"high{axis} && {here} == end{axis} - 1 ? high{axis} * centre : {after}"
        body.append(f"const real sum{axis} = ({low}) + ({high});")
    total = " + ".join(f"sum{axis}" for axis in range(ndim))
    pairs = [("rate0", total, f"{-2.0 * ndim}")] if shared else [(f"rate{n}", f"sum{n}", "-2.0") for n in range(ndim)]
    result = "centre"
    for rate, added, weight in pairs:
        result = f"fused({rate}, fused((real){weight}, centre, (real)({added})), (real){result})"
    body.append(target.store(index, result))
    parameters = target.parameters + source.parameters + [("real", f"rate{axis}") for axis in range(ndim)]
    parameters += [("int", f"{side}{axis}") for axis in range(ndim) for side in ("low", "high")] + box_parameters(ndim)
    parameters += [("integer", f"{end}{axis}") for axis in range(ndim) for end in ("first", "end")]
    return assemble(
        "explicit step", [format], compute_type((format,)), parameters, [source.load("load"), *over_box(ndim, body)]
    )


def tridiagonal_kernel(output: Format, argument: Format, factor: Format, ndim: int) -> Kernel:
    """Return the kernel of `Backend.bind_lines`; a thread solves a row, its work lies column by column.

    Parameters of the kernel: output, argument, lower, inverse, border, the work array and the number of its rows, the
    box of rows, and the first storage index and the number of columns.
    """
    names = (("o0", output), ("a0", argument), ("lower", factor), ("inverse", factor), ("border", factor))
    fields = [Storage(name, format, ndim) for name, format in names]
    rows = INDEX[: ndim - 1]
    at = lambda field, column: field.at(*rows, f"first + {column}")  # noqa: E731
    read = lambda field, column: f"(real)decode_{field.format.name}({at(field, column)})"  # noqa: E731
    _, given, lower, inverse, border = fields
    row = rows[0] if ndim == 2 else f"(({rows[0]} - lo0) * (hi1 - lo1) + {rows[1]} - lo1)"
    body = [
        f"real *mine = work + {row if ndim == 3 else f'({row} - lo0)'};",
        f"real last = {read(given, '0')};",
        "mine[0] = last;",
        "for (integer n = 1; n < columns; n++) {",
        f"    last = {read(given, 'n')} - {read(lower, 'n')} * last;",
        "    mine[n * rows] = last;",
        "}",
        f"last = last * {read(inverse, 'columns - 1')};",
        "mine[(columns - 1) * rows] = last;",
        "const real end = last;",
        "for (integer n = columns - 2; n >= 0; n--) {",
        f"    last = mine[n * rows] * {read(inverse, 'n')} - {read(lower, 'n + 1')} * last;",
        "    mine[n * rows] = last;",
        "}",
        f"const real ends = mine[0] + {read(lower, '0')} * end;",
        "for (integer n = 0; n < columns; n++) {",
        f"    {at(fields[0], 'n')} = encode_{output.name}(mine[n * rows] - {read(border, 'n')} * ends);",
        "}",
    ]
    parameters = [parameter for field in fields for parameter in field.parameters]
    parameters += [("real *", "work"), ("integer", "rows"), *box_parameters(ndim - 1)]
    parameters += [("integer", "first"), ("integer", "columns")]
    formats = [output, argument, factor]
    return assemble("tridiagonal rows", formats, compute_type(formats), parameters, over_box(ndim - 1, body))
