"""Tables of the pages on options and surfaces: what goes in, units, why there is no number."""

from __future__ import annotations

from collections.abc import Callable

from mmquant.config_sections import Section
from mmquant.config_surface import LiveSettings, QuoteScreen, SurfaceSettings
from mmquant.options.compat.py_vollib.helpers.arguments import DAY, PERCENT
from mmquant.schema.options import GREEKS, OPTION_CHAIN, PRICE, OptionStatus
from mmquant.schema.quotes import QuoteQuality
from mmquant.schema.surface import SliceStatus, TheoStatus
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
QUALITY_WORDS = {
    "OK": "the quote may be used",
    "NO_BID": "there is no bid",
    "NO_ASK": "there is no ask",
    "ZERO_BID": "the bid is zero",
    "CROSSED": "the bid is above the ask",
    "LOCKED": "the bid is the ask",
    "STALE": "a side is older than `max_age_s`",
    "WIDE": "ask - bid is more than `max_relative_spread` of their middle, and than "
    "`narrow_spread_ccy`; or more than `max_spread_of_underlying` of the underlying's price",
    "STALE_UNDERLYING": "the underlying's quotes are older than `max_underlying_age_s`, crossed or "
    "not there",
    "OUT_OF_BOUNDS": "the ask is below what exercise or the forward gives, or the bid above what "
    "the option can be worth",
    "ADJUSTED_CLASS": "the root is not a plain class of the underlying (TWX1): another deliverable",
    "WRONG_MULTIPLIER": "the multiplier is not `multiplier`, or unknown",
    "NO_EXPIRY": "the source names no expiry",
    "EXPIRED": "the option has ceased",
    "SPLIT_SUSPECT": "calls and puts imply a price of the underlying that is far from its own",
    "PARITY_OUTLIER": "call and put of a strike do not go with the forward",
    "BAD_NUMBER": "an infinite or negative price, an ask of zero, a strike that is none",
    "DUPLICATE": "the same option stands twice: none of them is trusted",
}

SLICE_WORDS = {
    "OK": "a slice, free of arbitrage",
    "FEW_QUOTES": "fewer strikes with bid and ask than `fewest_strikes`: no slice",
    "BAD_SLICE_BEFORE": "a number that is none, or the slice before cannot be kept above: no slice",
    "UNSORTED": "strikes do not rise: no slice",
    "BAD_QUOTES": "bid, middle and ask are not in this order: no slice",
    "FALLBACK": "a slice free of arbitrage, but plainer than the quotes ask: look at its residuals",
    "NO_FORWARD": "calls and puts imply no forward: no slice",
    "EXPIRED": "the options have ceased",
}
THEO_WORDS = {
    "OK": "there is a theo",
    "STALE_UNDERLYING": "the underlying has no two-sided quote, or an old one",
    "EXPIRED": "the option has ceased",
    "NO_SLICE": "its expiry has no slice, or the contract can never be used",
    "OLD_SLICE": "quotes of its expiry changed `max_fit_age_s` ago, and no fit has followed",
    "STALE_QUOTE": "it has no quote, or a side older than the screen's `max_age_s`",
    "NO_VALUE": "it has no price at this volatility",
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


def quote_quality() -> str:
    """Reasons with their words. Raises KeyError where one has none."""
    rows = [(str(int(x)), f"`{x.name}`", QUALITY_WORDS[x.name]) for x in QuoteQuality]
    return table(("code", "reason", "meaning"), rows)


def _settings(section: type[Section], *without: str) -> str:
    rows = [
        (
            f"`{name}`",
            "`null`" if field.default is None else f"`{field.default}`",
            (field.description or "").replace("\n", " "),
        )
        for name, field in section.model_fields.items()
        if name not in without
    ]
    return table(("setting", "default", "meaning"), rows)


def quote_screen() -> str:
    """The settings of the screens."""
    return _settings(QuoteScreen)


def surface_settings() -> str:
    """The settings of a fit."""
    return _settings(SurfaceSettings, "screen")


def live_settings() -> str:
    """The settings of a live surface."""
    return _settings(LiveSettings)


def slice_status() -> str:
    """What may become of an expiry. Raises KeyError where a code has no words."""
    rows = [(str(int(x)), f"`{x.name}`", SLICE_WORDS[x.name]) for x in SliceStatus]
    return table(("code", "status", "meaning"), rows)


def theo_status() -> str:
    """Why a live theo is not there. Raises KeyError where a code has no words."""
    rows = [(str(int(x)), f"`{x.name}`", THEO_WORDS[x.name]) for x in TheoStatus]
    return table(("code", "status", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "option-chain": option_chain,
    "option-units": option_units,
    "option-status": option_status,
    "quote-quality": quote_quality,
    "quote-screen": quote_screen,
    "surface-settings": surface_settings,
    "live-settings": live_settings,
    "slice-status": slice_status,
    "theo-status": theo_status,
}
