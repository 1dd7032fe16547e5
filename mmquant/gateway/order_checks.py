"""Whether an order may go to the exchange, and on what terms: Interactive Brokers' conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import NO_ASK, NO_BID, OrderType, TimeInForce
from mmquant.gateway.clock import time_ns
from mmquant.gateway.order_fields import PEG_BEST, UNSET, OrderSpec
from mmquant.gateway.reference import Listing
from mmquant.gateway.wire import UNSET_INT

if TYPE_CHECKING:
    from mmquant.gateway.order_life import Order
    from mmquant.gateway.server import Gateway

MAX_ACTIVE = 20
"""Orders that may work on one side of a contract."""
THROUGH_STOCK, THROUGH_OPTION = 0.10, 0.20
"""How far a limit may go through the best price, as a part of it."""
NO_CAP = 2**30
TIFS = {
    "": TimeInForce.DAY,
    "DAY": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
}
PEGS = {
    "REL": OrderType.PEG_PRIMARY,
    "PEG PRI": OrderType.PEG_PRIMARY,
    "PEG PRIM": OrderType.PEG_PRIMARY,
    "PEG MID": OrderType.PEG_MID,
    "PEGMID": OrderType.PEG_MID,
    "MIDPRICE": OrderType.PEG_MID,
    "PEG BEST": OrderType.PEG_BEST,
    "PEGBEST": OrderType.PEG_BEST,
}
SNAPS = ("SNAP MKT", "SNAP MID", "SNAP PRIM")
UNKNOWN_TYPE = "Error validating request.-'bN' : cause - Invalid order type was entered"
NO_ROUTE = "Unsupported order type for this exchange and security type."
OFF_TICK = "The price does not conform to the minimum price variation for this contract."
BOTH_SIDES = (
    "Order rejected - reason:Cannot have open orders on both sides of the same US Option contract. "
    "You are attempting to add an order for a contract where an open order already exists on the "
    "opposite side of the market. Customers are prevented, by regulation, from entering a buy and "
    "a sell order for the same option contract."
)
NO_FUNDS = (
    "Order rejected - reason:We are unable to accept your order. Your Available Funds are in "
    "sufficient to meet the Initial Margin requirement of this order."
)
TOO_MANY = (
    f"Order rejected - reason:There are already {MAX_ACTIVE} orders working on this side of the "
    "contract"
)
TOO_FAR = "Order Canceled - reason:The limit price is too far outside of the NBBO"
FRACTION = "Fractional-sized order cannot be placed via API."
NO_EXCHANGE = "Error validating request.-'bN' : cause - Missing order exchange"
HALTED = "Orders cannot be transmitted for a halted security"
Refusal = tuple[int, str]
KNOWN_TYPES = (
    "STP", "STP LMT", "TRAIL", "TRAIL LIMIT", "MIT", "LIT", "MOC", "LOC", "PEG MKT", "PEG STK",
    "PEG BENCH", "VOL", "MTL", "BOX TOP",
)  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """An order as the exchange takes it."""

    kind: OrderType
    tif: TimeInForce
    tick: int
    lots: int
    offset: int = 0
    expire_ns: int = 0


def not_simulated(spec: OrderSpec) -> Refusal | None:
    """An order that asks for what the gateway does not simulate is refused, not taken for less."""
    m = spec.more
    asked = {
        "parentId": m["parent"] != 0,
        "ocaGroup": m["oca_group"] != "",
        "displaySize": m["display"] not in (0, UNSET_INT),
        "hidden": m["hidden"],
        "allOrNone": m["all_or_none"],
        "minQty": m["min_qty"] not in (0, UNSET_INT),
        "discretionaryAmt": m["discretionary"] not in (0.0, UNSET),
        "goodAfterTime": spec.good_after != "",
        "algoStrategy": m["algo_strategy"] != "",
        "hedgeType": m["hedge_type"] != "",
        "scalePriceIncrement": 0.0 < spec.scale_increment < UNSET,
        "conditions": bool(spec.conditions),
        "cashQty": m["cash_qty"] not in (0.0, UNSET),
        "percentOffset": m["percent_offset"] not in (0.0, UNSET),
    }
    names = [name for name, wanted in asked.items() if wanted]
    if names:
        return 321, f"Error validating request: the gateway does not simulate {', '.join(names)}"
    if spec.query.exchange == "":
        return 321, NO_EXCHANGE
    if not 0 < spec.order_id < 2**31 - 1:
        return 321, f"Error validating request: order id {spec.order_id} is not valid"
    return None


def terms_of(gateway: Gateway, spec: OrderSpec, one: Listing) -> Terms | Refusal:
    """Terms of an order, or the code and text of its error."""
    if spec.action not in ("BUY", "SELL", "SSHORT"):
        return 321, "Error validating request.-'bN' : cause - Invalid side"
    if spec.tif not in TIFS:
        return 321, f"Error validating request.-'bN' : cause - Invalid time in force:{spec.tif}"
    if 0.0 < spec.quantity < UNSET and spec.quantity != int(spec.quantity) and one.lot == (1, 1):
        return 10243, FRACTION
    lots = one.lots(spec.quantity) if 0.0 < spec.quantity < UNSET else None
    if lots is None or lots <= 0:
        return 321, "Error validating request.-'bN' : cause - Size value should be larger than zero"
    expire = 0
    if spec.tif == "GTD":
        until = time_ns(spec.good_till)
        if until is None:
            return (
                391,
                "The time or time-zone entered is invalid. The correct format is hh:mm:ss xxx",
            )
        expire = until
    kind = spec.order_type
    tif = TIFS[spec.tif]
    if kind == "MKT":
        return Terms(OrderType.MARKET, tif, 0, lots, expire_ns=expire)
    if kind == "LMT":
        tick = one.tick(spec.limit) if 0.0 < spec.limit < UNSET else None
        if tick is None:
            return 110, OFF_TICK
        return Terms(OrderType.LIMIT, tif, tick, lots, expire_ns=expire)
    if kind in PEGS:
        return _peg(gateway, spec, one, tif, lots, expire)
    if kind in SNAPS:
        return _snap(gateway, spec, one, tif, lots, expire)
    return (387, NO_ROUTE) if kind in KNOWN_TYPES else (321, UNKNOWN_TYPE)


def _peg(
    gateway: Gateway, spec: OrderSpec, one: Listing, tif: TimeInForce, lots: int, expire: int
) -> Terms | Refusal:
    """A peg: its cap, and how many ticks it is better than what it is pegged to."""
    kind = PEGS[spec.order_type]
    cap = NO_CAP if spec.side > 0 else 1
    if 0.0 < spec.limit < UNSET:
        tick = one.tick(spec.limit)
        if tick is None:
            return 110, OFF_TICK
        cap = tick
    given = spec.aux
    if kind == OrderType.PEG_MID:
        given = spec.mid_whole
    elif spec.order_type in PEG_BEST:
        given = spec.compete_offset
    bid, _, ask, _ = gateway.floor.touch(one.inst)
    near = bid if spec.side > 0 else ask
    step = one.min_tick
    if near not in (NO_BID, NO_ASK):
        step = one.price(near + 1) - one.price(near)
    offset = 0 if given == UNSET or abs(given) > 1e6 else round(given / step)
    return Terms(kind, tif, cap, lots, min(max(offset, -30_000), 30_000), expire)


def _snap(
    gateway: Gateway, spec: OrderSpec, one: Listing, tif: TimeInForce, lots: int, expire: int
) -> Terms | Refusal:
    """A limit order whose price is taken from the book on arrival, once."""
    bid, _, ask, _ = gateway.floor.touch(one.inst)
    if bid == NO_BID or ask == NO_ASK:
        return 201, "Order rejected - reason:There is no market to take the price from"
    near, far = (bid, ask) if spec.side > 0 else (ask, bid)
    tick = {"SNAP MKT": far, "SNAP PRIM": near}.get(spec.order_type, (bid + ask) // 2)
    if spec.order_type == "SNAP MID" and spec.side < 0:
        tick = -(-(bid + ask) // 2)
    step = one.price(near + 1) - one.price(near)
    back = 0 if spec.aux == UNSET else round(spec.aux / step)
    return Terms(OrderType.LIMIT, tif, tick - spec.side * back, lots, expire_ns=expire)


def refusal(
    gateway: Gateway, spec: OrderSpec, one: Listing, terms: Terms, working: list[Order],
    old: Order | None,
) -> Refusal | None:  # fmt: skip
    """Why an order is refused though it is well formed; ``old`` is the one that it changes."""
    others = [order for order in working if order is not old]
    if one.is_option and any(_works_against(order, one, spec.side) for order in others):
        return 201, BOTH_SIDES
    if old is None and sum(order.side == spec.side for order in others) >= MAX_ACTIVE:
        return 201, TOO_MANY
    if gateway.floor.halted(one.inst):
        return 154, HALTED
    if terms.kind == OrderType.LIMIT and _too_far(gateway, spec.side, one, terms.tick):
        return 202, TOO_FAR
    extra = spec.quantity - (old.filled if old is not None else 0.0)
    if not affordable(gateway, {one.inst: spec.side * extra}):
        return 201, NO_FUNDS
    return None


def affordable(gateway: Gateway, extra: dict[int, float]) -> bool:
    """Whether the account can carry more of some instruments."""
    accounts = gateway.accounts
    return accounts.free() - accounts.bound_more(extra) >= 0.0


def _works_against(order: Order, one: Listing, side: int) -> bool:
    if order.listing is not None:
        return order.side != side
    return any(
        leg.con_id == one.con_id and (order.side if leg.action == "BUY" else -order.side) != side
        for leg in order.spec.legs
    )


def _too_far(gateway: Gateway, side: int, one: Listing, tick: int) -> bool:
    bid, _, ask, _ = gateway.floor.touch(one.inst)
    most = THROUGH_OPTION if one.is_option else THROUGH_STOCK
    price = one.price(tick)
    if side > 0:
        return ask != NO_ASK and price > (1.0 + most) * one.price(ask) + one.min_tick
    return bid != NO_BID and price < (1.0 - most) * one.price(bid) - one.min_tick
