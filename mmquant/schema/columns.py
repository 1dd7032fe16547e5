"""How a table is described: its columns, their types, units and one sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

NS = "ns since epoch, UTC"


@dataclass(frozen=True)
class Column:
    """One column, coordinate, attribute or key.

    ``dtype`` is a numpy name, or "str", "int", "float", "dict", "list" or "json" (text holding
    JSON). ``optional`` columns may be absent, ``nullable`` ones hold NaN or empty values.
    ``codes`` lists the values that an integer column may take, and a text column besides text;
    ``dims`` those of a column that has not all of its table's.
    """

    name: str
    dtype: str
    unit: str
    text: str
    nullable: bool = False
    optional: bool = False
    codes: type[IntEnum] | tuple[int, ...] | None = None
    dims: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """One table: an xarray Dataset with dims, a pandas table (dims ``row``), or a dict.

    A variable of a ``free`` Dataset may have any of its dims, in any order, and whole numbers where
    float64 is asked for; other variables, dims and attributes may stand beside.
    """

    name: str
    form: str
    dims: tuple[str, ...]
    text: str
    columns: tuple[Column, ...]
    attrs: tuple[Column, ...] = ()
    free: bool = False

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        return next(column for column in self.columns if column.name == name)


def timestamp(text: str) -> Column:
    """The ``timestamp`` column, which means something else in each table."""
    return Column("timestamp", "int64", NS, text)


INST = Column("inst", "int16", "id", "Instrument: its id in the contract table.")
SYMBOL = Column("symbol", "str", "", "Symbol of the instrument.")
VENUE = Column("venue", "str", "", "Venue of the instrument.")
SIDES = (-1, 1)
