"""A slow, obvious backtest in plain Python: what the compiled engine is tested against.

One instrument. Dicts, lists and one heap of events; nothing is shared with the kernels but the row
codes. Prices are ticks, sizes are lots; ``tick`` and ``lot`` are (numerator, denominator) of the
price of one tick and of the units of one lot.

Ties in time: local data, local response, exchange data, exchange order, decision.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmquant.core.dtypes import RowKind
from tests.naive_book import Book
from tests.naive_exchange import BOOK_ROWS, Exchange, Order

LOCAL_DATA, LOCAL_RESPONSE, EXCHANGE_DATA, EXCHANGE_ORDER, DECISION = range(5)


@dataclass
class Account:
    """The local half's orders, position and cash.

    ``running`` keeps the position as a float sum of whole orders of ``order_units``, residue and
    all, as the peer tool does; otherwise it is exact.
    """

    tick: tuple[int, int]
    lot: tuple[int, int]
    maker_fee: float
    taker_fee: float
    running: bool
    orders: dict[int, Order] = field(default_factory=dict)
    ended: list[Order] = field(default_factory=list)
    fills: list[tuple[int, int, int, int, int, bool]] = field(default_factory=list)
    lots: int = 0
    position_sum: float = 0.0
    cash: float = 0.0
    fee: float = 0.0

    @property
    def position(self) -> float:
        return self.position_sum if self.running else self.lots * self.lot[0] / self.lot[1]

    def on_response(
        self,
        now: int,
        exch_ts: int,
        what: str,
        order_id: int,
        lots: int = 0,
        tick: int = 0,
        maker: bool = True,
    ) -> None:
        order = self.orders.get(order_id)
        if order is None or what == "cancel rejected":
            return
        if order.ack_time == 0:
            order.ack_time = now
        if what == "working" and order.state == "sent":
            order.state = "working"
        if what in ("filled", "partly"):
            units = lots * (self.lot[0] / self.lot[1])
            value = tick * self.tick[0] / self.tick[1] * units
            order.leaves -= lots
            self.fills.append((now, exch_ts, order.side, tick, lots, maker))
            self.lots += order.side * lots
            self.position_sum += order.side * units
            self.cash -= order.side * value
            self.fee += value * (self.maker_fee if maker else self.taker_fee)
        if what in ("filled", "cancelled", "expired"):
            order.state, order.end_time = what, now
            self.ended.append(self.orders.pop(order_id))


class SkewStrategy:
    """One quote a side, skewed by the position; keeps a side whose order rests where wanted.

    Orders elsewhere are cancelled once they are acknowledged; new ones do not wait for that. With a
    side empty all stays as it is. A locked or crossed book, which only the peer's way to clear
    leaves, is not quoted: all orders are cancelled, those on their way too.
    """

    def __init__(self, half_spread_ticks: float, skew_ticks: float, order_lots: int,
                 max_orders: float, lot: tuple[int, int]) -> None:  # fmt: skip
        self.half, self.skew, self.lots = half_spread_ticks, skew_ticks, order_lots
        self.order_units = order_lots * (lot[0] / lot[1])
        self.limit = max_orders * self.order_units

    def __call__(self, book: Book, account: Account) -> Iterator[tuple[Any, ...]]:
        """Yields ("cancel", id) and ("new", side, tick, lots, style)."""
        bid, ask = book.best[+1], book.best[-1]
        if bid is None or ask is None:
            return
        if bid >= ask:
            for order in list(account.orders.values()):
                if order.state != "cancelling":
                    yield ("cancel", order.id)
            return
        position = account.position
        fair = (bid + ask) / 2.0 - self.skew * position / self.order_units
        tick = {
            +1: int(min(math.floor(fair - self.half), bid)),
            -1: int(max(math.ceil(fair + self.half), ask)),
        }
        want = {+1: position < self.limit - 1e-9, -1: position > -self.limit + 1e-9}
        have = {+1: False, -1: False}
        for order in list(account.orders.values()):
            if want[order.side] and order.tick == tick[order.side]:
                have[order.side] = True
            elif order.state == "working":
                yield ("cancel", order.id)
        for side in (+1, -1):
            if want[side] and not have[side]:
                yield ("new", side, tick[side], self.lots, "post")


def naive_backtest(
    columns: dict[str, np.ndarray],
    *,
    tick: tuple[int, int],
    lot: tuple[int, int],
    params: dict[str, Any],
    strategy: Callable[[Book, Account], Iterator[tuple[Any, ...]]] | None = None,
) -> dict[str, Any]:
    """Run a strategy (by default the reference market maker) over the columns of a tape.

    Parameters
    ----------
    columns : exch_ts, local_ts [ns], kind, side, tick, size [lots]; perhaps subtick, local_order.
    params : interval_ns, entry_latency_ns, response_latency_ns, fill ("peer" or "partial"), queue
        (model, exponent), maker_fee, taker_fee (of traded value); half_spread_ticks, skew_ticks,
        order_lots, max_orders for the reference strategy; peer_clear to clear levels as the peer's
        ROI book does.

    Returns
    -------
    path (timestamp, price = mid, position, balance, fee, num_trades at each decision),
    fills (local_ts, exch_ts, side, tick, lots, maker), orders (ended, then live).
    """
    count = itertools.count()
    events: list[tuple[Any, ...]] = []
    account = Account(
        tick, lot, params.get("maker_fee", 0.0), params.get("taker_fee", 0.0),
        running=params["fill"] == "peer",
    )  # fmt: skip
    sent: dict[int, Order] = {}

    def respond(now: int, what: str, order_id: int, lots: int = 0, t: int = 0,
                maker: bool = True) -> None:  # fmt: skip
        when = now + params["response_latency_ns"]
        payload = (now, what, order_id, lots, t, maker)
        heapq.heappush(events, (when, LOCAL_RESPONSE, next(count), payload))

    exchange = Exchange(params["fill"], params["queue"], lot, respond)
    local_book = Book(peer_clear=params.get("peer_clear", False))
    exchange.book = Book(peer_clear=params.get("peer_clear", False))
    if strategy is None:
        names = ("half_spread_ticks", "skew_ticks", "order_lots", "max_orders")
        strategy = SkewStrategy(*(params[n] for n in names), lot)

    subtick = columns.get("subtick", np.zeros(len(columns["exch_ts"])))
    names = ("kind", "side", "tick", "size")
    rows = list(zip(*(columns[n].tolist() for n in names), subtick.tolist(), strict=True))
    times = columns["exch_ts"].tolist()
    local_order = columns.get("local_order", np.arange(len(rows))).tolist()
    events += [(t, EXCHANGE_DATA, i, rows[i]) for i, t in enumerate(times)]
    local_times = columns["local_ts"].tolist()
    events += [(local_times[i], LOCAL_DATA, n, rows[i]) for n, i in enumerate(local_order)]
    events.append((times[0] + params["interval_ns"], DECISION, 0, ()))
    heapq.heapify(events)

    path = []
    while events:
        now, stage, _, what = heapq.heappop(events)
        if stage == LOCAL_DATA:
            kind, side, t, size, _ = what
            if kind in BOOK_ROWS:
                local_book.set(side, t, size)
            elif kind == RowKind.CLEAR:
                local_book.clear(side, t)
        elif stage == LOCAL_RESPONSE:
            account.on_response(now, *what)
        elif stage == EXCHANGE_DATA:
            kind, side, t, size, sub = what
            exchange.on_row(now, kind, side, t, sub, size)
        elif stage == EXCHANGE_ORDER:
            exchange.on_order(now, *what)
        elif events:  # a decision, and something is still to come
            for action in strategy(local_book, account):
                if action[0] == "cancel":
                    order = account.orders[action[1]]
                    order.state = "cancelling"
                else:
                    order = Order(len(sent) + 1, *action[1:], submit_time=now)
                    sent[order.id] = account.orders[order.id] = order
                arrival = now + params["entry_latency_ns"]
                heapq.heappush(events, (arrival, EXCHANGE_ORDER, next(count), (action[0], order)))
            bid, ask = local_book.best[+1], local_book.best[-1]
            mid = math.nan if bid is None or ask is None else (bid + ask) * tick[0] / tick[1] / 2
            path.append((now, mid, account.position, account.cash, account.fee, len(account.fills)))
            heapq.heappush(events, (now + params["interval_ns"], DECISION, 0, ()))
    keys = ("timestamp", "price", "position", "balance", "fee", "num_trades")
    table = dict(zip(keys, (np.array(c) for c in zip(*path, strict=True)), strict=True))
    return {"path": table, "fills": account.fills, "orders": list(sent.values())}
