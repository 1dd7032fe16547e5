"""Find the rows that leave a book crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmquant.core.book import Book, make_book
from mmquant.core.book_scan import SCAN_COUNTS, scan_rows
from mmquant.data.mapping import packets

BOOK_COLUMNS = ("kind", "side", "tick", "size", "inst")
"""Columns that a book is made of, in the order of the kernels' arguments."""
CROSSED_FIX = "the other side's level was not removed first: take the rows from the source again"


def crossed_rows(data: Mapping[str, np.ndarray], n_inst: int) -> tuple[np.ndarray, dict[str, int]]:
    """Rows of L2 tape columns that leave the book crossed after their packet, and counts.

    A packet is all rows of one exchange time. Returns a mask (bool, event) and the counts
    ``crossed_rows``, ``crossed_in_packet`` and ``locked_rows``.
    """
    n = len(data["exch_ts"])
    columns = kernel_columns(data, ("exch_ts", *BOOK_COLUMNS))
    far = 1 << 13
    while True:
        bad = np.zeros(n, np.bool_)
        counts = np.zeros(len(SCAN_COUNTS), np.int64)
        book = make_book(max(n_inst, 1), far=far)
        if _scanned(book, columns, bad, counts):
            return bad, dict(zip(SCAN_COUNTS, counts.tolist(), strict=True))
        far *= 4


def _scanned(book: Book, columns: list[np.ndarray], bad: np.ndarray, counts: np.ndarray) -> bool:
    """Scan all rows by pieces; False where the book has too little room for far levels."""
    for rows in packets(columns[0], columns[1:]):
        some = [values[rows] for values in columns]
        undo = np.zeros((5, _longest_packet(some[0])), np.int64)
        if scan_rows(book, *some, undo, bad[rows], counts) < len(some[0]):
            return False
    return True


def kernel_columns(data: Mapping[str, np.ndarray], names: Sequence[str]) -> list[np.ndarray]:
    """Columns contiguous and writable, so that one compiled version of a kernel serves."""
    return [np.require(data[name], requirements=["C", "W"]) for name in names]


def _longest_packet(exch_ts: np.ndarray) -> int:
    ends = np.flatnonzero(np.diff(exch_ts)) + 1
    edges = np.concatenate([[0], ends, [len(exch_ts)]])
    return int(np.diff(edges).max(initial=1))
