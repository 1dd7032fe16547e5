"""Markouts: what a fill is worth some time later, and what adverse selection took of it.

Signs are the maker's: s = +1 bought, -1 sold. With mid M and fill price p:

* capture (effective half-spread)   s * (M_t - p)
* markout (realized half-spread)    s * (M_{t+h} - p)
* impact (adverse selection)        s * (M_t - M_{t+h})

so that effective = realized + impact, fill by fill. The market's convention has the taker's sign
D = -s and the whole spread: effective 2 * D * (p - M_t), realized 2 * D * (p - M_{t+h}), impact
2 * D * (M_{t+h} - M_t). For a maker's fill those are twice the three above, with the same sign.

M_t is the exchange's mid just before the fill, from the fill log. M_{t+h} is the mid of the last
path step at or before t + h on the local clock, t being the fill's local receipt. The path is
sampled at decisions, so that mid can be as old as the time between two decisions.
A fill whose t + h lies past the last step, or that finds no two-sided mid there, is dropped and
counted. Nothing is put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.trading.intervals import mean_interval
from mmquant.trading.run_tables import (
    Bools,
    Fills,
    Floats,
    Multipliers,
    inst_ids,
    multipliers_of,
    path_column,
    path_times,
    per_fill,
)

HORIZONS_S = (1.0, 5.0, 30.0, 300.0)
"""Default markout horizons. [s]"""

STATUSES = ("used", "past_end", "no_mid", "no_mid_at_fill")
USED, PAST_END, NO_MID, NO_MID_AT_FILL = range(4)
COLUMNS = (
    *("fill", "horizon_s", "timestamp", "inst", "side", "size", "multiplier"),
    *("effective", "markout", "impact", "status"),
)
Columns = dict[str, np.ndarray]


def two_sided_mid(path: xr.Dataset) -> Floats:
    """Mid of each step, NaN where either side of the book is missing, shape (time, inst)."""
    mid = path_column(path, "mid")
    for side in ("bid", "ask"):
        if side in path:
            mid = np.where(np.isfinite(path_column(path, side)), mid, np.nan)
    return mid


def mids_after(
    *, path: xr.Dataset, fills: pd.DataFrame, horizons_s: Sequence[float]
) -> tuple[Floats, Bools]:
    """Mid at each horizon after each fill (NaN: none), and whether that is past the path's end.

    Returns two arrays of shape (horizon, fill).
    """
    log, times, mid = Fills.of(fills), path_times(path), two_sided_mid(path)
    ahead = np.array([round(h * 1e9) for h in horizons_s], dtype=np.int64)
    target = log.time[None, :] + ahead[:, None]
    past_end = target > (times[-1] if len(times) else np.iinfo(np.int64).min)
    step = np.searchsorted(times, target, side="right") - 1
    found = np.full(target.shape, np.nan)
    for i, inst in enumerate(inst_ids(path)):
        rows = (log.inst == inst) & (step >= 0) & ~past_end
        found[rows] = mid[step[rows], i]
    return found, past_end


def fill_markouts(
    *,
    path: xr.Dataset,
    fills: pd.DataFrame,
    horizons_s: Sequence[float] = HORIZONS_S,
    multipliers: Multipliers | None = None,
) -> pd.DataFrame:
    """One row per fill and horizon.

    Columns: ``fill`` (row of the fill log), ``horizon_s`` [s], ``timestamp`` [ns], ``inst``,
    ``side``, ``size`` [units], ``multiplier``, ``effective``, ``markout``, ``impact`` [currency per
    unit], ``status`` (used, past_end, no_mid). A dropped fill has NaN markout and impact; a fill
    without a mid of its own has NaN effective and impact.
    """
    columns = _fill_columns(path, fills, horizons_s, multipliers)
    columns["side"] = columns["side"].astype(np.int8)
    columns["status"] = np.array(STATUSES, dtype=object)[columns["status"]]
    return pd.DataFrame(columns)


def _fill_columns(
    path: xr.Dataset,
    fills: pd.DataFrame,
    horizons_s: Sequence[float],
    multipliers: Multipliers | None,
) -> Columns:
    """The columns of `fill_markouts`, horizon by horizon; status as place in STATUSES."""
    log = Fills.of(fills)
    scale = per_fill(multipliers_of(path=path, fills=fills, multipliers=multipliers), log.inst)
    later, past_end = mids_after(path=path, fills=fills, horizons_s=horizons_s)
    status = np.where(past_end, PAST_END, np.where(np.isfinite(later), USED, NO_MID))
    flat = {
        "horizon_s": np.repeat(np.asarray(horizons_s, dtype=np.float64), len(log)),
        "markout": (log.side * (later - log.price)).ravel(),
        "impact": (log.side * (log.mid - later)).ravel(),
        "status": status.ravel(),
    }
    own = {
        "fill": np.arange(len(log)),
        "timestamp": log.time,
        "inst": log.inst,
        "side": log.side,
        "size": log.size,
        "multiplier": scale,
        "effective": log.side * (log.mid - log.price),
    }
    found = {name: np.tile(values, len(horizons_s)) for name, values in own.items()} | flat
    return {name: found[name] for name in COLUMNS}


def weighted_mean(values: Floats, weights: Floats) -> tuple[float, float]:
    """Weighted mean and its standard error, the values taken as independent.

    Equal weights give the usual s / sqrt(n). NaN: no value for the mean, fewer than two for
    the error.
    """
    total = float(weights.sum())
    if len(values) == 0 or total <= 0.0:
        return np.nan, np.nan
    mean = float((weights * values).sum()) / total
    n = len(values)
    if n < 2:
        return mean, np.nan
    squares = float((weights**2 * (values - mean) ** 2).sum()) * n / (n - 1)
    return mean, float(np.sqrt(squares)) / total


def markout_table(
    *,
    path: xr.Dataset,
    fills: pd.DataFrame,
    horizons_s: Sequence[float] = HORIZONS_S,
    by: Sequence[str] = (),
    multipliers: Multipliers | None = None,
) -> pd.DataFrame:
    """Mean markouts by horizon and by the columns in ``by`` ("inst", "side").

    Columns: ``horizon_s`` [s], the ``by`` columns, ``fills``, ``used``, ``past_end``, ``no_mid``
    (counts; the last three add up to ``fills``), ``mean`` and ``se`` (each fill counts once),
    ``sized_mean`` and ``sized_se`` (each unit counts once) [currency per unit], ``units`` of the
    used fills, ``total`` [currency]. ``low``, ``high``, ``sized_low`` and ``sized_high`` bound 95 %
    intervals of the two means by a block bootstrap over time (`intervals.mean_interval`), NaN with
    the reason in ``why`` where there are too few blocks. The standard errors take fills as
    independent, so they are too small where fills cluster.
    """
    rows = _fill_columns(path, fills, horizons_s, multipliers)
    times = path_times(path)
    span = (int(times[0]), int(times[-1])) if len(times) else (0, 0)
    return _grouped(rows, horizons_s, by, partial(_markout_row, span))


def adverse_selection(
    *,
    path: xr.Dataset,
    fills: pd.DataFrame,
    horizons_s: Sequence[float] = HORIZONS_S,
    by: Sequence[str] = (),
    multipliers: Multipliers | None = None,
) -> pd.DataFrame:
    """Effective half-spread = realized + impact, all three on the same fills.

    A fill is used where its markout is, and where it has a mid of its own. Columns: ``horizon_s``
    [s], the ``by`` columns, ``fills``, ``used``, ``past_end``, ``no_mid``, ``no_mid_at_fill``
    (counts; the last four add up to ``fills``), ``effective``, ``realized``, ``impact``
    [currency per unit, each unit counts once], ``effective_total``, ``realized_total``,
    ``impact_total``, ``check`` = effective_total - realized_total - impact_total [currency].
    """
    rows = _fill_columns(path, fills, horizons_s, multipliers)
    blind = (rows["status"] == USED) & ~np.isfinite(rows["effective"])
    rows["status"] = np.where(blind, NO_MID_AT_FILL, rows["status"])
    return _grouped(rows, horizons_s, by, _adverse_row)


def _grouped(
    rows: Columns,
    horizons_s: Sequence[float],
    by: Sequence[str],
    summary: Callable[[float, Columns], dict[str, Any]],
) -> pd.DataFrame:
    """One row per horizon and group; without ``by`` a horizon without fills has its row too."""
    keys = np.stack([np.ones(len(rows["fill"])), *(rows[name] for name in by)], axis=1)
    groups = np.unique(keys, axis=0) if by else np.ones((1, 1))
    out = []
    for horizon in horizons_s:
        here = rows["horizon_s"] == horizon
        for group in groups:
            chosen = here & (keys == group).all(axis=1)
            named = {name: int(value) for name, value in zip(by, group[1:], strict=True)}
            part = {name: values[chosen] for name, values in rows.items()}
            out.append({"horizon_s": float(horizon)} | named | summary(horizon, part))
    return pd.DataFrame(out, columns=None if out else ["horizon_s", *by])


def _counts(rows: Columns, *statuses: int) -> dict[str, float]:
    counts = {STATUSES[s]: int((rows["status"] == s).sum()) for s in statuses}
    return {"fills": len(rows["fill"]), **counts}


def _markout_row(span: tuple[int, int], horizon_s: float, rows: Columns) -> dict[str, Any]:
    used = rows["status"] == USED
    values, size = rows["markout"][used], rows["size"][used]
    clock = {"times": rows["timestamp"][used], "start": span[0], "end": span[1]}
    equal = mean_interval(values=values, horizon_s=horizon_s, **clock)
    sized = mean_interval(values=values, weights=size, horizon_s=horizon_s, **clock)
    mean, se = weighted_mean(values, np.ones(len(values)))
    sized_mean, sized_se = weighted_mean(values, size)
    return _counts(rows, USED, PAST_END, NO_MID) | {
        "mean": mean,
        "se": se,
        "low": equal.low,
        "high": equal.high,
        "sized_mean": sized_mean,
        "sized_se": sized_se,
        "sized_low": sized.low,
        "sized_high": sized.high,
        "why": equal.why or sized.why,
        "units": float(size.sum()),
        "total": float((values * size * rows["multiplier"][used]).sum()),
    }


def _adverse_row(_: float, rows: Columns) -> dict[str, float]:
    used = rows["status"] == USED
    size = rows["size"][used]
    value = size * rows["multiplier"][used]
    out = _counts(rows, USED, PAST_END, NO_MID, NO_MID_AT_FILL)
    for name, source in (("effective", "effective"), ("realized", "markout"), ("impact", "impact")):
        per_unit = rows[source][used]
        out[name] = weighted_mean(per_unit, size)[0]
        out[f"{name}_total"] = float((per_unit * value).sum())
    out["check"] = out["effective_total"] - out["realized_total"] - out["impact_total"]
    return out
