"""Signals against the whole history at once, and what holds for all of them."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.signal_state import SIGNALS
from tests.core.builders import examples
from tests.core.signal_runs import BASE, HALF, PARAM, STALE_S, last, run, seen
from tests.oracles import signals as oracle
from tests.oracles.signals import S, Seen


@settings(deadline=None, max_examples=examples(60, 20))
@given(
    st.lists(st.floats(0.01, 30.0), min_size=2, max_size=12),
    st.floats(0.1, 50.0),
    st.floats(0.0, 1e4),
)
def test_an_even_flow_has_its_rate_however_it_is_cut(
    steps: list[float], halflife: float, per_s: float
) -> None:
    times = np.cumsum([0.0, *steps])
    history = [seen(t, bought=per_s * round(t * S) / S) for t in times.tolist()]
    found = last(history, trade_halflife_s=halflife, warm=1, stale_s=100.0)
    assert found["buy_rate"] == pytest.approx(per_s, rel=1e-9)


sizes = st.integers(0, 9)
steps = st.sampled_from([-S, 0, 1, S // 10, S // 2, S, 3 * S, 10 * S, 10 * S + 1, 40 * S])


@st.composite
def histories(draw: st.DrawFn, max_size: int = 25) -> list[Seen]:
    """Decisions at odd times, with all that can be wrong with a book."""
    out: list[Seen] = []
    ts, bought, sold = BASE, 0.0, 0.0
    for _ in range(draw(st.integers(1, max_size))):
        ts += draw(steps)
        bid = draw(st.integers(95, 103))
        ask = bid + draw(st.sampled_from([1, 1, 2, 5, 0, -1]))
        bids = tuple((bid - i, draw(sizes) + (i == 0)) for i in range(draw(st.integers(0, 3))))
        asks = tuple((ask + i, draw(sizes) + (i == 0)) for i in range(draw(st.integers(0, 3))))
        bought += draw(st.sampled_from([0.0, 0.0, 1.0, 5.0, -30.0]))
        sold += draw(st.sampled_from([0.0, 2.0]))
        mid = draw(st.sampled_from([0.5 * (bid + ask)] * 4 + [math.nan, math.inf]))
        lost = draw(st.integers(0, 9)) == 0
        out.append(Seen(ts, bids, asks, mid, math.nan if lost else bought, sold))
    return out


@settings(deadline=None, max_examples=examples(150, 40))
@given(histories())
def test_signals_equal_those_of_the_whole_history(history: list[Seen]) -> None:
    found = last(history)
    half, warm = HALF, PARAM["warm"]
    want = {
        "volatility": oracle.volatility(
            history, half["volatility_halflife_s"], PARAM["sample_s"], STALE_S, warm
        ),
        "order_flow": oracle.order_flow(history, half["order_flow_halflife_s"], STALE_S, warm),
    }
    want["buy_rate"], want["sell_rate"] = oracle.trade_rates(
        history, half["trade_halflife_s"], STALE_S, warm
    )
    for name, value in want.items():
        assert found[name] == pytest.approx(value, rel=1e-8, abs=1e-12, nan_ok=True), name


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=True)


@settings(deadline=None, max_examples=examples(100, 30))
@given(histories())
def test_a_longer_history_has_the_same_beginning(history: list[Seen]) -> None:
    half = len(history) // 2
    assert same(run(history)[:half], run(history[:half]))


@settings(deadline=None, max_examples=examples(100, 30))
@given(histories(), st.integers(-(10**18), 10**18))
def test_only_differences_of_time_count(history: list[Seen], shift: int) -> None:
    moved = [x._replace(ts=x.ts + shift) for x in history]
    assert same(run(history), run(moved))


@settings(deadline=None, max_examples=examples(100, 30))
@given(histories())
def test_units_of_size_and_price(history: list[Seen]) -> None:
    def four(side: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((tick, 4 * lots) for tick, lots in side)

    scaled = [
        x._replace(
            bids=four(x.bids), asks=four(x.asks), mid=2 * x.mid,
            bought=4 * x.bought, sold=4 * x.sold,
        )
        for x in history
    ]  # fmt: skip
    factor = {"volatility": 2.0, "imbalance": 1.0, "order_flow": 1.0, "trade_imbalance": 1.0}
    factors = np.array([factor.get(name, 4.0) for name in SIGNALS])
    assert same(run(history) * factors, run(scaled))


@settings(deadline=None, max_examples=examples(100, 30))
@given(histories())
def test_bid_and_ask_are_mirror_images(history: list[Seen]) -> None:
    def turned(side: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((-tick, lots) for tick, lots in side)

    # Counters that are NaN on one side are skipped on both, so they may change places.
    mirror = [Seen(x.ts, turned(x.asks), turned(x.bids), -x.mid, x.sold, x.bought) for x in history]
    a, b = run(history), run(mirror)
    place = {name: i for i, name in enumerate(SIGNALS)}
    for name in ("volatility", "trade_rate"):
        assert same(a[:, place[name]], b[:, place[name]])
    for name in ("imbalance", "order_flow", "trade_imbalance"):
        assert same(a[:, place[name]], -b[:, place[name]])
    for one, other in (("bid_depth", "ask_depth"), ("buy_rate", "sell_rate")):
        assert same(a[:, place[one]], b[:, place[other]])


def random_history(seed: int, count: int) -> list[Seen]:
    rng = np.random.default_rng(seed)
    ts, bid, bought, sold, out = BASE, 10_000, 0.0, 0.0, []
    for _ in range(count):
        ts += int(rng.exponential(S / 3))
        bid += int(rng.integers(-1, 2))
        width = int(rng.integers(1, 4))
        bids = tuple((bid - i, int(rng.integers(1, 900))) for i in range(2))
        asks = tuple((bid + width + i, int(rng.integers(1, 900))) for i in range(2))
        bought += float(rng.integers(0, 50))
        sold += float(rng.integers(0, 50))
        out.append(Seen(ts, bids, asks, bid + 0.5 * width, bought, sold))
    return out


def test_compiled_and_plain_python_give_the_same_bits() -> None:
    """This digest holds in both: the suite runs either way."""
    out = run(random_history(1, 300))
    assert np.isfinite(out[-1]).all()
    assert hashlib.sha256(np.nan_to_num(out).tobytes()).hexdigest()[:16] == "82e53948ef744325"
