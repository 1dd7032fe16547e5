"""Distributions against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from mmquant.research.calibration.statistics import (
    chi2_tail,
    gamma_p,
    gamma_q,
    poisson_interval,
    t_quantile,
)


@pytest.mark.parametrize("a", [0.5, 1.0, 2.5, 30.0, 5000.0])
def test_incomplete_gamma_functions(a: float) -> None:
    for x in np.geomspace(0.01, 9000.0, 60):
        assert gamma_p(a, x) == pytest.approx(special.gammainc(a, x), rel=1e-10, abs=1e-300)
        assert gamma_q(a, x) == pytest.approx(special.gammaincc(a, x), rel=1e-9, abs=1e-300)
    assert (gamma_p(a, 0.0), gamma_q(a, 0.0)) == (0.0, 1.0)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 100, 4_321, 1_000_000])
def test_exact_poisson_intervals(count: int) -> None:
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    assert poisson_interval(count) == pytest.approx((low, high), rel=1e-9)


def test_chi_square_tails() -> None:
    for df in (1.0, 4.0, 59.0):
        for x in (0.1, 3.0, 60.0, 400.0):
            assert chi2_tail(x, df) == pytest.approx(stats.chi2.sf(x, df), rel=1e-9)


def test_t_quantiles() -> None:
    for df in (5.0, 6.3, 9.0, 59.0, 1e6):
        assert t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=2e-3)
    assert t_quantile(59.0) == pytest.approx(stats.t.ppf(0.975, 59), rel=1e-6)
