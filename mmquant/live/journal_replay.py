"""A journal replayed: the same local half on the same messages, and the Run that comes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from mmquant.core.dtypes import MSG, MsgKind, RowKind
from mmquant.data.runs import Run
from mmquant.data.store.journal_format import FrameKind
from mmquant.data.store.journal_reader import read_journal
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import DataError
from mmquant.live.recovery import Player, config_digest, fresh_step
from mmquant.live.session_file import read_session
from mmquant.trading.logs import Logs
from mmquant.trading.results import make_run
from mmquant.trading.strategy import Strategy

HAND = (MsgKind.CONTROL, MsgKind.THEO, MsgKind.LIMITS)


def replay_journal(path: str | Path, *, strategy: Strategy | None = None) -> Run:
    """Replay the journal of a live run, and check that every action is the same, bit for bit.

    ``path`` is the run's folder; a ``strategy`` that is in no file is given. The Run has the same
    quote instructions, orders, fills, positions and cash as the run that wrote the journal. A torn
    tail is left out, and told in the notes.

    Raises
    ------
    DataError
        where there is no journal, or it is damaged.
    CheckFailed
        where an action or a checkpoint differs.
    """
    folder = RunFolder(path)
    session = read_session(folder, strategy)
    step, logs = fresh_step(session, keep_logs=True), Logs()
    player = Player(step, logs)
    market: list[np.ndarray] = []
    told: list[np.ndarray] = []
    segments = read_journal(folder.journal)
    for segment in segments:
        if segment.header.config != config_digest(session):
            raise DataError("the journal is of another configuration", where=str(segment.path))
        for frame in segment.frames():
            player.play(frame, str(segment.path))
            if frame.kind == FrameKind.STEP:
                kind = frame.messages["kind"]
                market.append(frame.messages[kind <= RowKind.STATUS])
                told.append(frame.messages[np.isin(kind, HAND)])
    logs.finish(step.local)
    run = make_run(
        session.config,
        _tape_of(market, session.tape),
        session.strategy,
        session.fees,
        step.local,
        logs,
        mode="replay",
        told=np.concatenate(told) if told else np.zeros(0, MSG),
        given=session.given,
    )
    if segments[-1].torn:
        last = segments[-1]
        run.manifest["notes"].append(
            f"{last.torn} bytes behind frame {last.last_sequence} of the journal are not whole."
        )
    return run


def _tape_of(market: list[np.ndarray], like: xr.Dataset) -> xr.Dataset:
    """The market rows of a journal as a tape."""
    rows = np.concatenate(market) if market else np.zeros(0, MSG)
    rows = rows[np.lexsort((rows["seq"], rows["exch_ts"]))]
    columns = {
        "exch_ts": rows["exch_ts"],
        "local_ts": rows["ts"],
        "seq": rows["seq"],
        "kind": rows["kind"],
        "side": rows["side"],
        "tick": rows["tick"],
        "subtick": rows["subtick"],
        "size": rows["lots"],
        "order_id": np.zeros(len(rows), np.int64),
        "inst": rows["inst"],
    }
    data = {name: ("event", np.ascontiguousarray(values)) for name, values in columns.items()}
    return xr.Dataset(data, attrs=like.attrs) if len(rows) else like
