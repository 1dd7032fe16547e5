"""The tables as a Markdown page."""

from __future__ import annotations

from mmquant.schema import TABLES
from mmquant.schema.columns import Column, Table
from mmquant.schema.validation import code_list

PAGE = "docs/market_making/data_schemas.md"

HEAD = """# Data schemas

This page is written by `python -m mmquant.schema`; do not edit it.

Times are int64 nanoseconds since the epoch, UTC. Sides are +1 (buy, bid) and -1 (sell, ask).
Sizes are lots on a tape and units elsewhere: units = lots * lot. Prices on a tape are indices of
the instrument's tick ladder; elsewhere they are in the instrument's currency (ccy).
`mmquant.schema.validate(obj, "fills")` checks an object against its table.

Null says whether a value may be NaN; optional columns may be absent.
"""

FORMS = {
    "dataset": "xarray Dataset",
    "frame": "pandas DataFrame",
    "dict": "dict",
}


def render() -> str:
    """The page as text."""
    contents = "\n".join(f"- [{t.name}](#{t.name}): {t.text}" for t in TABLES.values())
    return "\n".join([HEAD, contents, "", *(_section(t) for t in TABLES.values())]).rstrip() + "\n"


def _section(table: Table) -> str:
    kind = "any of " if table.free else ""
    dims = f" over {kind}({', '.join(table.dims)})" if table.form == "dataset" else ""
    lines = [f"## {table.name}", "", table.text, f"{FORMS[table.form]}{dims}.", ""]
    lines += _rows("key" if table.form == "dict" else "column", table.columns)
    if table.attrs:
        lines += ["", *_rows("attribute", table.attrs)]
    return "\n".join([*lines, ""])


def _rows(head: str, columns: tuple[Column, ...]) -> list[str]:
    lines = [f"| {head} | dtype | unit | null | meaning |", "|---|---|---|---|---|"]
    return lines + [_row(column) for column in columns]


def _row(column: Column) -> str:
    null = "NaN" if column.nullable else ""
    if column.optional:
        null = f"{null}, optional" if null else "optional"
    text = column.text
    if column.dims:
        text += f" Dims: {', '.join(column.dims)}."
    if column.codes is not None and not isinstance(column.codes, tuple):
        text += f" Codes: {code_list(column)}."
    return f"| `{column.name}` | {column.dtype} | {column.unit} | {null} | {text} |"
