"""Layers, placement, increments, bounds and limits of the built-in quoting, computed by hand.

The market is 100 × 104 with a tick of 0.01; two ticks half spread and ten lots, so that nothing
else gives a bid at 100 and an ask at 104.
"""

from __future__ import annotations

from typing import Any

import pytest

from mmquant.core.dtypes import Theo
from mmquant.core.maker_params import LAYERS, Placement, Sides
from tests.core.makers import (
    BASE,
    Case,
    Maker,
    ask,
    bid,
    market,
    no_ask,
    no_bid,
    nothing,
    one,
)

THREE = {"layers": 3, "layer_offset_ticks": [0, 1.5, 4]}
AT_MID = {"half_spread_ticks": 0}


def theo(tick: int, **params: Any) -> dict[str, Any]:
    """A theoretical mid at a tick of 0.01."""
    return {"theo": Theo.MANUAL, "manual_theo": tick / 100} | params


LAYER = [
    # distances 2, 3.5 and 6: 100, 98.5, 96 and 104, 105.5, 108
    one("layers", THREE, {}, bid(100), bid(98), bid(96), ask(104), ask(106), ask(108)),
    one("layer_offset_ticks", THREE | {"layers": 2}, {}, bid(100), bid(98), ask(104), ask(106)),
    one("layer_offset_ticks", {"layer_offset_ticks": [1]}, {}, bid(99), ask(105)),
    one(
        "layer_lots", THREE | {"layer_lots": [5, 0, 20]}, {},
        bid(100, 5), bid(98), bid(96, 20), ask(104, 5), ask(106), ask(108, 20),
    ),
    # a layer nearer than the one before it goes behind it
    one("layers", {"layers": 2, "layer_offset_ticks": [3, 0]}, {},
        bid(97), bid(96), ask(107), ask(108)),
    # 20 × (1 - 2 × 0.25) = 10, 10 × 0.5 = 5
    one(
        "layer_lots", {"layers": 2, "layer_lots": [20, 10], "size_skew": 0.25}, {"position": 20},
        bid(100), bid(99, 5), ask(104, 20), ask(105, 10),
    ),
    # layers that would all join the best price stand one behind the other
    one(
        "placement",
        AT_MID | {"layers": 3, "layer_offset_ticks": [0, 1, 2], "placement": Placement.JOIN}, {},
        bid(100), bid(99), bid(98), ask(104), ask(105), ask(106),
    ),
    # and on a grid of 5 they are 5 apart
    one(
        "price_increment_ticks",
        AT_MID | {"layers": 3, "placement": Placement.JOIN, "price_increment_ticks": 5}, {},
        bid(100), bid(95), bid(90), ask(105), ask(110), ask(115),
    ),
    # the layer without lots leaves no gap: the next is where it would be
    one(
        "layer_lots", {"layers": 3, "layer_lots": [10, 3, 10], "size_increment_lots": 5}, {},
        bid(100), bid(99), ask(104), ask(105),
    ),
]  # fmt: skip

PLACES = [
    # the wanted bid at 110 - 2 = 108 is beyond the best ask of 104
    one("placement", theo(110, placement=Placement.FREE), {}, bid(108), ask(112)),
    one("placement", theo(110, placement=Placement.PASSIVE), {}, bid(103), ask(112)),
    one("placement", theo(110, placement=Placement.JOIN), {}, bid(100), ask(112)),
    one("placement", theo(110, placement=Placement.IMPROVE), {}, bid(101), ask(112)),
    # the wanted ask at 94 + 2 = 96 is beyond the best bid of 100
    one("placement", theo(94, placement=Placement.FREE), {}, bid(92), ask(96)),
    one("placement", theo(94, placement=Placement.PASSIVE), {}, bid(92), ask(101)),
    one("placement", theo(94, placement=Placement.JOIN), {}, bid(92), ask(104)),
    one("placement", theo(94, placement=Placement.IMPROVE), {}, bid(92), ask(103)),
    # nothing is better than the best price of a market one tick wide
    one("placement", theo(110, placement=Placement.IMPROVE), {"best_ask": 101}, bid(100), ask(112)),
    one("placement", theo(94, placement=Placement.IMPROVE), {"best_ask": 101}, bid(92), ask(101)),
    # what is wanted further out stays there
    one("placement", {"half_spread_ticks": 7, "placement": Placement.JOIN}, {}, bid(95), ask(109)),
    one("placement", {"half_spread_ticks": 7, "placement": Placement.IMPROVE}, {},
        bid(95), ask(109)),
]  # fmt: skip

GRID = [
    one("price_increment_ticks", {"price_increment_ticks": 5}, {}, bid(100), ask(105)),
    # 102 - 2.5 = 99.5, 104.5
    one("price_increment_ticks", {"half_spread_ticks": 2.5, "price_increment_ticks": 5}, {},
        bid(95), ask(105)),
    # below zero too, bids go down and asks up: -104 and -100
    one("price_increment_ticks", {"price_increment_ticks": 5},
        {"best_bid": -104, "best_ask": -100}, bid(-105), ask(-100)),
    one("price_increment_ticks", {"price_increment_ticks": 3}, {"best_bid": -2, "best_ask": 3},
        bid(-3), ask(3)),  # 0.5 - 2 = -1.5 and 2.5
    # joining 101 and 109, and improving them to 102 and 108, on a grid of 5
    one("price_increment_ticks",
        AT_MID | {"placement": Placement.JOIN, "price_increment_ticks": 5},
        {"best_bid": 101, "best_ask": 109}, bid(100), ask(110)),
    one("price_increment_ticks",
        AT_MID | {"placement": Placement.IMPROVE, "price_increment_ticks": 5},
        {"best_bid": 104, "best_ask": 116}, bid(105), ask(115)),
    # layers of distances 2 and 4: 100 and 98, 104 and 106
    one("price_increment_ticks",
        {"layers": 2, "layer_offset_ticks": [0, 2], "price_increment_ticks": 5}, {},
        bid(100), bid(95), ask(105), ask(110)),
]  # fmt: skip

BOUNDS = [
    # 1.04 is the wanted ask
    one("floor", {"floor": 1.05}, {}, bid(100), no_ask("PULL_PRICE_BOUND")),
    one("floor", {"floor": 1.04}, {}, bid(100), ask(104)),
    one("floor", THREE | {"floor": 1.05}, {},
        bid(100), bid(98), bid(96), ask(106), ask(108)),
    one("ceiling", {"ceiling": 0.99}, {}, no_bid("PULL_PRICE_BOUND"), ask(104)),
    one("ceiling", {"ceiling": 1.00}, {}, bid(100), ask(104)),
    one("ceiling", THREE | {"ceiling": 0.97}, {}, bid(96), ask(104), ask(106), ask(108)),
    one("ceiling", {"ceiling": 0.99, "floor": 1.05}, {}, *nothing("PULL_PRICE_BOUND")),
    one("ceiling", {"ceiling": -1.05}, {"best_bid": -104, "best_ask": -100},
        no_bid("PULL_PRICE_BOUND"), ask(-100)),
]  # fmt: skip

LIMITS = [
    one("sides", {"sides": Sides.BID}, {}, bid(100), no_ask("PULL_SIDE")),
    one("sides", {"sides": Sides.ASK}, {}, no_bid("PULL_SIDE"), ask(104)),
    one("sides", {"sides": Sides.REDUCE}, {}, *nothing("PULL_SIDE")),
    one("sides", {"sides": Sides.REDUCE}, {"position": 20}, no_bid("PULL_SIDE"), ask(104)),
    one("sides", {"sides": Sides.REDUCE}, {"position": -20}, bid(100), no_ask("PULL_SIDE")),
    # three lots are held, three are sold, over all layers
    one("sides", {"sides": Sides.REDUCE}, {"position": 3}, no_bid("PULL_SIDE"), ask(104, 3)),
    one("sides", THREE | {"sides": Sides.REDUCE}, {"position": -13},
        bid(100), bid(98, 3), no_ask("PULL_SIDE")),
    one("sides", {"sides": Sides.REDUCE, "max_position_lots": 5}, {"position": 7},
        no_bid("PULL_SIDE"), ask(104, 7)),
    # 25 - 20 lots are left to buy, 25 + 20 to sell
    one("max_position_lots", {"max_position_lots": 25}, {"position": 20}, bid(100, 5), ask(104)),
    one("max_position_lots", {"max_position_lots": 25}, {"position": -24}, bid(100), ask(104, 1)),
    one("max_position_lots", {"max_position_lots": 25}, {"position": 25},
        no_bid("PULL_LIMIT"), ask(104)),
    one("max_position_lots", {"max_position_lots": 25}, {"position": -30},
        bid(100), no_ask("PULL_LIMIT")),
    # room for 15: ten, five, none
    one("max_position_lots", THREE | {"max_position_lots": 25}, {"position": 10},
        bid(100), bid(98, 5), ask(104), ask(106), ask(108)),
    # the first layer takes all, whatever is behind it
    one("max_position_lots", {"layers": 2, "layer_lots": [30, 1], "max_position_lots": 25}, {},
        bid(100, 25), ask(104, 25)),
    # 2 + 3 = 5 and 10 × 0.5 on the side that adds
    one("soft_position_lots", {"soft_position_lots": 20, "soft_ticks": 3, "soft_factor": 0.5},
        {"position": 20}, bid(97, 5), ask(104)),
    one("soft_position_lots", {"soft_position_lots": 20, "soft_ticks": 3, "soft_factor": 0.5},
        {"position": 19}, bid(100), ask(104)),
    one("soft_ticks", {"soft_position_lots": 20, "soft_ticks": 3}, {"position": -21},
        bid(100), ask(107)),
    one("soft_loss", {"soft_loss": 50, "soft_ticks": 3, "soft_factor": 0.5}, {"equity": -50.0},
        bid(97, 5), ask(107, 5)),
    one("soft_loss", {"soft_loss": 50, "soft_ticks": 3, "soft_factor": 0.5}, {"equity": -49.9},
        bid(100), ask(104)),
    # once, where both limits are reached
    one("soft_ticks", {"soft_loss": 50, "soft_position_lots": 20, "soft_ticks": 3},
        {"equity": -60.0, "position": 20}, bid(97), ask(107)),
    one("soft_factor", {"soft_loss": 50, "soft_factor": 0}, {"equity": -60.0},
        *nothing("PULL_INVENTORY")),
    # 10 × (1 - 2 × 0.25) × 0.5 = 2.5
    one("soft_factor", {"soft_position_lots": 20, "soft_factor": 0.5, "size_skew": 0.25},
        {"position": 20}, bid(100, 2), ask(104)),
]  # fmt: skip

CASES = [*LAYER, *PLACES, *GRID, *BOUNDS, *LIMITS]


@pytest.mark.parametrize("case", CASES)
def test_layers_places_bounds_and_limits(case: Case) -> None:
    case.check()


FIRST = [
    # a side has one reason, the first of these
    ({"start_s": 5, "sides": Sides.ASK, "max_position_lots": 10}, "PULL_WINDOW"),
    ({"sides": Sides.ASK, "max_position_lots": 10, "bid_delay_s": 9}, "PULL_SIDE"),
    ({"max_position_lots": 10, "bid_delay_s": 9, "theo": Theo.EXTERNAL}, "PULL_LIMIT"),
    ({"bid_delay_s": 9, "theo": Theo.EXTERNAL}, "PULL_AFTER_FILL"),
    ({"theo": Theo.EXTERNAL, "volatility_factor": 1}, "PULL_NO_THEO"),
    ({"volatility_factor": 1, "ceiling": 0.0}, "PULL_NO_SIGNAL"),
    ({"ceiling": 0.0}, "PULL_PRICE_BOUND"),
]


@pytest.mark.parametrize(("params", "reason"), FIRST)
def test_a_side_has_one_reason(params: dict[str, Any], reason: str) -> None:
    found = Maker({**BASE, **params}).ask(market(position=10, at_s=2.0, bought_s=1.0))
    assert found[0] == no_bid(reason)
    assert len(found) == 2


def test_most_layers() -> None:
    offsets = list(range(LAYERS))
    found = Maker({**BASE, "layers": 99, "layer_offset_ticks": offsets}).ask(market())
    assert found == (*(bid(100 - i) for i in offsets), *(ask(104 + i) for i in offsets))


@pytest.mark.parametrize("rows", range(7))
def test_rows_that_are_not_there_are_not_written(rows: int) -> None:
    want = (bid(100), bid(98), bid(96), ask(104), ask(106), ask(108))
    assert Maker({**BASE, **THREE}, rows=rows).ask(market()) == want[:rows]


@pytest.mark.parametrize("rows", range(3))
def test_reasons_that_have_no_row_are_left_out(rows: int) -> None:
    want = nothing("PULL_WINDOW")
    assert Maker({**BASE, "start_s": 1}, rows=rows).ask(market()) == want[:rows]


# --- several instruments

FIRST_MARKET = {"position": 10}
SECOND_MARKET = {"best_bid": 200, "best_ask": 210, "position": -10}
# skew 1: 102 - 3, 102 + 1; 205 - 1, 205 + 3
WANTED = (
    (bid(99), ask(103)),
    (bid(204, inst=1), ask(208, inst=1)),
)


@pytest.mark.parametrize("blocked", [(0, 0), (7, 0), (0, -1), (7, -1)])
def test_each_instrument_has_its_own_quotes_and_blocked_ones_have_none(
    blocked: tuple[int, int],
) -> None:
    maker = Maker({**BASE, "skew_ticks": 1}, instruments=2)
    found = maker.ask(
        market(**FIRST_MARKET, blocked=blocked[0]), market(**SECOND_MARKET, blocked=blocked[1])
    )
    assert found == sum((rows for x, rows in zip(blocked, WANTED, strict=True) if x == 0), ())


def test_instruments_do_not_share_their_memory() -> None:
    maker = Maker({**BASE, "refresh_s": 100}, instruments=2)
    both = (bid(100), ask(104), bid(203, inst=1), ask(207, inst=1))
    assert maker.ask(market(), market(200, 210)) == both
    assert maker.ask(market(101, 105, at_s=1), market(199, 209, at_s=1)) == both
    # the first is pulled and forgotten, the second stays
    pulled = [no_bid("PULL_NO_THEO"), no_ask("PULL_NO_THEO")]
    found = maker.ask(market(101, 105, at_s=2, offset="nan"), market(199, 209, at_s=2))
    assert found == (*pulled, *both[2:])
    found = maker.ask(market(101, 105, at_s=3), market(199, 209, at_s=3))
    assert found == (bid(101), ask(105), *both[2:])


# --- numbers beyond all ticks and sizes


@pytest.mark.parametrize("far", [2.0**32, 1e10, 1e18, 1e19, 1e30, 1e300])
def test_what_is_beyond_all_ticks_is_not_quoted(far: float) -> None:
    """A number that no integer holds would become any price."""
    one("", {"half_spread_ticks": far}, {}, *nothing("PULL_INVENTORY")).check()
    layers = {"layers": 2, "layer_offset_ticks": [0, far]}
    one("", layers, {}, bid(100), ask(104)).check()
    one("", {"skew_ticks": far}, {"position": 10}, no_bid("PULL_INVENTORY"), ask(101)).check()
    free = {"placement": Placement.FREE}
    one("", free | {"skew_ticks": far}, {"position": 10}, *nothing("PULL_INVENTORY")).check()
    one("", free, {"offset": str(far)}, *nothing("PULL_INVENTORY")).check()


@pytest.mark.parametrize("most", [2.0**31 - 1, 1e10, 1e19, 1e300])
def test_no_size_is_larger_than_orders_can_be(most: float) -> None:
    """2³¹ - 2 lots, as multiples of the increment."""
    one("", {"order_lots": most}, {}, bid(100, 2**31 - 2), ask(104, 2**31 - 2)).check()
    one(
        "", {"layer_lots": [most], "size_increment_lots": 10}, {},
        bid(100, 2_147_483_640), ask(104, 2_147_483_640),
    ).check()  # fmt: skip
    one("", {"order_lots": most, "max_position_lots": 7}, {}, bid(100, 7), ask(104, 7)).check()
