"""A live run at Interactive Brokers from its configuration to its verified end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from threading import current_thread, main_thread
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mmquant.brokers.ibkr import IBKRBroker, nest_in_running_loop
from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_instruments import Instruments, instruments_of
from mmquant.brokers.ibkr_lines import Budget
from mmquant.brokers.ibkr_sweep import Address
from mmquant.config import Config
from mmquant.core.dtypes import MSG, NEVER
from mmquant.data.store.run_folder import RunFolder
from mmquant.data.tape import contracts_of
from mmquant.errors import CheckFailed, LockedError, MMQuantError, UsageError
from mmquant.live.modes import Mode, check_account, check_settings
from mmquant.live.pulse import PulsedBroker
from mmquant.live.recovery import Recovered, fresh_step, open_live
from mmquant.live.session_file import read_session, run_name
from mmquant.live.status import Status, status_of
from mmquant.live.watchdog import SILENCE_S, Watchdog
from mmquant.trading.event_bus import EventBus
from mmquant.trading.halves import Session, open_session
from mmquant.trading.local_port import opening
from mmquant.trading.strategy import Strategy

OPENING = "opening.json"
STATUS_NS = 1_000_000_000
EXCHANGE_ZONE = ZoneInfo("America/New_York")


class LiveRun:
    """A strategy that trades (or, by default, would trade) at Interactive Brokers.

    ``with LiveRun(config, mode="paper") as run: run.run()`` runs until SIGINT or SIGTERM; in a
    notebook ``run.run(for_s=5)`` goes on for a while each time. On leaving, all orders are
    cancelled and the broker is asked whether they are.

    Parameters
    ----------
    config : instruments and connection in its section ``ibkr``.
    mode : "dry-run", "paper" or "live".
    confirmed : the word LIVE, for mode "live".
    folder : of the run; else OUTPUT.DIR/NAME-MODE-DATE. One that is there is gone on with.
    strategy : one that is in no file.
    on_status : called once a second while it runs.
    silence_s : the watchdog cancels all when the run stands still for so long.
    bus : told of fills, orders, inventory and alerts.

    Raises
    ------
    ConfigError
        where a hard limit is unset, or what is configured does not fit the mode.
    UsageError
        where the account does not fit the mode.
    MMQuantError
        where there is no connection.
    """

    def __init__(
        self,
        config: Config,
        *,
        mode: Mode | str = Mode.DRY_RUN,
        confirmed: str = "",
        folder: str | Path | None = None,
        strategy: Strategy | None = None,
        on_status: Callable[[Status], None] | None = None,
        silence_s: float = SILENCE_S,
        bus: EventBus | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.mode, self.given = _mode(mode), config
        check_settings(config, self.mode, confirmed)
        nest_in_running_loop()
        self.clock = clock or Clock()
        self.date = datetime.fromtimestamp(self.clock.wall() / 1e9, UTC).astimezone(
            EXCHANGE_ZONE).date().isoformat()  # fmt: skip
        name = f"{config.name}-{self.mode}-{self.date}"
        self.folder = RunFolder(folder or Path(config.output.dir) / name)
        self.verified: bool | None = None
        """Whether the broker said at the end that nothing is open; None before that."""
        self._on_status, self._next_status = on_status, 0
        self._passes: Iterator[None] | None = None
        self._over = False
        if self.folder.session_file.exists() and self.folder.is_running:
            raise LockedError("the run is running already", where=str(self.folder.path))
        self.session, streams = self._session(strategy)
        _compile(self.session)
        self.broker = self._broker(streams)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.watchdog = None if self.mode is Mode.DRY_RUN else self._watchdog(silence_s)
        try:
            self.broker.open()
            check_account(self.broker.account, self.mode)
            self._check_name()
            pulsed = PulsedBroker(self.broker, self._pulse)
            self.loop, self.recovered = self._open(pulsed, bus)
        except BaseException:
            self._shut(in_order=True)
            if not self.folder.session_file.exists():  # It did not begin.
                (self.folder.path / OPENING).unlink(missing_ok=True)
            raise

    def __enter__(self) -> LiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()

    def run(self, for_s: float | None = None) -> None:
        """Run until it is stopped, or for so long; then call it again soon, or ``stop``.

        Raises
        ------
        MMQuantError
            whatever it dies of: all orders are cancelled first.
        CheckFailed
            where orders may be open at its end.
        """
        until = NEVER if for_s is None else self.clock.now() + round(for_s * 1e9)
        if self._over:
            raise UsageError("the run is over", fix="start it again")
        in_main = current_thread() is main_thread()
        signals: AbstractContextManager[None] = (
            self.loop.switch.signals() if in_main else nullcontext()
        )
        if self._passes is None:
            self._passes = self.loop.passes()
        with signals:
            try:
                for _ in self._passes:
                    if self.clock.now() >= until:
                        return
            except BaseException:
                self._finish(in_order=False)
                raise
            self._finish(in_order=True)
        self._tell_of_end()

    def stop(self) -> None:
        """Cancel all, see that it is done, and hang up. Raises as ``run`` does."""
        if not self._over:
            self.loop.switch.stop()
            self.run()

    def status(self) -> Status:
        """What it is doing."""
        local, now = self.loop.step.local, self.loop.now
        return status_of(local, contracts_of(self.session.tape), self.session.config, now)

    def _pulse(self, now: int) -> None:
        if self.watchdog is not None:
            self.watchdog.beat(now)
            if self.watchdog.failed and not self.loop.switch.asked:
                self.loop.switch.stop()
        if self._on_status is not None and now >= self._next_status:
            self._next_status = now + STATUS_NS
            self._on_status(self.status())

    def _session(self, strategy: Strategy | None) -> tuple[Session, dict[str, Any]]:
        """The session as it was begun, or a new one; and the streams of its instruments."""
        if self.folder.session_file.exists():
            session = read_session(self.folder, strategy)
            if session.given.config_digest != self.given.config_digest:
                raise UsageError(
                    "the folder holds a run of another configuration",
                    where=str(self.folder.path),
                    fix="go on with its own, or name another folder",
                )
            if session.tape.attrs["source"] != self._source():
                raise UsageError(
                    f"the folder holds no {self.mode} run",
                    where=str(self.folder.path),
                    fix="name another folder",
                )
            given = Instruments(tuple(contracts_of(session.tape)), *_streams(self.given))
            return session, given.streams()
        found = instruments_of(self.given.ibkr, self.date)
        tape = opening(found.contracts, self.date, self.clock.now())
        tape.attrs["source"] = self._source()
        return open_session(self.given, tape, strategy), found.streams()

    def _source(self) -> str:
        return json.dumps({"reader": "ibkr", "mode": str(self.mode)})

    def _broker(self, streams: dict[str, Any]) -> IBKRBroker:
        ibkr, tape = self.given.ibkr, self.session.tape
        return IBKRBroker(
            contracts_of(tape), date=tape.attrs["date"], run=run_name(self.folder), host=ibkr.host,
            port=ibkr.port, client_id=ibkr.client_id, account=ibkr.account,
            opening=self.folder.path / OPENING, budget=Budget(lines=ibkr.lines),
            dry=self.mode is Mode.DRY_RUN, clock=self.clock, **streams,
        )  # fmt: skip

    def _watchdog(self, silence_s: float) -> Watchdog:
        ibkr = self.given.ibkr
        address = Address(ibkr.host, ibkr.port, ibkr.client_id, run_name(self.folder))
        return Watchdog(self.folder, address, silence_s)

    def _check_name(self) -> None:
        """Orders are known by the run's name: those of an earlier run must not be taken for ours.

        Raises UsageError.
        """
        new = not self.folder.session_file.exists()
        if new and (self.broker.executions.name_was_used or list(self.broker.orders)):
            raise UsageError(
                f"the account has orders of an earlier run named {run_name(self.folder)!r}",
                where=str(self.folder.path),
                fix="name another folder (--run)",
            )

    def _open(self, broker: PulsedBroker, bus: EventBus | None) -> tuple[Any, Recovered | None]:
        return open_live(self.folder, self.session, broker, bus=bus)

    def _finish(self, *, in_order: bool) -> None:
        """See that nothing is open, and hang up; what is still open is the watchdog's."""
        self._over = True
        self.verified = in_order and (self.watchdog is None or self._nothing_is_open())
        self._shut(in_order=self.verified)

    def _nothing_is_open(self) -> bool:
        try:
            return not self.broker.open_orders()
        except MMQuantError:
            return False

    def _shut(self, *, in_order: bool) -> None:
        self._over = True
        self.broker.close()
        self.folder.let_go()
        if self.watchdog is None:
            self.verified = True  # Nothing was sent.
        elif in_order:
            self.watchdog.dismiss()
        else:
            self.verified = self.watchdog.call()

    def _tell_of_end(self) -> None:
        if not self.verified:
            raise CheckFailed(
                "the run has ended, but its orders may still be open",
                where=str(self.folder.path),
                fix="look at the broker's own list of orders, and cancel them there",
            )
        if self.watchdog is not None and self.watchdog.failed:
            raise MMQuantError(
                "the watchdog process was gone, so the run was stopped; nothing is open",
                fix="start the run again",
            )


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        raise UsageError(f"there is no mode {mode!r}", fix=f"use {', '.join(Mode)}") from None


def _streams(config: Config) -> tuple[frozenset[int], frozenset[int]]:
    named = config.ibkr.instruments
    return (
        frozenset(i for i, one in enumerate(named) if one.depth),
        frozenset(i for i, one in enumerate(named) if one.trades),
    )


def _compile(session: Session) -> None:
    """Let all be compiled before there is a market to keep up with."""
    step = fresh_step(session, keep_logs=False)
    step(np.zeros(0, MSG), 0, NEVER, 0, 0)
