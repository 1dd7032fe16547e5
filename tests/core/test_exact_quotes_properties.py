"""What holds for quotes from any table: they solve the equation, are exact or none, and ordered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from mmquant.core.exact_quotes import GAPS, exact_distances, exact_value, table_len
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table
from tests.core.builders import examples
from tests.core.test_exact_quotes import GLFT, all_quotes, same
from tests.oracles import optimal_quotes as oracle


@pytest.mark.parametrize("xi", [0.4, 0.0])
@pytest.mark.parametrize("n", range(-3, 4))
def test_quotes_solve_the_equation_they_come_from(xi: float, n: int) -> None:
    """Value and best distances satisfy Hamilton, Jacobi and Bellman, the best found by search."""
    A, k, size, impact, left = 1.3, 0.8, 1.7, 0.3, 2.0
    table = gueant_table(gamma=0.4, sigma=0.6, A=A, k=k, q_max=3, xi=xi, order_size=size,
                         impact=impact, drift=0.05)  # fmt: skip
    held = n * size

    def worth(time_left: float, m: int) -> float:
        return size * exact_value(table, time_left, m)

    gains = []
    for side, distance in zip((1, -1), exact_distances(table, left, float(n)), strict=True):
        if math.isinf(distance):
            continue
        # A fill moves the mid against us by ``impact``, and with it all that is held afterwards.
        change = worth(left, n + side) - worth(left, n) - size * impact * (side * n + 1)

        def gain(d: float, change: float = change) -> float:
            more = size * d + change
            utility = -math.expm1(-xi * more) / xi if xi else more
            return A * math.exp(-k * d) * utility

        best = minimize_scalar(lambda d: -gain(d), bounds=(distance - 1.0, distance + 3.0),
                               method="bounded", options={"xatol": 1e-9})  # fmt: skip
        assert distance == pytest.approx(best.x, abs=1e-5)
        gains.append(gain(distance))
    step = 1e-4
    slope = (worth(left + step, n) - worth(left - step, n)) / (2.0 * step)
    risk = 0.5 * 0.4 * 0.6**2 * held**2
    assert slope == pytest.approx(0.05 * held - risk + sum(gains), abs=1e-6)


Model = tuple[np.ndarray, oracle.System, float, int]
"""A table, the same system for the oracle, a time left and q_max."""


@st.composite
def models(draw: st.DrawFn, *kinds: str) -> Model:
    """A model without more, or one with a penalty at the end, an impact or a drift."""
    kind = draw(st.sampled_from(kinds))
    q_max = draw(st.integers(1, 12))
    A = 10.0 ** draw(st.floats(-4.0, 2.0))
    k = 10.0 ** draw(st.floats(-1.0, 4.0))
    # Not so long that the oracle has to add up for ever.
    left = 10.0 ** draw(st.floats(-3.0, 1.5)) / A
    risk = 10.0 ** draw(st.floats(-6.0, 0.5)) * draw(st.sampled_from([0.0, 1.0]))
    more = 10.0 ** draw(st.floats(-4.0, 0.0))
    if kind == "penalty":
        phi, alpha = risk * A / k, more / k
        table = cartea_jaimungal_table(phi=phi, alpha=alpha, A=A, k=k, q_max=q_max)
        return table, oracle.cartea_jaimungal(A, k, phi, alpha, q_max), left, q_max
    size = 10.0 ** draw(st.floats(-2.0, 6.0))
    gamma = 10.0 ** draw(st.floats(-3.0, 0.0)) * k / size
    sigma = math.sqrt(2.0 * risk * A / (k * size) / gamma)
    xi = gamma * draw(st.sampled_from([0.0, 1.0]))
    drift = more * gamma * sigma**2 * size * q_max if kind == "drift" else 0.0
    impact = more / k if kind == "impact" else 0.0
    table = gueant_table(
        gamma=gamma, sigma=sigma, A=A, k=k, q_max=q_max, xi=xi, order_size=size,
        drift=drift, impact=impact,
    )  # fmt: skip
    system = oracle.gueant(A, k, gamma, sigma, q_max, xi, size, drift, impact)
    return table, system, left, q_max


@settings(deadline=None, max_examples=examples(150, 40))
@given(models("plain"))
def test_all_quotes_are_exact(model: Model) -> None:
    table, system, left, q_max = model
    want = oracle.quotes(system, oracle.positive_solution(system, left))
    same(all_quotes(table, left, q_max), want, rel=1e-9, abs=1e-9 / system.k)


@settings(deadline=None, max_examples=examples(150, 40))
@given(models("penalty", "impact", "drift"))
def test_under_penalty_impact_or_drift_quotes_are_exact_or_none(
    model: Model,
) -> None:
    table, system, left, q_max = model
    v = oracle.positive_solution(system, left)
    want, found = oracle.quotes(system, v), all_quotes(table, left, q_max)
    for side in range(2):
        given_up = np.isnan(found[side]) & ~np.isnan(want[side])
        low = np.minimum(v, np.roll(v, (-1, 1)[side]))
        assert (low[given_up] < 1e-6 * v.max()).all()
        kept = ~np.isnan(found[side])
        assert found[side][kept] == pytest.approx(
            want[side][kept], rel=1e-6, abs=1e-6 / system.k
        )  # fmt: skip


@settings(deadline=None, max_examples=examples(100, 30))
@given(models("plain"), st.floats(0.0, 1e6) | st.just(math.inf))
def test_quotes_are_symmetric_and_rise_with_the_inventory(model: Model, left: float) -> None:
    table, system, _, q_max = model
    held = np.linspace(-q_max, q_max, 4 * q_max + 1)
    bid, ask = np.array([exact_distances(table, left, float(x)) for x in held]).T
    assert np.array_equal(bid, ask[::-1])
    finite = bid[np.isfinite(bid)]
    assert (np.diff(finite) >= -1e-9 / system.k).all()
    assert np.isinf(bid[held > q_max - 1.0]).all() and np.isfinite(bid[held <= q_max - 1.0]).all()


def test_the_value_at_the_end_is_the_penalty() -> None:
    table = cartea_jaimungal_table(phi=0.01, alpha=0.02, A=5.0, k=1.5, q_max=5)
    for n in range(-5, 6):
        assert exact_value(table, 0.0, n) == pytest.approx(-0.02 * n * n, abs=1e-12)
    assert math.isnan(exact_value(table, 0.0, 6))
    assert math.isnan(exact_value(table, math.nan, 0))


def test_between_whole_order_sizes_quotes_are_interpolated() -> None:
    table = gueant_table(**GLFT, q_max=5)
    low, high = exact_distances(table, 60.0, 1.0), exact_distances(table, 60.0, 2.0)
    between = exact_distances(table, 60.0, 1.25)
    assert between == pytest.approx([0.75 * a + 0.25 * b for a, b in zip(low, high, strict=True)])


def test_beyond_the_bound_only_the_side_that_leads_back_quotes() -> None:
    table = gueant_table(**GLFT, q_max=5)
    at_bound = exact_distances(table, 60.0, 5.0)
    assert at_bound[0] == math.inf and math.isfinite(at_bound[1])
    assert exact_distances(table, 60.0, 5.5) == at_bound == exact_distances(table, 60.0, 1e300)
    assert exact_distances(table, 60.0, -7.0) == exact_distances(table, 60.0, -5.0)
    bid, ask = exact_distances(table, 60.0, 4.5)
    assert bid == math.inf and math.isfinite(ask)


@pytest.mark.parametrize(
    ("left", "held"),
    [(math.nan, 0.0), (60.0, math.nan), (60.0, math.inf), (-1e-9, 0.0), (-math.inf, 0.0)],
)
def test_what_has_no_answer_is_nan(left: float, held: float) -> None:
    table = gueant_table(**GLFT, q_max=5)
    assert all(math.isnan(distance) for distance in exact_distances(table, left, held))


def test_a_strong_penalty_leaves_no_quote_just_before_the_end() -> None:
    """v of 10 order sizes at the end is e^-100 of that of none: no sum of eigenvectors shows it."""
    table = cartea_jaimungal_table(phi=1e-4, alpha=1e-2, A=1.0, k=100.0, q_max=10)
    clear = table[GAPS + 21 : GAPS + 42]
    assert clear[10] == 0.0 and 1.0 < clear[20] < 3.0
    assert math.isnan(exact_distances(table, 0.99 * clear[20], 10.0)[1])
    assert math.isfinite(exact_distances(table, clear[20], 10.0)[1])
    assert math.isfinite(exact_distances(table, 0.0, 0.0)[1])


def test_a_table_can_stand_anywhere_in_a_row() -> None:
    table = gueant_table(**GLFT, q_max=5)
    assert table.dtype == np.float64 and table.size == table_len(5) == 5 + 2 * 11 + 11 * 11
    row = np.concatenate([[1.0, 2.0], table, [3.0]])
    found = exact_distances(row[2 : 2 + table_len(5)], 60.0, 1.0)
    assert found == exact_distances(table, 60.0, 1.0)
