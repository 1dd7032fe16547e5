"""Forwards and discount factors by parity: against counting, least squares and known chains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.parity import box_discount, parity_forward
from tests.core.builders import examples


def forward_of(low, high):
    n = len(low)
    return parity_forward(
        np.array(low, float), np.array(high, float), np.zeros(2 * n), np.zeros(2 * n)
    )


def depth(x, low, high):
    return int(((np.asarray(low) <= x) & (x <= np.asarray(high))).sum())


def test_bounds_are_the_largest_lower_and_the_least_upper_one():
    forward, lower, upper, agree, disagree = forward_of([99.0, 99.5, 98.0], [101.0, 100.5, 100.2])
    assert (lower, upper, agree, disagree) == (99.5, 100.2, 3, 0)
    # Middles 100, 100 and 99.1 with widths 2, 1 and 2.2.
    weights = np.array([1 / 4, 1, 1 / 2.2**2])
    assert forward == pytest.approx((weights * [100, 100, 99.1]).sum() / weights.sum())


def test_a_strike_that_is_off_disagrees_and_does_not_move_the_forward():
    good = forward_of([99.0, 99.5, 99.2], [101.0, 100.5, 100.8])
    bad = forward_of([99.0, 99.5, 99.2, 107.0], [101.0, 100.5, 100.8, 107.1])
    assert bad[:3] == good[:3]
    assert bad[3:] == (3, 1)


def test_a_crossed_strike_is_left_out_and_no_strike_gives_none():
    assert forward_of([101.0, 99.0], [99.0, 101.0])[0] == pytest.approx(100.0)
    assert np.isnan(forward_of([2.0], [1.0])[0])
    assert np.isnan(forward_of([], [])[0])


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda x: (x[0], x[0] + x[1])),
    min_size=1,
    max_size=12,
)


@given(intervals)
@settings(max_examples=examples(200, 30))
def test_as_many_strikes_agree_as_anywhere(pairs):
    low, high = np.array(pairs, float).T
    forward, lower, upper, agree, disagree = forward_of(low, high)
    most = max(depth(x, low, high) for x in np.concatenate([low, high]))
    assert agree == most == depth(forward, low, high)
    assert agree + disagree == len(pairs)
    assert lower <= forward <= upper
    assert depth(lower, low, high) == depth(upper, low, high) == most


@given(intervals, st.randoms(use_true_random=False))
@settings(max_examples=examples(50, 10))
def test_the_order_of_strikes_changes_rounding_alone(pairs, random):
    mixed = list(pairs)
    random.shuffle(mixed)
    first = forward_of(*np.array(pairs, float).T)
    second = forward_of(*np.array(mixed, float).T)
    assert second[0] == pytest.approx(first[0], rel=1e-9, abs=1e-9)
    assert second[1:] == first[1:]


def chain(discount=0.95, forward=102.0, width=0.2, n=9, seed=1):
    rng = np.random.default_rng(seed)
    strike = np.linspace(80, 120, n)
    middle = discount * (forward - strike) + rng.uniform(-0.2, 0.2, n) * width
    return strike, middle - width / 2, middle + width / 2


def test_boxes_give_the_discount_factor_within_their_error():
    strike, low, high = chain()
    discount, error = box_discount(strike, low, high)
    assert abs(discount - 0.95) <= error
    # Alike in width and with no outlier: plain least squares.
    slope = np.polyfit(strike, (low + high) / 2, 1)[0]
    assert discount == pytest.approx(-slope, rel=1e-12)


def test_an_outlier_hardly_moves_a_discount_factor():
    strike, low, high = chain()
    clean, error = box_discount(strike, low, high)
    low[7] += 5
    high[7] += 5
    assert abs(box_discount(strike, low, high)[0] - clean) < 2 * error
    plain = -np.polyfit(strike, (low + high) / 2, 1)[0]
    assert abs(plain - clean) > 4 * error


def test_too_few_strikes_give_no_discount_factor():
    strike, low, high = (x[:3] for x in chain())
    assert np.isnan(box_discount(strike, low, high)).all()
    same = np.full(5, 100.0)
    assert np.isnan(box_discount(same, same - 1, same + 1)).all()
