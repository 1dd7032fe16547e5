"""A market of a few rows by hand, for orders whose fills are known."""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import RowKind
from mmquant.core.engine import Tape
from mmquant.data.contracts import Contract, Ladder
from mmquant.gateway.market import Chunk

START_NS = 1_790_000_000_000_000_000
SECOND = 1_000_000_000
DEPTH, TRADE, STATUS = int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.STATUS)
EXPIRY = "2026-12-18"
CENTS = (Ladder.flat("0.01"),)
CONTRACTS = [
    Contract(0, "AAPL", "equity", "NASDAQ", settlement="physical", ladders=CENTS),
    *(
        Contract.option(
            i + 1, f"AAPL  261218{right}{strike:05d}000", venue="CBOE", expiry=EXPIRY,
            strike=strike, right=right, tick_class="penny",
        )
        for i, (strike, right) in enumerate([(95, "C"), (105, "C"), (95, "P"), (105, "P")])
    ),
]  # fmt: skip
"""A stock at 100, and four options."""
BOOK = [
    (0, 0, DEPTH, 1, 10_000, 500), (0, 0, DEPTH, 1, 9_999, 700), (0, 0, DEPTH, -1, 10_001, 300),
    (0, 0, DEPTH, -1, 10_002, 400),
    (0, 1, DEPTH, 1, 300 + 80, 10), (0, 1, DEPTH, -1, 300 + 82, 10),
    (0, 2, DEPTH, 1, 200, 10), (0, 2, DEPTH, -1, 205, 10),
    (0, 3, DEPTH, 1, 190, 10), (0, 3, DEPTH, -1, 195, 10),
    (0, 4, DEPTH, 1, 300 + 76, 10), (0, 4, DEPTH, -1, 300 + 78, 10),
]  # fmt: skip
"""(second, instrument, kind, side, tick, lots): the stock 100.00 at 100.01, the calls 7.00 at 7.10
and 2.00 at 2.05, the puts 1.90 at 1.95 and 6.80 at 6.90."""


class HandMarket:
    """Rows as given; the market stands still behind the last."""

    contracts = CONTRACTS
    date = "2026-09-21"
    start_ns = START_NS

    def __init__(self, *rows: tuple[float, int, int, int, int, int]) -> None:
        self._rows = np.array(sorted([*BOOK, *rows], key=lambda row: row[0]), np.float64)

    def chunks(self):
        columns = self._rows.T
        ts = START_NS + (columns[0] * SECOND).astype(np.int64)
        kinds = [columns[2].astype(np.int8), columns[3].astype(np.int8)]
        tape = Tape(
            ts, ts, *kinds, columns[4].astype(np.int32), np.zeros(len(ts), np.float32),
            columns[5].astype(np.int32), columns[1].astype(np.int16), np.zeros(0, np.int64),
        )  # fmt: skip
        yield Chunk(tape, int(ts[-1]))

    def volatility(self, inst: int, ts: int) -> float:
        return float("nan")
