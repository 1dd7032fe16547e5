"""The register of tables: the page is fresh, and every kind of wrong table is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mmquant.errors import DataError, UsageError
from mmquant.schema import TABLES, Column, Table, validate
from mmquant.schema.page import PAGE, render
from tests.data.run_tables import fake_frame, fake_path, fake_run

ROOT = Path(__file__).parents[2]
ISSUE_COLUMNS = {
    "book_levels": "timestamp symbol side price size level inst venue",
    "trades": "timestamp price size side venue inst",
    "option_surface": "timestamp symbol expiry strike right bid ask mid implied_vol last bid_size "
    "ask_size theo delta gamma vega theta underlying forward source quote_age",
    "quotes": "timestamp symbol side price size reason inst venue position",
    "orders": "order_id status filled_qty avg_price submit_time cancel_time inst venue position",
}


def test_the_page_is_fresh() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == render(), "run python -m mmquant.schema"


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    command = [sys.executable, "-m", "mmquant.schema", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{page}\n"
    assert page.read_text(encoding="utf-8") == render()


def test_every_column_is_described() -> None:
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert table.text.endswith(".")
        for column in (*table.columns, *table.attrs):
            assert column.text.endswith("."), (table.name, column.name)


@pytest.mark.parametrize("name", ISSUE_COLUMNS)
def test_tables_have_their_main_columns(name: str) -> None:
    columns = {column.name for column in TABLES[name].columns}
    assert set(ISSUE_COLUMNS[name].split()) <= columns


@pytest.mark.parametrize("name", [n for n, t in TABLES.items() if t.form == "frame"])
def test_frames_of_the_right_types_pass(name: str) -> None:
    validate(fake_frame(name, 3), name)
    validate(fake_frame(name, 0), name)


def test_a_frame_may_be_a_dataset() -> None:
    frame = fake_frame("trades", 2)
    dataset = xr.Dataset({name: ("row", values.to_numpy()) for name, values in frame.items()})
    validate(dataset, "trades")


def test_a_run_and_its_path_pass() -> None:
    validate(fake_path(3, 2), "path")
    validate(fake_run().manifest, "run")


def test_unknown_tables_are_refused() -> None:
    with pytest.raises(UsageError, match="no table 'trade'"):
        validate(pd.DataFrame(), "trade")


def change(name: str, **columns: object) -> pd.DataFrame:
    return fake_frame(name, 3).assign(**columns)


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (change("fills").drop(columns="price"), "column 'price' is missing — add .*Exact price"),
        (change("fills", prise=1.0), "column 'prise' is not known — .*rename it to 'price'"),
        (change("fills", zzz=1.0), "leave out column 'zzz'"),
        (change("fills", price=np.array([1, 2, 3])), "'price' is int64, not float64 — .*astype"),
        (change("fills", price=[1.0, np.nan, 2.0]), "'price' has NaN at row 2"),
        (change("fills", side=np.array([1, 1, 0], np.int8)), "unknown code 0 at row 3 — .*-1, "),
        (change("fills", symbol=[1, 2, 3]), "'symbol' holds values that are not text"),
        (change("fills", symbol=["a", None, "b"]), "'symbol' holds values that are not text"),
        (np.zeros(3), "it is a ndarray, not a pandas DataFrame"),
    ],
)
def test_wrong_frames_are_named(frame: object, what: str) -> None:
    with pytest.raises(DataError, match=what):
        validate(frame, "fills")


def test_the_place_is_told() -> None:
    with pytest.raises(DataError, match=r"— in/fills\.parquet —"):
        validate(change("fills").drop(columns="fee"), "fills", where="in/fills.parquet")


def test_wrong_datasets_are_named() -> None:
    path = fake_path(3, 2)
    with pytest.raises(DataError, match="has dims"):
        validate(path.transpose("inst", "time"), "path")
    with pytest.raises(DataError, match="column 'mid' is missing"):
        validate(path.drop_vars("mid"), "path")
    with pytest.raises(DataError, match=r"'position' has NaN at index \(0, 1\)"):
        bad = path.copy(deep=True)
        bad["position"].values[0, 1] = np.nan
        validate(bad, "path")
    with pytest.raises(DataError, match="not an xarray Dataset"):
        validate(path.to_dataframe(), "path")


def test_wrong_manifests_are_named() -> None:
    manifest = fake_run().manifest
    for key, value, what in (
        ("seed", "0", "key 'seed' is a str, not int"),
        ("seed", True, "key 'seed' is a bool, not int"),
        ("notes", "x", "key 'notes' is a str, not list"),
        ("made", "x", "key 'made' is not known"),
    ):
        with pytest.raises(DataError, match=what):
            validate(manifest | {key: value}, "run")
    with pytest.raises(DataError, match="key 'digest' is missing"):
        validate({k: v for k, v in manifest.items() if k != "digest"}, "run")
    with pytest.raises(DataError, match="not a dict"):
        validate([], "run")


def test_a_table_finds_its_columns() -> None:
    table: Table = TABLES["fills"]
    column: Column = table.column("price")
    assert column.unit == "ccy"
