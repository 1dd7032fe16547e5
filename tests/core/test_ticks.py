"""Prices of ticks, and ticks of prices, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.ticks import NO_TICK, price_of_tick, tick_above, tick_below
from mmquant.data.contracts import Contract
from mmquant.data.contracts import instrument_rows as rows_of
from mmquant.data.ladders import ALWAYS, Ladder, Step, option_ladder, stock_ladder
from tests.core.builders import examples

TICKS = ("0.0001", "0.0005", "0.005", "0.01", "0.05", "0.1", "0.25", "1", "5")
Steps = list[tuple[Fraction, Fraction]]


def decimal(x: Fraction) -> str:
    """A fraction with a denominator that divides 10 ** 4, as a decimal."""
    return f"{int(x * 10**4) // 10**4}.{int(x * 10**4) % 10**4:04d}"


def instrument(steps: Steps) -> np.void:
    ladder = Ladder(ALWAYS, tuple(Step(decimal(a), decimal(b)) for a, b in steps))
    return rows_of([Contract(0, "X", "other", "V", ladders=(ladder,))], "2024-01-02")[0]


def exact(steps: Steps, tick: int) -> Fraction:
    """Price of a tick, walked up step by step."""
    first = 0
    for (start, size), following in zip(steps, [*steps[1:], None], strict=True):
        if following is None or tick < first + (following[0] - start) / size:
            return start + (tick - first) * size
        first += int((following[0] - start) / size)
    raise AssertionError


@st.composite
def ladders(draw: st.DrawFn) -> Steps:
    steps, start = [], Fraction(0)
    for size in draw(st.lists(st.sampled_from(TICKS), min_size=1, max_size=8)):
        steps.append((start, Fraction(size)))
        start += Fraction(size) * draw(st.integers(1, 500))
    return steps


TWO_STEPS: Steps = [(Fraction(0), Fraction("0.0001")), (Fraction(1), Fraction("0.01"))]


@pytest.mark.parametrize(
    ("tick", "price"),
    [(0, 0.0), (1, 0.0001), (9999, 0.9999), (10_000, 1.0), (10_001, 1.01), (10_029, 1.29)],
)
def test_prices_of_a_stock_change_step_at_one(tick: int, price: float) -> None:
    assert price_of_tick(instrument(TWO_STEPS), tick, 0.0) == price


def test_the_shipped_ladders_are_piecewise() -> None:
    def price(ladder: Ladder, tick: int) -> float:
        contract = Contract(0, "X", "other", "V", ladders=(ladder,))
        return price_of_tick(rows_of([contract], "2024-01-02")[0], tick, 0.0)

    assert [price(option_ladder("penny"), t) for t in (299, 300, 301)] == [2.99, 3.0, 3.05]
    assert [price(option_ladder("nickel"), t) for t in (59, 60, 61)] == [2.95, 3.0, 3.1]
    assert [price(stock_ladder("0.005"), t) for t in (9999, 10_001)] == [0.9999, 1.005]


def test_rounding_across_a_step_goes_to_the_passive_side() -> None:
    what = instrument(TWO_STEPS)
    assert (tick_below(what, 0.99995), tick_above(what, 0.99995)) == (9999, 10_000)
    assert (tick_below(what, 1.005), tick_above(what, 1.005)) == (10_000, 10_001)
    assert (tick_below(what, 1.01), tick_above(what, 1.01)) == (10_001, 10_001)


@settings(deadline=None, max_examples=examples(200, 50))
@given(ladders(), st.integers(-100, 5000))
def test_a_price_is_the_double_nearest_to_its_decimal(steps: Steps, tick: int) -> None:
    assert price_of_tick(instrument(steps), tick, 0.0) == float(exact(steps, tick))


@settings(deadline=None, max_examples=examples(200, 50))
@given(ladders(), st.integers(-100, 5000))
def test_the_tick_of_a_ticks_price_is_that_tick(steps: Steps, tick: int) -> None:
    what = instrument(steps)
    price = price_of_tick(what, tick, 0.0)
    assert tick_below(what, price) == tick == tick_above(what, price)


@settings(deadline=None, max_examples=examples(300, 50))
@given(ladders(), st.floats(0.0, 2000.0), st.sampled_from([-1.0, 0.0, 1.0]))
def test_a_bid_rounds_down_and_an_ask_up_to_the_next_tick(
    steps: Steps, price: float, nudge: float
) -> None:
    what = instrument(steps)
    if nudge:  # next to a tick, where rounding goes wrong
        price = math.nextafter(price_of_tick(what, tick_below(what, price), 0.0), nudge * math.inf)
    below, above = tick_below(what, price), tick_above(what, price)
    assert float(exact(steps, below)) <= price < float(exact(steps, below + 1))
    assert float(exact(steps, above - 1)) < price <= float(exact(steps, above))


@settings(deadline=None, max_examples=examples(100, 30))
@given(ladders(), st.integers(0, 3000), st.integers(0, 8))
def test_a_part_of_a_tick_is_a_part_of_the_step_above(
    steps: Steps, tick: int, eighths: int
) -> None:
    part = Fraction(eighths, 8)
    price = price_of_tick(instrument(steps), tick, float(part))
    here, size = exact(steps, tick), exact(steps, tick + 1) - exact(steps, tick)
    assert price == float(here + part * size)


@pytest.mark.parametrize("tick", ["0.1", "0.01", "0.0001", "0.25"])
def test_prices_rise_with_every_tick(tick: str) -> None:
    what = instrument([(Fraction(0), Fraction(tick))])
    prices = [price_of_tick(what, t, 0.0) for t in range(100_000, 100_200)]
    assert prices == sorted(set(prices))


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 1e300, -1e300, 1.8e308])
def test_a_price_that_is_none_has_no_tick(price: float) -> None:
    what = instrument([(Fraction(0), Fraction(1, 100))])
    assert tick_below(what, price) == NO_TICK
    assert tick_above(what, price) == NO_TICK
