"""A tile of C in vector registers: the innermost loop of a matrix product, as instructions of AVX-512.

A tile has `ROWS` rows and `VECTORS` vectors of columns. Operands are packed so that each step of the loop reads what
follows in memory: of L one number (or one pair) for each row, of R whole vectors. The method is that of BLIS (Van Zee
and van de Geijn, ACM Trans. Math. Softw. 41, 2015).
"""

# pyright: reportAttributeAccessIssue=false
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mpsolve.kernels import memory

#: Rows of a tile, vectors across it, and bytes of a vector. Of 32 registers, 24 hold sums and 4 hold R. A wide tile has
#: the whole lines of C that memory likes: 14 x 2 and 8 x 3 were slower.
ROWS, VECTORS, VECTOR_BYTES = 6, 4, 64
#: Steps of the loop that are written out.
UNROLLED = 4

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


class _Bfloat(ir.Type):
    """LLVM's BF16, which llvmlite does not know."""

    null = "zeroinitializer"

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


class Arithmetic:
    """How a step multiplies and adds: pairs of BF16, FP32 or FP64.

    Attributes
    ----------
    element : llvmlite type
        Of C.
    lanes : int
        Elements of a vector.
    """

    def __init__(self, kind: str, builder) -> None:
        self.kind, self.builder = kind, builder
        self.element = ir.DoubleType() if kind == "fp64" else ir.FloatType()
        self.lanes = VECTOR_BYTES // (8 if kind == "fp64" else 4)
        self.vector = ir.VectorType(self.element, self.lanes)
        # What is loaded: numbers, or pairs of BF16 as 32-bit words.
        self.word = _INT32 if kind == "bf16" else self.element
        self.loaded = ir.VectorType(self.word, self.lanes)

    def function(self, name: str, *arguments):
        """Declare an intrinsic of LLVM that returns a vector of C."""
        signature = ir.FunctionType(self.vector, arguments)
        return cgutils.get_or_insert_function(self.builder.module, signature, name)

    def multiply_add(self, total, left, right):
        """Emit ``total + left * right``, lane by lane; for BF16 the sum of both products of a pair."""
        builder = self.builder
        if self.kind != "bf16":
            name = f"llvm.fma.v{self.lanes}f{64 if self.kind == 'fp64' else 32}"
            return builder.call(self.function(name, *[self.vector] * 3), [left, right, total])
        pairs = ir.VectorType(_Bfloat(), 2 * self.lanes)
        function = self.function("llvm.x86.avx512bf16.dpbf16ps.512", self.vector, pairs, pairs)
        return builder.call(function, [total, builder.bitcast(left, pairs), builder.bitcast(right, pairs)])

    def splat(self, value):
        """Emit a vector of copies of a word."""
        builder, undefined = self.builder, ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = builder.insert_element(undefined, value, _INT32(0))
        zeros = ir.Constant(ir.VectorType(_INT32, self.lanes), [0] * self.lanes)
        return builder.shuffle_vector(first, undefined, zeros)


def tile_function(kind: str):
    """Return the compiled function that updates one tile of C.

    ``tile(c, c_at, distance, left, left_at, right, right_at, steps, factor, keep)`` computes ``c = keep * c + factor *
    left @ right`` on the tile that starts at flat index ``c_at``; the arrays are handles of `memory.bare`. ``keep`` is
    1 or 0, and at 0 the old values of c do not count. The lines of the tile below are requested, as it is usually next.

    Parameters
    ----------
    kind : {"bf16", "fp32", "fp64"}
        Arithmetic of the tile; operands of "bf16" are 32-bit words of two numbers each.
    """

    @intrinsic
    def tile(typing, c, c_at, distance, left, left_at, right, right_at, steps, factor, keep):
        def generate(context, builder, signature, arguments):
            _emit_tile(Arithmetic(kind, builder), builder, *arguments)
            return context.get_dummy_value()

        number = types.float64 if kind == "fp64" else types.float32
        whole = types.intp
        return types.void(c, whole, whole, left, whole, right, whole, whole, number, types.boolean), generate

    return tile


def _emit_tile(arithmetic, builder, c, c_at, distance, left, left_at, right, right_at, steps, factor, keep):
    places = _places(arithmetic, builder, c, c_at, distance)
    below = builder.gep(memory.address(builder, c, [c_at]), [builder.mul(distance, distance.type(ROWS))])
    left, right = (memory.address(builder, handle, [at]) for handle, at in ((left, left_at), (right, right_at)))
    request = _Requests(arithmetic, builder, below, distance)
    sums = _emit_loop(arithmetic, builder, left, right, steps, request)
    _emit_update(arithmetic, builder, places, sums, factor, keep)


def _places(arithmetic, builder, c, c_at, distance):
    """Emit the address of each vector of the tile."""
    start, rows = memory.address(builder, c, [c_at]), []
    for row in range(ROWS):
        base = builder.gep(start, [builder.mul(distance, distance.type(row))])
        places = [builder.gep(base, [_INT64(vector * arithmetic.lanes)]) for vector in range(VECTORS)]
        rows.append([builder.bitcast(place, arithmetic.vector.as_pointer()) for place in places])
    return rows


class _Requests:
    """Requests for the lines of a tile, spread over the rounds of the loop.

    All at once, and for the tile at hand, they fill the queue of missing lines, for which the operands then wait: at an
    inner size of 128 that cost 7% of the time, at 512 2%.
    """

    def __init__(self, arithmetic, builder, start, distance) -> None:
        self.arithmetic, self.builder, self.start, self.distance = arithmetic, builder, start, distance

    def emit(self, index) -> None:
        """Emit the requests of one round: for half a row, and again for the last one in the rounds that follow."""
        builder, last = self.builder, index.type(2 * ROWS - 1)
        half = builder.select(builder.icmp_signed("<", index, last), index, last)
        row, odd = builder.lshr(half, index.type(1)), builder.and_(half, index.type(1))
        first = builder.mul(odd, index.type(VECTORS // 2 * self.arithmetic.lanes))
        start = builder.gep(self.start, [builder.add(builder.mul(row, self.distance), first)])
        for vector in range(VECTORS // 2):
            _emit_prefetch(builder, builder.gep(start, [_INT64(vector * self.arithmetic.lanes)]))


def _emit_prefetch(builder, place):
    byte = ir.IntType(8).as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32])
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(place, byte), _INT32(0), _INT32(3), _INT32(1)])


def _emit_loop(arithmetic, builder, left, right, steps, requests):
    """Emit the loop over the inner dimension, `UNROLLED` steps at a time and then one at a time; return the sums."""
    zero = ir.Constant(arithmetic.vector, [0.0] * arithmetic.lanes)
    sums = [zero] * (ROWS * VECTORS)
    several = builder.sdiv(steps, steps.type(UNROLLED))
    left, right, sums = _emit_counted(arithmetic, builder, left, right, sums, several, UNROLLED, requests)
    rest = builder.srem(steps, steps.type(UNROLLED))
    return _emit_counted(arithmetic, builder, left, right, sums, rest, 1, None)[2]


def _emit_counted(arithmetic, builder, left, right, sums, count, unrolled, requests):
    """Emit a loop of ``count`` rounds; the addresses and the sums are carried from one to the next."""
    before = builder.block
    head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    carried = []
    for value in (count.type(0), left, right, *sums):
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        carried.append(phi)
    index, left, right, *sums = carried
    builder.cbranch(builder.icmp_signed("<", index, count), body, end)
    builder.position_at_end(body)
    if requests is not None:
        requests.emit(index)
    after = _emit_steps(arithmetic, builder, left, right, sums, unrolled)
    after = [builder.add(index, index.type(1)), *after]
    for phi, value in zip(carried, after, strict=True):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(end)
    return left, right, sums


def _emit_steps(arithmetic, builder, left, right, sums, count):
    """Emit some steps; return the advanced addresses and the sums."""
    for _ in range(count):
        vectors = []
        for vector in range(VECTORS):
            place = builder.gep(right, [_INT64(vector * arithmetic.lanes)])
            vectors.append(builder.load(builder.bitcast(place, arithmetic.loaded.as_pointer()), align=VECTOR_BYTES))
        new = []
        for row in range(ROWS):
            word = builder.load(builder.bitcast(builder.gep(left, [_INT64(row)]), arithmetic.word.as_pointer()))
            factor = arithmetic.splat(word)
            old = sums[row * VECTORS : (row + 1) * VECTORS]
            new += [arithmetic.multiply_add(total, factor, vector) for total, vector in zip(old, vectors, strict=True)]
        sums = new
        left = builder.gep(left, [_INT64(ROWS)])
        right = builder.gep(right, [_INT64(VECTORS * arithmetic.lanes)])
    return left, right, *sums


def _emit_update(arithmetic, builder, places, sums, factor, keep):
    """Emit the update of C, in one of two ways, so that what is overwritten is not read."""
    factors = arithmetic.splat(factor)
    values = iter(sums)
    pairs = [(place, next(values)) for row in places for place in row]
    with builder.if_else(keep) as (then, otherwise):
        with then:
            for place, total in pairs:
                old = builder.load(place, align=4)
                name = f"llvm.fma.v{arithmetic.lanes}f{64 if arithmetic.kind == 'fp64' else 32}"
                fused = arithmetic.function(name, *[arithmetic.vector] * 3)
                builder.store(builder.call(fused, [factors, total, old]), place, align=4)
        with otherwise:
            for place, total in pairs:
                builder.store(builder.fmul(factors, total), place, align=4)
