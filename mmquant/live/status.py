"""What a live run is doing, in a few numbers and one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.dtypes import Reason, Session
from mmquant.core.local import Local
from mmquant.core.portfolio import equity_of
from mmquant.core.ticks import price_of_tick
from mmquant.data.contracts import Contract

if TYPE_CHECKING:
    from mmquant.config import Config

SHOWN = 3
"""Instruments with a place of their own in the line."""


@dataclass(frozen=True)
class Quoted:
    """One instrument: market, our best quotes (NaN: none) and position. [currency, units]"""

    symbol: str
    bid: float
    ask: float
    own_bid: float
    own_ask: float
    position: float
    max_position: float


@dataclass(frozen=True)
class Status:
    """A live run at a time. Money in currency, of the whole run."""

    ts: int
    link: str
    blocked: str
    instruments: tuple[Quoted, ...]
    pnl: float
    fees: float
    max_loss: float
    fills: int
    live_orders: int
    messages_in_window: int
    max_messages: int
    messages_day: int
    order_ratio: float

    def line(self) -> str:
        """All on one line."""
        shown = sorted(self.instruments, key=lambda one: not isfinite(one.own_bid + one.own_ask))
        parts = [_of(one) for one in shown[:SHOWN]]
        if len(self.instruments) > SHOWN:
            held = sum(one.position != 0 for one in self.instruments)
            parts.append(f"{len(self.instruments)} instruments, {held} held")
        loss = f" (loss limit {self.max_loss:,.0f})" if isfinite(self.max_loss) else ""
        parts.append(f"PnL {self.pnl if isfinite(self.pnl) else 0.0:+,.2f}{loss}")
        parts.append(f"{self.fills} fills, {self.live_orders} orders")
        parts.append(f"messages {self.messages_in_window}/{self.max_messages or '-'}")
        parts.append(f"{self.messages_day} today, ratio {self.order_ratio:.1f}")
        parts += [self.link] if self.link else []
        parts += [self.blocked] if self.blocked else []
        return " | ".join(parts)


def status_of(local: Local, contracts: Sequence[Contract], config: Config, now: int) -> Status:
    """The status of a local half."""
    state = local.set[0]
    best: dict[tuple[int, int], int] = {}
    for slot in local.live[0, : int(state["live"])]:
        order = local.order[slot]
        key = int(order["inst"]), int(order["side"])
        tick = int(order["tick"])
        best[key] = tick if key not in best else key[1] * max(key[1] * best[key], key[1] * tick)
    limit = config.limits.max_position_lots
    quoted = tuple(
        Quoted(
            contract.symbol if contract.strike is None else _option_name(contract),
            _seen(local, i, "bid_price"),
            _seen(local, i, "ask_price"),
            _price(local, i, best.get((i, 1))),
            _price(local, i, best.get((i, -1))),
            float(local.position[i]["units"]),
            nan if limit is None else limit * float(contract.lot),
        )
        for i, contract in enumerate(contracts)
    )
    count = int(state["messages"])
    recent = int(np.count_nonzero(local.sent[0] > now - int(state["message_window_ns"])))
    fills = int(local.position["fills"].sum())
    executed = int(state["executed_day"]) if state["counts"] else fills
    today = int(state["messages_day"]) if state["counts"] else count
    return Status(
        now,
        "" if state["link"] == 0 else f"link {Session(int(state['link'])).name.lower()}",
        "" if state["blocked"] == 0 else Reason(int(state["blocked"])).name.lower(),
        quoted,
        sum(
            float(equity_of(local.position[i], local.instrument[i], _seen(local, i, "mid")))
            for i in range(len(contracts))
        ),
        float(local.position["fees"].sum()),
        float(state["max_loss"]),
        fills,
        int(state["live"]),
        recent,
        int(state["max_messages"]),
        today,
        today / (executed + 1.0),
    )


def _of(one: Quoted) -> str:
    position = f"{one.position:+,.0f}"
    if isfinite(one.max_position):
        position += f"/{one.max_position:,.0f}"
    return (
        f"{one.symbol} {_shown(one.bid)} [{_shown(one.own_bid)} {_shown(one.own_ask)}] "
        f"{_shown(one.ask)} pos {position}"
    )


def _shown(price: float) -> str:
    return f"{price:.2f}" if isfinite(price) else "-"


def _seen(local: Local, inst: int, name: str) -> float:
    """What the strategy saw last; NaN before it saw anything."""
    view = local.views[inst]
    return float(view[name]) if view["now"] else nan


def _price(local: Local, inst: int, tick: int | None) -> float:
    return nan if tick is None else float(price_of_tick(local.instrument[inst], tick, 0.0))


def _option_name(contract: Contract) -> str:
    strike = 0.0 if contract.strike is None else contract.strike
    return f"{contract.symbol} {contract.expiry} {strike:g} {contract.right}"
