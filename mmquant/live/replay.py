"""A tape through the live loop on the simulated broker: what a live session would have done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr

from mmquant.brokers.sim import SimBroker
from mmquant.config import Config
from mmquant.core.book import make_book
from mmquant.core.exchange import make_exchange
from mmquant.data.runs import Run
from mmquant.data.store.run_folder import RunFolder
from mmquant.data.tape import contracts_of
from mmquant.errors import ConfigError
from mmquant.live.inbox import Inbox
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import new_journal
from mmquant.trading.arguments import check_arguments
from mmquant.trading.event_bus import EventBus, live_step
from mmquant.trading.halves import (
    DAY_END,
    Session,
    action_rows,
    exchange_state,
    latency_knots,
    make_local_half,
    open_session,
    read_inbox,
    tape_columns,
    triggers_of,
)
from mmquant.trading.logs import Logs
from mmquant.trading.results import make_run
from mmquant.trading.strategy import Strategy


def replay(
    config: Config | None = None,
    tape: xr.Dataset | None = None,
    *,
    strategy: Strategy | None = None,
    params: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
    follow: bool = False,
    journal: str | Path | None = None,
    bus: EventBus | None = None,
) -> Run:
    """Run a strategy over a tape message by message, as live. Arguments as for ``backtest``.

    With ``follow``, lines that are added to the file ``hand.file`` while it runs are obeyed: it may
    be empty or missing at first. With ``journal``, a new folder, the run keeps a journal there as a
    live one does. ``bus`` is told what happens as it happens.
    The Run equals that of ``backtest`` bit for bit, but for its mode.

    Raises
    ------
    MMQuantError
        as ``backtest``, and where ``follow`` has no file to follow or finds a wrong line in it.
    """
    check_arguments(config=config, tape=tape, strategy=strategy)
    session = _opened(config or Config(), tape, strategy, params)
    settings = session.config
    if follow and settings.hand_path() is None:
        raise ConfigError("there is no file to follow", where="hand.file", fix="name one")
    columns = tape_columns(session.tape, settings)
    local = make_local_half(
        settings,
        session.tape,
        session.strategy,
        rates=session.rates,
        params=[session.params],
        with_book=True,
    )
    exchange = make_exchange(
        book=make_book(len(local.instrument)),
        instrument=local.instrument,
        state=exchange_state(settings, local.live.shape[1], DAY_END),
        sets=1,
        knots=latency_knots(settings),
    )
    broker = SimBroker(exchange, columns, triggers=triggers_of(settings))
    contracts = contracts_of(session.tape)
    step = live_step(local, session.strategy, action_rows(local), contracts, bus)
    kept = None if journal is None else new_journal(RunFolder(journal), session, step)
    inbox = Inbox(
        None if follow else read_inbox(settings, session.tape),
        follow=settings.hand_path() if follow else None,
        contracts=contracts,
    )
    loop = LiveLoop(
        broker,
        step,
        interval_ns=settings.decision.interval_ns,
        triggers=triggers_of(settings),
        inbox=inbox,
        logs=Logs(columns.exch_ts),
        journal=kept,
    )
    rows = len(columns.exch_ts)
    told = None if progress is None else lambda _: progress(broker.rows_received, rows)
    logs = loop.run(told)
    return make_run(
        settings,
        session.tape,
        session.strategy,
        session.fees,
        step.local,
        logs,
        mode="replay",
        told=inbox.taken(),
        given=session.given,
    )


def _opened(
    config: Config,
    tape: xr.Dataset | None,
    strategy: Strategy | None,
    params: Mapping[str, float] | None,
) -> Session:
    """The session; what only a backtest measures is to be given."""
    try:
        return open_session(config, tape, strategy, params)
    except ConfigError as error:
        if config.quoting.calibrate_s is None:
            raise
        raise ConfigError(
            f"numbers that a backtest measures first are not given: {error.what}",
            where="quoting.calibrate_s",
            fix='take them from its run: mm.Config.from_dict(run.manifest["config"])',
        ) from error
