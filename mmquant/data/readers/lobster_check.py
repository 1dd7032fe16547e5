"""Compare a tape made from LOBSTER files with the book file, by the engine's own book."""

# mypy: allow-untyped-defs
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.book import ASK, BID, make_book, set_level, top_levels
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import kernel

if TYPE_CHECKING:
    from mmquant.data.readers.lobster import Day
    from mmquant.data.readers.lobster_rules import Book

DEPTH, SNAPSHOT = int(RowKind.DEPTH), int(RowKind.SNAPSHOT)


def summary(day: Day) -> dict[str, object]:
    """Counts of a day, with the rows of the book file that the replayed tape equals."""
    counts = json.loads(day.tape.attrs["counts"])
    out: dict[str, object] = {"book_rows": 0, "book_rows_equal": 0, "first_unequal_row": 0}
    if day.book is not None:
        equal = equal_rows(day, day.book)
        wrong = np.flatnonzero(~equal)
        out = {
            "book_rows": counts["book_rows"],
            "book_rows_equal": int(equal.sum()),
            "first_unequal_row": int(wrong[0]) + 1 if wrong.size else 0,
        }
    return out | {name: value for name, value in counts.items() if name not in out} | day.crossings


def equal_rows(day: Day, book: Book) -> np.ndarray:
    """Rows of the book file (bool, n) that the tape equals after all rows of their message."""
    n, _, levels = book.key.shape
    ends = np.searchsorted(day.message, np.arange(n), side="right")
    columns = [
        np.ascontiguousarray(day.tape[name].values) for name in ("kind", "side", "tick", "size")
    ]
    far = 1 << 13
    while True:
        equal = np.zeros(n, np.bool_)
        state = make_book(1, far=far)
        tops = np.zeros((4, levels), np.int64)
        if compare_rows(state, *columns, ends, book.key, book.size, tops, equal):
            return equal & book.explained
        far *= 4


@kernel
def compare_rows(book, kind, side, tick, size, ends, key, lots, tops, equal):
    """Replay the rows and compare the best levels with the file's after each message.

    ``ends`` (n,) is the number of tape rows up to and with each message; ``key`` and ``lots``
    (n, 2, levels) are the file's; ``tops`` (4, levels) is scratch. False if the book must grow.
    """
    row = 0
    levels = key.shape[2]
    for i in range(ends.shape[0]):
        while row < ends[i]:
            if kind[row] == DEPTH or kind[row] == SNAPSHOT:
                k = BID if side[row] > 0 else ASK
                if not set_level(book, 0, k, np.int64(tick[row]), np.int64(size[row])):
                    return False
            row += 1
        top_levels(book, 0, tops.shape[1], tops[0], tops[1], tops[2], tops[3])
        same = True
        for j in range(levels):
            bid, ask = np.int64(key[i, 0, j]), -np.int64(key[i, 1, j])
            if bid != tops[0, j] or lots[i, 0, j] != tops[1, j]:
                same = False
            if (ask != tops[2, j] and ask != -NO_BID) or lots[i, 1, j] != tops[3, j]:
                same = False
            if ask == -NO_BID and tops[2, j] != NO_ASK:
                same = False
        equal[i] = same
    return True
