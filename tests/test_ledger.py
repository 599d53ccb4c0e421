"""The ledger: counts add up per phase and format, and survive the way through JSON."""

import json

import pytest

from mpsolve.ledger import Ledger


def test_counts_add_up_within_a_phase_and_format():
    ledger = Ledger()
    ledger.add("inner", "bf16", flops=10, bytes=4)
    ledger.add("inner", "bf16", flops=5, reductions=1)
    counts = ledger.counts["inner"]["bf16"]
    assert (counts.flops, counts.bytes, counts.reductions, counts.messages) == (15, 4, 1, 0)


def test_phases_and_formats_are_kept_apart():
    ledger = Ledger()
    ledger.add("inner", "bf16", flops=1)
    ledger.add("inner", "fp64", flops=2)
    ledger.add("residual", "fp64", flops=4)
    assert ledger.counts["inner"]["bf16"].flops == 1
    assert ledger.counts["inner"]["fp64"].flops == 2
    assert ledger.counts["residual"]["fp64"].flops == 4


def test_two_ledgers_share_nothing():
    first = Ledger()
    first.add("inner", "fp64", flops=1)
    assert Ledger().counts == {}


def test_work_of_an_unknown_kind_is_refused():
    with pytest.raises(AttributeError, match="flips"):
        Ledger().add("inner", "fp64", flips=1)


def test_absorbing_another_ledger_adds_its_counts():
    first, second = Ledger(), Ledger()
    first.add("halo", "fp16", messages=2, message_bytes=64)
    second.add("halo", "fp16", messages=3, message_bytes=96)
    second.add("inner", "fp16", flops=7)
    first.absorb(second.to_dict())
    assert first.counts["halo"]["fp16"].messages == 5
    assert first.counts["halo"]["fp16"].message_bytes == 160
    assert first.counts["inner"]["fp16"].flops == 7


def test_absorbing_leaves_the_other_ledger_as_it_was():
    first, second = Ledger(), Ledger()
    second.add("inner", "fp64", flops=1)
    first.absorb(second.to_dict())
    first.add("inner", "fp64", flops=1)
    assert second.counts["inner"]["fp64"].flops == 1


def test_a_ledger_survives_json():
    ledger, restored = Ledger(), Ledger()
    ledger.add("inner", "fp64", flops=2**62, bytes=3)
    restored.absorb(json.loads(json.dumps(ledger.to_dict())))
    assert restored == ledger


def test_counts_are_plain_integers_whatever_was_added():
    ledger = Ledger()
    ledger.add("inner", "fp64", flops=3.0)  # type: ignore[arg-type]
    assert type(ledger.counts["inner"]["fp64"].flops) is int
