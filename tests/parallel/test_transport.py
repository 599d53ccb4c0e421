"""Checked messages: what was damaged on its way is sent again, and what is damaged always ends the run."""

import dataclasses

import numpy as np
import pytest

from mpsolve.errors import LaunchError
from mpsolve.field import Field
from mpsolve.ledger import Ledger
from mpsolve.parallel.cartesian import Cartesian
from mpsolve.parallel.halo import REPEATED, Halo
from mpsolve.parallel.reductions import total
from mpsolve.parallel.transport import REPEATS, Transport
from mpsolve.precision import get_format

pytestmark = pytest.mark.ranks


class Faults:
    """Flips the lowest bit of the first number of every so many arrays that it is shown."""

    def __init__(self, every):
        self.every, self.seen, self.flipped = every, 0, 0

    def strike_array(self, stored):
        self.seen += 1
        if self.seen % self.every:
            return 0
        stored.view(f"u{stored.itemsize}")[:1] ^= 1
        self.flipped += 1
        return 1


def exchanged(comm, name, *, every, checked, rounds=6):
    """Return the fields after some exchanges, undisturbed ones, the faults and the ledger."""
    grid, ledger, faults = Cartesian.create(comm, (16, 24), (True, True)), Ledger(), Faults(every)
    format, rng = get_format(name), np.random.default_rng(comm.rank)
    looked_after = dataclasses.replace(grid, transport=Transport(checked, faults))
    pairs = []
    for _ in range(rounds):
        values = format.encode(rng.uniform(-1, 1, grid.shape).astype(format.compute))
        fields = []
        for one in (looked_after, grid):
            fields.append(Field.zeros(grid.shape, 1, format))
            fields[-1].interior[...] = values
            Halo(one, fields[-1:], width=1, corners=True, ledger=ledger).exchange()
        pairs.append(tuple(np.array(field.storage) for field in fields))
    return pairs, faults, ledger


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp8_e4m3"])
def test_damaged_messages_are_sent_again(comm, name):
    pairs, faults, ledger = exchanged(comm, name, every=3 + comm.rank, checked=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    repeats = sum(work.messages for work in ledger.counts.get(REPEATED, {}).values())
    # What one rank finds damaged another one repeats.
    assert total(comm, np.array([float(repeats)])) == total(comm, np.array([float(faults.flipped)]))
    if comm.size > 2:
        assert total(comm, np.array([float(repeats)])) > 0


def test_unchecked_damage_gets_through(comm):
    pairs, faults, _ = exchanged(comm, "fp16", every=2, checked=False)
    assert any(not np.array_equal(a, b) for a, b in pairs) == (faults.flipped > 0)


def test_fp64_messages_are_not_struck(comm):
    pairs, faults, _ = exchanged(comm, "fp64", every=1, checked=False)
    assert faults.seen == 0 and all(np.array_equal(a, b) for a, b in pairs)


def test_what_is_always_damaged_ends_the_run(comm):
    if comm.size == 1:
        pytest.skip("one rank sends nothing")
    with pytest.raises(LaunchError, match=f"damaged {REPEATS + 1} times in a row"):
        exchanged(comm, "fp32", every=1, checked=True, rounds=1)
