"""Order states: one table of what each event makes of each state.

UNKNOWN is a state, not an error: nothing confirmed says what became of the order, its whole leaves
count as exposure, and only the broker's word ends it. Filled quantity comes from executions alone,
and an ended order still takes them. One that the broker lists as open goes on working, whatever was
said of its end before.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import OrderEvent as E
from mmquant.core.dtypes import OrderState as S
from mmquant.core.jit import kernel

ILLEGAL = -1
FIRST_ENDED = int(S.FILLED)

LIVE = (S.NEW, S.SENT, S.ACKED, S.WORKING, S.MODIFYING, S.CANCELLING, S.UNKNOWN)
ENDED = (S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, S.LOST)
SENT_OUT = (S.SENT, S.ACKED, S.WORKING, S.MODIFYING, S.CANCELLING, S.UNKNOWN)


def _table() -> np.ndarray:
    table = np.full((len(S), len(E)), ILLEGAL, np.int8)

    def rule(event: E, *pairs: tuple[S, S]) -> None:
        for state, after in pairs:
            table[state, event] = after

    rule(E.SEND, (S.NEW, S.SENT))
    rule(E.ACK, (S.SENT, S.ACKED), *((s, s) for s in SENT_OUT if s not in (S.SENT, S.UNKNOWN)))
    rule(E.ACK, (S.UNKNOWN, S.ACKED))
    rule(E.CONFIRM, (S.SENT, S.WORKING), (S.ACKED, S.WORKING), (S.WORKING, S.WORKING))
    rule(E.CONFIRM, (S.MODIFYING, S.WORKING), (S.CANCELLING, S.CANCELLING), (S.UNKNOWN, S.WORKING))
    rule(E.SEND_MODIFY, (S.WORKING, S.MODIFYING))
    rule(E.SEND_CANCEL, *((s, S.CANCELLING) for s in SENT_OUT if s != S.UNKNOWN))
    rule(E.SEND_CANCEL, (S.UNKNOWN, S.UNKNOWN))
    rule(E.MODIFY_REJECT, (S.MODIFYING, S.WORKING), (S.WORKING, S.WORKING))
    rule(E.MODIFY_REJECT, (S.CANCELLING, S.CANCELLING), (S.UNKNOWN, S.UNKNOWN))
    rule(E.CANCEL_REJECT, (S.CANCELLING, S.WORKING), (S.WORKING, S.WORKING))
    rule(E.CANCEL_REJECT, (S.MODIFYING, S.MODIFYING), (S.UNKNOWN, S.UNKNOWN))
    for state in SENT_OUT:
        rule(E.CANCEL_ACK, (state, S.CANCELLED))
        rule(E.EXPIRE, (state, S.EXPIRED))
        rule(E.REJECT, (state, S.REJECTED))
        rule(E.DISCONNECT, (state, S.UNKNOWN))
        rule(E.FOUND_OPEN, (state, S.WORKING))
        rule(E.FOUND_CLOSED, (state, S.CANCELLED))
    rule(E.FOUND_OPEN, (S.CANCELLING, S.CANCELLING), (S.MODIFYING, S.MODIFYING))
    for state in (S.LOST, S.CANCELLED, S.REJECTED, S.EXPIRED):
        rule(E.FOUND_OPEN, (state, S.WORKING))
    for state in (S.SENT, S.ACKED, S.MODIFYING, S.CANCELLING, S.UNKNOWN):
        rule(E.TIMEOUT, (state, S.UNKNOWN))
    rule(E.TIMEOUT, (S.WORKING, S.WORKING))
    rule(E.NOT_FOUND, (S.UNKNOWN, S.LOST))
    rule(E.DISCONNECT, (S.NEW, S.NEW))
    rule(E.REJECT, (S.NEW, S.REJECTED))
    for state in S:
        for event in (E.EXECUTION, E.CORRECTION, E.BUST):
            if state != S.NEW:
                rule(event, (state, state))
    rule(E.EXECUTION, (S.SENT, S.ACKED))
    for state in (S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED, S.LOST):
        for event in (E.CANCEL_REJECT, E.MODIFY_REJECT, E.CANCEL_ACK, E.FOUND_CLOSED, E.NOT_FOUND):
            rule(event, (state, state))
        for event in (E.ACK, E.CONFIRM, E.TIMEOUT, E.DISCONNECT, E.EXPIRE):
            rule(event, (state, state))
    return table


NEXT = _table()
"""``NEXT[state, event]``: the next OrderState, or ILLEGAL. A full execution ends in FILLED."""


@kernel
def next_state(state, event):
    """State after an event, or ILLEGAL (the event is then reported and changes nothing)."""
    return np.int64(NEXT[state, event])


@kernel
def is_live(state):
    """Whether an order can still trade for all we know."""
    return state < FIRST_ENDED
