"""Center, distances, skews and sizes of the built-in quoting against quotes computed by hand.

The market is 100 × 104 with the mid at 102 and a tick of 0.01; two ticks half spread and ten lots,
so that nothing else gives a bid at 100 and an ask at 104. Bids are rounded down, asks up.
"""

from __future__ import annotations

import math

import pytest

from mmquant.core.dtypes import Theo
from mmquant.core.maker_params import TABLE_START, Skew
from tests.core.makers import Case, ask, bid, market, no_ask, no_bid, nothing, one

EXTERNAL = {"theo": Theo.EXTERNAL}
MICRO = {"theo": Theo.MICRO_PRICE, "micro_price_at": TABLE_START}
TWO_BUCKETS = (2.0, 1.0, -0.5, 0.5)  # two buckets, one spread: half a tick to the heavier side
BOUNDED = {"skew_kind": Skew.BOUNDED, "skew_ticks": 1, "skew_max_ticks": 2}
CURVE = {
    "skew_kind": Skew.KNOTS,
    "skew_knots": 3,
    "skew_knot_lots": [-20, 0, 40],
    "skew_knot_ticks": [-3, 0, 1],
}
SIZE_CURVE = {
    "size_skew_kind": Skew.KNOTS,
    "size_knots": 3,
    "size_knot_lots": [-20, 0, 20],
    "size_knot_factor": [1.5, 1, 0.5],
}
SMALLEST = {"size_skew_kind": Skew.BOUNDED, "size_skew": 0.25, "size_skew_min": 0.3}

CENTER = [
    # 102.5 - 2 = 100.5 and 102.5 + 2 = 104.5
    one("theo", {}, {"best_ask": 105}, bid(100), ask(105)),
    # 103.25 - 2 = 101.25 and 103.25 + 2 = 105.25
    one("theo", EXTERNAL, {"theo_ticks": 103.25}, bid(101), ask(106)),
    one("theo", EXTERNAL, {}, *nothing("PULL_NO_THEO")),
    # 1.05 is tick 105; 105 - 2 = 103, one short of the best ask
    one("manual_theo", {"theo": Theo.MANUAL, "manual_theo": 1.05}, {}, bid(103), ask(107)),
    # 1.0325 is tick 103.25
    one("manual_theo", {"theo": Theo.MANUAL, "manual_theo": 1.0325}, {}, bid(101), ask(106)),
    one("manual_theo", {"theo": Theo.MANUAL}, {}, *nothing("PULL_NO_THEO")),
    # 0.02 is 2 ticks of 0.01: center 104, the bid no higher than 104 - 1
    one("", {}, {"offset": "0.02"}, bid(102), ask(106)),
    one("", {}, {"offset": "-0.015"}, bid(98), ask(103)),  # 100.5 - 2 = 98.5, 102.5
    one("", EXTERNAL, {"theo_ticks": 101.0, "offset": "0.01"}, bid(100), ask(104)),
    # 102 + 2 × 0.5 = 103
    one("imbalance_ticks", {"imbalance_ticks": 2}, {"imbalance": 0.5}, bid(101), ask(105)),
    # 102 - 3 × 0.5 = 100.5
    one("order_flow_ticks", {"order_flow_ticks": -3}, {"order_flow": 0.5}, bid(98), ask(103)),
    # 102 + 2 × 0.5 + 4 × (-0.5) = 101
    one(
        "order_flow_ticks",
        {"imbalance_ticks": 2, "order_flow_ticks": 4},
        {"imbalance": 0.5, "order_flow": -0.5},
        bid(99), ask(103),
    ),
    one("imbalance_ticks", {}, {"imbalance": 0.9}, bid(100), ask(104)),
    # more bought than offered: the mid and half a tick, 102.5
    Case("micro_price_at", MICRO, (({"bid_lots": 30}, (bid(100), ask(105))),), (TWO_BUCKETS,)),
    Case("micro_price_at", MICRO, (({"ask_lots": 30}, (bid(99), ask(104))),), (TWO_BUCKETS,)),
    one("micro_price_at", {"theo": Theo.MICRO_PRICE}, {}, *nothing("PULL_NO_THEO")),
    # one short of the other side: what stays inside its own market is not moved
    one("", {}, {"best_bid": -104, "best_ask": -100}, bid(-104), ask(-100)),
    # -102.5 - 2 = -104.5 is -105, -102.5 + 2 = -100.5 is -100
    one("", {}, {"best_bid": -105, "best_ask": -100}, bid(-105), ask(-100)),
    one("", {}, {"best_bid": -2, "best_ask": 3}, bid(-2), ask(3)),  # 0.5 ± 2: -1.5, 2.5
]  # fmt: skip

WIDTH = [
    # 102 - 3.5 = 98.5, 102 + 3.5 = 105.5
    one("half_spread_ticks", {"half_spread_ticks": 3.5}, {}, bid(98), ask(106)),
    # 1 % of 1.02 is 1.02 ticks: 102 - 3.02 = 98.98, 105.02
    one("half_spread_bps", {"half_spread_bps": 100}, {}, bid(98), ask(106)),
    # and of -1.02 too: -102 - 3.02 = -105.02, -98.98
    one(
        "half_spread_bps", {"half_spread_bps": 100}, {"best_bid": -104, "best_ask": -100},
        bid(-106), ask(-98),
    ),
    # bid and ask are 4 apart, and must be 8: each moves 2
    one("min_half_spread_ticks", {"min_half_spread_ticks": 4}, {}, bid(98), ask(106)),
    one("min_half_spread_ticks", {"min_half_spread_ticks": 2}, {}, bid(100), ask(104)),
    # skew 2: distances 4 and 0, 4 together; 6 are needed: 5 and 1
    one(
        "min_half_spread_ticks", {"min_half_spread_ticks": 3, "skew_ticks": 1}, {"position": 20},
        bid(97), ask(103),
    ),
    # 2 + 2 × 0.75 = 3.5
    one("volatility_factor", {"volatility_factor": 2}, {"volatility": 0.75}, bid(98), ask(106)),
    one("volatility_factor", {"volatility_factor": 2}, {}, *nothing("PULL_NO_SIGNAL")),
    # the bid's level is half of 20: 2 + 4 × 0.5 = 4; the ask's is full
    one(
        "depth_ticks", {"depth_ticks": 4, "depth_reference_lots": 20}, {"ask_lots": 20},
        bid(98), ask(104),
    ),
    # nothing is thinner than 0, nothing thicker than full: 2 + 4 × (1 - 5 / 20) = 5
    one(
        "depth_reference_lots", {"depth_ticks": 4, "depth_reference_lots": 20},
        {"bid_lots": 90, "ask_lots": 5}, bid(100), ask(107),
    ),
    one("depth_reference_lots", {"depth_ticks": 4}, {}, bid(100), ask(104)),
]  # fmt: skip

PRICE_SKEW = [
    # 15 lots are 1.5 order sizes: 102 - 3.5 = 98.5, 102 + 0.5 = 102.5
    one("skew_ticks", {"skew_ticks": 1}, {"position": 15}, bid(98), ask(103)),
    one("skew_ticks", {"skew_ticks": 1}, {"position": -15}, bid(101), ask(106)),  # 101.5, 105.5
    one("skew_ticks", {"skew_ticks": -1}, {"position": 15}, bid(101), ask(106)),
    # 5 order sizes, no further than 2: 102 - 4, 102 + 0
    one("skew_max_ticks", BOUNDED, {"position": 50}, bid(98), ask(102)),
    one("skew_max_ticks", BOUNDED, {"position": -50}, bid(102), ask(106)),
    one("skew_max_ticks", BOUNDED, {"position": 10}, bid(99), ask(103)),
    one("skew_max_ticks", BOUNDED | {"skew_ticks": -1}, {"position": 50}, bid(102), ask(106)),
    one("skew_kind", BOUNDED, {"position": 40}, bid(98), ask(102)),
    # half way from (0, 0) to (40, 1): 102 - 2.5 = 99.5, 102 + 1.5 = 103.5
    one("skew_kind", CURVE, {"position": 20}, bid(99), ask(104)),
    # half way from (-20, -3) to (0, 0): 102 - 0.5 = 101.5, 102 + 3.5 = 105.5
    one("skew_knot_ticks", CURVE, {"position": -10}, bid(101), ask(106)),
    one("skew_knot_lots", CURVE, {"position": 40}, bid(99), ask(103)),
    one("skew_knot_lots", CURVE, {"position": 0}, bid(100), ask(104)),
    one("skew_knots", CURVE, {"position": 1000}, bid(99), ask(103)),  # flat beyond
    # -3: 102 + 1 = 103 and 102 + 5
    one("skew_knots", CURVE, {"position": -1000}, bid(103), ask(107)),
    one("skew_knots", CURVE | {"skew_knots": 2}, {"position": 40}, bid(100), ask(104)),
    one("skew_knots", CURVE | {"skew_knots": 1}, {"position": 40}, bid(103), ask(107)),
    one("skew_knots", CURVE | {"skew_knots": 0}, {}, *nothing("PULL_NO_SIGNAL")),
]  # fmt: skip

SIZE = [
    one("order_lots", {"order_lots": 7}, {}, bid(100, 7), ask(104, 7)),
    # 14 lots are two order sizes: skew 2
    one(
        "order_lots", {"order_lots": 7, "skew_ticks": 1}, {"position": 14},
        bid(98, 7), ask(102, 7),
    ),
    # 8 is the largest multiple of 4 within 10
    one("size_increment_lots", {"size_increment_lots": 4}, {}, bid(100, 8), ask(104, 8)),
    one("size_increment_lots", {"size_increment_lots": 5}, {}, bid(100), ask(104)),
    one("size_increment_lots", {"size_increment_lots": 11}, {}, *nothing("PULL_INVENTORY")),
    # two order sizes held: 10 × (1 - 2 × 0.25) = 5
    one("size_skew", {"size_skew": 0.25}, {"position": 20}, bid(100, 5), ask(104)),
    one("size_skew", {"size_skew": 0.25}, {"position": -20}, bid(100), ask(104, 5)),
    one("size_skew", {"size_skew": 0.25}, {"position": 13}, bid(100, 6), ask(104)),  # 6.75
    one("size_skew", {"size_skew": 0.25}, {"position": 40}, no_bid("PULL_INVENTORY"), ask(104)),
    one("size_skew", {"size_skew": 0.25}, {"position": -60}, bid(100), no_ask("PULL_INVENTORY")),
    # 10 × 0.3 where 10 × (1 - 4 × 0.25) = 0
    one("size_skew_min", SMALLEST, {"position": 40}, bid(100, 3), ask(104)),
    one("size_skew_min", SMALLEST, {"position": 20}, bid(100, 5), ask(104)),
    one("size_skew_kind", SMALLEST, {"position": -40}, bid(100), ask(104, 3)),
    # the bid at 10: 10 × 0.75 = 7.5; the ask at -10: 10 × 1.25 = 12.5
    one("size_knot_factor", SIZE_CURVE, {"position": 10}, bid(100, 7), ask(104, 12)),
    one("size_knot_lots", SIZE_CURVE, {"position": -10}, bid(100, 12), ask(104, 7)),
    one("size_knot_lots", SIZE_CURVE, {"position": -20}, bid(100, 15), ask(104, 5)),
    one("size_skew_kind", SIZE_CURVE, {"position": 999}, bid(100, 5), ask(104, 15)),
    one("size_knots", SIZE_CURVE | {"size_knots": 2}, {"position": 20}, bid(100), ask(104, 15)),
    one("size_knots", SIZE_CURVE | {"size_knots": 0}, {}, *nothing("PULL_NO_SIGNAL")),
]  # fmt: skip

CASES = [*CENTER, *WIDTH, *PRICE_SKEW, *SIZE]


@pytest.mark.parametrize("case", CASES)
def test_center_distances_skews_and_sizes(case: Case) -> None:
    case.check()


UNKNOWN = {
    # what is not known, and what the quoting makes of it
    "external theo": (EXTERNAL, {"theo_ticks": math.nan}, "PULL_NO_THEO"),
    "infinite theo": (EXTERNAL, {"theo_ticks": math.inf}, "PULL_NO_THEO"),
    "theo and signal": (
        EXTERNAL | {"imbalance_ticks": 1}, {"theo_ticks": math.nan}, "PULL_NO_THEO"
    ),
    "offset": ({}, {"offset": "nan"}, "PULL_NO_THEO"),
    "imbalance": ({"imbalance_ticks": 1}, {}, "PULL_NO_SIGNAL"),
    "order flow": ({"order_flow_ticks": 1}, {}, "PULL_NO_SIGNAL"),
    "volatility": ({"volatility_factor": 1}, {}, "PULL_NO_SIGNAL"),
    "infinite imbalance": ({"imbalance_ticks": 1}, {"imbalance": math.inf}, "PULL_NO_SIGNAL"),
    "infinite volatility": ({"volatility_factor": 1}, {"volatility": math.inf}, "PULL_INVENTORY"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_not_quoted_by(name: str) -> None:
    params, fields, reason = UNKNOWN[name]
    one("", params, fields, *nothing(reason)).check()


@pytest.mark.parametrize("name", ["imbalance", "order_flow", "volatility", "theo_ticks"])
def test_what_is_not_used_need_not_be_known(name: str) -> None:
    one("", {}, {name: math.nan}, bid(100), ask(104)).check()
    assert math.isnan(market()[name])
