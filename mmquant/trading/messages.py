"""Messages to the local half, made by hand: MSG arrays of one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmquant.core.dtypes import (
    MSG,
    ActionKind,
    Control,
    Hand,
    MsgKind,
    OrderEvent,
    OrderType,
    Reason,
    RowKind,
    TimeInForce,
)


def message(kind: MsgKind | RowKind, ts: int, **fields: Any) -> np.ndarray:
    """A message of a kind at a time [ns]; prices are NaN and all else 0 where not given."""
    row = np.zeros(1, MSG)
    row["price"] = row["mid"] = np.nan
    row["kind"], row["ts"] = int(kind), ts
    for name, value in fields.items():
        row[name] = value
    return row


def decision(ts: int) -> np.ndarray:
    """Asks for a decision."""
    return message(MsgKind.DECISION, ts)


def control(ts: int, what: Control) -> np.ndarray:
    """Halt, resume, kill or flatten."""
    return message(MsgKind.CONTROL, ts, reason=int(what))


def limit(ts: int, code: int, value: float) -> np.ndarray:
    """Sets a limit by its code: an amount in ``price``, a count in ``lots``."""
    whole = value == int(value) and abs(value) < 2**31
    return message(MsgKind.LIMITS, ts, reason=code, price=value, lots=int(value) if whole else 0)


def hand(ts: int, inst: int, what: Hand, value: float, until: int = 0) -> np.ndarray:
    """Sets a theo, an offset or a greek until a time (0: for good)."""
    return message(MsgKind.THEO, ts, inst=inst, reason=int(what), price=value, exch_ts=until)


def position(ts: int, inst: int, lots: int) -> np.ndarray:
    """Says what the position is; where ours is another, the instrument is blocked."""
    return message(MsgKind.POSITION, ts, inst=inst, lots=lots)


def book_level(ts: int, inst: int, side: int, tick: int, lots: int) -> np.ndarray:
    """Sets the size of a price level."""
    return message(RowKind.DEPTH, ts, exch_ts=ts, inst=inst, side=side, tick=tick, lots=lots)


def place_request(
    ts: int,
    inst: int,
    side: int,
    tick: int,
    lots: int,
    order_type: OrderType,
    tif: TimeInForce,
    expire_ts: int = 0,
) -> np.ndarray:
    """Asks to place an order by hand."""
    return message(
        MsgKind.MANUAL,
        ts,
        reason=int(ActionKind.PLACE),
        inst=inst,
        side=side,
        tick=tick,
        lots=lots,
        liquidity=int(order_type),
        seq=int(tif),
        exch_ts=expire_ts,
    )


def modify_request(ts: int, order_id: int, tick: int, lots: int) -> np.ndarray:
    """Asks to move an order so that so many lots are left to fill."""
    what = int(ActionKind.MODIFY)
    return message(MsgKind.MANUAL, ts, reason=what, order_id=order_id, tick=tick, lots=lots)


def cancel_request(ts: int, order_id: int, reason: Reason = Reason.MANUAL) -> np.ndarray:
    """Asks to cancel an order."""
    what = int(ActionKind.CANCEL)
    return message(MsgKind.MANUAL, ts, reason=what, order_id=order_id, seq=int(reason))


def execution(ts: int, order_id: int, exec_id: int, revision: int = 0, **terms: Any) -> np.ndarray:
    """Says that an order was filled: ``inst``, ``side``, ``tick``, ``lots``, ``price``, ``mid``,
    ``liquidity``."""
    event = OrderEvent.CORRECTION if revision else OrderEvent.EXECUTION
    row = message(MsgKind.ORDER, ts, exch_ts=ts, event=int(event), order_id=order_id)
    row["seq"], row["reason"], row["liquidity"] = exec_id, revision, 1
    for name, value in terms.items():
        row[name] = value
    return row
