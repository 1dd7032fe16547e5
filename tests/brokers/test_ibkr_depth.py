"""Books by position under both readings, against a book that is kept whole."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmquant.brokers.ibkr_depth import (
    ASKS,
    BIDS,
    DELETE,
    INSERT,
    PATIENCE_NS,
    UPDATE,
    PositionBook,
    TouchBook,
)

ROWS = 5


def shown(book: PositionBook | TouchBook, levels: dict[tuple[int, int], int]) -> None:
    """Apply what changed to levels by side and tick."""
    for side, tick, lots in book.take_changes():
        if lots:
            levels[side, tick] = lots
        else:
            del levels[side, tick]


def expected(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> dict:
    total: Counter[tuple[int, int]] = Counter()
    for side, rows in ((1, bids), (-1, asks)):
        for tick, lots in rows:
            total[side, tick] += lots
    return dict(total)


def random_market(rng: np.random.Generator) -> tuple[list, list]:
    mid = int(rng.integers(990, 1010))
    bids = sorted(((mid - int(d), int(n)) for d, n in rng.integers(1, 6, (ROWS, 2))), reverse=True)
    asks = sorted((mid + int(d), int(n)) for d, n in rng.integers(1, 6, (ROWS, 2)))
    return [*bids], [*asks]


@pytest.mark.parametrize("seed", range(8))
def test_row_rewrites_give_the_market_under_either_reading(seed: int) -> None:
    """As a recorded stream has it: each row is rewritten, or added or taken at the end."""
    rng = np.random.default_rng(seed)
    book, levels = PositionBook(ROWS), {}
    held = {BIDS: 0, ASKS: 0}
    for now in range(200):
        bids, asks = random_market(rng)
        cut = {BIDS: int(rng.integers(0, ROWS + 1)), ASKS: int(rng.integers(0, ROWS + 1))}
        bids, asks = bids[: cut[BIDS]], asks[: cut[ASKS]]
        for k, rows in ((BIDS, bids), (ASKS, asks)):
            while held[k] > len(rows):
                held[k] -= 1
                book.apply(held[k], DELETE, k, 0, 0)
            for at, (tick, lots) in enumerate(rows):
                book.apply(at, INSERT if at >= held[k] else UPDATE, k, tick, lots)
            held[k] = len(rows)
        assert book.settle(now)
        shown(book, levels)
        assert levels == expected(bids, asks)


@pytest.mark.parametrize("seed", range(8))
def test_shifting_inserts_and_deletes_give_the_market(seed: int) -> None:
    """One row comes or goes at a time, anywhere; the last of a full side falls out."""
    rng = np.random.default_rng(seed)
    book, levels = PositionBook(ROWS), {}
    sides: dict[int, list[tuple[int, int]]] = {BIDS: [], ASKS: []}
    for now in range(400):
        k = int(rng.integers(0, 2))
        rows = sides[k]
        if rows and rng.random() < 0.45:
            at = int(rng.integers(0, len(rows)))
            del rows[at]
            book.apply(at, DELETE, k, 0, 0)
        else:
            tick = 1000 + (-1 if k == BIDS else 1) * int(rng.integers(1, 8))
            ticks = [t for t, _ in rows]
            better = [t > tick if k == BIDS else t < tick for t in ticks]
            at = sum(better)
            if at == ROWS:
                continue
            rows.insert(at, (tick, int(rng.integers(1, 9))))
            del rows[ROWS:]
            book.apply(at, INSERT, k, *rows[at])
        assert book.settle(now) and book.shifts
        shown(book, levels)
        assert levels == expected(sides[BIDS], sides[ASKS])


def test_overwriting_inserts_are_seen_as_such() -> None:
    book, levels = PositionBook(ROWS), {}
    for at, tick in enumerate((100, 99, 98)):
        book.apply(at, INSERT, BIDS, tick, 1)
    assert book.settle(0)
    for at, tick in enumerate((99, 98, 97)):
        book.apply(at, INSERT, BIDS, tick, 2)
    # Moved down, the old rows would be 99 98 97 100 99: not sorted.
    assert book.settle(1) and not book.shifts
    shown(book, levels)
    assert levels == {(1, 99): 2, (1, 98): 2, (1, 97): 2}


def test_deletes_that_leave_a_hole_are_seen_as_such() -> None:
    book, levels = PositionBook(ROWS), {}
    for at, tick in enumerate((100, 99, 98)):
        book.apply(at, INSERT, BIDS, tick, 1)
    book.apply(0, DELETE, BIDS, 0, 0)
    book.apply(0, INSERT, BIDS, 101, 3)
    book.apply(1, DELETE, BIDS, 0, 0)
    book.apply(1, INSERT, BIDS, 100, 3)
    book.apply(2, UPDATE, BIDS, 99, 3)
    assert book.settle(0)
    shown(book, levels)
    assert levels == {(1, 101): 3, (1, 100): 3, (1, 99): 3}


@pytest.mark.parametrize("operations", [
    [(0, INSERT, BIDS, 100, 1), (0, INSERT, ASKS, 99, 1)],
    [(0, INSERT, BIDS, 100, 1), (1, INSERT, BIDS, 101, 1)],
    [(3, UPDATE, BIDS, 100, 1)],
    [(0, DELETE, ASKS, 0, 0)],
    [(-1, INSERT, ASKS, 100, 1)],
])  # fmt: skip
def test_what_makes_no_sense_is_not_shown_and_given_up_after_a_while(operations) -> None:
    book, levels = PositionBook(ROWS), {}
    book.apply(0, INSERT, BIDS, 90, 7)
    book.apply(0, INSERT, ASKS, 110, 7)
    book.settle(0)
    shown(book, levels)
    book.clear()
    for operation in operations:
        book.apply(*operation)
    assert not book.settle(10)
    assert not book.is_lost(10) and book.lost_at() == 10 + PATIENCE_NS
    assert not book.settle(20)
    assert not book.is_lost(9 + PATIENCE_NS) and book.is_lost(10 + PATIENCE_NS)
    book.clear()
    assert book.settle(30) and not book.is_lost(10 + 2 * PATIENCE_NS)
    shown(book, levels)
    assert levels == {}


def test_a_change_in_pieces_is_waited_for() -> None:
    """Rows move down by two: after the first piece they are not sorted."""
    book, levels = PositionBook(ROWS), {}
    for at, tick in enumerate((100, 99)):
        book.apply(at, INSERT, BIDS, tick, 1)
    book.settle(0)
    shown(book, levels)
    book.apply(0, UPDATE, BIDS, 97, 2)
    assert not book.settle(1)
    book.apply(1, UPDATE, BIDS, 96, 2)
    assert book.settle(2) and book.lost_at() is None
    shown(book, levels)
    assert levels == {(1, 97): 2, (1, 96): 2}


def test_what_goes_comes_first_so_that_no_state_between_is_crossed() -> None:
    book, bids, asks = PositionBook(ROWS), {}, {}
    rng = np.random.default_rng(1)
    held = False
    for now in range(100):
        market = random_market(rng)
        for k, rows in zip((BIDS, ASKS), market, strict=True):
            for at, row in enumerate(rows):
                book.apply(at, UPDATE if held else INSERT, k, *row)
        held = True
        assert book.settle(now)
        for side, tick, lots in book.take_changes():
            level = bids if side > 0 else asks
            level[tick] = lots
            live_bids = [t for t, n in bids.items() if n]
            live_asks = [t for t, n in asks.items() if n]
            assert not (live_bids and live_asks and max(live_bids) > min(live_asks))


def test_best_prices_alone() -> None:
    book, levels = TouchBook(), {}
    book.set_price(BIDS, 100, 3)
    book.set_price(ASKS, 102, 4)
    shown(book, levels)
    assert levels == {(1, 100): 3, (-1, 102): 4}
    book.set_lots(BIDS, 5)
    shown(book, levels)
    assert levels == {(1, 100): 5, (-1, 102): 4}
    book.set_price(BIDS, 103, 1)
    assert book.is_crossed()
    book.set_price(ASKS, None, 0)
    assert not book.is_crossed()
    shown(book, levels)
    assert levels == {(1, 103): 1}
    book.set_lots(BIDS, 0)
    book.set_lots(ASKS, 9)
    shown(book, levels)
    assert levels == {}
