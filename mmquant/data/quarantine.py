"""Bad rows of a file: an error in a strict read, a table with reasons in a lenient one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from mmquant.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LENIENT_FIX = "or read with lenient=True (--lenient) to set such rows aside"
COLUMNS = ("file", "row", "reason", "text")


class Quarantine:
    """Collects the bad rows of one file, or raises on the first one.

    Parameters
    ----------
    path : the file, for messages.
    lenient : False raises DataError on a bad row; True sets it aside and counts it.

    Notes
    -----
    Rows are 1-based: line numbers in text files, row numbers in binary ones. A row is set aside
    once, with the first reason given for it.
    """

    def __init__(self, path: str | Path, lenient: bool = False) -> None:
        self.path = str(path)
        self.lenient = lenient
        self.counts: dict[str, int] = {}
        self._rows: dict[int, tuple[str, str]] = {}

    @property
    def total(self) -> int:
        """Rows set aside so far."""
        return len(self._rows)

    def add(self, row: int, reason: str, text: str = "", *, fix: str = "") -> None:
        """Set one row aside. Raises DataError in a strict read."""
        if not self.lenient:
            shown = f"{reason}: {text[:200]!r}" if text else reason
            raise DataError(shown, where=self.where(row), fix=_with_lenient(fix))
        if row not in self._rows:
            self._rows[row] = (reason, text[:200])
            self.counts[reason] = self.counts.get(reason, 0) + 1

    def bad(
        self,
        mask: np.ndarray,
        reason: str,
        rows: np.ndarray,
        *,
        fix: str = "",
        text: Callable[[int], str] | None = None,
    ) -> np.ndarray:
        """Set aside the rows where ``mask`` holds, and return the mask of those to keep.

        ``rows`` has the row number of each element; ``text`` gives the text of an element. Raises
        DataError, naming the first such row, in a strict read.
        """
        mask = np.asarray(mask, bool)
        for i in np.flatnonzero(mask):
            self.add(int(rows[i]), reason, text(int(i)) if text else "", fix=fix)
        return ~mask

    def fail(self, what: str, *, row: int | None = None, fix: str = "") -> NoReturn:
        """Refuse the whole file, lenient or not."""
        raise DataError(what, where=self.where(row), fix=fix)

    def where(self, row: int | None = None) -> str:
        """The place of a row, for messages."""
        return self.path if row is None else f"{self.path}, row {row}"

    def table(self) -> pd.DataFrame:
        """The rows set aside, by row: file, row, reason, text (schema ``quarantine``)."""
        name = Path(self.path).name
        return _frame([(name, row, *why) for row, why in sorted(self._rows.items())])

    def attach(self, ds: xr.Dataset) -> xr.Dataset:
        """Write the table and its count into a tape's attributes, adding to what is there."""
        old = quarantine_of(ds)
        rows = [tuple(row) for row in old.itertuples(index=False)]
        rows += [tuple(row) for row in self.table().itertuples(index=False)]
        counts = json.loads(ds.attrs.get("counts", "{}"))
        counts["quarantined"] = len(rows)
        ds.attrs["counts"] = json.dumps(counts, sort_keys=True)
        if rows:
            ds.attrs["quarantine"] = json.dumps([[f, int(r), *rest] for f, r, *rest in rows])
        return ds


def quarantine_of(ds: xr.Dataset) -> pd.DataFrame:
    """The rows that a lenient read set aside (schema ``quarantine``); empty if there are none."""
    return _frame(json.loads(ds.attrs.get("quarantine", "[]")))


def _frame(rows: list[Any]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"file": "str", "row": "int64", "reason": "str", "text": "str"})


def _with_lenient(fix: str) -> str:
    return f"{fix}, {LENIENT_FIX}" if fix else LENIENT_FIX.removeprefix("or ")
