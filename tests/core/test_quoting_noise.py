"""Decimals are not exact, and quotes do not show it: what is wanted on a tick, a lot or a moment is
quoted there."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mmquant.core.dtypes import Theo
from mmquant.core.layers import NOISE
from mmquant.core.maker_params import Placement
from tests.core.builders import examples
from tests.core.makers import BASE, Maker, Row, ask, at, bid, market

FREE: dict[str, Any] = {**BASE, "placement": Placement.FREE}
STEPS = ["0.01", "0.05", "0.0001", "0.1", "0.125", "2.5"]


def quoted(params: dict[str, Any], **fields: Any) -> tuple[Row, ...]:
    return Maker(params).ask(market(**fields))


@pytest.mark.parametrize("tick_size", STEPS)
def test_a_manual_theo_on_a_tick(tick_size: str) -> None:
    for best_bid in range(-7, examples(1200, 300), 97):
        for tick in range(best_bid - 30, best_bid + 30):
            params = FREE | {"theo": Theo.MANUAL, "manual_theo": float(tick * Decimal(tick_size))}
            found = quoted(params, best_bid=best_bid, best_ask=best_bid + 3, tick_size=tick_size)
            assert found == (bid(tick - 2), ask(tick + 2))


@pytest.mark.parametrize("tick_size", STEPS)
def test_an_offset_of_whole_ticks(tick_size: str) -> None:
    for ticks in range(-examples(200, 50), examples(200, 50)):
        offset = str(ticks * Decimal(tick_size))
        found = quoted(FREE, best_bid=3, best_ask=5, tick_size=tick_size, offset=offset)
        assert found == (bid(2 + ticks), ask(6 + ticks))


@pytest.mark.parametrize("tick_size", STEPS)
def test_a_bound_is_a_price_that_may_be_quoted(tick_size: str) -> None:
    for tick in range(-5, examples(250, 60)):
        price, above = (float((tick + i) * Decimal(tick_size)) for i in (0, 1))
        fields = {"best_bid": tick, "best_ask": tick + 3, "tick_size": tick_size}
        found = quoted(FREE | {"half_spread_ticks": 1, "ceiling": price}, **fields)
        assert found[0] == bid(tick)
        found = quoted(FREE | {"half_spread_ticks": 0.5, "ceiling": price}, **fields)
        assert found[0].reason == "PULL_PRICE_BOUND"
        found = quoted(FREE | {"half_spread_ticks": 0.5, "floor": above}, **fields)
        assert found[1].reason == "NONE"
        found = quoted(FREE | {"half_spread_ticks": -0.5, "floor": above}, **fields)
        assert found[1].reason == "NONE"


def test_distances_of_tenths() -> None:
    """0.1 × 3 + 0.7 is 1, and the mid at 102 less 1 is 101."""
    for i in range(1, 10):
        params = FREE | {"half_spread_ticks": i / 10, "layer_offset_ticks": [(10 - i) / 10]}
        assert quoted(params) == (bid(101), ask(103))
        params = FREE | {"half_spread_ticks": 1, "skew_ticks": 0.1}
        # a tenth of a tick for each order size held
        for held in (10 * i, -10 * i):
            low, high = Fraction(101) - Fraction(held, 100), Fraction(103) - Fraction(held, 100)
            assert quoted(params, position=held) == (bid(low // 1), ask(-(-high // 1)))


def test_what_is_beyond_noise_counts() -> None:
    """Ten times the noise is a distance, a tenth is none."""
    for sign, rows in ((1, (bid(99), ask(105))), (-1, (bid(100), ask(104)))):
        assert quoted(FREE | {"half_spread_ticks": 2 + sign * 10 * NOISE}) == rows
        assert quoted(FREE | {"half_spread_ticks": 2 + sign * 0.1 * NOISE}) == (bid(100), ask(104))


@pytest.mark.parametrize("order_lots", [10, 30, 100, 700, 12345])
def test_sizes_of_tenths(order_lots: int) -> None:
    """One tenth of an order goes for each order size held."""
    for held in range(10):
        params = BASE | {"order_lots": order_lots, "size_skew": 0.1}
        want = order_lots * (10 - held) // 10
        assert quoted(params, position=held * order_lots)[0] == bid(100, want)
        assert quoted(params, position=-held * order_lots)[1] == ask(104, want)


@pytest.mark.parametrize("refresh", [1, 2, 3, 7, 10, 33])
def test_a_quote_stays_for_its_time_and_no_decision_longer(refresh: int) -> None:
    """Decisions every tenth of a second: 0.3 s less 0.1 s is 0.2 s."""
    for start in range(60):
        maker = Maker({**BASE, "refresh_s": refresh / 10})
        assert maker.ask(market(at_s=start / 10)) == (bid(100), ask(104))
        last = market(101, 105, at_s=(start + refresh - 1) / 10)
        assert maker.ask(last) == (bid(100), ask(104))
        assert maker.ask(market(101, 105, at_s=(start + refresh) / 10)) == (bid(101), ask(105))


def test_a_lifetime_is_the_nearest_nanosecond() -> None:
    for i in range(1, 4000, 13):
        maker = Maker({**BASE, "lifetime_s": i / 10_000})
        maker.ask(market())
        assert maker.quotes[0]["expire_ts"] == at(0.0) + i * 100_000
