"""Quotes from tables against the published models, computed otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.exact_quotes import exact_distances, exact_value
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table
from tests.oracles import optimal_quotes as oracle
from tests.oracles.published_quotes import BONDS, FIGURES, PENALTIES, Bond, Penalty

GLFT = {"A": 0.9, "k": 0.3, "gamma": 0.01, "sigma": 0.3, "xi": 0.01}
"""Figures 1 to 3 of Guéant, Lehalle and Fernandez-Tapia (2013)."""


def all_quotes(table: np.ndarray, time_left: float, q_max: int) -> oracle.Quotes:
    """Distances at all inventories, NaN in place of no quote."""
    found = np.array(
        [exact_distances(table, time_left, float(n)) for n in range(-q_max, q_max + 1)]
    )
    assert np.isinf(found[-1, 0]) and np.isinf(found[0, 1])
    found[-1, 0] = found[0, 1] = np.nan
    return oracle.Quotes(found[:, 0], found[:, 1])


def same(found: oracle.Quotes, want: oracle.Quotes, **tolerance: float) -> None:
    for side in range(2):
        assert found[side] == pytest.approx(want[side], nan_ok=True, **tolerance)


def glft_table(name: str) -> np.ndarray:
    return gueant_table(**GLFT | {"sigma": FIGURES[name].sigma, "A": FIGURES[name].A}, q_max=30)


def glft_system(name: str) -> oracle.System:
    return oracle.gueant(FIGURES[name].A, 0.3, 0.01, FIGURES[name].sigma, 30, 0.01)


def bond_table(bond: Bond) -> np.ndarray:
    own = {"sigma": bond.sigma, "A": bond.A, "k": bond.k, "xi": bond.xi}
    return gueant_table(gamma=6e-5, q_max=4, order_size=bond.order_size, **own)


def bond_system(bond: Bond) -> oracle.System:
    return oracle.gueant(bond.A, bond.k, 6e-5, bond.sigma, 4, bond.xi, bond.order_size)


@pytest.mark.parametrize("name", FIGURES)
def test_quotes_of_2013(name: str) -> None:
    table, system = glft_table(name), glft_system(name)
    for q, bid in FIGURES[name].exact.items():
        assert exact_distances(table, 600.0, float(q))[0] == pytest.approx(bid, abs=1e-6)
        assert exact_distances(table, 600.0, float(-q))[1] == pytest.approx(bid, abs=1e-6)
    if FIGURES[name].lowest is not None:
        assert table[4] == pytest.approx(FIGURES[name].lowest, abs=5e-9)
    for left in (0.01, 1.0, 60.0, 600.0):
        want = oracle.quotes(system, oracle.solution(system, left))
        same(all_quotes(table, left, 30), want, rel=1e-6, abs=0.0)


def test_drift_and_impact_of_2013() -> None:
    for more, bid, ask in (
        ({"drift": 0.01}, 2.557641, 4.068020),
        ({"impact": 0.5}, 3.564352, 3.564352),
    ):
        table = gueant_table(**GLFT, q_max=30, **more)
        assert exact_distances(table, 600.0, 0.0) == pytest.approx((bid, ask), abs=1e-6)
        system = oracle.gueant(0.9, 0.3, 0.01, 0.3, 30, 0.01, **more)
        for left in (30.0, 600.0):
            want = oracle.quotes(system, oracle.positive_solution(system, left))
            same(all_quotes(table, left, 30), want, rel=1e-6, abs=0.0)


def test_with_the_parameters_of_avellaneda_and_stoikov() -> None:
    table = gueant_table(gamma=0.1, sigma=2.0, A=140.0, k=1.5, q_max=30, xi=0.1)
    assert exact_distances(table, 1.0, 0.0) == pytest.approx((0.671628, 0.671628), abs=1e-6)
    assert exact_distances(table, 1.0, 1.0) == pytest.approx((0.724070, 0.619143), abs=1e-6)


@pytest.mark.parametrize("name", BONDS)
def test_quotes_of_2017(name: str) -> None:
    table, system = bond_table(BONDS[name]), bond_system(BONDS[name])
    found = [exact_distances(table, 7200.0, float(n))[0] for n in range(-4, 4)]
    assert found == pytest.approx(BONDS[name].exact, rel=1e-4)
    for left in (1.0, 60.0, 7200.0):
        want = oracle.quotes(system, oracle.solution(system, left))
        same(all_quotes(table, left, 4), want, rel=1e-6, abs=0.0)


@pytest.mark.parametrize("one", PENALTIES)
def test_quotes_of_cartea_and_jaimungal(one: Penalty) -> None:
    A, k, left, value, distance = one
    table = cartea_jaimungal_table(phi=0.01, alpha=0.001, A=A, k=k, q_max=100)
    assert exact_value(table, left, 0) == pytest.approx(value, abs=1e-6)
    assert exact_distances(table, left, 0.0) == pytest.approx((distance, distance), abs=1e-6)
    system = oracle.cartea_jaimungal(A, k, 0.01, 0.001, 100)
    v = oracle.solution(system, left)
    assert exact_value(table, left, 0) == pytest.approx(math.log(v[100]) / k, rel=1e-9)
    want = oracle.quotes(system, v)
    for n in range(-12, 13):
        found = exact_distances(table, left, float(n))
        assert found == pytest.approx((want.bid[n + 100], want.ask[n + 100]), rel=1e-6, abs=0.0)


def test_cartea_and_jaimungal_against_a_public_solver() -> None:
    table = cartea_jaimungal_table(phi=0.01, alpha=0.001, A=140.0, k=1.5, q_max=100)
    assert exact_distances(table, 1.0, 2.0) == pytest.approx((0.694017, 0.650256), abs=1e-6)
    table = cartea_jaimungal_table(phi=1e-4, alpha=1e-3, A=1.0, k=100.0, q_max=5)
    assert exact_value(table, 60.0, 0) == pytest.approx(0.404588, abs=1e-6)
    assert exact_distances(table, 60.0, 0.0)[0] == pytest.approx(0.0108633573, abs=1e-10)
    want = (0.0143499658, 0.0074068897)
    assert exact_distances(table, 60.0, 2.0) == pytest.approx(want, abs=1e-10)


EVERY = [*FIGURES, *BONDS]


def table_and_system(name: str) -> tuple[np.ndarray, oracle.System, int]:
    if name in BONDS:
        return bond_table(BONDS[name]), bond_system(BONDS[name]), 4
    return glft_table(name), glft_system(name), 30


@pytest.mark.parametrize("name", EVERY)
def test_at_the_end_all_quotes_are_the_base(name: str) -> None:
    table, system, q_max = table_and_system(name)
    for n in range(-q_max, q_max):
        assert exact_distances(table, 0.0, float(n))[0] == pytest.approx(system.base, rel=1e-12)
        near = exact_distances(table, 1e-9, float(n))[0]
        assert near == pytest.approx(system.base, rel=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_far_from_the_end_quotes_are_those_of_the_eigenvector(name: str) -> None:
    table, system, q_max = table_and_system(name)
    want = oracle.quotes(system, oracle.ground_state(system))
    inner = range(-min(q_max, 12), min(q_max, 12))
    for left in (1e7, 1e12, 1e300, math.inf):
        found = [exact_distances(table, left, float(n))[0] for n in inner]
        assert found == pytest.approx([want.bid[n + q_max] for n in inner], rel=1e-6, abs=0.0)
