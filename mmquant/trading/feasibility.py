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

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.touch_scan import INSIDE
from mmquant.data.contracts import Contract
from mmquant.data.fees import FeeRates, Fees, load_fees
from mmquant.data.mapping import Growing, give_back, pieces
from mmquant.data.tape import contracts_of
from mmquant.errors import DataError
from mmquant.trading.feasibility_words import PLACES, verdicts
from mmquant.trading.intervals import mean_interval
from mmquant.trading.markouts import HORIZONS_S
from mmquant.trading.measures import EXCESSIVE_ORDERS
from mmquant.trading.run_tables import Floats, Ints
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
Fee = Callable[[Floats], Floats]


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
    fee = partial(_fee, contract, fees.rates)
    out: Result = {"inst": contract.id, "symbol": contract.symbol, "currency": contract.currency}
    out |= {"fees": fees.schedule, "fees_note": " ".join(fees.notes)}
    out |= _market(touch, num / den) | _fills(touch, fills, fee)
    for suffix in PLACES:
        for horizon_s in HORIZONS_S:
            out |= _margin(touch, fills, fee, horizon_s, suffix)
    out |= _messages(touch, out["fills"], out["fills_back"])
    return out | verdicts(out)


def _fee(contract: Contract, rates: FeeRates, price: Floats) -> Floats:
    """Maker fee of one unit, in price: shape (n,)."""
    by_unit = rates.maker_unit_rate / contract.multiplier
    return np.asarray(np.abs(price) * rates.maker_value_rate + by_unit)


class _Mean:
    """Mean of the finite values of several parts, None without any."""

    def __init__(self) -> None:
        self._sum = self._total = 0.0

    def add(self, values: Floats, weights: Floats | None = None) -> None:
        known = np.isfinite(values)
        weight = np.ones(len(values)) if weights is None else weights
        self._total += float(weight[known].sum())
        self._sum += float((values[known] * weight[known]).sum())

    @property
    def value(self) -> float | None:
        return self._sum / self._total if self._total > 0.0 else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0.0 else None


def _market(touch: Touch, units_per_lot: float) -> Result:
    """What the market was like, by time."""
    mid, spread, ticks = _Mean(), _Mean(), _Mean()
    quoted = one_tick = seconds = 0.0
    for some in pieces([touch.touches, touch.mid, touch.ts]):
        rows, stood = touch.touches[some], touch.seconds(some)
        two_sided = rows["ticks"] > 0
        quoted += float(stood[two_sided].sum())
        one_tick += float(stood[rows["ticks"] == 1].sum())
        seconds += float(stood.sum())
        mid.add(touch.mid[some], stood)
        spread.add(np.where(two_sided, rows["ask"] - rows["bid"], np.nan), stood)
        ticks.add(np.where(two_sided, rows["ticks"], np.nan), stood)
    n, lots = len(touch.orders), touch.unsided_lots
    lots += sum(int(touch.orders["lots"][some].sum()) for some in pieces([touch.orders]))
    return {
        "seconds": seconds,
        "two_sided": _share(quoted, seconds),
        "mid": mid.value,
        "spread": spread.value,
        "spread_ticks": ticks.value,
        "one_tick": _share(one_tick, quoted),
        "volume": lots * units_per_lot,
        "market_orders": n,
        "market_orders_per_minute": _share(60.0 * n, seconds),
    }


def _fills(touch: Touch, fills: Joined, fee: Fee) -> Result:
    """What joining would have been filled with, and what it left out."""
    inside = outside = whole = 0
    for rows in pieces([touch.orders]):
        blind = is_blind(touch.orders[rows])
        outside += int(blind.sum())
        inside += int(((touch.orders["reach"][rows] == INSIDE) & ~blind).sum())
    half, cost = _Mean(), _Mean()
    for part in fills.parts():
        whole += int(part.whole.sum())
        half.add(part.side * (part.mid - part.price))
        cost.add(fee(part.price))
    return {
        "orders_inside": inside,
        "orders_blind": outside,
        "trades_unsided": touch.unsided,
        "fills": len(fills),
        "fills_back": whole,
        "half_spread": half.value,
        "maker_fee": cost.value,
    }


def _margin(touch: Touch, fills: Joined, fee: Fee, horizon_s: float, suffix: str) -> Result:
    """Costs and margin at one horizon, all on the fills that have a mid there."""
    means = {
        name: _Mean() for name in ("half_spread", "adverse", "markout", "break_even", "margin")
    }
    times, margins = Growing(touch.ts, np.int64), Growing(touch.ts, np.float64)
    for every in fills.parts():
        part = every.of(every.whole) if suffix else every
        later = touch.mid_at(part.ts + round(horizon_s * SECOND))
        used = np.isfinite(later)
        part, later = part.of(used), later[used]
        half, cost = part.side * (part.mid - part.price), fee(part.price)
        adverse = part.side * (part.mid - later)
        margin = half - adverse - cost
        values = (half, adverse, half - adverse, adverse + cost, margin)
        for mean, some in zip(means.values(), values, strict=True):
            mean.add(some)
        times.append(part.ts)
        margins.append(margin)
        give_back([touch.ts, touch.mid], 0, len(touch.ts))
    filled = times.column()
    interval = mean_interval(
        times=filled,
        values=margins.column(),
        start=int(touch.ts[0]) if len(touch.ts) else touch.last_ts,
        end=touch.last_ts,
        horizon_s=horizon_s,
    )
    known = bool(np.isfinite(interval.low))
    found = {
        "used": len(filled),
        **{name: mean.value for name, mean in means.items()},
        "margin_low": interval.low if known else None,
        "margin_high": interval.high if known else None,
        "margin_why": interval.why,
    }
    return {f"{name}{suffix}_{horizon_s:g}s": value for name, value in found.items()}


def _messages(touch: Touch, fills: int, fills_back: int) -> Result:
    """Messages that keep an order at both best prices, against the broker's limits."""
    by_count = message_seconds(touch.ts, touch.touches["messages"], touch.last_ts)
    total = sum(int(touch.touches["messages"][some].sum()) for some in pieces([touch.touches]))
    seconds = float(by_count.sum())
    out: Result = {
        "messages": total,
        "messages_per_s": _share(float(total), seconds),
        "messages_p50": quantile(by_count, 0.5),
        "messages_p99": quantile(by_count, 0.99),
        "messages_max": len(by_count) - 1 if len(by_count) else None,
        "messages_plan": MESSAGE_PLAN,
        "messages_limit": MESSAGE_LIMIT,
    }
    out["messages_over_plan"] = _share(float(by_count[MESSAGE_PLAN + 1 :].sum()), seconds)
    out["efficiency"] = total / (fills + 1.0)
    out["efficiency_back"] = total / (fills_back + 1.0)
    out["efficiency_limit"] = EXCESSIVE_ORDERS
    return out


def message_seconds(ts: Ints, messages: Ints, last_ts: int) -> Floats:
    """How long each number of messages was that of the last second: by that number. [s]

    A message counts from its own time on, for less than one second; ``last_ts`` [ns] is the end.
    Empty without messages.
    """
    by_count, count, over = np.zeros(0), 0, 0
    for rows in pieces([ts, messages]):
        # Of this piece are the messages that begin in it, and those that are over before the next.
        at_end = rows.stop >= len(ts)
        end = last_ts if at_end else int(ts[rows.stop])
        stop = len(ts) if at_end else int(np.searchsorted(ts, end - SECOND))
        edges = np.concatenate([ts[over:stop] + SECOND, ts[rows]])
        order = np.argsort(edges, kind="stable")
        steps = np.concatenate([-messages[over:stop], messages[rows]])[order]
        counts = count + np.cumsum(steps)
        stood = np.diff(np.append(np.minimum(edges[order], last_ts), end)) / 1e9
        found = np.asarray(np.bincount(counts, stood, minlength=len(by_count)), np.float64)
        found[: len(by_count)] += by_count
        by_count, count, over = found, int(counts[-1]), stop
    return by_count


def quantile(by_count: Floats, share: float) -> int | None:
    """Smallest count that holds for at least ``share`` of the time; ``by_count`` are seconds."""
    reached = np.cumsum(by_count)
    if not len(reached) or reached[-1] <= 0.0:
        return None
    return int(np.searchsorted(reached, share * reached[-1] * (1.0 - 1e-12)))
