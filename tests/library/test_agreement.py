"""Small problems do not wait for a compiler, and every rank count chooses the same backend."""

import pytest

from mpsolve.errors import BackendUnavailable, ConfigError, MpsolveError
from mpsolve.library import agreement
from mpsolve.library.agreement import COMPILED_UNKNOWNS, choose_backend, communicator, together
from mpsolve.parallel.alone import Alone


def test_no_communicator_is_this_process():
    comm = communicator(None)
    assert (comm.rank, comm.size, comm.allgather(3), comm.bcast("x")) == (0, 1, [3], "x")


def test_a_communicator_is_kept(world):
    assert communicator(world) is world


@pytest.mark.parametrize(("unknowns", "name"), [(10, "reference"), (COMPILED_UNKNOWNS, "cpu")])
def test_auto_compiles_large_problems_only(unknowns, name):
    pytest.importorskip("numba")
    assert choose_backend(Alone(), "auto", unknowns).name == name


def test_a_named_backend_is_taken_at_any_size():
    pytest.importorskip("numba")
    assert choose_backend(Alone(), "cpu", 1).name == "cpu"


def test_auto_does_without_a_compiler(monkeypatch):
    real = agreement.lookup.find

    def find(folder, name):
        if name == "cpu":
            raise BackendUnavailable("not here")
        return real(folder, name)

    monkeypatch.setattr(agreement.lookup, "find", find)
    assert choose_backend(Alone(), "auto", 10 * COMPILED_UNKNOWNS).name == "reference"


@pytest.mark.ranks
def test_what_all_ranks_do_is_returned(comm):
    assert together(comm, lambda: comm.rank) == comm.rank


@pytest.mark.ranks
def test_the_first_rank_with_an_error_is_named_on_the_others(comm):
    def action():
        if comm.rank == comm.size - 1:
            raise ConfigError("wrong")

    with pytest.raises(ConfigError) as caught:
        together(comm, action)
    assert str(caught.value) == ("wrong" if comm.rank == comm.size - 1 else f"on rank {comm.size - 1}: wrong")


@pytest.mark.ranks
def test_an_unexpected_error_keeps_its_class_where_it_happened(comm):
    def action():
        if comm.rank == 0:
            raise KeyError("x")

    with pytest.raises(KeyError if comm.rank == 0 else MpsolveError, match="x"):
        together(comm, action)


@pytest.mark.ranks
def test_ranks_that_differ_are_refused(comm):
    if comm.size == 1:
        return
    with pytest.raises(ConfigError, match=r"rank 1 was given 1, but rank 0 0"):
        together(comm, lambda: None, same=min(comm.rank, 1))
