"""Micro-price adjustments against plain counting, and of recorded days."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.core import theo
from mmquant.core.dtypes import RowKind
from mmquant.data.micro_price import micro_price_table
from mmquant.errors import UsageError
from mmquant.research.micro_price import (
    LEAST_VISITS,
    buckets_of,
    fit_micro_price,
    micro_price_summary,
)
from mmquant.research.quote_changes import has_market, quote_changes
from tests.research.quote_tapes import BASE, flip, quotes_of, tape_of

S = 1_000_000_000


def test_buckets_of_arrays_are_those_of_the_kernel() -> None:
    rng = np.random.default_rng(0)
    bid, ask = rng.integers(1, 200, (2, 3_000))
    for buckets in (2, 5, 10):
        want = [theo.imbalance_bucket(float(b), float(a), float(buckets))
                for b, a in zip(bid.tolist(), ask.tolist(), strict=True)]  # fmt: skip
        assert buckets_of(bid, ask, buckets).tolist() == want


def plain_counts(tape: xr.Dataset, buckets: int, spreads: int) -> tuple[Counter, Counter]:
    """Steps without and with a move of the mid, mirrored, by a plain replay."""

    def state(quote: tuple[int, ...]) -> int:
        _, bid, ask, bid_lots, ask_lots = quote
        share = Fraction(min(bid_lots, ask_lots), bid_lots + ask_lots)
        bucket = int(share * buckets)
        if bid_lots > ask_lots:
            bucket = buckets - 1 - bucket
        return (min(ask - bid, spreads) - 1) * buckets + bucket

    stay, move = Counter(), Counter()
    for a, b in pairwise(quotes_of(tape)):
        d = b[1] + b[2] - a[1] - a[2]
        x, y = state(a), state(b)
        if d == 0:
            stay[x, y] += 1
            stay[flip(x, buckets), flip(y, buckets)] += 1
        else:
            move[x, d] += 1
            move[flip(x, buckets), -d] += 1
    return stay, move


@pytest.mark.parametrize(("buckets", "spreads"), [(4, 2), (5, 3)])
def test_a_fit_counts_what_a_plain_replay_shows(buckets: int, spreads: int) -> None:
    tape = mm.make_demo_tape(seed=3, minutes=5)
    fit = fit_micro_price(tape, imbalance_buckets=buckets, max_spread_ticks=spreads)
    stay, move = plain_counts(tape, buckets, spreads)
    visits = fit["visits"].values.ravel()
    assert visits.sum() == 2 * fit.attrs["steps"] == stay.total() + move.total()
    for x in fit["state"].values.tolist():
        for y in fit["next_state"].values.tolist():
            assert fit["Q"].sel(state=x, next_state=y) * visits[x] == pytest.approx(stay[x, y])
        for jump in fit["jump"].values.tolist():
            found = fit["R1"].sel(state=x, jump=jump) * visits[x]
            assert found == pytest.approx(move[x, round(2 * jump)])
    assert fit.attrs["steps_left_out"] == fit.attrs["breaks"] == 0


def test_rare_states_are_not_told() -> None:
    tape = mm.make_demo_tape(seed=3, minutes=5)
    fit = fit_micro_price(tape, imbalance_buckets=10, max_spread_ticks=4)
    rare = (fit["visits"] < LEAST_VISITS).values
    assert rare.any() and not rare.all()
    assert np.isnan(fit["adjustment"].values[rare]).all()
    assert np.isfinite(fit["adjustment"].values[~rare]).all()
    facts = micro_price_summary(fit)
    assert (facts["states"], facts["states_unknown"]) == (40, int(rare.sum()))
    assert facts["reason"] == ""


def test_steps_across_a_halt_are_not_counted() -> None:
    quotes = [(BASE + i * S, 100 + i % 2, 102 + i % 2, 5 + i % 3, 6) for i in range(100)]
    halts = [(BASE + 9 * S + 1, RowKind.STATUS, 1), (BASE + 19 * S, RowKind.STATUS, 0)]
    whole = fit_micro_price(tape_of(quotes), imbalance_buckets=2, max_spread_ticks=2)
    cut = fit_micro_price(tape_of(quotes, halts), imbalance_buckets=2, max_spread_ticks=2)
    assert (whole.attrs["steps"], whole.attrs["breaks"]) == (99, 0)
    assert (cut.attrs["steps"], cut.attrs["breaks"]) == (9 + 80, 1)


def test_the_default_spread_is_that_of_nearly_all_quotes() -> None:
    widths = [1] * 60 + [2] * 34 + [3] * 2 + [9] * 4
    quotes = [(BASE + i * S, 100, 100 + w, 5 + i % 3, 6) for i, w in enumerate(widths)]
    fit = fit_micro_price(tape_of(quotes), imbalance_buckets=2)
    assert fit["spread"].values.tolist() == [1, 2, 3]


def test_empty_tapes_and_wrong_questions() -> None:
    one = tape_of([(BASE, 100, 101, 5, 6)])
    fit = fit_micro_price(one)
    assert fit.attrs["steps"] == 0 and np.isnan(fit["adjustment"].values).all()
    assert micro_price_summary(fit)["largest_adjustment_ticks"] is None
    for bad in (
        {"imbalance_buckets": 1},
        {"max_spread_ticks": 0},
        {"max_spread_ticks": 10**6},
        {"inst": 3},
        {"start": 2.0, "end": 1.0},
    ):
        with pytest.raises(UsageError):
            fit_micro_price(one, **bad)


def check_fit(fit: xr.Dataset) -> None:
    """What must hold of any fit: mirror images, a fair game, and a series that ended."""
    G, se = fit["adjustment"].values, fit["adjustment_se"].values
    assert np.nanmax(np.abs(G + G[:, ::-1])) < 1e-9
    assert np.array_equal(np.isnan(G), np.isnan(se))
    assert 1 < fit.attrs["terms"] < 200
    whole = np.full(fit["visits"].size, np.nan)
    first = np.linalg.solve(np.eye(len(fit["state"])) - fit["Q"].values,
                            fit["R1"].values @ fit["jump"].values)  # fmt: skip
    P = fit["Q"].values + fit["R2"].values
    total, term = first.copy(), first
    for _ in range(500):
        term = fit["B"].values @ term
        total = total + term
    whole[fit["state"].values] = total
    known = np.isfinite(G.ravel())
    assert G.ravel()[known] == pytest.approx(whole[known], abs=1e-9)
    step = fit["R1"].values @ fit["jump"].values + P @ total
    assert step == pytest.approx(total, abs=1e-9)


def test_amazon(amazon) -> None:
    fit = fit_micro_price(amazon)
    check_fit(fit)
    facts = micro_price_summary(fit)
    assert facts["steps"] > 50_000 and facts["states_unknown"] == 0
    assert 20 <= facts["max_spread_ticks"] <= 25
    # Adjustments are of a tick, inside the spread where it is an ordinary one.
    assert facts["largest_adjustment_ticks"] < 4.0
    G = fit["adjustment"]
    assert (np.abs(G) < 0.5 * fit["spread"]).sel(spread=slice(5, None)).all()
    usual = G.sel(spread=slice(5, 20))
    assert (usual.isel(bucket=slice(6, None)) > 0).mean() > 0.95
    se = fit["adjustment_se"].sel(spread=slice(5, 20))
    assert (usual > 2 * se).isel(bucket=9).all()


def test_the_micro_price_forecasts_what_it_has_not_seen(amazon) -> None:
    """Fitted on the first half, over 10 s of the second: nearer than mid and weighted mid."""
    rows = quote_changes(amazon)
    middle = int((rows["ts"][0] + rows["ts"][-1]) // 2)
    table = micro_price_table(
        fit_micro_price(amazon, end=(middle - int(amazon["exch_ts"][0])) / 1e9)
    )
    later = rows[(rows["ts"] >= middle) & has_market(rows)]
    mid = 0.5 * (later["bid"] + later["ask"])
    columns = [later[name].astype(float).tolist() for name in later.dtype.names[1:]]
    micro = np.array([theo.micro_price(*x, table) for x in zip(*columns, strict=True)])
    weighted = np.array([theo.weighted_mid(*x) for x in zip(*columns, strict=True)])
    ahead = later["ts"] + 10 * S
    known = np.isfinite(micro) & (ahead < later["ts"][-1])
    assert known.mean() > 0.99
    target = mid[np.searchsorted(later["ts"], ahead, side="right") - 1]
    error = {
        name: float(np.mean((target - price)[known] ** 2))
        for name, price in (("mid", mid), ("micro", micro), ("weighted", weighted))
    }
    assert error["micro"] < error["mid"] < error["weighted"]


def test_other_days(apple, bitcoin) -> None:
    for tape in (apple, bitcoin):
        check_fit(fit_micro_price(tape))
    fit = fit_micro_price(bitcoin)
    assert fit["spread"].values.tolist() == [1]
    assert (np.diff(fit["adjustment"].values[0]) > -2.0).all()
