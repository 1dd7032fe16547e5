"""Tapes from a seeded zero-intelligence market: the demo tape, and random tapes of any length.

Prices are invented, and the market neither learns nor remembers: use these tapes to try the
machinery, never to judge a strategy. Same arguments, same bytes.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.core.dtypes import RowKind
from mmquant.core.zero_intelligence import ROW
from mmquant.data.contracts import Contract
from mmquant.data.mapping import PIECE_ROWS
from mmquant.data.market_model import DEMO, MarketModel, simulate_chunks
from mmquant.data.tape import make_tape, tape_attributes
from mmquant.data.tape_facts import facts
from mmquant.errors import UsageError

NS_PER_MINUTE = 60_000_000_000
OPEN_NS = 870 * NS_PER_MINUTE
"""Start of the session, ns after midnight UTC: 09:30 in New York in winter."""
RANDOM_RATE = 20.0
"""Rates of a random tape, as a multiple of the demo market's: about 1,100 rows a second."""
RANDOM_TICK = 50_000
"""First bid of a random tape; the price may go to 0 or to twice this tick."""
COLUMNS = ("exch_ts", "local_ts", "tick", "size", "kind", "side")
MIN_ROWS = 100
"""The shortest random tape: longer than its snapshot."""
NOTES = (
    "Simulated by a zero-intelligence market after Cont, Stoikov and Talreja (2010); no real data.",
    "Prices revert after sweeps as nobody in this market is informed, so passive fills earn more "
    "than in a real market.",
)


def make_demo_tape(
    *,
    seed: int = 7,
    minutes: float = 30,
    rate_scale: float = 1.0,
    instruments: int = 1,
    symbol: str = "DEMO",
    date: str = "2024-01-02",
    model: MarketModel = DEMO,
) -> xr.Dataset:
    """A tape of one simulated session; half an hour has about 100,000 rows an instrument.

    Parameters
    ----------
    seed : any whole number from 0. Same arguments, same bytes.
    minutes : length of the session. [min]
    rate_scale : factor on all rates.
    instruments : how many independent books; number 2 is called ``symbol`` + "2", and so on. The
        rows of the first n instruments do not depend on how many follow.
    date : trade date; the session starts at 14:30 UTC.

    Raises
    ------
    UsageError
        where an argument is out of range.
    DataError
        where the price leaves its range of ticks; happens on sessions of many days.
    """
    _require(instruments >= 1, f"instruments is {instruments}", "give 1 or more")
    _require(0 < minutes < 10**6, f"minutes is {minutes}", "give a number above 0")
    start = _open_ns(date)
    end = start + math.ceil(minutes * NS_PER_MINUTE)
    books = []
    for child in _seeds(seed, instruments):
        chunks = simulate_chunks(model, child, start_ns=start, end_ns=end, rate_scale=rate_scale)
        books.append(np.concatenate(list(chunks)))
    parameters = {"seed": seed, "minutes": float(minutes), "rate_scale": rate_scale}
    contracts = [_contract(i, symbol, "0.01") for i in range(instruments)]
    return make_tape(
        _merge(books),
        contracts,
        source=_source("synthetic", parameters, model),
        date=date,
        notes=NOTES,
        counts={"trades": sum(int((book["kind"] == int(RowKind.TRADE)).sum()) for book in books)},
    )


def make_random_tape(
    rows: int,
    seed: int = 0,
    *,
    rate_scale: float = RANDOM_RATE,
    jitter_ns: int = 0,
    symbol: str = "RANDOM",
    date: str = "2024-01-02",
) -> xr.Dataset:
    """A tape of exactly ``rows`` rows of the demo market, as dense as a busy future, for timing.

    The latency is constant unless ``jitter_ns`` says otherwise. Needs about 100 bytes a row of
    memory; ``random_chunks`` gives the same columns piece by piece.
    """
    chunks = random_chunks(
        rows, seed, chunk_rows=rows, rate_scale=rate_scale, jitter_ns=jitter_ns, date=date
    )
    about = _random_facts(rows, seed, rate_scale, jitter_ns, symbol, date)
    return make_tape(next(chunks), **about)


def write_random_tape(
    path: str | Path,
    rows: int,
    seed: int = 0,
    *,
    rate_scale: float = RANDOM_RATE,
    jitter_ns: int = 0,
    symbol: str = "RANDOM",
    date: str = "2024-01-02",
) -> None:
    """Write the tape of ``make_random_tape`` as a mapped tape, never holding more than a part."""
    from mmquant.data.readers.mapped import write_chunks

    chunks = random_chunks(
        rows, seed, chunk_rows=PIECE_ROWS, rate_scale=rate_scale, jitter_ns=jitter_ns, date=date
    )
    about = _random_facts(rows, seed, rate_scale, jitter_ns, symbol, date)
    write_chunks(chunks, path, tape_attributes(rows=rows, **about))


def _random_facts(
    rows: int, seed: int, rate_scale: float, jitter_ns: int, symbol: str, date: str
) -> dict[str, Any]:
    """What a random tape says of itself."""
    parameters = {"rows": rows, "seed": seed, "rate_scale": rate_scale, "jitter_ns": jitter_ns}
    return {
        "contracts": [_contract(0, symbol, "0.01")],
        "source": _source("random", parameters, DEMO),
        "date": date,
        "notes": NOTES,
    }


def random_chunks(
    rows: int,
    seed: int = 0,
    *,
    chunk_rows: int = 4_000_000,
    rate_scale: float = RANDOM_RATE,
    jitter_ns: int = 0,
    date: str = "2024-01-02",
) -> Iterator[dict[str, np.ndarray]]:
    """The columns of a random tape in chunks of ``chunk_rows`` rows; only the last is shorter.

    A chunk may end inside an event; the tape as a whole never ends on a trade without its depth
    row. The size of the chunks changes no value.
    """
    _require(rows >= MIN_ROWS, f"rows is {rows}", f"give {MIN_ROWS} or more")
    _require(seed >= 0, f"seed is {seed}", "give a whole number from 0")
    _require(chunk_rows >= 1, f"chunk_rows is {chunk_rows}", "give 1 or more")
    _require(jitter_ns >= 0, f"jitter_ns is {jitter_ns}", "give 0 or more")
    events = simulate_chunks(
        replace(DEMO, jitter_ns=jitter_ns),
        seed,
        start_ns=_open_ns(date),
        rate_scale=rate_scale,
        start_tick=RANDOM_TICK,
    )
    done = 0
    for piece in _regroup(_exactly(events, rows), chunk_rows):
        yield _columns(piece, done)
        done += piece.size


def column_digests(tape: xr.Dataset) -> dict[str, str]:
    """SHA-256 of each column's little-endian bytes, by name: the same on every machine."""
    digests = {}
    for name in sorted(str(key) for key in tape.variables):
        values = np.ascontiguousarray(tape[name].to_numpy())
        little = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digests[name] = hashlib.sha256(little.tobytes()).hexdigest()
    return digests


def main(argv: Sequence[str] | None = None) -> int:
    """Write the demo tape and print its facts: ``python -m mmquant.data.synthetic --out FILE``.

    With ``--rows`` a random tape of so many rows is written instead, as a mapped tape and never
    whole in memory: ``--rows 200000000 --out big.tape``.
    """
    parser = argparse.ArgumentParser(prog="python -m mmquant.data.synthetic", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="tape to write")
    parser.add_argument("--rows", type=int, help="a random mapped tape of so many rows")
    kinds = {"seed": int, "minutes": float, "rate-scale": float, "instruments": int}
    for name, kind in (kinds | {"symbol": str, "date": str}).items():
        parser.add_argument(f"--{name}", type=kind, default=argparse.SUPPRESS)
    options = vars(parser.parse_args(argv))
    out: Path = options.pop("out")
    rows = options.pop("rows")
    if rows is not None:
        for name in ("minutes", "instruments"):
            _require(name not in options, f"--{name} is given with --rows", "leave one of them out")
        write_random_tape(out, rows, **options)
        size = sum(file.stat().st_size for file in out.iterdir())
        sys.stdout.write(json.dumps({"bytes": size, "rows": rows}) + "\n")
        return 0
    from mmquant.data.readers import write_tape

    tape = make_demo_tape(**options)
    write_tape(tape, out)
    table = {name: round(value, 4) for name, value in facts(tape).items()}
    sys.stdout.write(json.dumps({"bytes": out.stat().st_size, **table}) + "\n")
    return 0


def _require(holds: bool, what: str, fix: str) -> None:
    if not holds:
        raise UsageError(what, fix=fix)


def _open_ns(date: str) -> int:
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        raise UsageError(f"date is {date!r}", fix="give it as YYYY-MM-DD") from None
    return (day - datetime.date(1970, 1, 1)).days * 1440 * NS_PER_MINUTE + OPEN_NS


def _seeds(seed: int, instruments: int) -> list[np.random.SeedSequence]:
    _require(seed >= 0, f"seed is {seed}", "give a whole number from 0")
    return np.random.SeedSequence(seed).spawn(instruments)


def _contract(i: int, symbol: str, tick: str) -> Contract:
    return Contract.equity(i, symbol if i == 0 else f"{symbol}{i + 1}", venue="SIM", tick=tick)


def _source(name: str, parameters: dict[str, float], model: MarketModel) -> dict[str, object]:
    return {"format": name, "files": [], "parameters": parameters, "model": asdict(model)}


def _columns(rows: np.ndarray, first_seq: int) -> dict[str, np.ndarray]:
    columns = {name: np.ascontiguousarray(rows[name]) for name in COLUMNS}
    columns["seq"] = np.arange(first_seq, first_seq + rows.size, dtype=np.int64)
    return columns


def _merge(books: list[np.ndarray]) -> dict[str, np.ndarray]:
    """One tape of all books by exchange time; what is received stays in the same order."""
    rows = np.concatenate(books)
    inst = np.repeat(np.arange(len(books), dtype=np.int16), [book.size for book in books])
    order = np.argsort(rows["exch_ts"], kind="stable")
    columns = _columns(rows[order], 0) | {"inst": inst[order]}
    columns["local_ts"] = np.maximum.accumulate(columns["local_ts"])
    return columns


def _exactly(pieces: Iterator[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """The first ``rows`` rows. A trade cut off from its depth row says again what a level holds."""
    before = np.zeros(0, dtype=ROW)
    for piece in pieces:
        if piece.size < rows:
            rows -= piece.size
            before = piece
            yield piece
            continue
        last = piece[:rows].copy()
        if last["kind"][-1] == int(RowKind.TRADE):
            again = _standing(np.concatenate([before, last[:-1]]))
            for name in ("kind", "tick", "size", "side"):
                last[name][-1] = again[name]
        yield last
        return


def _standing(rows: np.ndarray) -> np.ndarray:
    """The last depth row whose level still holds what it says."""
    later: set[tuple[int, int]] = set()
    for row in rows[rows["kind"] == int(RowKind.DEPTH)][::-1]:
        level = (int(row["side"]), int(row["tick"]))
        if row["size"] > 0 and level not in later:
            break
        later.add(level)
    return row


def _regroup(pieces: Iterator[np.ndarray], chunk_rows: int) -> Iterator[np.ndarray]:
    """The same rows in groups of ``chunk_rows``; the last is what remains."""
    held: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.size
        if count < chunk_rows:
            continue
        joined = np.concatenate(held)
        whole = count - count % chunk_rows
        yield from (joined[i : i + chunk_rows] for i in range(0, whole, chunk_rows))
        held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


if __name__ == "__main__":
    raise SystemExit(main())
