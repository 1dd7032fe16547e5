"""Every table and Dataset of the package: its columns, types, units and meaning, and a validator.

``python -m mmquant.schema`` writes the same as a page of the documentation.
"""

from __future__ import annotations

from mmquant.errors import UsageError
from mmquant.schema.columns import Column, Table
from mmquant.schema.desk import BREAKERS, INSTRUCTIONS, UTILISATION
from mmquant.schema.market import (
    BOOK_LEVELS,
    CONTRACTS,
    FEED_LATENCY,
    OPTION_SURFACE,
    ORDER_LATENCY,
    QUARANTINE,
    TAPE,
    TRADES,
)
from mmquant.schema.options import OPTION_TABLES
from mmquant.schema.quotes import OPTION_QUOTES, QUOTE_COUNTS
from mmquant.schema.results import FILLS, ORDERS, PATH, QUOTES, RUN
from mmquant.schema.surface import SURFACE_TABLES
from mmquant.schema.validation import check_table

VERSION = 1
"""Version of all layouts; files that carry another are refused."""

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        TAPE,
        CONTRACTS,
        BOOK_LEVELS,
        TRADES,
        OPTION_SURFACE,
        QUOTES,
        ORDERS,
        FILLS,
        PATH,
        RUN,
        QUARANTINE,
        FEED_LATENCY,
        ORDER_LATENCY,
        INSTRUCTIONS,
        UTILISATION,
        BREAKERS,
        *OPTION_TABLES,
        OPTION_QUOTES,
        QUOTE_COUNTS,
        *SURFACE_TABLES,
    )
}

__all__ = ["TABLES", "VERSION", "Column", "Table", "table", "validate"]


def table(name: str) -> Table:
    """The description of a table. Raises UsageError where the name is unknown."""
    if name not in TABLES:
        raise UsageError(f"there is no table {name!r}", fix=f"use one of {', '.join(TABLES)}")
    return TABLES[name]


def validate(obj: object, name: str, *, where: str = "", rows_before: int = 0) -> None:
    """Check a Dataset, a pandas table or a dict against the table of that name.

    Missing and unknown columns, dims, dtypes, codes and empty values are checked.

    Raises
    ------
    DataError
        naming table, column, what is wrong and the fix; ``where`` tells the file or object, and
        ``rows_before`` how many rows stand before it, where it is a part.
    """
    check_table(obj, table(name), where, rows_before)
