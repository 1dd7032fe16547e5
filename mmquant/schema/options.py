"""Datasets of option chains: what goes in, and what comes out of prices, greeks and volatilities.

Variables may have any of the dims, in any order: none for what a value does not depend on.
"""

from __future__ import annotations

from enum import IntEnum

from mmquant.core import option_rows
from mmquant.schema.columns import SIDES, Column, Table

DIMS = ("time", "expiry", "strike", "right")
"""The usual dims of a chain, in the order that results have them."""
DIVIDEND = "dividend"
"""Dim of the list of discrete dividends."""


class OptionStatus(IntEnum):
    """Why an option has no number; the meaning of a ``status`` variable."""

    OK = option_rows.OPTION_OK
    NAN = option_rows.OPTION_NAN
    BELOW = option_rows.OPTION_BELOW
    ABOVE = option_rows.OPTION_ABOVE
    AT_INTRINSIC = option_rows.OPTION_AT_INTRINSIC
    BAD_INPUT = option_rows.OPTION_BAD_INPUT
    REFUSED = option_rows.OPTION_REFUSED
    NOT_CONVERGED = option_rows.OPTION_NOT_CONVERGED


class ExerciseAdvice(IntEnum):
    """What the holder of an option should do before the ex-date."""

    UNKNOWN = 0
    HOLD = 1
    EXERCISE = 2


def _given(name: str, unit: str, text: str, dtype: str = "float64") -> Column:
    return Column(name, dtype, unit, text, nullable=dtype == "float64")


def _perhaps(name: str, unit: str, text: str, dtype: str = "float64") -> Column:
    return Column(name, dtype, unit, text, nullable=dtype == "float64", optional=True)


_EXERCISE = "`european` or `american`"
_STATUS = Column("status", "int8", "code", "Why there is no number, if there is none.",
                 codes=OptionStatus)  # fmt: skip

OPTION_CHAIN = Table(
    "option_chain",
    "dataset",
    (*DIMS, DIVIDEND),
    "What `mm.options` is asked about: the options of a chain and the market around them. Other "
    "variables may stand beside; they are not looked at.",
    (
        _perhaps("spot", "ccy", "Price of the underlying; greeks are by it. This or `forward`."),
        _perhaps("forward", "ccy", "Forward price at expiry; greeks are by it. European only."),
        _given("strike", "ccy", "Strike price."),
        Column("right", "str", "", "`C` or `P`, or the integers 1 for a call and -1 for a put.",
               codes=SIDES),
        _given("years", "year", "Time to expiry."),
        _perhaps("vol", "1/sqrt(year)", "Volatility; `price`, `greeks` and `exercise_*` need it."),
        _perhaps("price", "ccy", "Price of the option, discounted; `implied_vol` needs it."),
        _given("rate", "1/year", "Interest rate, continuously compounded."),
        _perhaps("dividend_yield", "1/year", "Dividend yield, continuous; 0 if not there. With "
                 "`spot` only."),
        Column("exercise", "str", "", f"{_EXERCISE}; an attribute will do where all are alike.",
               optional=True),
        Column("dividend_years", "float64", "year", "Time to each ex-date of a cash dividend, over "
               "`dividend`.", nullable=True, optional=True),
        Column("dividend_amount", "float64", "ccy", "Cash amount of each, over `dividend`.",
               nullable=True, optional=True),
    ),
    (Column("exercise", "str", "", f"{_EXERCISE}, for all options.", optional=True),),
    free=True,
)  # fmt: skip

_METHOD = Column("method", "str", "", "The models and methods that the numbers come from.")

PRICE = _given("price", "ccy", "Value of the option today.")
GREEKS = (
    _given("delta", "ccy/ccy", "Change of value per unit of the underlying's price."),
    _given("gamma", "1/ccy", "Change of delta per unit of the underlying's price."),
    _given("vega", "ccy", "Change of value per unit (1.00) of volatility."),
    _given("theta", "ccy/year", "Change of value per year that passes."),
    _given("rho", "ccy*year", "Change of value per unit (1.00) of the rate; spot or forward stay, "
           "whichever is given."),
    _given("vanna", "1", "Change of delta per unit (1.00) of volatility."),
    _given("volga", "ccy", "Change of vega per unit (1.00) of volatility."),
    _given("charm", "1/year", "Change of delta per year that passes."),
)  # fmt: skip


def _result(name: str, text: str, *columns: Column) -> Table:
    return Table(name, "dataset", DIMS, text, (*columns, _STATUS), (_METHOD,), free=True)


OPTION_PRICES = _result("option_prices", "What `mm.options.price` answers.", PRICE)
OPTION_GREEKS = _result(
    "option_greeks",
    "What `mm.options.greeks` answers. Units are raw: see the page on options for market units.",
    PRICE,
    *GREEKS,
)
IMPLIED_VOLS = _result(
    "implied_vols",
    "What `mm.options.implied_vol` answers.",
    _given("implied_vol", "1/sqrt(year)", "Volatility at which the model gives the price."),
)
EXERCISE_BOUNDARY = _result(
    "exercise_boundary",
    "What `mm.options.exercise_boundary` answers.",
    _given("boundary", "ccy", "Price of the underlying at which exercise becomes best: at or below "
           "it for a put, at or above it for a call."),
)  # fmt: skip
EXERCISE_ADVICE = _result(
    "exercise_advice",
    "What `mm.options.exercise_advice` answers: what to do just before the next ex-date.",
    Column("advice", "int8", "code", "What is worth more.", codes=ExerciseAdvice),
    _given("exercise_value", "ccy", "Value if exercised now."),
    _given("hold_value", "ccy", "Value if held over the ex-date."),
    _given("gain", "ccy", "exercise_value - hold_value."),
)

OPTION_TABLES = (
    OPTION_CHAIN,
    OPTION_PRICES,
    OPTION_GREEKS,
    IMPLIED_VOLS,
    EXERCISE_BOUNDARY,
    EXERCISE_ADVICE,
)
