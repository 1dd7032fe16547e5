"""Tables of market data."""

from __future__ import annotations

from mmquant.core.dtypes import RowKind
from mmquant.schema.columns import INST, NS, SIDES, SYMBOL, VENUE, Column, Table, timestamp

CONTRACTS = Table(
    "contracts",
    "frame",
    ("row",),
    "Every instrument of a tape or a run; a symbol alone cannot name an option.",
    (
        Column("inst", "int16", "id", "Id of the instrument, 0 to n-1 on a tape."),
        SYMBOL,
        Column("kind", "str", "", "equity, etf, index, option, future, future_option, fx, "
               "crypto_spot, crypto_perp or other."),
        VENUE,
        Column("currency", "str", "", "Currency of its prices and fees."),
        Column("multiplier", "float64", "", "Value of one unit = price * multiplier."),
        Column("exercise", "str", "", "american, european, or empty."),
        Column("settlement", "str", "", "physical, cash, or empty."),
        Column("expiry", "str", "ISO date", "Last trading day, or empty."),
        Column("strike", "float64", "ccy", "Strike of an option.", nullable=True),
        Column("right", "str", "", "C, P, or empty."),
        Column("lot", "str", "units", "Size of one lot, a decimal string."),
        Column("ladders", "str", "JSON", "Tick ladders by date: from_date and steps of from_price "
               "and tick, decimal strings."),
        Column("negative_prices", "bool", "", "Whether its price may be zero or less."),
    ),
)  # fmt: skip

TAPE = Table(
    "tape",
    "dataset",
    ("event",),
    "A recorded market: book changes and trades in order of (exch_ts, seq), on two clocks.",
    (
        Column("exch_ts", "int64", NS, "Time at the exchange."),
        Column("local_ts", "int64", NS, "Time of local receipt, not before exch_ts."),
        Column("seq", "int64", "", "Order of rows with the same exch_ts."),
        Column("kind", "int8", "code", "What the row says; a trade precedes the depth row that it "
               "causes.", codes=RowKind),
        Column("side", "int8", "code", "+1 bid or buyer-initiated, -1 ask or seller-initiated, 0 "
               "unknown or both (TRADE, CLEAR, STATUS only).", codes=(-1, 0, 1)),
        Column("tick", "int32", "ticks", "Price as an index of the instrument's tick ladder, "
               "rounded down; of a CLEAR row the last level cleared."),
        Column("subtick", "float32", "ticks", "Fraction of a tick above `tick`, in [0, 1); not 0 "
               "on trades only."),
        Column("size", "int32", "lots", "DEPTH, SNAPSHOT: new displayed size of the level; TRADE: "
               "size traded; STATUS: status code."),
        Column("order_id", "int64", "id", "Order id of the source, 0 if it gives none."),
        Column("inst", "int16", "id", "Instrument: its id in the attribute `contracts`."),
        Column("local_order", "int64", "row", "Row numbers in order of local receipt; present only "
               "where local_ts goes backwards.", optional=True),
    ),
    (
        Column("schema", "str", "", "Always `tape`."),
        Column("schema_version", "int", "", "Version of this layout."),
        Column("level", "str", "", "L2: absolute sizes by price; L3: operations by order."),
        Column("contracts", "json", "", "List of contracts, by id."),
        Column("source", "json", "", "Where it came from: format, files with sha256 and bytes."),
        Column("date", "str", "ISO date", "Trade date; it selects tick ladders and fees."),
        Column("timezone", "str", "", "Time zone of the venue."),
        Column("notes", "json", "", "Sentences on what the reader did or assumed."),
        Column("counts", "json", "", "Numbers: rows, quarantined, and what a reader counts."),
        Column("quarantine", "json", "", "Rows set aside by a lenient read.", optional=True),
    ),
)  # fmt: skip

BOOK_LEVELS = Table(
    "book_levels",
    "frame",
    ("row",),
    "Order book levels at points in time.",
    (
        timestamp("Time of the state shown."),
        SYMBOL,
        Column("side", "int8", "code", "+1 bid, -1 ask.", codes=SIDES),
        Column("price", "float64", "ccy", "Price of the level."),
        Column("size", "float64", "units", "Displayed size of the level."),
        Column("level", "int16", "", "Place in the book, 1 the best."),
        INST,
        VENUE,
    ),
)

TRADES = Table(
    "trades",
    "frame",
    ("row",),
    "Trade events.",
    (
        timestamp("Time at the exchange."),
        Column("price", "float64", "ccy", "Price of the trade; it may lie between ticks."),
        Column("size", "float64", "units", "Size traded."),
        Column("side", "int8", "code", "Aggressor: +1 buyer, -1 seller, 0 unknown.",
               codes=(-1, 0, 1)),
        VENUE,
        SYMBOL,
        INST,
    ),
)  # fmt: skip


def _known(name: str, unit: str, text: str, dtype: str = "float64") -> Column:
    return Column(name, dtype, unit, text, nullable=dtype == "float64", optional=True)


OPTION_SURFACE = Table(
    "option_surface",
    "frame",
    ("row",),
    "Option quotes with implied volatilities, one row per contract and time.",
    (
        timestamp("Time of the quotes."),
        Column("symbol", "str", "", "Symbol of the underlying."),
        Column("expiry", "str", "ISO date", "Expiry of the option."),
        Column("strike", "float64", "ccy", "Strike price."),
        Column("right", "str", "", "C or P."),
        Column("bid", "float64", "ccy", "Best bid.", nullable=True),
        Column("ask", "float64", "ccy", "Best ask.", nullable=True),
        Column("mid", "float64", "ccy", "Middle of bid and ask.", nullable=True),
        Column("implied_vol", "float64", "1/sqrt(year)", "Implied volatility of the mid.",
               nullable=True),
        _known("last", "ccy", "Price of the last trade."),
        _known("bid_size", "units", "Displayed size at the bid."),
        _known("ask_size", "units", "Displayed size at the ask."),
        _known("theo", "ccy", "Theoretical value."),
        _known("delta", "ccy/ccy", "Change of value per unit of the underlying's price."),
        _known("gamma", "1/ccy", "Change of delta per unit of the underlying's price."),
        _known("vega", "ccy", "Change of value per unit (1.00) of volatility."),
        _known("theta", "ccy/year", "Change of value per year."),
        _known("underlying", "ccy", "Price of the underlying."),
        _known("forward", "ccy", "Forward price at the expiry."),
        _known("source", "", "Where the row came from.", "str"),
        _known("quote_age", "ns", "Age of the quotes at `timestamp`.", "int64"),
    ),
)  # fmt: skip

QUARANTINE = Table(
    "quarantine",
    "frame",
    ("row",),
    "Rows that a lenient read set aside.",
    (
        Column("file", "str", "", "Name of the file."),
        Column("row", "int64", "", "Line or row number in it, from 1."),
        Column("reason", "str", "", "What is wrong with the row."),
        Column("text", "str", "", "The row as read, where known."),
    ),
)

FEED_LATENCY = Table(
    "feed_latency",
    "frame",
    ("row",),
    "Latency of market data as knots to interpolate between, in order of time.",
    (
        Column("ts", "int64", NS, "Time of local receipt; no two are the same."),
        Column("feed_ns", "int64", "ns", "From the exchange to local receipt, at least 1."),
    ),
)

ORDER_LATENCY = Table(
    "order_latency",
    "frame",
    ("row",),
    "Latency of orders as knots to interpolate between, in order of time.",
    (
        Column("ts", "int64", NS, "Time of the request, on the local clock; no two are the same."),
        Column("entry_ns", "int64", "ns", "From the request to the exchange, at least 1."),
        Column("response_ns", "int64", "ns", "From the exchange to the response, at least 1."),
    ),
)
