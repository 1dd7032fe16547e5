"""Position, cash, fees, and the split of profit and loss, which adds up."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import POSITION
from mmquant.core.portfolio import book_execution, equity_of, fee_of, inventory_at, move_mark
from tests.core.builders import BUY, SELL, examples, instruments

WHAT = instruments(
    lot="0.001", multiplier=100.0, maker_value_rate=-1e-4, taker_value_rate=3e-4,
    maker_unit_rate=0.1, taker_unit_rate=0.2,
)[0]  # fmt: skip


class Fill(NamedTuple):
    """An execution; lots 0 only move the mark."""

    side: int
    lots: int
    price: float
    mid: float = math.nan
    maker: bool = True


def empty() -> Any:
    position = np.zeros(1, POSITION)
    position["mark"] = math.nan
    return position[0]


def book(fills: list[Fill], *, what: Any = WHAT, peer: bool = False) -> Any:
    position = empty()
    for fill in fills:
        if fill.lots:
            book_execution(position, what, *fill[:5], peer)
        else:
            move_mark(position, what, fill.mid)
    return position


prices = st.integers(1, 20_000).map(lambda ticks: ticks / 100)
mids = prices | st.just(math.nan)
fills_of = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(0, 10**6), prices, mids, st.booleans()).map(
        lambda fields: Fill(*fields)
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=examples(400, 100))
@given(fills_of, prices)
def test_the_split_adds_up_to_the_equity(fills: list[Fill], mid: float) -> None:
    position = book(fills)
    equity = equity_of(position, WHAT, mid)
    split = position["spread_pnl"] + inventory_at(position, WHAT, mid) - position["fees"]
    moved = sum(abs(f.mid) for f in fills if math.isfinite(f.mid)) + mid
    scale = position["gross_value"] + abs(position["units"]) * 100.0 * moved + 1.0
    assert abs(equity - split) <= 1e-9 * scale
    if fills and position["gross_value"] > 0.0 and abs(position["lots"]) < 10**3:
        assert abs(equity - split) <= 1e-9 * position["gross_value"] + 1e-9 * scale


@settings(deadline=None, max_examples=examples(200, 50))
@given(fills_of)
def test_position_cash_and_fees_are_the_sums_of_the_fills(fills: list[Fill]) -> None:
    position = book(fills)
    lots = sum(f.side * f.lots for f in fills)
    assert (position["lots"], position["units"]) == (lots, lots / 1000)
    assert position["fills"] == sum(f.lots > 0 for f in fills)
    cash = math.fsum(-f.side * f.price * f.lots / 1000 * 100.0 for f in fills)
    fees = math.fsum(
        f.lots / 1000 * (f.price * 100.0 * (-1e-4 if f.maker else 3e-4) + (0.1 if f.maker else 0.2))
        for f in fills
    )
    scale = position["gross_value"] + position["volume"] + 1.0
    assert abs(position["cash"] - cash) <= 1e-12 * scale
    assert abs(position["fees"] - fees) <= 1e-12 * scale


@settings(deadline=None, max_examples=examples(200, 50))
@given(fills_of, st.sampled_from([BUY, SELL]), st.integers(1, 1000), prices)
def test_a_bust_undoes_an_execution(fills: list[Fill], side: int, lots: int, price: float) -> None:
    before, after = book(fills), book([*fills, Fill(side, lots, price), Fill(side, -lots, price)])
    for name in ("lots", "units", "fills"):
        assert before[name] == after[name]
    for name in ("cash", "fees", "spread_pnl", "volume"):
        assert after[name] == pytest.approx(before[name], rel=1e-9, abs=1e-6)


def test_what_a_fill_captures_is_the_distance_to_the_mid_before_it() -> None:
    position = empty()
    captured, fee = book_execution(position, WHAT, BUY, 2000, 9.9, 10.0, True, False)
    assert captured == pytest.approx(0.1 * 2 * 100)
    assert fee == pytest.approx(9.9 * 2 * 100 * -1e-4 + 2 * 0.1)
    assert inventory_at(position, WHAT, 10.5) == pytest.approx(0.5 * 2 * 100)
    captured, _ = book_execution(position, WHAT, SELL, 2000, 10.4, 10.5, False, False)
    assert captured == pytest.approx(-0.1 * 2 * 100)
    assert position["inventory_pnl"] == pytest.approx(100.0)
    assert equity_of(position, WHAT, math.nan) == pytest.approx(100.0 - position["fees"])


def test_without_a_mid_the_last_mark_stands_in_and_without_that_the_price() -> None:
    position = empty()
    captured, _ = book_execution(position, WHAT, BUY, 1000, 9.9, math.nan, True, False)
    assert (captured, position["mark"]) == (0.0, 9.9)
    move_mark(position, WHAT, 10.0)
    captured, _ = book_execution(position, WHAT, BUY, 1000, 9.9, math.nan, True, False)
    assert captured == pytest.approx(10.0)


@pytest.mark.parametrize("mid", [math.nan, math.inf, -math.inf])
def test_a_mid_that_is_no_number_moves_no_mark(mid: float) -> None:
    position = book([Fill(BUY, 1000, 9.9, 10.0)])
    before = position.copy()
    move_mark(position, WHAT, mid)
    assert position == before


def test_nan_stays_nan() -> None:
    held = book([Fill(BUY, 1000, 9.9, 10.0)])
    assert math.isnan(equity_of(held, WHAT, math.nan))
    assert math.isnan(inventory_at(held, WHAT, math.nan))
    assert math.isnan(fee_of(WHAT, math.nan, 1.0, True))
    assert equity_of(empty(), WHAT, math.nan) == 0.0


def test_peer_arithmetic_sums_units_as_floats() -> None:
    what = instruments(lot="0.1")[0]
    fills = [Fill(BUY, 1, 1.0), Fill(BUY, 2, 1.0)]
    assert book(fills, what=what)["units"] == 0.3
    assert book(fills, what=what, peer=True)["units"] == 0.1 + 2 * 0.1 != 0.3
