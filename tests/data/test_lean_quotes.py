"""Lean's minute bars as option quotes: times, carrying on, faults, and which file is read."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import date

import numpy as np
import pytest

import mmquant as mm
from mmquant.data.quarantine import quarantine_of
from mmquant.errors import DataError, UsageError
from tests.data.lean_files import (
    CALL,
    CLOSE,
    OPEN,
    PUT,
    STOCK,
    bar,
    market,
    member,
    random_rows,
    write_lean,
    zip_rows,
)


def test_bars_are_known_at_the_end_of_their_minute(tmp_path) -> None:
    ds = mm.read_option_quotes(market(tmp_path))
    assert ds.sizes == {"time": 390, "contract": 2}
    stamps = ds["time"].values
    assert stamps[0] == np.datetime64("2014-06-05T13:31", "ns")
    assert stamps[-1] == np.datetime64("2014-06-05T20:00", "ns")
    call, put = ds.isel(contract=0), ds.isel(contract=1)
    assert call["ask"].values[:4].tolist() == [1.2, 1.2, 1.3, 1.3]
    assert call["bid"].values[:4].tolist() == [1.0] * 4
    assert (call["ask_time"].values[:4] == stamps[[0, 0, 2, 2]]).all()
    assert (call["bid_time"].values == stamps[0]).all()
    assert np.isnan(put["bid"].values[0]) and np.isnat(put["bid_time"].values[0])
    assert (put["bid"].values[1:] == 2.0).all() and np.isnan(put["ask"].values).all()
    assert call["bid_size"].values[0] == 7 and np.isnan(put["ask_size"].values).all()


def test_the_underlying_stands_at_the_same_times(tmp_path) -> None:
    ds = mm.read_option_quotes(market(tmp_path))
    assert ds["underlying_bid"].values[:3].tolist() == [69.9, 70.0, 70.0]
    assert (ds["underlying_ask"].values == 70.1).all()
    stamps = ds["time"].values
    assert ds["underlying_time"].values[0] == np.datetime64("2014-06-05T13:26", "ns")
    assert (ds["underlying_time"].values[1:] == stamps[1]).all()


def test_contracts_come_from_the_names_of_the_members(tmp_path) -> None:
    ds = mm.read_option_quotes(market(tmp_path))
    assert ds["strike"].values.tolist() == [70.0, 72.5]
    assert ds["right"].values.tolist() == ["C", "P"]
    assert ds["root"].values.tolist() == ["TWX"] * 2
    assert ds["exercise"].values.tolist() == ["american"] * 2
    assert ds["multiplier"].values.tolist() == [100.0] * 2
    moments = np.array(["2014-06-20T20:00", "2014-07-18T20:00"], "datetime64[ns]")
    assert (ds["expiry"].values == moments).all()
    assert ds.attrs["underlying"] == "TWX" and ds.attrs["date"] == "2014-06-05"
    assert ds["bid"].attrs["units"] == "USD" and ds["bid_size"].attrs["units"] == "contracts"


def test_against_a_slow_reading_of_every_bar(tmp_path) -> None:
    rng = np.random.default_rng(3)
    names = [
        member(right, strike, "20140719") for strike in range(60, 66) for right in ("call", "put")
    ]
    options = {name: random_rows(rng) for name in names}
    ds = mm.read_option_quotes(write_lean(tmp_path, options, STOCK))
    late = sum(row[0] >= CLOSE for rows in options.values() for row in rows)
    assert json.loads(ds.attrs["counts"])["bars_after_close"] == late > 0
    for at, name in enumerate(names):
        for i in range(390):
            until = [row for row in options[name] if row[0] + 1 <= OPEN + 1 + i]
            for side, column in (("bid", 1), ("ask", 2)):
                given = [(row[0], row[column]) for row in until if row[column] is not None]
                found = ds[side].values[i, at], ds[f"{side}_time"].values[i, at]
                if not given:
                    assert np.isnan(found[0]) and np.isnat(found[1])
                    continue
                minute, price = given[-1]
                stamp = np.datetime64("2014-06-05T04:00", "ns") + np.timedelta64(minute + 1, "m")
                assert found == (price, stamp)


def test_a_later_bar_changes_nothing_before_it(tmp_path) -> None:
    rng = np.random.default_rng(5)
    rows = random_rows(rng)
    whole = mm.read_option_quotes(write_lean(tmp_path / "a", {CALL: rows}, STOCK))
    early = [row for row in rows if row[0] < 700]
    part = mm.read_option_quotes(write_lean(tmp_path / "b", {CALL: early}, STOCK))
    until = whole["time"].values <= np.datetime64("2014-06-05T04:00") + np.timedelta64(700, "m")
    for name in ("bid", "ask", "bid_size", "ask_size", "bid_time", "ask_time"):
        np.testing.assert_array_equal(whole[name].values[until], part[name].values[until])


def test_a_half_day_ends_at_one(tmp_path) -> None:
    root = write_lean(tmp_path, {member("call", 70, "20151224", day="20151224"): [(OPEN, 1, 2)]},
                      STOCK, day="20151224")  # fmt: skip
    ds = mm.read_option_quotes(root)
    assert ds.sizes["time"] == 210
    assert ds["expiry"].values[0] == ds["time"].values[-1]


def test_a_day_without_a_session_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"2015-12-25 has no session.*quote_american.zip"):
        mm.read_option_quotes(market(tmp_path, day="20151225"))


@pytest.mark.parametrize("day", ["20140606", "2014-06-06", date(2014, 6, 6)])
def test_one_of_several_days_is_named(tmp_path, day) -> None:
    market(tmp_path)
    market(tmp_path, day="20140606")
    market(tmp_path, symbol="goog")
    with pytest.raises(UsageError, match=r"3 days.*GOOG 2014-06-05, TWX 2014-06-05"):
        mm.read_option_quotes(tmp_path)
    with pytest.raises(UsageError, match="2 days"):
        mm.read_option_quotes(tmp_path, underlying="TWX")
    with pytest.raises(DataError, match=r"no option quotes of NWSA.*there are GOOG"):
        mm.read_option_quotes(tmp_path, underlying="nwsa")
    with pytest.raises(UsageError, match="'6 June' is not a date"):
        mm.read_option_quotes(tmp_path, date="6 June")
    ds = mm.read_option_quotes(tmp_path, underlying="twx", date=day)
    assert ds.attrs["date"] == "2014-06-06"


def test_the_option_zip_alone_finds_the_other(tmp_path) -> None:
    root = market(tmp_path)
    path = root / "option" / "twx" / "20140605_quote_american.zip"
    assert mm.read_option_quotes(path).identical(mm.read_option_quotes(root))
    (root / "equity" / "twx" / "20140605_quote.zip").unlink()
    with pytest.raises(DataError, match=r"quotes of TWX itself.*equity/twx/20140605_quote.zip"):
        mm.read_option_quotes(path)


def test_lean_s_own_folders_are_found_too(tmp_path) -> None:
    root = market(tmp_path / "flat")
    for kind in ("option", "equity"):
        shutil.copytree(root / kind / "twx", tmp_path / "deep" / kind / "usa" / "minute" / "twx")
    assert mm.read_option_quotes(tmp_path / "deep").identical(mm.read_option_quotes(root))


GOOD = bar((OPEN, 1.0, 1.2))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("34260000,1,2", "not 11 columns"),
        ("", "not a minute"),
        (GOOD.replace("34200000", "noon"), "text where a number"),
        (GOOD.replace("34200000", "34200001"), "not a minute"),
        (GOOD.replace("34200000", "86400000"), "not a minute"),
        (GOOD.replace("34200000", "34260000").replace("12000", "nan"), "text where a number"),
        (GOOD, "does not increase"),
        (bar((OPEN + 1, -1.0, 1.2)), "negative"),
        (bar((OPEN + 1, 1.0, 1.2), size=-3), "negative"),
    ],
)
def test_a_bad_row_is_named_or_set_aside(tmp_path, line, reason) -> None:
    last = bar((OPEN + 3, 1.1, 1.4))
    text = f"{GOOD}\n{line}\n{last}\n"
    root = market(tmp_path, options={CALL: text})
    with pytest.raises(DataError, match=rf"(?s){reason}.*{CALL}, row 2") as told:
        mm.read_option_quotes(root)
    assert "lenient=True" in told.value.fix
    ds = mm.read_option_quotes(root, lenient=True)
    assert ds["bid"].values[[0, 2, 3], 0].tolist() == [1.0, 1.0, 1.1]
    table = quarantine_of(ds)
    assert table[["file", "row", "text"]].values.tolist() == [[CALL, 2, line]]
    assert reason in table["reason"][0]
    assert json.loads(ds.attrs["counts"])["quarantined"] == 1


def test_a_member_of_another_name_is_set_aside(tmp_path) -> None:
    root = market(tmp_path, options={"readme.txt": "hello"})
    with pytest.raises(DataError, match="name is not one of minute quotes"):
        mm.read_option_quotes(root)
    ds = mm.read_option_quotes(root, lenient=True)
    assert ds.sizes["contract"] == 2
    assert quarantine_of(ds)["text"].tolist() == ["readme.txt"]


def test_a_member_of_no_date_is_set_aside(tmp_path) -> None:
    name = member("call", 70, "20149921")
    root = market(tmp_path, options={name: GOOD})
    with pytest.raises(DataError, match="expiry in the member's name is not a date"):
        mm.read_option_quotes(root)
    ds = mm.read_option_quotes(root, lenient=True)
    assert ds.sizes["contract"] == 2 and quarantine_of(ds)["text"].tolist() == [name]
    with pytest.raises(DataError, match="the name has no date"):
        mm.read_option_quotes(market(tmp_path / "b", day="20149921"))


def test_a_damaged_member_is_set_aside(tmp_path) -> None:
    root = market(tmp_path)
    path = root / "option" / "twx" / "20140605_quote_american.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(PUT)
    raw = bytearray(path.read_bytes())
    at = info.header_offset + 30 + len(PUT) + 5
    raw[at] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be unpacked"):
        mm.read_option_quotes(root)
    ds = mm.read_option_quotes(root, lenient=True)
    assert ds["right"].values.tolist() == ["C"]
    assert quarantine_of(ds)["text"].tolist() == [PUT]


def test_a_member_may_be_empty_or_lack_its_last_line_end(tmp_path) -> None:
    root = market(tmp_path, options={CALL: GOOD, PUT: ""})
    ds = mm.read_option_quotes(root)
    assert (ds["bid"].values[:, 0] == 1.0).all() and np.isnan(ds["bid"].values[:, 1]).all()


def test_what_is_no_zip_is_named(tmp_path) -> None:
    root = market(tmp_path)
    path = root / "equity" / "twx" / "20140605_quote.zip"
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"not a whole zip.*20140605_quote.zip"):
        mm.read_option_quotes(root)
    zip_rows(path, {"20140605_twx_tick_quote.csv": "1,2"})
    with pytest.raises(DataError, match="not one of minute quotes"):
        mm.read_option_quotes(root)
    with pytest.raises(DataError, match="no member with minute quotes"):
        mm.read_option_quotes(root, lenient=True)


def test_what_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        mm.read_option_quotes(tmp_path / "none")
    with pytest.raises(DataError, match="no folder or file of option quotes"):
        mm.read_option_quotes(tmp_path)
    (tmp_path / "option").mkdir()
    with pytest.raises(DataError, match="no option quotes of Lean's in this folder"):
        mm.read_option_quotes(tmp_path)
    with pytest.raises(UsageError, match="unknown format 'leen'"):
        mm.read_option_quotes(tmp_path, format="leen")


REAL = {
    "goog": ("20151224", 2192, 210),
    "twx": ("20140605", 184, 390),
    "nwsa": ("20130628", 260, 390),
}


@pytest.mark.parametrize("symbol", REAL)
def test_recorded_days(real_data, symbol) -> None:
    day, contracts, minutes = REAL[symbol]
    path = real_data(f"lean/option/{symbol}/{day}_quote_american.zip")
    ds = mm.read_option_quotes(path)
    assert ds.sizes == {"time": minutes, "contract": contracts}
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[len(archive.namelist()) // 3]
        lines = archive.read(name).decode().split()
    bars = [line.split(",") for line in lines]
    right, strike, expiry = name.removesuffix(".csv").split("_")[5:]
    days = np.array([f"{expiry[:4]}-{expiry[4:6]}-{expiry[6:]}"], "datetime64[D]")
    mine = (ds["right"].values == right[0].upper()) & (ds["strike"].values == int(strike) / 1e4)
    mine &= np.abs(ds["expiry"].values - days) < np.timedelta64(3, "D")
    at = int(np.flatnonzero(mine)[0])
    for i in (0, 7, minutes // 2, minutes - 1):
        until = [b for b in bars if int(b[0]) + 60_000 <= 34_200_000 + 60_000 * (i + 1)]
        for side, column in (("bid", 4), ("ask", 9)):
            given = [int(b[column]) / 1e4 for b in until if b[column]]
            found = ds[side].values[i, at]
            assert found == given[-1] if given else np.isnan(found)
