"""What the built-in quoting remembers, and what it does by the clock, computed by hand.

The market is 100 × 104 at first; two ticks half spread and ten lots give a bid at 100 and an ask at
104, and each tick by which the market moves is a tick by which both quotes want to move.
"""

from __future__ import annotations

from typing import Any

import pytest

from mmquant.core.dtypes import TimeInForce
from mmquant.core.maker_params import Placement, Skew
from tests.core.makers import (
    BASE,
    STANDING_NS,
    Case,
    Maker,
    Row,
    ask,
    at,
    bid,
    market,
    no_ask,
    no_bid,
    nothing,
    one,
    story,
)


def moved(ticks: int, at_s: float = 0.0, **fields: Any) -> dict[str, Any]:
    """The market some ticks higher."""
    return {"best_bid": 100 + ticks, "best_ask": 104 + ticks, "at_s": at_s} | fields


def both(ticks: int) -> tuple[Row, Row]:
    return bid(100 + ticks), ask(104 + ticks)


TWO = {"layers": 2, "layer_offset_ticks": [0, 3]}

TOLERANCE = [
    # what is wanted is 1 away, 2 away, and 1 away from where the quote then is
    story(
        "price_tolerance_ticks", {"price_tolerance_ticks": 1.5},
        (moved(0), both(0)),
        (moved(1), both(0)),
        (moved(2), both(2)),
        (moved(1), both(2)),
        (moved(0), both(0)),
    ),
    story("price_tolerance_ticks", {"price_tolerance_ticks": 2},
          (moved(0), both(0)), (moved(-2), both(0)), (moved(-3), both(-3))),
    # each layer by itself: of wanted 101 and 98 only the second is more than 2 from 100 and 95
    story("price_tolerance_ticks", {"price_tolerance_ticks": 2} | TWO,
          (moved(0), (bid(100), bid(97), ask(104), ask(107))),
          (moved(1), (bid(100), bid(97), ask(104), ask(107))),
          (moved(3), (bid(103), bid(100), ask(107), ask(110)))),
    # the wanted size is 2 off, 4 off
    story(
        "size_tolerance_lots", {"size_skew": 0.1, "size_tolerance_lots": 3},
        ({}, (bid(100, 10), ask(104))),
        ({"position": 20}, (bid(100, 10), ask(104))),
        ({"position": 40}, (bid(100, 6), ask(104))),
        ({"position": 10}, (bid(100, 6), ask(104))),
    ),
    # a size out of tolerance is set anew at the price that is wanted now
    story(
        "size_tolerance_lots",
        {"size_skew": 0.1, "size_tolerance_lots": 1, "price_tolerance_ticks": 5},
        (moved(0), both(0)),
        (moved(1, position=10), both(0)),
        (moved(1, position=20), (bid(101, 8), ask(104))),
    ),
    # what a limit leaves of a size is no change of mind: 5 of 10 wanted lots, both times
    story("price_tolerance_ticks", {"price_tolerance_ticks": 3, "max_position_lots": 25},
          (moved(0, position=20), (bid(100, 5), ask(104))),
          (moved(1, position=20), (bid(100, 5), ask(104))),
          (moved(4, position=20), (bid(104, 5), ask(108)))),
    # nor that of a quote that was there before: 10 lots, then 7, within 3
    story(
        "size_tolerance_lots",
        {"size_tolerance_lots": 3, "price_tolerance_ticks": 3, "max_position_lots": 25},
        (moved(0), both(0)),
        (moved(1, position=18), (bid(100, 7), ask(104))),
        (moved(1, position=18), (bid(100, 7), ask(104))),
        (moved(1, position=22), (bid(101, 3), ask(104))),
    ),
    # the first layer, whose size is 2 off, moves to 97: the second may not stay there, 3 from 94
    story(
        "price_tolerance_ticks",
        TWO | {"layer_lots": [20, 10], "size_skew": 0.1, "size_tolerance_lots": 1,
               "price_tolerance_ticks": 3},
        (moved(0), (bid(100, 20), bid(97), ask(104, 20), ask(107))),
        (moved(-3, position=10), (bid(97, 18), bid(94, 9), ask(104, 20), ask(107))),
    ),
    # within the tolerance, but at or beyond the other side: the bid goes where it is wanted
    story("price_tolerance_ticks", {"price_tolerance_ticks": 9},
          (moved(0), both(0)), (moved(-4), (bid(96), ask(104))), (moved(0), (bid(96), ask(104)))),
    story("price_tolerance_ticks", {"price_tolerance_ticks": 9},
          (moved(0), both(0)), (moved(4), (bid(100), ask(108)))),
    # which is allowed where quotes are free: wanted are 97 and 101, then 103 and 107
    story("placement", {"price_tolerance_ticks": 9, "placement": Placement.FREE},
          (moved(0), both(0)),
          ({"best_bid": 98, "best_ask": 100}, both(0)),
          ({"best_bid": 104, "best_ask": 106}, both(0))),
    story("placement", {"price_tolerance_ticks": 9},
          (moved(0), both(0)),
          ({"best_bid": 98, "best_ask": 100}, (bid(97), ask(104))),
          ({"best_bid": 104, "best_ask": 106}, (bid(97), ask(107)))),
    # but no bid stays at or above the price at which the ask is wanted: 96 and 100, then 99 and 103
    story("price_tolerance_ticks", {"price_tolerance_ticks": 9, "placement": Placement.FREE},
          (moved(0), both(0)), (moved(-4), (bid(96), ask(104))), (moved(3), (bid(96), ask(104)))),
    story("price_tolerance_ticks", {"price_tolerance_ticks": 9, "placement": Placement.FREE},
          (moved(0), both(0)), (moved(4), (bid(100), ask(108))), (moved(-3), (bid(100), ask(108)))),
    # the market is wide: the bid could stay at 100, but an ask at 100 is wanted
    story("refresh_s", {"refresh_s": 9, "ask_delay_s": 2},
          (moved(0, 0.0, sold_s=-1.0), (bid(100), no_ask("PULL_AFTER_FILL"))),
          ({"best_bid": 95, "best_ask": 101, "at_s": 3.0, "sold_s": -1.0}, (bid(96), ask(100)))),
    story("refresh_s", {"refresh_s": 9, "bid_delay_s": 2},
          (moved(0, 0.0, bought_s=-1.0), (no_bid("PULL_AFTER_FILL"), ask(104))),
          ({"best_bid": 103, "best_ask": 109, "at_s": 3.0, "bought_s": -1.0},
           (bid(104), ask(108)))),
    # as long as no ask is wanted the bid stays
    story("refresh_s", {"refresh_s": 9, "ask_delay_s": 2},
          (moved(0, 0.0, sold_s=-1.0), (bid(100), no_ask("PULL_AFTER_FILL"))),
          ({"best_bid": 95, "best_ask": 101, "at_s": 0.5, "sold_s": -1.0},
           (bid(100), no_ask("PULL_AFTER_FILL")))),
]  # fmt: skip

REFRESH = [
    # 4.9 s later the quotes stay, 5 s later they move
    story(
        "refresh_s", {"refresh_s": 5},
        (moved(0, 10.0), both(0)),
        (moved(3, 14.9), both(0)),
        (moved(3, 15.0), both(3)),
        (moved(1, 19.9), both(3)),
        (moved(1, 20.0), both(1)),
    ),
    # what stayed because nothing else was wanted may move at any time after
    story("refresh_s", {"refresh_s": 5},
          (moved(0, 0.0), both(0)), (moved(0, 7.0), both(0)), (moved(1, 7.1), both(1))),
    # a bid that would cross moves at once, and stays from then on
    story(
        "refresh_s", {"refresh_s": 5},
        (moved(0, 0.0), both(0)),
        (moved(-4, 1.0), (bid(96), ask(104))),
        (moved(-6, 5.5), (bid(96), ask(98))),
        (moved(-6, 6.0), (bid(94), ask(98))),
    ),
    # the size stays too
    story("refresh_s", {"refresh_s": 5, "size_skew": 0.1},
          (moved(0, 0.0), both(0)),
          (moved(0, 4.0, position=50), both(0)),
          (moved(0, 5.0, position=50), (bid(100, 5), ask(104)))),
    # but not beyond a limit: 25 - 18 = 7
    story("refresh_s", {"refresh_s": 5, "max_position_lots": 25},
          (moved(0, 0.0), both(0)),
          (moved(2, 1.0, position=18), (bid(100, 7), ask(104))),
          (moved(2, 2.0, position=25), (no_bid("PULL_LIMIT"), ask(104)))),
    # a layer that a limit left out starts anew; what stays keeps its size of 25 - 16 lots
    story("refresh_s", {"refresh_s": 50, "max_position_lots": 25} | TWO,
          (moved(0, 0.0, position=10), (bid(100), bid(97, 5), ask(104), ask(107))),
          (moved(0, 1.0, position=16), (bid(100, 9), ask(104), ask(107))),
          (moved(2, 2.0, position=10), (bid(100, 9), bid(99, 6), ask(104), ask(107)))),
    # all layers of a side that was pulled start anew
    story("refresh_s", {"refresh_s": 50, "bid_delay_s": 2} | TWO,
          (moved(0, 0.0), (bid(100), bid(97), ask(104), ask(107))),
          (moved(1, 1.5, bought_s=1.0), (no_bid("PULL_AFTER_FILL"), ask(104), ask(107))),
          (moved(1, 3.0, bought_s=1.0), (bid(101), bid(98), ask(104), ask(107)))),
    # and so does a side that was pulled
    story("refresh_s", {"refresh_s": 50, "bid_delay_s": 2},
          (moved(0, 0.0), both(0)),
          (moved(1, 1.5, bought_s=1.0), (no_bid("PULL_AFTER_FILL"), ask(104))),
          (moved(1, 3.0, bought_s=1.0), (bid(101), ask(104)))),
]  # fmt: skip

CLOCK = [
    # 2.999 s and 3 s after the fill
    one("bid_delay_s", {"bid_delay_s": 3}, {"at_s": 9.999, "bought_s": 7.0},
        no_bid("PULL_AFTER_FILL"), ask(104)),
    one("bid_delay_s", {"bid_delay_s": 3}, {"at_s": 10.0, "bought_s": 7.0}, bid(100), ask(104)),
    one("bid_delay_s", {"bid_delay_s": 3}, {"at_s": 1.0, "sold_s": 0.5}, bid(100), ask(104)),
    one("ask_delay_s", {"ask_delay_s": 0.2}, {"at_s": 0.3, "sold_s": 0.2},
        bid(100), no_ask("PULL_AFTER_FILL")),
    one("ask_delay_s", {"ask_delay_s": 0.2}, {"at_s": 0.4, "sold_s": 0.2}, bid(100), ask(104)),
    one("ask_delay_s", {"ask_delay_s": 3}, {"at_s": 1.0, "bought_s": 0.5}, bid(100), ask(104)),
    story("start_s", {"start_s": 10},
          ({"at_s": 9.999}, nothing("PULL_WINDOW")), ({"at_s": 10.0}, both(0))),
    story("stop_s", {"stop_s": 20},
          ({"at_s": 19.999}, both(0)), ({"at_s": 20.0}, nothing("PULL_WINDOW"))),
    # out of the window, all is forgotten
    story("start_s", {"start_s": 10, "stop_s": 20, "refresh_s": 100},
          (moved(0, 10.0), both(0)), (moved(2, 19.0), both(0)),
          (moved(2, 20.0), nothing("PULL_WINDOW"))),
    # longer than the window of the other one
    one("", {"bid_delay_s": 5, "ask_delay_s": 1}, {"at_s": 4.0, "bought_s": 2.0, "sold_s": 2.0},
        no_bid("PULL_AFTER_FILL"), ask(104)),
]  # fmt: skip

CASES = [*TOLERANCE, *REFRESH, *CLOCK]


@pytest.mark.parametrize("case", CASES)
def test_what_is_remembered_and_what_the_clock_says(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("lifetime_s", [0.000000001, 0.1, 2.5, 3600])
def test_quotes_live_as_long_as_they_are_told(lifetime_s: float) -> None:
    maker = Maker({**BASE, **TWO, "lifetime_s": lifetime_s})
    assert len(maker.ask(market(at_s=7.0))) == 4
    assert maker.quotes[:4]["tif"].tolist() == [TimeInForce.GTD] * 4
    assert maker.quotes[:4]["expire_ts"].tolist() == [at(7.0) + round(lifetime_s * 1e9)] * 4


def test_without_a_lifetime_quotes_live_as_the_engine_says() -> None:
    maker = Maker(BASE)
    assert len(maker.ask(market(at_s=7.0))) == 2
    assert maker.quotes[:2]["tif"].tolist() == [TimeInForce.GTC] * 2
    assert maker.quotes[:2]["expire_ts"].tolist() == [STANDING_NS] * 2


LIFETIMES = {"lifetime_s"}
"""Parameters that have a test of their own above: what they change is not in a Row."""


def test_layers_are_remembered_one_by_one() -> None:
    """The skew pulls the first layer of the bid onto the second one's place."""
    curve = {"skew_kind": Skew.KNOTS, "skew_knots": 2, "skew_knot_lots": [0, 10]}
    maker = Maker({**BASE, **TWO, **curve, "skew_knot_ticks": [0, 3], "price_tolerance_ticks": 2})
    assert maker.ask(market()) == (bid(100), bid(97), ask(104), ask(107))
    # wanted: 97, 94 and 101, 104; all are 3 off
    assert maker.ask(market(position=10)) == (bid(97), bid(94), ask(101), ask(104))
    # wanted again: 100, 97; the second bid could stay at 94 if it were 2 off only
    assert maker.ask(market()) == (bid(100), bid(97), ask(104), ask(107))


def test_layers_that_stay_keep_their_distance() -> None:
    params = {**BASE, "layers": 2, "layer_offset_ticks": [0, 1], "price_tolerance_ticks": 1}
    maker = Maker(params)
    assert maker.ask(market()) == (bid(100), bid(99), ask(104), ask(105))
    # wanted 101 and 100, 105 and 106: each is 1 off and stays
    assert maker.ask(market(101, 105)) == (bid(100), bid(99), ask(104), ask(105))
    # wanted 98, 97 and 102, 103
    assert maker.ask(market(98, 102)) == (bid(98), bid(97), ask(102), ask(103))
    # wanted 97, 96 and 101, 102: all stay
    assert maker.ask(market(97, 101)) == (bid(98), bid(97), ask(102), ask(103))
