"""Joining the best prices: closed forms on made tapes, and a slow reference on random ones."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.dtypes import RowKind
from mmquant.data import mapping
from mmquant.data.contracts import Contract
from mmquant.data.tape import make_tape
from mmquant.errors import DataError
from mmquant.trading import feasibility as feas
from mmquant.trading.feasibility_words import FRONT, NO, UNKNOWN, YES, pays, verdicts
from mmquant.trading.markouts import HORIZONS_S
from mmquant.trading.measures import FEASIBILITY, at
from mmquant.trading.touch import touches_of
from tests.naive_touch import naive, random_market

DEPTH, TRADE, STATUS = int(RowKind.DEPTH), int(RowKind.TRADE), int(RowKind.STATUS)
S = 1_000_000_000
LADDER = {"from_date": "0001-01-01", "steps": [{"from_price": "0", "tick": "0.01"},
                                               {"from_price": "10.1", "tick": "0.05"}]}  # fmt: skip


def tape_of(rows: list[tuple], contracts: list[Contract] | None = None) -> xr.Dataset:
    """Rows: seconds, kind, side, tick, lots, and the instrument where it is not 0."""
    data = np.array([(*row, 0)[:6] for row in rows], float)
    columns = {
        "exch_ts": np.round(data[:, 0] * S).astype(np.int64),
        "kind": data[:, 1].astype(np.int8),
        "side": data[:, 2].astype(np.int8),
        "tick": data[:, 3].astype(np.int32),
        "size": data[:, 4].astype(np.int32),
        "inst": data[:, 5].astype(np.int16),
    }
    given_ = contracts or [Contract.equity(0, "XYZ", venue="TEST")]
    return make_tape(columns, given_, source={"format": "test"}, date="2024-06-03")


def quote(second: float, bid: int, ask: int, lots: int = 100, inst: int = 0) -> list[tuple]:
    return [(second, DEPTH, 1, bid, lots, inst), (second, DEPTH, -1, ask, lots, inst)]


def pulled(second: float, bid: int, ask: int) -> list[tuple]:
    return [(second, DEPTH, 1, bid, 0), (second, DEPTH, -1, ask, 0)]


def one_trade(side: int, move: int, lots: int = 10) -> xr.Dataset:
    """Bid 990 and ask 1000; a market order; half a second later the market moves, and stays."""
    rows = [*quote(0, 990, 1000), (10, TRADE, side, 1000 if side > 0 else 990, lots)]
    rows += [*pulled(10.5, 990, 1000), *quote(10.5, 990 + move, 1000 + move)]
    return tape_of([*rows, *quote(400, 990 + move, 1000 + move)])


def fees_file(folder, **rates: float) -> str:
    entry = "".join(f"    {key}: {value}\n" for key, value in rates.items())
    text = f"name: made\nentries:\n  - from_date: '2020-01-01'\n    source: made up\n{entry}"
    (folder / "made.yaml").write_text(text)
    return str(folder / "made.yaml")


# --- closed forms -------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("move", [3, -3, 0, 7])
def test_one_trade_and_a_move_of_the_mid(side: int, move: int, tmp_path) -> None:
    """Adverse selection is the move in the aggressor's direction, to the tick, at all horizons."""
    found = mm.feasible(
        one_trade(side, side * move), fees=fees_file(tmp_path, maker_per_unit_ccy=0.004)
    )
    assert len(found) == 1 and (found[0]["fills"], found[0]["fills_back"]) == (1, 0)
    for horizon_s in HORIZONS_S:
        one = {key: found[0][at(f"{key}_<h>s", horizon_s)] for key in
               ("used", "half_spread", "adverse", "markout", "break_even", "margin")}  # fmt: skip
        assert one == pytest.approx(
            {"used": 1, "half_spread": 0.05, "adverse": 0.01 * move, "markout": 0.05 - 0.01 * move,
             "break_even": 0.01 * move + 0.004, "margin": 0.046 - 0.01 * move}, abs=1e-12
        )  # fmt: skip


@pytest.mark.parametrize(
    ("trades", "fills", "back"),
    [
        ([(1000, 99)], 1, 0),  # less than shown
        ([(1000, 100)], 1, 1),  # all of it
        ([(1000, 60), (1000, 40)], 1, 1),  # all of it, in two trades
        ([(1001, 1)], 1, 1),  # through it
        ([(1000, 100), (1001, 5)], 1, 1),
        ([(999, 500)], 0, 0),  # inside the spread only
        ([(999, 500), (1000, 1)], 1, 0),
    ],
)
def test_who_is_filled(trades: list[tuple[int, int]], fills: int, back: int) -> None:
    rows = [(10, TRADE, 1, tick, lots) for tick, lots in trades]
    found = mm.feasible(tape_of([*quote(0, 990, 1000), *rows, *quote(20, 990, 1000)]))[0]
    assert (found["fills"], found["fills_back"]) == (fills, back)
    assert (found["market_orders"], found["orders_inside"]) == (1, 1 - fills)
    assert found["volume"] == sum(lots for _, lots in trades)


def test_buyers_and_sellers_of_one_time_are_two_orders() -> None:
    rows = [(10, TRADE, 1, 1000, 1), (10, TRADE, -1, 990, 1), (10, TRADE, 0, 995, 1)]
    found = mm.feasible(tape_of([*quote(0, 990, 1000), *rows, *quote(20, 990, 1000)]))[0]
    assert (found["fills"], found["market_orders"], found["trades_unsided"]) == (2, 2, 1)
    assert found["volume"] == 3.0


def test_an_order_before_two_best_prices_is_left_out_and_counted() -> None:
    rows = [(0, DEPTH, -1, 1000, 5), (1, TRADE, 1, 1000, 1), *quote(2, 990, 1000)]
    found = mm.feasible(tape_of(rows))[0]
    assert (found["fills"], found["orders_blind"], found["orders_inside"]) == (0, 1, 0)
    assert found["half_spread"] is None and found["pays_1s"] == UNKNOWN


def test_a_fill_without_a_mid_at_the_horizon_is_not_used() -> None:
    """One-sided from 12 s to 20 s, over at 100 s."""
    rows = [*quote(0, 990, 1000), (10, TRADE, 1, 1000, 1), (12, DEPTH, 1, 990, 0),
            (20, DEPTH, 1, 990, 1), (100, DEPTH, 1, 989, 1)]  # fmt: skip
    found = mm.feasible(tape_of(rows))[0]
    assert [found[at("used_<h>s", h)] for h in HORIZONS_S] == [1, 0, 1, 0]
    assert found["margin_5s"] is None and found["two_sided"] == pytest.approx(0.92)


def test_the_market_by_time() -> None:
    """A spread of 10 ticks for 30 s, of 1 tick for 60 s, halted for 10 s."""
    rows = [*quote(0, 990, 1000), (30, DEPTH, 1, 999, 1), (90, STATUS, 0, 0, 1)]
    rows += [(100, STATUS, 0, 0, 1)]
    found = mm.feasible(tape_of(rows))[0]
    assert found["seconds"] == 100.0 and found["two_sided"] == pytest.approx(0.9)
    assert found["spread"] == pytest.approx((30 * 0.1 + 60 * 0.01) / 90)
    assert found["spread_ticks"] == pytest.approx((30 * 10 + 60 * 1) / 90)
    assert found["one_tick"] == pytest.approx(60 / 90)
    assert found["mid"] == pytest.approx((30 * 9.95 + 60 * 9.995) / 90)
    assert found["queue_bound"] == YES


def test_fees_by_value_and_by_contract(tmp_path) -> None:
    fees = fees_file(tmp_path, maker_bps=2.0, maker_per_unit_ccy=0.65)
    future = Contract.simple(0, "F", tick="0.01", lot="1", kind="future", venue="T", multiplier=100)
    rows = [*quote(0, 990, 1000), (10, TRADE, 1, 1000, 1), *quote(20, 990, 1000)]
    found = mm.feasible(tape_of(rows, [future]), fees=fees)[0]
    # 2 bps of 10.00, and 0.65 a contract of 100
    assert found["maker_fee"] == pytest.approx(0.002 + 0.0065)
    assert found["margin_1s"] == pytest.approx(0.05 - 0.0085)
    assert found["fees"] == "made"


def test_messages_of_joining_both_sides() -> None:
    """Two to begin, one for a new bid, one for a fill that leaves the price, one for both."""
    rows = [*quote(0, 990, 1000), (1, DEPTH, 1, 991, 5), (2, TRADE, 1, 1000, 1)]
    rows += [(3, TRADE, -1, 991, 5), (3, DEPTH, 1, 991, 0), (20, DEPTH, 1, 980, 1)]
    found = mm.feasible(tape_of(rows))[0]
    assert found["messages"] == 5 and found["messages_per_s"] == pytest.approx(5 / 20)
    assert found["efficiency"] == pytest.approx(5 / 3) and found["efficiency_back"] == 5 / 2
    assert (found["messages_max"], found["messages_p50"], found["fits"]) == (2, 0, YES)


def test_a_burst_does_not_fit() -> None:
    """60 changes of the bid in 0.6 s of 100 s: more than 40 from the 41st to the 20th's end."""
    rows = [*quote(0, 900, 1000), *((10 + k / 100, DEPTH, 1, 901 + k, 1) for k in range(60))]
    found = mm.feasible(tape_of([*rows, (100, DEPTH, 1, 800, 1)]))[0]
    assert found["messages_max"] == 60 and found["fits"] == NO
    assert found["messages_over_plan"] == pytest.approx((11.19 - 10.40) / 100)
    assert "more than 40 in 0.79% of the time" in found["verdict_messages"]
    assert found["efficiency"] == 62.0 and found["efficient"] == NO


# --- slow references ----------------------------------------------------------


def reference(columns: dict[str, np.ndarray], fee: float) -> dict[str, float]:
    """Means at 1 s by loops over a naive replay."""
    touches, orders, _ = naive(columns, 1)
    last, out = int(columns["exch_ts"][-1]), {}
    for suffix in ("", "_back"):
        half, adverse = [], []
        for ts, _, side, bid, ask, _, at_best, shown, reach in orders:
            filled = reach == 2 or at_best >= shown if suffix else True
            if reach == 0 or math.isnan(bid) or math.isnan(ask) or not filled:
                continue
            later = [t for t in touches if t[0] <= ts + S][-1]
            if ts + S > last or later[4] == 0:
                continue
            price, mid = (ask if side > 0 else bid), (bid + ask) / 2
            half.append(-side * (mid - price))
            adverse.append(-side * (mid - (later[2] + later[3]) / 2))
        out[f"used{suffix}_1s"] = len(half)
        if half:
            out[f"half_spread{suffix}_1s"] = sum(half) / len(half)
            out[f"adverse{suffix}_1s"] = sum(adverse) / len(half)
            out[f"margin{suffix}_1s"] = sum(half) / len(half) - sum(adverse) / len(half) - fee
    return out


@pytest.mark.parametrize("seed", range(6))
def test_means_equal_the_slow_reference(seed: int, tmp_path) -> None:
    columns = random_market(seed, 1500, 1)
    slow = (columns["exch_ts"] - columns["exch_ts"][0]) * 50  # from 4 s to minutes
    columns["exch_ts"] = columns["local_ts"] = columns["exch_ts"][0] + slow
    contract = Contract(0, "XYZ", "equity", "TEST", ladders=(LADDER,))
    tape = make_tape(columns, [contract], source={"format": "test"}, date="2024-06-03")
    found = mm.feasible(tape, fees=fees_file(tmp_path, maker_per_unit_ccy=0.002))[0]
    wanted = reference(columns, 0.002)
    assert wanted["used_1s"] > 5 and wanted["used_back_1s"] > 0
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 2)), min_size=1, max_size=30),
    st.integers(0, 20),
    st.sampled_from([1, 2, 7, 100]),
)
def test_windows_equal_a_count_at_every_moment(
    events: list[tuple[int, int]], rest: int, rows: int
) -> None:
    """Times in tenths of a second: the count is constant between two tenths."""
    events = sorted(events)
    ts = np.array([t for t, _ in events], np.int64) * (S // 10)
    messages = np.array([m for _, m in events], np.int64)
    end = events[-1][0] + rest
    mapping.PIECE_ROWS, rows = rows, mapping.PIECE_ROWS
    try:
        seconds = feas.message_seconds(ts, messages, end * (S // 10))
    finally:
        mapping.PIECE_ROWS = rows
    slow = [sum(m for t, m in events if k - 10 < t <= k) for k in range(events[0][0], end)]
    assert seconds.sum() == pytest.approx(len(slow) / 10)
    for level in range(61):
        assert seconds[level : level + 1].sum() == pytest.approx(slow.count(level) / 10, abs=1e-9)
    for share in (0.5, 0.99):
        wanted = sorted(slow)[math.ceil(share * len(slow)) - 1] if slow else None
        assert feas.quantile(seconds, share) == wanted


def test_instruments_of_one_tape_do_not_mix() -> None:
    columns = random_market(4, 1200, 3)
    contracts = [Contract(i, s, "equity", "T", ladders=(LADDER,)) for i, s in enumerate("ABC")]
    tape = make_tape(columns, contracts, source={"format": "test"}, date="2024-06-03")
    together = touches_of(tape, contracts)
    for i, contract in enumerate(contracts):
        alone = {k: v[columns["inst"] == i] for k, v in columns.items()}
        alone["inst"] = np.zeros_like(alone["inst"])
        single = [Contract(0, contract.symbol, "equity", "T", ladders=(LADDER,))]
        own = make_tape(alone, single, source={"format": "test"}, date="2024-06-03")
        found = touches_of(own, single)[0]
        for name in ("touches", "orders"):
            got, wanted = getattr(together[i], name), getattr(found, name)
            for field in set(got.dtype.names) - {"inst"}:
                np.testing.assert_array_equal(got[field], wanted[field])
            assert set(got["inst"]) <= {i}
    assert [one["symbol"] for one in mm.feasible(tape)] == ["A", "B", "C"]


# --- identities, words, errors ------------------------------------------------


def test_identities_and_registered_keys(tmp_path) -> None:
    fees = fees_file(tmp_path, maker_bps=0.3, maker_per_unit_ccy=0.0001)
    found = mm.feasible(mm.make_demo_tape(seed=2, minutes=10), fees=fees)[0]
    for suffix in ("", "_back"):
        for horizon_s in HORIZONS_S:
            one = {k: found[at(f"{k}{suffix}_<h>s", horizon_s)] for k in
                   ("half_spread", "adverse", "markout", "break_even", "margin")}  # fmt: skip
            assert one["markout"] == pytest.approx(one["half_spread"] - one["adverse"], abs=1e-12)
            assert one["margin"] == pytest.approx(one["half_spread"] - one["break_even"], abs=1e-12)
            fee = one["break_even"] - one["adverse"]
            assert fee == pytest.approx(0.3e-4 * found["mid"] + 0.0001, rel=1e-3)
    low, high = found["margin_low_1s"], found["margin_high_1s"]
    assert low < found["margin_1s"] < high and found["margin_why_1s"] == ""
    known = {at(key, h) for key in FEASIBILITY for h in HORIZONS_S}
    assert {key.replace("_back_", "_") for key in found if key[-1] == "s"} <= known | set(found)
    assert {key.replace("_back_", "_") for key in found} == known
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("front", "back", "answer"),
    [
        ((1, 2), (1, 2), YES),
        ((-2, -1), (-2, -1), NO),
        ((-1, 1), (-1, 1), UNKNOWN),
        ((1, 2), (-1, 1), FRONT),
        ((1, 2), (-2, -1), FRONT),
        ((1, 2), (None, None), FRONT),
        ((-2, -1), (-1, 1), NO),
        ((-2, -1), (None, None), NO),
        ((-2, -1), (1, 2), UNKNOWN),
        ((-1, 1), (1, 2), UNKNOWN),
        ((None, None), (None, None), UNKNOWN),
        ((0, 1), (0, 1), UNKNOWN),
    ],
)
def test_answers(front: tuple, back: tuple, answer: str) -> None:
    found = {"margin_low_1s": front[0], "margin_high_1s": front[1]}
    found |= {"margin_low_back_1s": back[0], "margin_high_back_1s": back[1]}
    assert pays(found, "1s") == answer


def test_a_tape_without_trades_or_prices_says_so() -> None:
    silent = mm.feasible(tape_of([*quote(0, 990, 1000), *quote(9, 990, 1000)]))[0]
    assert (silent["fills"], silent["pays_30s"], silent["margin_30s"]) == (0, UNKNOWN, None)
    assert (
        "a unit had made an unknown amount in front of the queue, an unknown amount at its end"
        in silent["verdict_30s"]
    )
    assert silent["efficient"] == UNKNOWN and "there are no fills" in silent["verdict_efficiency"]
    assert silent["verdict_30s"].count("there are 0") == 1
    blank = mm.feasible(tape_of([(0, STATUS, 0, 0, 1), (9, STATUS, 0, 0, 1)]))[0]
    assert (blank["spread"], blank["messages"], blank["fits"]) == (None, 0, UNKNOWN)
    assert verdicts(blank)["queue_bound"] == UNKNOWN
    json.dumps(blank, allow_nan=False)


def test_errors_and_notes() -> None:
    with pytest.raises(DataError, match="no rows"):
        mm.feasible(one_trade(1, 0).isel(event=slice(0, 0)))
    with pytest.raises(DataError, match="no fee schedule"):
        mm.feasible(one_trade(1, 0), fees="nope")
    old = one_trade(1, 0).assign_attrs(date="1990-01-02")
    assert "are not known" in mm.feasible(old, fees="ibkr_us_equity_tiered")[0]["fees_note"]


def test_a_run_keeps_what_its_tape_says() -> None:
    tape = mm.make_demo_tape(seed=3, minutes=1, instruments=2)
    config = mm.Config.from_dict({"fees": {"schedule": "us_equity_maker_taker"}})
    wanted = {"instruments": mm.feasible(tape, fees="us_equity_maker_taker"), "left_out": 0}
    for run in (mm.backtest(config, tape), mm.replay(config, tape)):
        assert run.manifest["feasibility"] == wanted


def test_a_run_keeps_the_instruments_with_most_fills() -> None:
    results = [{"inst": i, "fills": i % 7} for i in range(30)]
    kept = feas.kept_in_run(results)
    assert kept["left_out"] == 10 and len(kept["instruments"]) == 20
    fills = [one["fills"] for one in kept["instruments"]]
    assert sorted(fills)[0] >= max(
        one["fills"] for one in results if one not in kept["instruments"]
    )
    assert [one["inst"] for one in kept["instruments"]] == sorted(
        one["inst"] for one in kept["instruments"]
    )


# --- real days ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "spread", "ratio"),
    [
        ("lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip", (0.10, 0.16), (0.5, 1.5)),
        ("lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.gz", (0.1, 0.3), (0.5, 1.5)),
    ],
)
def test_a_real_day_makes_sense(real_data, file: str, spread: tuple, ratio: tuple) -> None:
    """A wide spread, of which adverse selection takes about all within a second or five."""
    found = mm.feasible(mm.read_tape("lobster", real_data(file)))[0]
    assert spread[0] < found["spread"] < spread[1] and found["one_tick"] < 0.05
    assert found["half_spread"] < 0.5 * found["spread"]  # trades come when the spread is narrow
    for at_ in ("1s", "5s"):
        assert ratio[0] < found[f"adverse_{at_}"] / found[f"half_spread_{at_}"] < ratio[1]
    assert found["fills"] > found["fills_back"] > 1_000
