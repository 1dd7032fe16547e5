"""Before any strategy: would joining the best prices have paid on this tape, and could it be sent?

A unit that joins the best price before each market order earns the half spread s * (M - p) and
loses what the mid then moves against it, s * (M - M(t+h)), and the fee; s = +1 bought, mid M just
before, price p. The break-even half spread is the sum of the two costs, and the margin is

    half spread - adverse selection - fee = s * (M(t+h) - p) - fee

In front of the queue every market order that reaches the price fills the unit; at its end only one
that takes all that is shown. All real places lie between. Each market order counts once: all trades
of one exchange time and aggressor. Exchange's clock and book; no latency. Measures are described in
`measures.FEASIBILITY`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.touch_scan import INSIDE
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates, Fees, load_fees
from mmquant.data.tape import contracts_of
from mmquant.errors import DataError
from mmquant.trading.feasibility_words import PLACES, verdicts
from mmquant.trading.intervals import mean_interval
from mmquant.trading.markouts import HORIZONS_S
from mmquant.trading.measures import EXCESSIVE_ORDERS
from mmquant.trading.run_tables import Floats
from mmquant.trading.touch import Joined, Touch, is_blind, joined, touches_of

MESSAGE_LIMIT = 50
"""Messages a second and connection at Interactive Brokers, who then cut the connection (IBKR
Campus, TWS API, order and message limits)."""
MESSAGE_PLAN = 40
"""What we plan with: room for cancels. [1/s]"""
MOST_KEPT = 20
"""Instruments that a run keeps the feasibility of: those with most fills."""
SECOND = 1_000_000_000

Result = dict[str, Any]


def feasible(tape: xr.Dataset, *, fees: str | Path = "zero") -> list[Result]:
    """Feasibility of joining the best prices of a tape: one flat dict an instrument.

    Parameters
    ----------
    tape : Dataset (schema ``tape``).
    fees : name or path of a fee schedule; its rates of the tape's date are used.

    Returns
    -------
    list of dict
        by instrument, keys of `measures.FEASIBILITY`; None where a number cannot be told.

    Raises
    ------
    DataError
        where the tape has no rows, or the schedule is unknown.
    """
    if tape.sizes["event"] == 0:
        raise DataError("the tape has no rows", fix="check the file and the reader's options")
    return feasibility(tape, load_fees(fees, tape.attrs["date"]))


def feasibility(tape: xr.Dataset, fees: Fees) -> list[Result]:
    """`feasible` with fees that are known already."""
    contracts = contracts_of(tape)
    touches = touches_of(tape, contracts)
    return [_one(one, touch, fees) for one, touch in zip(contracts, touches, strict=True)]


def kept_in_run(results: Sequence[Result]) -> dict[str, Any]:
    """What a run's manifest keeps: the instruments with most fills, and how many are left out."""
    order = sorted(range(len(results)), key=lambda i: (-results[i]["fills"], i))[:MOST_KEPT]
    kept = [results[i] for i in sorted(order)]
    return {"instruments": kept, "left_out": len(results) - len(kept)}


def _one(contract: Contract, touch: Touch, fees: Fees) -> Result:
    num, den = contract.lot_fraction()
    fills = joined(touch)
    fee = _fee(contract, fees.rates, fills.price)
    out: Result = {"inst": contract.id, "symbol": contract.symbol, "currency": contract.currency}
    out |= {"fees": fees.schedule, "fees_note": " ".join(fees.notes)}
    out |= _market(touch, num / den) | _fills(touch, fills, fee)
    for suffix in PLACES:
        chosen = fills.whole if suffix else np.ones(len(fills), np.bool_)
        for horizon_s in HORIZONS_S:
            out |= _margin(touch, fills.of(chosen), fee[chosen], horizon_s, suffix)
    out |= _messages(touch, out["fills"], out["fills_back"])
    return out | verdicts(out)


def _fee(contract: Contract, rates: FeeRates, price: Floats) -> Floats:
    """Maker fee of one unit, in price: shape (n,)."""
    by_unit = rates.maker_unit_rate / contract.multiplier
    return np.asarray(np.abs(price) * rates.maker_value_rate + by_unit)


def _mean(values: Floats, weights: Floats | None = None) -> float | None:
    """Mean of the finite values, None without any."""
    known = np.isfinite(values)
    weight = np.ones(len(values)) if weights is None else weights
    total = float(weight[known].sum())
    return float((values[known] * weight[known]).sum()) / total if total > 0.0 else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0.0 else None


def _market(touch: Touch, units_per_lot: float) -> Result:
    """What the market was like, by time."""
    rows, stood = touch.touches, touch.seconds
    two_sided = rows["ticks"] > 0
    quoted = float(stood[two_sided].sum())
    spread = np.where(two_sided, rows["ask"] - rows["bid"], np.nan)
    one_tick = float(stood[rows["ticks"] == 1].sum())
    n, seconds = len(touch.orders), float(stood.sum())
    lots = int(touch.orders["lots"].sum()) + touch.unsided_lots
    return {
        "seconds": seconds,
        "two_sided": _share(quoted, seconds),
        "mid": _mean(touch.mid, stood),
        "spread": _mean(spread, stood),
        "spread_ticks": _mean(np.where(two_sided, rows["ticks"], np.nan), stood),
        "one_tick": _share(one_tick, quoted),
        "volume": lots * units_per_lot,
        "market_orders": n,
        "market_orders_per_minute": _share(60.0 * n, seconds),
    }


def _fills(touch: Touch, fills: Joined, fee: Floats) -> Result:
    """What joining would have been filled with, and what it left out."""
    blind = is_blind(touch.orders)
    inside = (touch.orders["reach"] == INSIDE) & ~blind
    return {
        "orders_inside": int(inside.sum()),
        "orders_blind": int(blind.sum()),
        "trades_unsided": touch.unsided,
        "fills": len(fills),
        "fills_back": int(fills.whole.sum()),
        "half_spread": _mean(fills.side * (fills.mid - fills.price)),
        "maker_fee": _mean(fee),
    }


def _margin(touch: Touch, fills: Joined, fee: Floats, horizon_s: float, suffix: str) -> Result:
    """Costs and margin at one horizon, all on the fills that have a mid there."""
    later = touch.mid_at(fills.ts + round(horizon_s * SECOND))
    used = np.isfinite(later)
    fills, fee, later = fills.of(used), fee[used], later[used]
    half = fills.side * (fills.mid - fills.price)
    adverse = fills.side * (fills.mid - later)
    margin = half - adverse - fee
    first = int(touch.touches["ts"][0]) if len(touch.touches) else touch.last_ts
    interval = mean_interval(
        times=fills.ts, values=margin, start=first, end=touch.last_ts, horizon_s=horizon_s
    )
    known = bool(np.isfinite(interval.low))
    found = {
        "used": len(fills),
        "half_spread": _mean(half),
        "adverse": _mean(adverse),
        "markout": _mean(half - adverse),
        "break_even": _mean(adverse + fee),
        "margin": _mean(margin),
        "margin_low": interval.low if known else None,
        "margin_high": interval.high if known else None,
        "margin_why": interval.why,
    }
    return {f"{name}{suffix}_{horizon_s:g}s": value for name, value in found.items()}


def _messages(touch: Touch, fills: int, fills_back: int) -> Result:
    """Messages that keep an order at both best prices, against the broker's limits."""
    rows = touch.touches
    counts, seconds = windows(rows["ts"], rows["messages"], touch.last_ts)
    total = int(rows["messages"].sum())
    out: Result = {
        "messages": total,
        "messages_per_s": _share(float(total), float(seconds.sum())),
        "messages_p50": quantile(counts, seconds, 0.5),
        "messages_p99": quantile(counts, seconds, 0.99),
        "messages_max": int(counts.max()) if len(counts) else None,
        "messages_plan": MESSAGE_PLAN,
        "messages_limit": MESSAGE_LIMIT,
    }
    over = float(seconds[counts > MESSAGE_PLAN].sum())
    out["messages_over_plan"] = _share(over, float(seconds.sum()))
    out["efficiency"] = total / (fills + 1.0)
    out["efficiency_back"] = total / (fills_back + 1.0)
    out["efficiency_limit"] = EXCESSIVE_ORDERS
    return out


def windows(ts: np.ndarray, messages: np.ndarray, last_ts: int) -> tuple[np.ndarray, Floats]:
    """Messages of the last second at every moment: counts, and how long each stood. [s]

    A message counts from its own time on, for less than one second; ``last_ts`` [ns] is the end.
    """
    if not len(ts):
        return np.zeros(0, np.int64), np.zeros(0)
    edges = np.concatenate([ts + SECOND, ts])
    order = np.argsort(edges, kind="stable")
    counts = np.cumsum(np.concatenate([-messages, messages])[order])
    edges = np.minimum(edges[order], last_ts)
    return counts, np.diff(np.append(edges, last_ts)) / 1e9


def quantile(counts: np.ndarray, seconds: Floats, share: float) -> int | None:
    """Smallest count that holds for at least ``share`` of the time."""
    by_count = np.bincount(counts, seconds) if len(counts) else np.zeros(1)
    reached = np.cumsum(by_count)
    if reached[-1] <= 0.0:
        return None
    return int(np.searchsorted(reached, share * reached[-1] * (1.0 - 1e-12)))
