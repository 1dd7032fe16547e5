"""Rows of a tape with numbers that are none: found before a run, so that its loop need not look."""

from __future__ import annotations

import numpy as np

from mmquant.core.bad_numbers import next_unsound
from mmquant.core.dtypes import RowKind
from mmquant.core.engine import Tape
from mmquant.data.mapping import pieces
from mmquant.errors import DataError

KINDS = [int(kind) for kind in RowKind]


def screened(tape: Tape, instrument: np.ndarray) -> Tape:
    """The tape with its unsound rows marked, as the two halves take them; the same if none is.

    ``instrument``: INSTRUMENT rows by id.

    Raises
    ------
    DataError
        where a row is of an unknown kind or instrument.
    """
    rows = _unsound_rows(tape, instrument)
    if not rows:
        return tape
    kind = tape.kind.copy()
    for row in rows:
        if kind[row] not in KINDS:
            raise DataError(
                "the tape has a row of unknown kind",
                where=f"row {row + 1}",
                fix="use the codes of RowKind",
            )
        if not 0 <= tape.inst[row] < len(instrument):
            raise DataError(
                f"inst {tape.inst[row]} is not the id of a contract",
                where=f"row {row + 1}",
                fix="give a contract for each instrument",
            )
    kind[rows] = -kind[rows]
    order = tape.order if len(tape.order) else np.arange(len(kind), dtype=np.int64)
    return tape._replace(kind=kind, order=order)


def _unsound_rows(tape: Tape, instrument: np.ndarray) -> list[int]:
    found = []
    looked_at = [tape.kind, tape.side, tape.tick, tape.subtick, tape.size, tape.inst]
    for rows in pieces(looked_at):
        row = rows.start
        while (row := int(next_unsound(instrument, tape, row, rows.stop))) < rows.stop:
            found.append(row)
            row += 1
    return found
