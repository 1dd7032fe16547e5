"""A live run, started or gone on with: after a crash its journal gives its whole state back.

The last checkpoint and the messages after it are enough. What was written as intent may have been
sent or not: nothing is sent again; the session goes down and up, all own orders become UNKNOWN, and
the broker is asked for everything before the first new quote.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmquant.core.dtypes import NEVER, Status
from mmquant.core.executions import make_executions, rows_for
from mmquant.data.store.journal import Journal
from mmquant.data.store.journal_format import Frame, FrameKind
from mmquant.data.store.journal_reader import (
    Segment,
    put_torn_aside,
    read_journal,
    segment_paths,
    tail_of,
)
from mmquant.data.store.run_folder import RunFolder
from mmquant.data.store.state import pack_state, state_parts, unpack_state
from mmquant.data.tape import contracts_of
from mmquant.errors import CheckFailed, UsageError
from mmquant.live.inbox import Inbox
from mmquant.live.kill import KillSwitch
from mmquant.live.loop import LiveLoop
from mmquant.live.session_file import run_name, write_session
from mmquant.trading.event_bus import EventBus, live_step
from mmquant.trading.halves import Session, action_rows, make_local_half, triggers_of
from mmquant.trading.hard_limits import check_hard_limits
from mmquant.trading.logs import Logs, NoLogs
from mmquant.trading.ports import Broker, LiveStep

ORDER_GAP = 1 << 12
"""Order numbers left out after a crash: those of orders whose frames went with the power."""


@dataclass
class Recovered:
    """What was found in a journal: how much was replayed, and what was put aside."""

    frames: int = 0
    messages: int = 0
    actions: int = 0
    in_order: bool = False
    put_aside: list[str] = field(default_factory=list)


def open_live(
    folder: RunFolder,
    session: Session,
    broker: Broker,
    *,
    keep_logs: bool = False,
    bus: EventBus | None = None,
) -> tuple[LiveLoop, Recovered | None]:
    """The loop of a new run, or of one that goes on where its journal ends (Recovered).

    The folder is held until the process ends. Tables and path are kept in memory with
    ``keep_logs``; the journal has them anyway. ``bus`` is told what happens as it happens, not what
    is read from the journal.

    Raises
    ------
    ConfigError
        where a hard limit is unset, unless the broker says that it is simulated.
    LockedError
        where the run is running already.
    UsageError
        where the folder holds another run.
    DataError
        where its journal is damaged before its end.
    CheckFailed
        where the journalled actions are not what comes of the journalled messages.
    """
    if not getattr(broker, "simulated", False):
        check_hard_limits(session.config)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.hold()
    write_session(folder, session)
    step = fresh_step(session, keep_logs=keep_logs, keep_tables=bus is not None)
    found = recover(folder, step) if segment_paths(folder.journal) else None
    segment = read_journal(folder.journal, last_only=True)[0] if found else None
    settings = session.config
    step = live_step(step.local, session.strategy, step.actions, contracts_of(session.tape), bus)
    loop = LiveLoop(
        broker,
        step,
        interval_ns=settings.decision.interval_ns,
        triggers=triggers_of(settings),
        inbox=Inbox(),
        logs=Logs() if keep_logs else NoLogs(),
        journal=make_journal(folder, session, step, broker.start_ts, segment),
        switch=KillSwitch(folder),
    )
    return loop, found


def fresh_step(session: Session, *, keep_logs: bool, keep_tables: bool = False) -> LiveStep:
    """The local half of a session as it begins; ``keep_tables``: it logs all but the path."""
    local = make_local_half(
        session.config,
        session.tape,
        session.strategy,
        rates=session.rates,
        params=[session.params],
        with_book=True,
        keep_tables=keep_logs or keep_tables,
        keep_path=keep_logs,
    )
    # A broker may repeat executions, whatever is kept of them.
    room = rows_for(session.config.journal.max_executions)
    local = local._replace(executed=make_executions(room))
    return LiveStep(local, session.strategy, action_rows(local))


def new_journal(folder: RunFolder, session: Session, step: LiveStep) -> Journal:
    """The journal of a replay. Raises UsageError where the folder has one already."""
    if segment_paths(folder.journal):
        raise UsageError(
            "the folder has a journal already", where=str(folder.path), fix="name a new folder"
        )
    write_session(folder, session)
    return make_journal(folder, session, step, int(session.tape["exch_ts"].values[0]))


def make_journal(
    folder: RunFolder, session: Session, step: LiveStep, start_ns: int, after: Segment | None = None
) -> Journal:
    """A new journal, or the next segment of one, that begins with the state as it is."""
    settings = session.config.journal
    return Journal(
        folder.journal,
        run=run_name(folder),
        config=config_digest(session),
        start_ns=start_ns,
        checkpoint=state_parts(step.local),
        tail=None if after is None else tail_of(after),
        sync_ms=settings.sync_ms,
        rotate_bytes=settings.rotate_mb << 20,
        checkpoint_ns=round(settings.checkpoint_s * 1e9),
    )


def config_digest(session: Session) -> bytes:
    """32 bytes that change with all settings that can change a result."""
    return bytes.fromhex(session.given.config_digest)


def recover(folder: RunFolder, step: LiveStep) -> Recovered:
    """Bring a fresh local half to where the journal ends; safe to repeat."""
    put_aside = put_torn_aside(folder.journal)
    segment = read_journal(folder.journal, last_only=True)[0]
    found = Recovered(put_aside=put_aside)
    player = Player(step, Logs())
    for frame in segment.frames():
        player.play(frame, str(segment.path))
        found.in_order = frame.kind == FrameKind.END
    found.frames, found.messages, found.actions = player.frames, player.messages, player.actions
    player.logs.drain(step.local)
    if not found.in_order:
        step.local.set["next_number"] += ORDER_GAP
    return found


class Player:
    """Feeds a journal to a local half, and holds what comes of it against what was journalled."""

    def __init__(self, step: LiveStep, logs: Logs) -> None:
        self.step, self.logs = step, logs
        self.frames = self.messages = self.actions = 0

    def play(self, frame: Frame, where: str) -> None:
        """Apply a frame. Raises CheckFailed where actions or state differ."""
        self.frames += 1
        if frame.kind == FrameKind.CHECKPOINT:
            self._take_state(frame, where)
        elif frame.kind == FrameKind.STEP:
            self._take_step(frame, f"{where}, frame {frame.sequence}")

    def _take_state(self, frame: Frame, where: str) -> None:
        local = self.step.local
        found = unpack_state(frame.data, local)
        if self.frames > 1:
            self.logs.drain(local)
            # After a crash order numbers are left out.
            local.set["next_number"] = found.set["next_number"]
            if pack_state(local) != frame.data:
                raise CheckFailed("the state is not the one that was journalled", where=where)
        else:
            self.step.local = found

    def _take_step(self, frame: Frame, where: str) -> None:
        messages, at, n = frame.messages.copy(), 0, 0
        while at < len(messages):
            n, at, *_ = self.step(messages, at, NEVER, 0, 0)
            if n == -Status.BAD_ROW and messages[at]["event"] == 1:
                at, n = at + 1, 0
            elif n < 0:
                self.step.make_room(-n, self.logs)
            elif n > 0:
                break
        same = at == len(messages) and n == len(frame.actions)
        if not same or self.step.actions[:n].tobytes() != frame.actions.tobytes():
            raise CheckFailed(
                "the local half does not act as it did when it wrote the journal",
                where=where,
                fix="use the version of mmquant, the configuration and the strategy that wrote it",
            )
        self.messages += len(messages)
        self.actions += n
