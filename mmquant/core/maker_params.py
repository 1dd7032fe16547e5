"""The parameters of the built-in quoting as one record, and where its memory lies."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import _codes

LAYERS = 10
"""Most quotes a side and instrument."""
KNOTS = 8
"""Most knots of a skew curve."""
REMEMBERED = 3
"""Numbers kept for each quote: tick, lots, and when it was set."""


class Model(IntEnum):
    """What gives the distances of the quotes from the theoretical mid."""

    FIXED = 0
    AVELLANEDA_STOIKOV = 1
    GLFT = 2
    TABLE = 3


class Skew(IntEnum):
    """How a skew follows the inventory."""

    LINEAR = 0
    BOUNDED = 1
    KNOTS = 2


class Placement(IntEnum):
    """How near the other side quotes may come."""

    FREE = 0
    PASSIVE = 1
    JOIN = 2
    IMPROVE = 3


class Sides(IntEnum):
    """Which sides are quoted."""

    BOTH = 0
    BID = 1
    ASK = 2
    REDUCE = 3


MODEL = _codes(Model)
SKEW = _codes(Skew)
PLACEMENT = _codes(Placement)
SIDES = _codes(Sides)


class Field(NamedTuple):
    """A parameter: name, unit, value where none is given, length where it is a row, meaning."""

    name: str
    unit: str
    default: float
    size: int
    meaning: str


def _field(name: str, unit: str, default: float, meaning: str, size: int = 0) -> Field:
    return Field(name, unit, default, size, meaning)


FIELDS = (
    _field("model", "code", 0, "a Model: fixed, Avellaneda-Stoikov, GLFT, or an exact table"),
    _field("theo", "code", 0, "what the theoretical mid is: a Theo"),
    _field("micro_price_at", "", 0, "place of the micro-price table in the row; 0: there is none"),
    _field("manual_theo", "ccy", math.nan, "theoretical mid where it is a fixed number"),
    _field("half_spread_ticks", "ticks", 0, "added to the model's distance on each side"),
    _field("half_spread_bps", "bps", 0, "the same, as a part of the mid"),
    _field("min_half_spread_ticks", "ticks", 0, "least half of the distance between bid and ask"),
    _field("risk_aversion", "1/(tick lots)", 0, "gamma, for an inventory in order sizes"),
    _field("intensity_per_s", "1/s", 0, "A: fills a second of a quote at the mid, each side"),
    _field("decay_per_tick", "1/tick", 0, "k: decay of the fill intensity"),
    _field("volatility_ticks", "ticks/s^0.5", math.nan, "sigma; NaN: the measured one"),
    _field("horizon_s", "s", 0, "time left, where no end is given"),
    _field(
        "end_s", "s", math.nan, "end of the horizon, from the first row on; NaN: it moves along"
    ),
    _field("skew_kind", "code", 0, "a Skew: of the price"),
    _field("skew_ticks", "ticks", 0, "shift of both quotes for each order size held"),
    _field("skew_max_ticks", "ticks", math.inf, "largest shift, of a bounded skew"),
    _field("skew_knots", "", 0, "how many knots the curve has"),
    _field("skew_knot_lots", "lots", 0, "inventories of the knots, rising", KNOTS),
    _field("skew_knot_ticks", "ticks", 0, "shift at each knot", KNOTS),
    _field("size_skew_kind", "code", 0, "a Skew: of the size"),
    _field("size_skew", "", 0, "part by which the adding side shrinks for each order size held"),
    _field("size_skew_min", "", 0, "least part, of a bounded skew"),
    _field("size_knots", "", 0, "how many knots the curve has"),
    _field("size_knot_lots", "lots", 0, "inventories of the knots, rising", KNOTS),
    _field("size_knot_factor", "", 0, "part of the bid's size there; the ask is mirrored", KNOTS),
    _field("order_lots", "lots", 1, "size of an order, and the unit of inventory"),
    _field("size_increment_lots", "lots", 1, "sizes are rounded down to multiples of it"),
    _field("volatility_factor", "s^0.5", 0, "widens by this times the measured volatility"),
    _field("depth_ticks", "ticks", 0, "widens a side by up to this where its best level is thin"),
    _field("depth_reference_lots", "lots", 1, "size from which on a level is not thin"),
    _field("imbalance_ticks", "ticks", 0, "shifts by this times the order-book imbalance"),
    _field("order_flow_ticks", "ticks", 0, "shifts by this times the order-flow imbalance"),
    _field("layers", "", 1, "quotes a side"),
    _field("layer_offset_ticks", "ticks", 0, "added distance of each layer", LAYERS),
    _field("layer_lots", "lots", 0, "size of each layer; 0: order_lots", LAYERS),
    _field("price_increment_ticks", "ticks", 1, "prices are multiples of it, to the passive side"),
    _field("placement", "code", 1, "a Placement: free, passive, join or improve"),
    _field("price_tolerance_ticks", "ticks", 0, "a quote stays where it is within this"),
    _field("size_tolerance_lots", "lots", 0, "and if its size is within this"),
    _field("refresh_s", "s", 0, "a quote stays as it is for this long"),
    _field("lifetime_s", "s", 0, "quotes end by themselves after this; 0: they do not"),
    _field("bid_delay_s", "s", 0, "no bid for this long after a bid was filled"),
    _field("ask_delay_s", "s", 0, "no ask for this long after an ask was filled"),
    _field("sides", "code", 0, "a Sides: both, bid, ask, or only what reduces the inventory"),
    _field("floor", "ccy", -math.inf, "no ask below this price"),
    _field("ceiling", "ccy", math.inf, "no bid above this price"),
    _field("start_s", "s", -math.inf, "no quotes before, from the first row on"),
    _field("stop_s", "s", math.inf, "no quotes from then on"),
    _field("max_position_lots", "lots", math.inf, "no quote may add beyond this"),
    _field(
        "soft_position_lots", "lots", math.inf, "from there on the adding side shrinks and widens"
    ),
    _field("soft_loss", "ccy", math.inf, "loss from which on both sides shrink and widen"),
    _field("soft_ticks", "ticks", 0, "widening at a soft limit"),
    _field("soft_factor", "", 1, "part of the size that is left at a soft limit"),
)
"""Each parameter. A table of ``core.exact_quotes`` may follow the record in a parameter row."""

PARAMS = np.dtype(
    [(f.name, np.float64, (f.size,)) if f.size else (f.name, np.float64) for f in FIELDS]
)
TABLE_START = PARAMS.itemsize // 8
"""Where in a parameter row the table starts."""


def memory_len(instruments: int) -> int:
    """Numbers that the built-in quoting remembers."""
    return instruments * 2 * LAYERS * REMEMBERED


def default_params() -> np.ndarray:
    """One record of the values where none are given."""
    row = np.zeros(1, PARAMS)
    for field in FIELDS:
        row[field.name] = field.default
    return row
