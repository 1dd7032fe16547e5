"""Tables of a report: cells as text, with the unit in the heading of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mmquant.report.figures import horizon_label
from mmquant.report.scope import Scope
from mmquant.report.text import Number, amount, count, decimals_of, fixed, quantity, span, tiny
from mmquant.trading.markouts import adverse_selection, markout_table
from mmquant.trading.metrics import pnl_split, traded_value
from mmquant.trading.run_tables import Fills, path_column, per_fill

SIDES = {1: "buys", -1: "sells", 0: "all"}
HOUR = 3_600_000_000_000
TOLERANCE = 1e-9
"""What rounding may leave of the PnL identity, as a share of the value traded."""

MARKOUT_FOOT = (
    "Markout = side × (mid later − fill price); positive is good for us. The mid is that of the "
    "last step at or before the horizon. Intervals are of 95 %, by a bootstrap of blocks of time, "
    "as fills cluster and horizons overlap."
)
ADVERSE_FOOT = (
    "Effective half-spread (captured at the fill) = realized (kept at the horizon) + impact "
    "(adverse selection), all on the same fills, weighted by size. Seen from us, the maker; twice "
    "as much is the market's effective spread, realized spread and price impact."
)


@dataclass(frozen=True)
class Column:
    """A heading with its unit; ``left`` for words."""

    title: str
    unit: str = ""
    left: bool = False


@dataclass(frozen=True)
class Table:
    """A table as text. ``strong`` are the rows to set in bold, ``foot`` what to know of it."""

    title: str
    columns: Sequence[Column]
    rows: list[list[str]]
    foot: str = ""
    strong: frozenset[int] = field(default_factory=frozenset)


def money(values: Sequence[Number]) -> list[str]:
    """A column of amounts with the same decimals, at least two."""
    decimals = decimals_of(values, least=2)
    return [fixed(x, decimals) for x in values]


def pnl_table(scope: Scope) -> Table:
    """The parts of the PnL, their sum, and what is left unexplained."""
    split = pnl_split(path=scope.path, fills=scope.fills, multipliers=scope.multipliers)
    names = {
        "spread": "spread captured",
        "inventory": "inventory",
        "fees": "− fees",
        "net": "net PnL",
    }
    ccy, bps = dict(zip(split["part"], split["ccy"], strict=True)), split["share"].to_numpy() * 1e4
    decimals = decimals_of(list(ccy.values()), least=2)
    rows = [
        [names[part], fixed(ccy[part], decimals), fixed(bps[i], 3)] for i, part in enumerate(names)
    ]
    rows.append(["check: net less its parts", tiny(ccy["check"]), tiny(bps[4])])
    for title, gap in log_gaps(scope).items():
        rows.append([f"check: {title}, fill log less path", tiny(gap), ""])
    columns = [
        Column("part", left=True),
        Column("amount", scope.currency),
        Column("of value traded", "bps"),
    ]
    foot = "The checks are rounding where they stay below one billionth of the value traded."
    return Table("PnL split", columns, rows, foot, frozenset({3}))


def log_gaps(scope: Scope) -> dict[str, float]:
    """Spread captured and fees: the fill log's sum up to the last step less the path's. [ccy]"""
    times, log = scope.times, Fills.of(scope.fills)
    if not len(times):
        return {}
    seen = log.time <= times[-1]
    capture, fee = float(log.capture[seen].sum()), float(log.fee[seen].sum())
    spread, fees = (path_column(scope.path, name)[-1].sum() for name in ("spread_pnl", "fees"))
    return {"spread": capture - float(spread), "fees": fee - float(fees)}


def failed_checks(scope: Scope) -> list[str]:
    """Sentences on identities that do not hold to rounding."""
    value = traded_value(path=scope.path, fills=scope.fills, multipliers=scope.multipliers)
    split = pnl_split(path=scope.path, fills=scope.fills, multipliers=scope.multipliers)
    found = {"PnL split": float(split["ccy"].iloc[-1])}
    found |= {f"{name} of the fill log": gap for name, gap in log_gaps(scope).items()}
    return [
        f"{scope.title}: the {name} is off by {amount(gap)} {scope.currency}."
        for name, gap in found.items()
        if np.isfinite(gap) and abs(gap) > TOLERANCE * max(value, 1.0)
    ]


def markouts_table(scope: Scope) -> Table:
    """Markouts by horizon and side, with counts and 95 % intervals."""
    path, fills, scale = scope.path, scope.fills, scope.multipliers
    sides = markout_table(path=path, fills=fills, multipliers=scale, by=("side",))
    every = markout_table(path=path, fills=fills, multipliers=scale).assign(side=0)
    frame = pd.concat([sides, every] if len(sides) else [every], ignore_index=True)
    frame["order"] = frame["side"].map({1: 0, -1: 1, 0: 2})
    frame = frame.sort_values(["horizon_s", "order"], ignore_index=True)
    means = ("mean", "low", "high", "sized_mean", "sized_low", "sized_high")
    decimals = decimals_of([v for name in means for v in frame[name]], least=scope.decimals)
    total = decimals_of(list(frame["total"]), least=2)
    rows = [
        [
            horizon_label(row["horizon_s"]),
            SIDES[row["side"]],
            *(count(row[c]) for c in ("fills", "used", "past_end", "no_mid")),
            fixed(row["mean"], decimals),
            span(row["low"], row["high"], decimals),
            fixed(row["sized_mean"], decimals),
            span(row["sized_low"], row["sized_high"], decimals),
            fixed(row["total"], total),
        ]
        for row in frame.to_dict("records")
    ]
    per_unit = f"{scope.currency} per unit"
    columns = [
        Column("after", left=True),
        Column("side", left=True),
        Column("fills"),
        Column("used"),
        Column("dropped: past the end"),
        Column("dropped: no two-sided mid"),
        Column("mean of fills", per_unit),
        Column("95 % interval", per_unit),
        Column("mean of units", per_unit),
        Column("95 % interval", per_unit),
        Column("total", scope.currency),
    ]
    strong = frozenset(i for i, row in enumerate(rows) if row[1] == "all")
    foot = " ".join([MARKOUT_FOOT, *missing(frame)])
    return Table("Markouts", columns, rows, foot, strong)


def missing(frame: pd.DataFrame) -> list[str]:
    """A sentence for each horizon at which all fills together have no interval."""
    alone = frame[(frame["side"] == 0) & (frame["why"] != "") & (frame["used"] > 0)]
    return [
        f"None after {horizon_label(row['horizon_s'])}: {row['why']}."
        for row in alone.to_dict("records")
    ]


def adverse_table(scope: Scope) -> Table:
    """Effective half-spread = realized + impact."""
    frame = adverse_selection(path=scope.path, fills=scope.fills, multipliers=scope.multipliers)
    parts = ("effective", "realized", "impact")
    decimals = decimals_of([v for p in parts for v in frame[p]], least=scope.decimals)
    totals = [f"{p}_total" for p in parts]
    total = decimals_of([v for p in totals for v in frame[p]], least=2)
    rows = [
        [
            horizon_label(row["horizon_s"]),
            count(row["used"]),
            count(row["fills"] - row["used"]),
            *(fixed(row[p], decimals) for p in parts),
            *(fixed(row[p], total) for p in totals),
            tiny(row["check"]),
        ]
        for row in frame.to_dict("records")
    ]
    unit, ccy = f"{scope.currency} per unit", scope.currency
    columns = [Column("after", left=True), Column("used"), Column("dropped")]
    titles = ("effective half-spread", "realized", "impact")
    columns += [Column(title, unit) for title in titles]
    columns += [Column(f"{title}, total", ccy) for title in titles]
    columns.append(Column("check", ccy))
    return Table("Adverse selection", columns, rows, ADVERSE_FOOT)


def hours_table(scope: Scope) -> Table:
    """Fills by hour of the clock (UTC) and side."""
    log = Fills.of(scope.fills)
    scale = per_fill(scope.multipliers or {}, log.inst)
    value = log.price * log.size * scale
    hour = log.time // HOUR
    keys: list[tuple[str, np.ndarray]] = [
        (f"{np.datetime64(int(h) * 3600, 's')!s:.13}:00".replace("T", " "), hour == h)
        for h in np.unique(hour)
    ]
    keys.append(("all", np.ones(len(log), dtype=np.bool_)))
    masks = [chosen for _, chosen in keys]
    sides = [[mask & (log.side == side) for mask in masks] for side in (1, -1)]
    parts = [[title for title, _ in keys]]
    for side in sides:
        parts.append([count(int(mask.sum())) for mask in side])
        parts.append([quantity(float(log.size[mask].sum())) for mask in side])
        parts.append(money([float(value[mask].sum()) for mask in side]))
    signed = log.side * log.size
    parts.append([quantity(float(signed[mask].sum())) for mask in masks])
    parts.append(money([float(log.capture[mask].sum()) for mask in masks]))
    parts.append(money([float(log.fee[mask].sum()) for mask in masks]))
    rows = [list(row) for row in zip(*parts, strict=True)]
    ccy = scope.currency
    columns = [Column("hour from [UTC]", left=True)]
    for name in ("buys", "sells"):
        columns += [Column(name), Column(name, "units"), Column(name, ccy)]
    columns += [Column("net", "units"), Column("spread captured", ccy), Column("fees", ccy)]
    return Table("Fills by hour and side", columns, rows, strong=frozenset({len(rows) - 1}))


def instruments_table(summaries: Sequence[tuple[Scope, dict[str, Number]]]) -> Table:
    """One row an instrument."""

    def of(key: str) -> list[Number]:
        return [summary[key] for _, summary in summaries]

    parts = [[scope.title for scope, _ in summaries], [scope.currency for scope, _ in summaries]]
    for key in ("net_pnl", "spread_pnl", "inventory_pnl", "fees", "traded_value"):
        parts.append(money(of(key)))
    parts.append([count(x) for x in of("fills")])
    parts += [[quantity(x) for x in of(key)] for key in ("volume", "max_abs_position")]
    parts += [money(of(f"markout_{h}s_ccy")) for h in (1, 5, 30, 300)]
    rows = [list(row) for row in zip(*parts, strict=True)]
    titles = ("net PnL", "spread captured", "inventory", "fees", "value traded")
    columns = [Column("instrument", left=True), Column("currency", left=True)]
    columns += [Column(title, "ccy") for title in titles]
    columns += [Column("fills"), Column("volume", "units"), Column("max |position|", "units")]
    columns += [Column(f"markout {label}", "ccy") for label in ("1 s", "5 s", "30 s", "5 min")]
    return Table("Instruments", columns, rows)
