"""The conformance script: one talk with TWS, or with the gateway, frame by frame.

It trades one share of a stock on a paper account. Nothing is decoded: what is kept is what the wire
said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ib_async import IB, Contract, ExecutionFilter, Order
from ib_async.util import getLoop

from mmquant.errors import MMQuantError, UsageError

PAPER_PREFIX = "DU"
ANSWER_S, DATA_S = 6.0, 12.0
RECONNECTS = 5
STATUS, ERROR, OPEN_ORDER, DETAILS = 3, 4, 5, 10
PRICE, BID, ASK, LAST = 1, 1, 2, 4
LIVE_STATUS = ("PreSubmitted", "Submitted")
END_STATUS = ("Filled", "Cancelled", "ApiCancelled", "Inactive")
DISTANCE = 0.05
"""How far below the best bid orders rest that are not to be filled, as a part of it."""


class Frame(NamedTuple):
    """One message: the step of the script, ``in`` or ``out``, and its fields."""

    step: str
    way: str
    fields: tuple[str, ...]


@dataclass
class Talk:
    """A connection whose frames are kept; ``late`` are steps whose answer did not come in time."""

    host: str
    port: int
    client_id: int
    frames: list[Frame] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    step: str = "connect"

    def __post_init__(self) -> None:
        self.ib = IB()
        self.client = self.ib.client
        self._came = asyncio.Event()
        setattr(self.client.decoder, "interpret", self._take)  # noqa: B010 (for mypy)
        send = self.client.sendMsg

        def sent(message: str) -> None:
            if message:
                self.frames.append(Frame(self.step, "out", tuple(message.split("\0")[:-1])))
            send(message)

        setattr(self.client, "sendMsg", sent)  # noqa: B010

    def connect(self) -> str:
        """Connect; the account. Raises MMQuantError, UsageError where it is no paper account."""
        try:
            getLoop().run_until_complete(
                self.client.connectAsync(self.host, self.port, self.client_id, ANSWER_S)
            )
        except (OSError, TimeoutError) as error:
            raise MMQuantError(
                f"no connection to {self.host}:{self.port}: {error!r}",
                fix="start TWS or IB Gateway, and allow API connections there",
            ) from None
        accounts = self.client.getAccounts()
        if len(accounts) != 1 or not accounts[0].startswith(PAPER_PREFIX):
            self.close()
            raise UsageError(
                "this login has no paper account, or more than one; nothing was sent",
                fix="log in with the user of paper trading",
            )
        return str(accounts[0])

    def close(self) -> None:
        """Hang up."""
        self.client.disconnect()
        getLoop().run_until_complete(asyncio.sleep(0))

    def wait(self, holds: Callable[[], object], seconds: float = ANSWER_S) -> bool:
        """Serve the connection until something holds; a step that waits in vain is late."""

        async def waited() -> bool:
            end = time.monotonic() + seconds
            while not holds():
                self._came.clear()
                left = end - time.monotonic()
                if left <= 0.0:
                    return False
                try:
                    await asyncio.wait_for(self._came.wait(), left)
                except TimeoutError:
                    return bool(holds())
            return True

        came = bool(getLoop().run_until_complete(waited()))
        if not came and self.step not in self.late:
            self.late.append(self.step)
        return came

    def got(self, kind: int, at: int | None = None, value: object = None) -> list[tuple[str, ...]]:
        """Frames of this step of a kind, in which field ``at`` has a value."""
        return [
            f.fields for f in self.frames
            if f.step == self.step and f.way == "in" and f.fields[0] == str(kind)
            and (at is None or f.fields[at] == str(value))
        ]  # fmt: skip

    def refused(self, number: int) -> bool:
        """Whether an error was told of a request in this step."""
        return bool(self.got(ERROR, 2, number))

    def _take(self, fields: list[str]) -> None:
        self.frames.append(Frame(self.step, "in", tuple(fields)))
        self._came.set()


def run_script(talk: Talk, symbol: str) -> str:
    """Go through all steps; the account.

    Raises
    ------
    MMQuantError
        where there is no connection, or no price to set orders by.
    UsageError
        where the account is none of paper trading; nothing has been sent then.
    """
    account = talk.connect()
    stock = Contract(secType="STK", symbol=symbol, exchange="SMART", currency="USD")
    try:
        _reference(talk, stock)
        bid, ask = _market_data(talk, stock)
        _orders(talk, stock, account, bid, ask)
        _again(talk)
    finally:
        talk.step = "global_cancel"
        if talk.client.isConnected():
            talk.client.reqGlobalCancel()
            talk.client.reqOpenOrders()
            talk.wait(lambda: talk.got(53))
            talk.close()
    return account


def _ask(talk: Talk, step: str, send: Callable[[int], Any], end: int, at: int) -> int:
    """One question with its number, and its answer up to the message that ends it."""
    talk.step, number = step, talk.client.getReqId()
    send(number)
    talk.wait(lambda: talk.got(end, at, number) or talk.refused(number))
    return number


def _reference(talk: Talk, stock: Contract) -> None:
    client = talk.client
    talk.step = "time"
    client.reqCurrentTime()
    talk.wait(lambda: talk.got(49))
    _ask(talk, "details", lambda n: client.reqContractDetails(n, stock), 52, 2)
    found = talk.got(DETAILS)
    if not found:
        raise MMQuantError(f"the broker knows no stock {stock.symbol!r}", fix="name another")
    stock.conId = int(found[0][12])
    rules = found[0][-6].split(",") if len(found[0]) > 6 else []
    talk.step = "market_rule"
    if rules and rules[0].isdigit():
        client.reqMarketRule(int(rules[0]))
        talk.wait(lambda: talk.got(93))
    _ask(
        talk, "option_parameters",
        lambda n: client.reqSecDefOptParams(n, stock.symbol, "", "STK", stock.conId), 76, 1,
    )  # fmt: skip


def _market_data(talk: Talk, stock: Contract) -> tuple[float, float]:
    """Streams, each for a moment; best bid and ask."""
    client = talk.client
    lists = [f for f in talk.got(75) if f[2] == "SMART"] or talk.got(75)
    talk.step, line = "quotes", client.getReqId()
    client.reqMktData(line, stock, "", False, False, [])
    prices: dict[int, float] = {}

    def quoted(*wanted: int) -> bool:
        for fields in talk.got(PRICE, 2, line):
            prices[int(fields[3])] = float(fields[4])
        return all(prices.get(kind, 0.0) > 0.0 for kind in wanted)

    talk.wait(lambda: quoted(BID, ASK, LAST), DATA_S)
    client.cancelMktData(line)
    if not quoted(BID, ASK):
        raise MMQuantError("there is no price", fix="come back when the market is open")
    if lists:
        _option(talk, stock.symbol, lists[0], prices[BID])
    talk.step, line = "depth", client.getReqId()
    client.reqMktDepth(line, stock, 5, True, [])
    talk.wait(lambda: talk.got(13, 2, line) or talk.refused(line), DATA_S)
    client.cancelMktDepth(line, True)
    talk.step, line = "tick_by_tick", client.getReqId()
    client.reqTickByTickData(line, stock, "BidAsk", 0, False)
    talk.wait(lambda: talk.got(99, 1, line) or talk.refused(line), DATA_S)
    client.cancelTickByTickData(line)
    _ask(
        talk, "bars",
        lambda n: client.reqHistoricalData(
            n, stock, "", "1 D", "1 hour", "TRADES", True, 1, False, []
        ), 17, 1,
    )  # fmt: skip
    return prices[BID], prices[ASK]


def _option(talk: Talk, symbol: str, chain: tuple[str, ...], spot: float) -> None:
    """The call next to the money: its terms, its quotes and greeks."""
    n_expiries = int(chain[6])
    expiries, strikes = sorted(chain[7 : 7 + n_expiries]), chain[8 + n_expiries :]
    near = min(map(float, strikes), key=lambda k: abs(k - spot))
    option = Contract(
        secType="OPT", symbol=symbol, exchange="SMART", currency="USD", right="C", strike=near,
        lastTradeDateOrContractMonth=expiries[min(1, n_expiries - 1)], multiplier=chain[5],
        tradingClass=chain[4],
    )  # fmt: skip
    _ask(talk, "option_details", lambda n: talk.client.reqContractDetails(n, option), 52, 2)
    talk.step, line = "greeks", talk.client.getReqId()
    talk.client.reqMktData(line, option, "", False, False, [])
    talk.wait(lambda: talk.got(21, 1, line) or talk.refused(line), DATA_S)
    talk.client.cancelMktData(line)


def _orders(talk: Talk, stock: Contract, account: str, bid: float, ask: float) -> None:
    """One share: rest, change, cancel, an order that may not rest, bought and sold again."""
    far = round(bid * (1.0 - DISTANCE), 2)
    resting = _place(talk, "place", stock, _limit(account, "BUY", far), LIVE_STATUS)
    lower = _limit(account, "BUY", round(far - 0.01, 2))
    talk.step = "modify"
    talk.client.placeOrder(resting, stock, lower)
    talk.wait(lambda: talk.got(OPEN_ORDER, 1, resting) or talk.refused(resting))
    talk.step = "cancel"
    talk.client.cancelOrder(resting)
    talk.wait(lambda: _has_status(talk, resting, END_STATUS))
    _place(talk, "ioc", stock, _limit(account, "BUY", far, "IOC"), END_STATUS)
    for step, side, price in (("buy", "BUY", ask * 1.002), ("sell", "SELL", bid * 0.998)):
        _place(talk, step, stock, _limit(account, side, round(price, 2)), ("Filled",))
        talk.wait(lambda: talk.got(59))
    _place(talk, "left_open", stock, _limit(account, "BUY", far), LIVE_STATUS)
    _ask(
        talk, "executions",
        lambda n: talk.client.reqExecutions(n, ExecutionFilter(clientId=talk.client_id)), 55, 2,
    )  # fmt: skip


def _again(talk: Talk) -> None:
    """What is told of an order after the connection was lost."""
    talk.step = "reconnect"
    talk.close()
    for left in reversed(range(RECONNECTS)):
        try:
            talk.connect()
            break
        except MMQuantError:
            # The old connection may take a while to end, and holds the number until then.
            if not left:
                raise
    talk.client.reqOpenOrders()
    talk.wait(lambda: talk.got(53))


def _place(
    talk: Talk, step: str, stock: Contract, order: Order, until: tuple[str, ...]
) -> int:  # fmt: skip
    talk.step, number = step, talk.client.getReqId()
    talk.client.placeOrder(number, stock, order)
    talk.wait(lambda: _has_status(talk, number, until) or talk.refused(number))
    return number


def _has_status(talk: Talk, number: int, wanted: tuple[str, ...]) -> bool:
    return any(fields[2] in wanted for fields in talk.got(STATUS, 1, number))


def _limit(account: str, side: str, price: float, tif: str = "DAY") -> Order:
    return Order(
        action=side, totalQuantity=1, orderType="LMT", lmtPrice=price, tif=tif, account=account,
        orderRef="mm:conform", transmit=True,
    )  # fmt: skip
