"""Contracts, tick ladders by date, and exact prices and sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmquant.core.dtypes import LADDER
from mmquant.data.contracts import (
    Contract,
    Ladder,
    Step,
    contract_table,
    instrument_rows,
    lots_to_size,
    option_ladder,
    price_to_tick,
    price_to_tick_part,
    size_to_lots,
    stock_ladder,
    tick_to_price,
)
from mmquant.data.fees import FeeRates
from mmquant.errors import DataError
from mmquant.schema import validate
from tests.data.tape_strategies import contracts

DAY = "2024-01-02"


def with_ladder(ladder: Ladder) -> Contract:
    return replace(Contract.equity(0, "A", venue="X"), ladders=(ladder,))


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    """Ladders of one to four steps, each on the grid of the step below it."""
    start, steps = Fraction(0), []
    for _ in range(draw(st.integers(1, 4))):
        tick = draw(st.sampled_from(["0.0001", "0.005", "0.01", "0.05", "0.25", "1", "0.03125"]))
        steps.append(Step(decimal(start), tick))
        start += Fraction(tick) * draw(st.integers(1, 500))
    return Ladder("2020-01-01", tuple(steps))


def decimal(value: Fraction) -> str:
    places = 12
    whole = value * 10**places
    assert whole.denominator == 1
    text = f"{int(whole):0{places + 1}d}"
    return f"{text[:-places]}.{text[-places:]}"


def exact_price(ladder: Ladder, tick: int) -> Fraction:
    """Walk up the ladder step by step, in fractions."""
    at, price = 0, Fraction(0)
    starts = [Fraction(step.from_price) for step in ladder.steps]
    ticks = [Fraction(step.tick) for step in ladder.steps]
    if tick < 0:
        return tick * ticks[0]
    for i, size in enumerate(ticks):
        last = i + 1 == len(ticks)
        count = tick - at if last else min(tick - at, int((starts[i + 1] - starts[i]) / size))
        price, at = price + count * size, at + count
    return price


@given(ladders(), st.lists(st.integers(-300, 3000), min_size=1, max_size=20))
def test_tick_to_price_and_back_is_exact(ladder: Ladder, ticks: list[int]) -> None:
    contract = with_ladder(ladder)
    want = [exact_price(ladder, tick) for tick in ticks]
    prices = tick_to_price(contract, np.array(ticks), date=DAY)
    assert prices.tolist() == [float(price) for price in want]
    scaled = np.array([int(price * 10**8) for price in want])
    assert price_to_tick(contract, scaled, 10**8, date=DAY).tolist() == ticks


@given(ladders(), st.integers(-(10**7), 10**9))
def test_every_price_has_its_floor_tick_and_part(ladder: Ladder, scaled: int) -> None:
    contract = with_ladder(ladder)
    price = Fraction(scaled, 10**6)
    tick, part = price_to_tick_part(contract, np.array([scaled]), 10**6, date=DAY)
    low, high = exact_price(ladder, int(tick[0])), exact_price(ladder, int(tick[0]) + 1)
    assert low <= price < high
    assert (part[0] == 0) == (price == low)
    assert 0 <= part[0] < 1
    assert abs(float((price - low) / (high - low)) - float(part[0])) < 1e-6


def test_option_classes() -> None:
    for tick_class, good, bad in (
        ("penny", ["2.99", "3.05"], ["3.01"]),
        ("nickel", ["2.95", "3.10"], ["2.99", "3.05"]),
        ("all_penny", ["2.99", "3.01"], ["3.005"]),
    ):
        contract = with_ladder(option_ladder(tick_class))
        back = tick_to_price(contract, price_to_tick(contract, good, date=DAY), date=DAY)
        assert back.tolist() == [float(text) for text in good]
        for text in bad:
            with pytest.raises(DataError, match="off the tick grid"):
                price_to_tick(contract, [text], date=DAY)
    with pytest.raises(DataError, match="unknown option tick class"):
        option_ladder("dime")


def test_half_cent_ticks_from_their_date() -> None:
    ladders = (stock_ladder(), stock_ladder("0.005", "2025-11-03"))
    contract = replace(Contract.equity(0, "A", venue="X"), ladders=ladders)
    with pytest.raises(DataError, match="off the tick grid"):
        price_to_tick(contract, ["10.005"], date="2025-11-02")
    assert price_to_tick(contract, ["0.0001", "1", "10.005"], date="2025-11-03").tolist() == [
        1, 10_000, 11_801,
    ]  # fmt: skip


def test_no_ladder_before_the_first_date() -> None:
    contract = with_ladder(Ladder.flat("0.01", "2020-01-01"))
    with pytest.raises(DataError, match="no tick ladder is in force on 2019-12-31"):
        contract.ladder("2019-12-31")


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([("0", "0.05"), ("3", "0.10"), ("2", "0.2")], "out of order"),
        ([("0", "0.05"), ("3", "0.10"), ("3", "0.2")], "out of order"),
        ([("0", "0.05"), ("3.02", "0.10")], "off the grid"),
        ([("1", "0.05")], "does not start at price 0"),
        ([], "does not start at price 0"),
        ([("0", "0")], "not positive"),
        ([("0", "-0.01")], "not positive"),
        ([("0", "cent")], "is not a number"),
        ([("0", "NaN")], "is not a number"),
    ],
)
def test_bad_ladders_are_refused(steps: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(DataError, match=what):
        Ladder("2020-01-01", tuple(Step(*step) for step in steps))


def test_bad_ladder_dicts_and_dates_are_refused() -> None:
    with pytest.raises(DataError, match="not readable"):
        Ladder.of({"steps": [{"from": "0"}]})
    with pytest.raises(DataError, match="not an ISO date"):
        Ladder.flat("0.01", "20200101")
    late, early = Ladder.flat("0.01", "2021-01-01"), Ladder.flat("0.05", "2020-01-01")
    with pytest.raises(DataError, match="out of date order"):
        replace(Contract.equity(0, "A", venue="X"), ladders=(late, early))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"id": -1}, "id is not in"),
        ({"symbol": ""}, "symbol is empty"),
        ({"kind": "share"}, "unknown kind"),
        ({"multiplier": 0}, "multiplier"),
        ({"multiplier": float("nan")}, "multiplier"),
        ({"lot": "0"}, "lot"),
        ({"exercise": "bermudan"}, "exercise"),
        ({"settlement": "gold"}, "settlement"),
        ({"kind": "option"}, "lacks right"),
        ({"right": "C"}, "has a right"),
        ({"strike": -1.0}, "strike"),
        ({"expiry": "soon"}, "ISO date"),
        ({"ladders": ()}, "no tick ladder"),
    ],
)
def test_bad_contracts_are_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(DataError, match=what):
        replace(Contract.equity(0, "A", venue="X"), **change)


def test_dicts_round_trip_and_refuse_unknown_keys() -> None:
    for contract in contracts(3):
        assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract
    with pytest.raises(DataError, match="unknown keys: size"):
        Contract.from_dict(contracts(1)[0].to_dict() | {"size": 1})
    with pytest.raises(DataError, match="not complete"):
        Contract.from_dict({"id": 0})


def test_instrument_rows_hold_ladders_lots_and_fees() -> None:
    fees = FeeRates(0.1, 0.2, 0.3, 0.4)
    instruments = instrument_rows(contracts(3), DAY, fees)
    assert instruments["ladder_len"].tolist() == [1, 1, 2]
    assert instruments["multiplier"].tolist() == [1.0, 1.0, 100.0]
    assert (instruments["lot_num"][1], instruments["lot_den"][1]) == (1, 1000)
    assert instruments["taker_unit_rate"].tolist() == [0.4] * 3
    steps = [
        [tuple(int(row[name][i]) for name in LADDER.names) for i in range(row["ladder_len"])]
        for row in instruments
    ]
    assert steps == [[(0, 0, 1, 100)], [(0, 0, 1, 10)], [(0, 0, 1, 100), (300, 60, 1, 20)]]
    each = instrument_rows(contracts(2), DAY, [fees, FeeRates()])
    assert each["maker_value_rate"].tolist() == [0.1, 0.0]
    with pytest.raises(DataError, match="1 fee rates for 2"):
        instrument_rows(contracts(2), DAY, [fees])
    with pytest.raises(DataError, match="ids are not 0 to 0"):
        instrument_rows(contracts(2)[1:], DAY)


@given(st.lists(st.integers(0, 2**31 - 1), max_size=20), st.sampled_from(["1", "0.001", "100"]))
def test_sizes_and_lots(lots: list[int], lot: str) -> None:
    contract = replace(Contract.equity(0, "A", venue="X"), lot=lot)
    sizes = lots_to_size(contract, np.array(lots, np.int64))
    assert sizes.tolist() == [float(Fraction(lot) * n) for n in lots]
    back, good = size_to_lots(contract, sizes)
    assert good.all() and back.tolist() == lots


def test_sizes_off_the_grid_are_told() -> None:
    contract = Contract.simple(0, "A", tick="1", lot="0.1", kind="other", venue="X")
    size = np.array([0.1 * 3, 0.25, np.nan, np.inf, 1e300])
    lots, good = size_to_lots(contract, size)
    assert good.tolist() == [True, False, False, False, False]
    assert lots[0] == 3


def test_prices_beyond_ticks_are_refused() -> None:
    contract = contracts(1)[0]
    with pytest.raises(DataError, match="beyond the int32 ticks"):
        price_to_tick(contract, ["21474836.47"], date=DAY)
    with pytest.raises(DataError, match="too large"):
        price_to_tick(contract, np.array([2**62]), 1, date=DAY)
    with pytest.raises(DataError, match="not a number"):
        price_to_tick(contract, ["ten"], date=DAY)


def test_the_contract_table() -> None:
    table = contract_table(contracts(3))
    validate(table, "contracts")
    assert table["right"].tolist() == ["", "", "C"]
