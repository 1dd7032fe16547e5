"""A recording from its configuration to its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

from mmquant.brokers.ibkr import IBKRBroker
from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_instruments import Instruments, instruments_of, stocks_of
from mmquant.brokers.ibkr_lines import Budget
from mmquant.config import Config
from mmquant.data.files import is_recording
from mmquant.data.store.recording import Header, RecordingWriter, read_header
from mmquant.live.recorder import Recorder

EXCHANGE_ZONE = ZoneInfo("America/New_York")


class RecordingSession:
    """Records the instruments of a configuration; it sends no orders.

    ``with RecordingSession(config) as session: session.run()`` records until SIGINT or SIGTERM.
    ``folder`` is by default recordings/SYMBOLS-DATE; one that is there is gone on with.

    Raises
    ------
    ConfigError
        where no instrument is named.
    UsageError, LockedError
        where the folder holds something else, or is written to.
    MMQuantError
        where there is no connection.
    """

    def __init__(
        self, config: Config, folder: str | Path | None = None, clock: Clock | None = None
    ) -> None:
        ibkr, clock = config.ibkr, clock or Clock()
        now = datetime.fromtimestamp(clock.wall() / 1e9, UTC).astimezone(EXCHANGE_ZONE)
        date = now.date().isoformat()
        stocks = stocks_of(ibkr)
        symbols = "-".join(contract.symbol for contract in stocks.contracts)
        self.folder = Path(folder or Path("recordings") / f"{symbols}-{date}")
        if is_recording(self.folder):
            header = read_header(self.folder)
            found = Instruments(header.contracts, stocks.depth, stocks.trades)
            date = header.date
        else:
            found = instruments_of(ibkr, date)
        self.contracts = found.contracts
        self.stopped = threading.Event()
        header = Header(self.contracts, date, {"recorder": "ibkr"})
        self.writer = RecordingWriter(self.folder, header)
        self.broker = IBKRBroker(
            self.contracts, date=date, run="record", host=ibkr.host, port=ibkr.port,
            client_id=ibkr.client_id, account=ibkr.account, budget=Budget(lines=ibkr.lines),
            clock=clock, **found.streams(),
        )  # fmt: skip
        try:
            self.recorder = Recorder(self.broker, self.writer, len(self.contracts), (ibkr.account,))
            self.broker.open()
        except BaseException:
            self.writer.close()
            raise

    def __enter__(self) -> RecordingSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.broker.close()

    def run(self, progress: Callable[[Recorder], None] | None = None) -> None:
        """Record until ``stopped`` is set, or SIGINT or SIGTERM comes."""
        kept: dict[Any, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                kept[number] = signal.signal(number, lambda *_: self.stopped.set())
        try:
            self.recorder.run(self.stopped.is_set, progress)
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
