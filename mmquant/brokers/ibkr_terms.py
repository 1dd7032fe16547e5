"""From actions to IBKR's orders. Each is made anew: ib_async writes into those it was given."""

from __future__ import annotations

import copy
import math
from datetime import datetime
from typing import Any

from ib_async import Contract as IBContract
from ib_async import Order as IBOrder

from mmquant.brokers.ibkr_rows import Grid
from mmquant.core.dtypes import OrderType, TimeInForce

LIFETIMES = {
    TimeInForce.GTC: "GTC",
    TimeInForce.DAY: "DAY",
    TimeInForce.GTD: "GTD",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}
PEGS_AT = {"STK": "IBKRATS", "OPT": "IBUSOPT"}
"""Where IBKR works orders that are pegged to the mid or to the best price."""
SMART = "SMART"
MIN_PEG_SIZE = 100


def ib_order(action: Any, grid: Grid, contract: IBContract, ends: datetime) -> IBOrder | None:
    """The order of a PLACE or MODIFY action, or None where IBKR has none like it.

    ``ends`` is when a GTD order ends. Of a peg, the action's tick is the cap (0: none).
    A post-only order is refused: IBKR could take with it.
    """
    kind = OrderType(int(action["order_type"]))
    if kind == OrderType.POST_ONLY:
        return None
    lots = int(action["lots"])
    order = IBOrder(
        action="BUY" if action["side"] > 0 else "SELL",
        totalQuantity=grid.size(lots),
        tif=LIFETIMES[TimeInForce(int(action["tif"]))],
        transmit=True,
    )
    if action["tif"] == TimeInForce.GTD:
        order.goodTillDate = ends.strftime("%Y%m%d-%H:%M:%S")
    tick = int(action["tick"])
    if kind == OrderType.MARKET:
        order.orderType = "MKT"
    elif kind == OrderType.LIMIT:
        order.orderType, order.lmtPrice = "LMT", grid.price(tick)
    else:
        order.lmtPrice = grid.price(tick) if tick > 0 else 0.0
        _peg(order, kind, int(action["offset"]), grid.width(max(tick, 0)), contract)
    return order


def ib_contract(action: Any, contract: IBContract) -> IBContract:
    """The contract an order goes to: a peg that IBKR works itself goes to its own venue."""
    kind = OrderType(int(action["order_type"]))
    own = kind == OrderType.PEG_BEST or (
        kind == OrderType.PEG_MID and not _is_midprice(int(action["offset"]), contract)
    )
    if not own or contract.exchange != SMART or contract.secType not in PEGS_AT:
        return contract
    routed = copy.copy(contract)
    routed.exchange = PEGS_AT[contract.secType]
    return routed


def _is_midprice(offset: int, contract: IBContract) -> bool:
    """Whether a peg to the mid can go by the smart router, which knows no offset from it."""
    return offset == 0 and contract.exchange == SMART and contract.secType == "STK"


def _peg(order: IBOrder, kind: OrderType, ticks: int, step: float, contract: IBContract) -> None:
    """Type and offset of a peg, which betters the best price of its side, or leaves the mid."""
    offset = ticks * step
    if kind == OrderType.PEG_PRIMARY:
        order.orderType, order.auxPrice = "REL", offset
    elif kind == OrderType.PEG_MID and _is_midprice(ticks, contract):
        order.orderType = "MIDPRICE"
    elif kind == OrderType.PEG_MID:
        order.orderType, order.notHeld = "PEG MID", True
        order.midOffsetAtWhole = order.midOffsetAtHalf = offset
    else:
        order.orderType, order.notHeld = "PEG BEST", True
        order.minTradeQty = order.minCompeteSize = MIN_PEG_SIZE
        order.competeAgainstBestOffset = offset if ticks else math.inf
        if not ticks:
            order.midOffsetAtWhole = order.midOffsetAtHalf = 0.0


def cap_of(order: IBOrder, grid: Grid, sent_tick: int) -> int:
    """The tick that an order is working at, or the cap of a peg, as the broker says it."""
    price = order.lmtPrice
    if order.orderType == "MKT" or price is None or not 0.0 < abs(float(price)) < 1e9:
        return sent_tick
    return grid.tick(float(price))[0]
