"""Rates that calls and puts imply: those that made-up chains were priced with."""

from __future__ import annotations

import numpy as np
import pytest

import mmquant as mm
from mmquant.config_surface import SurfaceSettings
from mmquant.core.american import ACCURATE, american_many
from mmquant.options.surface import held_contracts
from tests.options.quote_chains import RATE, clean_quotes

YIELD = 0.01


def american_chain(rate):
    """The clean chain with american prices at a rate and a yield, in the middle of 2 per cent."""
    ds = clean_quotes(n_times=2, exercise="american")[0]
    years = (ds["expiry"].values - ds["time"].values[0]) / np.timedelta64(365, "D")
    n = ds.sizes["contract"]
    sign = np.where(ds["right"].values == "C", 1.0, -1.0)
    out, status = np.empty((3, n)), np.empty(n, np.int64)
    american_many(
        sign, np.full(n, 100.0), ds["strike"].values, years, np.full(n, 0.25), np.full(n, rate),
        np.full(n, YIELD), ACCURATE, out, status,
    )  # fmt: skip
    assert (status == 0).all()
    ds["bid"].values[:], ds["ask"].values[:] = 0.99 * out[0], 1.01 * out[0]
    for name in ("underlying_bid", "underlying_ask"):
        ds[name].values[:] = 100.0
    return ds


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.05])
def test_the_rate_of_american_options_is_found(rate):
    ds = american_chain(rate)
    surface = mm.options.fit_surface(ds)
    assert surface["rate"].values == pytest.approx(rate, abs=0.006)
    assert "agree best" in surface.attrs["notes"]
    years = surface["years"].values
    want = 100 * np.exp((rate - YIELD) * years)
    assert surface["forward"].values == pytest.approx(want, rel=1.5e-3)


def test_a_wrong_rate_makes_strikes_disagree_and_the_implied_one_does_not():
    ds = american_chain(0.05)
    right = mm.options.fit_surface(ds)
    wrong = mm.options.fit_surface(ds, settings=SurfaceSettings(rate_per_year=0.0))
    assert right["strikes_disagree"].values.sum() == 0
    assert wrong["strikes_disagree"].values.sum() > 0


def test_a_day_keeps_the_rate_of_its_first_time():
    ds = american_chain(0.05)
    whole = mm.options.fit_surface(ds)["rate"].values
    first = mm.options.fit_surface(ds.isel(time=[0]))["rate"].values
    assert (whole == first).all()


def test_boxes_are_not_led_astray_by_one_expiry():
    ds = clean_quotes()[0]
    mine = ds["expiry"].values == ds["expiry"].values[0]
    call = ds["right"].values == "C"
    for side in ("bid", "ask"):
        # Calls of the shortest expiry, too dear by more for higher strikes: a rate of 50 %.
        ds[side].values[:, mine & call] += 0.02 * (ds["strike"].values[mine & call] - 80)
    rate = mm.options.fit_surface(ds)["rate"].values
    assert rate[:, 1:] == pytest.approx(RATE, abs=0.006)


def test_held_out_strikes_are_spread_over_an_expiry():
    ds = mm.options.screen_quotes(clean_quotes()[0])
    for seed in range(5):
        held = held_contracts(ds, 0.2, seed)
        for moment in np.unique(ds["expiry"].values):
            mine = ds["expiry"].values == moment
            strikes = np.unique(ds["strike"].values[mine])
            places = np.flatnonzero(np.isin(strikes, ds["strike"].values[mine & held]))
            assert abs(places.size - 0.2 * strikes.size) < 1
            assert (np.diff(places) == 5).all()
            # Both sides of a strike, or none.
            both = held[mine & (ds["right"].values == "C")]
            assert (both == held[mine & (ds["right"].values == "P")]).all()
