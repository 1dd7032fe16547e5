"""Figures of a surface draw its numbers; the page has every expiry and loads nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.config_surface import SurfaceSettings
from mmquant.errors import UsageError
from mmquant.report.smiles import smiles_of
from mmquant.report.surface_figures import heat_map_figure, smile_figure, term_structure_figure
from mmquant.report.surface_page import render_surface, write_surface_page

EXPIRIES = 3


@pytest.fixture(scope="module")
def quotes() -> xr.Dataset:
    return mm.make_demo_chain(minutes=2, expiries=EXPIRIES, strikes=15)


@pytest.fixture(scope="module")
def surface(quotes: xr.Dataset) -> xr.Dataset:
    return mm.options.fit_surface(quotes, settings=SurfaceSettings(rate_per_year=0.04))


def named(fig, name: str):  # type: ignore[no-untyped-def]
    return next(trace for trace in fig.data if trace.name == name)


def test_smiles_have_one_quote_a_strike_with_the_reason_where_it_is_not_used(quotes, surface):
    smiles = smiles_of(quotes, surface)
    np.testing.assert_array_equal([smile.expiry for smile in smiles], surface["expiry"].values)
    for smile in smiles:
        table = smile.quotes
        assert len(table) == 15
        assert ((table["right"] == "C") == (table["strike"] >= smile.forward)).all()
        used = table[table["reason"] == "OK"]
        assert (used["bid_vol"] < used["ask_vol"]).all()
        assert set(table["reason"]) <= {"OK", "NO_BID", "WIDE"}
        np.testing.assert_allclose(smile.vols(used["k"].to_numpy()), used["vol"], rtol=1e-9)


def test_the_smile_figure_draws_bids_asks_fit_and_residuals(quotes, surface):
    smile = smiles_of(quotes, surface)[1]
    fig = smile_figure(quotes, surface, expiry=1)
    used = smile.quotes[smile.quotes["reason"] == "OK"]
    bars = named(fig, "bid to ask")
    np.testing.assert_allclose(bars.y + bars.error_y.array, 100 * used["ask_vol"])
    np.testing.assert_allclose(bars.y - bars.error_y.arrayminus, 100 * used["bid_vol"])
    curve = named(fig, "fit")
    at = int(np.argmin(np.abs(curve.x - smile.forward)))
    expected = 100 * smile.vols(np.log(curve.x[at : at + 1] / smile.forward))[0]
    assert curve.y[at] == pytest.approx(expected)
    residual = named(fig, "residual")
    np.testing.assert_allclose(residual.y, 100 * (used["mid_vol"] - used["vol"]), atol=1e-12)
    assert len(named(fig, "not used").x) == 15 - len(used)
    same = smile_figure(quotes, surface, expiry=str(smile.expiry.astype("datetime64[D]")))
    assert same.to_json() == fig.to_json()


def test_an_expiry_that_is_not_there_is_an_error_that_names_those_that_are(quotes, surface):
    for wrong in (EXPIRIES, "2031-01-01"):
        with pytest.raises(UsageError, match=re.escape(smiles_of(quotes, surface)[0].label)):
            smile_figure(quotes, surface, expiry=wrong)
    with pytest.raises(UsageError, match="no row of"):
        smile_figure(quotes.isel(time=[0]), surface, time=-1)


def test_term_structure_and_heat_map_agree_with_the_surface(quotes, surface):
    level = named(term_structure_figure(quotes, surface), "at the forward")
    np.testing.assert_allclose(level.y, 100 * surface["atm_vol"].values[-1], rtol=1e-9)
    heat = heat_map_figure(quotes, surface).data[0]
    assert heat.z.shape == (EXPIRIES, heat.x.size)
    middle = heat.z[:, np.argmin(np.abs(heat.x))]
    np.testing.assert_allclose(middle, 100 * surface["atm_vol"].values[-1], rtol=1e-5)


def test_a_surface_without_slices_says_so(quotes):
    bare = quotes.copy(deep=True)
    bare["bid"][:] = np.nan
    empty = mm.options.fit_surface(bare)
    for fig in (term_structure_figure(bare, empty), heat_map_figure(bare, empty)):
        assert fig.layout.annotations[0].text == "no expiry has a slice"
    assert "no forward" in render_surface(bare, empty)


def test_two_expiries_of_a_day_are_told_apart(quotes):
    moved = quotes["expiry"].values.copy()
    first, second = np.unique(moved)[:2]
    moved[moved == first] = second - np.timedelta64(390, "m")
    twins = quotes.assign_coords(expiry=("contract", moved))
    labels = [s.label for s in smiles_of(twins, mm.options.fit_surface(twins))]
    assert len(set(labels)) == len(labels)
    assert labels[0][:10] == labels[1][:10]


def test_the_page_is_one_file_with_every_expiry(quotes, surface, tmp_path: Path) -> None:
    path = write_surface_page(quotes, surface, tmp_path / "new")
    assert path == tmp_path / "new" / "surface.html"
    page = path.read_text()
    for smile in smiles_of(quotes, surface):
        assert page.count(smile.label) >= 2
    assert page.count('class="plot"') == EXPIRIES + 2
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "default-src 'none'" in page
    other = write_surface_page(quotes, surface, tmp_path / "first.html", time=0)
    assert "2024-01-02 14:31:00 UTC" in other.read_text()


def test_prices_have_their_currency_and_residuals_their_unit(quotes, surface):
    page = render_surface(quotes, surface)
    for title in ("forward", "bounds"):
        assert re.search(rf"<th[^>]*>\s*{title}\s*<[^>]*>\[?USD", page), title
    assert re.search(r"days, forward [\d,.]+ USD", page)
    figure = smile_figure(quotes, surface, expiry=1)
    assert figure.layout.yaxis2.title.text == "less fit [%]"
