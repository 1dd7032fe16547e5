"""Datasets of fitted surfaces, and of what they say of every contract."""

from __future__ import annotations

from enum import IntEnum

from mmquant.core import slice_rows, surface_state
from mmquant.schema.columns import Column, Table
from mmquant.schema.options import GREEKS
from mmquant.schema.quotes import QuoteQuality

DIMS = ("time", "expiry")


class SliceStatus(IntEnum):
    """What became of an expiry at a time."""

    OK = slice_rows.SLICE_OK
    FEW_QUOTES = slice_rows.SLICE_FEW
    BAD_SLICE_BEFORE = slice_rows.SLICE_NAN
    UNSORTED = slice_rows.SLICE_UNSORTED
    BAD_QUOTES = slice_rows.SLICE_BAD_QUOTES
    FALLBACK = slice_rows.SLICE_FALLBACK
    NO_FORWARD = 6
    EXPIRED = 7


class TheoStatus(IntEnum):
    """Why a contract of a live surface has no theo."""

    OK = surface_state.THEO_OK
    STALE_UNDERLYING = surface_state.THEO_STALE_UNDERLYING
    EXPIRED = surface_state.THEO_EXPIRED
    NO_SLICE = surface_state.THEO_NO_SLICE
    OLD_SLICE = surface_state.THEO_OLD_SLICE
    STALE_QUOTE = surface_state.THEO_STALE_QUOTE
    NO_VALUE = surface_state.THEO_NO_VALUE


def _number(name: str, unit: str, text: str) -> Column:
    return Column(name, "float64", unit, text, nullable=True, dims=DIMS)


def _count(name: str, text: str) -> Column:
    return Column(name, "int64", "", text, dims=DIMS)


def _statistics(prefix: str, whose: str) -> tuple[Column, ...]:
    return (
        _count(f"{prefix}_quotes", f"{whose}: options out of the money that are compared."),
        _number(f"{prefix}_residual", "spread", f"{whose}: absolute distance of the surface's "
                "price from the middle over the quoted spread, weighted by vega."),
        _number(f"{prefix}_inside", "1", f"{whose}: share with the price inside bid and ask."),
        _number(f"{prefix}_weight", "ccy", f"{whose}: sum of their vegas."),
    )  # fmt: skip


VOL_SURFACE = Table(
    "vol_surface",
    "dataset",
    (*DIMS, "part", "reason"),
    "A fitted surface: a slice of every expiry at every time. What `mm.options.fit_surface` "
    "answers and `mm.options.theo` takes.",
    (
        Column("time", "datetime64[ns]", "UTC", "Time of the quotes.", dims=("time",)),
        Column("expiry", "datetime64[ns]", "UTC", "The moment the options cease.",
               dims=("expiry",)),
        Column("reason", "str", "", "Names of the reasons not to use a quote.", dims=("reason",)),
        Column("status", "int8", "code", "What became of the expiry.", dims=DIMS,
               codes=SliceStatus),
        Column("american", "bool", "", "Whether exercise is american.", dims=("expiry",)),
        Column("underlying", "float64", "ccy", "Price of the underlying: the middle.",
               nullable=True, dims=("time",)),
        _number("years", "year", "Time to expiry by the calendar; volatilities are by it."),
        _number("business_years", "year", "Time to expiry by the business clock."),
        _number("rate", "1/year", "Interest rate to expiry, continuously compounded."),
        _number("discount", "1", "Discount factor to expiry."),
        _number("forward", "ccy", "Forward that calls and puts imply."),
        _number("forward_low", "ccy", "Lower bound of it by the quotes that agree."),
        _number("forward_high", "ccy", "Upper bound of it by the quotes that agree."),
        _count("strikes_agree", "Strikes whose call and put allow the forward."),
        _count("strikes_disagree", "Strikes whose call and put do not."),
        _number("dividend_yield", "1/year", "Yield that the forward implies, borrow cost in it."),
        _number("implied_dividend", "ccy", "Present value of the dividends that it implies."),
        _number("atm_vol", "1/sqrt(year)", "Volatility at the forward."),
        _number("skew", "1/sqrt(year)", "Change of volatility by log-moneyness at the forward."),
        _number("least_g", "1", "Least value of Gatheral's g on the whole line; negative is "
                "butterfly arbitrage."),
        _number("calendar_slack", "1", "Least total variance over the slice before at the same "
                "log-moneyness, on the whole line; negative is calendar arbitrage. NaN for the "
                "first slice."),
        _count("used", "Strikes with bid and ask that the slice is fitted to."),
        *_statistics("fit", "Quotes of the fit"),
        *_statistics("held", "Quotes held out of the fit"),
        Column("ignored", "int64", "", "Quotes not used, by reason.", dims=(*DIMS, "reason")),
        Column("slice", "float64", "", "The slice: knots, variances and the like; see "
               "mmquant.core.slice_rows.", dims=(*DIMS, "part")),
    ),
    (
        Column("schema", "str", "", "Always `vol_surface`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("asset", "str", "", "Symbol of the underlying."),
        Column("currency", "str", "", "Currency of all prices."),
        Column("settings", "json", "", "Settings of the fit."),
        Column("notes", "json", "", "Sentences on what was assumed."),
        Column("hold_out", "float", "", "Share of the strikes held out of the fit."),
        Column("seed", "int", "", "Seed of their choice."),
    ),
)  # fmt: skip


def _quote(name: str, unit: str, text: str, dtype: str = "float64") -> Column:
    return Column(name, dtype, unit, text, nullable=dtype == "float64", dims=("time", "contract"))


def _of_contract(name: str, dtype: str, unit: str, text: str) -> Column:
    return Column(name, dtype, unit, text, nullable=dtype != "str", dims=("contract",))


OPTION_THEOS = Table(
    "option_theos",
    "dataset",
    ("time", "contract"),
    "What a surface says of every contract, and how far the quotes are from it. What "
    "`mm.options.theo` answers.",
    (
        Column("time", "datetime64[ns]", "UTC", "Time of the quotes.", dims=("time",)),
        _of_contract("expiry", "datetime64[ns]", "UTC", "The moment the option ceases."),
        _of_contract("strike", "float64", "ccy", "Strike price."),
        _of_contract("right", "str", "", "`C` or `P`."),
        _of_contract("root", "str", "", "Trading class."),
        _quote("vol", "1/sqrt(year)", "Volatility of the surface at the strike."),
        _quote("theo", "ccy", "Value of the option."),
        *(_quote(c.name, c.unit, c.text) for c in GREEKS if c.name in
          ("delta", "gamma", "vega", "theta")),
        _quote("bid_vol", "1/sqrt(year)", "Implied volatility of the bid."),
        _quote("ask_vol", "1/sqrt(year)", "Implied volatility of the ask."),
        _quote("residual_vol", "1/sqrt(year)", "Implied volatility of the middle less `vol`."),
        _quote("residual_ticks", "tick", "Middle of the quote less `theo`."),
        _quote("residual_spreads", "spread", "Middle less `theo`, over the quoted spread."),
        _quote("age", "s", "Age of the older side of the quote."),
        _quote("fit_age", "s", "Age of the slice that the theo is by."),
        Column("quality", "int8", "code", "Why the quote is not used, if it is not.",
               codes=QuoteQuality, dims=("time", "contract")),
    ),
    (
        Column("schema", "str", "", "Always `option_theos`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("asset", "str", "", "Symbol of the underlying."),
        Column("currency", "str", "", "Currency of all prices."),
        Column("move", "str", "", "How the smile moved with the underlying since the fit."),
    ),
)  # fmt: skip


def _now(name: str, unit: str, text: str) -> Column:
    return Column(name, "float64", unit, text, nullable=True, dims=("contract",))


LIVE_THEOS = Table(
    "live_theos",
    "dataset",
    ("contract",),
    "What a live surface says of every contract at this moment. What `LiveSurface.theos` answers.",
    (
        _of_contract("expiry", "datetime64[ns]", "UTC", "The moment the option ceases."),
        _of_contract("strike", "float64", "ccy", "Strike price."),
        _of_contract("right", "str", "", "`C` or `P`."),
        _of_contract("root", "str", "", "Trading class."),
        _now("vol", "1/sqrt(year)", "Volatility at the last full valuation."),
        _now("theo", "ccy", "Value of the option."),
        _now("delta", "ccy/ccy", "Change of it by the underlying, the smile's move in it."),
        _now("gamma", "1/ccy", "Change of delta by the underlying, the same way."),
        _now("vega", "ccy", "Change of value per unit (1.00) of volatility."),
        Column("status", "int8", "code", "Why there is no theo.", dims=("contract",),
               codes=TheoStatus),
    ),
    (
        Column("schema", "str", "", "Always `live_theos`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("asset", "str", "", "Symbol of the underlying."),
        Column("currency", "str", "", "Currency of all prices."),
    ),
)  # fmt: skip
SURFACE_TABLES = (VOL_SURFACE, OPTION_THEOS, LIVE_THEOS)
