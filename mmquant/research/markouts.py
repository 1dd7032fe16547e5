"""Markouts: what a fill is worth some time later, and what adverse selection took of it.

Signs are the maker's: s = +1 bought, -1 sold. With mid M and fill price p:

* capture (effective half-spread)   s * (M_t - p)
* markout (realized half-spread)    s * (M_{t+h} - p)
* impact (adverse selection)        s * (M_t - M_{t+h})

so that effective = realized + impact, fill by fill.

M_t is the exchange's mid just before the fill, from the fill log. M_{t+h} is the mid of the last
path step at or before t + h on the local clock, t being the fill's local receipt. The path is
sampled at decisions, so that mid can be as old as the time between two decisions.
A fill whose t + h lies past the last step, or that finds no two-sided mid there, is dropped and
counted. Nothing is put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.research.tables import (
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

USED, PAST_END, NO_MID, NO_MID_AT_FILL = "used", "past_end", "no_mid", "no_mid_at_fill"


def two_sided_mid(path: xr.Dataset) -> Floats:
    """Mid of each step, NaN where either side of the book is missing, shape (time, inst)."""
    mid = path_column(path, "mid")
    for side in ("bid", "ask"):
        if side in path:
            mid = np.where(np.isfinite(path_column(path, side)), mid, np.nan)
    return mid


def mids_after(*, path: xr.Dataset, fills: pd.DataFrame, horizon_s: float) -> tuple[Floats, Bools]:
    """Mid ``horizon_s`` after each fill (NaN: none) and whether that lies past the path's end.

    Returns two arrays of shape (fill,).
    """
    log, times, mid = Fills.of(fills), path_times(path), two_sided_mid(path)
    target = log.time + round(horizon_s * 1e9)
    past_end = target > times[-1] if len(times) else np.ones(len(log), dtype=np.bool_)
    step = np.searchsorted(times, target, side="right") - 1
    ids = inst_ids(path)
    found = np.full(len(log), np.nan)
    for i, inst in enumerate(ids):
        rows = np.flatnonzero((log.inst == inst) & (step >= 0) & ~past_end)
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

    Columns: ``fill`` (row of the fill log), ``horizon_s`` [s], ``inst``, ``side``, ``size``
    [units], ``multiplier``, ``effective``, ``markout``, ``impact`` [currency per unit of the
    underlying price], ``status`` (used, past_end, no_mid). A dropped fill has NaN markout and
    impact; a fill without a mid of its own has NaN effective and impact.
    """
    log = Fills.of(fills)
    scale = per_fill(multipliers_of(path=path, fills=fills, multipliers=multipliers), log.inst)
    parts = []
    for horizon in horizons_s:
        later, past_end = mids_after(path=path, fills=fills, horizon_s=horizon)
        status = np.where(past_end, PAST_END, np.where(np.isfinite(later), USED, NO_MID))
        parts.append(
            pd.DataFrame(
                {
                    "fill": np.arange(len(log)),
                    "horizon_s": float(horizon),
                    "inst": log.inst,
                    "side": log.side.astype(np.int8),
                    "size": log.size,
                    "multiplier": scale,
                    "effective": log.side * (log.mid - log.price),
                    "markout": log.side * (later - log.price),
                    "impact": log.side * (log.mid - later),
                    "status": status,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


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
    used fills, ``total`` [currency].
    """
    rows = fill_markouts(path=path, fills=fills, horizons_s=horizons_s, multipliers=multipliers)
    return _grouped(rows, horizons_s, by, _markout_row)


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
    rows = fill_markouts(path=path, fills=fills, horizons_s=horizons_s, multipliers=multipliers)
    blind = (rows["status"] == USED) & ~np.isfinite(rows["effective"])
    rows["status"] = rows["status"].where(~blind, NO_MID_AT_FILL)
    return _grouped(rows, horizons_s, by, _adverse_row)


def _grouped(
    rows: pd.DataFrame,
    horizons_s: Sequence[float],
    by: Sequence[str],
    summary: Callable[[pd.DataFrame], dict[str, float]],
) -> pd.DataFrame:
    keys = ["horizon_s", *by]
    groups: list[tuple[Any, pd.DataFrame]] = list(rows.groupby(keys, sort=True))
    if not groups and not by:
        groups = [((float(h),), rows) for h in horizons_s]
    out = [dict(zip(keys, key, strict=True)) | summary(group) for key, group in groups]
    return pd.DataFrame(out, columns=None if out else keys)


def _counts(rows: pd.DataFrame, *statuses: str) -> dict[str, int]:
    counts = {s: int((rows["status"] == s).sum()) for s in statuses}
    return {"fills": len(rows)} | counts


def _markout_row(rows: pd.DataFrame) -> dict[str, float]:
    used = rows[rows["status"] == USED]
    values, size = used["markout"].to_numpy(float), used["size"].to_numpy(float)
    mean, se = weighted_mean(values, np.ones(len(values)))
    sized_mean, sized_se = weighted_mean(values, size)
    return _counts(rows, USED, PAST_END, NO_MID) | {
        "mean": mean,
        "se": se,
        "sized_mean": sized_mean,
        "sized_se": sized_se,
        "units": float(size.sum()),
        "total": float((values * size * used["multiplier"].to_numpy(float)).sum()),
    }


def _adverse_row(rows: pd.DataFrame) -> dict[str, float]:
    used = rows[rows["status"] == USED]
    size = used["size"].to_numpy(float)
    value = size * used["multiplier"].to_numpy(float)
    out: dict[str, float] = dict(_counts(rows, USED, PAST_END, NO_MID, NO_MID_AT_FILL))
    for name, source in (("effective", "effective"), ("realized", "markout"), ("impact", "impact")):
        per_unit = used[source].to_numpy(float)
        out[name] = weighted_mean(per_unit, size)[0]
        out[f"{name}_total"] = float((per_unit * value).sum())
    out["check"] = out["effective_total"] - out["realized_total"] - out["impact_total"]
    return out
