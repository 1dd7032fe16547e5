"""Tables of micro-prices in files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from mmquant.data.micro_price import micro_price_table, read_micro_price, write_micro_price
from mmquant.errors import DataError


def fit_of(rows: list[list[float]]) -> xr.Dataset:
    attrs = {"symbol": "ABC", "date": "2024-01-02", "samples": 9, "steps": 8}
    return xr.Dataset({"adjustment": (("spread", "bucket"), np.array(rows))}, attrs=attrs)


def test_a_table_comes_back_bit_for_bit(tmp_path: Path) -> None:
    fit = fit_of([[-0.1, 0.0, 0.1], [-1 / 3, math.nan, 1 / 3]])
    file = tmp_path / "table.json"
    write_micro_price(fit, file)
    assert read_micro_price(file).tobytes() == micro_price_table(fit).tobytes()
    assert micro_price_table(fit)[:5].tolist() == [3.0, 2.0, -0.1, 0.0, 0.1]
    turned = fit.transpose("bucket", "spread")
    assert micro_price_table(turned).tobytes() == micro_price_table(fit).tobytes()
    content = json.loads(file.read_text())
    assert (content["symbol"], content["steps"]) == ("ABC", 8)
    assert content["adjustment_ticks"][1][1] is None


def damaged(**changes: Any) -> str:
    content = {"schema": "micro_price", "schema_version": 1, "adjustment_ticks": [[0.0, 1.0]]}
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "not JSON"),
        ("[]", "no table"),
        (damaged(schema="tape"), "no table"),
        (damaged(schema_version=2), "version 2"),
        (damaged(adjustment_ticks=None), "equally long"),
        (damaged(adjustment_ticks=[]), "equally long"),
        (damaged(adjustment_ticks=[[]]), "equally long"),
        (damaged(adjustment_ticks=[[0.0], [0.0, 1.0]]), "equally long"),
        (damaged(adjustment_ticks=[0.0]), "equally long"),
        (damaged(adjustment_ticks=[["a"]]), "equally long"),
        (damaged(adjustment_ticks=[[True]]), "equally long"),
        (damaged(adjustment_ticks=[[math.nan]]), "equally long"),
    ],
)
def test_what_is_no_table_is_named(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(text)
    with pytest.raises(DataError, match=what) as error:
        read_micro_price(file)
    assert error.value.where == str(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read it: No such file"):
        read_micro_price(tmp_path / "nowhere.json")


def test_a_fit_that_found_nothing_makes_no_table(tmp_path: Path) -> None:
    """Quotes by such a table would never be made, and nobody would say why."""
    fit = fit_of([[math.nan, math.nan]])
    fit.attrs["reason"] = "the series has no limit"
    with pytest.raises(DataError, match=r"no adjustment was found \(the series has no limit"):
        write_micro_price(fit, tmp_path / "table.json")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.json").write_text(damaged(adjustment_ticks=[[None, None]]))
    with pytest.raises(DataError, match="knows no adjustment"):
        read_micro_price(tmp_path / "old.json")
