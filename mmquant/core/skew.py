"""Built-in quoting. A strategy's parameters come as a float64 row, in the order of its names."""

from __future__ import annotations

import math

from mmquant.core.jit import kernel

SKEW_PARAMS = ("half_spread_ticks", "skew_ticks", "order_lots", "max_position_lots")


@kernel
def skew_quote(view, params, memory, quotes):
    """One quote a side around a reservation price that moves against the inventory.

    The reservation price is the mid less ``skew_ticks`` for each ``order_lots`` held; quotes are
    ``half_spread_ticks`` away, rounded to the passive side, and never better than the best price.
    A side is left out once ``max_position_lots`` is held.
    """
    market = view[0]
    order_units = params[2] * market["units_per_lot"]
    limit_units = params[3] * market["units_per_lot"]
    position = market["position"]
    middle = (market["best_bid"] + market["best_ask"]) / 2.0
    reservation = middle - params[1] * position / order_units
    n = 0
    if position < limit_units - 1e-9:
        quote = quotes[n]
        quote["side"] = 1
        quote["tick"] = min(math.floor(reservation - params[0]), market["best_bid"])
        quote["lots"] = int(params[2])
        n += 1
    if position > -limit_units + 1e-9:
        quote = quotes[n]
        quote["side"] = -1
        quote["tick"] = max(math.ceil(reservation + params[0]), market["best_ask"])
        quote["lots"] = int(params[2])
        n += 1
    return n
