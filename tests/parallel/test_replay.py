"""What is done again as a whole: captured at the second time, counted every time."""

import pytest

from mpsolve.ledger import Ledger
from mpsolve.parallel.replay import Replay


class Recorder:
    """A backend whose captured actions are told apart from those that are done one by one."""

    def __init__(self):
        self.captured_at = []

    def captured(self, action):
        self.captured_at.append(len(DONE))
        return lambda: DONE.append("again")


DONE: list[str] = []


@pytest.fixture
def replay():
    DONE.clear()
    backend, ledger = Recorder(), Ledger()

    def action():
        DONE.append("one by one")
        ledger.add("inner", "fp16", flops=5, bytes=7)
        ledger.add("inner", "fp16", flops=1)
        ledger.add("halo", "fp16", bytes=2)

    return Replay(action, backend, ledger), backend, ledger


def test_an_action_is_captured_at_its_second_time_and_once(replay):
    again, backend, _ = replay
    for _ in range(3):
        again()
    assert DONE == ["one by one", "again", "again"]
    assert backend.captured_at == [1]


def test_each_time_counts_what_the_first_one_counted(replay):
    again, _, ledger = replay
    ledger.add("inner", "fp16", flops=100)
    for _ in range(4):
        again()
    work = ledger.to_dict()
    assert work["inner"]["fp16"]["flops"] == 100 + 4 * 6
    assert work["inner"]["fp16"]["bytes"] == 4 * 7
    assert work["halo"]["fp16"]["bytes"] == 4 * 2
