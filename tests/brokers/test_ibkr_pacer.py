"""The pacer: a window that is never overfull, what goes first, and what replaces what."""

from __future__ import annotations

import bisect

import numpy as np
import pytest

from mmquant.brokers.ibkr_pacer import Pacer, Rank
from mmquant.core.dtypes import NEVER

MS = 1_000_000
SECOND = 1_000_000_000


class Log:
    def __init__(self, pacer: Pacer) -> None:
        self.pacer, self.now = pacer, 0
        self.left: list[tuple[int, object]] = []

    def put(self, rank: Rank, key: object) -> None:
        self.pacer.put(rank, key, lambda: self.left.append((self.now, key)))

    def run_to(self, end: int) -> None:
        """Flush whenever the pacer says that something may leave, up to a time."""
        self.pacer.flush(self.now)
        while (due := self.pacer.next_ts()) <= end:
            self.now = max(self.now, due)
            assert self.pacer.flush(self.now) > 0
        self.now = end


def most_in_a_second(times: list[int]) -> int:
    return max((bisect.bisect_left(times, t + SECOND) - i for i, t in enumerate(times)), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_never_50_in_any_second_and_nothing_is_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = Log(Pacer())
    count = 0
    for _ in range(400):
        for _ in range(int(rng.integers(0, 12))):
            log.put(Rank(int(rng.integers(0, len(Rank)))), count)
            count += 1
        log.run_to(log.now + int(rng.integers(0, 200 * MS)))
    log.run_to(log.now + 300 * SECOND)
    times = [t for t, _ in log.left]
    assert times == sorted(times)
    assert 40 < most_in_a_second(times) < 50
    assert sorted(key for _, key in log.left) == list(range(count))
    assert log.pacer.next_ts() == NEVER


def test_a_cancel_behind_100_changes_leaves_at_once() -> None:
    log = Log(Pacer())
    for i in range(100):
        log.put(Rank.NEW, i)
    log.run_to(10 * MS)
    assert len(log.left) < 50
    log.put(Rank.CANCEL, "cancel")
    log.run_to(11 * MS)
    assert log.left[-1] == (10 * MS, "cancel")


def test_urgent_ones_go_first_and_each_kind_in_order() -> None:
    log = Log(Pacer())
    for rank in reversed(Rank):
        for i in range(3):
            log.put(rank, (rank, i))
    log.run_to(0)
    assert [key for _, key in log.left] == [(rank, i) for rank in Rank for i in range(3)]


def test_a_later_change_takes_the_place_of_the_one_that_waits() -> None:
    pacer, sent = Pacer(), []
    for i in range(60):
        pacer.put(Rank.NEW, ("other", i), lambda: None)
    for text in ("old", "new"):
        pacer.put(Rank.NEW, "order 1", lambda text=text: sent.append(text))
    now = 0
    while len(pacer):
        pacer.flush(now)
        now = pacer.next_ts()
    assert sent == ["new"]


def test_what_is_taken_back_does_not_leave() -> None:
    log = Log(Pacer())
    log.put(Rank.NEW, 1)
    log.put(Rank.NEW, 2)
    assert log.pacer.drop(1) and not log.pacer.drop(1)
    log.run_to(0)
    assert [key for _, key in log.left] == [2]


def test_too_fast_lets_only_cancels_leave_for_a_second_and_then_half_as_many() -> None:
    log = Log(Pacer())
    log.pacer.slow_down(0)
    for i in range(200):
        log.put(Rank.NEW, i)
    log.put(Rank.CANCEL, "cancel")
    log.run_to(SECOND - 1)
    assert [key for _, key in log.left] == ["cancel"]
    log.run_to(20 * SECOND)
    assert most_in_a_second([t for t, _ in log.left]) <= 24
    assert len(log.left) == 201


def test_market_data_leave_room_for_orders() -> None:
    log = Log(Pacer())
    for i in range(100):
        log.put(Rank.DATA, ("data", i))
    log.run_to(1)
    log.put(Rank.NEW, "order")
    log.run_to(2)
    assert log.left[-1] == (1, "order")
