"""Synthetic tapes: same bytes for the same arguments, and books that hold together."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmquant.core import zero_intelligence as zi
from mmquant.core.dtypes import RowKind
from mmquant.data import market_model, synthetic
from mmquant.data.market_model import DEMO, SKY_PERFECT, flow_of, simulate_chunks, uniforms
from mmquant.data.synthetic import (
    column_digests,
    make_demo_tape,
    make_random_tape,
    random_chunks,
)
from mmquant.data.tape import contracts_of, validate_tape
from mmquant.data.tape_facts import facts, tops
from mmquant.errors import DataError, UsageError

NAMES = ("exch_ts", "kind", "side", "tick", "size", "inst")


@pytest.fixture(scope="module")
def demo() -> xr.Dataset:
    return make_demo_tape(minutes=10)


def packets(tape: xr.Dataset) -> Iterator[list[tuple[int, ...]]]:
    """Rows (exch_ts, kind, side, tick, size, inst) by instrument and exchange time."""
    rows = zip(*(tape[name].to_numpy().tolist() for name in NAMES), strict=True)
    packet: list[tuple[int, ...]] = []
    for row in rows:
        if packet and (row[0], row[5]) != (packet[-1][0], packet[-1][5]):
            yield packet
            packet = []
        packet.append(row)
    yield packet


def replay(tape: xr.Dataset) -> dict[tuple[int, int], dict[int, int]]:
    """Follow the tape with dicts, check each rule of its rows, and return the last book."""
    n_inst = int(tape["inst"].max()) + 1
    book: dict = {(i, side): {} for i in range(n_inst) for side in (1, -1)}
    for packet in packets(tape):
        traded = None
        for _, kind, side, tick, size, inst in packet:
            if kind == RowKind.TRADE:
                assert traded is None, "two trades without a depth row between them"
                shown = book[inst, -side]
                best = min(shown) if side > 0 else max(shown)
                assert tick == best, "a trade away from the best price"
                assert 0 < size <= shown[tick]
                traded = (-side, tick, shown[tick] - size)
                continue
            if traded is not None:
                assert traded == (side, tick, size), "not the depth row that the trade causes"
                traded = None
            assert size >= 0
            assert size > 0 or tick in book[inst, side], "removal of a level that was not there"
            book[inst, side].pop(tick, None)
            if size:
                book[inst, side][tick] = size
        assert traded is None
        inst = packet[0][5]
        assert max(book[inst, 1]) < min(book[inst, -1]), "crossed or one-sided after a packet"
    return book


def test_a_demo_tape_follows_the_rules_of_rows(demo):
    replay(demo)
    validate_tape(demo)
    kind, ts = demo["kind"].to_numpy(), demo["exch_ts"].to_numpy()
    n = int((kind == int(RowKind.SNAPSHOT)).sum())
    assert n >= 2 * 8
    assert (kind[:n] == int(RowKind.SNAPSHOT)).all()
    assert set(demo["side"].to_numpy()[:n].tolist()) == {1, -1}
    assert str(np.datetime64(int(ts[0]), "ns")) == "2024-01-02T14:30:00.000000000"
    assert ts[-1] < ts[0] + 10 * synthetic.NS_PER_MINUTE
    assert json.loads(demo.attrs["counts"])["trades"] == int((kind == int(RowKind.TRADE)).sum())


def test_two_clocks_in_order(demo):
    exch, local = demo["exch_ts"].to_numpy(), demo["local_ts"].to_numpy()
    assert (local - exch >= 200_000).all()
    assert np.unique(local - exch).size > 100
    assert (np.diff(local) >= 0).all()
    assert "local_order" not in demo


def test_the_demo_market_is_lively_and_tight():
    seen = facts(make_demo_tape(seed=7, minutes=30))
    assert 80_000 < seen["rows"] < 120_000
    assert 0.04 < seen["trades"] / seen["rows"] < 0.08
    assert sum(seen[f"spread_{n}_share"] for n in (1, 2, 3)) > 0.97
    assert 0.5 < seen["spread_1_share"] < 0.85
    assert 15 < seen["best_bid_lots_mean"] < 40
    assert seen["mid_changes"] > 1_000
    assert seen["mid_high"] - seen["mid_low"] > 10


def test_same_arguments_same_bytes_and_other_seeds_other_bytes(demo):
    assert column_digests(make_demo_tape(minutes=10)) == column_digests(demo)
    other = column_digests(make_demo_tape(minutes=10, seed=8))
    assert other["tick"] != column_digests(demo)["tick"]


def test_a_longer_session_has_the_same_beginning(demo):
    longer = make_demo_tape(minutes=12)
    n = demo.sizes["event"]
    assert longer.sizes["event"] > n
    assert longer.isel(event=slice(n)).equals(demo)


def test_higher_rates_give_more_rows():
    assert make_demo_tape(minutes=2, rate_scale=3).sizes["event"] > 15_000


def test_instruments_are_independent_books_on_one_tape():
    tape = make_demo_tape(minutes=2, instruments=3, symbol="ABC")
    assert [c.symbol for c in contracts_of(tape)] == ["ABC", "ABC2", "ABC3"]
    replay(tape)
    assert (np.diff(tape["exch_ts"].to_numpy()) >= 0).all()
    assert (np.diff(tape["local_ts"].to_numpy()) >= 0).all()
    alone = make_demo_tape(minutes=2, symbol="ABC")
    for name in ("exch_ts", "kind", "side", "tick", "size"):
        mine = tape[name].to_numpy()[tape["inst"].to_numpy() == 0]
        assert np.array_equal(mine, alone[name].to_numpy())
    moves = [[top.bid for top in tops(tape, inst=i)] for i in range(3)]
    assert moves[0] != moves[1] != moves[2]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**63), rows=st.integers(synthetic.MIN_ROWS, 3_000))
@example(seed=110_224, rows=100)  # cut between two trades of one order
def test_a_random_tape_has_its_rows_and_holds_together(seed, rows):
    tape = make_random_tape(rows, seed)
    assert tape.sizes["event"] == rows
    replay(tape)
    assert (tape["local_ts"] - tape["exch_ts"] == DEMO.latency_ns).all()


@pytest.mark.parametrize("chunk_rows", [1, 7, 1_000, 10**9])
def test_the_size_of_chunks_changes_nothing(chunk_rows):
    whole = make_random_tape(2_500, 3, jitter_ns=10_000_000)
    chunks = list(random_chunks(2_500, 3, chunk_rows=chunk_rows, jitter_ns=10_000_000))
    assert {chunk["seq"].size for chunk in chunks[:-1]} <= {chunk_rows}
    for name in chunks[0]:
        joined = np.concatenate([chunk[name] for chunk in chunks])
        assert np.array_equal(joined, whole[name].to_numpy()), name


def test_the_size_of_batches_changes_nothing():
    ends = {"start_ns": 0, "end_ns": synthetic.NS_PER_MINUTE}
    one, two = (
        np.concatenate(list(simulate_chunks(DEMO, 4, batch=batch, **ends))) for batch in (64, 5_000)
    )
    assert np.array_equal(one, two)


def test_a_tape_cut_inside_a_trade_restates_a_level():
    rows = np.zeros(3, dtype=zi.ROW)
    rows["kind"], rows["tick"], rows["size"] = (1, 2, 1), (5, 6, 6), (9, 4, 0)
    (cut,) = synthetic._exactly(iter([rows]), 2)
    assert cut[["kind", "tick", "size"]].tolist() == [(1, 5, 9), (1, 5, 9)]
    first, cut = synthetic._exactly(iter([rows[:1], rows[1:]]), 2)
    assert first.size == 1
    assert cut[["kind", "tick", "size"]].tolist() == [(1, 5, 9)]


def test_uniforms_are_the_doubles_of_numpy():
    ours = uniforms(np.random.PCG64(11), 50)
    assert ours.shape == (50, zi.DRAWS)
    assert np.array_equal(ours.ravel(), np.random.Generator(np.random.PCG64(11)).random(200))


def test_the_published_model_has_its_table():
    flow = flow_of(SKY_PERFECT, rate_scale=2.0)
    assert flow.market == pytest.approx(2 * 0.94 / 60)
    assert flow.limit == pytest.approx(2 * np.array(SKY_PERFECT.limit) / 60)
    assert flow.cancel == pytest.approx(2 * np.array(SKY_PERFECT.cancel) / 60)
    tape = make_demo_tape(minutes=60, model=SKY_PERFECT, rate_scale=5)
    assert set(tape["size"].to_numpy()[tape["kind"].to_numpy() == 2].tolist()) == {1}
    replay(tape)


def test_a_price_that_leaves_its_range_is_said(monkeypatch):
    monkeypatch.setattr(market_model, "BURN_IN", 1)
    with pytest.raises(DataError, match="left its range of 50 ticks"):
        list(simulate_chunks(DEMO, 1, start_ns=0, start_tick=25))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"instruments": 0}, "instruments is 0"),
        ({"minutes": 0}, "minutes is 0"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"rate_scale": float("nan")}, "rate_scale is nan"),
        ({"rate_scale": -1.0}, "rate_scale is -1"),
        ({"date": "yesterday"}, "date is 'yesterday'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, what):
    with pytest.raises(UsageError, match=what):
        make_demo_tape(**arguments)


def test_random_arguments_out_of_range_are_refused():
    for arguments in ({"rows": 10}, {"rows": 200, "jitter_ns": -1}, {"rows": 200, "seed": -1}):
        with pytest.raises(UsageError):
            make_random_tape(**arguments)
    with pytest.raises(UsageError):
        next(random_chunks(200, chunk_rows=0))
