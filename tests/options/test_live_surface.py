"""The live surface: the batch fit's bits minute by minute, theos that hold, messages."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.config_surface import LiveSettings, SurfaceSettings
from mmquant.core.dtypes import Hand, MsgKind
from mmquant.core.surface_state import DIRTY_TS, FORWARD
from mmquant.errors import DataError, UsageError
from mmquant.options import LiveSurface
from mmquant.schema import validate
from mmquant.schema.surface import TheoStatus

SETTINGS = SurfaceSettings(rate_per_year=0.04)
REAL = os.environ.get("MMQUANT_REAL_DATA", "")
LIVE = LiveSettings(max_error_ccy=0.002)


@pytest.fixture(scope="module", params=["american", "european"])
def quotes(request: pytest.FixtureRequest) -> xr.Dataset:
    return mm.make_demo_chain(minutes=4, expiries=4, strikes=15, exercise=request.param)


def ns(ds: xr.Dataset, time: int) -> int:
    return int(ds["time"].values[time].astype("datetime64[ns]").astype(np.int64))


def fed(ds: xr.Dataset, minutes: int, move: str = "sticky_strike") -> LiveSurface:
    live = LiveSurface(ds, settings=SETTINGS, live=LIVE, move=move)  # type: ignore[arg-type]
    for t in range(minutes):
        assert live.take_moment(ds, t) == 0
        live.refit(ns(ds, t), every=True)
    return live


def test_minute_by_minute_it_is_the_batch_fit_to_the_bit(quotes: xr.Dataset) -> None:
    surface = mm.options.fit_surface(quotes, settings=SETTINGS)
    assert (surface["status"] == 0).all()
    live = LiveSurface(quotes, settings=SETTINGS)
    for t in range(quotes.sizes["time"]):
        assert live.take_moment(quotes, t) == 0
        assert live.refit(ns(quotes, t), every=True) == 4
        np.testing.assert_array_equal(live.state.slices, surface["slice"].values[t])
        np.testing.assert_array_equal(live.state.expiry[FORWARD], surface["forward"].values[t])


def test_after_a_fit_theos_are_those_of_the_surface(quotes: xr.Dataset) -> None:
    surface = mm.options.fit_surface(quotes, settings=SETTINGS)
    expected = mm.options.theo(quotes, surface).isel(time=-1)
    found = fed(quotes, 4).theos()
    validate(found, "live_theos")
    some = found["status"].values == TheoStatus.OK
    assert some.mean() > 0.6
    for name, close in (("vol", 1e-12), ("theo", 1e-7), ("delta", 1e-6), ("gamma", 1e-6)):
        ours, theirs = found[name].values[some], expected[name].values[some]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=close)


@pytest.mark.parametrize("move", ["sticky_strike", "sticky_delta"])
def test_between_fits_theos_are_those_of_the_moved_surface(quotes: xr.Dataset, move: str) -> None:
    live = fed(quotes, 1, move)
    surface = mm.options.fit_surface(quotes.isel(time=[0]), settings=SETTINGS)
    for share in (1.0001, 1.0007, 1.004):
        later = quotes.isel(time=[1]).copy(deep=True)
        later["underlying_bid"] = quotes["underlying_bid"].isel(time=[0]).values * share + (
            0 * later["underlying_bid"]
        )
        later["underlying_ask"] = quotes["underlying_ask"].isel(time=[0]).values * share + (
            0 * later["underlying_ask"]
        )
        expected = mm.options.theo(later, surface, move=move).isel(time=0)  # type: ignore[arg-type]
        live.take_moment(later)
        found = live.theos()
        some = found["status"].values == TheoStatus.OK
        assert some.mean() > 0.6
        miss = np.abs(found["theo"].values - expected["theo"].values)[some]
        assert miss.max() < LIVE.max_error_ccy + 2 * 3e-4


def test_only_quotes_that_changed_are_fitted_anew(quotes: xr.Dataset) -> None:
    live = fed(quotes, 2)
    assert live.refit(ns(quotes, 1)) == 0
    before = live.state.slices.copy()
    at = int(np.flatnonzero(quotes["expiry"].values == live.layout.expiry[2])[15])
    now = ns(quotes, 1) + 1
    bid, ask = (quotes[side].values[1, at] for side in ("bid", "ask"))
    refused = live.take_quotes([at], [bid + 0.05], [ask + 0.05], [now], [now])  # type: ignore[arg-type]
    assert refused == 0
    assert (live.state.expiry_ts[DIRTY_TS] > 0).tolist() == [False, False, True, False]
    assert live.refit(now) >= 1
    assert not (live.state.slices[2] == before[2]).all()
    np.testing.assert_array_equal(live.state.slices[:2], before[:2])


def test_what_is_not_known_is_refused_and_nothing_is_quoted_without_quotes(
    quotes: xr.Dataset,
) -> None:
    live = LiveSurface(quotes, settings=SETTINGS)
    one = np.ones(3)
    ts = np.full(3, ns(quotes, 0))
    assert live.take_quotes(np.array([-1, 10**6, 0]), one, 2 * one, ts, ts) == 2
    assert live.take_underlying(100.0, 100.02, ns(quotes, 0), ns(quotes, 0))
    live.refit(ns(quotes, 0))
    assert np.isnan(live.theos()["theo"]).all()
    assert (live.theos()["status"] == TheoStatus.NO_SLICE).all()
    with pytest.raises(DataError, match="contracts where"):
        live.take_moment(quotes.isel(contract=slice(0, 5)))
    with pytest.raises(UsageError, match="unknown move"):
        LiveSurface(quotes, move="sticky")  # type: ignore[arg-type]


@pytest.mark.parametrize("market", [(np.nan, np.nan), (100.0, 99.0), (0.0, 100.0)])
def test_a_market_that_is_none_takes_all_theos_away(quotes: xr.Dataset, market: tuple) -> None:
    live, now = fed(quotes, 1), ns(quotes, 0) + 1
    assert live.take_underlying(*market, now, now)
    assert (live.theos()["status"] == TheoStatus.STALE_UNDERLYING).all()
    assert not live.take_underlying(100.0, 100.02, now - 1, now)
    assert np.isnan(live.theos()["theo"]).all()
    assert live.take_underlying(100.0, 100.02, now, now)
    assert (live.theos()["status"] == TheoStatus.OK).any()


def test_an_adjusted_class_has_no_theo_and_hurts_nobody(quotes: xr.Dataset) -> None:
    root = quotes["root"].values.astype("<U8")
    root[7] = "DEMO1"
    odd = quotes.assign_coords(root=("contract", root))
    found = fed(odd, 1).theos()
    assert np.isnan(found["theo"].values[7])
    assert (found["status"].values == TheoStatus.OK).sum() > 50


def test_messages_tell_theo_and_greeks_or_that_there_are_none(quotes: xr.Dataset) -> None:
    live, now = fed(quotes, 2), ns(quotes, 1)
    gone, at = np.array([np.nan]), np.array([now])
    assert live.take_quotes(np.array([9]), gone, gone, at, at) == 0
    assert live.take_underlying(100.0, 100.02, now, now)
    found = live.theos()
    good = int(np.flatnonzero(found["status"].values == TheoStatus.OK)[0])
    bad = int(np.flatnonzero(found["status"].values != TheoStatus.OK)[0])
    rows = live.messages({good: 3, bad: 5}, now, hold_s=1.5)
    assert (rows["kind"] == int(MsgKind.THEO)).all()
    assert rows["inst"].tolist() == [3] * 4 + [5] * 4
    assert (rows["exch_ts"] == now + 1_500_000_000).all()
    assert rows["reason"].tolist() == [Hand.THEO, Hand.DELTA, Hand.GAMMA, Hand.VEGA] * 2
    expected = [float(found[name][good]) for name in ("theo", "delta", "gamma", "vega")]
    assert rows["price"][:4].tolist() == expected
    assert np.isnan(rows["price"][4:]).all()
    for wrong in ({"instruments": {10**6: 0}, "hold_s": 1.0}, {"instruments": {}, "hold_s": 0.0}):
        with pytest.raises(UsageError):
            live.messages(ts=now, **wrong)  # type: ignore[arg-type]


def test_idle_moments_value_one_expiry_after_the_other(quotes: xr.Dataset) -> None:
    live, now = fed(quotes, 1), ns(quotes, 0) + 10**9
    assert [live.revalue(now) for _ in range(5)] == [True] * 4 + [False]


@pytest.mark.skipif(not REAL, reason="MMQUANT_REAL_DATA is not set: no recorded quotes")
def test_recorded_minutes_are_the_batch_fit_to_the_bit() -> None:
    quotes = mm.read_option_quotes(Path(REAL) / "lean", underlying="GOOG", date="2015-12-24")
    quotes = quotes.isel(time=slice(100, 106))
    surface = mm.options.fit_surface(quotes)
    live = LiveSurface(quotes)
    for t in range(6):
        assert live.take_moment(quotes, t) == 0
        live.refit(ns(quotes, t), every=True)
        np.testing.assert_array_equal(live.state.slices, surface["slice"].values[t])
    known = live.theos()["status"].values == TheoStatus.OK
    assert known.mean() > 0.9
    expected = mm.options.theo(quotes, surface)["theo"].values[-1]
    np.testing.assert_allclose(live.theos()["theo"].values[known], expected[known], atol=1e-9)
