"""The live loop on a faulty broker over a tape, with or without a journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmquant as mm
from mmquant.brokers.faults import FaultPlan
from mmquant.brokers.faulty import FaultyBroker
from mmquant.brokers.sim import SimBroker
from mmquant.core.book import make_book
from mmquant.core.dtypes import NEVER
from mmquant.core.exchange import make_exchange
from mmquant.data.store.run_folder import RunFolder
from mmquant.live.inbox import Inbox
from mmquant.live.kill import KillSwitch
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import fresh_step, new_journal
from mmquant.trading.halves import DAY_END, exchange_state, open_session, tape_columns, triggers_of


def live_loop(
    config: dict[str, Any], tape: Any, plan: FaultPlan, folder: Path | None = None
) -> tuple[LiveLoop, FaultyBroker]:
    """A loop that is ready to run, and its broker."""
    session = open_session(mm.Config.from_dict(config), tape)
    columns = tape_columns(session.tape, session.config)
    step = fresh_step(session, keep_logs=True)
    local = step.local
    exchange = make_exchange(
        book=make_book(len(local.instrument), window=1024),
        instrument=local.instrument,
        state=exchange_state(session.config, local.live.shape[1], DAY_END),
        sets=1,
    )
    broker = FaultyBroker(SimBroker(exchange, columns), plan)
    run = None if folder is None else RunFolder(folder)
    if run is not None:
        run.path.mkdir(parents=True, exist_ok=True)
    loop = LiveLoop(
        broker,
        step,
        interval_ns=session.config.decision.interval_ns,
        triggers=triggers_of(session.config),
        inbox=Inbox(),
        journal=None if run is None else new_journal(run, session, step),
        switch=KillSwitch(run),
    )
    return loop, broker


def let_answers_come(broker: FaultyBroker, ts: int) -> None:
    """Let the exchange live on for a while with nobody to hear it."""
    while broker.next_message(min(ts, NEVER)) is not None:
        pass
