"""Random tapes with all that is rare: crossings, empty sides, clears, prints off the touch.

Not a market: rows are drawn so that rare things happen often.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import RowKind


def random_rows(
    rows: int,
    seed: int,
    *,
    feed_latency_ns: int = 500_000,
    clears: bool = False,
    wide: bool = False,
    mean_lots: int = 20,
) -> dict[str, np.ndarray]:
    """Columns of a tape: exch_ts, local_ts [ns], kind, side, tick, size [lots], sorted by time.

    Packets of rows share a time, about one packet in 10 ms. The latency is constant. ``clears``
    adds CLEAR and SNAPSHOT rows, ``wide`` adds levels far from the touch.
    """
    rng = np.random.default_rng(seed)
    out = []
    now, mid = 1_700_000_000_000_000_000 + int(rng.integers(1_000_000_000)), 1000
    for t in range(1, 30):
        out.append((now, RowKind.DEPTH, +1, mid - t, int(rng.integers(1, 2 * mean_lots))))
        out.append((now, RowKind.DEPTH, -1, mid + t, int(rng.integers(1, 2 * mean_lots))))
    while len(out) < rows:
        now += 1 + int(rng.exponential(10_000_000)) * int(rng.random() < 0.9)
        if rng.random() < 0.2:
            mid += int(rng.integers(-2, 3))
        draw = rng.random()
        if draw < 0.3:
            side = 1 if rng.random() < 0.5 else -1
            tick = mid + side * int(rng.integers(-1, 3))
            lots = int(rng.integers(1, 2 * mean_lots))
            out.append((now, RowKind.TRADE, side, tick, lots))
        if clears and draw > 0.995:
            side = 1 if rng.random() < 0.5 else -1
            edge = mid - side * int(rng.integers(0, 25))
            out.append((now, RowKind.CLEAR, side, edge, 0))
            for t in range(edge, mid, side):
                if rng.random() < 0.8:
                    out.append((now, RowKind.SNAPSHOT, side, t, int(rng.integers(1, mean_lots))))
        for _ in range(int(rng.integers(1, 8))):
            side = 1 if rng.random() < 0.5 else -1
            away = int(rng.geometric(0.15)) - 1 - int(rng.random() < 0.05) * 3
            if wide and rng.random() < 0.02:
                away = int(rng.integers(20, 900))
            lots = 0 if rng.random() < 0.35 else int(rng.integers(1, 2 * mean_lots))
            out.append((now, RowKind.DEPTH, side, mid - side * away, lots))
    table = np.array([(a, int(b), c, d, e) for a, b, c, d, e in out[:rows]], np.int64)
    return {
        "exch_ts": table[:, 0],
        "local_ts": table[:, 0] + feed_latency_ns,
        "kind": table[:, 1].astype(np.int8),
        "side": table[:, 2].astype(np.int8),
        "tick": table[:, 3].astype(np.int32),
        "size": table[:, 4].astype(np.int32),
    }
