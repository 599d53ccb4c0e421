"""Messages from the memory of a card are tried in a process of its own before they are believed."""

import subprocess

import emulation
import numpy as np
import pytest

from mpsolve.backends import reference
from mpsolve.backends.cuda import CudaBackend
from mpsolve.driver import device_messages
from mpsolve.errors import BackendUnavailable
from mpsolve.field import Field
from mpsolve.kernels.cuda.devices.emulated import Emulated
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import Halo
from mpsolve.precision import get_format


@pytest.fixture
def card():
    emulation.device()
    return CudaBackend(Emulated(), 1)


@pytest.mark.launches
def test_mpi_sends_from_and_to_arrays_of_the_device(monkeypatch):
    emulation.device()
    monkeypatch.setenv("MPSOLVE_EMULATED_DEVICE", "1")
    assert device_messages.tried() == ""


@pytest.mark.launches
def test_without_a_card_the_trial_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("MPSOLVE_EMULATED_DEVICE", raising=False)
    assert "status 1" in device_messages.tried()


def test_a_trial_that_crashes_or_hangs_is_survived(monkeypatch):
    def crash(*words, **options):
        return subprocess.CompletedProcess(words, -11, "", "")

    monkeypatch.setattr(device_messages.subprocess, "run", crash)
    assert device_messages.tried() == "a message from the card failed (status -11: no message)"

    def hang(*words, timeout, **options):
        raise subprocess.TimeoutExpired(words, timeout)

    monkeypatch.setattr(device_messages.subprocess, "run", hang)
    assert "had not arrived after" in device_messages.tried()


def test_the_process_that_tries_does_not_take_itself_for_a_rank(monkeypatch):
    seen = {}

    def run(*words, env, **options):
        seen.update(env)
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(device_messages.subprocess, "run", run)
    device_messages.tried({"PMI_SIZE": "8", "OMPI_COMM_WORLD_SIZE": "8", "SLURM_PROCID": "1", "PATH": "/bin"})
    assert set(seen) == {"PATH", "MPI_LOCALRANKID"}


@pytest.mark.parametrize(("problem", "wanted", "direct"), [("", "on", True), ("", "auto", True), ("no", "auto", False)])
def test_what_works_is_taken(card, alone, monkeypatch, problem, wanted, direct):
    monkeypatch.setattr(device_messages, "tried", lambda: problem)
    device_messages.choose(alone, card, wanted)
    assert card.sends_from_device == card.device.direct == direct
    device_messages.choose(alone, card, "off")
    assert not card.sends_from_device


def test_what_is_asked_for_and_fails_is_an_error(card, alone, monkeypatch):
    monkeypatch.setattr(device_messages, "tried", lambda: "a message from the card failed (status -11: no message)")
    with pytest.raises(BackendUnavailable, match=r"run.mpi_gpu = on, but a message from the card failed"):
        device_messages.choose(alone, card, "on")
    with pytest.raises(BackendUnavailable, match="the backend reference has no card"):
        device_messages.choose(alone, reference.create(), "on")


@pytest.mark.ranks
@pytest.mark.parametrize("narrow", [None, "fp16"])
@pytest.mark.parametrize("direct", [False, True], ids=["staged", "direct"])
def test_both_ways_fill_the_ghosts_that_the_host_fills(comm, card, direct, narrow):
    grid = Cartesian.create(comm, (9, 12), (True, False))
    card.direct_messages(direct)
    values = np.random.default_rng(comm.rank).standard_normal(grid.shape)
    filled = []
    for backend in (card, reference.create()):
        fields = [backend.zeros(grid.shape, 2, get_format(name)) for name in ("fp64", "bf16")]
        for field in fields:
            field.set(values)
        format = get_format(narrow) if narrow else None
        halo = Halo(grid, fields, width=1, corners=True, format=format)
        halo.exchange()
        halo.exchange()
        filled.append([stored(backend, field) for field in fields])
    for one, other in zip(*filled, strict=True):
        assert np.array_equal(one, other)


def stored(backend, field: Field):
    return backend.device.download(field.storage) if field.device is not None else field.storage
