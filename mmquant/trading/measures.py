"""The numbers of a run's summary: their units and meaning."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """A number of the summary: its unit and one sentence."""

    unit: str
    text: str


EXCESSIVE_ORDERS = 20.0
"""Order-efficiency ratio above which Interactive Brokers calls an account's messages excessive."""

SUMMARY: dict[str, Measure] = {
    "steps": Measure("", "Decisions on the path."),
    "first_ts": Measure("ns", "Time of the first step, UTC."),
    "last_ts": Measure("ns", "Time of the last step, UTC."),
    "net_pnl": Measure("ccy", "Equity of the last step that has one; the account starts at 0."),
    "gross_pnl": Measure("ccy", "Net PnL before fees."),
    "spread_pnl": Measure("ccy", "Spread captured against the mid just before each fill."),
    "inventory_pnl": Measure("ccy", "What moves of the mid did to the inventory."),
    "fees": Measure("ccy", "Fees paid; negative where rebates were larger."),
    "pnl_check": Measure("ccy", "Net PnL less its parts: rounding only."),
    "peak_equity": Measure("ccy", "Highest equity."),
    "low_equity": Measure("ccy", "Lowest equity."),
    "max_drawdown": Measure("ccy", "Largest fall of equity from an earlier peak."),
    "steps_without_equity": Measure("", "Steps with no equity, for want of a mid; left out."),
    "fills": Measure("", "Executions in the fill log."),
    "fills_after_path": Measure("", "Of these, after the last step: not yet in equity and PnL."),
    "maker_fills": Measure("", "Executions that rested."),
    "taker_fills": Measure("", "Executions that took."),
    "maker_ratio": Measure("1", "Share of filled units that rested."),
    "volume": Measure("units", "Units traded."),
    "traded_value": Measure("ccy", "Price times units times multiplier, summed over fills."),
    "pnl_per_unit": Measure("ccy/unit", "Net PnL per unit traded."),
    "pnl_bps": Measure("bps", "Net PnL over the value traded."),
    "orders": Measure("", "Orders sent."),
    "rejected_orders": Measure("", "Orders that the exchange refused."),
    "messages": Measure("", "Instructions to place, modify or cancel."),
    "fill_ratio": Measure("1", "Units filled over units ordered."),
    "order_to_trade": Measure("1", "Orders per fill."),
    "messages_per_fill": Measure("1", "Instructions per fill."),
    "order_efficiency_ratio": Measure(
        "1", "Instructions over executed orders plus one; above 20 is excessive at IBKR."
    ),
    "final_position": Measure("units", "Position at the last step; none with several instruments."),
    "max_abs_position": Measure("units", "Largest position of any one instrument, either way."),
    "mean_abs_position": Measure("units", "Time-weighted mean of the absolute position."),
    "uptime_two_sided": Measure("1", "Share of time with a working quote on both sides."),
    "uptime_any": Measure("1", "Share of time with a working quote on at least one side."),
    "uptime_at_best": Measure("1", "Share of time with both quotes at the best price or better."),
    "quoted_width": Measure("price", "Time-weighted width of own two-sided quotes."),
    "market_width": Measure("price", "Time-weighted width of the market."),
}
"""Units and meaning of the summary's keys; markout keys are described by `markout_key`."""


def markout_key(horizon_s: float) -> str:
    """Summary key of the size-weighted markout [ccy/unit]; ``_ccy``, ``_dropped`` follow it."""
    whole = horizon_s == int(horizon_s)
    return f"markout_{int(horizon_s) if whole else horizon_s}s"
