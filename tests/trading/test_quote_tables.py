"""What tables of quotes refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmquant.core.exact_quotes import GAPS, table_len
from mmquant.errors import UsageError
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table

GOOD = {"gamma": 0.01, "sigma": 0.3, "A": 0.9, "k": 0.3, "q_max": 5, "xi": 0.01}


@pytest.mark.parametrize(
    ("name", "value"),
    [("gamma", -0.01), ("gamma", math.nan), ("sigma", math.inf), ("A", 0.0), ("k", -1.0),
     ("k", math.nan), ("xi", -1.0), ("order_size", 0.0), ("drift", math.inf), ("impact", -0.5),
     ("q_max", 0), ("q_max", 2.5)],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        gueant_table(**GOOD | {name: value})


@pytest.mark.parametrize(("name", "value"), [("phi", -1.0), ("alpha", -1.0), ("alpha", math.inf)])
def test_penalties_out_of_range_are_refused(name: str, value: float) -> None:
    good = {"phi": 0.01, "alpha": 0.01, "A": 1.0, "k": 1.0, "q_max": 3}
    with pytest.raises(UsageError, match=f"{name} is {value}"):
        cartea_jaimungal_table(**good | {name: value})


def test_a_bound_that_no_double_reaches_is_refused() -> None:
    """v falls off faster than exp(-q²/2 sqrt(α/η)): below the smallest double from some q on."""
    with pytest.raises(UsageError, match=r"q_max 200 .* out of reach .* smaller q_max"):
        cartea_jaimungal_table(phi=1.0, alpha=0.0, A=1.0, k=1.0, q_max=200)


def test_units_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="too far apart"):
        gueant_table(**GOOD | {"impact": 1e6})
    with pytest.raises(UsageError, match="too far apart"):
        gueant_table(**GOOD | {"gamma": 1.0, "sigma": 1e154})


@pytest.mark.parametrize("q_max", [1, 2, 7])
def test_a_table_is_one_row_of_known_length(q_max: int) -> None:
    table = gueant_table(**GOOD | {"q_max": q_max})
    assert table.shape == (table_len(q_max),) and table.dtype == np.float64
    assert np.isfinite(table).all()
    gaps = table[GAPS : GAPS + 2 * q_max + 1]
    assert gaps[0] == 0.0 and (np.diff(gaps) > 0.0).all()
    assert not table[GAPS + 2 * q_max + 1 : GAPS + 2 * (2 * q_max + 1)].any()
