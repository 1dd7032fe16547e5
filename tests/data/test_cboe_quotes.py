"""Quote tables of Cboe's as option quotes: layouts, settlement, faults."""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pytest

import mmquant as mm
from mmquant.data.quarantine import quarantine_of
from mmquant.errors import DataError
from tests.data.cboe_tables import AM, HEAD, NAMES, ONE, PM, row, table


def test_one_moment_of_calls_and_puts(tmp_path) -> None:
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", AM, PM, ONE))
    assert ds.sizes == {"time": 1, "contract": 6}
    assert ds["time"].values[0] == np.datetime64("2023-09-14T20:31", "ns")
    assert ds["root"].values.tolist() == ["SPX"] * 4 + ["SPXW"] * 2
    assert ds["right"].values.tolist() == ["C", "P"] * 3
    assert ds["strike"].values.tolist() == [4500, 4500, 4505, 4505, 4500, 4500]
    assert ds["bid"].values[0].tolist() == [10.5, 5, 0, 7, 10.6, 0]
    np.testing.assert_equal(ds["ask"].values[0], [11, 5.5, np.nan, 7.5, 11.1, 0.05])
    assert np.isnan(ds["bid_size"].values).all()
    assert np.isnat(ds["ask_time"].values[0]).tolist() == [False, False, True, False, False, False]
    assert ds["exercise"].values.tolist() == ["european"] * 6
    assert ds.attrs["underlying"] == "SPX" and ds.attrs["date"] == "2023-09-14"
    found = [float(ds[f"underlying_{name}"][0]) for name in ("bid", "ask", "last")]
    assert found == [4483.25, 4526.27, 4505.1001]


def test_spx_is_settled_by_the_opening_and_spxw_by_the_close(tmp_path) -> None:
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", AM, PM))
    moments = np.array(["2023-09-15T13:30", "2023-09-15T20:00"], "datetime64[ns]")
    assert (ds["expiry"].values == np.repeat(moments, 2)).all()


def test_the_same_table_packed(tmp_path) -> None:
    path = table(tmp_path / "a.csv", AM)
    packed = tmp_path / "b.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    zipped = tmp_path / "c.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(path, "quotes.csv")
    plain = mm.read_option_quotes(path).drop_attrs()
    for other in (packed, zipped):
        assert mm.read_option_quotes(other).drop_attrs().identical(plain)


def test_an_older_head_and_fewer_columns(tmp_path) -> None:
    head = 'AAPL (APPLE INC),221.50,-1.25\n"Nov 28 2026 @ 16:00 ET",Bid,221.4,Ask,221.6,Size,1x2\n'
    some = "Last Sale,Net,Bid,Ask,Vol,IV,Open Int"
    names = f"Expiration Date,Calls,{some},Strike,Puts,{some}"
    line = (
        "12/18/2026,AAPL261218C00220000,9,9,8.1,8.3,9,9,9,220.000,"
        "AAPL261218P00220000,9,9,6.0,6.2,9,9,9"
    )
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", line, head=head, names=names))
    assert ds["time"].values[0] == np.datetime64("2026-11-28T21:00", "ns")
    assert ds["bid"].values[0].tolist() == [8.1, 6.0]
    assert ds["ask"].values[0].tolist() == [8.3, 6.2]
    assert ds["exercise"].values.tolist() == ["american"] * 2
    assert (ds["expiry"].values == np.datetime64("2026-12-18T21:00", "ns")).all()
    found = [float(ds[f"underlying_{name}"][0]) for name in ("bid", "ask", "last")]
    assert found == [221.4, 221.6, 221.5] and ds.attrs["underlying"] == "AAPL"


OLD_NAMES = "Calls,Last Sale,Net,Bid,Ask,Vol,Open Int,Puts,Last Sale,Net,Bid,Ask,Vol,Open Int,"


def test_a_table_from_before_there_were_columns_of_strikes(tmp_path) -> None:
    def line(call: str, put: str) -> str:
        return f"{call},9,9,1.5,1.75,9,9,{put},9,9,2.5,2.75,9,9,"

    head = (
        "IBM (INTL BUSINESS MACHINES),185.08,-0.27,\nNov 29 2013 @ 19:06 ET,Bid,184.6,Ask,185.2,\n"
    )
    lines = [
        line("13 Dec 125.00 (IBM1327L125)", "13 Dec 125.00 (IBM1327X125)"),
        line("13 Dec 125.00 (IBM1327L125-E)", "13 Dec 125.00 (IBM1327X125-E)"),
        line("14 Jan 127.50 (IBM1418A127.5)", "14 Jan 127.50 (IBM1418M127.5)"),
    ]
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", *lines, head=head, names=OLD_NAMES))
    assert ds["strike"].values.tolist() == [125, 125, 127.5, 127.5]
    assert ds["right"].values.tolist() == ["C", "P"] * 2
    assert (ds["root"].values == "IBM").all()
    moments = np.array(["2013-12-27T21:00", "2014-01-17T21:00"], "datetime64[ns]")
    assert (ds["expiry"].values == np.repeat(moments, 2)).all()
    wrong = line("13 Dec 125.00 (IBM1327L125)", "13 Dec 125.00 (IBM1327X130)")
    with pytest.raises(DataError, match=r"another option.*row 4"):
        mm.read_option_quotes(table(tmp_path / "a.csv", wrong, head=head, names=OLD_NAMES))
    wrong = line("soon", "later")
    with pytest.raises(DataError, match=r"tells the strike.*row 4"):
        mm.read_option_quotes(table(tmp_path / "a.csv", wrong, head=head, names=OLD_NAMES))


def test_the_date_is_that_of_new_york(tmp_path) -> None:
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", AM, head=HEAD.replace("4:31", "9:31")))
    assert ds.attrs["date"] == "2023-09-14"
    assert ds["time"].values[0] == np.datetime64("2023-09-15T01:31", "ns")


def test_an_adjusted_class_keeps_its_root(tmp_path) -> None:
    rows = [row("Fri Oct 20 2023", root, "231020", 26, 1, 2, 1, 2) for root in ("SOYB", "SOYB1")]
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", *rows))
    assert ds["root"].values.tolist() == ["SOYB"] * 2 + ["SOYB1"] * 2
    np.testing.assert_equal(ds["multiplier"].values, [100, 100, np.nan, np.nan])
    assert ds.attrs["underlying"] == "SOYB"


def test_a_row_may_lack_its_expiry_or_its_symbol(tmp_path) -> None:
    no_day = AM.replace("Fri Sep 15 2023", "")
    no_symbol = ONE.replace("SPX230915", "none")
    neither = (
        ONE.replace("Fri Sep 15 2023", "").replace("SPX230915", "none").replace("4505", "4600")
    )
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", no_day, no_symbol, neither))
    assert ds["strike"].values.tolist() == [4500, 4500, 4505, 4505, 4600, 4600]
    assert (ds["root"].values == "SPX").all()
    assert np.isnat(ds["expiry"].values).tolist() == [False] * 4 + [True] * 2
    assert (ds["expiry"].values[:4] == np.datetime64("2023-09-15T13:30", "ns")).all()


def test_a_saturday_in_a_symbol_is_its_friday(tmp_path) -> None:
    line = row("Fri Jun 20 2014", "TWX", "140621", 70, 1, 2, 1, 2)
    head = HEAD.replace("September 14, 2023", "June 5, 2014")
    ds = mm.read_option_quotes(table(tmp_path / "a.csv", line, head=head))
    assert (ds["expiry"].values == np.datetime64("2014-06-20T20:00", "ns")).all()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (AM.replace("10.5", "n/a"), "Bid is not a price"),
        (AM.replace(",11,", ",-1,"), "Ask is not a price"),
        (AM.replace("4500.00", "many"), "Strike is not a price"),
        (AM.replace("4500.00", "4510.00"), "another option"),
        (AM.replace("Sep 15", "Sep 22"), "another option"),
        (AM.replace("C0450", "P0450"), "another option"),
        (AM.replace("2023", "2077").replace("2309", "7709"), "beyond the calendar"),
        ("Fri Sep 15 2023,SPX", "2 columns"),
    ],
)
def test_a_bad_row_is_named_or_set_aside(tmp_path, line, reason) -> None:
    path = table(tmp_path / "a.csv", PM, line, ONE)
    with pytest.raises(DataError, match=rf"{reason}.*a.csv, row 6"):
        mm.read_option_quotes(path)
    ds = mm.read_option_quotes(path, lenient=True)
    assert ds.sizes["contract"] == 4
    assert quarantine_of(ds)["row"].tolist() == [6]
    assert json.loads(ds.attrs["counts"]) == {"contracts": 4, "quarantined": 1, "rows": 3}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"names": NAMES.replace("Puts,", "")}, "no row of column names"),
        ({"names": NAMES.replace("Bid", "Bud")}, "column Bid is not there once"),
        ({"head": "SPX,4505\n"}, "no date and time"),
        ({"head": HEAD.replace("September 14", "September 31")}, "not a date and time"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, change, reason) -> None:
    with pytest.raises(DataError, match=rf"{reason}.*a.csv"):
        mm.read_option_quotes(table(tmp_path / "a.csv", AM, **change))


def test_an_empty_table_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="no rows of quotes"):
        mm.read_option_quotes(table(tmp_path / "a.csv"))


def test_a_cut_file_is_refused_or_read_to_the_cut(tmp_path) -> None:
    path = table(tmp_path / "a.csv", AM, PM, ONE)
    packed = gzip.compress(path.read_bytes())
    cut = tmp_path / "b.csv.gz"
    cut.write_bytes(packed[:-12])
    with pytest.raises(DataError, match="compressed data end early"):
        mm.read_option_quotes(cut)
    ds = mm.read_option_quotes(cut, lenient=True)
    assert 0 < ds.sizes["contract"] <= 6 and len(quarantine_of(ds)) == 1


def test_what_is_asked_for_must_be_in_the_file(tmp_path) -> None:
    path = table(tmp_path / "a.csv", AM)
    assert mm.read_option_quotes(path, underlying="^spx", date="20230914").sizes["contract"] == 2
    with pytest.raises(DataError, match="this is underlying SPX, not NDX"):
        mm.read_option_quotes(path, underlying="NDX")
    with pytest.raises(DataError, match="this is date 2023-09-14, not 2023-09-15"):
        mm.read_option_quotes(path, date="2023-09-15")


def test_the_recorded_table(real_data) -> None:
    path = real_data("cboe/spx_quotedata_20230914.csv.gz")
    ds = mm.read_option_quotes(path)
    with gzip.open(path, "rt") as file:
        lines = [line.split(",") for line in file][4:]
    assert ds.sizes == {"time": 1, "contract": 2 * len(lines)}
    prices = {}
    for cells in lines:
        prices[cells[1]], prices[cells[12]] = cells[4:6], cells[15:17]
    days = ds["expiry"].values.astype("datetime64[D]").astype(str)
    for i in range(0, ds.sizes["contract"], 97):
        one = ds.isel(contract=i, time=0)
        day = days[i].replace("-", "")[2:]
        symbol = f"{one.root.item()}{day}{one.right.item()}{round(one.strike.item() * 1000):08d}"
        bid, ask = map(float, prices[symbol])
        assert one.bid.item() == bid
        assert one.ask.item() == ask if ask else np.isnan(one.ask.item())
