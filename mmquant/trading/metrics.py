"""What a run earned and how: PnL split, drawdown, quoting, and the flat summary.

All functions take the tables of a run. Equity and PnL are in the instrument's currency; with
several instruments they are added up, which means something only where the currency is one.
No Sharpe ratio of a run: a day of steps has no independent daily returns to take it from
(`distribution.daily_sharpe` takes it from the net PnL of several days).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.core.dtypes import ActionKind, OrderState
from mmquant.trading.distribution import daily_sharpe, pnl_measures
from mmquant.trading.inventory import durations, inventory_half_life, position_moments
from mmquant.trading.markouts import (
    HORIZONS_S,
    adverse_selection,
    fill_markouts,
    markout_table,
)
from mmquant.trading.measures import SUMMARY, at, measures
from mmquant.trading.run_tables import (
    Bools,
    Fills,
    Floats,
    Multipliers,
    column,
    multipliers_of,
    path_column,
    path_times,
    per_fill,
)

__all__ = [
    "HORIZONS_S",
    "SUMMARY",
    "adverse_selection",
    "drawdown",
    "equity_curve",
    "fill_markouts",
    "markout_table",
    "order_efficiency",
    "pnl_split",
    "quote_uptime",
    "summarize",
]


def equity_curve(*, path: xr.Dataset, gross: bool = False) -> Floats:
    """Equity, summed over instruments, shape (time,); before fees if ``gross``. [currency]

    NaN where an instrument has no equity for want of a mid.
    """
    equity = path_column(path, "equity")
    if gross:
        equity = equity + path_column(path, "fees")
    return equity.sum(axis=1)


def drawdown(*, equity: Floats) -> Floats:
    """Equity below its running peak, shape (time,), at most 0. [currency] NaN stays NaN.

    The account starts at 0, so the peak is never lower than that.
    """
    return equity - np.fmax.accumulate(np.fmax(equity, 0.0)) if len(equity) else equity


def _time_mean(values: Floats, seconds: Floats) -> float | None:
    known = np.isfinite(values)
    weights = np.broadcast_to(seconds[:, None], values.shape) if values.ndim == 2 else seconds
    total = float(weights[known].sum())
    if total <= 0.0:
        return float(values[known].mean()) if known.any() else None
    return float((values[known] * weights[known]).sum()) / total


def pnl_split(
    *, path: xr.Dataset, fills: pd.DataFrame, multipliers: Multipliers | None = None
) -> pd.DataFrame:
    """PnL and its parts, one row per part: ``part``, ``ccy``, ``share`` of the value traded.

    Rows: spread, inventory, fees (negative: a cost), net, check. ``net`` is the equity of the
    last step that has one (the account starts at 0), ``check`` is net less its three parts at
    that step: rounding, below 1e-9 of the value traded. NaN where no step has an equity.
    """
    value = traded_value(path=path, fills=fills, multipliers=multipliers)
    known = np.flatnonzero(np.isfinite(equity_curve(path=path)))
    parts = {name: _last(path, name, known) for name in ("spread_pnl", "inventory_pnl", "fees")}
    net = _last(path, "equity", known)
    rows = {
        "spread": parts["spread_pnl"],
        "inventory": parts["inventory_pnl"],
        "fees": 0.0 - parts["fees"],
        "net": net,
        "check": net - (parts["spread_pnl"] + parts["inventory_pnl"] - parts["fees"]),
    }
    table = pd.DataFrame({"part": list(rows), "ccy": list(rows.values())})
    table["share"] = table["ccy"] / value if value else np.nan
    return table


def _last(path: xr.Dataset, name: str, steps: np.ndarray) -> float:
    return float(path_column(path, name)[steps[-1]].sum()) if len(steps) else np.nan


def traded_value(
    *, path: xr.Dataset, fills: pd.DataFrame, multipliers: Multipliers | None = None
) -> float:
    """Sum over fills of price * size * multiplier. [currency]"""
    log = Fills.of(fills)
    scale = per_fill(multipliers_of(path=path, fills=fills, multipliers=multipliers), log.inst)
    return float((np.abs(log.price) * log.size * scale).sum())


def quote_uptime(*, path: xr.Dataset) -> dict[str, float | None]:
    """Time-weighted quoting: two_sided, any, at_best (shares), own_width, market_width (price).

    ``width_ratio`` is the mean of own width over the market's, while both are two-sided. Averaged
    over instruments. "At best" compares own quotes with the book at the same step.
    """
    own_bid, own_ask = path_column(path, "own_bid"), path_column(path, "own_ask")
    bid, ask = path_column(path, "bid"), path_column(path, "ask")
    seconds = durations(path=path)
    has_bid, has_ask = np.isfinite(own_bid), np.isfinite(own_ask)

    def share(flags: Bools) -> float | None:
        return _time_mean(flags.astype(np.float64), seconds)

    width, market = own_ask - own_bid, ask - bid
    ratio = np.divide(width, market, out=np.full(width.shape, np.nan), where=market > 0.0)
    return {
        "two_sided": share(has_bid & has_ask),
        "any": share(has_bid | has_ask),
        "at_best": share((own_bid >= bid) & (own_ask <= ask)),
        "own_width": _time_mean(width, seconds),
        "market_width": _time_mean(market, seconds),
        "width_ratio": _time_mean(ratio, seconds),
    }


def summarize(
    path: xr.Dataset,
    fills: pd.DataFrame,
    orders: pd.DataFrame,
    quotes: pd.DataFrame,
    *,
    multipliers: Multipliers | None = None,
) -> dict[str, int | float | None]:
    """The summary of a run: flat, JSON-able, None where a number is not defined.

    Keys, units and meaning are in `measures.measures()`: those of SUMMARY, then the PnL over
    intervals (BY_INTERVAL) and the markouts at the default horizons (BY_HORIZON). ``multipliers``
    maps an instrument id to its contract multiplier; without it they are found as
    `run_tables.multipliers_of` says.
    """
    scale = multipliers_of(path=path, fills=fills, multipliers=multipliers)
    out = _steps(path) | _pnl(path, fills, scale) | _trading(path, fills, orders, quotes, scale)
    out |= _positions(path) | _quoting(path)
    value, volume = out["traded_value"], out["volume"]
    out["pnl_per_unit"] = _ratio(out["net_pnl"], volume)
    out["pnl_bps"] = _ratio(out["net_pnl"], value, 1e4)
    out |= pnl_measures(path=path) | _markouts(path, fills, scale)
    return {key: _plain(out[key]) for key in measures()}


def _plain(value: float | None) -> int | float | None:
    if value is None or isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None


def _ratio(top: float | None, bottom: float, scale: float = 1.0) -> float | None:
    if top is None or not bottom or not np.isfinite(top):
        return None
    return float(top) / float(bottom) * scale


def _steps(path: xr.Dataset) -> dict:
    times = path_times(path)
    first, last = (int(times[0]), int(times[-1])) if len(times) else (None, None)
    return {"steps": len(times), "first_ts": first, "last_ts": last}


def _pnl(path: xr.Dataset, fills: pd.DataFrame, scale: Multipliers) -> dict:
    split = pnl_split(path=path, fills=fills, multipliers=scale).set_index("part")["ccy"]
    equity = equity_curve(path=path)
    known = equity[np.isfinite(equity)]
    return {
        "net_pnl": split["net"],
        "gross_pnl": split["net"] - split["fees"],
        "spread_pnl": split["spread"],
        "inventory_pnl": split["inventory"],
        "fees": 0.0 - split["fees"],
        "pnl_check": split["check"],
        "peak_equity": known.max() if len(known) else None,
        "low_equity": known.min() if len(known) else None,
        "max_drawdown": -drawdown(equity=known).min() + 0.0 if len(known) else None,
        "steps_without_equity": len(equity) - len(known),
        "sharpe": daily_sharpe(daily_pnl=[split["net"]])["sharpe"],
        "sharpe_days": int(np.isfinite(split["net"])),
    }


def _trading(
    path: xr.Dataset,
    fills: pd.DataFrame,
    orders: pd.DataFrame,
    quotes: pd.DataFrame,
    scale: Multipliers,
) -> dict:
    log = Fills.of(fills)
    volume = float(log.size.sum())
    times = path_times(path)
    late = int((log.time > times[-1]).sum()) if len(times) else len(log)
    messages = count_messages(quotes=quotes)
    status = column(orders, "status", np.int64)
    return {
        "fills": len(log),
        "fills_after_path": late,
        "maker_fills": int((log.liquidity > 0).sum()),
        "taker_fills": int((log.liquidity < 0).sum()),
        "maker_ratio": _ratio(float(log.size[log.liquidity > 0].sum()), volume),
        "volume": volume,
        "traded_value": traded_value(path=path, fills=fills, multipliers=scale),
        "orders": len(orders),
        "rejected_orders": int((status == OrderState.REJECTED).sum()),
        "messages": messages,
        "fill_ratio": _ratio(
            float(column(orders, "filled_qty").sum()), float(column(orders, "size").sum())
        ),
        "order_to_trade": _ratio(len(orders), len(log)),
        "messages_per_fill": _ratio(messages, len(log)),
        "order_efficiency_ratio": order_efficiency(quotes=quotes, fills=fills),
    }


def count_messages(*, quotes: pd.DataFrame) -> int:
    """Instructions to place, modify or cancel an order."""
    sent = column(quotes, "action", np.int64)
    return int(np.isin(sent, (ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL)).sum())


def order_efficiency(*, quotes: pd.DataFrame, fills: pd.DataFrame) -> float:
    """Instructions to place, modify or cancel over executed orders plus one. [1]

    Interactive Brokers' order-efficiency ratio of a day (knowledge base, articles 1343 and 1765);
    an order that is filled in parts is one executed order.
    """
    traded = column(fills, "size") > 0
    executed = np.unique(column(fills, "order_id", np.int64)[traded])
    return count_messages(quotes=quotes) / (len(executed) + 1)


def _positions(path: xr.Dataset) -> dict:
    position = path_column(path, "position")
    single = position.shape[1] == 1
    moments, half_life = position_moments(path=path), inventory_half_life(path=path)
    return {
        "final_position": float(position[-1, 0]) if single and len(position) else None,
        "max_abs_position": float(np.abs(position).max()) if position.size else None,
        "mean_abs_position": _time_mean(np.abs(position), durations(path=path)),
        **{f"{name}_position": value for name, value in moments.items()},
        "half_life_s": half_life.seconds,
        "half_life_phi": half_life.phi,
        "half_life_step_s": half_life.step_s,
    }


def _quoting(path: xr.Dataset) -> dict:
    uptime = quote_uptime(path=path)
    return {
        "uptime_two_sided": uptime["two_sided"],
        "uptime_any": uptime["any"],
        "uptime_at_best": uptime["at_best"],
        "quoted_width": uptime["own_width"],
        "market_width": uptime["market_width"],
        "width_ratio": uptime["width_ratio"],
    }


def _markouts(path: xr.Dataset, fills: pd.DataFrame, scale: Multipliers) -> dict:
    worth = markout_table(path=path, fills=fills, multipliers=scale).to_dict("records")
    parts = adverse_selection(path=path, fills=fills, multipliers=scale).to_dict("records")
    out: dict[str, float | None] = {}
    for row, split in zip(worth, parts, strict=True):
        key = at("markout_<h>s", row["horizon_s"])
        out |= {key: row["sized_mean"], f"{key}_low": row["sized_low"]}
        out |= {f"{key}_high": row["sized_high"], f"{key}_equal": row["mean"]}
        out |= {f"{key}_equal_low": row["low"], f"{key}_equal_high": row["high"]}
        out |= {f"{key}_ccy": row["total"], f"{key}_dropped": int(row["past_end"] + row["no_mid"])}
        for part in ("effective", "realized", "impact"):
            out[at(f"{part}_<h>s", row["horizon_s"])] = split[part]
    return out
