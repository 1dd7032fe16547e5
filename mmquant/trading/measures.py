"""The numbers of a run's summary: their units and meaning."""

from __future__ import annotations

from typing import NamedTuple

from mmquant.trading.distribution import INTERVALS_S
from mmquant.trading.markouts import HORIZONS_S


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
    "mean_position": Measure("units", "Time-weighted mean of the position; of one instrument."),
    "sd_position": Measure("units", "Time-weighted standard deviation of it; of one instrument."),
    "skew_position": Measure("1", "Time-weighted skewness of it; of one instrument."),
    "half_life_s": Measure(
        "s", "Time in which half of a position goes back to the mean, by AR(1); of one instrument."
    ),
    "half_life_phi": Measure("1", "Coefficient of that fit: share of a position left a step on."),
    "half_life_step_s": Measure(
        "s", "Its step: 10 s, or the median time between decisions where that is longer."
    ),
    "uptime_two_sided": Measure("1", "Share of time with a working quote on both sides."),
    "uptime_any": Measure("1", "Share of time with a working quote on at least one side."),
    "uptime_at_best": Measure("1", "Share of time with both quotes at the best price or better."),
    "quoted_width": Measure("price", "Time-weighted width of own two-sided quotes."),
    "market_width": Measure("price", "Time-weighted width of the market."),
    "width_ratio": Measure(
        "1", "Own width over the market's, time-weighted, while both are known."
    ),
    "sharpe": Measure("1", "None of a run: a Sharpe ratio takes the PnL of several days."),
    "sharpe_days": Measure("", "Days that it would be taken from: 1, or 0 without an equity."),
}
"""Keys of a summary with unit and meaning; those that come several times are in the next two."""

BY_INTERVAL: dict[str, Measure] = {
    "pnl_<i>s_n": Measure("", "Whole intervals of i seconds with an equity at both ends."),
    "pnl_<i>s_mean": Measure("ccy", "Mean of the PnL over such an interval."),
    "pnl_<i>s_sd": Measure("ccy", "Its standard deviation."),
    "pnl_<i>s_q01": Measure("ccy", "Its 1 % quantile; none below 100 intervals."),
    "pnl_<i>s_q05": Measure("ccy", "Its 5 % quantile; none below 20."),
    "pnl_<i>s_q50": Measure("ccy", "Its median."),
    "pnl_<i>s_q95": Measure("ccy", "Its 95 % quantile; none below 20."),
    "pnl_<i>s_q99": Measure("ccy", "Its 99 % quantile; none below 100."),
    "pnl_<i>s_worst": Measure("ccy", "The worst interval."),
    "pnl_<i>s_positive": Measure("1", "Share of the intervals with a gain."),
}
"""Keys that come once for each length of interval; <i> stands for it. [s]"""

BY_HORIZON: dict[str, Measure] = {
    "markout_<h>s": Measure(
        "ccy/unit", "Mean of side × (mid h seconds later − price), each unit counting once."
    ),
    "markout_<h>s_low": Measure("ccy/unit", "Lower end of its 95 % interval (block bootstrap)."),
    "markout_<h>s_high": Measure("ccy/unit", "Upper end of it."),
    "markout_<h>s_equal": Measure("ccy/unit", "The same mean, each fill counting once."),
    "markout_<h>s_equal_low": Measure("ccy/unit", "Lower end of its 95 % interval."),
    "markout_<h>s_equal_high": Measure("ccy/unit", "Upper end of it."),
    "markout_<h>s_ccy": Measure("ccy", "The markouts times units and multiplier, added up."),
    "markout_<h>s_dropped": Measure("", "Fills past the path's end or without a two-sided mid."),
    "effective_<h>s": Measure(
        "ccy/unit", "Half-spread captured at the fill, of fills with all three parts, by size."
    ),
    "realized_<h>s": Measure("ccy/unit", "What of it was left h seconds later, same fills."),
    "impact_<h>s": Measure("ccy/unit", "What the market took: effective − realized, same fills."),
}
"""Keys that come once for each horizon; <h> stands for it. [s]"""

FEASIBILITY: dict[str, Measure] = {
    "inst": Measure("id", "Instrument, by its id on the tape."),
    "symbol": Measure("", "Its symbol."),
    "currency": Measure("", "Currency of its prices and fees."),
    "fees": Measure("", "Fee schedule."),
    "fees_note": Measure("", "What was assumed of the fees."),
    "seconds": Measure("s", "Time from the first best price to the last row."),
    "two_sided": Measure("1", "Share of it with a best price on both sides, and not halted."),
    "mid": Measure("price", "Time-weighted mean of the mid."),
    "spread": Measure("price", "Time-weighted mean of the quoted spread."),
    "spread_ticks": Measure("ticks", "The same in ticks."),
    "one_tick": Measure("1", "Share of the two-sided time with a spread of one tick."),
    "volume": Measure("units", "Units traded, in all trades."),
    "market_orders": Measure("", "Market orders: trades of one exchange time and aggressor."),
    "market_orders_per_minute": Measure("1/min", "The same by time."),
    "orders_inside": Measure("", "Of these, met hidden orders only, inside the spread: left out."),
    "orders_blind": Measure("", "Of these, came without two best prices before: left out."),
    "trades_unsided": Measure("", "Trades of unknown aggressor: left out."),
    "fills": Measure("", "Market orders that reached the best price: fills of a unit in front."),
    "fills_back": Measure("", "Of these, took all shown there: fills of a unit at the end."),
    "half_spread": Measure("price", "Mean half spread at the fills in front."),
    "maker_fee": Measure("price", "Mean maker fee at those fills; negative is a rebate."),
    "used_<h>s": Measure("", "Fills in front with a mid h seconds later; the next ones use these."),
    "half_spread_<h>s": Measure("price", "Mean of side × (mid before − price)."),
    "adverse_<h>s": Measure("price", "Adverse selection: mean of side × (mid before − mid later)."),
    "markout_<h>s": Measure("price", "Half spread less adverse selection."),
    "break_even_<h>s": Measure("price", "Half spread that pays: adverse selection and fee."),
    "margin_<h>s": Measure("price", "Half spread less break-even."),
    "margin_low_<h>s": Measure("price", "Lower end of its 95 % interval (block bootstrap)."),
    "margin_high_<h>s": Measure("price", "Upper end of it."),
    "margin_why_<h>s": Measure("", "Why there is no interval."),
    "messages": Measure("", "Changes of a best price, and fills in front that leave it: messages."),
    "messages_per_s": Measure("1/s", "The same by time."),
    "messages_p50": Measure("", "Messages of the last second, median over time."),
    "messages_p99": Measure("", "The same, 99 % of the time at most."),
    "messages_max": Measure("", "The same, at most."),
    "messages_plan": Measure("1/s", "What we plan with."),
    "messages_limit": Measure("1/s", "Where the broker cuts the connection."),
    "messages_over_plan": Measure("1", "Share of time with more in the last second than planned."),
    "efficiency": Measure("1", "Order efficiency ratio, messages / (fills + 1), in front."),
    "efficiency_back": Measure("1", "The same at the end of the queue."),
    "efficiency_limit": Measure("1", "What the broker calls excessive."),
    "pays_<h>s": Measure(
        "", "Would joining the best have paid: yes, no, in front only, cannot tell."
    ),
    "verdict_<h>s": Measure("", "The same in words."),
    "fits": Measure("", "Do the messages fit into what we plan with: yes or no."),
    "verdict_messages": Measure("", "The same in words."),
    "efficient": Measure("", "Is the ratio below what is excessive: yes, no, in front only."),
    "verdict_efficiency": Measure("", "The same in words."),
    "queue_bound": Measure("", "Does place in the queue decide: yes or no."),
    "verdict_queue": Measure("", "The same in words."),
}
"""Keys of a feasibility; the numbers from ``used`` to ``margin_why`` come with ``_back`` before
``_<h>s`` too, of the fills at the end of the queue."""


def measures() -> dict[str, Measure]:
    """Every key of a summary with its unit and meaning."""
    out = dict(SUMMARY)
    for marks, lengths in ((BY_INTERVAL, INTERVALS_S), (BY_HORIZON, HORIZONS_S)):
        for seconds in lengths:
            out |= {at(key, seconds): measure for key, measure in marks.items()}
    return out


def at(key: str, seconds: float) -> str:
    """A key of BY_INTERVAL or BY_HORIZON at one length [s]: ``markout_<h>s`` at 30: markout_30s."""
    return key.replace("<i>", f"{seconds:g}").replace("<h>", f"{seconds:g}")
