"""Quotes in several assets against published parameters, and against one asset alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.optimal_quotes import base_half_spread, glft_eta, glft_slope
from mmquant.errors import UsageError
from mmquant.research.multi_asset import multi_asset_quotes
from tests.oracles import optimal_quotes as oracle

SIGMA = np.array([5.83e-6, 2.15e-5])
INDICES = {
    "assets": ["IG", "HY"],
    "gamma": 6e-5,
    "covariance": np.outer(SIGMA, SIGMA) * np.array([[1.0, 0.9], [0.9, 1.0]]),
    "A": [9.10e-4, 1.06e-3],
    "k": [1.79e4, 5.47e3],
    "order_size": [50e6, 10e6],
}
"""Guéant (2017): two credit indices."""


@pytest.mark.parametrize(
    ("xi", "slope"),
    [
        (6e-5, [[8.136986e-5, 3.765002e-5], [1.882501e-4, 2.217149e-4]]),
        (0.0, [[7.840254e-5, 3.642245e-5], [1.821123e-4, 2.153572e-4]]),
    ],
)
def test_slopes_of_two_indices(xi: float, slope: list[list[float]]) -> None:
    found = multi_asset_quotes(**INDICES, xi=xi)
    assert found["slope"].values == pytest.approx(np.array(slope), rel=1e-6)
    want = oracle.several_assets(
        6e-5, INDICES["covariance"], np.array(INDICES["A"]), np.array(INDICES["k"]),
        np.array(INDICES["order_size"]), xi,
    )  # fmt: skip
    assert found["risk"].values == pytest.approx(want, rel=1e-9)
    assert list(found["asset"].values) == list(found["held"].values) == ["IG", "HY"]


def test_the_papers_matrix() -> None:
    printed = [[2.971207e-10, 6.873922e-10], [6.873922e-10, 4.047943e-9]]
    found = multi_asset_quotes(**INDICES, xi=6e-5)["risk"].values
    assert found == pytest.approx(np.array(printed), rel=1e-6)


def test_assets_that_are_not_correlated_are_quoted_each_alone() -> None:
    found = multi_asset_quotes(**INDICES | {"covariance": np.diag(SIGMA**2)}, xi=6e-5)
    for i in range(2):
        A, k, size = (INDICES[name][i] for name in ("A", "k", "order_size"))
        eta = glft_eta(A, k, 6e-5, size, 0.0)
        slope = glft_slope(6e-5, SIGMA[i], eta, k, size)
        assert float(found["slope"][i, i]) == pytest.approx(slope, rel=1e-12)
        half = base_half_spread(k, 6e-5, size) + slope / 2.0
        assert float(found["half_spread"][i]) == pytest.approx(half, rel=1e-12)
    assert found["slope"].values[0, 1] == pytest.approx(0.0, abs=1e-12 * slope)


@pytest.mark.parametrize(
    "wrong",
    [
        {"A": [1.0]},
        {"A": [1.0, 0.0]},
        {"k": [1.0, math.nan]},
        {"gamma": -1.0},
        {"covariance": np.eye(3)},
        {"covariance": np.array([[1.0, 0.5], [0.4, 1.0]])},
        {"covariance": np.array([[1.0, 2.0], [2.0, 1.0]])},
        {"covariance": np.array([[1.0, math.nan], [math.nan, 1.0]])},
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        multi_asset_quotes(**INDICES | wrong, xi=6e-5)
