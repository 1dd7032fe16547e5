"""Settings of ``quoting:`` and the quotes that they give, computed by hand.

The market is 100 × 104 with the mid at 102 and a tick of 0.01; half a spread of two ticks and ten
lots, so that nothing else gives a bid at 100 and an ask at 104. The tape is 30 s long.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.core.makers import Row, ask, bid, no_ask, no_bid, nothing

BASE = {"half_spread_ticks": 2, "order_lots": 10}
HAIR = 1e-5
"""A distance is read by a half spread that makes 3 ticks of it, less this: bid 99 and ask 105."""


class Case(NamedTuple):
    """Keys that it is a test of, the section, what is wanted step by step, and what is measured."""

    keys: str
    quoting: dict[str, Any]
    steps: tuple[tuple[dict[str, Any], tuple[Row, ...]], ...]
    signals: dict[str, Any]

    def settings(self) -> dict[str, Any]:
        quoting = BASE | self.quoting
        return {"strategy": {"name": "maker"}, "quoting": quoting, "signals": self.signals}


def one(keys: str, quoting: dict[str, Any], fields: dict[str, Any], *rows: Row) -> Case:
    return Case(keys, quoting, ((fields, rows),), {})


def story(keys: str, quoting: dict[str, Any], *steps: tuple[dict[str, Any], Any]) -> Case:
    return Case(keys, quoting, steps, {})


def measured(case: Case, **signals: Any) -> Case:
    return case._replace(signals=signals)


def near(distance: float) -> float:
    return 3.0 - distance - HAIR


def far(distance: float) -> float:
    """Half spread that makes 3 ticks and a hair of a distance: bid 98 and ask 106."""
    return 3.0 - distance + HAIR


AS = {"model": "avellaneda_stoikov", "risk_aversion": 0.1, "intensity": {"decay_per_tick": 1.5},
      "volatility_ticks": 2, "horizon_s": 1}  # fmt: skip
GLFT = {"risk_aversion": 0.01, "intensity": {"per_s": 0.9, "decay_per_tick": 0.3},
        "volatility_ticks": 0.3, "horizon_s": 600, "max_orders_held": 30}  # fmt: skip
CJ = {"model": "cartea_jaimungal", "intensity": {"per_s": 1, "decay_per_tick": 0.5},
      "horizon_s": 1e-6, "end_penalty": 0.25}  # fmt: skip
PENALTY = {"model": "cartea_jaimungal", "intensity": {"per_s": 1, "decay_per_tick": 100},
           "horizon_s": 60, "running_penalty": 1e-4, "end_penalty": 1e-3,
           "max_orders_held": 5}  # fmt: skip
BOUNDED = {"kind": "bounded", "ticks": 1, "max_ticks": 2}
CURVE = {"kind": "knots", "knots": [[-20, -3], [0, 0], [40, 1]]}
SIZE_CURVE = {"kind": "knots", "knots": [[-20, 1.5], [0, 1], [20, 0.5]]}
SOFT = {"soft_position_lots": 20, "soft_loss_ccy": 50, "soft_ticks": 3, "soft_factor": 0.5}
LATER = {"best_bid": 103, "best_ask": 107, "at_s": 4.9}
AT_5 = {"best_bid": 103, "best_ask": 107, "at_s": 5.0}

MODELS = [
    # 0.845385 and 0.4 for each order size held, of the paper of 2008
    one("model intensity.decay_per_tick volatility_ticks horizon_s",
        AS | {"half_spread_ticks": near(1.245385)}, {"position": 10}, bid(99), ask(105)),
    one("model risk_aversion", AS | {"half_spread_ticks": far(1.245385)}, {"position": 10},
        bid(98), ask(105)),
    # sigma 1 is measured: 0.05 + 0.645385
    measured(one("volatility_ticks", AS | {"volatility_ticks": None, "half_spread_ticks":
             near(0.695385)}, {"volatility": 1.0}, bid(99), ask(105)), volatility_halflife_s=60),
    # 2 s are left of 10: 0.4 + 0.645385; 1 s of the 30 s of the tape, and nothing after it
    one("horizon_to_end", AS | {"horizon_to_end": True, "stop_s": 10,
        "half_spread_ticks": near(1.045385)}, {"at_s": 8.0}, bid(99), ask(105)),
    one("horizon_to_end", AS | {"horizon_to_end": True, "stop_s": 10,
        "half_spread_ticks": far(1.045385)}, {"at_s": 8.0}, bid(98), ask(106)),
    story("horizon_to_end", AS | {"horizon_to_end": True, "half_spread_ticks": near(0.845385)},
          ({"at_s": 28.999}, (bid(98), ask(106))), ({"at_s": 29.0}, (bid(99), ask(105)))),
    story("horizon_to_end", AS | {"horizon_to_end": True, "half_spread_ticks": far(0.645385)},
          ({"at_s": 30.0}, (bid(98), ask(106))), ({"at_s": 31.0}, (bid(98), ask(106)))),
    story("horizon_to_end", AS | {"horizon_to_end": True, "half_spread_ticks": near(0.645385)},
          ({"at_s": 30.0}, (bid(99), ask(105))), ({"at_s": 31.0}, (bid(99), ask(105)))),
    # closed form and exact, of the paper of 2013
    one("model intensity.per_s", GLFT | {"model": "glft", "half_spread_ticks": near(3.992)},
        {"position": 100}, bid(99), ask(104)),
    one("model", GLFT | {"model": "glft", "half_spread_ticks": near(3.9915)},
        {"position": 100}, bid(98), ask(104)),
    one("model", GLFT | {"model": "glft_exact", "half_spread_ticks": near(3.992933)},
        {"position": 100}, bid(99), ask(104)),
    one("model", GLFT | {"model": "glft_exact", "half_spread_ticks": near(3.992)},
        {"position": 100}, bid(98), ask(104)),
    # with no time left, ln(1 + 0.01 / 0.3) / 0.01 = 3.278982 with aversion to not being filled,
    # 1 / 0.3 = 3.333333 without
    one("model", GLFT | {"model": "glft_exact", "horizon_s": 1e-6,
        "half_spread_ticks": near(3.278983)}, {}, bid(99), ask(105)),
    one("model", GLFT | {"model": "glft_exact", "horizon_s": 1e-6,
        "half_spread_ticks": near(3.278962)}, {}, bid(98), ask(106)),
    one("model", GLFT | {"model": "mean_variance", "horizon_s": 1e-6,
        "half_spread_ticks": near(3.333334)}, {}, bid(99), ask(105)),
    one("model", GLFT | {"model": "mean_variance", "horizon_s": 1e-6,
        "half_spread_ticks": near(3.333313)}, {}, bid(98), ask(106)),
    # with no time left: 1 / 0.5 + 0.25 × (2² - 1²) = 2.75, 2 - 0.25 × (1² - 0²) = 1.75
    one("model end_penalty", CJ | {"half_spread_ticks": near(2.75)}, {"position": 10},
        bid(99), ask(104)),
    one("end_penalty", CJ | {"half_spread_ticks": near(1.75)}, {"position": 10},
        bid(98), ask(105)),
    # 0.014350 and 0.007407 at two order sizes, by a public solver
    one("running_penalty", PENALTY | {"half_spread_ticks": near(0.01435)}, {"position": 20},
        bid(99), ask(105)),
    one("running_penalty", PENALTY | {"half_spread_ticks": near(0.01433)}, {"position": 20},
        bid(98), ask(105)),
    one("max_orders_held", PENALTY | {"half_spread_ticks": 2.5}, {"position": 50},
        no_bid("PULL_INVENTORY"), ask(105)),
    one("max_orders_held", PENALTY | {"half_spread_ticks": 2.5}, {"position": -40},
        bid(99), ask(105)),
    story("calibrate_s", {"calibrate_s": 20},
          ({"at_s": 19.9}, nothing("PULL_WINDOW")), ({"at_s": 20.0}, (bid(100), ask(104)))),
    story("calibrate_s", {"calibrate_s": 20, "start_s": 21},
          ({"at_s": 20.0}, nothing("PULL_WINDOW")), ({"at_s": 21.0}, (bid(100), ask(104)))),
]  # fmt: skip

PRICES = [
    # weighted mid: 102 + (30 / 40 - 1 / 2) × 4 = 103
    one("theo", {"theo": "weighted_mid"}, {"bid_lots": 30}, bid(101), ask(105)),
    one("theo", {"theo": "external"}, {"theo_ticks": 103.25}, bid(101), ask(106)),
    one("theo manual_theo_ccy", {"theo": "manual", "manual_theo_ccy": 1.05}, {},
        bid(103), ask(107)),
    one("half_spread_ticks", {"half_spread_ticks": 3.5}, {}, bid(98), ask(106)),
    one("half_spread_bps", {"half_spread_bps": 100}, {}, bid(98), ask(106)),  # 1.02 ticks
    one("min_half_spread_ticks", {"min_half_spread_ticks": 4}, {}, bid(98), ask(106)),
    one("price_increment_ticks", {"price_increment_ticks": 5}, {}, bid(100), ask(105)),
    one("skew.ticks", {"skew": {"ticks": 1}}, {"position": 15}, bid(98), ask(103)),
    one("skew.kind skew.ticks skew.max_ticks", {"skew": BOUNDED}, {"position": 50},
        bid(98), ask(102)),
    one("skew.kind skew.knots", {"skew": CURVE}, {"position": -10}, bid(101), ask(106)),
    measured(one("volatility_factor", {"volatility_factor": 2}, {"volatility": 0.75},
                 bid(98), ask(106)), volatility_halflife_s=60),
    # the bid's level is half as thick as it should be
    one("depth_ticks depth_reference_lots", {"depth_ticks": 4, "depth_reference_lots": 20},
        {"ask_lots": 20}, bid(98), ask(104)),
    measured(one("imbalance_ticks", {"imbalance_ticks": 2}, {"imbalance": 0.5},
                 bid(101), ask(105)), imbalance_levels=3),
    measured(one("order_flow_ticks", {"order_flow_ticks": -3}, {"order_flow": 0.5},
                 bid(98), ask(103)), order_flow_halflife_s=5),
    one("placement", {"placement": "free", "theo": "manual", "manual_theo_ccy": 1.10}, {},
        bid(108), ask(112)),
    one("placement", {"placement": "passive", "theo": "manual", "manual_theo_ccy": 1.10}, {},
        bid(103), ask(112)),
    one("placement", {"placement": "join", "theo": "manual", "manual_theo_ccy": 1.10}, {},
        bid(100), ask(112)),
    one("placement", {"placement": "improve", "theo": "manual", "manual_theo_ccy": 1.10}, {},
        bid(101), ask(112)),
    one("layers.offset_ticks", {"layers": [{}, {"offset_ticks": 1.5}]}, {},
        bid(100), bid(98), ask(104), ask(106)),
    one("floor_ccy", {"floor_ccy": 1.05}, {}, bid(100), no_ask("PULL_PRICE_BOUND")),
    one("ceiling_ccy", {"ceiling_ccy": 0.99}, {}, no_bid("PULL_PRICE_BOUND"), ask(104)),
]  # fmt: skip

SIZES = [
    one("order_lots", {"order_lots": 7, "skew": {"ticks": 1}}, {"position": 14},
        bid(98, 7), ask(102, 7)),
    one("size_increment_lots", {"size_increment_lots": 4}, {}, bid(100, 8), ask(104, 8)),
    one("size_skew.per_order", {"size_skew": {"per_order": 0.25}}, {"position": 20},
        bid(100, 5), ask(104)),
    one("size_skew.kind size_skew.min_factor",
        {"size_skew": {"kind": "bounded", "per_order": 0.25, "min_factor": 0.3}},
        {"position": 40}, bid(100, 3), ask(104)),
    one("size_skew.kind size_skew.knots", {"size_skew": SIZE_CURVE}, {"position": 10},
        bid(100, 7), ask(104, 12)),
    one("layers.lots", {"layers": [{"lots": 5}, {"lots": 20}]}, {},
        bid(100, 5), bid(99, 20), ask(104, 5), ask(105, 20)),
    one("sides", {"sides": "bid"}, {}, bid(100), no_ask("PULL_SIDE")),
    one("sides", {"sides": "ask"}, {}, no_bid("PULL_SIDE"), ask(104)),
    one("sides", {"sides": "reduce"}, {"position": 4}, no_bid("PULL_SIDE"), ask(104, 4)),
    one("max_position_lots", {"max_position_lots": 25}, {"position": 20}, bid(100, 5), ask(104)),
    one("soft_position_lots soft_ticks soft_factor", SOFT, {"position": 20},
        bid(97, 5), ask(104)),
    one("soft_loss_ccy soft_ticks", SOFT, {"equity": -50.0}, bid(97, 5), ask(107, 5)),
]  # fmt: skip

TIMES = [
    story("price_tolerance_ticks", {"price_tolerance_ticks": 2.5},
          ({}, (bid(100), ask(104))),
          ({"best_bid": 102, "best_ask": 106}, (bid(100), ask(104))),
          ({"best_bid": 103, "best_ask": 107}, (bid(103), ask(107)))),
    story("size_tolerance_lots", {"size_tolerance_lots": 2, "size_skew": {"per_order": 0.1}},
          ({}, (bid(100), ask(104))),
          ({"position": 20}, (bid(100), ask(104))),
          ({"position": 30}, (bid(100, 7), ask(104)))),
    story("refresh_s", {"refresh_s": 5},
          ({}, (bid(100), ask(104))), (LATER, (bid(100), ask(104))), (AT_5, (bid(103), ask(107)))),
    one("bid_delay_s", {"bid_delay_s": 3}, {"at_s": 9.9, "bought_s": 7.0},
        no_bid("PULL_AFTER_FILL"), ask(104)),
    one("ask_delay_s", {"ask_delay_s": 3}, {"at_s": 9.9, "sold_s": 7.0},
        bid(100), no_ask("PULL_AFTER_FILL")),
    story("start_s", {"start_s": 5}, ({"at_s": 4.9}, nothing("PULL_WINDOW")),
          (AT_5, (bid(103), ask(107)))),
    story("stop_s", {"stop_s": 5}, ({"at_s": 4.9}, (bid(100), ask(104))),
          (AT_5, nothing("PULL_WINDOW"))),
]  # fmt: skip

CASES = [*MODELS, *PRICES, *SIZES, *TIMES]
