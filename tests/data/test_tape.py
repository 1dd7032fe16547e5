"""Building, checking and merging tapes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.data.merging import concat
from mmquant.data.tape import COLUMNS, contracts_of, make_tape, validate_tape
from mmquant.errors import DataError
from tests.data.tape_strategies import BASE, columns, contracts, row, small_tape, tapes


def build(data: dict[str, np.ndarray], n_inst: int = 1, **options: object) -> xr.Dataset:
    return make_tape(data, contracts(n_inst), source={}, date="2023-11-14", **options)


@settings(deadline=None)
@given(tapes())
def test_a_tape_is_sorted_typed_and_has_its_contracts(tape: xr.Dataset) -> None:
    validate_tape(tape)
    assert {name: tape[name].dtype for name in COLUMNS} == COLUMNS
    ts, seq = tape["exch_ts"].values, tape["seq"].values
    assert sorted(zip(ts, seq, strict=True)) == list(zip(ts, seq, strict=True))
    assert contracts_of(tape) == contracts(len(contracts_of(tape)))
    assert json.loads(tape.attrs["counts"])["rows"] == tape.sizes["event"]


@settings(deadline=None)
@given(st.lists(row(), max_size=30), st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_tape(rows: list, random: object) -> None:
    data = columns(rows) | {"seq": np.arange(len(rows))}
    order = list(range(len(rows)))
    random.shuffle(order)
    mixed = {name: values[order] for name, values in data.items()}
    assert build(mixed).identical(build(data))


@settings(deadline=None)
@given(tapes())
def test_local_order_sorts_local_time_and_is_there_only_where_needed(tape: xr.Dataset) -> None:
    local = tape["local_ts"].values
    if "local_order" not in tape:
        assert (np.diff(local) >= 0).all()
        return
    order = tape["local_order"].values
    assert sorted(order) == list(range(len(local)))
    assert (np.diff(local[order]) >= 0).all() and (np.diff(local) < 0).any()
    ties = np.diff(local[order]) == 0
    assert (np.diff(order)[ties] > 0).all()


def test_defaults() -> None:
    tape = build({k: small_tape()[k].values for k in ("exch_ts", "kind", "side", "tick", "size")})
    assert (tape["local_ts"] == tape["exch_ts"]).all()
    assert tape["seq"].values.tolist() == list(range(9))
    assert not tape["order_id"].any() and not tape["inst"].any() and not tape["subtick"].any()


def test_an_empty_tape() -> None:
    assert build(columns([])).sizes["event"] == 0


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("kind", 9, "unknown code 9 at row 2"),
        ("side", 2, "unknown code 2 at row 2"),
        ("side", 0, "side is unknown — row 2"),
        ("size", -1, "size is negative — row 2"),
        ("size", 2**31, "size 2147483648 is beyond the int32 of a tape — row 2 — .*larger lot"),
        ("tick", -(2**31) - 1, "tick -2147483649 is beyond the int32 of a tape"),
        ("tick", 2**31 - 1, "tick is out of range"),
        ("subtick", 0.5, "subtick"),
        ("subtick", float("nan"), "NaN at row 2"),
        ("local_ts", BASE - 1, "local_ts is before exch_ts — row 2 — correct the local clock"),
        ("order_id", -1, "order_id is negative"),
        ("inst", 1, "inst is not the id of a contract"),
    ],
)
def test_bad_rows_are_refused(column: str, value: float, what: str) -> None:
    data = {name: small_tape()[name].values.copy() for name in COLUMNS}
    data[column] = data[column].astype(float if column == "subtick" else np.int64)
    data[column][1] = value
    with pytest.raises(DataError, match=what):
        build(data)


def test_bad_columns_are_refused() -> None:
    data = {name: small_tape()[name].values for name in COLUMNS}
    with pytest.raises(DataError, match="'tick' of a tape is missing"):
        build({name: values for name, values in data.items() if name != "tick"})
    with pytest.raises(DataError, match="no column 'price'"):
        build(data | {"price": data["tick"]})
    with pytest.raises(DataError, match="float64, not integer"):
        build(data | {"size": data["size"] * 1.0})
    with pytest.raises(DataError, match="'size' has 1 rows, not 9"):
        build(data | {"size": data["size"][:1]})


def test_a_changed_tape_is_refused() -> None:
    tape = small_tape()
    for attribute, value, what in (
        ("schema", "run", "not a tape"),
        ("schema_version", 99, "version 99"),
        ("level", "L4", "level 'L4'"),
        ("date", "yesterday", "ISO date"),
        ("contracts", "[", "not JSON"),
    ):
        with pytest.raises(DataError, match=what):
            validate_tape(tape.assign_attrs({attribute: value}))
    with pytest.raises(DataError, match="not in order"):
        validate_tape(tape.isel(event=slice(None, None, -1)))
    with pytest.raises(DataError, match="local_order"):
        validate_tape(tape.assign(local_order=("event", np.arange(9))))
    with pytest.raises(DataError, match=r"a\.csv, row 1"):
        validate_tape(tape.assign(order_id=tape["order_id"] - 1), where="a.csv")
    with pytest.raises(DataError, match="contract ids"):
        one = json.dumps([contracts(2)[1].to_dict()])
        validate_tape(tape.assign_attrs(contracts=one))


def test_merging_keeps_every_row_and_renumbers_instruments() -> None:
    one, two = small_tape(), small_tape(2)
    other = two.assign(inst=two["inst"] + np.int16(1))
    merged = concat([one, other])
    assert contracts_of(merged) == contracts(2)
    assert merged.sizes["event"] == 18
    assert np.bincount(merged["inst"].values).tolist() == [9, 9]
    for inst, source in enumerate((one, other)):
        mine = merged.isel(event=merged["inst"].values == inst)
        for name in ("exch_ts", "kind", "side", "tick", "size", "subtick"):
            assert (mine[name].values == source[name].values).all()
    assert json.loads(merged.attrs["counts"])["rows"] == 18
    with pytest.raises(DataError, match="differ in date"):
        concat([one, one.assign_attrs(date="2023-11-15")])
    with pytest.raises(DataError, match="no tape"):
        concat([])
