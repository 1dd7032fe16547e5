"""Fewer lines than instruments: what is looked at when, within the budget at all times."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmquant.brokers.ibkr_feed import DEPTH, QUOTES, TRADES
from mmquant.brokers.ibkr_lines import DWELL_NS, OLD_NS, SWAP_NS, TRADES_AGAIN_NS, Budget, Planner
from mmquant.core.dtypes import NEVER
from mmquant.errors import ConfigError

CELLS = 168


def chain_planner(lines: int = 100) -> Planner:
    """A stock with its book and trades, and a chain of options."""
    wanted = [(0, DEPTH), (0, TRADES), *((i, QUOTES) for i in range(CELLS + 1))]
    steady = {(0, DEPTH), (0, TRADES), (0, QUOTES)}
    return Planner(wanted, steady, Budget(lines=lines))


def test_a_whole_chain_takes_turns_within_the_budget() -> None:
    planner = chain_planner()
    now, swaps = 10**12, 0
    looked_at: Counter[int] = Counter()
    active: set[tuple[int, str]] = set()
    longest_unseen = 0
    for _ in range(4_000):
        changes = planner.changes(now)
        for change in changes:
            key = (change.inst, change.stream)
            assert (key in active) != change.begin
            (active.add if change.begin else active.remove)(key)
            looked_at[change.inst] += change.begin and change.stream == QUOTES
        swaps += len(changes) == 2
        streams = Counter(stream for _, stream in active)
        assert streams[QUOTES] <= 100 and streams[DEPTH] <= 3 and streams[TRADES] <= 5
        assert {(0, DEPTH), (0, TRADES), (0, QUOTES)} <= active
        unseen = [i for i in range(1, CELLS + 1) if (i, QUOTES) not in active]
        if now > 10**12 + 10**11:
            longest_unseen = max([longest_unseen, *(now - planner.seen[i, QUOTES] for i in unseen)])
        now += 50_000_000
    assert min(looked_at[i] for i in range(1, CELLS + 1)) > 3
    assert swaps * SWAP_NS <= 4_000 * 50_000_000, "no more than one change of cells at a time"
    assert longest_unseen < 2 * (CELLS - 99) * SWAP_NS


def test_cells_with_orders_keep_their_lines_and_others_get_one_when_they_need_it() -> None:
    planner = chain_planner(lines=10)
    now = 10**12
    planner.changes(now)
    hot = {1, 2, 150}
    for _ in range(2_000):
        now += 50_000_000
        planner.changes(now, hot)
        if now > 10**12 + 5 * 10**9:
            assert all((i, QUOTES) in planner.active for i in hot)
    assert len(planner.active) == 12


def test_a_cell_is_looked_at_for_a_while() -> None:
    planner = chain_planner(lines=5)
    began: dict[int, int] = {}
    now = 10**12
    for _ in range(1_000):
        for change in planner.changes(now):
            if change.begin:
                began[change.inst] = now
            else:
                assert now - began.pop(change.inst) >= DWELL_NS
        now += 100_000_000


def test_what_was_not_seen_for_long_is_old_and_what_has_a_line_is_not() -> None:
    planner = Planner([(i, QUOTES) for i in range(3)], budget=Budget(lines=1))
    planner.changes(10**12)
    assert set(planner.too_old(10**12 + 1)) == {1, 2}, "never seen"
    planner.seen[1, QUOTES] = 10**12
    assert set(planner.too_old(10**12 + OLD_NS)) == {2}
    assert set(planner.too_old(10**12 + OLD_NS + 1)) == {1, 2}


def test_all_that_fits_is_subscribed_to_once_and_for_all() -> None:
    planner = Planner([(i, QUOTES) for i in range(50)])
    assert len(planner.changes(0)) == 50
    assert planner.next_ts() == NEVER
    assert [planner.changes(t * 10**9) for t in range(9)] == [[]] * 9


def test_trades_are_asked_for_once_in_their_time() -> None:
    planner = Planner([(0, TRADES)], {(0, TRADES)})
    assert len(planner.changes(0)) == 1
    planner.restart()
    assert planner.changes(TRADES_AGAIN_NS - 1) == []
    assert len(planner.changes(TRADES_AGAIN_NS)) == 1


def test_what_is_needed_all_the_time_must_fit() -> None:
    with pytest.raises(ConfigError, match="4 streams of depth are needed, 3 may be had"):
        Planner([(i, DEPTH) for i in range(4)], {(i, DEPTH) for i in range(4)})


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_broker_refuses_the_rest_goes_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    planner = chain_planner(lines=20)
    now = 10**12
    for _ in range(500):
        planner.changes(now)
        keys = [key for key in planner.active if key[1] == QUOTES and key not in planner.steady]
        if keys and rng.random() < 0.02:
            before = planner.budget.lines
            planner.refused(keys[int(rng.integers(len(keys)))])
            assert planner.budget.lines < before
        quotes = sum(stream == QUOTES for _, stream in planner.active)
        assert quotes <= planner.budget.lines
        now += 100_000_000
