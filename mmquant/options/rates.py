"""Interest rates: flat, or a curve of zero rates from a file of par yields or overnight rates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmquant.errors import DataError

OVERNIGHT_DAYS = 360.0
"""Days of a year by which overnight rates such as SOFR accrue."""
TERM = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(mo|month|months|yr|year|years|wk|week|weeks)\s*$", re.I)
PER_YEAR = {"m": 12.0, "y": 1.0, "w": 52.0}


@dataclass(frozen=True)
class RateCurve:
    """Zero rates, continuously compounded [1/year], by years; flat beyond both ends."""

    years: np.ndarray
    rates: np.ndarray
    source: str

    @classmethod
    def flat(cls, rate: float, source: str = "flat") -> RateCurve:
        return cls(np.array([1.0]), np.array([rate]), source)

    def rate(self, years: np.ndarray) -> np.ndarray:
        """Zero rate to each year fraction [1/year]; linear in rate * years between the terms."""
        years = np.asarray(years, float)
        t, growth = np.append(0.0, self.years), np.append(0.0, self.years * self.rates)
        inside = np.interp(years, t, growth)
        last = years > t[-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(last, self.rates[-1], inside / years)
        return np.where(years > 0, found, self.rates[0])


def read_rates(path: str | Path, date: str) -> RateCurve:
    """The curve of a date from a CSV file; the last row on or before it counts.

    Either the Treasury's par yields: a column ``Date`` and columns such as ``1 Mo``, ``2 Yr``, in
    per cent; or overnight rates: ``Effective Date`` and ``Rate (%)``, as the New York Fed gives
    SOFR.

    Raises
    ------
    DataError
        where the file cannot be read, has no such columns, or no row on or before the date.
    """
    file = Path(path)
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read rates: {error}", where=str(file), fix="check it") from error
    names = {str(name).strip().lower(): name for name in table.columns}
    day = next((names[key] for key in ("date", "effective date") if key in names), None)
    if day is None:
        raise DataError("there is no column 'Date'", where=file.name, fix="name the dates so")
    days = pd.to_datetime(table[day], errors="coerce")
    past = table[(days <= pd.Timestamp(date)).to_numpy()]
    if past.empty:
        raise DataError(f"there is no row on or before {date}", where=file.name, fix="add it")
    newest = int(np.argmax(days.where(days <= pd.Timestamp(date)).fillna(pd.Timestamp.min)))
    row = table.iloc[newest]
    source = f"{file.name} of {days.iloc[newest].date()}"
    if "rate (%)" in names:
        rate = _number(row, names["rate (%)"], file)
        return RateCurve.flat(365.0 * np.log1p(rate / 100 / OVERNIGHT_DAYS), source)
    terms = sorted(
        (float(found[1]) / PER_YEAR[found[2][0].lower()], name)
        for name in table.columns
        if (found := TERM.match(str(name))) and pd.notna(row[name])
    )
    if not terms:
        raise DataError(
            "there are no columns such as '1 Mo' or '2 Yr', and none 'Rate (%)'",
            where=file.name,
            fix="give par yields of the Treasury, or overnight rates",
        )
    years = np.array([term for term, _ in terms])
    return RateCurve(
        years, zero_rates(years, np.array([_number(row, n, file) for _, n in terms]) / 100), source
    )


def zero_rates(years: np.ndarray, par: np.ndarray) -> np.ndarray:
    """Continuously compounded zero rates of par yields [1/year] with half-yearly coupons.

    Terms of up to half a year pay at their end alone. Between terms, par yields are linear.
    """
    last = max(float(years[-1]), 0.5)
    grid = np.arange(0.5, last + 0.25, 0.5)
    yields = np.interp(grid, years, par)
    discount = np.empty(grid.size)
    for i, coupon in enumerate(yields / 2):
        discount[i] = (1 - coupon * discount[:i].sum()) / (1 + coupon)
    short = years < 0.5
    zero = np.interp(years, grid, -np.log(discount) / grid)
    return np.where(short, np.log1p(par * years) / years, zero)


def _number(row: pd.Series, name: str, file: Path) -> float:
    value = pd.to_numeric(row[name], errors="coerce")
    if not np.isfinite(value):
        raise DataError(
            f"{row[name]!r} in column {name!r} is no number", where=file.name, fix="correct it"
        )
    return float(value)
