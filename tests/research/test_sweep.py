"""A sweep is many runs: each point has the numbers of the run that it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.data.micro_price import write_micro_price
from mmquant.errors import ConfigError, UsageError
from mmquant.research import sweep as module
from mmquant.research.grid import parse_grid
from mmquant.research.micro_price import fit_micro_price
from mmquant.research.sweep import BLOCK, MEASURES, block_size, sweep
from mmquant.strategies.demo import demo_tape

SHARED = (
    *("net_pnl", "spread_pnl", "inventory_pnl", "fees", "max_drawdown"),
    *("fills", "volume", "orders", "messages", "max_abs_position"),
)
"""Measures that a run's summary has too, bit for bit; value traded is added up in another order."""


@pytest.fixture(scope="module")
def tape() -> xr.Dataset:
    return demo_tape().isel(event=slice(0, 12_000))


def maker(**sections: Any) -> mm.Config:
    quoting = {"half_spread_ticks": 1.0, "order_lots": 5, "max_position_lots": 25}
    data: dict[str, Any] = {
        "strategy": {"name": "maker"},
        "quoting": quoting,
        "fees": {"schedule": "us_equity_maker_taker"},
        "profile": {"beside": []},
        "limits": {"max_position_lots": 40},
    }
    return mm.Config.from_dict(data | sections)


@mm.strategy(params={"away": 1.0, "fade": 0.9}, memory={"mean": 0.0, "seen": 0.0})
def fading(view, params, memory, quotes):
    """Quotes around a moving average, so that each decision depends on all before it."""
    market = view[0]
    middle = 0.5 * (market["best_bid"] + market["best_ask"])
    memory["mean"] += (
        (1.0 - params["fade"]) * (middle - memory["mean"]) if memory["seen"] else middle
    )
    memory["seen"] = 1.0
    for i in range(2):
        side = 1 - 2 * i
        quotes[i]["side"] = side
        quotes[i]["tick"] = int(
            memory["mean"] - side * params["away"] - 0.1 * market["position_lots"]
        )
        quotes[i]["lots"] = 3
    return 2


def check(config: mm.Config, tape: xr.Dataset, grid: dict[str, list[Any]], **more: Any) -> None:
    """Each point of the sweep against a backtest of its own."""
    found = sweep(config, tape, grid=grid, **more)
    points = xr.Dataset(coords=found.coords).stack(point=list(grid)).point.values
    assert len(points) == np.prod([len(values) for values in grid.values()])
    for point in points:
        values = dict(zip(grid, point, strict=True))
        run = mm.backtest(config.replaced(values), tape, **more)
        one = found.sel(values)
        for name in SHARED:
            assert float(one[name]) == run.summary[name], (values, name)
        assert float(one["traded_value"]) == pytest.approx(run.summary["traded_value"], rel=1e-13)
        assert float(one["denied"]) == run.summary["engine_denied"]
        assert float(one["throttled"]) == run.summary["engine_throttled"]
        assert float(one["decisions"]) == run.summary["engine_decisions"]


def test_each_point_is_the_run_that_it_stands_for(tape: xr.Dataset) -> None:
    check(
        maker(), tape, {"quoting.half_spread_ticks": [0.5, 1.0], "quoting.skew.ticks": [0.0, 0.4]}
    )


def test_settings_of_the_exchange_and_of_the_orders_can_vary(tape: xr.Dataset) -> None:
    grid = {"latency.entry_ns": [1_000_000, 90_000_000], "fill.queue": ["log", "risk_averse"]}
    check(maker(limits={"max_messages": 6, "max_position_lots": 15}), tape, grid)


def test_models_layers_and_signals_can_vary(tape: xr.Dataset) -> None:
    intensity = {"per_s": 1.0, "decay_per_tick": 1.0}
    quoting = {
        "order_lots": 5,
        "risk_aversion": 0.1,
        "intensity": intensity,
        "volatility_ticks": 0.5,
    }
    config = maker(quoting=quoting, signals={"volatility_halflife_s": 20.0})
    check(config, tape, {"quoting.model": ["glft", "glft_exact", "avellaneda_stoikov"]})
    layers = [[{}], [{}, {"offset_ticks": 1.0}]]
    found = sweep(maker(), tape, grid={"quoting.layers": layers})
    assert float(found["orders"][1]) > float(found["orders"][0])


@pytest.mark.parametrize("rows", [12_000, 11_400, 7_500, 5_100, 4_200])
def test_decisions_on_own_events_are_those_of_a_single_run(tape: xr.Dataset, rows: int) -> None:
    """Between two timer decisions, seconds apart, each set decides alone, at prices of its own."""
    config = maker(decision={"on": ["timer", "own"], "interval_ns": 3_000_000_000})
    part = tape.isel(event=slice(0, rows))
    check(config, part, {"quoting.half_spread_ticks": [0.5, 1.0, 1.5]})


def test_theos_with_and_without_a_table_can_vary(tape: xr.Dataset, tmp_path: Path) -> None:
    write_micro_price(fit_micro_price(tape), tmp_path / "table.json")
    quoting = {"half_spread_ticks": 1.0, "order_lots": 5}
    config = maker(quoting=quoting | {"micro_price_file": str(tmp_path / "table.json")})
    check(config, tape, {"quoting.theo": ["mid", "micro_price", "weighted_mid"]})


def test_without_any_equity_there_is_no_number(tape: xr.Dataset) -> None:
    bids = tape.isel(event=np.flatnonzero(tape["side"].values > 0))
    found = sweep(maker(), bids, grid={"quoting.half_spread_ticks": [1.0]})
    alone = mm.backtest(maker(), bids).summary
    for name in ("net_pnl", "spread_pnl", "inventory_pnl", "fees", "max_drawdown"):
        assert (alone[name] is None) == bool(np.isnan(found[name][0])), name
        assert alone[name] is None or float(found[name][0]) == alone[name]


def test_a_strategy_of_ones_own_sweeps_too(tape: xr.Dataset) -> None:
    config = mm.Config.from_dict({"profile": {"beside": []}})
    grid = {"strategy.params.away": [1.0, 2.0], "strategy.params.fade": [0.5, 0.99]}
    found = sweep(config, tape, grid=grid, strategy=fading)
    for away in grid["strategy.params.away"]:
        alone = mm.backtest(config, tape, strategy=fading, params={"away": away, "fade": 0.99})
        one = found.sel({"strategy.params.away": away, "strategy.params.fade": 0.99})
        assert [float(one[x]) for x in SHARED] == [alone.summary[x] for x in SHARED]


def test_blocks_and_threads_change_nothing(
    tape: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"quoting.half_spread_ticks": [0.5, 1.0, 1.5, 2.0, 2.5]}
    whole = sweep(maker(), tape, grid=grid, threads=1)
    monkeypatch.setattr(module, "BLOCK", 2)
    assert sweep(maker(), tape, grid=grid, threads=3).identical(whole)
    assert set(whole.data_vars) == set(MEASURES)
    assert all("units" in whole[name].attrs for name in MEASURES)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_all_threads_have_blocks_and_of_about_the_same_size(threads: int) -> None:
    for sets in (1, 2, 3, 7, 64, 127, 128, 129, 300, 1024, 1025):
        size = block_size(sets, threads)
        assert 1 <= size <= BLOCK
        blocks = -(-sets // size)
        if sets % threads == 0:
            assert blocks % threads == 0
        fewest = -(-sets // (threads * BLOCK))  # blocks one after the other on a thread
        assert -(-blocks // threads) == fewest


def test_paths_are_those_of_the_runs(tape: xr.Dataset) -> None:
    grid = {"quoting.half_spread_ticks": [0.5, 1.5]}
    found = sweep(maker(), tape, grid=grid, paths=True)
    plain = sweep(maker(), tape, grid=grid)
    for i, value in enumerate(grid["quoting.half_spread_ticks"]):
        run = mm.backtest(maker().replaced({"quoting.half_spread_ticks": value}), tape)
        np.testing.assert_array_equal(found["equity"][i], run.path["equity"].sum("inst"))
        np.testing.assert_array_equal(found["position"][i], run.path["position"])
        np.testing.assert_array_equal(found["time"], run.path["time"])
    assert found[list(MEASURES)].identical(plain)


def test_what_makes_no_sweep_is_refused(tape: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="no points"):
        sweep(maker(), tape, grid={})
    with pytest.raises(UsageError, match="no points"):
        sweep(maker(), tape, grid={"quoting.order_lots": []})
    with pytest.raises(ConfigError, match="half_spread_tick"):
        sweep(maker(), tape, grid={"quoting.half_spread_tick": [1.0]})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1:2:0.5", [1.0, 1.5, 2.0]),
        ("a.b=1:4", [1, 2, 3, 4]),
        ("a.b=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("a.b=1:8:3", [1, 4, 7]),
        ("a.b=[x, y]", ["x", "y"]),
        ("a.b=1,2.5", [1, 2.5]),
        ("a.b=true", [True]),
        ("a.b=[[{}], [{}, {ticks: 2}]]", [[{}], [{}, {"ticks": 2}]]),
        ("a.b={ticks: 1}", [{"ticks": 1}]),
    ],
)
def test_grids_are_read(text: str, values: list[Any]) -> None:
    assert parse_grid([text]) == {"a.b": values}
    assert [type(x) for x in parse_grid([text])["a.b"]] == [type(x) for x in values]


@pytest.mark.parametrize(
    "texts", [["a"], ["a="], ["=1"], ["a=2:1"], ["a=1:2:0"], ["a=1:x"], ["a=1", "a=2"], ["a=0:1e9"],
              ["a=1:2:3:4"], ["a=nan:2"], ["a=[]"]],
)  # fmt: skip
def test_wrong_grids_are_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="--grid"):
        parse_grid(texts)


def test_arrays_of_numpy_are_values_too(tape: xr.Dataset) -> None:
    plain = sweep(maker(), tape, grid={"quoting.order_lots": [1, 2]})
    assert sweep(maker(), tape, grid={"quoting.order_lots": np.arange(1, 3)}).identical(plain)


@pytest.mark.parametrize("values", [2, "12", 0.5])
def test_a_grid_is_made_of_lists(tape: xr.Dataset, values: Any) -> None:
    with pytest.raises(UsageError, match=r"gives 'quoting\.order_lots' no list of values"):
        sweep(maker(), tape, grid={"quoting.order_lots": values})


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_counted_from_one(tape: xr.Dataset, threads: int) -> None:
    with pytest.raises(UsageError, match=f"threads is {threads}"):
        sweep(maker(), tape, grid={"quoting.order_lots": [1]}, threads=threads)


@pytest.mark.parametrize(
    ("key", "values", "why"),
    [
        ("strategy.name", ["maker", "skew"], "share one strategy"),
        ("tape.path", ["a.parquet", "b.parquet"], "share one tape"),
        ("quoting.calibrate_s", [60.0, 90.0], "once, for all points"),
        ("output.dir", ["a", "b"], "only shown"),
        ("name", ["a", "b"], "only shown"),
    ],
)
def test_what_would_only_change_a_label_is_refused(
    tape: xr.Dataset, key: str, values: list[Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why) as told:
        sweep(maker(), tape, grid={key: values})
    assert key in str(told.value)


@pytest.mark.parametrize("strategy", [None, fading])
def test_quoting_varies_with_the_built_in_quoting_only(tape: xr.Dataset, strategy: Any) -> None:
    with pytest.raises(UsageError, match=r"'(skew|fading)' does not use it"):
        sweep(tape=tape, grid={"quoting.half_spread_ticks": [1, 2]}, strategy=strategy)
