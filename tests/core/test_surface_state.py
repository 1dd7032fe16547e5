"""Quotes on their way into a live surface."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.surface_state import (
    ASK,
    BID,
    DIRTY_TS,
    OLDER_TS,
    QUOTE_BAD,
    QUOTE_LATE,
    QUOTE_NO_CONTRACT,
    QUOTE_OK,
    mark_dirty,
    take_quote,
    take_quotes,
)
from tests.core.plain import plain
from tests.core.surfaces import SECOND, live_state


@pytest.fixture
def state():
    return live_state(expiries=3, strikes=4, fitted=False)[0]


def test_a_price_that_changed_makes_its_own_expiry_dirty(state) -> None:
    at = int(state.first[1]) + 2
    assert take_quote(at, 1.0, 1.1, SECOND + 7, SECOND + 7, state) == QUOTE_OK
    assert state.expiry_ts[DIRTY_TS].tolist() == [0, 0, 0]
    assert state.contract_ts[OLDER_TS, at] == SECOND + 7
    assert take_quote(at, 1.0, 1.2, SECOND + 7, SECOND + 9, state) == QUOTE_OK
    assert take_quote(at, 1.0, 1.3, SECOND + 7, SECOND + 10, state) == QUOTE_OK
    assert state.expiry_ts[DIRTY_TS].tolist() == [0, SECOND + 9, 0]
    assert state.contract[[BID, ASK], at].tolist() == [1.0, 1.3]


@pytest.mark.parametrize("first", [True, False])
def test_contracts_at_the_ends_of_an_expiry_belong_to_it(state, first: bool) -> None:
    for e in range(3):
        at = int(state.first[e]) if first else int(state.first[e + 1]) - 1
        state.expiry_ts[DIRTY_TS] = 0
        take_quote(at, 0.5, 0.6, SECOND, SECOND, state)
        assert np.flatnonzero(state.expiry_ts[DIRTY_TS]).tolist() == [e]


def test_a_side_that_goes_away_is_a_change_and_ages_no_more(state) -> None:
    assert take_quote(0, math.nan, 1.1, SECOND, SECOND + 5, state) == QUOTE_OK
    assert state.expiry_ts[DIRTY_TS, 0] == SECOND + 5
    assert state.contract_ts[OLDER_TS, 0] == SECOND + 5
    take_quote(0, math.nan, math.nan, SECOND + 6, SECOND + 6, state)
    assert state.contract_ts[OLDER_TS, 0] == 0


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        ((-1, 1.0, 1.1, SECOND, SECOND), QUOTE_NO_CONTRACT),
        ((24, 1.0, 1.1, SECOND, SECOND), QUOTE_NO_CONTRACT),
        ((0, -1.0, 1.1, SECOND, SECOND), QUOTE_BAD),
        ((0, 1.0, math.inf, SECOND, SECOND), QUOTE_BAD),
        ((0, 0.0, 0.0, SECOND, SECOND), QUOTE_BAD),
        ((0, 1.0, 1.1, -1, SECOND), QUOTE_BAD),
        ((0, 1.0, 1.2, SECOND - 1, SECOND), QUOTE_LATE),
        ((0, 1.0, 1.2, SECOND, SECOND - 1), QUOTE_LATE),
    ],
)
def test_what_is_refused_changes_nothing(state, quote: tuple, code: int) -> None:
    before = [array.copy() for array in state]
    assert take_quote(*quote, state) == code
    assert plain(take_quote)(*quote, state) == code
    for ours, theirs in zip(state, before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_many_quotes_say_how_many_were_refused_and_which_first(state) -> None:
    which = np.array([0, 99, 1, -5])
    ones, times = np.ones(4), np.full(4, SECOND + 1)
    assert take_quotes(which, 0.9 * ones, ones, times, times, state) == (2, 1)
    assert state.contract[BID, :3].tolist() == [0.9, 0.9, 1.0]


def test_dirty_keeps_the_first_time(state) -> None:
    mark_dirty(2, 5, state)
    mark_dirty(2, 9, state)
    mark_dirty(1, 0, state)
    assert state.expiry_ts[DIRTY_TS].tolist() == [0, 1, 5]
