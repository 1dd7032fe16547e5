"""Taps on ib_async: every message of the wire as it came, in order, without its own bookkeeping.

ib_async drops repeated statuses and executions, takes errors for ends, writes into the orders it
was given and formats a growing log at each status. Its decoder looks the wrapper's methods up at
each call; here they are replaced by ours, and none of that happens.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ib_async import IB, Client, Wrapper
from ib_async import __version__ as version

from mmquant.errors import MMQuantError

TAPPED: dict[str, tuple[str, ...]] = {
    "openOrder": ("orderId", "contract", "order", "orderState"),
    "openOrderEnd": (),
    "orderStatus": (
        "orderId", "status", "filled", "remaining", "avgFillPrice", "permId", "parentId",
        "lastFillPrice", "clientId", "whyHeld", "mktCapPrice",
    ),
    "execDetails": ("reqId", "contract", "execution"),
    "execDetailsEnd": ("reqId",),
    "commissionReport": ("commissionReport",),
    "position": ("account", "contract", "posSize", "avgCost"),
    "positionEnd": (),
    "error": ("reqId", "errorCode", "errorString", "advancedOrderRejectJson"),
    "currentTime": ("time",),
    "connectionClosed": (),
    "marketDataType": ("reqId", "marketDataId"),
    "priceSizeTick": ("reqId", "tickType", "price", "size"),
    "tickSize": ("reqId", "tickType", "size"),
    "tickGeneric": ("reqId", "tickType", "value"),
    "tickString": ("reqId", "tickType", "value"),
    "tickReqParams": ("reqId", "minTick", "bboExchange", "snapshotPermissions"),
    "tickOptionComputation": (
        "reqId", "tickType", "tickAttrib", "impliedVol", "delta", "optPrice", "pvDividend",
        "gamma", "vega", "theta", "undPrice",
    ),
    "updateMktDepth": ("reqId", "position", "operation", "side", "price", "size"),
    "updateMktDepthL2": (
        "reqId", "position", "marketMaker", "operation", "side", "price", "size", "isSmartDepth",
    ),
    "tickByTickAllLast": (
        "reqId", "tickType", "time", "price", "size", "tickAttribLast", "exchange",
        "specialConditions",
    ),
    "tickByTickBidAsk": (
        "reqId", "time", "bidPrice", "askPrice", "bidSize", "askSize", "tickAttribBidAsk",
    ),
    "tickByTickMidPoint": ("reqId", "time", "midPoint"),
}  # fmt: skip
"""The wrapper's methods that are replaced, with the parameters they have in ib_async 2.1."""
INSIDE = {
    Wrapper: ("startReq", "_endReq", "reset"),
    Client: ("getReqId", "updateReqId", "reset", "sendMsg", "placeOrder", "cancelOrder"),
}
"""What else is used of ib_async's inside."""
MUST_ARRIVE = {3: "orderStatus", 4: "error", 5: "openOrder", 11: "execDetails",
               59: "commissionReport", 61: "position"}  # fmt: skip
"""Messages, by number, that may not be lost in ib_async's decoder, which swallows what fails."""
EXECUTION_TIME = 15
Tap = Callable[..., None]
Decode = Callable[[Sequence[str]], None]


def differences() -> list[str]:
    """What of the installed ib_async is not as the taps need it."""
    found = []
    for name, wanted in TAPPED.items():
        method = getattr(Wrapper, name, None)
        if method is None:
            found.append(f"Wrapper.{name} is missing")
            continue
        has = tuple(inspect.signature(method).parameters)[1:]
        if has != wanted:
            found.append(f"Wrapper.{name}{has} should be {wanted}")
    for kind, names in INSIDE.items():
        found += [f"{kind.__name__}.{n} is missing" for n in names if not hasattr(kind, n)]
    return found


def install(ib: IB, handler: Callable[[str], Tap], lost: Callable[[str], None]) -> None:
    """Replace the methods of an IB object's wrapper by ``handler(name)`` of each.

    ``lost`` is told of a message that could not be decoded.

    Raises
    ------
    MMQuantError
        where the installed ib_async has other methods.
    """
    wrong = differences()
    if wrong:
        raise MMQuantError(
            f"ib_async {version} does not fit: {'; '.join(wrong)}",
            fix="install a version of ib_async that this one was tested with (2.1)",
        )
    arrived = dict.fromkeys(MUST_ARRIVE.values(), 0)
    for name in TAPPED:
        method = handler(name)
        if name in arrived:
            method = _counted(name, method, arrived, lost)
        setattr(ib.wrapper, name, method)
    handlers = ib.client.decoder.handlers
    for number, name in MUST_ARRIVE.items():
        handlers[number] = _guarded(name, handlers[number], arrived, lost)


def _counted(name: str, method: Tap, arrived: dict[str, int], lost: Callable[[str], None]) -> Tap:
    """A tap that notes that it was reached, and tells of its own failure as of a lost message."""

    def counted(*args: Any) -> None:
        arrived[name] += 1
        try:
            method(*args)
        except Exception as error:
            lost(f"{name}: {error!r}")

    return counted


def _guarded(
    name: str, decode: Decode, arrived: dict[str, int], lost: Callable[[str], None]
) -> Decode:
    """A decoder's handler that tells when what it decodes did not reach its tap."""

    def guarded(fields: Sequence[str]) -> None:
        before = arrived[name]
        try:
            decode(list(fields))
        except Exception:
            if arrived[name] == before and name == "execDetails":
                _retry(decode, fields)
        if arrived[name] == before:
            lost(f"{name}: {','.join(fields)[:200]}")

    return guarded


def _retry(decode: Decode, fields: Sequence[str]) -> None:
    """Once more without the time: zone names of Windows, for one, are none that Python knows."""
    known = list(fields)
    if len(known) > EXECUTION_TIME:
        known[EXECUTION_TIME] = known[EXECUTION_TIME][:17]
    try:
        decode(known)
    except Exception:
        pass
