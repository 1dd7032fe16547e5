"""Theos between fits: against full valuations, and nothing where something is missing or old."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.black import black_price
from mmquant.core.slice_curve import slice_variance
from mmquant.core.surface_reprice import (
    LATE,
    proven_reach,
    reprice,
    revalue,
    revalue_oldest,
    set_slice,
)
from mmquant.core.surface_state import (
    BASE_SPOT,
    DELTA,
    DIRTY_TS,
    EXPIRES_TS,
    FORWARD,
    GAMMA,
    OLDER_TS,
    REACH,
    SIGN,
    STICKY_DELTA,
    STICKY_STRIKE,
    STRIKE,
    THEO,
    THEO_EXPIRED,
    THEO_NO_SLICE,
    THEO_NO_VALUE,
    THEO_OK,
    THEO_OLD_SLICE,
    THEO_STALE_QUOTE,
    THEO_STALE_UNDERLYING,
    VALUED_TS,
    VEGA,
    VOL,
    YEARS,
    take_quote,
)
from tests.core.plain import plain
from tests.core.surfaces import AGES, CARRY, RATE, SECOND, SPOT, YEAR, live_state

MOVES = (STICKY_STRIKE, STICKY_DELTA)
TOLERANCE = 1e-3


def theos(state, spot: float) -> np.ndarray:
    reprice(spot, SECOND, SECOND, state)
    return state.contract[THEO].copy()


@pytest.mark.parametrize("sticky", MOVES)
def test_full_valuation_is_black_at_the_vol_of_the_smile(sticky: float) -> None:
    state, years = live_state(sticky=sticky)
    spot = 1.01 * SPOT
    found = theos(state, spot)
    for e, t in enumerate(years):
        forward = spot * math.exp((RATE - CARRY) * t)
        anchor = forward if sticky == STICKY_DELTA else forward * SPOT / spot
        for i in range(state.first[e], state.first[e + 1]):
            sign, strike = state.contract[SIGN, i], state.contract[STRIKE, i]
            w, _, _ = slice_variance(math.log(strike / anchor), state.slices[e])
            expected = black_price(sign, forward, strike, t, math.sqrt(w / t), RATE)
            assert found[i] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("american", [0, pytest.param(1, marks=pytest.mark.compiled)])
@pytest.mark.parametrize("sticky", MOVES)
def test_error_by_delta_and_gamma_is_within_the_tolerance(american: int, sticky: float) -> None:
    state, _ = live_state(american=american, sticky=sticky, tolerance=TOLERANCE)
    worst = 0.0
    for share in np.linspace(-0.999, 0.999, 25):
        for e in range(state.american.size):
            reprice(SPOT, SECOND, SECOND, state)
            revalue(SECOND, state)
            quick = theos(state, SPOT + share * state.expiry[REACH, e])
            assert state.expiry[BASE_SPOT, e] == SPOT
            revalue(SECOND, state)
            mine = slice(state.first[e], state.first[e + 1])
            worst = max(worst, np.abs(quick - state.contract[THEO])[mine].max())
    # Where the smile moves, american options change the volatilities that boundaries are at, and so
    # differ by the accuracy of a price at both ends.
    noise = 2 * 3e-6 * SPOT if american and sticky == STICKY_DELTA else 0.0
    assert 0.2 * TOLERANCE < worst <= TOLERANCE + noise


def test_the_bound_holds_at_every_strike_and_is_no_wider_than_it_needs_to_be() -> None:
    rng = np.random.default_rng(5)
    nearest = 0.0
    for _ in range(300):
        t, vol = math.exp(rng.uniform(-8, 1)), rng.uniform(0.05, 1.0)
        rate, tolerance = rng.uniform(-0.02, 0.08), 10 ** rng.uniform(-4, -1)
        deviation = vol * math.sqrt(t)
        # A forward that rests: yield and rate are the same.
        reach = proven_reach(tolerance, 100.0, deviation, math.exp(-rate * t))
        strike = 100.0 * math.exp(rng.normal() * deviation)
        step = 1e-3 * deviation * 100.0

        def value(spot, strike=strike, t=t, vol=vol, rate=rate):
            return black_price(1.0, spot, strike, t, vol, rate)

        delta = (value(100.0 + step) - value(100.0 - step)) / (2.0 * step)
        gamma = (value(100.0 + step) + value(100.0 - step) - 2.0 * value(100.0)) / step**2
        for move in (-reach, reach):
            quick = value(100.0) + move * delta + 0.5 * move**2 * gamma
            error = abs(value(100.0 + move) - quick)
            assert error <= 1.01 * tolerance
            nearest = max(nearest, error / tolerance)
    assert nearest > 0.5


def test_an_expiry_is_valued_in_full_where_the_spot_leaves_its_reach() -> None:
    state, _ = live_state()
    assert reprice(SPOT, SECOND, SECOND, state) == 4
    reach = state.expiry[REACH].copy()
    assert (np.diff(reach) > 0).all()
    assert reprice(SPOT + 0.99 * reach[0], SECOND, SECOND, state) == 0
    assert reprice(SPOT + 0.5 * (reach[1] + reach[2]), SECOND, SECOND, state) == 2
    np.testing.assert_array_equal(state.expiry[BASE_SPOT, 2:], SPOT)


@pytest.mark.parametrize("sticky", MOVES)
@pytest.mark.parametrize("american", [0, 1])
def test_greeks_are_those_of_the_theo_as_the_smile_moves(american: int, sticky: float) -> None:
    state, _ = live_state(american=american, sticky=sticky)
    reprice(SPOT, SECOND, SECOND, state)
    revalue(SECOND, state)
    middle, delta, gamma = (state.contract[row].copy() for row in (THEO, DELTA, GAMMA))
    step = 2.0
    values = []
    for spot in (SPOT - step, SPOT + step):
        theos(state, spot)
        revalue(SECOND, state)
        values.append(state.contract[THEO].copy())
    far = slice(state.first[2], None)  # where a step of 2 is small
    np.testing.assert_allclose(delta[far], (values[1] - values[0])[far] / (2 * step), atol=2e-3)
    bend = (values[1] + values[0] - 2.0 * middle)[far] / step**2
    np.testing.assert_allclose(gamma[far], bend, atol=3e-4 if american == 0 else 2e-3)


def test_vega_is_per_unit_of_volatility() -> None:
    state, years = live_state()
    reprice(SPOT, SECOND, SECOND, state)
    i = state.first[3] + 7
    forward = SPOT * math.exp((RATE - CARRY) * years[3])
    strike, vol = state.contract[STRIKE, i], state.contract[VOL, i]
    up, down = (black_price(1.0, forward, strike, years[3], vol + d, RATE) for d in (1e-4, -1e-4))
    assert state.contract[VEGA, i] == pytest.approx((up - down) / 2e-4, rel=1e-6)


def all_of(state, e: int) -> set[int]:
    mine = slice(state.first[e], state.first[e + 1])
    codes = set(state.status[mine].tolist())
    known = np.isfinite(state.contract[THEO, mine])
    assert (known == (state.status[mine] == THEO_OK)).all()
    assert (np.isfinite(state.contract[DELTA, mine]) == known).all()
    return codes


def test_no_theo_without_a_fresh_underlying() -> None:
    state, _ = live_state()
    assert reprice(SPOT, SECOND, SECOND + AGES[1], state) == 4
    assert all_of(state, 0) == {THEO_OK}
    assert reprice(SPOT, SECOND, SECOND + AGES[1] + 1, state) == 0
    assert all_of(state, 0) == {THEO_STALE_UNDERLYING}
    for bad in (math.nan, 0.0, -1.0, math.inf):
        reprice(bad, SECOND, SECOND, state)
        assert all_of(state, 3) == {THEO_STALE_UNDERLYING}
    reprice(SPOT, SECOND, SECOND, state)
    assert all_of(state, 3) == {THEO_OK}


def test_a_late_price_of_the_underlying_changes_nothing() -> None:
    state, _ = live_state()
    before = theos(state, SPOT)
    assert reprice(2.0 * SPOT, SECOND - 1, SECOND, state) == LATE
    np.testing.assert_array_equal(state.contract[THEO], before)


def test_no_theo_of_a_contract_whose_quote_is_old_or_was_taken_away() -> None:
    state, _ = live_state()
    late = SECOND + AGES[0]
    reprice(SPOT, late, late, state)
    assert all_of(state, 1) == {THEO_OK}
    take_quote(state.first[1], 1.0, 1.1, late, late, state)
    take_quote(state.first[1] + 1, 1.0, 1.1, late, SECOND, state)
    take_quote(state.first[1] + 2, math.nan, 1.1, SECOND, late, state)
    take_quote(state.first[1] + 3, math.nan, math.nan, late, late, state)
    reprice(SPOT, late + 1, late + 1, state)
    mine = state.status[state.first[1] : state.first[1] + 5].tolist()
    assert mine == [THEO_OK, THEO_STALE_QUOTE, THEO_OK, THEO_STALE_QUOTE, THEO_STALE_QUOTE]
    assert all_of(state, 1) == {THEO_OK, THEO_STALE_QUOTE}


def test_no_theo_from_the_moment_of_expiry_on() -> None:
    state, _ = live_state()
    state.expiry_ts[EXPIRES_TS, 0] = SECOND + 5
    reprice(SPOT, SECOND + 4, SECOND + 4, state)
    assert all_of(state, 0) == {THEO_OK}
    reprice(SPOT, SECOND + 5, SECOND + 5, state)
    assert all_of(state, 0) == {THEO_EXPIRED}
    assert all_of(state, 1) == {THEO_OK}


def test_no_theo_without_a_slice_or_a_forward() -> None:
    state, years = live_state(fitted=False)
    reprice(SPOT, SECOND, SECOND, state)
    assert all_of(state, 0) == {THEO_NO_SLICE}
    good, _ = live_state()
    for bad in ((math.nan, SPOT, 0.0, SPOT), (years[0], 0.0, 0.0, SPOT), (years[0], SPOT, 0.0, -1)):
        assert not set_slice(0, good.slices[0], *map(float, bad), SECOND, state)
        reprice(SPOT, SECOND, SECOND, state)
        assert all_of(state, 0) == {THEO_NO_SLICE}
    assert set_slice(0, good.slices[0], years[0], SPOT, 0.0, SPOT, SECOND, state)
    reprice(SPOT, SECOND, SECOND, state)
    assert all_of(state, 0) == {THEO_OK}


def test_no_theo_where_quotes_have_changed_and_no_fit_followed() -> None:
    state, _ = live_state()
    take_quote(0, 1.05, 1.1, SECOND, SECOND, state)
    assert state.expiry_ts[DIRTY_TS].tolist() == [SECOND, 0, 0, 0]
    for late, expected in ((AGES[2], THEO_OK), (AGES[2] + 1, THEO_OLD_SLICE)):
        now = SECOND + late
        for i in range(state.status.size):
            take_quote(i, *state.contract[2:4, i], now, now, state)
        reprice(SPOT, now, now, state)
        assert all_of(state, 0) == {expected}
        assert all_of(state, 1) == {THEO_OK}


def test_no_theo_where_no_price_can_be_had() -> None:
    state, _ = live_state(american=1)
    state.contract[STRIKE, 3] = math.nan
    reprice(SPOT, SECOND, SECOND, state)
    assert all_of(state, 0) == {THEO_OK, THEO_NO_VALUE}
    assert state.status[3] == THEO_NO_VALUE


@pytest.mark.parametrize("american", [0, 1])
def test_plain_python_gives_the_same_bits(american: int) -> None:
    states = [live_state(expiries=2, strikes=3, american=american, sticky=1.0)[0] for _ in "ab"]
    for spot in (SPOT, SPOT + 0.3, SPOT + 30.0):
        full = reprice(spot, SECOND, SECOND, states[0])
        assert plain(reprice)(spot, SECOND, SECOND, states[1]) == full
        for ours, theirs in zip(*states, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_volatilities_stay_and_time_runs_off() -> None:
    state, years = live_state()
    before = theos(state, SPOT)
    vol = state.contract[VOL].copy()
    later = SECOND + AGES[3]
    state.contract_ts[OLDER_TS] = later
    assert reprice(SPOT, later, later, state) == 0
    np.testing.assert_array_equal(state.contract[THEO], before)
    later += 1
    assert reprice(SPOT, later, later, state) == 4
    np.testing.assert_array_equal(state.contract[VOL], vol)
    left = years - (later - SECOND) / YEAR
    np.testing.assert_allclose(state.expiry[YEARS], left, rtol=1e-12)
    growth = state.expiry[FORWARD] / SPOT
    for e in range(4):
        i = state.first[e] + 7
        forward, strike = SPOT * growth[e], state.contract[STRIKE, i]
        expected = black_price(1.0, forward, strike, left[e], vol[i], RATE)
        assert state.contract[THEO, i] == pytest.approx(expected, rel=1e-9)
        assert expected < before[i]


def test_the_oldest_valuation_is_done_first() -> None:
    state, _ = live_state()
    reprice(SPOT, SECOND, SECOND, state)
    state.expiry_ts[VALUED_TS] = [7, 5, 9, 6]
    order = [revalue_oldest(SECOND, state) for _ in range(5)]
    assert order == [1, 3, 0, 2, -1]
    assert (state.expiry_ts[VALUED_TS] == SECOND).all()
