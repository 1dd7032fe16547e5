"""The configurations that come with the package: each runs, under both views, and is reported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xarray as xr

import mmquant as mm
from mmquant.report.html import render_report
from mmquant.strategies.demo import demo_tape

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "mmquant" / "strategies" / "quoting").glob("*.yaml"))
AMZN = "lobster/LOBSTER_SampleFile_AMZN_2012-06-21_5.zip"
NEAR = ["quoting.order_lots=5", "quoting.half_spread_ticks=0.5", "limits.max_position_lots=50"]
FOR_DEMO = {
    "glft": ["quoting.calibrate_s=600"],
    "avellaneda_stoikov": ["quoting.intensity.decay_per_tick=1.5"],
    "skewed": ["quoting.size_increment_lots=1", "quoting.depth_ticks=0"],
    "layered": ["quoting.layers=[{}, {offset_ticks: 1}]"],
}
"""The bundled market is one tick wide, with small sizes."""
NAMES = {"guarded", "fixed", "skewed", "layered", "avellaneda_stoikov", "glft"}


def run(file: Path, tape: xr.Dataset, *sets: str) -> mm.Run:
    return mm.backtest(mm.Config.load(file, env={}, sets=sets), tape)


def check(one: mm.Run) -> None:
    """Both views traded, within the limits, and the PnL adds up."""
    assert list(one.views) == ["ibkr"]
    for view in (one, *one.views.values()):
        found, limits = view.summary, view.manifest["config"]["limits"]
        assert found["fills"] > 20 and found["uptime_two_sided"] > 0.2
        assert found["max_abs_position"] <= limits["max_position_lots"]
        assert abs(found["pnl_check"]) <= 1e-9 * found["traded_value"]
        assert found["engine_bad_quotes"] == 0
    assert one.summary["taker_fills"] == 0


def test_there_is_one_of_each_style() -> None:
    assert {file.stem for file in FILES} == NAMES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_quotes_the_demo_market(file: Path) -> None:
    check(run(file, demo_tape(), *NEAR, *FOR_DEMO.get(file.stem, [])))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_quotes_a_recorded_day(file: Path, amzn: xr.Dataset) -> None:
    one = run(file, amzn)
    check(one)
    page = render_report(one)
    assert page.index('id="feasibility"') < page.index('id="views"')
    if file.stem == "glft":
        quoting = one.manifest["config"]["quoting"]
        assert 0.1 < quoting["intensity"]["decay_per_tick"] < 1.0
        assert 1.0 < quoting["volatility_ticks"] < 6.0
        start = one.manifest["tape"]["first_ts"] + 3_600_000_000_000
        assert int(one.orders["submit_time"].min()) >= start


@pytest.fixture(scope="module")
def amzn() -> xr.Dataset:
    folder = os.environ.get("MMQUANT_REAL_DATA")
    if not folder:
        pytest.skip("MMQUANT_REAL_DATA is not set: no recorded day")
    return mm.read_tape("lobster", Path(folder) / AMZN)
