"""Several tapes as one: more instruments, or a later part of the same ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from mmquant.data.contracts import Contract
from mmquant.data.quarantine import quarantine_of
from mmquant.data.tape import COLUMNS, contracts_of, make_tape
from mmquant.errors import DataError


def concat(tapes: Sequence[xr.Dataset]) -> xr.Dataset:
    """One tape with all rows of ``tapes``, by exchange time; the same contract keeps one id.

    Rows of the same exchange time stand in the order of ``tapes``; ``seq`` is numbered anew.

    Raises
    ------
    DataError
        where there is no tape, or level, date or time zone differ.
    """
    if not tapes:
        raise DataError("there is no tape to put together", fix="give at least one")
    for name in ("level", "date", "timezone"):
        values = list(dict.fromkeys(tape.attrs[name] for tape in tapes))
        if len(values) > 1:
            raise DataError(
                f"tapes differ in {name}: {', '.join(values)}",
                fix="put together tapes of one level, trade date and time zone",
            )
    contracts: list[Contract] = []
    new_ids = [_ids(contracts_of(tape), contracts) for tape in tapes]
    data = {
        name: np.concatenate([tape[name].values for tape in tapes])
        for name in COLUMNS
        if name not in ("seq", "inst")
    }
    data["inst"] = np.concatenate(
        [ids[tape["inst"].values] for tape, ids in zip(tapes, new_ids, strict=True)]
    )
    order = np.argsort(data["exch_ts"], kind="stable")
    merged = make_tape(
        {name: values[order] for name, values in data.items()},
        contracts,
        level=tapes[0].attrs["level"],
        source={"format": "several", "tapes": [json.loads(t.attrs["source"]) for t in tapes]},
        date=tapes[0].attrs["date"],
        timezone=tapes[0].attrs["timezone"],
        notes=list(dict.fromkeys(note for t in tapes for note in json.loads(t.attrs["notes"]))),
        counts=_counts(tapes),
    )
    rows = [row for tape in tapes for row in quarantine_of(tape).to_numpy().tolist()]
    if rows:
        merged.attrs["quarantine"] = json.dumps(rows)
    return merged


def _ids(own: Sequence[Contract], all_of_them: list[Contract]) -> np.ndarray:
    """New id (int16) of each contract of one tape; those not seen before are added."""
    out = np.zeros(max(len(own), 1), np.int16)
    for contract in own:
        same = (c.id for c in all_of_them if replace(contract, id=c.id) == c)
        found = next(same, len(all_of_them))
        if found == len(all_of_them):
            all_of_them.append(replace(contract, id=found))
        out[contract.id] = found
    return out


def _counts(tapes: Sequence[xr.Dataset]) -> dict[str, int]:
    total: dict[str, int] = {}
    for tape in tapes:
        for name, value in json.loads(tape.attrs["counts"]).items():
            total[name] = total.get(name, 0) + value
    return total
