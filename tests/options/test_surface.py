"""Surfaces fitted to chains that are known: forwards, volatilities, reasons, and no arbitrage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import mmquant as mm
from mmquant.config_surface import SurfaceSettings
from mmquant.core.slice_curve import slice_variance
from mmquant.core.smile import butterfly_g
from mmquant.errors import DataError, UsageError
from mmquant.options.surface import held_contracts
from mmquant.options.theo import theo
from mmquant.schema.quotes import QuoteQuality as Q
from mmquant.schema.surface import SliceStatus
from tests.options.quote_chains import EXPIRIES, RATE, SPOT, clean_quotes, market_of, smile

KNOWN = SurfaceSettings(rate_per_year=RATE)


@pytest.fixture(scope="module")
def clean():
    return clean_quotes()


def fitted(clean, **changes):
    return mm.options.fit_surface(clean[0], settings=KNOWN, **changes)


def test_forwards_are_those_of_the_chain_and_within_parity_bounds(clean):
    surface = fitted(clean)
    ds, forwards, _ = clean
    for e, text in enumerate(EXPIRIES):
        mine = ds["expiry"].values == np.datetime64(text, "ns")
        want = forwards[:, mine][:, 0]
        low, high = surface["forward_low"].values[:, e], surface["forward_high"].values[:, e]
        assert ((low <= want) & (want <= high)).all()
        got = surface["forward"].values[:, e]
        assert ((low <= got) & (got <= high)).all()
        assert np.abs(got / want - 1).max() < 2e-3
    assert (surface["strikes_disagree"].values == 0).all()


def test_volatilities_are_those_of_the_chain_to_a_fraction_of_the_spread(clean):
    found = theo(clean[0], fitted(clean))
    ds = clean[0]
    years = (ds["expiry"].values - ds["time"].values[0]) / np.timedelta64(365, "D")
    k = np.log(ds["strike"].values / clean[1][0])
    want = np.array([smile(x, t) for x, t in zip(k, years, strict=True)])
    spread = (found["ask_vol"] - found["bid_vol"]).values[0]
    good = (ds["quality"].values[0] == Q.OK) & np.isfinite(spread)
    assert good.sum() > 60
    error = np.abs(found["vol"].values[0] - want)
    assert (error[good] <= np.maximum(0.5 * spread[good], 1e-3)).all()


def test_no_slice_has_arbitrage_on_a_dense_grid(clean):
    surface = fitted(clean)
    grid = np.linspace(-3, 3, 2_001)
    for t in range(surface.sizes["time"]):
        before = np.zeros(grid.size)
        for e in range(surface.sizes["expiry"]):
            row = surface["slice"].values[t, e]
            parts = np.array([slice_variance(k, row) for k in grid])
            g = [butterfly_g(k, *part) for k, part in zip(grid, parts, strict=True)]
            assert min(g) >= -1e-12
            assert (parts[:, 0] >= before - 1e-12).all()
            before = parts[:, 0]
    assert surface["least_g"].min() >= 0
    assert surface["calendar_slack"].min() >= 0


def test_what_is_held_out_is_not_seen_and_still_found(clean):
    surface = fitted(clean, hold_out=0.2, seed=3)
    held = held_contracts(mm.options.screen_quotes(clean[0]), 0.2, 3)
    assert 0 < held.sum() < held.size / 2
    summary = mm.options.surface_summary(surface)
    assert summary["held_residual"] <= 0.25
    assert summary["held_inside"] >= 0.95
    spoiled = clean[0].copy(deep=True)
    for side in ("bid", "ask"):
        spoiled[side].values[:, held] *= 1.5
    again = mm.options.fit_surface(spoiled, settings=KNOWN, hold_out=0.2, seed=3)
    # Quotes that are held out may be wrong by half: the fit is the same to the bit, unless they
    # failed a screen and other strikes were drawn.
    if np.array_equal(held, held_contracts(mm.options.screen_quotes(spoiled), 0.2, 3)):
        assert np.array_equal(surface["slice"].values, again["slice"].values)
        assert mm.options.surface_summary(again)["held_inside"] < 0.5


def test_the_same_quotes_give_the_same_bits(clean):
    one, two = fitted(clean), fitted(clean)
    assert one["slice"].identical(two["slice"])
    first = mm.options.fit_surface(clean[0].isel(time=[0, 1]), settings=KNOWN)
    assert np.array_equal(first["slice"].values, one["slice"].values[:2])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_bad_quote_moves_no_forward_out_of_its_bounds(clean, share):
    ds = clean[0].copy(deep=True)
    right = fitted(clean)
    rng = np.random.default_rng(5)
    mine = np.flatnonzero(ds["expiry"].values == np.datetime64(EXPIRIES[1], "ns"))
    for i in rng.choice(mine, 3, replace=False):
        ds["bid"].values[:, i] *= 1.25 + share
        ds["ask"].values[:, i] *= 1.25 + share
    wrong = mm.options.fit_surface(ds, settings=KNOWN)
    got = wrong["forward"].values[:, 1]
    assert (got >= right["forward_low"].values[:, 1] - 1e-9).all()
    assert (got <= right["forward_high"].values[:, 1] + 1e-9).all()
    others = [0, 2, 3]
    assert np.array_equal(wrong["forward"].values[:, others], right["forward"].values[:, others])


def test_every_quote_is_used_or_counted_with_a_reason(clean):
    ds = clean[0].copy(deep=True)
    ds["bid"].values[0, :5] = np.nan
    ds["bid"].values[1, 7] = ds["ask"].values[1, 7] + 1
    surface = mm.options.fit_surface(ds, settings=KNOWN)
    counts = surface["ignored"].sum(("time", "expiry")).to_series()
    assert counts["NO_BID"] == 5
    assert counts["CROSSED"] == 1


def test_an_expiry_with_too_few_quotes_says_so_and_spoils_no_other(clean):
    ds = clean[0].copy(deep=True)
    mine = np.flatnonzero(ds["expiry"].values == np.datetime64(EXPIRIES[2], "ns"))
    ds["bid"].values[:, mine[6:]] = np.nan
    surface = mm.options.fit_surface(ds, settings=KNOWN)
    assert (surface["status"].values[:, 2] == SliceStatus.FEW_QUOTES).all()
    assert (surface["status"].values[:, [0, 1, 3]] == SliceStatus.OK).all()
    found = theo(ds, surface)
    assert np.isnan(found["theo"].values[:, mine]).all()


def test_without_an_underlying_there_is_no_surface(clean):
    ds = clean[0].copy(deep=True)
    ds["underlying_bid"].values[:] = np.nan
    surface = mm.options.fit_surface(ds, settings=KNOWN)
    assert (surface["slice"].values[:, :, 0] == 0).all()
    assert np.isnan(theo(ds, surface)["theo"].values).all()


def test_american_premiums_come_off_and_go_on_again():
    quotes = mm.make_demo_chain(minutes=1, expiries=4, strikes=15, exercise="american")
    settings = SurfaceSettings(rate_per_year=0.04)
    surface = mm.options.fit_surface(quotes, settings=settings)
    found = theo(quotes, surface)
    used = found["quality"].values == Q.OK
    distance = np.abs(found["residual_spreads"].values[used])
    assert distance.max() < 0.6
    assert surface["dividend_yield"].values == pytest.approx(0.015, abs=0.01)


def test_a_smile_moves_with_the_underlying_as_asked(clean):
    ds = clean[0]
    surface = fitted(clean).isel(time=[0])
    strike, delta = (theo(ds, surface, move=move) for move in ("sticky_strike", "sticky_delta"))
    mine = ds["expiry"].values == np.datetime64(EXPIRIES[3], "ns")
    first, last = strike["vol"].values[0][mine], strike["vol"].values[2][mine]
    assert last == pytest.approx(first, rel=1e-9)
    row, years = surface["slice"].values[0, 3], surface["years"].values[0, 3]
    forward = surface["forward"].values[0, 3] * 1.001**2
    k = np.log(ds["strike"].values[mine] / forward)
    want = [np.sqrt(slice_variance(x, row)[0] / years) for x in k]
    assert delta["vol"].values[2][mine] == pytest.approx(np.array(want), rel=1e-9)
    assert (delta["fit_age"].values[2] == 120).all()


def test_greeks_are_slopes_of_theos(clean):
    ds = clean[0].isel(time=[0])
    surface = fitted(clean).isel(time=[0])
    base = theo(ds, surface)
    step = 2e-4 * SPOT
    shifted = []
    for sign in (1, -1):
        moved = ds.copy(deep=True).assign_coords(time=ds["time"] + np.timedelta64(1, "ns"))
        for name in ("underlying_bid", "underlying_ask"):
            moved[name].values[:] += sign * step
        shifted.append(theo(moved, surface)["theo"].values)
    slope = (shifted[0] - shifted[1]) / (2 * step)
    assert base["delta"].values == pytest.approx(slope, abs=2e-5)


def test_between_slices_variance_is_linear_in_business_time(clean):
    surface = fitted(clean)
    tau = surface["business_years"].values[-1]
    k = np.array([-0.1, 0.0, 0.05])
    middle = (tau[1] + tau[2]) / 2
    found = mm.options.surface_vol(surface, moneyness=k, years=[tau[1], middle, tau[2], 9.0])
    w = found["variance"].values
    assert w[1] == pytest.approx((w[0] + w[2]) / 2)
    assert w[0] == pytest.approx([slice_variance(x, surface["slice"].values[-1, 1])[0] for x in k])
    assert np.isnan(w[3]).all()
    assert (found["by_years"].values[:3] >= 0).all()
    h = 1e-5
    beside = mm.options.surface_vol(surface, moneyness=k + h, years=[middle])["variance"].values
    assert (beside[0] - w[1]) / h == pytest.approx(found["by_k"].values[1], abs=1e-4)


def test_wrong_arguments_are_told(clean):
    surface = fitted(clean)
    with pytest.raises(UsageError, match="hold_out is 1"):
        fitted(clean, hold_out=1.0)
    with pytest.raises(UsageError, match="unknown move"):
        theo(clean[0], surface, move="sticky")
    with pytest.raises(UsageError, match="tick is 0"):
        theo(clean[0], surface, tick=0)
    other = clean[0].copy()
    other.attrs["underlying"] = "OTHER"
    with pytest.raises(DataError, match="the surface is of"):
        theo(other, surface)


def test_rates_of_boxes_are_those_of_the_chain(clean):
    surface = mm.options.fit_surface(clean[0])
    assert "box spreads" in surface.attrs["notes"]
    assert surface["rate"].values == pytest.approx(RATE, abs=0.004)


def test_market_of_the_chain_is_what_the_tests_think(clean):
    years, forward, discount = market_of(
        np.datetime64(EXPIRIES[3], "ns"), clean[0]["time"].values[0], SPOT, RATE
    )
    assert forward == pytest.approx(SPOT * np.exp(RATE * 2 / 3 * years))
    assert discount == pytest.approx(np.exp(-RATE * years))


REAL = os.environ.get("MMQUANT_REAL_DATA")
DAYS = {
    "TWX": ("TWX", "2014-06-05", slice(5, 390, 40)),
    "NWSA": ("NWSA", "2013-06-28", slice(5, 390, 40)),
    "GOOG": ("GOOG", "2015-12-24", slice(5, 210, 40)),
    "SPX": ("SPX", "2023-09-14", slice(None)),
}


@pytest.mark.skipif(not REAL, reason="recorded markets are not here: MMQUANT_REAL_DATA is unset")
@pytest.mark.parametrize("name", DAYS)
def test_recorded_days_hold(name):
    underlying, date, times = DAYS[name]
    if name == "SPX":
        quotes = mm.read_option_quotes(Path(REAL) / "cboe" / "spx_quotedata_20230914.csv.gz")
    else:
        quotes = mm.read_option_quotes(Path(REAL) / "lean", underlying=underlying, date=date)
    residual, inside = [], []
    for seed in range(3):
        surface = mm.options.fit_surface(quotes.isel(time=times), hold_out=0.2, seed=seed)
        summary = mm.options.surface_summary(surface)
        assert summary["forwards"] == summary["forwards_inside"] > 0
        assert summary["least_g"] >= 0
        assert summary["calendar_slack"] >= 0
        assert surface["strikes_disagree"].values.sum() <= 1
        residual.append(summary["held_residual"])
        inside.append(summary["held_inside"])
    assert max(residual) <= 0.25
    assert min(inside) >= 0.95
