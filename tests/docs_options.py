"""Tables of the page on options: what goes in, units, and why there is no number."""

from __future__ import annotations

from collections.abc import Callable

from mmquant.options.compat.py_vollib.helpers.arguments import DAY, PERCENT
from mmquant.schema.options import GREEKS, OPTION_CHAIN, PRICE, OptionStatus
from tests.docs_tables import table

MARKET_UNITS = {
    "vega": (PERCENT, "per percentage point of volatility"),
    "theta": (DAY, "per calendar day"),
    "rho": (PERCENT, "per percentage point of rate"),
    "vanna": (PERCENT, "per percentage point of volatility"),
    "volga": (PERCENT**2, "per percentage point of volatility, twice"),
    "charm": (DAY, "per calendar day"),
}
FACTORS = {1.0: "1", PERCENT: "0.01", PERCENT**2: "0.0001", DAY: "1/365"}
STATUS_WORDS = {
    "OK": "there is a number",
    "NAN": "an input is NaN or infinite",
    "BELOW": "the price is below its lower bound, so no volatility gives it",
    "ABOVE": "the price is at its upper bound or above",
    "AT_INTRINSIC": "the price is the intrinsic value: all volatilities near zero give it",
    "BAD_INPUT": "a price or strike that is not positive, a negative time or volatility",
    "REFUSED": "the method does not cover the case; beside a price: not all greeks exist there",
    "NOT_CONVERGED": "the method did not come to an end",
}


def option_chain() -> str:
    """The columns of a chain."""
    rows = [(f"`{c.name}`", c.unit or "-", c.text) for c in OPTION_CHAIN.columns]
    return table(("variable", "unit", "meaning"), rows)


def option_units() -> str:
    """Units of the results, and the factor to those of py_vollib and of screens."""
    rows = []
    for column in (PRICE, *GREEKS):
        factor, unit = MARKET_UNITS.get(column.name, (1.0, "the same"))
        rows.append((f"`{column.name}`", column.unit, column.text, FACTORS[factor], unit))
    return table(("variable", "unit", "meaning", "times", "gives"), rows)


def option_status() -> str:
    """Status codes with their words. Raises KeyError where one has none."""
    rows = [(str(int(x)), f"`{x.name.lower()}`", STATUS_WORDS[x.name]) for x in OptionStatus]
    return table(("code", "flag", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "option-chain": option_chain,
    "option-units": option_units,
    "option-status": option_status,
}
