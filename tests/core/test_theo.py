"""Theoretical mids against published rows, exact fractions, and a plain look-up."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core import theo
from mmquant.core.dtypes import NO_ASK, NO_BID, Theo
from tests.core.builders import examples

MID, WEIGHTED, MICRO, EXTERNAL, MANUAL = (int(kind) for kind in Theo)
NONE = np.zeros(0)
lots = st.integers(1, 2**31 - 1)


def table_of(rows: list[list[float]]) -> np.ndarray:
    return np.array([len(rows[0]), len(rows), *(x for row in rows for x in row)], np.float64)


TABLE = table_of([[-0.4, -0.1, 0.1, 0.4], [-0.9, -0.2, 0.2, 0.9], [-2.0, -0.5, 0.5, math.nan]])
"""Four buckets; spreads of 1, 2, and 3 or more."""


@pytest.mark.parametrize(
    ("bid_lots", "ask_lots", "share"),
    [(20, 471, 0.040733), (25, 148, 0.144509), (31, 95, 0.246032), (29, 92, 0.239669),
     (21, 65, 0.244186)],
)  # fmt: skip
def test_the_papers_quotes_of_bank_of_america(bid_lots: int, ask_lots: int, share: float) -> None:
    """BAC, 2011-03-01, 14.33 to 14.34: Stoikov's notebook prints imbalance and weighted mid."""
    assert theo.bid_share(float(bid_lots), float(ask_lots)) == pytest.approx(share, abs=5e-7)
    weighted = theo.weighted_mid(1433.0, 1434.0, float(bid_lots), float(ask_lots))
    assert 0.01 * weighted == pytest.approx(14.33 + 0.01 * share, abs=1e-8)


def test_mid() -> None:
    assert theo.mid_ticks(100.0, 103.0) == 101.5
    assert theo.mid_ticks(-3.0, -2.0) == -2.5


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(NO_BID, 101), (100, NO_ASK), (NO_BID, NO_ASK), (101, 101), (102, 101), (math.nan, 101),
     (100, math.nan)],
)  # fmt: skip
def test_no_market_has_no_value(bid: float, ask: float) -> None:
    for kind in (MID, WEIGHTED, MICRO):
        value = theo.fair_value(
            kind, float(bid), float(ask), 5.0, 5.0, math.nan, math.nan, table_of([[0.0, 0.0]])
        )
        assert math.isnan(value)


@pytest.mark.parametrize("sizes", [(0.0, 5.0), (5.0, 0.0), (math.nan, 5.0), (5.0, math.nan)])
def test_no_size_has_no_weighted_value(sizes: tuple[float, float]) -> None:
    for kind in (WEIGHTED, MICRO):
        value = theo.fair_value(kind, 100.0, 101.0, *sizes, math.nan, math.nan, TABLE)
        assert math.isnan(value)
    assert theo.fair_value(MID, 100.0, 101.0, *sizes, math.nan, math.nan, NONE) == 100.5


@settings(deadline=None, max_examples=examples(200, 60))
@given(st.integers(-(10**6), 10**6), st.integers(1, 500), lots, lots)
def test_weighted_mid_is_exact_and_inside_the_spread(
    bid: int, spread: int, bid_lots: int, ask_lots: int
) -> None:
    found = theo.weighted_mid(float(bid), float(bid + spread), float(bid_lots), float(ask_lots))
    want = Fraction(bid * ask_lots + (bid + spread) * bid_lots, bid_lots + ask_lots)
    assert found == pytest.approx(float(want), abs=1e-9)
    assert bid <= found <= bid + spread


@settings(deadline=None, max_examples=examples(300, 100))
@given(lots, lots, st.integers(1, 200))
def test_buckets_are_those_of_exact_fractions(bid_lots: int, ask_lots: int, buckets: int) -> None:
    """The lower half counts from the ask's end, and the upper half mirrors it."""
    found = theo.imbalance_bucket(float(bid_lots), float(ask_lots), float(buckets))
    small = Fraction(min(bid_lots, ask_lots), bid_lots + ask_lots)
    place = math.floor(small * buckets)
    assert found == (place if bid_lots <= ask_lots else buckets - 1 - place)
    assert 0 <= found < max(buckets, 2)
    if bid_lots != ask_lots:
        other = theo.imbalance_bucket(float(ask_lots), float(bid_lots), float(buckets))
        assert found + other == buckets - 1


@pytest.mark.parametrize(
    ("bid_lots", "ask_lots", "bucket"),
    [(1, 99, 0), (9, 91, 0), (10, 90, 1), (49, 51, 4), (50, 50, 5), (51, 49, 5), (90, 10, 8),
     (91, 9, 9), (99, 1, 9)],
)  # fmt: skip
def test_ten_buckets(bid_lots: int, ask_lots: int, bucket: int) -> None:
    assert theo.imbalance_bucket(float(bid_lots), float(ask_lots), 10.0) == bucket


@pytest.mark.parametrize(
    ("spread", "bid_lots", "ask_lots", "adjustment"),
    [(1, 1, 9, -0.4), (1, 4, 6, -0.1), (1, 6, 4, 0.1), (2, 9, 1, 0.9), (3, 1, 9, -2.0),
     (4, 1, 9, -2.0), (4_000, 4, 6, -0.5), (2, 7, 7, 0.0), (3, 9, 1, math.nan)],
)  # fmt: skip
def test_adjustments_by_hand(spread: int, bid_lots: int, ask_lots: int, adjustment: float) -> None:
    """Beyond the last spread its row holds; equal sizes have no adjustment."""
    at = (100.0, 100.0 + spread, float(bid_lots), float(ask_lots))
    found = theo.micro_price(*at, TABLE)
    assert found == pytest.approx(100.0 + spread / 2 + adjustment, rel=1e-15, nan_ok=True)
    value = theo.fair_value(MICRO, *at, math.nan, math.nan, TABLE)
    assert value == pytest.approx(found, rel=0.0, nan_ok=True)


def test_an_unknown_middle_is_not_zero() -> None:
    unknown = table_of([[-0.4, math.nan, math.nan, 0.4]])
    assert math.isnan(theo.adjustment_at(unknown, 1.0, 5.0, 5.0))


@pytest.mark.parametrize(
    "table",
    [NONE, np.zeros(1), np.zeros(2), np.zeros(9), TABLE[:-1], np.array([math.nan, 1.0, 0.0]),
     np.array([1.0, math.inf, 0.0]), np.array([1e300, 1e300, 0.0]), np.array([-1.0, -1.0, 0.0])],
)  # fmt: skip
def test_no_table_and_half_a_table_have_no_value(table: np.ndarray) -> None:
    assert math.isnan(theo.micro_price(100.0, 101.0, 5.0, 6.0, table))


@settings(deadline=None, max_examples=examples(200, 60))
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 50), lots, lots, st.integers(0, 2**32))
def test_micro_price_mirrors(
    buckets: int, spreads: int, spread: int, bid_lots: int, ask_lots: int, seed: int
) -> None:
    """With an antisymmetric table, swapping the sides turns the adjustment's sign."""
    draw = np.random.default_rng(seed).normal(size=(spreads, buckets))
    table = table_of((draw - draw[:, ::-1]).tolist())
    one = theo.adjustment_at(table, float(spread), float(bid_lots), float(ask_lots))
    other = theo.adjustment_at(table, float(spread), float(ask_lots), float(bid_lots))
    assert one == -other
    want = table[2 + (min(spread, spreads) - 1) * buckets :][:buckets].tolist()
    if bid_lots != ask_lots:
        assert one == want[theo.imbalance_bucket(float(bid_lots), float(ask_lots), float(buckets))]


def test_what_somebody_says() -> None:
    at = (100.0, 101.0, 5.0, 6.0)
    assert theo.fair_value(EXTERNAL, *at, 100.7, 99.0, NONE) == 100.7
    assert theo.fair_value(MANUAL, *at, 100.7, 99.0, NONE) == 99.0
    # A message that expired arrives here as NaN; neither it nor an infinity is a price.
    for bad in (math.nan, math.inf, -math.inf):
        assert math.isnan(theo.fair_value(EXTERNAL, *at, bad, 99.0, NONE))
        assert math.isnan(theo.fair_value(MANUAL, *at, 100.7, bad, NONE))
    assert math.isnan(theo.fair_value(99, *at, 100.7, 99.0, TABLE))
