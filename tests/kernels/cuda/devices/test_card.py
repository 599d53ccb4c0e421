"""Cards that are missing, too old, or fail: a CuPy that only pretends."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mpsolve.errors import BackendUnavailable, MpsolveError
from mpsolve.kernels.cuda.devices import card
from mpsolve.kernels.cuda.source import Kernel


class RuntimeTrouble(Exception):
    pass


class DriverTrouble(Exception):
    pass


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
            getDeviceProperties=lambda number: {"name": b"Pretended", "major": major, "minor": 0},
            memGetInfo=lambda: (free, 2 * free),
            is_hip=False,
            CUDARuntimeError=RuntimeTrouble,
        )
        device = SimpleNamespace(use=lambda: None, synchronize=lambda: None)
        cuda = SimpleNamespace(
            runtime=runtime, Device=lambda number: device, driver=SimpleNamespace(CUDADriverError=DriverTrouble)
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
