"""The numbers in front of a section."""

from __future__ import annotations

from dataclasses import dataclass

from mmquant.report.scope import Scope
from mmquant.report.text import Number, amount, count, duration, fixed, percent, quantity


@dataclass(frozen=True)
class Card:
    """A number that matters, with its unit and a line below."""

    title: str
    value: str
    unit: str
    below: str = ""


def cards_of(scope: Scope, s: dict[str, Number]) -> list[Card]:
    """The numbers in front."""
    ccy, per_unit = scope.currency, f"{scope.currency} per unit"
    cards = [
        Card("Net PnL", amount(s["net_pnl"]), ccy, f"{fixed(s['pnl_bps'], 2)} bps of value traded"),
        Card("Spread captured", amount(s["spread_pnl"]), ccy, "against the mid before each fill"),
        Card("Inventory PnL", amount(s["inventory_pnl"]), ccy, "moves of the mid while holding"),
        Card("Fees", amount(s["fees"]), ccy, "paid; negative is a rebate"),
        Card(
            "Max drawdown", amount(s["max_drawdown"]), ccy, f"peak {amount(s['peak_equity'])} {ccy}"
        ),
        Card("Fills", count(s["fills"]), "", f"{percent(s['maker_ratio'])} of units as maker"),
        Card("Value traded", amount(s["traded_value"]), ccy, f"{quantity(s['volume'])} units"),
        Card(
            "Fill ratio", percent(s["fill_ratio"]), "", f"of units in {count(s['orders'])} orders"
        ),
        Card("Orders per fill", fixed(s["order_to_trade"], 2), "", _messages(s)),
        Card("Two-sided uptime", percent(s["uptime_two_sided"]), "", _at_best(s)),
        Card("Max |position|", quantity(s["max_abs_position"]), "units", _mean_position(s)),
        Card("Own width", fixed(s["width_ratio"], 2), "× the market's", "time-weighted"),
        Card("Worst minute", amount(s["pnl_60s_worst"]), ccy, _minutes(s)),
    ]
    if scope.single:
        half_life = duration(s["half_life_s"])
        cards.append(Card("Inventory half-life", half_life, "", _deviation(s)))
    if scope.single:
        kept = fixed(s["markout_300s"], scope.decimals + 2)
        value = fixed(s["markout_1s"], scope.decimals + 2)
        cards.append(Card("Markout 1 s", value, per_unit, f"5 min: {kept}"))
    else:
        value = amount(s["markout_1s_ccy"])
        cards.append(Card("Markout 1 s", value, ccy, f"5 min: {amount(s['markout_300s_ccy'])}"))
    return cards


def _peak(s: dict[str, Number], ccy: str) -> str:
    return f"peak {amount(s['peak_equity'])} {ccy}"


def _orders(s: dict[str, Number]) -> str:
    return f"of units in {count(s['orders'])} orders"


def _messages(s: dict[str, Number]) -> str:
    return f"{fixed(s['messages_per_fill'], 2)} instructions per fill"


def _at_best(s: dict[str, Number]) -> str:
    return f"of time; at the best price {percent(s['uptime_at_best'])}"


def _minutes(s: dict[str, Number]) -> str:
    return f"with a gain {percent(s['pnl_60s_positive'])}"


def _deviation(s: dict[str, Number]) -> str:
    return f"standard deviation {fixed(s['sd_position'], 2)} units"


def _mean_position(s: dict[str, Number]) -> str:
    return f"mean {fixed(s['mean_abs_position'], 2)} units"
