"""What a view tells of time, of the tick ladder and of own fills."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.dtypes import NO_ASK, NO_BID, VIEW_LEVELS, MsgKind, OrderEvent
from mmquant.data.contracts import Contract, instrument_rows, tick_to_price
from mmquant.data.ladders import option_ladder, stock_ladder
from tests.core.builders import BUY, SELL, Desk, Want, depth, instruments

DATE = "2024-01-02"
SECOND = 1_000_000_000


def view_of(desk: Desk, inst: int = 0):
    return desk.local.views[inst]


@pytest.mark.parametrize("elapsed", [0, 1, 3 * SECOND // 2, 86_400 * SECOND])
def test_a_view_tells_the_time_and_how_long_it_has_run(elapsed: int) -> None:
    start = 1_700_000_000 * SECOND
    desk = Desk(what=instruments(2), start_ts=start)
    desk.now = start + elapsed - 1
    desk.decide()
    for inst in range(2):
        assert view_of(desk, inst)["now"] == start + elapsed
        assert view_of(desk, inst)["elapsed_s"] == elapsed / 1e9


@pytest.mark.parametrize(
    ("ladder", "bid"),
    [
        (option_ladder("penny"), 298),
        (option_ladder("penny"), 299),
        (option_ladder("penny"), 300),
        (option_ladder("penny"), 412),
        (option_ladder("nickel"), 59),
        (option_ladder("nickel"), 60),
        (stock_ladder("0.005"), 9_999),
        (stock_ladder("0.005"), 10_000),
    ],
)
def test_the_tick_size_is_the_step_above_the_best_bid(ladder, bid: int) -> None:
    contract = Contract(0, "X", "other", "V", ladders=(ladder,))
    desk = Desk(what=instrument_rows([contract], DATE), book=False)
    desk.row(depth(0, BUY, bid, 5))
    desk.row(depth(0, SELL, bid + 3, 5))
    desk.decide()
    low, high = tick_to_price(contract, np.array([bid, bid + 1]), date=DATE)
    assert view_of(desk)["tick_size"] == pytest.approx(high - low, rel=1e-12)


def test_without_a_best_bid_there_is_no_tick_size() -> None:
    desk = Desk(hold_one_sided=1)
    desk.row(depth(5, BUY, 99, 0))
    desk.decide()
    assert math.isnan(view_of(desk)["tick_size"])


def test_the_last_own_fill_of_each_side_and_instrument_is_told() -> None:
    desk = Desk(what=instruments(2))
    desk.decide()
    fields = ("buy_fill_ts", "sell_fill_ts")
    assert [[int(view_of(desk, i)[f]) for f in fields] for i in range(2)] == [[0, 0], [0, 0]]
    bid = desk.working(Want(BUY, 99, 5))
    desk.now = 100
    desk.fill(bid, BUY, 1)
    desk.fill(bid, BUY, 1)
    desk.on(OrderEvent.EXECUTION, 5, side=SELL, lots=1, price=1.0, mid=1.0, inst=1)
    desk.decide()
    assert [[int(view_of(desk, i)[f]) for f in fields] for i in range(2)] == [[102, 0], [0, 103]]


def test_a_bust_is_no_fill() -> None:
    desk = Desk()
    bid = desk.working(Want(BUY, 99, 5))
    desk.fill(bid, BUY, 1, seq=7)
    filled = desk.now
    desk.now = 500
    desk.on(OrderEvent.BUST, bid, side=BUY, seq=7, reason=1)
    desk.decide()
    assert view_of(desk)["buy_fill_ts"] == filled
    assert view_of(desk)["fills"] == 0


def test_the_time_goes_on_while_nothing_may_be_quoted() -> None:
    desk = Desk(what=instruments(2))
    desk.row(depth(5, BUY, 99, 0, 1))
    desk.now = 41
    desk.decide()
    assert [int(view_of(desk, i)["now"]) for i in range(2)] == [42, 42]


@pytest.mark.parametrize("levels", range(VIEW_LEVELS + 1))
def test_no_more_levels_are_shown_than_are_looked_at(levels: int) -> None:
    what = instruments(2)
    what["view_levels"] = [levels, VIEW_LEVELS]
    desk = Desk(what=what)
    for inst in range(2):
        for i in range(1, 7):
            desk.row(depth(i, BUY, 99 - 2 * i, 10 + i, inst))
            desk.row(depth(i, SELL, 101 + 3 * i, 20 + i, inst))
    assert desk.tell(MsgKind.DECISION) == []
    for inst, shown in ((0, levels), (1, VIEW_LEVELS)):
        view, rest = view_of(desk, inst), VIEW_LEVELS - shown
        bids, asks = [99, 97, 95, 93, 91], [101, 104, 107, 110, 113]
        assert view["bid_tick"].tolist() == bids[:shown] + [NO_BID] * rest
        assert view["ask_tick"].tolist() == asks[:shown] + [NO_ASK] * rest
        assert view["bid_lots"].tolist() == [10, 11, 12, 13, 14][:shown] + [0] * rest
        assert view["ask_lots"].tolist() == [10, 21, 22, 23, 24][:shown] + [0] * rest
        assert (view["best_bid"], view["best_ask"], view["mid"]) == (99, 101, 1.0)
