"""Our own files of option quotes, and chains of Yahoo's from frames made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr

import mmquant as mm
from mmquant.data.chains import yahoo
from mmquant.data.chains.make import make_option_quotes
from mmquant.errors import DataError, UsageError
from mmquant.schema.quotes import QuoteQuality

ENDS = (".parquet", ".zarr")


def quotes(n_times: int = 3, seed: int = 1) -> xr.Dataset:
    """Five contracts with every kind of gap: no side, no expiry, no multiplier, no size."""
    rng = np.random.default_rng(seed)
    start = np.datetime64("2023-09-14T14:00:00.123456789", "ns")
    bid = rng.uniform(1, 2, (n_times, 5))
    bid[0, 1] = np.nan
    expiry = np.array(["2023-09-15T13:30", "2023-09-15T20:00", "NaT", "2023-10-20T20:00",
                       "2023-10-20T20:00"], "datetime64[ns]")  # fmt: skip
    return make_option_quotes(
        {
            "time": start + np.arange(n_times) * np.timedelta64(60, "s"),
            "expiry": expiry,
            "strike": np.array([4500.0, 4500, 4510, 4520, 4520]),
            "right": np.array(["C", "P", "C", "P", "C"]),
            "root": np.array(["SPX", "SPXW", "SPX1", "SPX", "SPX"]),
            "multiplier": np.array([100, 100, np.nan, 100, 100]),
            "exercise": np.array(["european"] * 5),
            "bid": bid,
            "ask": bid + 0.1,
            "bid_size": rng.integers(1, 9, bid.shape).astype(float),
            "quality": rng.choice([int(q) for q in QuoteQuality], bid.shape).astype(np.int8),
            "underlying_last": np.full(n_times, 4505.1),
        },
        underlying="SPX",
        date="2023-09-14",
        source={"format": "test", "files": []},
        notes=["a note"],
    )


@pytest.mark.parametrize("end", ENDS)
def test_files_give_the_same_back(tmp_path, end) -> None:
    ds = quotes()
    path = mm.write_option_quotes(ds, tmp_path / "new" / f"a{end}")
    back = mm.read_option_quotes(path)
    xr.testing.assert_identical(back, ds)
    assert list(back.variables) == list(ds.variables) and list(back.coords) == list(ds.coords)
    assert {n: v.dtype.kind for n, v in back.variables.items()} == {
        n: v.dtype.kind for n, v in ds.variables.items()
    }
    later = quotes(2, seed=9)
    mm.write_option_quotes(later, path)
    xr.testing.assert_identical(mm.read_option_quotes(path, underlying="spx"), later)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with pytest.raises(DataError, match="this is underlying SPX, not NDX"):
        mm.read_option_quotes(path, underlying="NDX")


def test_parquet_is_a_plain_table(tmp_path) -> None:
    ds = quotes()
    frame = pq.read_table(mm.write_option_quotes(ds, tmp_path / "a.parquet")).to_pandas()
    assert len(frame) == 15 and frame["strike"].tolist() == ds["strike"].values.tolist() * 3
    np.testing.assert_array_equal(frame["bid"], ds["bid"].values.ravel())


@pytest.mark.parametrize("end", ENDS)
def test_wrong_files_are_refused(tmp_path, end) -> None:
    path = tmp_path / f"a{end}"
    with pytest.raises(DataError, match="no quotes to write"):
        mm.write_option_quotes(quotes().isel(time=slice(0, 0)), path)
    with pytest.raises(DataError, match="'bid' is missing"):
        mm.write_option_quotes(quotes().drop_vars("bid"), path)
    assert not path.exists()
    mm.write_option_quotes(quotes(), path)
    _change_header(path, lambda header: header["attrs"].update(schema_version=99))
    with pytest.raises(DataError, match="version 99, not option_quotes of version 1"):
        mm.read_option_quotes(path)
    _change_header(path, lambda header: header.pop("attrs"))
    with pytest.raises(DataError, match=r"not a (file|folder) of option quotes"):
        mm.read_option_quotes(path)


def _change_header(path: Path, change) -> None:
    if path.is_dir():
        file = path / ".zattrs"
        attrs = json.loads(file.read_text())
        header = json.loads(attrs["mmquant"])
        change(header)
        file.write_text(json.dumps(attrs | {"mmquant": json.dumps(header)}))
        return
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"mmquant"])
    change(header)
    pq.write_table(table.replace_schema_metadata({b"mmquant": json.dumps(header).encode()}), path)


def test_files_of_others_and_cut_ones_are_refused(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"x": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="no header of option quotes"):
        mm.read_option_quotes(path)
    mm.write_option_quotes(quotes(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        mm.read_option_quotes(path)
    folder = mm.write_option_quotes(quotes(), tmp_path / "a.zarr")
    (folder / "bid" / ".zarray").write_text("{")
    with pytest.raises(DataError, match="not a whole Zarr folder"):
        mm.read_option_quotes(folder)
    with pytest.raises(UsageError, match=r"end it with .parquet or .zarr"):
        mm.write_option_quotes(quotes(), tmp_path / "a.csv")


def side(day: str, right: str, strikes: list[float], root: str = "AAPL", **columns) -> pd.DataFrame:
    symbols = [f"{root}{day}{right}{round(k * 1000):08d}" for k in strikes]
    frame = pd.DataFrame({"contractSymbol": symbols, "strike": strikes, "bid": 1.5, "ask": 1.75})
    frame["impliedVolatility"], frame["contractSize"] = 0.00001, "REGULAR"
    return frame.assign(**columns)


class Ticker:
    """What yfinance answers, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.options = ("2026-12-18", "2027-01-15")
        self.quote = {"bid": 199.5, "ask": 200.5, "regularMarketPrice": 200.0, "currency": "USD",
                      "regularMarketTime": 1_700_000_000}  # fmt: skip

    def option_chain(self, day: str) -> SimpleNamespace:
        self.asked.append(day)
        short = day.replace("-", "")[2:]
        calls = side(short, "C", [190.0, 200.0], ask=[1.75, 0.0])
        puts = side(short, "P", [200.0], root="AAPL1", contractSize="MINI")
        return SimpleNamespace(calls=calls, puts=puts, underlying=self.quote)


@pytest.fixture
def ticker(monkeypatch) -> Ticker:
    one = Ticker()
    monkeypatch.setattr(yahoo, "_ticker", lambda symbol: one)
    return one


def test_yahoo_chains_become_quotes(ticker, tmp_path) -> None:
    ds = mm.fetch_option_quotes("aapl", cache=tmp_path)
    assert ds.sizes == {"time": 1, "contract": 6}
    assert ds["strike"].values.tolist() == [190, 200, 200] * 2
    assert ds["right"].values.tolist() == ["C", "C", "P"] * 2
    assert ds["root"].values.tolist() == ["AAPL", "AAPL", "AAPL1"] * 2
    np.testing.assert_equal(ds["multiplier"].values, [100, 100, np.nan] * 2)
    np.testing.assert_equal(ds["ask"].values[0], [1.75, np.nan, 1.75] * 2)
    moments = np.array(["2026-12-18T21:00", "2027-01-15T21:00"], "datetime64[ns]")
    assert (ds["expiry"].values == np.repeat(moments, 3)).all()
    assert ds["underlying_time"].values[0] == np.datetime64(1_700_000_000, "s")
    assert (float(ds["underlying_bid"][0]), float(ds["underlying_last"][0])) == (199.5, 200.0)
    assert ds.attrs["underlying"] == "AAPL" and "implied_vol" not in ds


def test_yahoo_is_asked_once_while_the_answer_is_young(ticker, tmp_path) -> None:
    first = mm.fetch_option_quotes("AAPL", expiries=["2026-12-18"], cache=tmp_path)
    again = mm.fetch_option_quotes("AAPL", expiries=["20261218"], cache=tmp_path)
    assert ticker.asked == ["2026-12-18"]
    xr.testing.assert_identical(first, again)
    mm.fetch_option_quotes("AAPL", cache=tmp_path)
    assert ticker.asked == ["2026-12-18", "2027-01-15"]
    mm.fetch_option_quotes("AAPL", expiries=["2026-12-18"], cache=tmp_path, max_age_s=0.0)
    assert ticker.asked[2:] == ["2026-12-18"]
    (tmp_path / "AAPL" / "2026-12-18.parquet").write_bytes(b"cut")
    mm.fetch_option_quotes("AAPL", expiries=["2026-12-18"], cache=tmp_path)
    assert ticker.asked[3:] == ["2026-12-18"]


def test_what_yahoo_does_not_answer_is_an_error(ticker, tmp_path, monkeypatch) -> None:
    empty = SimpleNamespace(calls=None, puts=None, underlying=None)
    ticker.option_chain = lambda day: empty
    with pytest.raises(DataError, match="gave no options of AAPL 2026-12-18"):
        mm.fetch_option_quotes("AAPL", cache=tmp_path)

    def refuse(day: str) -> None:
        raise ValueError("too many requests")

    ticker.option_chain = refuse
    with pytest.raises(DataError, match=r"options of AAPL 2026-12-18 \(ValueError: too many"):
        mm.fetch_option_quotes("AAPL", cache=tmp_path)
    ticker.options = ()
    with pytest.raises(DataError, match="lists no options of AAPL"):
        mm.fetch_option_quotes("AAPL", cache=tmp_path)
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "yfinance", None)
    with pytest.raises(UsageError, match=r"pip install 'mmquant\[yahoo\]'"):
        mm.fetch_option_quotes("AAPL", cache=tmp_path)


def test_a_chain_without_a_column_is_refused() -> None:
    frame = side("261218", "C", [190.0]).assign(right="C").drop(columns="ask")
    chain = yahoo.Chain(frame, pd.Timestamp("2026-11-28T15:00", tz="UTC"), {})
    with pytest.raises(DataError, match="column 'ask' is missing from the chain of 2026-12-18"):
        yahoo.chains_to_quotes("AAPL", {"2026-12-18": chain})
    with pytest.raises(DataError, match="no options of AAPL"):
        yahoo.chains_to_quotes("AAPL", {"2026-12-18": yahoo.Chain(
            side("261218", "C", []).assign(right="C"), chain.fetched, {})})  # fmt: skip
