"""Tables of the trading objects."""

from __future__ import annotations

from mmquant.core.dtypes import Reason
from mmquant.schema.columns import SIDES, SYMBOL, VENUE, Column, Table, timestamp

INSTRUCTIONS = Table(
    "instructions",
    "frame",
    ("row",),
    "What `QuotingEngine` would quote: one row a quote, bids first, best first.",
    (
        timestamp("Time that it was asked for."),
        SYMBOL,
        VENUE,
        Column("side", "int8", "code", "+1 buy, -1 sell.", codes=SIDES),
        Column("price", "float64", "ccy", "Price; none where the side is not quoted.",
               nullable=True),
        Column("size", "float64", "units", "Size; 0 where the side is not quoted."),
        Column("reason", "int16", "code", "Why it is quoted, or not.", codes=Reason),
        Column("position", "float64", "units", "Inventory it was asked for.", nullable=True),
    ),
)  # fmt: skip

UTILISATION = Table(
    "utilisation",
    "frame",
    ("row",),
    "Limits in force and how far they are used, as `RiskGuard` reads them.",
    (
        Column("scope", "str", "", "What the limit holds for: an instrument, a group or account."),
        Column("limit", "str", "", "Last part of the limit's configuration key."),
        Column("unit", "str", "", "Unit of the next two columns."),
        Column("used", "float64", "unit", "What is used, at the worst if all open orders fill.",
               nullable=True),
        Column("bound", "float64", "unit", "The limit."),
        Column("share", "float64", "1", "used / bound.", nullable=True),
    ),
)  # fmt: skip

BREAKERS = Table(
    "breakers",
    "frame",
    ("row",),
    "What is latched or tripped, as `RiskGuard` reads it.",
    (
        Column("scope", "str", "", "What is stopped: an instrument, a group or the account."),
        Column("reason", "str", "", "Name of the Reason."),
    ),
)
