"""Screen the rows of a file that already holds tape columns: what no tape may have is set aside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmquant.data.crossing import CROSSED_FIX, crossed_rows
from mmquant.data.quarantine import Quarantine
from mmquant.data.tape import BEYOND, COLUMNS, in_order, row_faults

Columns = dict[str, np.ndarray]


def screen(
    data: Columns,
    rows: np.ndarray,
    q: Quarantine,
    n_inst: int,
    *,
    level: str = "L2",
    allow_crossed: bool = False,
    text: Callable[[int], str] | None = None,
) -> Columns:
    """The good rows of ``data`` in tape types; the others go to ``q``, which may raise.

    ``data`` has all columns of a tape, integers as int64. ``rows`` (int64, n) numbers them in the
    file, and ``text`` gives the text of a row by that number. Looked for in this order: values
    beyond their type, rows that no tape may have, time running backwards, and on L2 tapes rows that
    leave the book crossed, unless ``allow_crossed``.
    """
    state = _Rows(dict(data), rows, q, text)
    for name, dtype in COLUMNS.items():
        if dtype.kind == "i" and dtype.itemsize < 8:
            limits, values = np.iinfo(dtype), state.data[name]
            beyond = (values < limits.min) | (values > limits.max)
            state.drop(beyond, f"{name} is beyond the {dtype} of a tape", BEYOND.get(name, ""))
    state.data = {name: state.data[name].astype(dtype) for name, dtype in COLUMNS.items()}
    for mask, reason, fix in row_faults(state.data, n_inst):
        state.late(mask, reason, fix)
    state.settle()
    state.drop(time_backwards(state.data["exch_ts"]), "time runs backwards", "sort by exch_ts")
    _screen_seq(state)
    if level == "L2" and not allow_crossed:
        bad, _ = crossed_rows(state.data, n_inst)
        state.drop(bad, "the book is crossed", CROSSED_FIX)
    return state.data


def time_backwards(ts: np.ndarray) -> np.ndarray:
    """Rows (bool) to leave out so that ``ts`` does not go backwards.

    Either those earlier than a row before them, or those later than a row after them: whichever
    are fewer, since one wrong stamp can lie in the past or in the future.
    """
    if ts.size == 0:
        return np.zeros(0, bool)
    early = ts < np.maximum.accumulate(ts)
    if not early.any():
        return early
    ahead = ts > np.minimum.accumulate(ts[::-1])[::-1]
    return early if early.sum() <= ahead.sum() else ahead


class _Rows:
    """Columns and row numbers that shrink together."""

    def __init__(
        self, data: Columns, rows: np.ndarray, q: Quarantine, text: Callable[[int], str] | None
    ) -> None:
        self.data, self.rows, self.q, self.text = data, rows, q, text
        self.keep = np.ones(len(rows), bool)

    def drop(self, mask: np.ndarray, reason: str, fix: str) -> None:
        """Set rows aside now."""
        self.late(mask, reason, fix)
        self.settle()

    def late(self, mask: np.ndarray, reason: str, fix: str) -> None:
        """Set rows aside, but keep their places until ``settle``."""
        if mask.any():
            self.keep &= self.q.bad(mask, reason, self.rows, fix=fix, text=self._text)

    def settle(self) -> None:
        """Leave out the rows set aside."""
        if not self.keep.all():
            self.data = {name: values[self.keep] for name, values in self.data.items()}
            self.rows = self.rows[self.keep]
        self.keep = np.ones(len(self.rows), bool)

    def _text(self, i: int) -> str:
        if self.text is not None:
            return self.text(int(self.rows[i]))
        return ", ".join(f"{name}={values[i]}" for name, values in self.data.items())


def _screen_seq(state: _Rows) -> None:
    """Refuse seq running backwards within a packet; a lenient read sorts and says so."""
    data = state.data
    late = np.concatenate([[False], ~in_order(data["exch_ts"], data["seq"])])[: len(state.rows)]
    if late.any() and not state.q.lenient:
        state.q.add(
            int(state.rows[np.flatnonzero(late)[0]]),
            "seq runs backwards within one exchange time",
            fix="sort rows by (exch_ts, seq)",
        )
