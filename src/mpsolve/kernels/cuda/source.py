"""Write a GPU kernel: its parameters, the loads of its arrays, and the loop of each thread over cells of a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.prelude import C_TYPES, prelude
from mpsolve.kernels.cuda.translate import translate
from mpsolve.kernels.source import VECTOR, KernelSpec

INDEX = ("i", "j", "k")
#: The thread and block axes that go with the grid's axes, the last grid axis first: neighbours in memory are
#: neighbours in a warp.
_DIMENSIONS = ("x", "y", "z")


@dataclass(frozen=True)
class Kernel:
    """The text of a kernel and the C types of its parameters, in order.

    Attributes
    ----------
    name : str
        What it does, for messages.
    text : str
        A whole translation unit with one kernel named ``kernel``.
    parameters : tuple of str
        C types; a pointer is an array.
    compute : str
        NumPy name of the type ``real``.
    """

    name: str
    text: str
    parameters: tuple[str, ...]
    compute: str


@dataclass(frozen=True)
class Storage:
    """One array parameter.

    Attributes
    ----------
    name : str
        Of the parameter.
    format : Format or "vector"
        Storage format, or a one-dimensional array of the compute type.
    ndim : int
        Axes of the field.
    """

    name: str
    format: Format | str
    ndim: int

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Type and name of the pointer and of the row strides."""
        if self.format == VECTOR:
            return [("const real *", self.name)]
        kind = C_TYPES[self.format.storage.name]  # type: ignore[union-attr]
        return [(f"{kind} *", self.name), *(("integer", f"{self.name}_{axis}") for axis in range(self.ndim - 1))]

    def at(self, *index: str) -> str:
        """Return the element at storage indices."""
        place = "0"
        for axis, position in enumerate(index[:-1]):
            place = f"{place} + ({position}) * {self.name}_{axis}"
        return f"{self.name}[{place} + ({index[-1]})]"

    def load(self, name: str) -> str:
        """Return a macro that reads an element as a number of the compute type."""
        index = ("x",) if self.format == VECTOR else INDEX[: self.ndim]
        element = self.at(*index)
        value = element if self.format == VECTOR else f"decode_{self.format.name}({element})"  # type: ignore[union-attr]
        return f"#define {name}({', '.join(index)}) ({value})"

    def store(self, index: Sequence[str], value: str) -> str:
        """Return the statement that rounds a value to the format and writes it."""
        return f"{self.at(*index)} = encode_{self.format.name}({value});"  # type: ignore[union-attr]


def over_box(ndim: int, body: Sequence[str]) -> list[str]:
    """Return the loops of a thread over a box ``lo`` to ``hi``, in steps of the whole launch, around a body."""
    lines, indent = [], "    "
    for axis in range(ndim):
        letter = _DIMENSIONS[ndim - 1 - axis]
        first = f"(integer)blockIdx.{letter} * blockDim.{letter} + threadIdx.{letter} + lo{axis}"
        step = f"(integer)gridDim.{letter} * blockDim.{letter}"
        name = INDEX[axis]
        lines.append(f"{indent}for (integer {name} = {first}; {name} < hi{axis}; {name} += {step}) {{")
        indent += "    "
    lines += [indent + line for line in body]
    lines += ["    " * depth + "}" for depth in range(ndim, 0, -1)]
    return lines


def box_parameters(ndim: int) -> list[tuple[str, str]]:
    """Return the parameters of a box in storage indices."""
    return [("integer", f"{name}{axis}") for name in ("lo", "hi") for axis in range(ndim)]


def assemble(
    name: str, formats: Sequence[Format], compute: str, parameters: Sequence[tuple[str, str]], lines: Sequence[str]
) -> Kernel:
    """Return the kernel of a body; macros among the lines come before the kernel."""
    macros = [line for line in lines if line.startswith("#define")]
    body = [line for line in lines if not line.startswith("#define")]
    names = ", ".join(f"{kind} {name}" for kind, name in parameters)
    text = [prelude(formats, compute), *macros, f'extern "C" KERNEL kernel({names}) {{', *body, "}", ""]
    return Kernel(name, "\n".join(text), tuple(kind for kind, _ in parameters), compute)


def _arrays(spec: KernelSpec) -> list[Storage]:
    """Return the arrays of a kernel: outputs, then inputs."""
    outputs = [Storage(f"o{number}", format, spec.ndim) for number, format in enumerate(spec.outputs)]
    return outputs + [Storage(f"a{number}", format, spec.ndim) for number, format in enumerate(spec.inputs)]


def compute_type(*groups: Sequence) -> str:
    """Return the type of the arithmetic on some formats; vectors have it anyway."""
    formats = [format for group in groups for format in group if isinstance(format, Format)]
    return "float64" if any(format.name == "fp64" for format in formats) else "float32"


def loop_kernel(spec: KernelSpec) -> Kernel:
    """Return the kernel of a point function over a box, with inner products.

    Parameters of the kernel: per array the pointer and its row strides, the scalars, the box, the global index of
    storage index 0 per axis, the key of the noise, and the table of bins.
    """
    index = INDEX[: spec.ndim]
    body, results = [], []
    if spec.point is not None:
        body, results = translate(spec.point, len(spec.inputs), spec.scalars, index)
    body = [*body, *(f"const auto value{number} = {result};" for number, result in enumerate(results))]
    outputs = _arrays(spec)[: len(spec.outputs)]
    body += [_rounded(spec, number, output) for number, output in enumerate(outputs)]
    body += _products(spec)
    lines = [field.load(f"load{number}") for number, field in enumerate(_arrays(spec)[len(outputs) :])]
    lines += [f"    Sum sum{number};" for number in range(len(spec.dots))]
    lines += over_box(spec.ndim, body)
    lines += [f"    sum{number}.finish(table + {number} * 2 * BINS);" for number in range(len(spec.dots))]
    parameters = [parameter for field in _arrays(spec) for parameter in field.parameters]
    parameters += [("real", f"c{number}") for number in range(spec.scalars)] + box_parameters(spec.ndim)
    parameters += [("integer", f"at{axis}") for axis in range(spec.ndim)] + [("word", "key"), ("integer *", "table")]
    formats = [field.format for field in _arrays(spec) if isinstance(field.format, Format)]
    name = spec.point.__name__ if spec.point is not None else "inner products"
    return assemble(name, formats, spec.compute, parameters, lines)


def _rounded(spec: KernelSpec, number: int, output: Storage) -> str:
    assert isinstance(output.format, Format)
    index = INDEX[: spec.ndim]
    if spec.rounding == "stochastic" and output.format.bits <= 16:
        place = ", ".join(f"{name} + at{axis}" for axis, name in enumerate(index))
        return f"{output.at(*index)} = random_{output.format.name}(value{number}, noise(key + {number}, {place}));"
    return output.store(index, f"value{number}")


def _products(spec: KernelSpec) -> list[str]:
    """Return the sums of the products of what is stored."""
    fields = [field for field in _arrays(spec) if field.format != VECTOR]
    index = INDEX[: spec.ndim]
    lines = []
    for number, pair in enumerate(spec.dots):
        left, right = (
            f"(double)decode_{fields[side].format.name}({fields[side].at(*index)})"  # type: ignore[union-attr]
            for side in pair
        )
        lines.append(f"sum{number}.add({left} * {right}, table + {number} * 2 * BINS);")
    return lines
