"""A strategy whose quotes hang on all that it sees: any difference between two runs shows."""

from __future__ import annotations

import math

import mmquant as mm


@mm.strategy(memory={"asked": 0.0}, quotes=16)
def nosy(view, params, memory, quotes):
    """Two layers a side of each instrument (two at most), of sizes that hang on everything."""
    memory["asked"] += 1.0
    n = 0
    for i in range(min(2, len(view))):
        one = view[i]
        seen = one["trade_side"] + one["fills"] + one["n_orders"] + one["elapsed_s"] * 1e3
        seen += one["buy_volume"] + 3.0 * one["sell_volume"] + one["position_lots"]
        seen += (one["now"] - one["ts"]) % 7 + (one["now"] - one["exch_ts"]) % 11
        seen += (one["now"] - one["trade_ts"]) % 13
        seen += (one["now"] - one["buy_fill_ts"]) % 5 + (one["now"] - one["sell_fill_ts"]) % 3
        for k in range(5):
            seen += one["bid_lots"][k] % 5 - one["ask_lots"][k] % 3
            seen += one["bid_tick"][k] % 3 + one["ask_tick"][k] % 2
        for k in range(min(8, one["n_orders"])):
            seen += one["order_state"][k] + one["order_leaves"][k] + one["order_tick"][k] % 4
        center = one["theo_ticks"] if math.isfinite(one["theo_ticks"]) else one["mid"] * 100.0
        center += one["offset"] * 100.0
        if math.isfinite(one["trade_price"]):
            center += (one["trade_price"] * 100.0) % 2.0 - 0.5
        code = int(abs(seen)) % 40
        if code == 17:
            return -1
        for layer in range(2):
            for side in (1, -1):
                quote = quotes[n]
                quote["inst"] = i
                quote["side"] = side
                quote["tick"] = int(center) - side * (code % 3 + 2 * layer)
                quote["lots"] = 1 + code % 4
                if layer == 1 and code % 9 == 0:
                    quote["order_type"] = code % 3
                    quote["tif"] = 3 * (code % 2)
                n += 1
    return n
