"""Screens of option quotes: each kind of bad quote gets its reason, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

import mmquant as mm
from mmquant.config_surface import QuoteScreen
from mmquant.errors import DataError
from mmquant.options.quality import is_adjusted
from mmquant.schema import validate
from mmquant.schema.quotes import QuoteQuality as Q
from tests.options.quote_chains import clean_quotes

MINUTE = np.timedelta64(60, "s")
ONE = (1, 12)
"""Time and contract of one call at the money of the first expiry; its put is the next."""


def quality(ds: xr.Dataset, **settings: float) -> np.ndarray:
    return mm.options.screen_quotes(ds, screen=QuoteScreen(**settings))["quality"].values


def changed(ds: xr.Dataset, at: object = ONE, **values: object) -> xr.Dataset:
    """A copy with some values at a place of each variable."""
    ds = ds.copy(deep=True)
    for name, value in values.items():
        array = ds[name].values.copy()
        array[at] = value(array[at]) if callable(value) else value
        ds[name] = (ds[name].dims, array, ds[name].attrs)
    return ds


@pytest.mark.parametrize("exercise", ["european", "american"])
def test_a_clean_chain_is_kept_whole(exercise) -> None:
    ds, forward, discount = clean_quotes(exercise=exercise)
    before = ds.copy(deep=True)
    screened = mm.options.screen_quotes(ds)
    assert (screened["quality"].values == Q.OK).all()
    marked = mm.options.mark_by_forward(screened, forward, discount)
    assert (marked["quality"].values == Q.OK).all()
    xr.testing.assert_identical(ds, before)
    xr.testing.assert_identical(screened, ds)


OLD = 3601 * np.timedelta64(1, "s")
AT_ONE = {
    Q.NO_BID: {"bid": np.nan, "bid_time": np.datetime64("NaT")},
    Q.NO_ASK: {"ask": np.nan, "ask_time": np.datetime64("NaT")},
    Q.ZERO_BID: {"bid": 0.0},
    Q.CROSSED: {"bid": lambda bid: bid + 1.0},
    Q.STALE: {"ask_time": lambda time: time - OLD},
    Q.WIDE: {"bid": 0.01, "ask": 9.0},
    Q.BAD_NUMBER: {"ask": np.inf},
    Q.OUT_OF_BOUNDS: {"bid": 110.0, "ask": 112.0},
}


@pytest.mark.parametrize("reason", AT_ONE)
def test_a_bad_quote_is_set_aside_alone(reason) -> None:
    ds, *_ = clean_quotes()
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[ONE] = reason
    np.testing.assert_array_equal(quality(changed(ds, **AT_ONE[reason])), expected)


def test_a_locked_quote_is_set_aside_alone() -> None:
    ds, *_ = clean_quotes()
    ds = changed(ds, bid=float(ds["ask"].values[ONE]))
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[ONE] = Q.LOCKED
    np.testing.assert_array_equal(quality(ds), expected)


OF_A_CONTRACT = {
    Q.NO_EXPIRY: {"expiry": np.datetime64("NaT")},
    Q.WRONG_MULTIPLIER: {"multiplier": 10.0},
    Q.ADJUSTED_CLASS: {"root": "TW1"},
    Q.BAD_NUMBER: {"strike": np.nan},
}


@pytest.mark.parametrize("reason", OF_A_CONTRACT)
def test_a_bad_contract_is_set_aside_alone(reason) -> None:
    ds, *_ = clean_quotes()
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[:, 12] = reason
    np.testing.assert_array_equal(quality(changed(ds, 12, **OF_A_CONTRACT[reason])), expected)


def test_an_unknown_multiplier_is_a_wrong_one() -> None:
    ds, *_ = clean_quotes()
    assert (quality(changed(ds, 12, multiplier=np.nan))[:, 12] == Q.WRONG_MULTIPLIER).all()
    assert (quality(ds, multiplier=10.0) == Q.WRONG_MULTIPLIER).all()


def test_expired_options_are_set_aside_from_that_moment_on() -> None:
    ds, *_ = clean_quotes()
    moved = changed(ds, slice(0, 26), expiry=ds["time"].values[1])
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[1:, :26] = Q.EXPIRED
    np.testing.assert_array_equal(quality(moved)[1:], expected[1:])


def test_an_adjusted_class_beside_the_plain_one() -> None:
    ds, *_ = clean_quotes()
    other = ds.isel(contract=slice(0, 26)).copy(deep=True)
    other["root"] = ("contract", np.array(["TWX1"] * 26))
    other["bid"], other["ask"] = other["bid"] * 1.3, other["ask"] * 1.3
    found = quality(xr.concat([ds, other], "contract", data_vars="minimal"))
    assert (found[:, :-26] == Q.OK).all() and (found[:, -26:] == Q.ADJUSTED_CLASS).all()


@pytest.mark.parametrize(
    ("root", "underlying", "adjusted"),
    [
        ("TWX", "TWX", False),
        ("TWX1", "TWX", True),
        ("TW", "TWX", True),
        ("SPXW", "SPX", False),
        ("BRKB", "BRK-B", False),
        ("BRKB", "BRK.B", False),
        ("1SPX", "SPX", True),
        ("NWS", "NWSA", True),
    ],
)
def test_which_classes_are_adjusted(root, underlying, adjusted) -> None:
    assert is_adjusted(root, underlying) is adjusted


def test_a_contract_that_stands_twice_is_not_trusted() -> None:
    ds, *_ = clean_quotes()
    twice = xr.concat([ds, ds.isel(contract=[12])], "contract", data_vars="minimal")
    expected = np.zeros(twice["bid"].shape, np.int8)
    expected[:, [12, -1]] = Q.DUPLICATE
    np.testing.assert_array_equal(quality(twice), expected)


@pytest.mark.parametrize(
    "values",
    [
        {"underlying_time": lambda time: time - 301 * np.timedelta64(1, "s")},
        {"underlying_time": np.datetime64("NaT")},
        {"underlying_bid": np.nan},
        {"underlying_bid": lambda price: price + 1.0},
        {"underlying_ask": np.nan, "underlying_bid": 0.0},
    ],
)
def test_quotes_beside_a_stale_or_missing_underlying_are_set_aside(values) -> None:
    ds, *_ = clean_quotes()
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[1] = Q.STALE_UNDERLYING
    np.testing.assert_array_equal(quality(changed(ds, 1, **values)), expected)


def test_the_last_price_stands_in_for_bid_and_ask() -> None:
    ds, *_ = clean_quotes()
    last = (ds["underlying_bid"] + 0.01).values
    ds = changed(ds.assign(underlying_last=("time", last)), slice(None), underlying_bid=np.nan)
    assert (quality(ds) == Q.OK).all()


@pytest.mark.parametrize("factor", [0.5, 2 / 3, 0.8, 2.0, 10.0])
def test_a_split_that_strikes_did_not_follow_is_suspected(factor) -> None:
    ds, *_ = clean_quotes()
    after = slice(1, None)
    scaled = {name: lambda price: price * factor for name in ("underlying_bid", "underlying_ask")}
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[after] = Q.SPLIT_SUSPECT
    found = quality(changed(ds, after, **scaled), max_spread_of_underlying=0.5)
    if factor == 0.8:
        # A year of carry could make so much of it.
        assert (found[1:, -26:] != Q.SPLIT_SUSPECT).all()
        expected, found = expected[:, :-26], found[:, :-26]
    np.testing.assert_array_equal(found, expected)


def test_a_crash_that_options_follow_is_none() -> None:
    ds, *_ = clean_quotes()
    names = ("underlying_bid", "underlying_ask", "bid", "ask")
    half = ds.assign({name: ds[name] / 2 for name in names}).assign_coords(strike=ds["strike"] / 2)
    assert (quality(half) == Q.OK).all()


def test_intrinsic_value_bounds_american_options_alone() -> None:
    for exercise, reason in (("american", Q.OUT_OF_BOUNDS), ("european", Q.OK)):
        ds, *_ = clean_quotes(exercise=exercise)
        deep = changed(ds, (slice(None), 0), bid=7.0, ask=7.5)
        assert ds["right"].values[0] == "C" and ds["strike"].values[0] == 92
        assert (quality(deep)[:, 0] == reason).all()
        assert (quality(deep)[:, 1:] == Q.OK).all()


def test_an_outlier_from_parity_takes_its_pair_along() -> None:
    ds, forward, discount = clean_quotes()
    off = changed(ds, bid=lambda price: price + 0.5, ask=lambda price: price + 0.5)
    screened = mm.options.screen_quotes(off)
    assert (screened["quality"].values == Q.OK).all()
    found = mm.options.mark_by_forward(screened, forward, discount)["quality"].values
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[1, 12:14] = Q.PARITY_OUTLIER
    np.testing.assert_array_equal(found, expected)
    wide = QuoteScreen(parity_widths=20.0)
    kept = mm.options.mark_by_forward(screened, forward, discount, screen=wide)
    assert (kept["quality"].values == Q.OK).all()


def test_a_forward_rules_out_prices_beyond_its_bounds() -> None:
    ds, forward, discount = clean_quotes()
    low = changed(ds, (1, 0), bid=7.0, ask=7.5)
    screened = mm.options.screen_quotes(low)
    marked = mm.options.mark_by_forward(screened, forward, discount)["quality"].values
    expected = np.zeros(ds["bid"].shape, np.int8)
    expected[1, 0] = Q.OUT_OF_BOUNDS
    np.testing.assert_array_equal(marked, expected)
    unknown = mm.options.mark_by_forward(screened, np.full_like(forward, np.nan), discount)
    assert (unknown["quality"].values == Q.OK).all()


def test_earlier_reasons_are_not_overwritten_by_a_forward() -> None:
    ds, forward, discount = clean_quotes()
    screened = mm.options.screen_quotes(changed(ds, bid=np.nan))
    marked = mm.options.mark_by_forward(screened, forward * 1.2, discount)["quality"].values
    assert marked[ONE] == Q.NO_BID
    assert (np.delete(marked[1], 12) != Q.OK).any()


DAMAGE: list[tuple[Q, Callable[[float], dict[str, object]]]] = [
    (Q.NO_BID, lambda mid: {"bid": np.nan}),
    (Q.NO_ASK, lambda mid: {"ask": np.nan}),
    (Q.ZERO_BID, lambda mid: {"bid": 0.0}),
    (Q.CROSSED, lambda mid: {"bid": mid + 1.0, "ask": mid}),
    (Q.LOCKED, lambda mid: {"bid": mid, "ask": mid}),
    (Q.BAD_NUMBER, lambda mid: {"bid": -1.0}),
    (Q.STALE, lambda mid: {"bid_time": np.datetime64("2023-09-14T10:00")}),
    (Q.OUT_OF_BOUNDS, lambda mid: {"bid": 300.0, "ask": 302.0}),
]


@pytest.mark.parametrize("seed", range(8))
def test_many_bad_quotes_at_once(seed) -> None:
    rng = np.random.default_rng(seed)
    ds, *_ = clean_quotes()
    expected = np.zeros(ds["bid"].shape, np.int8)
    for _ in range(25):
        at = int(rng.integers(ds.sizes["time"])), int(rng.integers(ds.sizes["contract"]))
        if expected[at]:
            continue
        reason, damage = DAMAGE[rng.integers(len(DAMAGE))]
        ds = changed(ds, at, **damage(float((ds["bid"] + ds["ask"]).values[at]) / 2))
        expected[at] = reason
    np.testing.assert_array_equal(quality(ds), expected)


def test_counts_tell_reasons_by_expiry() -> None:
    ds, *_ = clean_quotes()
    ds = changed(changed(ds, bid=np.nan), 40, expiry=np.datetime64("NaT"))
    counts = mm.options.quality_counts(mm.options.screen_quotes(ds))
    validate(counts, "quote_counts")
    assert counts.values.tolist() == [
        ["", "NO_EXPIRY", 3],
        ["2023-09-29", "NO_BID", 1],
        ["2023-09-29", "OK", 77],
        ["2023-10-20", "OK", 75],
        ["2024-01-19", "OK", 78],
        ["2024-09-20", "OK", 78],
    ]
    assert counts["quotes"].sum() == ds["bid"].size


def test_screening_again_starts_anew() -> None:
    ds, *_ = clean_quotes()
    bad = mm.options.screen_quotes(changed(ds, bid=np.nan))
    assert (bad["quality"].values != Q.OK).sum() == 1
    healed = bad.assign(bid=ds["bid"], quality=bad["quality"])
    assert (quality(healed) == Q.OK).all()


def test_wrong_input_is_refused() -> None:
    ds, *_ = clean_quotes()
    with pytest.raises(DataError, match="'underlying_bid' is missing"):
        mm.options.screen_quotes(ds.drop_vars("underlying_bid"))
    with pytest.raises(ValidationError, match="max_age"):
        QuoteScreen(max_age=3.0)


@pytest.mark.parametrize(
    "symbol", ["goog/20151224", "twx/20140605", "twx/20140606", "nwsa/20130628"]
)
def test_recorded_days(real_data, symbol) -> None:
    ds = mm.read_option_quotes(real_data(f"lean/option/{symbol}_quote_american.zip"))
    found = quality(ds)
    assert (found == Q.OK).mean() > 0.7
    assert not np.isin(found, [Q.SPLIT_SUSPECT, Q.ADJUSTED_CLASS, Q.WRONG_MULTIPLIER,
                               Q.STALE_UNDERLYING, Q.BAD_NUMBER]).any()  # fmt: skip
    one_sided = np.isnan(ds["bid"].values) & (ds["expiry"].values > ds["time"].values[:, None])
    assert (found[one_sided] == Q.NO_BID).all()


def test_the_recorded_index_table(real_data) -> None:
    ds = mm.read_option_quotes(real_data("cboe/spx_quotedata_20230914.csv.gz"))
    found = quality(ds)[0]
    assert set(np.unique(found)) <= {Q.OK, Q.EXPIRED, Q.ZERO_BID, Q.NO_ASK, Q.WIDE}
    assert (found[ds["expiry"].values <= ds["time"].values[0]] == Q.EXPIRED).all()
    assert (found == Q.OK).mean() > 0.9
