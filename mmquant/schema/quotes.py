"""The Dataset of option quotes: every contract of one underlying at points in time."""

from __future__ import annotations

from enum import IntEnum

from mmquant.schema.columns import Column, Table


class QuoteQuality(IntEnum):
    """Why a quote is not used: the first of the reasons that hold, in the order of the screens."""

    OK = 0
    NO_BID = 1
    NO_ASK = 2
    ZERO_BID = 3
    CROSSED = 4
    LOCKED = 5
    STALE = 6
    WIDE = 7
    STALE_UNDERLYING = 8
    OUT_OF_BOUNDS = 9
    ADJUSTED_CLASS = 10
    WRONG_MULTIPLIER = 11
    NO_EXPIRY = 12
    EXPIRED = 13
    SPLIT_SUSPECT = 14
    PARITY_OUTLIER = 15
    BAD_NUMBER = 16
    DUPLICATE = 17


def _time(name: str, text: str, *, nullable: bool = False, dim: str | None = None) -> Column:
    return Column(name, "datetime64[ns]", "UTC", text, nullable, dims=(dim,) if dim else None)


def _contract(name: str, dtype: str, unit: str, text: str, *, nullable: bool = False) -> Column:
    return Column(name, dtype, unit, text, nullable, dims=("contract",))


def _side(name: str, unit: str, text: str) -> Column:
    return Column(name, "float64", unit, text, nullable=True)


def _underlying(name: str, text: str) -> Column:
    return Column(name, "float64", "ccy", text, nullable=True, dims=("time",))


OPTION_QUOTES = Table(
    "option_quotes",
    "dataset",
    ("time", "contract"),
    "Best bid and ask of every option of one underlying, and the underlying's, at the same times. "
    "What `mm.read_option_quotes` answers and a surface is fitted to.",
    (
        _time("time", "When all of a row was known; no two are the same.", dim="time"),
        _time("expiry", "The moment the option ceases: the close of its last session, or its open "
              "where it is settled by the opening; NaT where the source names none.",
              nullable=True, dim="contract"),
        _contract("strike", "float64", "ccy", "Strike price.", nullable=True),
        _contract("right", "str", "", "`C` or `P`."),
        _contract("root", "str", "", "Trading class, such as SPX, SPXW or GOOG."),
        _contract("multiplier", "float64", "units/contract", "Units of the underlying that one "
                  "contract stands for; NaN where unknown.", nullable=True),
        _contract("exercise", "str", "", "`american` or `european`."),
        _side("bid", "ccy", "Best bid, NaN where there is none."),
        _side("ask", "ccy", "Best ask, NaN where there is none."),
        _side("bid_size", "contracts", "Size at the bid, NaN where unknown."),
        _side("ask_size", "contracts", "Size at the ask, NaN where unknown."),
        _time("bid_time", "When the bid was last given; NaT where there is none.", nullable=True),
        _time("ask_time", "When the ask was last given; NaT where there is none.", nullable=True),
        Column("quality", "int8", "code", "Why the quote is not used, if it is not.",
               codes=QuoteQuality),
        _underlying("underlying_bid", "Best bid of the underlying, NaN where there is none."),
        _underlying("underlying_ask", "Best ask of the underlying, NaN where there is none."),
        Column("underlying_last", "float64", "ccy", "Last price or index level, NaN where there is "
               "none.", nullable=True, optional=True, dims=("time",)),
        _time("underlying_time", "When any of these was last given; NaT where there is none.",
              nullable=True, dim="time"),
    ),
    (
        Column("schema", "str", "", "Always `option_quotes`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("underlying", "str", "", "Symbol of the underlying."),
        Column("currency", "str", "", "Currency of all prices."),
        Column("date", "str", "ISO date", "Trade date."),
        Column("timezone", "str", "", "Time zone of the exchange."),
        Column("source", "json", "", "Where it came from: format, files with sha256 and bytes."),
        Column("notes", "json", "", "Sentences on what the reader did or assumed."),
        Column("counts", "json", "", "Numbers: contracts, quarantined, and what a reader counts."),
        Column("quarantine", "json", "", "Rows set aside by a lenient read.", optional=True),
    ),
)  # fmt: skip

QUOTE_COUNTS = Table(
    "quote_counts",
    "frame",
    ("row",),
    "How many quotes of a chain are used, and how many are not for which reason.",
    (
        Column(
            "expiry", "str", "ISO date", "Day in New York on which the options cease, or empty."
        ),
        Column("reason", "str", "", "Name of the reason, or OK."),
        Column("quotes", "int64", "", "Number of contracts times number of moments."),
    ),
)
