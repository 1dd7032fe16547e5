"""Tapes of one instrument with given best prices and sizes, and their replay in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.core.quote_scan import QUOTED
from mmquant.data.contracts import Contract
from mmquant.data.tape import make_tape
from mmquant.data.tape_facts import tops

BASE = 1_700_000_000_000_000_000
Quote = tuple[int, int, int, int, int]
"""Time, bid, ask, bid lots, ask lots; lots of 0 are an empty side."""


def tape_of(quotes: Sequence[Quote], extra: Sequence[tuple[int, int, int]] = ()) -> xr.Dataset:
    """A tape of one level a side. ``extra`` are rows (time, kind, size), such as halts."""
    rows: list[tuple[int, ...]] = [(ts, kind, 0, 0, size) for ts, kind, size in extra]
    shown: dict[int, tuple[int, int]] = {1: (0, 0), -1: (0, 0)}
    for ts, bid, ask, bid_lots, ask_lots in quotes:
        for side, new in ((1, (bid, bid_lots)), (-1, (ask, ask_lots))):
            old = shown[side]
            if old[1] and old[0] != new[0]:
                rows.append((ts, RowKind.DEPTH, side, old[0], 0))
        for side, new in ((1, (bid, bid_lots)), (-1, (ask, ask_lots))):
            if new != shown[side]:
                rows.append((ts, RowKind.DEPTH, side, *new))
            shown[side] = new
    table = np.array(sorted(rows, key=lambda row: row[0]), np.int64).reshape(-1, 5)
    names = ("exch_ts", "kind", "side", "tick", "size")
    return make_tape(
        {name: table[:, i] for i, name in enumerate(names)},
        [Contract.equity(0, "ABC", venue="XNAS")],
        source={"format": "test", "files": []},
        date="2023-11-14",
    )


def quotes_of(tape: xr.Dataset) -> list[Quote]:
    """Best prices and sizes after each packet that changed them; tapes with two sides only."""
    out: list[Quote] = []
    for top in tops(tape):
        quote = (top.ts, top.bid, top.ask, top.bid_lots, top.ask_lots)
        if not out or out[-1][1:] != quote[1:]:
            out.append(quote)
    return out


def logit_quotes(
    seed: int, *, intercept: float, slope: float, moves: int, total: int = 1_000
) -> np.ndarray:
    """Quotes (QUOTED) of a market whose next move follows a logistic law in the queue imbalance.

    The imbalance is drawn at each move, even over its 999 values, and stays until the next; in
    between all sizes double.
    """
    rng = np.random.default_rng(seed)
    bids = rng.integers(1, total, moves)
    up = rng.random(moves) < 1 / (1 + np.exp(-intercept - slope * (2 * bids - total) / total))
    mids = 10_000 + np.concatenate([[0], np.cumsum(np.where(up, 1, -1))])[:-1]
    lengths = 2 + rng.exponential(1e9, moves).astype(np.int64)
    begin = BASE + np.cumsum(lengths) - lengths
    rows = np.zeros(2 * moves, QUOTED)
    rows["ts"][::2] = begin
    rows["ts"][1::2] = begin + 1 + (rng.random(moves) * (lengths - 2)).astype(np.int64)
    rows["bid"], rows["ask"] = np.repeat(mids - 1, 2), np.repeat(mids + 1, 2)
    rows["bid_lots"], rows["ask_lots"] = np.repeat(bids, 2), np.repeat(total - bids, 2)
    for name in ("bid_lots", "ask_lots"):
        rows[name][1::2] *= 2
    return rows


def logit_tape(seed: int, *, intercept: float, slope: float, moves: int) -> xr.Dataset:
    """``logit_quotes`` as a tape."""
    return tape_of(logit_quotes(seed, intercept=intercept, slope=slope, moves=moves).tolist())


def true_auc(intercept: float, slope: float, total: int = 1_000) -> float:
    """Area under the ROC curve of the imbalance in ``logit_tape``, by sums over its values."""
    x = (2 * np.arange(1, total) - total) / total
    up = 1 / (1 + np.exp(-intercept - slope * x))
    below = np.cumsum(1 - up) - 0.5 * (1 - up)
    return math.fsum(up * below) / (math.fsum(up) * math.fsum(1 - up))


def flip(state: int, buckets: int) -> int:
    """The state of the micro-price's chain with bid and ask swapped."""
    spread, bucket = divmod(state, buckets)
    return spread * buckets + buckets - 1 - bucket
