"""Runs that need more room than usual, or would never end: both pairings cope, and agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.data.tape import make_tape

S = 1_000_000_000


def tape_of(rows: list[tuple[int, RowKind, int, int, int]]):
    """A tape of (time, kind, side, tick, lots), received 1 us later."""
    ts, kind, side, tick, size = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    columns = {"exch_ts": ts, "local_ts": ts + 1000, "kind": kind, "side": side, "tick": tick,
               "size": size}  # fmt: skip
    contract = mm.Contract.equity(0, "X", venue="TEST")
    return make_tape(columns, [contract], source={}, date="2024-01-02")


BOOK = [(S, RowKind.DEPTH, 1, 1000, 10), (S + 1, RowKind.DEPTH, -1, 1002, 10)]


def both(config: dict, tape, strategy) -> mm.Run:
    settings = mm.Config.from_dict(config)
    runs = [f(settings, tape, strategy=strategy) for f in (mm.backtest, mm.replay)]
    for name in ("fills", "orders", "quotes"):
        pd.testing.assert_frame_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert runs[0].path.identical(runs[1].path)
    return runs[0]


@mm.strategy(params={"lots": 1.0})
def join(view, params, memory, quotes):
    quotes[0]["side"] = 1
    quotes[0]["tick"] = view[0]["best_bid"]
    quotes[0]["lots"] = int(params["lots"])
    return 1


@mm.strategy(memory={"n": 0.0})
def restless(view, params, memory, quotes):
    memory["n"] += 1.0
    quotes[0]["side"] = 1
    quotes[0]["tick"] = view[0]["best_bid"] - int(memory["n"]) % 40
    quotes[0]["lots"] = 1
    return 1


@mm.strategy(memory={"n": 0.0})
def rest_then_take(view, params, memory, quotes):
    memory["n"] += 1.0
    quotes[0]["side"] = 1
    quotes[0]["tick"] = view[0]["best_bid"]
    quotes[0]["lots"] = 2
    if memory["n"] < 3.0:
        return 1
    quotes[1]["side"] = 1
    quotes[1]["tick"] = view[0]["best_bid"]
    quotes[1]["lots"] = 3
    quotes[1]["order_type"] = 1
    quotes[1]["tif"] = 3
    return 2 if memory["n"] == 3.0 else 1


@pytest.mark.parametrize("trades", [3000, 20_000])
def test_any_number_of_fills_may_come_between_two_decisions(trades):
    rows = BOOK + [(3 * S + i, RowKind.TRADE, -1, 1000, 1) for i in range(trades)]
    rows.append((20 * S, RowKind.DEPTH, 1, 999, 5))
    config = {"decision": {"interval_ns": S}, "orders": {"order_type": "limit"}}
    strategy = mm.strategy(params={"lots": 1_000_000.0})(join.function)
    run = both(config, tape_of(rows), strategy)
    assert len(run.fills) == trades - 10
    assert run.path["position"].values[-1, 0] == trades - 10


def test_a_strategy_that_is_never_done_ends_soon_after_the_tape():
    rows = [*BOOK, (2 * S, RowKind.DEPTH, 1, 999, 5)]
    config = {"latency": {"entry_ns": 200_000_000, "response_ns": 200_000_000}}
    run = both(config, tape_of(rows), restless)
    assert 2 * S < run.path["time"].values[-1] <= 2 * S + 1000 + 8 * 400_000_000


def test_a_resting_order_does_not_stand_for_one_that_takes():
    rows = [*BOOK, (2 * S, RowKind.DEPTH, 1, 999, 5)]
    run = both({"limits": {"max_position_lots": 50}}, tape_of(rows), rest_then_take)
    assert run.fills["lots"].tolist() == [3]
    assert run.fills["liquidity"].tolist() == [-1]


def test_nothing_trades_on_arrival_while_the_exchange_is_halted():
    rows = [*BOOK, (S + 300_500_000, RowKind.STATUS, 0, 0, 1), (2 * S, RowKind.STATUS, 0, 0, 0)]
    run = both({}, tape_of([*rows, (3 * S, RowKind.DEPTH, 1, 999, 5)]), rest_then_take)
    assert len(run.fills) == 0
    assert mm.Reason.EXCHANGE_HALTED in run.orders["reason"].tolist()


def test_a_stale_book_pulls_even_where_one_sided_books_are_held():
    rows = [*BOOK, (2 * S, RowKind.DEPTH, -1, 1002, 0), (20 * S, RowKind.DEPTH, 1, 999, 5)]
    config = {"limits": {"one_sided": "hold", "max_book_age_s": 3.0}}
    run = both(config, tape_of(rows), join)
    stale = run.quotes[run.quotes["reason"] == mm.Reason.PULL_STALE]
    assert stale["timestamp"].min() == 2 * S + 3 * S + 100_000_000


@pytest.mark.parametrize(
    ("field", "value"), [("inst", 65536), ("side", 255), ("order_type", 257), ("tif", 256)]
)
def test_a_code_that_would_wrap_is_a_bad_quote(field, value):
    @mm.strategy(params={"value": float(value)})
    def wraps(view, params, memory, quotes):
        quotes[0]["side"] = 1
        quotes[0]["tick"] = view[0]["best_bid"]
        quotes[0]["lots"] = 1
        quotes[0][field] = int(params["value"])
        return 1

    run = mm.backtest(mm.Config(), tape_of([*BOOK, (2 * S, RowKind.DEPTH, 1, 999, 5)]),
                      strategy=wraps)  # fmt: skip
    assert len(run.orders) == 0
    assert run.summary["engine_bad_quotes"] == run.summary["engine_decisions"]
