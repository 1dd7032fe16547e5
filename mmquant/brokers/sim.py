"""A broker that is the exchange half over a tape: the same kernels as the backtest."""

from __future__ import annotations

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core import engine
from mmquant.core.book import grow_book, make_book
from mmquant.core.dtypes import ACTION, MSG, ActionKind, Status, Trigger
from mmquant.core.engine import AT_RESPONSE, Tape, empty_message
from mmquant.core.exchange import Exchange, grow_rings, make_exchange
from mmquant.core.level_queue import RESTING
from mmquant.core.message_block import next_rows, rows_until, send_requests
from mmquant.data.contracts import instrument_rows
from mmquant.data.mapping import PIECE_ROWS, give_back
from mmquant.data.tape import contracts_of
from mmquant.trading.compiled import no_room
from mmquant.trading.halves import (
    DAY_END,
    exchange_state,
    latency_knots,
    open_session,
    receipt,
    slots_of,
    tape_columns,
)

BLOCK_ROWS = 64
ANY_ROW = int(Trigger.BOOK | Trigger.TRADE)


class SimBroker:
    """Feeds the live loop from a tape, and trades its orders at the simulated exchange.

    ``triggers`` is what asks for a decision: rows that do not are handed over in blocks.
    """

    simulated = True
    """No money is at stake: hard limits may be unset."""

    def __init__(self, exchange: Exchange, tape: Tape, *, triggers: int = ANY_ROW) -> None:
        self._exchange, self._tape = exchange, tape
        self._rows = len(tape.exch_ts)
        self._received = 0
        self._last_ts, _, _ = receipt(tape)
        self._answer = empty_message()
        self._block = np.zeros(BLOCK_ROWS, MSG)
        self._triggers = triggers

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
        """The next rows or the next answer received by ``until``, or None.

        At equal times rows come before answers.
        """
        block = self._block
        n = next_rows(self._tape, self._received, until, self._triggers, block)
        if self._live_until(int(block[n - 1]["ts"]) if n else until) == AT_RESPONSE:
            n = rows_until(block, n, self._response_ts())
            if n == 0:
                return self._take_response()
        if n == 0:
            return None
        self._received += n
        if self._received // PIECE_ROWS != (self._received - n) // PIECE_ROWS:
            give_back(self._tape, self._received - 2 * PIECE_ROWS, self._received)
        return block[:n]

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        """Put orders, changes, cancels and queries on their way to the exchange."""
        sent = send_requests(self._exchange, ts, actions, 0, n)
        while sent < n:
            self._exchange = grow_rings(self._exchange)
            sent = send_requests(self._exchange, ts, actions, sent, n)

    def cancel_account(self, ts: int) -> None:
        """Ask to cancel all that rests at the exchange."""
        node = self._exchange.node[: int(self._exchange.state[0]["orders"])]
        resting = node[node["state"] == RESTING]
        cancels = np.zeros(len(resting), ACTION)
        for name in ("order_id", "set", "inst", "side"):
            cancels[name] = resting[name]
        cancels["ts"], cancels["kind"] = ts, int(ActionKind.CANCEL)
        self.send(cancels, len(cancels), ts)

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
        self._answer[0] = self._exchange.response[self._head()]
        self._exchange.state[0]["response_head"] += 1
        return self._answer


def sim_broker(config: Config, tape: xr.Dataset) -> SimBroker:
    """The broker of a tape under a configuration: its latencies, fills and fees.

    Raises
    ------
    MMQuantError
        as `backtest` does for a configuration or a tape that does not fit.
    """
    session = open_session(config, tape)
    settings, columns = session.config, tape_columns(tape, session.config)
    contracts = contracts_of(tape)
    instrument = instrument_rows(contracts, tape.attrs["date"], session.rates)
    exchange = make_exchange(
        book=make_book(len(contracts)),
        instrument=instrument,
        state=exchange_state(settings, slots_of(settings), DAY_END),
        sets=1,
        knots=latency_knots(settings),
    )
    return SimBroker(exchange, columns)
