"""Latencies over time: measured, thinned to knots, interpolated, and their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmquant.data.files import existing, written_whole
from mmquant.errors import DataError, UsageError
from mmquant.schema import TABLES, validate

KNOTS = 1000
"""Knots that measurements are thinned to by default."""
SHARES = {"p10": 0.1, "median": 0.5, "p90": 0.9, "p99": 0.99}
LONGEST_NS = 3_600_000_000_000
"""Longest latency that a run takes: an hour."""
MEASURED = ("request_ts", "exch_ts", "response_ts")
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class LatencyModel:
    """Latencies by local time, between knots.

    Attributes
    ----------
    table : schema of the knots: "feed_latency" (ts, feed_ns) or "order_latency" (ts, entry_ns,
        response_ns).
    knots : that table: times rise, latencies are at least 1. [ns]
    """

    table: str
    knots: pd.DataFrame

    def __post_init__(self) -> None:
        validate(self.knots, self.table)
        check_knots(self.knots, self.table, where="")

    @property
    def latencies(self) -> list[str]:
        """Names of the columns of latencies."""
        return [column.name for column in TABLES[self.table].columns if column.name != "ts"]

    def at(self, ts: np.ndarray) -> pd.DataFrame:
        """Latencies at times, on the straight line between knots; the end knots hold beyond. [ns]

        A frame of int64 with the columns of ``latencies``, one row a time.
        """
        knots = self.knots["ts"].to_numpy()
        # From the first knot: a double cannot tell nanoseconds since the epoch apart.
        x, at = (np.asarray(t, np.int64) - knots[0] for t in (ts, knots))
        return pd.DataFrame(
            {
                name: np.rint(np.interp(x, at, self.knots[name].to_numpy())).astype(np.int64)
                for name in self.latencies
            }
        )

    def write(self, path: str | Path) -> None:
        """Write the knots as .parquet or .csv, by the name of the file."""
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise UsageError(
                f"cannot write knots as {path.suffix or 'a file without a suffix'}",
                where=str(path),
                fix=f"name it with {' or '.join(SUFFIXES)}",
            )
        with written_whole(path) as temporary:
            if path.suffix == ".csv":
                self.knots.to_csv(temporary, index=False)
            else:
                self.knots.to_parquet(temporary, index=False)


def check_knots(knots: pd.DataFrame, table: str, *, where: str) -> None:
    """Raise DataError, naming row and column, unless times rise and latencies are at least 1 ns."""
    if knots.empty:
        raise DataError(f"{table} has no knots", where=where, fix="give at least one row")

    def refuse(bad: np.ndarray, name: str, what: str, fix: str) -> None:
        if bad.any():
            place = f"row {int(np.flatnonzero(bad)[0]) + 1}, column {name!r}"
            raise DataError(what, where=f"{where}, {place}".removeprefix(", "), fix=fix)

    early = np.append(False, np.diff(knots["ts"].to_numpy()) <= 0)
    refuse(early, "ts", f"{table}: times of knots do not rise", "sort ts, and keep one of a time")
    for name in knots.columns.drop("ts"):
        what, fix = f"{table}: {name} is below 1 ns", "correct the clocks, see the docs"
        refuse(knots[name].to_numpy() < 1, name, what, fix)


def read_latency(path: str | Path) -> LatencyModel:
    """A model from a file of knots, feed or order by its columns. Raises DataError."""
    frame = _read(path)
    table = "feed_latency" if "feed_ns" in frame else "order_latency"
    frame = pd.DataFrame({name: _whole(frame[name], path) for name in frame})
    validate(frame, table, where=str(path))
    check_knots(frame, table, where=str(path))
    return LatencyModel(table, frame)


def _whole(column: pd.Series, path: str | Path) -> pd.Series:
    """A column as int64. Raises DataError where a value is missing or is no whole number."""
    for bad, what in (
        (column.isna(), "a knot has empty values"),
        (_fractions(column), "knots hold values that are not whole numbers"),
    ):
        if bad.any():
            place = f"row {int(np.flatnonzero(bad)[0]) + 1}, column {column.name!r}"
            raise DataError(what, where=f"{path}, {place}", fix="give ns as whole numbers")
    return column.astype("int64")


def _fractions(column: pd.Series) -> pd.Series:
    """Where values are no whole numbers, or floats too large to be sure that they are."""
    kind = column.dtype.kind
    if kind in "iu":
        return column > np.iinfo(np.int64).max
    if kind in "bmM":
        return column.notna()
    number = pd.to_numeric(column.astype(object), errors="coerce").astype("float64")
    return number.isna() | (number % 1 != 0) | (number.abs() > 2.0**53)


def read_order_times(path: str | Path) -> tuple[pd.DataFrame, int]:
    """Measured times of orders from .csv or .parquet, in order of request, and rows left out.

    Columns ``request_ts`` and ``response_ts`` (local clock) and ``exch_ts`` (exchange) [ns]; others
    are ignored. Rows that lack one, such as orders without a response, are left out and counted.

    Raises
    ------
    DataError
        where a column is missing or not whole numbers, or a time is before the one that it must
        follow.
    """
    frame = _read(path)
    for name in MEASURED:
        if name not in frame:
            raise DataError(
                f"column {name!r} is missing",
                where=str(path),
                fix=f"give the columns {', '.join(MEASURED)} in ns since the epoch, UTC",
            )
    frame = frame[list(MEASURED)]
    _refuse_fractions(frame, path)
    whole = frame.notna().all(axis=1)
    times = frame[whole].astype("int64")
    for before, after in (MEASURED[:2], MEASURED[1:]):
        refuse_negative(
            times[after].to_numpy() - times[before].to_numpy(),
            f"{after} is before {before}",
            str(path),
            np.flatnonzero(whole.to_numpy()) + 1,
        )
    times = times.sort_values("request_ts", kind="stable", ignore_index=True)
    return times, int((~whole).sum())


def refuse_negative(latency: np.ndarray, what: str, where: str, rows: np.ndarray) -> None:
    """Raise DataError where a latency is negative: one clock is behind the other."""
    bad = np.flatnonzero(latency < 0)
    if bad.size:
        raise DataError(
            f"{what} in {bad.size} of {len(latency)} rows, by up to {-int(latency.min())} ns",
            where=f"{where}, row {int(rows[bad[0]])}",
            fix="one clock is behind the other: shift the local times by a constant",
        )


def _refuse_fractions(frame: pd.DataFrame, path: str | Path) -> None:
    for name in frame.columns:
        if frame[name].dtype.kind not in "iu" and len(frame):
            raise DataError(
                f"column {name!r} is {frame[name].dtype}, not whole numbers",
                where=str(path),
                fix="give ns since the epoch, or between two times, as integers",
            )


def _read(path: str | Path) -> pd.DataFrame:
    file = existing(path)
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file, dtype_backend="numpy_nullable")
        return pd.read_csv(file, dtype_backend="numpy_nullable")
    except (ValueError, OSError) as error:
        raise DataError(
            f"the file is not readable ({' '.join(str(error).split())})",
            where=str(file),
            fix="give a .csv with a line of names, or a .parquet",
        ) from None


def thinned(
    table: str, ts: np.ndarray, latency: Mapping[str, np.ndarray], knots: int
) -> LatencyModel:
    """A model of measurements in order of ``ts``: each knot is one of them.

    They are cut into ``knots`` parts of equal number, and the knot of a part is the measurement of
    median total latency. Of measurements at the same time the slowest counts.
    """
    total = np.sum([np.asarray(values) for values in latency.values()], axis=0)
    order = np.lexsort((total, ts))
    order = order[np.append(np.diff(ts[order]) > 0, True)]
    parts = np.array_split(order, min(knots, len(order)))
    chosen = np.array(
        [part[np.argsort(total[part], kind="stable")[(len(part) - 1) // 2]] for part in parts]
    )
    columns = {name: np.maximum(values[chosen], 1) for name, values in latency.items()}
    return LatencyModel(table, pd.DataFrame({"ts": ts[chosen], **columns}))


def constants(latency: np.ndarray) -> dict[str, int]:
    """Smallest, quantiles and largest of measured latencies; each is one of them. [ns]"""
    quantiles = {
        name: int(np.quantile(latency, share, method="inverted_cdf"))
        for name, share in SHARES.items()
    }
    return {"min": int(latency.min()), **quantiles, "max": int(latency.max())}
