"""A broker that is the exchange half over a tape: the same kernels as the backtest."""

from __future__ import annotations

import numpy as np

from mmquant.core import engine
from mmquant.core.book import grow_book
from mmquant.core.dtypes import NEVER, ActionKind, Status
from mmquant.core.engine import AT_RESPONSE, Tape, empty_message
from mmquant.core.exchange import Exchange, grow_rings, send_request
from mmquant.trading.compiled import no_room


class SimBroker:
    """Feeds the live loop from a tape, and trades its orders at the simulated exchange."""

    def __init__(self, exchange: Exchange, tape: Tape) -> None:
        self._exchange, self._tape = exchange, tape
        self._rows = len(tape.exch_ts)
        self._order = tape.order if len(tape.order) else np.arange(self._rows)
        self._received = 0
        self._last_ts = int(tape.local_ts.max())
        self._message = empty_message()

    @property
    def start_ts(self) -> int:
        """Time of the tape's first row at the exchange. [ns]"""
        return int(self._tape.exch_ts[0])

    @property
    def last_ts(self) -> int:
        """Time of the tape's last row here. [ns]"""
        return self._last_ts

    @property
    def exchange(self) -> Exchange:
        """The exchange half as it is now."""
        return self._exchange

    @property
    def rows_received(self) -> int:
        """Tape rows handed over so far."""
        return self._received

    def next_message(self, until: int) -> np.ndarray | None:
        """The next row or answer received by ``until``, or None."""
        row_ts = NEVER
        if self._received < self._rows:
            row = int(self._order[self._received])
            row_ts = int(self._tape.local_ts[row])
        at = self._live_until(min(until, row_ts))
        if at == AT_RESPONSE and self._response_ts() < row_ts:
            return self._take_response()
        if row_ts > until:
            return None
        engine.row_message(self._tape, row, self._message[0])
        self._received += 1
        return self._message

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Put orders, changes and cancels on their way to the exchange."""
        for i in range(n):
            if actions[i]["kind"] > int(ActionKind.CANCEL):
                continue
            while not send_request(self._exchange, actions[i], ts):
                self._exchange = grow_rings(self._exchange)

    def more_after(self, ts: int) -> bool:
        """Whether a row, a request or an answer is still to come."""
        return bool(engine.more_to_come(self._exchange, self._last_ts, ts))

    def _live_until(self, ts: int) -> int:
        while True:
            at = int(engine.exchange_step(self._exchange, self._tape, ts, self._rows + 1, True))
            if at == Status.BOOK_FULL:
                self._exchange = self._exchange._replace(book=grow_book(self._exchange.book))
            elif at == Status.RING_FULL and not self._exchange.state[0]["status"]:
                self._exchange = grow_rings(self._exchange)
            elif at > 0:
                raise no_room(Status(at), int(self._exchange.state[0]["row"]))
            else:
                return at

    def _response_ts(self) -> int:
        return int(self._exchange.response[self._head()]["ts"])

    def _head(self) -> int:
        state = self._exchange.state[0]
        return int(state["response_head"]) & (len(self._exchange.response) - 1)

    def _take_response(self) -> np.ndarray:
        self._message[0] = self._exchange.response[self._head()]
        self._exchange.state[0]["response_head"] += 1
        return self._message
