from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.dtypes import ActionKind, OrderState
from mmquant.trading import metrics
from mmquant.trading.markouts import weighted_mean
from mmquant.trading.measures import measures
from mmquant.trading.reasons import reasons
from mmquant.trading.run_tables import multipliers_of
from tests.fake_run import START, fake_run, make_fills, make_orders, make_path, make_quotes

S = 1_000_000_000


def _path(seconds, mid, **columns):
    mid = np.asarray(mid, float)
    return make_path(
        START + np.asarray(seconds) * S, mid=mid, bid=mid - 0.5, ask=mid + 0.5, **columns
    )


def _fill(second, side, price, size=1.0, **more):
    return {
        "timestamp": START + int(second * S),
        "side": side,
        "price": price,
        "size": size,
    } | more


# --- markouts -----------------------------------------------------------------


def test_markout_of_a_buy_and_a_sale_by_hand():
    path = _path([0, 1, 2, 3], [100.0, 101.0, 102.0, 104.0])
    fills = make_fills([_fill(1, +1, 100.5, 2.0), _fill(1.5, -1, 101.5, 6.0)])
    table = metrics.markout_table(path=path, fills=fills, horizons_s=(1,))
    row = table.iloc[0]
    # bought at 100.5, mid 102 one second later; sold at 101.5, mid at 2.5 s is that of step 2
    assert row["mean"] == pytest.approx((1.5 - 0.5) / 2)
    assert row["sized_mean"] == pytest.approx((2 * 1.5 - 6 * 0.5) / 8)
    assert row["total"] == pytest.approx(0.0)
    assert (row["fills"], row["used"], row["past_end"], row["no_mid"]) == (2, 2, 0, 0)


def test_the_mid_is_the_last_at_or_before_the_horizon():
    path = _path([0, 1, 2], [100.0, 200.0, 300.0])
    fills = make_fills([_fill(0, +1, 100.0), _fill(0.999999999, +1, 100.0)])
    rows = metrics.fill_markouts(path=path, fills=fills, horizons_s=(1,))
    assert rows["markout"].tolist() == [100.0, 100.0]


def test_fills_past_the_end_or_without_a_mid_are_dropped_and_counted():
    path = _path([0, 1, 2, 3], [100.0, np.nan, 102.0, 103.0])
    path["bid"][2, 0] = np.nan  # a mid, but one side is missing
    fills = make_fills(
        [_fill(0, 1, 99.0), _fill(1, 1, 99.0), _fill(2, 1, 99.0), _fill(2.5, 1, 99.0)]
    )
    row = metrics.markout_table(path=path, fills=fills, horizons_s=(1,)).iloc[0]
    assert (row["used"], row["past_end"], row["no_mid"]) == (1, 1, 2)
    assert row["mean"] == pytest.approx(4.0)
    assert math.isnan(row["se"])


def test_a_fill_before_the_path_or_of_an_unknown_instrument_finds_no_mid():
    path = _path([10, 11], [100.0, 100.0])
    fills = make_fills([_fill(0, 1, 99.0), _fill(10, 1, 99.0, inst=7)])
    row = metrics.markout_table(path=path, fills=fills, horizons_s=(1,)).iloc[0]
    assert (row["used"], row["no_mid"]) == (0, 2)
    assert math.isnan(row["mean"])


def test_each_instrument_is_marked_by_its_own_mid_and_multiplier():
    time = START + np.array([0, 1]) * S
    mid = np.array([[10.0, 100.0], [11.0, 90.0]])
    path = make_path(time, symbols=("A", "B"), mid=mid, bid=mid, ask=mid)
    fills = make_fills([_fill(0, 1, 10.0, inst=0), _fill(0, 1, 100.0, inst=1)])
    table = metrics.markout_table(
        path=path, fills=fills, horizons_s=(1,), by=("inst",), multipliers={0: 1.0, 1: 100.0}
    )
    assert table["total"].tolist() == [1.0, -1000.0]


def test_standard_error_with_equal_sizes_is_the_textbook_one():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50)
    mean, se = weighted_mean(values, np.full(50, 3.0))
    assert mean == pytest.approx(values.mean())
    assert se == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def test_empty_fills_give_rows_of_zero_counts():
    path = _path([0, 1], [100.0, 100.0])
    table = metrics.markout_table(path=path, fills=make_fills([]))
    assert table["horizon_s"].tolist() == [1.0, 5.0, 30.0, 300.0]
    assert table["fills"].tolist() == [0, 0, 0, 0]
    assert len(metrics.markout_table(path=path, fills=make_fills([]), by=("side",))) == 0


fill_lists = st.lists(
    st.tuples(
        st.integers(-3, 30),
        st.sampled_from([-1, 1]),
        st.integers(90, 110),
        st.integers(1, 5),
        st.one_of(st.none(), st.integers(95, 105)),
    ),
    max_size=25,
)
mid_lists = st.lists(st.one_of(st.none(), st.integers(95, 105)), min_size=1, max_size=25)


def _cases(mids, fills):
    mid = [np.nan if m is None else m / 1.0 for m in mids]
    path = _path(np.arange(len(mid)), mid)
    rows = [
        _fill(t, s, float(p), float(q), mid=np.nan if m is None else float(m))
        for t, s, p, q, m in fills
    ]
    return path, make_fills(rows), mid


@settings(max_examples=60, deadline=None)
@given(mid_lists, fill_lists, st.sampled_from([1, 3, 10]))
def test_markouts_equal_the_slow_reference(mids, fills, horizon):
    path, table, mid = _cases(mids, fills)
    used, dropped, values, sizes = 0, {"past_end": 0, "no_mid": 0}, [], []
    for t, side, price, size, _ in fills:
        steps = [k for k in range(len(mid)) if k <= t + horizon]
        if t + horizon > len(mid) - 1:
            dropped["past_end"] += 1
        elif not steps or math.isnan(mid[steps[-1]]):
            dropped["no_mid"] += 1
        else:
            used += 1
            values.append(side * (mid[steps[-1]] - price))
            sizes.append(size)
    row = metrics.markout_table(path=path, fills=table, horizons_s=(horizon,)).iloc[0]
    assert (row["used"], row["past_end"], row["no_mid"]) == (used, *dropped.values())
    assert row["fills"] == used + sum(dropped.values())
    assert row["total"] == pytest.approx(sum(v * q for v, q in zip(values, sizes, strict=True)))
    if used:
        assert row["mean"] == pytest.approx(sum(values) / used)


@settings(max_examples=60, deadline=None)
@given(mid_lists, fill_lists, st.sampled_from([1, 3, 10]))
def test_effective_is_realized_plus_impact_on_the_same_fills(mids, fills, horizon):
    path, table, _ = _cases(mids, fills)
    row = metrics.adverse_selection(
        path=path, fills=table, horizons_s=(horizon,), multipliers={0: 7.0}
    ).iloc[0]
    counts = ("used", "past_end", "no_mid", "no_mid_at_fill")
    assert row["fills"] == len(table) == sum(row[c] for c in counts)
    assert row["check"] == 0.0  # whole numbers: no rounding at all
    if row["used"]:
        assert row["effective"] == pytest.approx(row["realized"] + row["impact"], abs=1e-12)


def test_a_fill_without_a_mid_of_its_own_has_a_markout_but_no_split():
    path = _path([0, 1], [100.0, 101.0])
    fills = make_fills([_fill(0, 1, 100.0, mid=np.nan), _fill(0, 1, 99.0, mid=100.0)])
    split = metrics.adverse_selection(path=path, fills=fills, horizons_s=(1,)).iloc[0]
    assert (split["used"], split["no_mid_at_fill"]) == (1, 1)
    assert (split["effective"], split["realized"], split["impact"]) == (1.0, 2.0, -1.0)
    assert metrics.markout_table(path=path, fills=fills, horizons_s=(1,))["used"].tolist() == [2]


# --- multipliers --------------------------------------------------------------


def test_multiplier_comes_from_the_caller_the_path_or_the_captures():
    path = _path([0, 1], [100.0, 100.0])
    fills = make_fills(
        [_fill(0, 1, 99.7, 3.0, mid=100.0, spread_capture=3.0 * (100.0 - 99.7) * 50)]
    )
    assert multipliers_of(path=path, fills=fills, multipliers={0: 2.0}) == {0: 2.0}
    assert multipliers_of(path=path, fills=fills) == {0: 50.0}
    assert multipliers_of(path=path, fills=make_fills([])) == {0: 1.0}
    path = path.assign_coords(multiplier=("inst", [10.0]))
    assert multipliers_of(path=path, fills=fills) == {0: 10.0}


# --- PnL, drawdown, quoting ---------------------------------------------------


@pytest.mark.parametrize("symbols", [("XYZ",), ("A", "B", "C")])
def test_pnl_split_adds_up_to_the_equity(symbols):
    run = fake_run(symbols=symbols, multiplier=100.0)
    split = metrics.pnl_split(path=run.path, fills=run.fills).set_index("part")["ccy"]
    value = metrics.summarize(run.path, run.fills, run.orders, run.quotes)["traded_value"]
    assert abs(split["check"]) <= 1e-9 * value
    assert split["net"] == pytest.approx(split["spread"] + split["inventory"] + split["fees"])
    assert split["net"] == pytest.approx(float(run.path["equity"].values[-1].sum()))
    assert split["spread"] == pytest.approx(run.fills["spread_capture"].sum())
    assert split["fees"] == pytest.approx(-run.fills["fee"].sum())


def test_a_wrong_split_shows_in_the_check_row():
    run = fake_run()
    run.path["inventory_pnl"] = run.path["inventory_pnl"] + 1.0
    split = metrics.pnl_split(path=run.path, fills=run.fills).set_index("part")["ccy"]
    assert split["check"] == pytest.approx(-1.0)


def test_the_split_is_taken_where_equity_is_known_last():
    path = _path([0, 1, 2], [1.0, 1.0, 1.0], equity=[0.0, 3.0, np.nan], spread_pnl=[0.0, 3.0, 9.0])
    split = metrics.pnl_split(path=path, fills=make_fills([])).set_index("part")["ccy"]
    assert (split["net"], split["spread"], split["check"]) == (3.0, 3.0, 0.0)
    out = metrics.summarize(path, make_fills([]), make_orders(0), make_quotes(0))
    assert out["steps_without_equity"] == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40))
def test_drawdown_equals_the_slow_reference(values):
    peak, expected = 0, []
    for value in values:
        peak = max(peak, value)
        expected.append(value - peak)
    assert metrics.drawdown(equity=np.array(values, float)).tolist() == expected


def test_drawdown_passes_over_unknown_equity():
    out = metrics.drawdown(equity=np.array([1.0, np.nan, -1.0]))
    assert out[0] == 0.0 and math.isnan(out[1]) and out[2] == -2.0


def test_uptime_is_weighted_by_time():
    own_bid = [99.5, 99.5, np.nan, np.nan]
    own_ask = [100.5, np.nan, np.nan, 100.5]
    path = _path([0, 1, 3, 10], [100.0] * 4, own_bid=own_bid, own_ask=own_ask)
    uptime = metrics.quote_uptime(path=path)
    assert uptime["two_sided"] == pytest.approx(0.1)
    assert uptime["any"] == pytest.approx(0.3)
    assert uptime["at_best"] == pytest.approx(0.1)
    assert uptime["own_width"] == pytest.approx(1.0)
    assert uptime["market_width"] == pytest.approx(1.0)


def test_mean_position_is_weighted_by_time():
    path = _path([0, 9, 10], [100.0] * 3, position=[1.0, -11.0, 5.0])
    out = metrics.summarize(path, make_fills([]), make_orders(0), make_quotes(0))
    assert out["mean_abs_position"] == pytest.approx((9 * 1 + 1 * 11) / 10)
    assert out["max_abs_position"] == 11.0
    assert out["final_position"] == 5.0


# --- summary ------------------------------------------------------------------


def test_summary_by_hand():
    path = _path([0, 1, 2], [100.0] * 3, equity=[0.0, 5.0, 2.0], spread_pnl=[0.0, 5.0, 2.0])
    fills = make_fills(
        [
            _fill(0, 1, 99.0, 2.0, mid=100.0, liquidity=1, spread_capture=2.0),
            _fill(1, -1, 100.0, 1.0, mid=100.0, liquidity=-1),
        ]
    )
    orders = make_orders(4, size=3.0, filled=1.0)
    orders.loc[0, "status"] = int(OrderState.REJECTED)
    quotes = make_quotes(6)
    quotes.loc[0, "action"] = int(ActionKind.CANCEL)
    quotes.loc[1, "action"] = int(ActionKind.ALERT)
    out = metrics.summarize(path, fills, orders, quotes)
    assert out["net_pnl"] == 2.0 and out["max_drawdown"] == 3.0 and out["peak_equity"] == 5.0
    assert (out["fills"], out["maker_fills"], out["taker_fills"]) == (2, 1, 1)
    assert out["volume"] == 3.0 and out["traded_value"] == 298.0
    assert out["maker_ratio"] == pytest.approx(2 / 3)
    assert out["fill_ratio"] == pytest.approx(4 / 12)
    assert (out["orders"], out["rejected_orders"], out["messages"]) == (4, 1, 5)
    assert out["order_to_trade"] == 2.0 and out["messages_per_fill"] == 2.5
    assert out["order_efficiency_ratio"] == 2.5
    assert out["pnl_bps"] == pytest.approx(2.0 / 298.0 * 1e4)
    assert out["markout_1s"] == pytest.approx(2 / 3)
    assert out["markout_5s"] is None and out["markout_5s_dropped"] == 2
    assert (out["sharpe"], out["sharpe_days"]) == (None, 1)


def test_an_order_filled_in_parts_is_one_executed_order():
    """KB 1343 of Interactive Brokers: submissions, revisions, cancels over executed orders + 1."""
    rows = [(1, 2.0), (1, 3.0), (2, 1.0), (3, -1.0)]
    fills = make_fills([_fill(0, 1, 99.0, size, order_id=order) for order, size in rows])
    assert metrics.order_efficiency(quotes=make_quotes(12), fills=fills) == 12 / 3
    assert metrics.order_efficiency(quotes=make_quotes(7), fills=make_fills([])) == 7.0
    assert metrics.order_efficiency(quotes=make_quotes(0), fills=make_fills([])) == 0.0


def test_fills_after_the_last_step_are_counted():
    path = _path([0, 1], [100.0, 100.0])
    fills = make_fills([_fill(1, 1, 99.0), _fill(1.5, 1, 99.0)])
    out = metrics.summarize(path, fills, make_orders(0), make_quotes(0))
    assert (out["fills"], out["fills_after_path"]) == (2, 1)


@pytest.mark.parametrize(
    "shape", [{"fills": 0}, {"steps": 1, "fills": 0}, {"steps": 0, "fills": 0}, {}]
)
def test_summary_is_flat_json_without_nan_and_its_keys_are_registered(shape):
    run = fake_run(**shape)
    out = metrics.summarize(run.path, run.fills, run.orders, run.quotes)
    json.dumps(out, allow_nan=False)
    assert all(v is None or isinstance(v, (int, float)) for v in out.values())
    assert list(out) == list(measures())


def test_summary_survives_a_path_without_any_mid():
    nan = np.full(5, np.nan)
    path = make_path(START + np.arange(5) * S, mid=nan, bid=nan, ask=nan, equity=nan)
    fills = make_fills([_fill(1, 1, 100.0, mid=np.nan, spread_capture=np.nan)])
    out = metrics.summarize(path, fills, make_orders(1), make_quotes(1))
    assert out["net_pnl"] is None and out["max_drawdown"] is None
    assert out["markout_1s_dropped"] == 1
    json.dumps(out, allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(0, 30))
def test_a_longer_path_does_not_change_markouts_that_were_known(seed, steps, n_fills):
    run = fake_run(seed=seed, steps=steps, fills=n_fills, hours=0.05)
    cut = run.path.isel(time=slice(0, max(1, steps // 2)))
    early = metrics.fill_markouts(path=cut, fills=run.fills, horizons_s=(5,))
    late = metrics.fill_markouts(path=run.path, fills=run.fills, horizons_s=(5,))
    known = early["status"] == "used"
    assert early.loc[known, "markout"].equals(late.loc[known, "markout"])


# --- what is none, and why ----------------------------------------------------


def test_what_a_summary_leaves_out_has_a_reason():
    run = fake_run(steps=2_000, fills=8)
    out = metrics.summarize(run.path, run.fills, run.orders, run.quotes)
    said = reasons(path=run.path, fills=run.fills, summary=out)
    assert out["half_life_s"] is None and out["markout_1s"] is not None
    assert said[0].startswith("The inventory has no half-life: ")
    assert [text.partition(":")[0] for text in said[1:]] == [
        f"The markout after {h} s has no interval" for h in (1, 5, 30, 300)
    ]
    still = fake_run(fills=0)
    out = metrics.summarize(still.path, still.fills, still.orders, still.quotes)
    assert reasons(path=still.path, fills=still.fills, summary=out) == []


def test_what_a_summary_holds_has_none():
    run = fake_run(steps=20_000, fills=3_000)
    out = metrics.summarize(run.path, run.fills, run.orders, run.quotes)
    said = reasons(path=run.path, fills=run.fills, summary=out)
    assert len(said) == (out["half_life_s"] is None)
    for h in (1, 5, 30, 300):
        low, high = out[f"markout_{h}s_low"], out[f"markout_{h}s_high"]
        assert low < out[f"markout_{h}s"] < high
        assert out[f"markout_{h}s_equal_low"] < out[f"markout_{h}s_equal_high"]
        parts = out[f"effective_{h}s"] - out[f"realized_{h}s"] - out[f"impact_{h}s"]
        assert parts == pytest.approx(0.0, abs=1e-12)


def test_width_against_the_market_is_weighted_by_time_while_both_are_known():
    own_bid, own_ask = [99.0, 99.5, np.nan, 99.0], [101.0, 100.5, 101.0, 101.0]
    path = _path([0, 1, 4, 10], [100.0] * 4, own_bid=own_bid, own_ask=own_ask)
    path["bid"][0] = np.nan  # the market is one-sided in the first second
    assert metrics.quote_uptime(path=path)["width_ratio"] == pytest.approx(1.0)
    path["bid"][0] = 99.0
    ratio = metrics.quote_uptime(path=path)["width_ratio"]
    assert ratio == pytest.approx((1 * 2.0 / 1.5 + 3 * 1.0) / 4)
