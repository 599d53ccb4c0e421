"""GPU kernels of dense matrices: a matrix is a pointer and the distance of its rows; vectors are rows of FP64."""

from __future__ import annotations

from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.prelude import C_TYPES
from mpsolve.kernels.cuda.source import Kernel, assemble, box_parameters, over_box

#: Side of the largest diagonal block that one thread block factors: three copies fit the memory that its threads share.
LEAF = 32
#: Threads of a block whose threads meet.
THREADS = 256
#: Threads that sum a row together.
ROW_THREADS = 32

_MATRIX = [("const real *", "a"), ("integer", "distance")]

_ELIMINATE = """
    const int N = {leaf}, THREADS = {threads};
    SHARED real block[N][N];
    SHARED double below[N][N], above[N][N];
    const int n = (int)size;
    EACH(t) for (int e = t; e < n * n; e += THREADS) {{
        int i = e / n, j = e % n;
        block[i][j] = a[i * distance + j];
        below[i][j] = above[i][j] = i == j ? 1.0 : 0.0;
    }}
    MEET
    for (int k = 0; k < n; k++) {{
        int rest = n - k - 1;
        EACH(t) for (int i = k + 1 + t; i < n; i += THREADS) block[i][k] /= block[k][k];
        MEET
        EACH(t) for (int e = t; e < rest * rest; e += THREADS) {{
            int i = k + 1 + e / rest, j = k + 1 + e % rest;
            block[i][j] -= block[i][k] * block[k][j];
        }}
        MEET
    }}
    // A thread for each column of either inverse.
    EACH(t) if (t < n) {{
        for (int i = t + 1; i < n; i++)
            for (int k = t; k < i; k++) below[i][t] -= (double)block[i][k] * below[k][t];
    }} else if (t >= N && t < N + n) {{
        int j = t - N;
        for (int i = n - 1; i >= 0; i--) {{
            for (int k = i + 1; k <= j; k++) above[i][j] -= (double)block[i][k] * above[k][j];
            if (j >= i) above[i][j] /= (double)block[i][i];
        }}
    }}
    MEET
    EACH(t) for (int e = t; e < n * n; e += THREADS) {{
        int i = e / n, j = e % n;
        a[i * distance + j] = block[i][j];
        lower[i * lower_distance + j] = (real)below[i][j];
        upper[i * upper_distance + j] = (real)above[i][j];
    }}
"""

_SUBSTITUTE = """
    const int N = {leaf}, THREADS = {threads};
    const int n = (int)size;
    double *y = vectors + (integer)blockIdx.x * n;
#define AT(i, j) ((double)(transposed ? a[(integer)(j) * distance + (i)] : a[(integer)(i) * distance + (j)]))
#define TURN(k) (backward ? n - 1 - (k) : (k))
    const bool backward = upper != transposed;
    for (int start = 0; start < n; start += N) {{
        const int stop = least(start + N, n);
        for (int c = start; c < stop; c++) {{
            const int j = TURN(c);
            if (upper) {{
                EACH(t) if (t == 0) y[j] /= AT(j, j);
                MEET
            }}
            EACH(t) if (c + 1 + t < stop) y[TURN(c + 1 + t)] -= AT(TURN(c + 1 + t), j) * y[j];
            MEET
        }}
        EACH(t) for (int r = stop + t; r < n; r += THREADS) {{
            double total = 0;
            for (int c = start; c < stop; c++) total += AT(TURN(r), TURN(c)) * y[TURN(c)];
            y[TURN(r)] -= total;
        }}
        MEET
    }}
"""

_ROWS = """
    for (integer i = (integer)blockIdx.x * blockDim.y + threadIdx.y; i < rows; i += (integer)gridDim.x * blockDim.y) {{
        for (integer v = 0; v < count; v++) {{
            double total = 0;
            for (integer j = threadIdx.x; j < columns; j += blockDim.x) total += {value} * x[v * columns + j];
            total = over_row_sum(total);
            if (threadIdx.x == 0) sums[v * rows + i] = total;
        }}
    }}
"""

_COLUMNS = """
    const integer first = (integer)blockIdx.x * blockDim.x + threadIdx.x, step = (integer)gridDim.x * blockDim.x;
    for (integer j = first; j < columns; j += step) {{
        for (integer v = 0; v < count; v++) {{
            double total = 0;
            for (integer i = 0; i < rows; i++) total += {value} * x[v * rows + i];
            sums[v * columns + j] = total;
        }}
    }}
"""

_LARGEST = """
    wide largest = 0;
{loops}
    largest = over_warp_largest(largest);
    if (first_of_warp()) raise_to(found, largest);
"""

_STORED = "(double)a[i * distance + j]"
#: A number of the generator from its state; see `mpsolve.kernels.congruential`.
_GENERATED = "((double)(factors[j] * starts[i] + shifts[j]) * 5.421010862427522e-20 - 0.5)"
_GENERATOR = [("const wide *", "starts"), ("const wide *", "factors"), ("const wide *", "shifts")]
_SUMS = [
    ("integer", "rows"),
    ("integer", "columns"),
    ("integer", "count"),
    ("const double *", "x"),
    ("double *", "sums"),
]


def _over_cells(
    name: str, parameters: list[tuple[str, str]], body: list[str], compute: str, formats: list[Format]
) -> Kernel:
    """Return the kernel of a body for each cell of a box."""
    return assemble(name, formats, compute, [*parameters, *box_parameters(2)], over_box(2, body))


@cache
def encode_kernel(format: Format, compute: str) -> Kernel:
    """Return the kernel that rounds ``scale * source`` to a format; the target's rows follow each other."""
    kind = C_TYPES[format.storage.name]
    parameters = [(f"{kind} *", "target"), *_MATRIX, ("real", "scale"), ("integer", "width")]
    narrow = "" if format.name == "fp64" else "(float)"
    body = [f"target[i * width + j] = encode_{format.name}({narrow}(scale * a[i * distance + j]));"]
    return _over_cells(f"encoding in {format.name}", parameters, body, compute, [format])


@cache
def copy_kernel(source: str, compute: str) -> Kernel:
    """Return the kernel that writes scaled FP64 entries, ``"stored"`` or ``"generated"``, to a block."""
    given = [("const double *", "a"), ("integer", "distance")] if source == "stored" else _GENERATOR
    parameters = [("real *", "out"), ("integer", "width"), *given, ("const double *", "r"), ("const double *", "c")]
    value = _STORED if source == "stored" else _GENERATED
    body = [f"out[i * width + j] = (real)({value} * r[i] * c[j]);"]
    return _over_cells("the scaled copy of a matrix", parameters, body, compute, [])


@cache
def rows_kernel(direction: str, compute: str) -> Kernel:
    """Return the kernel that takes some rows of a block, ``"take"``, or writes them to it, ``"put"``."""
    parameters = [("real *", "a"), ("integer", "distance"), ("const integer *", "at"), ("real *", "few")]
    parameters.append(("integer", "width"))
    left, right = "few[i * width + j]", "a[at[i] * distance + j]"
    body = [f"{left} = {right};" if direction == "take" else f"{right} = {left};"]
    return _over_cells(f"rows to {direction}", parameters, body, compute, [])


@cache
def entries_kernel(direction: str, compute: str) -> Kernel:
    """Return the kernel that takes single entries of a block, ``"take"``, or writes them to it, ``"put"``."""
    parameters = [("real *", "a"), ("integer", "distance"), ("const integer *", "rows"), ("const integer *", "columns")]
    parameters += [("double *", "few"), *box_parameters(1)]
    left, right = "few[i]", "a[rows[i] * distance + columns[i]]"
    body = [f"{left} = {right};" if direction == "take" else f"{right} = (real){left};"]
    return assemble(f"entries to {direction}", [], compute, parameters, over_box(1, body))


@cache
def largest_kernel(compute: str) -> Kernel:
    """Return the kernel of the largest magnitude as the bits of an FP64 number, which are ordered as integers."""
    body = ["largest = greatest(largest, bits_of((double)a[i * distance + j]) & 0x7fffffffffffffffull);"]
    lines = _LARGEST.format(loops="\n".join(over_box(2, body))).split("\n")
    parameters = [*_MATRIX, *box_parameters(2), ("wide *", "found")]
    return assemble("the largest magnitude", [], compute, parameters, lines)


@cache
def eliminate_kernel(compute: str) -> Kernel:
    """Return the kernel that factors a diagonal block of at most `LEAF` rows and inverts its factors: one block."""
    parameters = [("real *", "a"), ("integer", "distance"), ("integer", "size"), ("real *", "lower")]
    parameters += [("integer", "lower_distance"), ("real *", "upper"), ("integer", "upper_distance")]
    lines = _ELIMINATE.format(leaf=LEAF, threads=THREADS).split("\n")
    return assemble("a diagonal block", [], compute, parameters, lines)


@cache
def substitute_kernel(compute: str) -> Kernel:
    """Return the kernel that solves with a triangle in FP64: a block for each vector."""
    parameters = [*_MATRIX, ("integer", "size"), ("double *", "vectors"), ("int", "upper"), ("int", "transposed")]
    lines = _SUBSTITUTE.format(leaf=LEAF, threads=THREADS).split("\n")
    return assemble("a triangular system", [], compute, parameters, lines)


@cache
def product_kernel(source: str, compute: str, *, transposed: bool) -> Kernel:
    """Return the kernel of FP64 products of stored or generated entries, or their transpose, with vectors."""
    given, value = (_MATRIX, _STORED) if source == "stored" else (_GENERATOR, _GENERATED)
    lines = (_COLUMNS if transposed else _ROWS).format(value=value).split("\n")
    return assemble("a product with vectors", [], compute, [*given, *_SUMS], lines)
