"""Cards that are missing, too old, or fail: a CuPy that only pretends."""

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.kernels.cuda.devices import card
from mpsolve.kernels.cuda.source import Kernel
from mpsolve.precision import get_format


class RuntimeTrouble(Exception):
    pass


class DriverTrouble(Exception):
    pass


class Event:
    """Knows on which stream it was recorded."""

    def __init__(self, disable_timing):
        self.stream = None

    def record(self):
        self.stream = Stream.current[-1]


class Stream:
    """Notes what it waits for and what is captured on it."""

    current = ()

    def __init__(self, non_blocking, priority=0):
        self.waits, self.captured = [], False
        assert non_blocking

    def __enter__(self):
        Stream.current = (*Stream.current, self)

    def __exit__(self, *error):
        Stream.current = Stream.current[:-1]

    def wait_event(self, event):
        self.waits.append(event.stream)

    def begin_capture(self):
        self.captured = True

    def end_capture(self):
        assert self.captured
        return SimpleNamespace(launch=lambda stream: launches.append(stream))


launches: list = []


class Block:
    """An array whose memory has an address, as CuPy's."""

    def __init__(self, values):
        self.values, self.shape, self.strides, self.itemsize = values, values.shape, values.strides, values.itemsize
        self.data = SimpleNamespace(ptr=values.ctypes.data)


class CublasTrouble(Exception):
    pass


def column_major(address, dtype, rows, columns, distance):
    """Return the matrix that BLAS sees at an address."""
    kind = ctypes.c_double if dtype == 1 else ctypes.c_float if dtype == 0 else ctypes.c_uint16
    flat = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(kind)), (distance * columns,))
    return flat.reshape(columns, distance).T[:rows]


def gemm_ex(
    handle, op_a, op_b, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute, algorithm
):
    """Do what cublasGemmEx does, in NumPy."""
    assert (handle, op_a, op_b, algorithm) == (7, "N", "N", -1) and a_type == b_type
    if compute == "refused":
        raise CublasTrouble("CUBLAS_STATUS_NOT_SUPPORTED")
    name = {1: "fp64", 0: "fp32", 2: "fp16", 14: "bf16"}[a_type]
    left, right = (
        get_format(name).decode(np.array(column_major(*given)))
        for given in ((a, a_type, m, k, lda), (b, b_type, k, n, ldb))
    )
    scalar = ctypes.c_double if c_type == 1 else ctypes.c_float
    factors = [ctypes.cast(place, ctypes.POINTER(scalar))[0] for place in (alpha, beta)]
    result = column_major(c, c_type, m, n, ldc)
    result[...] = factors[0] * left @ right + (factors[1] * result if factors[1] else 0)


@pytest.fixture
def cublas(monkeypatch):
    """Install a cuBLAS that computes with NumPy; return it."""
    types = {name: name for name in ("CUBLAS_COMPUTE_32F", "CUBLAS_COMPUTE_64F", "CUBLAS_COMPUTE_32F_FAST_TF32")}
    played = SimpleNamespace(gemmEx=gemm_ex, CUBLASError=CublasTrouble, CUBLAS_OP_N="N", **types)
    for name in ("cupy_backends", "cupy_backends.cuda"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cupy_backends.cuda.libs", SimpleNamespace(cublas=played))
    return played


@pytest.fixture
def pretended(monkeypatch):
    """Return a function that installs a CuPy with so many devices of a capability."""

    def install(count=1, major=9, trouble=None, launch=None, free=1 << 20):
        def device_count():
            if trouble:
                raise RuntimeTrouble(trouble)
            return count

        runtime = SimpleNamespace(
            getDeviceCount=device_count,
            getDeviceProperties=lambda number: {"name": b"Pretended", "major": major, "minor": 0, "uuid": bytes(16)},
            memGetInfo=lambda: (free, 2 * free),
            is_hip=False,
            CUDARuntimeError=RuntimeTrouble,
        )
        device = SimpleNamespace(use=lambda: None, synchronize=lambda: None)
        cuda = SimpleNamespace(
            runtime=runtime,
            Device=lambda number: device,
            driver=SimpleNamespace(CUDADriverError=DriverTrouble),
            device=SimpleNamespace(get_cublas_handle=lambda: 7),
            Event=Event,
            Stream=Stream,
            get_current_stream=lambda: Stream.current[-1],
        )
        cupy = SimpleNamespace(
            cuda=cuda,
            zeros=np.zeros,
            asarray=np.array,
            get_default_memory_pool=lambda: SimpleNamespace(free_bytes=lambda: 0),
            RawModule=lambda code, options: SimpleNamespace(get_function=lambda name: launch),
        )
        monkeypatch.setitem(sys.modules, "cupy", cupy)

    return install


def test_a_driver_that_is_too_old_or_missing_is_named(pretended):
    pretended(trouble="cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    with pytest.raises(BackendUnavailable, match="no usable driver: cudaErrorInsufficientDriver"):
        card.visible_devices()


def test_a_driver_without_a_device_is_named(pretended):
    pretended(count=0)
    with pytest.raises(BackendUnavailable, match="no device; see CUDA_VISIBLE_DEVICES"):
        card.visible_devices()


def test_a_card_that_is_too_old_is_named(pretended):
    pretended(major=6)
    with pytest.raises(BackendUnavailable, match=r"Pretended has compute capability 6\.0"):
        card.Card(0)


def test_an_error_of_the_card_names_the_kernel(pretended):
    def fail(*arguments):
        raise DriverTrouble("CUDA_ERROR_ILLEGAL_ADDRESS")

    pretended(launch=fail)
    run = card.Card(0).compiled(Kernel("prolongation", "text", ("integer",), "float32"))
    with pytest.raises(
        MpsolveError, match="Pretended failed in the kernel of prolongation: CUDA_ERROR_ILLEGAL_ADDRESS"
    ):
        run((1,), (1,), [3])


def test_arguments_reach_the_card_in_the_types_of_the_kernel(pretended):
    seen = []
    pretended(launch=lambda grid, block, arguments: seen.append((grid, block, arguments)))
    kinds = ("float *", "integer", "real", "word", "int")
    run = card.Card(0).compiled(Kernel("test", "text", kinds, "float32"))
    array = np.zeros(2, np.float32)
    run((4,), (32,), [array, 1, 0.5, 7, -1])
    grid, block, arguments = seen[0]
    assert (grid, block) == ((4,), (32,))
    assert arguments[0] is array
    assert [type(value) for value in arguments[1:]] == [np.int64, np.float32, np.uint32, np.int32]


def test_memory_is_checked_before_it_is_asked_for(pretended):
    pretended(free=1 << 20)
    with pytest.raises(MpsolveError, match="at most 262144 entries of float32 fit"):
        card.Card(0).zeros((1 << 20,), np.dtype(np.float32))


@pytest.mark.parametrize("name", ["fp64", "fp32", "tf32", "bf16", "fp16"])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (-0.5, 1.0)])
def test_products_of_rows_are_asked_of_a_library_that_counts_along_columns(pretended, cublas, name, alpha, beta):
    pretended()
    format, rng = get_format(name), np.random.default_rng(0)
    wide = rng.integers(-3, 4, (9, 8)).astype(format.compute)
    left, right = (format.encode(rng.integers(-3, 4, shape).astype(format.compute)) for shape in ((5, 6), (4, 7)))
    c, whole = wide[2:7, 1:8], wide.copy()
    wanted = alpha * format.decode(left[:, 2:6]) @ format.decode(right) + beta * c
    card.Card(0).multiply(format, Block(c), Block(left[:, 2:6]), Block(right), alpha, beta)
    whole[2:7, 1:8] = wanted
    assert np.array_equal(wide, whole)


def test_a_card_before_ampere_refuses_bf16_and_does_without_tf32_units(pretended, cublas):
    pretended(major=7)
    old, seen = card.Card(0), []
    cublas.gemmEx = lambda *given: seen.append(given[-2])
    blocks = [Block(np.zeros((2, 2), np.float32)) for _ in range(3)]
    old.multiply(get_format("tf32"), *blocks, 1.0, 0.0)
    assert seen == ["CUBLAS_COMPUTE_32F"]
    with pytest.raises(BackendUnavailable, match=r"capability 7\.0\) has no products in bf16; take fp16 or fp32"):
        old.multiply(get_format("bf16"), *blocks, 1.0, 0.0)


def test_an_error_of_the_library_names_the_product(pretended, cublas):
    pretended()
    cublas.CUBLAS_COMPUTE_32F = "refused"
    blocks = [
        Block(np.zeros((2, 3), np.float32)),
        Block(np.zeros((2, 4), np.uint16)),
        Block(np.zeros((4, 3), np.uint16)),
    ]
    with pytest.raises(MpsolveError, match="a product in fp16 of 2 x 4 x 3: CUBLAS_STATUS_NOT_SUPPORTED"):
        card.Card(0).multiply(get_format("fp16"), *blocks, 1.0, 0.0)


def test_what_goes_beside_waits_for_the_mark_and_is_waited_for(pretended, monkeypatch):
    pretended()
    main, device = Stream(non_blocking=True), card.Card(0)
    monkeypatch.setattr(Stream, "current", (main,))
    mark = device.mark()
    with device.beside(mark):
        second = Stream.current[-1]
        assert second is not main
    assert second.waits == [main] and main.waits == [second]


def test_launches_are_captured_once_and_replayed_as_one(pretended, monkeypatch):
    pretended()
    main, done = Stream(non_blocking=True), []
    monkeypatch.setattr(Stream, "current", (main,))
    replay = card.Card(0).captured(lambda: done.append(Stream.current[-1]))
    launches.clear()
    replay()
    replay()
    assert len(done) == 1 and done[0].captured and launches == [main, main]


def test_a_card_is_known_to_energy_meters_by_its_uuid(pretended):
    pretended()
    assert card.Card(0).identity == "GPU-00000000-0000-0000-0000-000000000000"
