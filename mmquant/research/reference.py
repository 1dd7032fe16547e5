"""The reference strategy under the peer's rules, as the side-by-side benchmark runs it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.data.fees import FeeRates
from mmquant.data.tape import contracts_of
from mmquant.trading.compiled import bind_loop, run_halves
from mmquant.trading.halves import make_halves
from mmquant.trading.strategy import SKEW

PEER_QUEUES = {
    "risk": ("risk_averse", 1.0),
    "power2": ("power", 2.0),
    "power3_3": ("power3", 3.0),
    "log": ("log", 1.0),
    "log2": ("log2", 1.0),
}
"""The peer tool's names of queue models, and ours with their exponent."""


def reference_config(
    *,
    interval_ns: int,
    entry_latency_ns: int,
    response_latency_ns: int,
    half_spread_ticks: float,
    skew_ticks: float,
    order_lots: float,
    max_orders: float,
    queue: str,
) -> Config:
    """Configuration that gives the reference strategy the peer's semantics."""
    model, power = PEER_QUEUES[queue]
    # Each step can send an order a side, and each is under way for both latencies.
    under_way = (entry_latency_ns + response_latency_ns) // interval_ns + 1
    open_orders = min(8 + 8 * under_way, 65_536)
    return Config.from_dict(
        {
            "name": "reference",
            "strategy": {
                "params": {
                    "half_spread_ticks": half_spread_ticks,
                    "skew_ticks": skew_ticks,
                    "order_lots": order_lots,
                    "max_position_lots": max_orders * order_lots,
                }
            },
            "decision": {"interval_ns": interval_ns},
            "latency": {
                "entry_ns": max(entry_latency_ns, 1),
                "response_ns": max(response_latency_ns, 1),
            },
            "fill": {"mode": "peer", "queue": model, "queue_power": power},
            # The peer lets own orders meet.
            "limits": {
                "one_sided": "hold",
                "max_open_orders": open_orders,
                "prevent_own_cross": False,
            },
        }
    )


def run_reference(
    tape: xr.Dataset, *, maker_fee: float = 0.0, keep_tables: bool = False, **settings: Any
) -> tuple[dict[str, np.ndarray], float]:
    """Run the reference strategy. Returns its path and the seconds that the loop took.

    The path has the peer's fields, one entry a step: timestamp [ns], price (the mid), position
    [units], balance and fee [currency], num_trades.
    """
    config = reference_config(**settings)
    fees = [FeeRates(maker_value_rate=maker_fee)] * len(contracts_of(tape))
    halves = make_halves(config, tape, SKEW, rates=fees, keep_tables=keep_tables)
    # The peer allows latencies of 0, which a configuration does not.
    halves.exchange.state["entry_ns"] = settings["entry_latency_ns"]
    halves.exchange.state["response_ns"] = settings["response_latency_ns"]
    steps = int((halves.tape.local_ts.max() - halves.tape.exch_ts[0]) // settings["interval_ns"])
    roomy = np.zeros(steps + 3 + len(halves.actions) * 2, halves.local.path_log.dtype)
    halves.local = halves.local._replace(path_log=roomy)
    loop = bind_loop(halves)
    started = time.perf_counter()
    _, logs = run_halves(halves, loop=loop)
    seconds = time.perf_counter() - started
    rows = logs.rows("path")
    return {
        "timestamp": rows["time"],
        "price": rows["mid"],
        "position": rows["position"],
        "balance": rows["cash"],
        "fee": rows["fees"],
        "num_trades": rows["fills"],
    }, seconds
