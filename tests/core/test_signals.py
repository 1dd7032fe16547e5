"""Signals against values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core import signals as kernels
from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.signal_state import SIGNALS, make_signal_state, signal_params
from tests.core.signal_runs import BASE, HALF, PARAM, STALE_S, last, one_sided, run, seen
from tests.oracles import signals as oracle


def test_decay_by_half_lives() -> None:
    assert kernels.decay(0.0, 5.0) == 1.0
    assert kernels.decay(5.0, 5.0) == pytest.approx(0.5, rel=1e-15)
    assert kernels.decay(15.0, 5.0) == pytest.approx(0.125, rel=1e-15)
    assert kernels.decay(3.0, math.inf) == 1.0
    assert math.isnan(kernels.decay(3.0, math.nan))
    assert math.isnan(kernels.decay(3.0, 0.0))


@pytest.mark.parametrize("seconds", [1e-9, 1e-4, 0.3, 5.0, 80.0])
def test_mean_decay_is_the_mean_of_decay(seconds: float) -> None:
    assert kernels.mean_decay(0.0, 5.0) == 1.0
    assert kernels.mean_decay(seconds, math.inf) == 1.0
    parts = [kernels.decay((i + 0.5) * seconds / 2_000, 5.0) for i in range(2_000)]
    assert kernels.mean_decay(seconds, 5.0) == pytest.approx(sum(parts) / 2_000, rel=3e-5)
    assert math.isnan(kernels.mean_decay(seconds, -1.0))


def test_small_kernels_by_hand() -> None:
    assert kernels.ewma(4.0, 8.0, 0.75) == 5.0
    assert kernels.balance(3.0, 1.0) == 0.5
    assert math.isnan(kernels.balance(0.0, 0.0))
    assert math.isnan(kernels.balance(math.nan, 1.0))
    assert kernels.root_rate(8.0, 2.0) == 2.0
    assert math.isnan(kernels.root_rate(8.0, 0.0))
    assert kernels.rate(3.0, 2.0) == 1.5
    assert math.isnan(kernels.rate(3.0, 0.0))
    assert kernels.seconds_between(BASE, BASE + 1) == 1e-9


def test_imbalance_weighs_levels() -> None:
    bids, asks = np.array([10, 40, 7], np.int32), np.array([30, 0, 9], np.int32)
    weight = np.array([1.0, 0.5, 0.0])
    assert kernels.book_imbalance(bids, asks, weight) == 0.0
    assert kernels.book_imbalance(bids, asks, np.array([1.0, 0.0])) == -0.5
    # More weights than levels: those beyond count nothing.
    assert kernels.book_imbalance(bids[:1], asks[:1], weight) == -0.5
    assert math.isnan(kernels.book_imbalance(bids, asks, np.zeros(3)))


ORDER_FLOW = [  # best bid, its lots, best ask, its lots after 100, 5, 103, 7: net size on the bid
    (100, 5, 103, 7, 0),
    (100, 9, 103, 7, 4),  # a limit order joins the bid
    (100, 2, 103, 7, -3),  # some of the bid is cancelled or sold to
    (101, 4, 103, 7, 4),  # a better bid
    (98, 6, 103, 7, -5),  # the whole bid goes
    (100, 5, 103, 10, -3),
    (100, 5, 102, 1, -1),  # a better ask
    (100, 5, 105, 8, 7),  # the whole ask goes
    (101, 3, 104, 2, 10),
    (99, 3, 102, 2, -7),
]


@pytest.mark.parametrize(("bid", "bid_lots", "ask", "ask_lots", "net"), ORDER_FLOW)
def test_order_flow_of_one_change(
    bid: int, bid_lots: float, ask: int, ask_lots: float, net: float
) -> None:
    before = (100, 5.0, 103, 7.0)
    assert kernels.order_flow(*before, bid, float(bid_lots), ask, float(ask_lots)) == net


def test_signals_by_hand() -> None:
    """Three changes a second apart, half-lives of a second: weights 1/4, 1/2, 1."""
    history = [
        seen(0, (100, 10), (101, 30), bought=5.0),
        seen(1, (100, 20), (101, 30), bought=9.0, sold=2.0),
        seen(2, (102, 10), (103, 30), bought=9.0, sold=4.0),
        seen(3, (102, 10), (104, 20), bought=9.0, sold=4.0),
    ]
    half = dict.fromkeys(HALF, 1.0)
    found = last(history, **half, level_weights=(1.0,), sample_s=1.0)
    # Squared changes 0, 4 and 1/4; all intervals are one second.
    assert found["volatility"] == pytest.approx(math.sqrt((0.5 * 4 + 0.25) / 1.75), rel=1e-14)
    # e_n: 10; 10 for the better bid and 30 for the ask that went; 30 for the next one that went.
    # Sizes held before each change, halved again at each: 20, 25, 20, and 20 at the start.
    size = 20 / 8 + 20 / 8 + 25 / 4 + 20 / 2
    assert found["order_flow"] == pytest.approx((10 / 4 + 40 / 2 + 30) / (2 * size), rel=1e-14)
    assert found["imbalance"] == (10 - 20) / 30
    assert (found["bid_depth"], found["ask_depth"]) == (10.0, 20.0)
    assert found["buy_rate"] == pytest.approx((4 / 4) / 1.75, rel=1e-14)
    assert found["sell_rate"] == pytest.approx((2 / 4 + 2 / 2) / 1.75, rel=1e-14)
    assert found["trade_rate"] == pytest.approx(2.5 / 1.75, rel=1e-14)
    assert found["trade_imbalance"] == pytest.approx(-0.5 / 2.5, rel=1e-13)


def test_nothing_is_said_before_it_is_warm() -> None:
    history = [seen(i, (100 + i, 10), (101 + i, 10), bought=2.0 * i) for i in range(6)]
    out = run(history, warm=3)
    names = ("volatility", "order_flow", "buy_rate", "sell_rate", "trade_rate", "trade_imbalance")
    for name in names:
        column = out[:, SIGNALS.index(name)]
        assert np.isnan(column[:3]).all()
        assert np.isfinite(column[3:]).all()
    for name in ("imbalance", "bid_depth", "ask_depth"):
        assert np.isfinite(out[:, SIGNALS.index(name)]).all()


def test_what_has_no_half_life_is_not_measured() -> None:
    history = [seen(i, (100 + i, 10), (101 + i, 10), bought=2.0 * i) for i in range(6)]
    for name in HALF:
        found = last(history, **{name: math.nan})
        blank = {signal for signal, value in found.items() if math.isnan(value)}
        assert (
            blank
            == {
                "volatility_halflife_s": {"volatility"},
                "order_flow_halflife_s": {"order_flow"},
                "trade_halflife_s": {"buy_rate", "sell_rate", "trade_rate", "trade_imbalance"},
            }[name]
        )


def test_an_endless_half_life_weighs_all_alike() -> None:
    history = [seen(t, (100 + i, 10), (101 + i, 10), bought=2.0 * i)
               for i, t in enumerate((0, 1, 4, 5, 9))]  # fmt: skip
    found = last(history, **dict.fromkeys(HALF, math.inf))
    assert found["volatility"] == pytest.approx(math.sqrt(4 / 9), rel=1e-14)
    assert found["buy_rate"] == pytest.approx(8 / 9, rel=1e-14)
    assert found["trade_imbalance"] == 1.0


def test_a_quiet_market_has_a_rate_of_zero_and_no_balance() -> None:
    found = last([seen(i) for i in range(5)])
    assert found["volatility"] == found["order_flow"] == found["trade_rate"] == 0.0
    assert math.isnan(found["trade_imbalance"])


def test_mids_closer_than_the_sampling_time_are_passed_over() -> None:
    """A mid that flickers by a tick between samples adds nothing."""
    steady = [seen(i) for i in range(8)]
    between = [seen(i + 0.3, mid=101.5) for i in range(7)]
    flicker = sorted([*steady, *between])
    assert last(flicker, sample_s=1.0)["volatility"] == 0.0
    assert last(flicker, sample_s=0.0)["volatility"] > 1.0


def test_a_book_that_cannot_be_used_is_skipped_until_the_signals_are_stale() -> None:
    good = [seen(i, (100 + i, 10), (101 + i, 30), bought=1.0 * i) for i in range(5)]
    held = last(good)
    for bad in (
        one_sided(5),
        seen(5, (100, 0), (101, 5)),
        seen(5, (101, 5), (101, 5)),
        seen(5, (102, 5), (101, 5)),
    ):
        now = last([*good, bad])
        for name in ("volatility", "imbalance", "bid_depth", "ask_depth", "order_flow"):
            assert now[name] == held[name]
    just = run([*good, one_sided(4 + STALE_S), one_sided(4 + STALE_S + 1e-9)])
    for name in ("volatility", "imbalance", "bid_depth", "ask_depth", "order_flow"):
        assert just[-2, SIGNALS.index(name)] == held[name]
        assert np.isnan(just[-1, SIGNALS.index(name)])
    state, param = make_signal_state(), signal_params(**PARAM)
    bad = (one_sided(5), seen(6, mid=math.nan), seen(7, bought=math.nan))
    used = [
        bool(kernels.update_signals(state[0], param[0], *oracle.arguments(x)))
        for x in (*good, *bad)
    ]
    assert used == [True] * 5 + [False] * 3
    assert (state[0]["updates"], state[0]["books"], state[0]["skipped"]) == (8, 7, 3)


def test_a_gap_is_no_observation() -> None:
    """After a halt the price is elsewhere: nothing was seen of how it got there."""
    good = [seen(i, (100 + i % 2, 10), (101 + i % 2, 10)) for i in range(9)]
    held = last(good)
    after = last([*good, seen(100, (500, 10), (501, 10))])
    assert after["volatility"] == held["volatility"]
    assert abs(after["order_flow"]) < 1e-3
    going_on = last([*good, seen(100, (500, 10), (501, 10)), seen(101, (501, 10), (502, 10))])
    assert going_on["volatility"] == pytest.approx(1.0, rel=1e-12)


def test_counters_that_fall_start_anew() -> None:
    history = [seen(i, bought=10.0 * i, sold=3.0 * i) for i in range(5)]
    again = [*history, seen(5, bought=0.0, sold=0.0), seen(6, bought=10.0, sold=3.0)]
    assert last(again)["buy_rate"] == pytest.approx(10.0, rel=1e-14)
    assert last(again)["sell_rate"] == pytest.approx(3.0, rel=1e-14)


def test_a_time_before_the_last_changes_nothing() -> None:
    history = [seen(i, (100 + i, 10), (101 + i, 10)) for i in range(5)]
    state, param = make_signal_state(), signal_params(**PARAM)
    for x in history:
        kernels.update_signals(state[0], param[0], *oracle.arguments(x))
    before = state.copy()
    late = seen(3.5, (500, 1), (600, 1), bought=9.0)
    assert not kernels.update_signals(state[0], param[0], *oracle.arguments(late))
    before["skipped"] += 1
    assert state.tobytes() == before.tobytes()


def test_empty_sides_are_told_by_their_ticks() -> None:
    assert kernels.usable_book(99, 1.0, 100, 1.0)
    assert not kernels.usable_book(NO_BID, 1.0, 100, 1.0)
    assert not kernels.usable_book(99, 1.0, NO_ASK, 1.0)
    assert not kernels.usable_book(99, math.nan, 100, 1.0)
