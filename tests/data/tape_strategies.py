"""Random tapes for property tests: valid, all kinds of rows, several instruments, two clocks."""

from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import strategies as st

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract
from mmquant.data.tape import make_tape

BASE = 1_700_000_000_000_000_000
KINDS = [int(kind) for kind in RowKind]


def contracts(n: int = 1) -> list[Contract]:
    """``n`` contracts of different kinds."""
    made = [
        Contract.equity(0, "ABC", venue="XNAS"),
        Contract.simple(1, "BTCUSDT", tick="0.1", lot="0.001", kind="crypto_perp", venue="X"),
        Contract.option(
            2, "ABC", venue="CBOE", expiry="2024-06-21", strike=100, right="C", tick_class="penny"
        ),
    ]
    return made[:n]


def row(n_inst: int = 1, kinds: list[int] | None = None) -> st.SearchStrategy[dict[str, int]]:
    """One row; bids are below tick 100 and asks from it, so that no book is ever crossed."""

    @st.composite
    def make(draw: st.DrawFn) -> dict[str, int]:
        kind = draw(st.sampled_from(kinds or KINDS))
        loose = kind in (RowKind.TRADE, RowKind.CLEAR, RowKind.STATUS)
        side = draw(st.sampled_from([-1, 0, 1] if loose else [-1, 1]))
        low, high = (-20, 99) if side > 0 else (100, 220)
        subtick = draw(st.floats(0, 1, width=32, exclude_max=True)) if kind == 2 else 0.0
        return {
            "step": draw(st.sampled_from([0, 0, 1, 7, 10**9])),
            "delay": draw(st.integers(0, 3)),
            "kind": kind,
            "side": side,
            "tick": draw(st.integers(low, high)),
            "subtick": subtick,
            "size": draw(st.integers(1 if kind == RowKind.TRADE else 0, 2**31 - 1)),
            "order_id": draw(st.integers(0, 2**63 - 1)),
            "inst": draw(st.integers(0, n_inst - 1)),
        }

    return make()


def columns(rows: list[dict[str, int]]) -> dict[str, np.ndarray]:
    """Columns for ``make_tape`` from rows of ``row``."""
    out = {
        name: np.array([one[name] for one in rows], np.int64)
        for name in ("kind", "side", "tick", "size", "order_id", "inst")
    }
    steps = np.array([one["step"] for one in rows], np.int64)
    out["exch_ts"] = BASE + np.cumsum(steps)
    out["local_ts"] = out["exch_ts"] + np.array([one["delay"] for one in rows], np.int64)
    out["subtick"] = np.array([one["subtick"] for one in rows], np.float32)
    return out


@st.composite
def tapes(draw: st.DrawFn, max_size: int = 40) -> xr.Dataset:
    """A valid tape."""
    n_inst = draw(st.integers(1, 3))
    rows = draw(st.lists(row(n_inst), max_size=max_size))
    return make_tape(
        columns(rows),
        contracts(n_inst),
        level=draw(st.sampled_from(["L2", "L3"])),
        source={"format": "test", "files": [{"name": "a", "sha256": "b", "bytes": 1}]},
        date="2023-11-14",
        timezone="America/New_York",
        notes=draw(st.lists(st.text(max_size=5), max_size=2)),
        counts={"levels_injected": 3},
    )


def small_tape(n_inst: int = 1) -> xr.Dataset:
    """A tape of nine rows: a book of two levels a side, two trades, a halt."""
    rows = [
        (0, 4, 1, 99, 0.0, 5), (0, 4, 1, 98, 0.0, 6), (0, 4, -1, 101, 0.0, 7),
        (0, 4, -1, 102, 0.0, 8), (10, 2, 1, 101, 0.0, 2), (10, 1, -1, 101, 0.0, 5),
        (20, 2, 0, 99, 0.5, 1), (30, 5, 0, 0, 0.0, 1), (40, 1, 1, 99, 0.0, 0),
    ]  # fmt: skip
    names = ("exch_ts", "kind", "side", "tick", "subtick", "size")
    data = {name: np.array([one[i] for one in rows]) for i, name in enumerate(names)}
    data["exch_ts"] = data["exch_ts"] + BASE
    return make_tape(
        data,
        contracts(n_inst),
        source={"format": "test", "files": []},
        date="2023-11-14",
    )
