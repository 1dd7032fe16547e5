"""Expiries of a live surface fitted anew: the bits of the batch fit, and no more work than due."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.black import black_price
from mmquant.core.slice_curve import calendar_slack, least_g, slice_variance
from mmquant.core.slice_fit import make_fit_work
from mmquant.core.slice_rows import SLICE_SIZE, make_slice
from mmquant.core.surface_fit import FIT_ROWS, fit_moment
from mmquant.core.surface_refit import make_refit, refit
from mmquant.core.surface_state import (
    DIRTY_TS,
    FIT_TS,
    FORWARD,
    REACH,
    SIGN,
    STRIKE,
    mark_dirty,
)
from tests.core.plain import plain
from tests.core.surfaces import CARRY, RATE, SECOND, SPOT, live_state, variance

FEWEST = 4


class Market:
    """European quotes of a live state's contracts, from the known smile times a level."""

    def __init__(self, expiries: int = 4, strikes: int = 15) -> None:
        self.state, self.years = live_state(expiries=expiries, strikes=strikes, fitted=False)
        self.forward = SPOT * np.exp((RATE - CARRY) * self.years)
        self.discount = np.exp(-RATE * self.years)
        start = np.arange(expiries + 1) * strikes
        first = np.arange(expiries)[:, None] * 2 * strikes + np.arange(strikes)[None, :]
        strike = self.state.contract[STRIKE, first.ravel()].copy()
        self.layout = (start, strike, first.ravel(), first.ravel() + strikes)
        self.fitted = make_refit(*self.layout)

    def quotes(self, *levels: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """(bid, ask) (1, contracts) with each expiry's variance times its level, and noise."""
        rng = np.random.default_rng(seed)
        price = np.empty(self.state.status.size)
        for e, t in enumerate(self.years):
            for i in range(self.state.first[e], self.state.first[e + 1]):
                strike = self.state.contract[STRIKE, i]
                w = levels[e] * float(variance(np.log([strike / self.forward[e]]), t)[0])
                vol = math.sqrt(w / t) * (1.0 + 0.002 * rng.normal())
                price[i] = black_price(
                    self.state.contract[SIGN, i], self.forward[e], strike, t, vol, RATE
                )
        return 0.985 * price[None, :], 1.015 * price[None, :]

    def fit(self, dirty: list[int], quotes: tuple[np.ndarray, np.ndarray], kernel=refit) -> int:
        rate = np.full(len(self.years), RATE)
        market = (self.years, self.forward, rate, self.discount, SPOT, FEWEST, SECOND + 1)
        return kernel(np.array(dirty), *quotes, *market, self.fitted, self.state)


def batch(market: Market, moments: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Slices of the batch fit, one moment after the other."""
    expiries, most = len(market.years), int(np.diff(market.layout[0]).max())
    own, rows = np.zeros((expiries, SLICE_SIZE)), []
    for bid, ask in moments:
        row = np.zeros((expiries, SLICE_SIZE))
        fit_moment(
            0, bid, ask, *market.layout, market.forward, market.discount, FEWEST, own,
            np.zeros((expiries, 4, most)), np.zeros(expiries, np.int64), row,
            np.zeros((expiries, FIT_ROWS)), make_slice(), make_fit_work(),
        )  # fmt: skip
        rows.append(row)
    return rows


def test_all_expiries_minute_by_minute_are_the_batch_fit_to_the_bit() -> None:
    market = Market()
    moments = [market.quotes(*(1.0 + 0.01 * i,) * 4, seed=i) for i in range(4)]
    for quotes, expected in zip(moments, batch(market, moments), strict=True):
        assert market.fit([1] * 4, quotes) == 4
        np.testing.assert_array_equal(market.state.slices, expected)


def test_only_the_dirty_expiry_changes_where_nothing_crosses() -> None:
    market = Market()
    market.fit([1] * 4, market.quotes(1, 1, 1, 1))
    before = market.state.slices.copy()
    market.state.expiry[REACH] = 1.0
    for e in (1, 2):
        mark_dirty(e, SECOND, market.state)
    assert market.fit([0, 1, 0, 0], market.quotes(1, 1.02, 1, 1, seed=3)) == 1
    same = (market.state.slices == before).all(axis=1)
    assert same.tolist() == [True, False, True, True]
    assert market.state.expiry[REACH].tolist() == [1.0, -1.0, 1.0, 1.0]
    assert market.state.expiry_ts[DIRTY_TS].tolist() == [0, 0, SECOND, 0]
    w, _, _ = slice_variance(0.0, market.state.slices[1])
    assert w == pytest.approx(1.02 * float(variance(np.zeros(1), market.years[1])[0]), rel=5e-3)


def test_a_slice_that_rises_into_the_next_moves_it_too() -> None:
    market = Market()
    market.fit([1] * 4, market.quotes(1, 1, 1, 1))
    # Between the second and third expiry variance grows sevenfold.
    assert market.fit([0, 1, 0, 0], market.quotes(1, 12.0, 1, 1)) >= 2
    below = make_slice()
    for row in market.state.slices:
        assert least_g(row)[0] >= 0.0
        if below[0] > 0:
            assert calendar_slack(below, row)[0] >= 0.0
        below = row
    assert market.state.expiry_ts[FIT_TS].tolist() == [SECOND + 1] * 4


def test_an_expiry_without_quotes_or_forward_loses_its_slice_and_the_others_stay() -> None:
    market = Market()
    quotes = market.quotes(1, 1, 1, 1)
    market.fit([1] * 4, quotes)
    bid, ask = (side.copy() for side in quotes)
    few = slice(market.state.first[1], market.state.first[2] - 3)
    bid[0, few], ask[0, few] = np.nan, np.nan
    market.forward[2] = np.nan
    market.fit([0, 1, 1, 0], (bid, ask))
    assert (market.state.slices[:, 0] > 0).tolist() == [True, False, False, True]
    assert np.isnan(market.state.expiry[FORWARD, 2])
    market.forward[2] = SPOT * math.exp((RATE - CARRY) * market.years[2])
    market.fit([0, 1, 1, 0], quotes)
    assert (market.state.slices[:, 0] > 0).all()


def test_plain_python_gives_the_same_bits() -> None:
    markets = [Market(expiries=2, strikes=5) for _ in "ab"]
    for market, kernel in zip(markets, (refit, plain(refit)), strict=True):
        market.fit([1, 1], market.quotes(1, 1), kernel)
        market.fit([0, 1], market.quotes(1, 1.01, seed=1), kernel)
    np.testing.assert_array_equal(markets[0].state.slices, markets[1].state.slices)
