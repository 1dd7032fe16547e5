"""A broker on a wire by hand: frames in through ib_async's own decoder, requests out as fields."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from ib_async import IB
from ib_async import Contract as IBContract

from mmquant.brokers.ibkr import IBKRBroker
from mmquant.brokers.ibkr_clock import Clock
from mmquant.brokers.ibkr_contracts import Traded
from mmquant.core.dtypes import (
    ACTION,
    ActionKind,
    MsgKind,
    OrderEvent,
    OrderType,
    Reason,
    Session,
    TimeInForce,
)
from mmquant.data.contracts import Contract

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
VERSION = 178
UNSET = "1.7976931348623157E308"
CON_ID = 265598
ACCOUNT = "DU1234567"
RUN = "r1"
NUMBERS = 41
"""The broker's first number for what it is asked."""


def stocks(count: int = 1, venue: str = "SMART") -> list[Contract]:
    return [Contract.equity(i, f"S{i}", venue=venue) for i in range(count)]


class Wire:
    """An IBKRBroker whose socket is in the test's hands, on a clock that the test moves."""

    def __init__(self, contracts: Sequence[Contract] | None = None, **given: Any) -> None:
        self.ns = 0
        clock = Clock(lambda: self.ns, lambda: T0 + self.ns)
        self.broker = IBKRBroker(
            list(contracts or stocks()), date="2023-11-14", run=RUN, account=ACCOUNT, clock=clock,
            ib=IB(), **given,
        )  # fmt: skip
        self.sent: list[list[str]] = []
        self.sent_ns: list[int] = []
        client = self.client = self.broker.ib.client
        client.conn.sendMsg = self._take
        self.connect()
        for inst, contract in enumerate(self.broker.contracts):
            ib = IBContract(
                secType="OPT" if contract.kind == "option" else "STK", conId=CON_ID + inst,
                symbol=contract.symbol, exchange=contract.venue, currency="USD",
            )  # fmt: skip
            self.broker.traded[inst] = Traded(contract, ib)
            self.broker.executions.by_contract[CON_ID + inst] = inst
        self.broker.requests.allowed = self.broker.router.is_up
        self.broker.router.begin()
        self.first = self.events()
        """What was told at the beginning."""

    def connect(self) -> None:
        """The link is made, with no word said."""
        client, link = self.client, self.broker.link
        client.connState, client._apiReady = client.CONNECTED, True
        client._serverVersion = client.decoder.serverVersion = VERSION
        client._accounts = [ACCOUNT]
        client.updateReqId(NUMBERS)
        link.attempts += 1
        link.go_on_numbering()
        self.broker.ib.wrapper.clientId = link.client_id
        link.is_up = True
        link._heard_ts = link.clock.now()

    def _take(self, frame: bytes) -> None:
        (size,) = struct.unpack(">I", frame[:4])
        assert len(frame) == size + 4
        self.sent.append(frame[4:].decode().split("\0")[:-1])
        self.sent_ns.append(self.ns)

    def say(self, *messages: Sequence[Any]) -> None:
        """Receive messages in one packet."""
        packet = b""
        for fields in messages:
            text = "".join(f"{field}\0" for field in fields).encode()
            packet += struct.pack(">I", len(text)) + text
        self.client._onSocketHasData(packet)

    def golden(self, text: str, version: int) -> None:
        """Receive a captured frame."""
        decoder = self.client.decoder
        decoder.serverVersion = version
        decoder.interpret(text.split("|")[:-1])
        decoder.serverVersion = VERSION

    def heard(self, ms: float = 0) -> list[Any]:
        """The messages since the last call, after some time."""
        self.ns += round(ms * MS)
        rows: list[Any] = []
        while (block := self.broker.next_message(0)) is not None:
            rows += [np.array([row])[0] for row in block]
        return rows

    def events(self, ms: float = 0) -> list[tuple[Any, ...]]:
        """What was heard: order events with order, tick, lots and Reason; sessions; others."""
        return [brief(row) for row in self.heard(ms)]

    def requests(self, kind: int | None = None) -> list[list[str]]:
        """What was sent since the last call, of a kind."""
        found, self.sent = self.sent, []
        return [fields for fields in found if kind is None or fields[0] == str(kind)]

    def act(self, kind: ActionKind, order_id: int = 0, **fields: Any) -> None:
        """Send one action of the local half."""
        row = np.zeros(1, ACTION)
        row["kind"], row["order_id"], row["ts"] = int(kind), order_id, T0 + self.ns
        row["side"], row["tif"], row["lots"] = 1, int(TimeInForce.DAY), 100
        row["tick"], row["reason"] = 10_000, int(Reason.QUOTE)
        row["order_type"] = int(OrderType.LIMIT)
        for name, value in fields.items():
            row[name] = int(value)
        self.broker.send(row, 1, T0 + self.ns)

    def place(self, order_id: int = 17, **fields: Any) -> int:
        """Place an order; returns the number that it left under."""
        self.act(ActionKind.PLACE, order_id, **fields)
        mine = self.broker.orders.get(order_id)
        assert mine is not None
        return mine.ib_id

    def working(self, order_id: int = 17, **fields: Any) -> int:
        """Place an order and have it confirmed."""
        number = self.place(order_id, **fields)
        self.say(
            open_order(number, order_id, price=price(fields.get("tick", 10_000))),
            order_status(number, "Submitted"),
        )
        self.heard()
        return number


def price(tick: int) -> str:
    return f"{tick / 100:g}"


def brief(row: Any) -> tuple[Any, ...]:
    kind = MsgKind(int(row["kind"]))
    if kind == MsgKind.ORDER:
        return (
            OrderEvent(int(row["event"])).name, int(row["order_id"]), int(row["tick"]),
            int(row["lots"]), Reason(int(row["reason"])).name,
        )  # fmt: skip
    if kind == MsgKind.SESSION:
        return (Session(int(row["reason"])).name, int(row["inst"]))
    return (kind.name, int(row["inst"]), int(row["side"]), int(row["tick"]), int(row["lots"]))


# --- messages as TWS sends them at version 178


def open_order(
    number: int,
    order_id: int,
    *,
    status: str = "Submitted",
    price: str = "100.0",
    lots: float = 100,
    side: str = "BUY",
    perm: int | None = None,
    client: int = 1,
    ref: str | None = None,
    kind: str = "LMT",
    con_id: int = CON_ID,
    tif: str = "DAY",
) -> list[Any]:
    reference = f"mm:{RUN}:{order_id}" if ref is None else ref
    perm = 7_000_000 + number if perm is None else perm
    head = [
        5, number, con_id, "S0", "STK", "", 0, "?", "", "SMART", "USD", "S0", "NMS",
        side, lots, kind, price, "0.0", tif, "", ACCOUNT, "", 0, reference, client, perm,
        0, 0, 0, "", f"{perm}.0/{ACCOUNT}/{lots}", "", "", "",
    ]  # fmt: skip
    middle = [
        "", "", "", "", "", 0, "", -1, 0, "", "", "", "", "", 2147483647, 0, 0, 0, "", 3, 0, 0, "",
        0, 0, "", 0, "None", "", 0, "", "", "", "?", 0, 0, "",
        0, 0, "", "", "", "", "", 0, 0, 0, 2147483647, 2147483647, "", "", 0, "", "IB", 0, 0, "",
        0, 0, status, *[UNSET] * 9, "", "", "", "", "", 0, 0, 0,
    ]  # fmt: skip
    tail = ["None", *[UNSET] * 6, 0, "", "", "", 0, 0, 0, 0, "", "", "", 0, "", "", "", "", ""]
    return [*head, *middle, *tail]


def order_status(
    number: int,
    status: str,
    filled: float = 0,
    remaining: float = 100,
    *,
    perm: int | None = None,
    client: int = 1,
    held: str = "",
) -> list[Any]:
    perm = 7_000_000 + number if perm is None else perm
    return [3, number, status, filled, remaining, 0, perm, 0, 0, client, held, 0]


def execution(
    number: int,
    order_id: int,
    exec_id: str = "0001.aa.01.01",
    *,
    lots: float = 100,
    price: str = "100.0",
    side: str = "BOT",
    request: int = -1,
    added: int = 1,
    ref: str | None = None,
    con_id: int = CON_ID,
    when: str = "20231114 22:13:20 UTC",
    sec_type: str = "STK",
    client: int = 1,
    perm: int | None = None,
) -> list[Any]:
    reference = f"mm:{RUN}:{order_id}" if ref is None else ref
    perm = 7_000_000 + number if perm is None else perm
    return [
        11, request, number, con_id, "S0", sec_type, "", 0, "", "", "ISLAND", "USD", "S0", "NMS",
        exec_id, when, ACCOUNT, "ISLAND", side, lots, price, perm, client, 0, lots, price,
        reference, "", "", "", added, 0,
    ]  # fmt: skip


def commission(exec_id: str, amount: str = "1.0") -> list[Any]:
    return [59, 1, exec_id, amount, "USD", UNSET, UNSET, ""]


def error(number: int, code: int, text: str = "") -> list[Any]:
    return [4, 2, number, code, text, ""]


def position(lots: float, con_id: int = CON_ID, cost: float = 99.5) -> list[Any]:
    return [61, 3, ACCOUNT, con_id, "S0", "STK", "", 0, "", "", "", "USD", "S0", "NMS", lots, cost]


ORDERS_END = [53, 1]
POSITIONS_END = [62, 1]


def executions_end(request: int) -> list[Any]:
    return [55, 1, request]
