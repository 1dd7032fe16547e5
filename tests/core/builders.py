"""Small states of the two halves, and steps to drive them: what tests know of layouts is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmquant.core import engine
from mmquant.core.book import grow_book, make_book
from mmquant.core.dtypes import (
    ACTION,
    NEVER,
    SET,
    ActionKind,
    MsgKind,
    OrderEvent,
    OrderState,
    OrderType,
    QueueModel,
    Reason,
    RowKind,
    Status,
    TimeInForce,
)
from mmquant.core.engine import Tape, empty_message
from mmquant.core.exchange import EXCHANGE_STATE, make_exchange, send_request
from mmquant.core.guard_state import Guard
from mmquant.core.jit import DISABLED, kernel
from mmquant.core.local import CANARY_ROWS, make_local
from mmquant.data.contracts import Contract, instrument_rows
from mmquant.data.fees import FeeRates
from mmquant.trading.compiled import bind, with_more_executions
from mmquant.trading.halves import NO_LIMIT, action_rows
from mmquant.trading.strategy import Strategy

BUY, SELL = +1, -1
LIMIT, MARKET, POST_ONLY = OrderType.LIMIT, OrderType.MARKET, OrderType.POST_ONLY
GTC, DAY, GTD, IOC, FOK = (
    TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK,
)  # fmt: skip
MAX_QUOTES = 16
SLOTS = 16


def examples(compiled: int, plain: int) -> int:
    """How many examples to try: plain Python is slow."""
    return plain if DISABLED else compiled


def instruments(
    count: int = 1, *, tick: str = "0.01", lot: str = "1", multiplier: float = 1.0, **fees: float
) -> np.ndarray:
    """Instruments with one tick size each."""
    contracts = [
        Contract.simple(
            i, f"I{i}", tick=tick, lot=lot, kind="other", venue="X", multiplier=multiplier
        )
        for i in range(count)
    ]
    return instrument_rows(contracts, "2024-01-02", FeeRates(**fees))


class Row(NamedTuple):
    """A tape row."""

    ts: int
    kind: int
    side: int
    tick: int
    lots: int
    subtick: float = 0.0
    inst: int = 0


def depth(ts: int, side: int, tick: int, lots: int, inst: int = 0) -> Row:
    return Row(ts, RowKind.DEPTH, side, tick, lots, 0.0, inst)


def trade(ts: int, side: int, tick: int, lots: int, subtick: float = 0.0, inst: int = 0) -> Row:
    return Row(ts, RowKind.TRADE, side, tick, lots, subtick, inst)


def clear(ts: int, side: int, tick: int = 0, inst: int = 0) -> Row:
    return Row(ts, RowKind.CLEAR, side, tick, 0, 0.0, inst)


def status(ts: int, code: int, inst: int = 0) -> Row:
    return Row(ts, RowKind.STATUS, 0, 0, code, 0.0, inst)


def tape_of(rows: Sequence[Row]) -> Tape:
    """Columns of rows, which reach the local half 1 ns late."""
    ts = np.array([row.ts for row in rows], np.int64)
    return Tape(
        ts,
        ts + 1,
        np.array([row.kind for row in rows], np.int8),
        np.array([row.side for row in rows], np.int8),
        np.array([row.tick for row in rows], np.int32),
        np.array([row.subtick for row in rows], np.float32),
        np.array([row.lots for row in rows], np.int32),
        np.array([row.inst for row in rows], np.int16),
        np.zeros(0, np.int64),
    )


class Request(NamedTuple):
    """A request and the time of its arrival at the exchange."""

    ts: int
    kind: int
    order_id: int
    side: int = BUY
    tick: int = 0
    lots: int = 0
    order_type: int = LIMIT
    tif: int = GTC
    expire: int = NEVER
    set: int = 0
    inst: int = 0
    offset: int = 0

    def action(self) -> np.ndarray:
        row = np.zeros(1, ACTION)
        row["order_id"], row["expire_ts"] = self.order_id, self.expire
        row["tick"], row["lots"], row["set"], row["inst"] = (
            self.tick,
            self.lots,
            self.set,
            self.inst,
        )
        row["kind"], row["side"], row["offset"] = int(self.kind), self.side, self.offset
        row["order_type"], row["tif"] = int(self.order_type), int(self.tif)
        return row


def place(ts: int, order_id: int, side: int, tick: int, lots: int, *order: int, **more: Any) -> Any:
    """A new order; what follows the lots is its type and its lifetime."""
    return Request(ts, ActionKind.PLACE, order_id, side, tick, lots, *order, **more)


def modify(ts: int, order_id: int, tick: int, lots: int, side: int = BUY) -> Request:
    return Request(ts, ActionKind.MODIFY, order_id, side, tick, lots)


def cancel(ts: int, order_id: int) -> Request:
    return Request(ts, ActionKind.CANCEL, order_id)


def query(ts: int, order_id: int, **more: Any) -> Request:
    return Request(ts, ActionKind.QUERY, order_id, **more)


class Answer(NamedTuple):
    """What the exchange says."""

    ts: int
    order_id: int
    event: OrderEvent
    lots: int
    tick: int
    reason: Reason
    maker: bool
    price: float
    mid: float
    set: int
    inst: int


def answer_of(msg: Any) -> Answer:
    return Answer(
        int(msg["exch_ts"]),
        int(msg["order_id"]),
        OrderEvent(int(msg["event"])),
        int(msg["lots"]),
        int(msg["tick"]),
        Reason(int(msg["reason"])),
        bool(msg["liquidity"] > 0),
        float(msg["price"]),
        float(msg["mid"]),
        int(msg["set"]),
        int(msg["inst"]),
    )


class Venue:
    """The exchange half over a tape, one nanosecond from us both ways."""

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        peer: bool = False,
        queue: int = QueueModel.RISK_AVERSE,
        power: float = 1.0,
        sets: int = 1,
        day_end: int = NEVER,
        what: np.ndarray | None = None,
        window: int = 64,
        knots: np.ndarray | None = None,
    ) -> None:
        what = instruments() if what is None else what
        state = np.zeros(1, EXCHANGE_STATE)
        state["entry_ns"] = state["response_ns"] = 1
        state["day_end"], state["slots"], state["peer_fills"] = day_end, SLOTS, peer
        state["queue_model"], state["queue_power"] = int(queue), power
        book = make_book(len(what), window=window, far=16)
        self.exchange = make_exchange(
            book=book, instrument=what, state=state, sets=sets, knots=knots
        )
        self.tape = tape_of(rows)

    def send(self, request: Request) -> None:
        assert send_request(self.exchange, request.action()[0], request.ts - 1)

    def live_until(self, ts: int) -> list[Answer]:
        """What the exchange says up to a time."""
        rows = len(self.tape.exch_ts)
        while (at := engine.exchange_step(self.exchange, self.tape, ts, rows + 1, False)) > 0:
            assert at == Status.BOOK_FULL
            self.exchange = self.exchange._replace(book=grow_book(self.exchange.book))
        state, ring = self.exchange.state[0], self.exchange.response
        said = range(int(state["response_head"]), int(state["response_tail"]))
        state["response_head"] = state["response_tail"]
        return [answer_of(ring[i & (len(ring) - 1)]) for i in said]

    def front(self, order_id: int) -> float:
        """Units ahead of a resting order. [units]"""
        return float(self.exchange.line[self.exchange.node[order_id % SLOTS]["line"]]["front"])


def play(events: Iterable[Row | Request], **settings: Any) -> list[Answer]:
    """What the exchange says to rows and requests."""
    events = list(events)
    venue = Venue([e for e in events if isinstance(e, Row)], **settings)
    for event in events:
        if isinstance(event, Request):
            venue.send(event)
    return venue.live_until(NEVER - 1)


def fills(answers: Iterable[Answer]) -> list[tuple[int, int, int, int]]:
    """Time, order, lots and tick of the executions."""
    found = [a for a in answers if a.event == OrderEvent.EXECUTION]
    return [(a.ts, a.order_id, a.lots, a.tick) for a in found]


def events(answers: Iterable[Answer], order_id: int) -> list[OrderEvent]:
    """What was said of one order."""
    return [a.event for a in answers if a.order_id == order_id]


class Want(NamedTuple):
    """A quote that a test makes the strategy want; UNSET leaves the configured value."""

    side: int
    tick: float
    lots: float
    inst: int = 0
    order_type: int = -9
    tif: int = -9
    reason: int = 0


UNSET = -9
WANT_FIELDS = len(Want._fields)
MOST_WANTS = MAX_QUOTES + CANARY_ROWS


@kernel
def quote_as_told(view, params, memory, quotes):
    """What ``params`` say: the number to return, how many to write, then the fields of each."""
    memory[0] += 1.0
    for i in range(int(params[1])):
        at = 2 + WANT_FIELDS * i
        quote = quotes[i]
        quote["side"] = int(params[at])
        quote["tick"] = int(params[at + 1])
        quote["lots"] = int(params[at + 2])
        quote["inst"] = int(params[at + 3])
        if params[at + 4] != UNSET:
            quote["order_type"] = int(params[at + 4])
        if params[at + 5] != UNSET:
            quote["tif"] = int(params[at + 5])
        quote["reason"] = int(params[at + 6])
    return int(params[0])


TOLD = Strategy("as told", quote_as_told, {}, {}, raw=True)


class Action(NamedTuple):
    """What the local half asks for."""

    kind: ActionKind
    order_id: int
    side: int
    tick: int
    lots: int
    reason: Reason
    inst: int


class Desk:
    """The local half with a strategy that wants what it is told, and a book of 99 to 101."""

    def __init__(
        self,
        *,
        what: np.ndarray | None = None,
        book: bool = True,
        guard: Guard | None = None,
        **limits: Any,
    ) -> None:
        what = instruments() if what is None else what
        sets = np.zeros(1, SET)
        sets["max_position_lots"] = sets["max_order_lots"] = sets["max_open_orders"] = NO_LIMIT
        sets["max_loss"], sets["max_book_age_ns"] = np.inf, NEVER
        sets["size_tolerance_lots"] = -1
        sets["shows_orders"] = True
        sets["theo_collar"] = sets["collar"] = sets["max_order_value"] = np.inf
        for name, value in limits.items():
            sets[name] = value
        self.local = make_local(
            book=make_book(len(what), window=64, far=16),
            instrument=what,
            sets=sets,
            strategy_param=np.zeros((1, 2 + WANT_FIELDS * MOST_WANTS)),
            memory=np.zeros((1, 1)),
            slots=SLOTS,
            max_quotes=MAX_QUOTES,
            log_rows=1 << 13,
            guard=guard,
        )
        self.actions = action_rows(self.local)
        self.message = empty_message()
        self.now = 0
        self.executions = 0
        arguments = (self.local, 0, TOLD.quote, self.message[0], self.actions)
        self._step = bind(engine.local_step, arguments, 2)
        if book:
            for inst in range(len(what)):
                self.row(depth(0, BUY, 99, 10, inst))
                self.row(depth(0, SELL, 101, 10, inst))

    def tell(self, kind: int, **fields: Any) -> list[Action]:
        """Apply a message; returns the actions."""
        self.message[:] = 0
        self.message["price"] = self.message["mid"] = np.nan
        self.message["kind"], self.message["ts"] = int(kind), self.now
        for name, value in fields.items():
            self.message[name] = value
        n = self.step()
        while n == -Status.EXECUTIONS_FULL:
            self.local = with_more_executions(self.local)
            n = self.step()
        return [
            Action(
                ActionKind(int(a["kind"])), int(a["order_id"]), int(a["side"]), int(a["tick"]),
                int(a["lots"]), Reason(int(a["reason"])), int(a["inst"]),
            )
            for a in self.actions[: max(n, 0)]
        ]  # fmt: skip

    def step(self) -> int:
        """Apply the message in hand; returns the actions' number, or minus a Status."""
        self.status = int(self._step(self.local, 0, TOLD.quote, self.message[0], self.actions))
        return self.status

    def row(self, row: Row) -> list[Action]:
        """Receive a tape row."""
        return self.tell(
            row.kind, ts=row.ts, exch_ts=row.ts, side=row.side, tick=row.tick, lots=row.lots,
            subtick=row.subtick, inst=row.inst,
        )  # fmt: skip

    def want(self, *wants: Want, returns: int | None = None) -> None:
        """Set what the strategy wants from now on."""
        row = self.local.strategy_param[0]
        row[0], row[1] = len(wants) if returns is None else returns, len(wants)
        row[2 : 2 + WANT_FIELDS * len(wants)] = [float(x) for want in wants for x in want]

    def decide(self, *wants: Want, returns: int | None = None) -> list[Action]:
        """Decide, a nanosecond later, with these quotes wanted."""
        self.want(*wants, returns=returns)
        self.now += 1
        return self.tell(MsgKind.DECISION)

    def on(self, event: OrderEvent, order_id: int, **fields: Any) -> list[Action]:
        """Receive an order message."""
        self.now += 1
        return self.tell(MsgKind.ORDER, event=int(event), order_id=order_id, **fields)

    def fill(
        self, order_id: int, side: int, lots: int, price: float = 1.0, **fields: Any
    ) -> list[Action]:
        """Receive an execution; its id is the next one where none is given."""
        self.executions += 1
        more = {"price": price, "mid": 1.0, "liquidity": 1, "seq": self.executions} | fields
        return self.on(OrderEvent.EXECUTION, order_id, side=side, lots=lots, **more)

    def working(self, want: Want) -> int:
        """Place an order and have it confirmed; returns its id."""
        sent = [a for a in self.decide(want) if a.kind == ActionKind.PLACE]
        assert len(sent) == 1
        self.confirm(sent[0])
        return sent[0].order_id

    def confirm(self, action: Action) -> list[Action]:
        return self.on(
            OrderEvent.CONFIRM,
            action.order_id,
            side=action.side,
            tick=action.tick,
            lots=action.lots,
        )

    def order(self, order_id: int) -> Any:
        """An order as the local half knows it."""
        return self.local.order[order_id % SLOTS]

    def state(self, order_id: int) -> OrderState:
        return OrderState(int(self.order(order_id)["state"]))

    def live(self) -> list[int]:
        """Ids of the live orders, in the local half's own list."""
        return [
            int(self.local.order[s]["order_id"]) for s in self.local.live[0, : self.set["live"]]
        ]

    @property
    def set(self) -> Any:
        return self.local.set[0]

    @property
    def asked(self) -> int:
        """How often the strategy was asked."""
        return int(self.local.memory[0, 0])

    def position(self, inst: int = 0) -> Any:
        return self.local.position[inst]

    def open_lots(self, inst: int = 0) -> tuple[int, int]:
        """Lots that live orders could still buy and sell."""
        return int(self.position(inst)["open_buy"]), int(self.position(inst)["open_sell"])

    def logged_fills(self) -> np.ndarray:
        return self.local.fill_log[: self.local.log[0]["fills"]].copy()
