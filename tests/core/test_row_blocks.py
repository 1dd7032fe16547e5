"""What vectors tell of a block of rows is what each row says of itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from mmquant.core.bits import trailing_zeros
from mmquant.core.book import LEVEL
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.exchange import LANES
from mmquant.core.jit import kernel
from mmquant.core.plain_rows import NARROW
from mmquant.core.records import copy_record
from mmquant.core.row_block import (
    ALL,
    FEW,
    block_facts,
    block_heads,
    block_times,
    set_block,
)
from tests.core.builders import examples
from tests.core.plain import plain

EXTREMES = (NO_BID + 1, -NARROW, -1, 0, 1, NARROW, NO_ASK - 1)
MOST = 2**31 - 1
KINDS_AND_LOTS = ((1, 0), (1, 3), (2, 0), (2, FEW - 1), (2, FEW), (2, -1), (3, 1), (-1, 1))
LANE_MASKS = (0, ALL, 1, 1 << 15, 0x00FF, 0x7FFF)
SEEDS = range(examples(80, 8))


@kernel
def times_of(exch_ts, row, until):
    return block_times(exch_ts, row, until)


@kernel
def facts_of(kind, side, tick, size, row, lanes, base, window, bid, ask, own_bid, own_ask):
    return block_facts(kind, side, tick, size, row, lanes, base, window, bid, ask, own_bid, own_ask)


@kernel
def heads_of(level, side, tick, row, bits, origin, window):
    return block_heads(level, side, tick, row, bits, origin, window)


@kernel
def set_levels(level, side, tick, size, row, bits, origin, window):
    set_block(level, side, tick, size, row, bits, origin, window)
    return 0


@kernel
def zeros_of(bits):
    return trailing_zeros(bits)


@kernel
def copy_first(rows):
    copy_record(rows[1], rows[0])


def both(function: Any) -> tuple[Any, ...]:
    """The compiled kernel and its twin in plain Python."""
    return function, plain(function)


class Rows(NamedTuple):
    """Columns of a tape."""

    kind: np.ndarray
    side: np.ndarray
    tick: np.ndarray
    size: np.ndarray


class Prices(NamedTuple):
    """Bounds of the best prices, and of own orders."""

    bid: int
    ask: int
    own_bid: int
    own_ask: int


def random_columns(rng: np.random.Generator, rows: int, middle: int, window: int) -> Rows:
    """Rows around a market, some of them at the ends of what a column and the window hold."""
    base = middle - window // 2
    tick = middle + rng.integers(-6, 7, rows)
    edges = np.array([base - 1, base, base + window - 1, base + window])
    odd = rng.random(rows) < rng.choice([0.0, 0.1, 0.5])
    tick[odd] = rng.choice(np.concatenate([edges, EXTREMES]), int(odd.sum()))
    size = rng.choice([0, 1, 2, 5], rows)
    odd = rng.random(rows) < rng.choice([0.0, 0.1, 0.5])
    size[odd] = rng.choice([0, 1, FEW - 1, FEW, MOST], int(odd.sum()))
    kinds = [1] * 6 + [2] * 3 + ([1] if rng.random() < 0.5 else [3, 4, 5, -1, -2])
    kind = rng.choice(kinds, rows)
    if rng.random() < 0.2:
        # The most that trades of a block may come to.
        kind[:], size[:] = RowKind.TRADE, FEW - 1
    return Rows(
        kind.astype(np.int8),
        rng.choice([-1, 0, 1], rows).astype(np.int8),
        tick.astype(np.int32),
        size.astype(np.int32),
    )


def random_prices(rng: np.random.Generator, middle: int) -> Prices:
    def one(absent: int, low: int, high: int) -> int:
        draw = rng.random()
        if draw < 0.7:
            return middle + int(rng.integers(low, high))
        return absent if draw < 0.9 else int(rng.choice(EXTREMES))

    return Prices(one(NO_BID, -4, 2), one(NO_ASK, -1, 5), one(NO_BID, -7, 0), one(NO_ASK, 1, 8))


def is_fit(kind: int, side: int, tick: int, lots: int, at: Prices) -> bool:
    """A row that fills no own order and does not cross, in Python's own integers."""
    sells = side < 0
    reaches_own = tick <= at.own_bid if sells else tick >= at.own_ask
    if kind == RowKind.DEPTH:
        crosses = tick <= at.bid if sells else tick >= at.ask
        return lots == 0 or not (reaches_own or crosses)
    return kind == RowKind.TRADE and not reaches_own and lots < 2**27


def is_blurred(kind: int, side: int, tick: int, lots: int, at: Prices) -> bool:
    """A row that is not fit for the bounds of best prices alone."""
    bare = at._replace(bid=NO_BID - 1, ask=NO_ASK + 1)
    return kind == RowKind.DEPTH and is_fit(kind, side, tick, lots, bare)


def is_better(kind: int, side: int, tick: int, lots: int, at: Prices) -> bool:
    """A depth row with lots beyond the best price of its side."""
    if kind != RowKind.DEPTH or lots == 0:
        return False
    return tick < at.ask if side < 0 else tick > at.bid


def bits_where(lanes: dict[int, bool]) -> int:
    return sum(2**lane for lane, yes in lanes.items() if yes)


@pytest.mark.parametrize("seed", SEEDS)
def test_facts_of_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, window = LANES + 5, int(rng.choice([64, 1 << 15]))
    base = int(rng.choice([0, 1000, -500, NARROW - 1, 1 - NARROW]))
    middle = base + window // 2
    columns, at = random_columns(rng, rows, middle, window), random_prices(rng, middle)
    for row in range(rows - LANES + 1):
        asked = int(rng.choice([*LANE_MASKS, int(rng.integers(ALL + 1))]))
        row_of = {
            i: tuple(int(column[row + i]) for column in columns)
            for i in range(LANES)
            if asked & 2**i
        }
        kind = {i: r[0] for i, r in row_of.items()}
        inside = {i: base <= r[2] <= base + window - 1 for i, r in row_of.items()}
        better = {i: is_better(*r, at) for i, r in row_of.items()}
        unfit = {i: not is_fit(*r, at) for i, r in row_of.items()}
        trades = [i for i in row_of if kind[i] == RowKind.TRADE]
        wanted = (
            bits_where(unfit),
            bits_where({i: unfit[i] and is_blurred(*r, at) for i, r in row_of.items()}),
            bits_where(better),
            bits_where({i: inside[i] for i in row_of if kind[i] == RowKind.DEPTH}),
            bits_where({i: not inside[i] for i in row_of if kind[i] == RowKind.DEPTH}),
            trades[-1] if trades else -1,
            max([at.bid, *(r[2] for i, r in row_of.items() if better[i] and r[1] >= 0)]),
            min([at.ask, *(r[2] for i, r in row_of.items() if better[i] and r[1] < 0)]),
        )
        for way in both(facts_of):
            found = tuple(int(x) for x in way(*columns, row, asked, base, window, *at))
            assert found[:8] == wanted, (row, asked, row_of, at)
            if not any(unfit[i] for i in trades):
                for sign, total in ((1, found[8]), (-1, found[9])):
                    assert total == sum(row_of[i][3] for i in trades if row_of[i][1] == sign)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("own", [True, False])
def test_every_distance_from_a_price(sign: int, own: bool) -> None:
    """One row in each lane, at a best price or a bound of own orders and a tick to both sides."""
    at = Prices(99, 101, 95 if own else NO_BID, 105 if own else NO_ASK)
    for tick in range(93, 108):
        for kind, lots in (
            (1, 0),
            (1, 3),
            (2, 0),
            (2, FEW - 1),
            (2, FEW),
            (2, -1),
            (3, 1),
            (-1, 1),
        ):
            columns = Rows(
                np.full(LANES, kind, np.int8),
                np.full(LANES, sign, np.int8),
                np.full(LANES, tick, np.int32),
                np.full(LANES, lots, np.int32),
            )
            fit = is_fit(kind, sign, tick, lots, at) and lots >= 0
            better = is_better(kind, sign, tick, lots, at)
            for way in both(facts_of):
                for asked in (ALL, 1 << (tick % LANES)):
                    found = way(*columns, 0, asked, 64, 64, *at)
                    assert int(found[0]) == (0 if fit else asked)
                    assert int(found[2]) == (asked if better else 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_times_of_blocks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = int(rng.choice([0, 1_700_000_000_000_000_000, -(2**62), 2**62, 2**32 - 5]))
    times = start + np.cumsum(rng.integers(0, 3, LANES + 7))
    for row in range(8):
        for until in (int(rng.choice(times)), start - 1, start + 10**6, 2**63 - 1, -(2**63)):
            wanted = bits_where({i: int(times[row + i]) <= until for i in range(LANES)})
            for way in both(times_of):
                assert int(way(times, row, until)) == wanted


@pytest.mark.parametrize("seed", SEEDS)
def test_levels_of_blocks(seed: int) -> None:
    """Rows of a few levels, so that many are set more than once in a block."""
    rng = np.random.default_rng(seed)
    rows, window = LANES + 5, 64
    base = int(rng.choice([0, 1000, -500, NARROW - 1, 1 - NARROW]))
    ticks = base + rng.choice([0, 1, 30, 31, 32, window - 1], rows)
    side = rng.choice([-1, 0, 1], rows).astype(np.int8)
    size = rng.choice([0, 1, 7, MOST], rows).astype(np.int32)
    outside = rng.random(rows) < 0.2
    tick = np.where(outside, rng.choice(EXTREMES, rows), ticks).astype(np.int32)
    level = np.zeros(1 + 2 * window + 16, LEVEL)
    level["lots"][1:] = rng.integers(0, 9, len(level) - 1)
    level["head"][1:] = rng.choice([0, 0, 1, 5, MOST], len(level) - 1)
    for row in range(rows - LANES + 1):
        asked = int(rng.choice([*LANE_MASKS, int(rng.integers(ALL + 1))]))
        bits = asked & bits_where({i: not outside[row + i] for i in range(LANES)})
        lots, owned = level["lots"].copy(), {}
        for i in range(LANES):
            at = row + i
            if bits & 2**i:
                cell = 1 + int(tick[at]) - base + (window if side[at] < 0 else 0)
                lots[cell], owned[i] = size[at], bool(level[cell]["head"])
        for heads, write in zip(both(heads_of), both(set_levels), strict=True):
            mine = level.copy()
            assert int(heads(mine, side, tick, row, bits, 1 - base, window)) == bits_where(owned)
            write(mine, side, tick, size, row, bits, 1 - base, window)
            assert mine["lots"].tolist() == lots.tolist()
            assert mine["head"].tolist() == level["head"].tolist()


@pytest.mark.parametrize(
    ("bits", "zeros"), [(0, 64), (1, 0), (8, 3), (-1, 0), (-(2**63), 63), (~0xFFFF, 16)]
)
def test_zeros_at_the_end(bits: int, zeros: int) -> None:
    assert zeros_of(bits) == zeros


def test_a_record_is_copied_whole() -> None:
    kind = np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2", (3,)), ("d", "i4")], align=True)
    rows = np.zeros(3, kind)
    rows[0] = (7, -0.0, (1, 2, 3), -5)
    rows[2] = (1, 1.0, (9, 9, 9), 9)
    before = rows.copy()
    copy_first(rows)
    for name in kind.names or ():
        assert rows[name][1].tobytes() == before[name][0].tobytes()
        assert rows[name][[0, 2]].tobytes() == before[name][[0, 2]].tobytes()
