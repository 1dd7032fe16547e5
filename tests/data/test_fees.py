"""Dated fee schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmquant.data.fees import FeeRates, load_fees, schedule_names
from mmquant.errors import DataError

GOOD = """
name: mine
text: My venue.
currency: USD
entries:
  - {from_date: 2020-01-01, maker_bps: -1.5, taker_bps: 3, source: "price list 2020\\n"}
  - {from_date: "2021-06-01", maker_per_unit_ccy: 0.25, source: price list 2021}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_the_entry_of_the_date_is_used(mine: Path) -> None:
    first = load_fees(mine, "2021-05-31")
    assert first.rates == FeeRates(maker_value_rate=-0.00015, taker_value_rate=0.0003)
    assert first.manifest() == {
        "schedule": "mine",
        "source": "price list 2020",
        "applied_from": "2020-01-01",
        "notes": [],
    }
    assert load_fees(str(mine), "2021-06-01").rates == FeeRates(maker_unit_rate=0.25)


def test_dates_before_the_first_entry_use_it_and_say_so(mine: Path) -> None:
    fees = load_fees(mine, "2012-06-21")
    assert fees.applied_from == "2020-01-01"
    assert fees.notes == (
        "Fees of 2012-06-21 are not known: the first entry of schedule 'mine', from 2020-01-01, "
        "is used.",
    )


@pytest.mark.parametrize("name", schedule_names())
def test_shipped_schedules_load_and_name_their_source(name: str) -> None:
    fees = load_fees(name, "2026-01-02")
    assert fees.schedule == name and fees.source.endswith(".") and not fees.notes


def test_rates_of_the_shipped_schedules() -> None:
    assert load_fees("zero", "1999-01-01").rates == FeeRates()
    assert not load_fees("zero", "1999-01-01").notes
    stock = load_fees("us_equity_maker_taker", "2012-06-21").rates
    assert (stock.maker_unit_rate, stock.taker_unit_rate) == (-0.002, 0.003)
    perp = load_fees("binance_usdm_regular", "2024-08-08").rates
    assert (perp.maker_value_rate, perp.taker_value_rate) == (0.0002, 0.0005)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("maker_bps", "maker_bp", "key 'maker_bp' is not known — .* use maker_bps"),
        ("source: price list 2021", "taker_bps: 1", "key 'source' is missing"),
        ("-1.5", "cheap", "maker_bps 'cheap' is not a number"),
        ("-1.5", ".nan", "maker_bps nan is not a number"),
        ("-1.5", "true", "maker_bps True is not a number"),
        ("2021-06-01", "2019-06-01", "not in order of from_date"),
        ("2021-06-01", "June 2021", "not an ISO date"),
        ("name: mine", "title: mine", "key 'title' is not known"),
        ("name: mine", "", "key 'name' is missing"),
        ("entries:", "entries: 3\nx:", "key 'x' is not known"),
        ("name: mine", "name: [", "not YAML"),
    ],
)
def test_bad_schedules_are_refused(mine: Path, old: str, new: str, what: str) -> None:
    mine.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=what) as error:
        load_fees(mine, "2022-01-01")
    assert error.value.exit_code == 3


def test_other_bad_files(mine: Path) -> None:
    mine.write_text("- 1")
    with pytest.raises(DataError, match="not a mapping"):
        load_fees(mine, "2022-01-01")
    mine.write_text("name: a\nentries: 3")
    with pytest.raises(DataError, match="entries is not a list"):
        load_fees(mine, "2022-01-01")
    mine.write_text("name: a\nentries: []")
    with pytest.raises(DataError, match="not in order"):
        load_fees(mine, "2022-01-01")
    with pytest.raises(DataError, match="no fee schedule 'zeros' — use zero, or the path"):
        load_fees("zeros", "2022-01-01")
    with pytest.raises(DataError, match="not an ISO date"):
        load_fees("zero", "today")
