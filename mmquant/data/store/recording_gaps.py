"""When nothing was known of an instrument, from the table ``gaps`` of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa


def gaps_of(rows: pa.Table, n_inst: int, end: int) -> list[list[tuple[int, int]]]:
    """For each instrument the spans [ns] in which nothing is known of it, in order.

    An instrument is unknown from the start until it is fresh; what is not over ends at ``end``.
    """
    since: list[int | None] = [0] * n_inst
    spans: list[list[tuple[int, int]]] = [[] for _ in range(n_inst)]
    for ts, inst, what in _events(rows):
        for one in range(n_inst) if inst < 0 else (inst,):
            if what == "fresh" and since[one] is not None:
                spans[one].append((int(since[one] or 0), ts))
                since[one] = None
            elif what != "fresh" and since[one] is None:
                since[one] = ts
    for one, begun in enumerate(since):
        if begun is not None and begun < end:
            spans[one].append((begun, end))
    return spans


BREAKS = frozenset({"start", "down", "stale", "end"})
"""What begins a gap; ``fresh`` ends it, and all else is a remark."""


def _events(rows: pa.Table) -> Iterator[tuple[int, int, str]]:
    columns: Sequence[Sequence[Any]] = [rows[name].to_pylist() for name in ("ts", "inst", "what")]
    for ts, inst, what in zip(*columns, strict=True):
        if what in BREAKS or what == "fresh":
            yield ts, inst, what
