"""Random parameters of the built-in quoting, and random markets, all from one seed.

Hypothesis would draw the hundred numbers of an example one by one, longer than all else takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from mmquant.core.dtypes import Theo
from mmquant.core.maker_params import KNOTS, LAYERS, Model, Placement, Sides, Skew
from mmquant.trading.quote_tables import cartea_jaimungal_table

Params = dict[str, Any]
Draw = Callable[[Random], Any]
TABLE = cartea_jaimungal_table(phi=0.02, alpha=0.05, A=1.5, k=0.4, q_max=4)


def tenths(low: float, high: float) -> Draw:
    """Decimals, of which few are exact as floats."""
    return lambda r: r.randint(round(low * 10), round(high * 10)) / 10


def whole(low: int, high: int) -> Draw:
    return lambda r: r.randint(low, high)


def one_of(values: Sequence[Any]) -> Draw:
    return lambda r: r.choice(list(values))


def often(value: Any, other: Draw) -> Draw:
    """A value half of the time."""
    return lambda r: value if r.random() < 0.5 else other(r)


def seldom(value: Any, other: Draw) -> Draw:
    return lambda r: value if r.random() < 0.1 else other(r)


def price(r: Random) -> float:
    return r.randint(-20, 60) / 100


NUMBERS: dict[str, Draw] = {
    "model": one_of(Model),
    "theo": one_of([Theo.MID, Theo.MID, Theo.WEIGHTED_MID, Theo.EXTERNAL, Theo.MANUAL]),
    "manual_theo": price,
    "half_spread_ticks": tenths(-2, 9),
    "half_spread_bps": tenths(0, 300),
    "min_half_spread_ticks": tenths(0, 5),
    "risk_aversion": tenths(0, 1),
    "intensity_per_s": tenths(0.1, 3),
    "decay_per_tick": tenths(0.1, 2),
    "volatility_ticks": tenths(0, 2),
    "horizon_s": tenths(0, 60),
    "end_s": tenths(0, 9),
    "skew_kind": one_of(Skew),
    "skew_ticks": tenths(-1, 3),
    "skew_max_ticks": tenths(0, 4),
    "size_skew_kind": one_of(Skew),
    "size_skew": tenths(0, 1),
    "size_skew_min": tenths(0, 1),
    "order_lots": whole(1, 20),
    "size_increment_lots": whole(1, 6),
    "volatility_factor": tenths(0, 2),
    "depth_ticks": tenths(0, 5),
    "depth_reference_lots": whole(1, 40),
    "imbalance_ticks": tenths(-2, 2),
    "order_flow_ticks": tenths(-2, 2),
    "price_increment_ticks": whole(1, 7),
    "placement": one_of(Placement),
    "price_tolerance_ticks": tenths(0, 6),
    "size_tolerance_lots": whole(0, 6),
    "refresh_s": tenths(0, 3),
    "lifetime_s": tenths(0, 3),
    "bid_delay_s": tenths(0, 3),
    "ask_delay_s": tenths(0, 3),
    "sides": one_of(Sides),
    "floor": price,
    "ceiling": price,
    "start_s": tenths(0, 1),
    "stop_s": tenths(5, 9),
    "max_position_lots": whole(1, 60),
    "soft_position_lots": whole(1, 60),
    "soft_loss": whole(1, 60),
    "soft_ticks": tenths(0, 4),
    "soft_factor": tenths(0, 1),
}


SOUND = {
    "half_spread_ticks": 1,
    "order_lots": 10,
    "risk_aversion": 0.1,
    "intensity_per_s": 1,
    "decay_per_tick": 0.5,
    "volatility_ticks": 0.5,
    "horizon_s": 10,
    "manual_theo": 0.1,
}
"""What all models and theos need."""


STICKY = (
    "price_tolerance_ticks", "size_tolerance_lots", "refresh_s", "bid_delay_s", "ask_delay_s",
    "max_position_lots", "placement", "size_skew", "skew_ticks",
)  # fmt: skip
"""What makes a difference from one decision to the next."""


def knots(r: Random, value: Draw) -> tuple[list[int], list[float]]:
    places = sorted(r.sample(range(-60, 61), r.randint(1, KNOTS)))
    return places, [value(r) for _ in places]


def params(r: Random) -> Params:
    """Parameters of which some are given."""
    given: Params = dict(SOUND)
    names = r.sample(sorted(NUMBERS), r.randint(0, len(NUMBERS) // 2))
    if r.random() < 0.5:
        names = [*r.sample(names, len(names) // 3), *(x for x in STICKY if r.random() < 0.5)]
    given |= {name: NUMBERS[name](r) for name in names}
    layers = often(1, whole(1, LAYERS))(r)
    given["layers"] = layers
    given["layer_offset_ticks"] = [tenths(0, 9)(r) for _ in range(layers)]
    given["layer_lots"] = [often(0, whole(1, 20))(r) for _ in range(layers)]
    for kind, name, value in (("skew", "ticks", tenths(-4, 4)), ("size", "factor", tenths(0, 2))):
        places, values = knots(r, value)
        given[f"{kind}_knots"] = len(places)
        given[f"{kind}_knot_lots"] = places
        given[f"{kind}_knot_{name}"] = values
    return given


def fields(r: Random, at_s: float = 0.0) -> dict[str, Any]:
    """Fields of a market near 0, where prices change their sign."""
    best_bid = r.randint(-15, 30)
    best_ask = best_bid + r.randint(1, 9)
    fill = often(None, tenths(0, at_s))
    signal = seldom(math.nan, tenths(-1, 1))
    return {
        "best_bid": best_bid,
        "best_ask": best_ask,
        "bid_lots": r.randint(1, 40),
        "ask_lots": r.randint(1, 40),
        "position": r.randint(-60, 60),
        "at_s": at_s,
        "bought_s": fill(r),
        "sold_s": fill(r),
        "blocked": r.choice([0] * 9 + [7, -1]),
        "offset": r.choice(["0", "0", "0.01", "-0.03", "0.005"]),
        "theo_ticks": seldom(math.nan, tenths(best_bid - 3, best_ask + 3))(r),
        "volatility": seldom(math.nan, tenths(0, 2))(r),
        "imbalance": signal(r),
        "order_flow": signal(r),
        "equity": tenths(-60, 20)(r),
    }


def story_of(r: Random, instruments: int) -> list[list[dict[str, Any]]]:
    """Markets at some decisions in a row, several instruments at each.

    Half of the time they change little from one decision to the next.
    """
    times = sorted(tenths(0, 9)(r) for _ in range(r.randint(1, 8)))
    steps = [[fields(r, at_s) for _ in range(instruments)] for at_s in times]
    if r.random() < 0.5:
        for before, step in pairwise(steps):
            for was, now in zip(before, step, strict=True):
                now |= {name: was[name] for name in was if name != "at_s" and r.random() < 0.8}
                now["best_ask"] = max(now["best_ask"], now["best_bid"] + 1)
    return steps


def negated(values: Any) -> list[float]:
    return [-x for x in reversed(values)]


def mirrored_params(given: Mapping[str, Any]) -> Params:
    """The same quoting with bid and ask exchanged, prices and inventories with the other sign."""
    out = dict(given)
    out["bid_delay_s"] = given.get("ask_delay_s", 0)
    out["ask_delay_s"] = given.get("bid_delay_s", 0)
    out["floor"] = -given.get("ceiling", math.inf)
    out["ceiling"] = -given.get("floor", -math.inf)
    out["manual_theo"] = -given.get("manual_theo", math.nan)
    swap = {Sides.BID: Sides.ASK, Sides.ASK: Sides.BID}
    out["sides"] = swap.get(given.get("sides", Sides.BOTH), given.get("sides", Sides.BOTH))
    out["skew_knot_lots"] = negated(given["skew_knot_lots"])
    out["skew_knot_ticks"] = negated(given["skew_knot_ticks"])
    return out


def mirrored_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same market with bid and ask exchanged."""
    out = dict(given)
    out["best_bid"], out["best_ask"] = -given["best_ask"], -given["best_bid"]
    out["bid_lots"], out["ask_lots"] = given["ask_lots"], given["bid_lots"]
    out["bought_s"], out["sold_s"] = given["sold_s"], given["bought_s"]
    out["offset"] = str(-float(given["offset"]))
    for name in ("position", "theo_ticks", "imbalance", "order_flow"):
        out[name] = -given[name]
    return out
