"""Many messages by one call: what the live loop and the simulated broker do with a block of them.

A call from Python costs more than what most messages cause.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import MSG_KIND, ROW_KIND, TRIGGER
from mmquant.core.engine import local_step, row_kind, row_message
from mmquant.core.exchange import send_request, travels
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.tape_loop import asks_decision, local_row_index

LAST_MARKET = ROW_KIND.STATUS


@inner_kernel
def asks(triggers, kind):
    """Whether a message of this kind asks for a decision."""
    if kind <= LAST_MARKET:
        return asks_decision(triggers, kind)
    own = kind == MSG_KIND.ORDER or kind == MSG_KIND.SESSION
    return own and triggers & TRIGGER.OWN != 0


@kernel
def apply_messages(local, owner, quote, messages, at, due, own, triggers, actions):
    """Apply ``messages[at:]`` that come up to the decision at ``due``, until one causes actions.

    A message that asks for a decision brings ``due`` forward to its time. Returns (n, at, due, own,
    now): ``n`` actions or minus a Status, in which case the message at ``at`` has changed nothing;
    ``at`` is the first message that is not applied, ``own`` tells whether an own order asked, and
    ``now`` is the time of the last message that was applied (0: none).
    """
    now = np.int64(0)
    n = 0
    while at < messages.shape[0] and n == 0:
        msg = messages[at]
        if msg["ts"] > due:
            break
        n = local_step(local, owner, quote, msg, actions)
        if n < 0:
            break
        at += 1
        now = msg["ts"]
        kind = np.int64(msg["kind"])
        if msg["ts"] < due and asks(triggers, kind):
            due = msg["ts"]
            own = 1 if kind > LAST_MARKET else 0
    return np.int64(n), np.int64(at), np.int64(due), np.int64(own), now


@kernel
def next_rows(tape, start, until, triggers, block):
    """Write the tape rows received next as messages, up to a time; returns how many.

    A row that asks for a decision ends the block: what is sent then must find the exchange there.
    """
    n = 0
    while n < block.shape[0] and start + n < tape.local_ts.shape[0]:
        row = local_row_index(tape, start + n)
        if tape.local_ts[row] > until:
            break
        row_message(tape, row, block[n])
        n += 1
        if asks(triggers, row_kind(tape, row)):
            break
    return n


@kernel
def rows_until(block, n, until):
    """How many of the first ``n`` messages were received by a time."""
    while n > 0 and block[n - 1]["ts"] > until:
        n -= 1
    return n


@kernel
def send_requests(exchange, ts, actions, start, n):
    """Put ``actions[start:n]`` on their way; returns the first that found no room, or ``n``."""
    for i in range(start, n):
        kind = np.int64(actions[i]["kind"])
        if travels(kind) and not send_request(exchange, actions[i], ts):
            return i
    return n
