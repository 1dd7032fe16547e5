"""The neutral event file (.npz) that other engines read too: one instrument, one tick size.

Arrays: ``exch_ts``, ``local_ts`` int64 [ns]; ``kind`` uint8 (1 depth, 2 trade, 3 clear, 4
snapshot); ``side`` int8 (+1, -1); ``px_tick`` int64; ``qty`` float64 [units]; ``tick_size`` and
``lot_size`` scalars. Rows are in order of exchange time, and local_ts - exch_ts is constant.
"""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.data.contracts import Contract, lots_to_size, size_to_lots
from mmquant.data.files import existing, file_digest, written_whole
from mmquant.data.quarantine import Quarantine
from mmquant.data.readers import PathLike
from mmquant.data.readers.parquet import one_path
from mmquant.data.screening import screen
from mmquant.data.tape import contracts_of, make_tape, validate_tape
from mmquant.errors import DataError

COLUMNS = ("exch_ts", "local_ts", "kind", "side", "px_tick", "qty")
SCALARS = ("tick_size", "lot_size")
KINDS = (RowKind.DEPTH, RowKind.TRADE, RowKind.CLEAR, RowKind.SNAPSHOT)


def read(
    path: PathLike,
    *,
    lenient: bool = False,
    contract: Contract | None = None,
    symbol: str | None = None,
    venue: str = "unknown",
    kind: str = "other",
    date: str | None = None,
    allow_crossed: bool = False,
) -> xr.Dataset:
    """Read a neutral file as a tape.

    Parameters
    ----------
    contract : the instrument; its tick and lot must be those of the file. Without it one is made
        from the file and ``symbol`` (default: the name of the file), ``venue`` and ``kind``.
    date : trade date (ISO); default the UTC date of the first row.
    allow_crossed : keep rows that leave the book crossed after their packet.

    Raises
    ------
    DataError
        also where a quantity is off the lot grid, or lots or ticks are beyond int32.
    """
    file = existing(one_path(path))
    q = Quarantine(file, lenient)
    data = _load(file, q)
    n = len(data["exch_ts"])
    rows = np.arange(1, n + 1)
    contract = _contract(data, file, contract, symbol, venue, kind)
    keep = np.ones(n, bool)
    for mask, reason, fix in _faults(data, contract):
        keep &= q.bad(mask, reason, rows, fix=fix)
    lots, _ = size_to_lots(contract, np.where(keep, data["qty"], 0.0))
    columns = {
        name: data[name].astype(np.int64) for name in ("exch_ts", "local_ts", "kind", "side")
    }
    columns |= {"tick": data["px_tick"].astype(np.int64), "size": lots, "seq": rows - 1}
    zeros = np.zeros(n, np.int64)
    columns |= {"subtick": zeros, "order_id": zeros, "inst": zeros}
    good = screen(
        {name: values[keep] for name, values in columns.items()},
        rows[keep],
        q,
        1,
        allow_crossed=allow_crossed,
    )
    tape = make_tape(
        good,
        [contract],
        source={"format": "neutral", "files": [file_digest(file)]},
        date=date or _utc_date(good["exch_ts"]),
    )
    return q.attach(tape)


def _load(path: Path, q: Quarantine) -> dict[str, np.ndarray]:
    """The arrays of the file, all of one length. Raises DataError."""
    names = COLUMNS + SCALARS
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            for name in names:
                if name not in file:
                    q.fail(f"array {name!r} is missing", fix=f"the file needs {', '.join(names)}")
            data = {name: file[name] for name in names}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, AttributeError) as error:
        q.fail(f"this is not a whole .npz file ({error})", fix="it may be cut off: copy it again")
    n = len(np.atleast_1d(data["exch_ts"]))
    for name in COLUMNS:
        kind = "f" if name == "qty" else "iu"
        if data[name].dtype.kind not in kind + "iu":
            q.fail(f"array {name!r} is {data[name].dtype}", fix="write the types of the format")
        if data[name].shape != (n,):
            q.fail(f"array {name!r} has shape {data[name].shape}, not ({n},)", fix="copy it again")
    for name in SCALARS:
        if data[name].size != 1 or not float(data[name].reshape(-1)[0]) > 0:
            q.fail(f"{name} is not one positive number", fix="write the instrument's grid")
    return data


def _faults(data: dict[str, np.ndarray], contract: Contract) -> list[tuple[np.ndarray, str, str]]:
    qty = data["qty"].astype(np.float64)
    finite = np.isfinite(qty)
    _, on_grid = size_to_lots(contract, np.where(finite, qty, 0.0))
    side = data["side"].astype(np.int64)
    return [
        (~finite, "qty is NaN or infinite", "give every quantity"),
        (finite & (qty < 0), "size is negative", "quantities are 0 or more"),
        (
            ~np.isin(data["kind"], [int(kind) for kind in KINDS]),
            "kind is unknown",
            "use 1 depth, 2 trade, 3 clear, 4 snapshot",
        ),
        ((side != 1) & (side != -1), "side is unknown", "use +1 or -1"),
        (
            ~on_grid,
            f"qty is not a whole number of lots of {contract.lot}",
            "correct lot_size in the file",
        ),
    ]


def _contract(
    data: dict[str, np.ndarray],
    path: Path,
    contract: Contract | None,
    symbol: str | None,
    venue: str,
    kind: str,
) -> Contract:
    tick, lot = (_decimal(float(data[name].reshape(-1)[0])) for name in SCALARS)
    if contract is None:
        name = symbol or path.name.removesuffix(".npz")
        return Contract.simple(0, name, tick=tick, lot=lot, kind=kind, venue=venue)
    own = _grid_of(contract, path)
    if own != (tick, lot):
        raise DataError(
            f"the file has tick {tick} and lot {lot}, the contract {own[0]} and {own[1]}",
            where=str(path),
            fix="give the contract of that file",
        )
    return contract


def _decimal(value: float) -> str:
    """The shortest decimal of a float: 0.1 for 0.1, 10 for 10.0."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _grid_of(contract: Contract, path: str | Path) -> tuple[str, str]:
    """Tick and lot of a contract that has one ladder of one step."""
    steps = [step for ladder in contract.ladders for step in ladder.steps]
    if len(steps) != 1:
        raise DataError(
            f"contract {contract.symbol!r} has {len(steps)} tick sizes",
            where=str(path),
            fix="a neutral file holds one tick size: write Parquet",
        )
    return _decimal(float(steps[0].tick)), _decimal(float(contract.lot))


def _utc_date(exch_ts: np.ndarray) -> str:
    first = int(exch_ts[0]) // 10**9 if exch_ts.size else 0
    return datetime.fromtimestamp(first, UTC).date().isoformat()


def write(tape: xr.Dataset, path: str | Path, *, lossy: bool = False) -> dict[str, int]:
    """Write a tape as a neutral file.

    What the format cannot hold is refused: several instruments or tick sizes, a receive delay that
    is not constant; and, unless ``lossy``, trades off the grid, of unknown side, and status rows.
    With ``lossy`` trades are floored to their tick, and rows of unknown side and status rows are
    left out. Returns the counts ``rows``, ``floored`` and ``left_out``.
    """
    validate_tape(tape)
    contracts = contracts_of(tape)
    if len(contracts) != 1:
        _cannot(path, f"{len(contracts)} instruments", "write Parquet")
    tick, lot = _grid_of(contracts[0], path)
    kind, side = tape["kind"].values, tape["side"].values
    delay = tape["local_ts"].values - tape["exch_ts"].values
    if delay.size and (delay != delay[0]).any():
        _cannot(path, "a delay of local_ts that is not constant", "write Parquet")
    keep = np.isin(kind, [int(code) for code in KINDS]) & (side != 0)
    floored = keep & (tape["subtick"].values != 0)
    if not lossy and (floored.any() or not keep.all()):
        what = (
            f"{floored.sum()} trades off the grid, {(~keep).sum()} rows without side or of status"
        )
        _cannot(path, what, "write Parquet, or pass lossy=True")
    arrays = {
        "exch_ts": tape["exch_ts"].values[keep],
        "local_ts": tape["local_ts"].values[keep],
        "kind": kind[keep].astype(np.uint8),
        "side": side[keep],
        "px_tick": tape["tick"].values[keep].astype(np.int64),
        "qty": lots_to_size(contracts[0], tape["size"].values[keep]),
        "tick_size": np.float64(tick),
        "lot_size": np.float64(lot),
    }
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return {"rows": int(keep.sum()), "floored": int(floored.sum()), "left_out": int((~keep).sum())}


write_neutral = write


def _cannot(path: str | Path, what: str, fix: str) -> None:
    raise DataError(f"a neutral file cannot hold {what}", where=str(path), fix=fix)
