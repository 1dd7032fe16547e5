"""What the book of a tape looks like: spreads, queues, moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind


class Top(NamedTuple):
    """The top of the book after a packet, all rows of one exchange time."""

    ts: int
    bid: int
    ask: int
    bid_lots: int
    ask_lots: int


def tops(tape: xr.Dataset, *, inst: int = 0) -> Iterator[Top]:
    """Top of the book after each packet of an instrument, by a plain replay of its depth rows.

    Packets after which a side is empty are left out.
    """
    wanted = (tape["inst"].to_numpy() == inst) & (tape["kind"].to_numpy() != int(RowKind.TRADE))
    names = ("exch_ts", "kind", "side", "tick", "size")
    ts, kind, side, tick, size = (tape[name].to_numpy()[wanted].tolist() for name in names)
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    for i in range(len(ts)):
        if kind[i] in (RowKind.DEPTH, RowKind.SNAPSHOT):
            book[side[i]].pop(tick[i], None)
            if size[i]:
                book[side[i]][tick[i]] = size[i]
        elif kind[i] == RowKind.CLEAR:
            book[side[i]] = {
                t: n for t, n in book[side[i]].items() if side[i] * t < side[i] * tick[i]
            }
        ends = i + 1 == len(ts) or ts[i + 1] != ts[i]
        if ends and book[1] and book[-1]:
            bid, ask = max(book[1]), min(book[-1])
            yield Top(ts[i], bid, ask, book[1][bid], book[-1][ask])


def facts(tape: xr.Dataset, *, inst: int = 0) -> dict[str, float]:
    """Rows, trades, shares of time at spreads of 1 to 3 ticks, lots at the best bid, mid moves.

    Shares and quantiles are weighted by time, from the first packet to the last. Prices in ticks.
    """
    table = np.array(list(tops(tape, inst=inst)), dtype=np.int64).reshape(-1, 5)
    ts, bid, ask, lots = table[:, 0], table[:, 1], table[:, 2], table[:, 3]
    held = np.diff(ts, append=ts[-1:]).astype(np.float64)
    held /= max(held.sum(), 1.0)
    mine = tape["inst"].to_numpy() == inst
    trades = mine & (tape["kind"].to_numpy() == int(RowKind.TRADE))
    mid = (bid + ask) / 2.0
    out: dict[str, float] = {"rows": int(mine.sum()), "trades": int(trades.sum())}
    out |= {f"spread_{n}_share": float(held[ask - bid == n].sum()) for n in (1, 2, 3)}
    order = np.argsort(lots, kind="stable")
    upto = np.cumsum(held[order])
    for percent in (10, 50, 90):
        i = min(int(np.searchsorted(upto, percent / 100.0)), lots.size - 1)
        out[f"best_bid_lots_p{percent}"] = int(lots[order][i])
    out["best_bid_lots_mean"] = float((lots * held).sum())
    out["mid_changes"] = int(np.count_nonzero(np.diff(mid)))
    return out | {"mid_low": float(mid.min()), "mid_high": float(mid.max())}
