"""Numbers that are none: NaN, infinities, a broker's values for "not set", prices that cannot be.

A message with one is not believed: its instrument is pulled, with an alert, until a sound message
of the same kind comes or, for what was executed, a human resumes. Executed lots are booked even if
the price makes no sense, at the price of the order or the last mark: never a NaN in the cash.
"""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import (
    ACTION_KIND,
    HAND,
    LIMIT,
    MSG_KIND,
    NO_ASK,
    NO_BID,
    ORDER_EVENT,
    REASON,
    ROW_KIND,
)
from mmquant.core.hints import rarely
from mmquant.core.jit import inner_formula, inner_kernel, kernel, rare_kernel
from mmquant.core.local import stir
from mmquant.core.order_actions import notice, pull_all
from mmquant.core.own_orders import on_order
from mmquant.core.ticks import price_of_tick
from mmquant.core.trouble import note_trouble

HUGE = 1e15
"""No price, fee or greek is as large; values for "not set" are larger."""
UNSET_INT = 2**31 - 1
BAD_THEO, BAD_OFFSET, BAD_GREEK, BAD_LIMIT = 1, 2, 4, 8
BAD_FEE, BAD_POSITION, BAD_EXTERNAL, BAD_ORDER = 16, 32, 64, 128


@inner_kernel
def is_number(x):
    """Whether a float is a number that someone can have meant."""
    return abs(x) < HUGE and x != UNSET_INT


@inner_kernel
def is_price(what, x):
    """Whether a float can be a price of an instrument: above zero, but where it may be below."""
    return is_number(x) and (x > 0.0 or what["min_tick"] <= NO_BID)


@inner_kernel
def is_count(lots):
    """Whether lots are a number, 0 or more."""
    return lots >= 0 and lots != UNSET_INT


@inner_kernel
def row_is_sound(what, kind, side, tick, subtick, lots):
    """Whether a market row of an instrument holds numbers that can go into the book."""
    if kind == ROW_KIND.STATUS:
        return True
    if not is_count(lots) or side < -1 or side > 1 or tick <= NO_BID or tick >= NO_ASK:
        return False
    if kind == ROW_KIND.CLEAR:
        return True
    if kind == ROW_KIND.TRADE:
        if not (subtick >= 0.0 and subtick < 1.0):
            return False
        return tick >= what["min_tick"] or (tick == what["min_tick"] - 1 and subtick > 0.0)
    return side != 0 and (tick >= what["min_tick"] or lots == 0)


@kernel
def next_unsound(instrument, tape, row, stop):
    """First row of a tape from ``row`` on that cannot be believed; ``stop`` if none is."""
    while row < stop:
        kind, inst = np.int64(tape.kind[row]), np.int64(tape.inst[row])
        if kind < ROW_KIND.DEPTH or kind > ROW_KIND.STATUS:
            break
        if inst < 0 or inst >= instrument.shape[0]:
            break
        side, tick = np.int64(tape.side[row]), np.int64(tape.tick[row])
        subtick, lots = tape.subtick[row], np.int64(tape.size[row])
        if not row_is_sound(instrument[inst], kind, side, tick, subtick, lots):
            break
        row += 1
    return row


@inner_kernel
def set_bad(local, owner, inst, bit):
    """Block an instrument (-1: all) for a kind of message. Returns whether that is new."""
    count = local.instrument.shape[0]
    new = False
    for i in range(count):
        line = local.traffic[owner * count + i]
        if (inst < 0 or i == inst) and np.int64(line["bad"]) & bit == 0:
            line["bad"] |= bit
            new = True
    if new:
        note_trouble(local, owner)
    return new


@inner_kernel
def clear_bad(local, owner, inst, bit):
    """A sound message of a kind has come: end its block of an instrument (-1: all)."""
    if local.set[owner]["troubled"] == 0:
        return
    count = local.instrument.shape[0]
    for i in range(count):
        line = local.traffic[owner * count + i]
        if (inst < 0 or i == inst) and np.int64(line["bad"]) & bit != 0:
            line["bad"] &= ~bit
    note_trouble(local, owner)


@rare_kernel
def note_bad(local, owner, inst, bit, ts, actions, n):
    """Block and pull an instrument (-1: all), and tell of it once."""
    new = set_bad(local, owner, inst, bit)
    stir(local, owner)
    n = pull_all(local, owner, ts, inst, REASON.PULL_BAD_NUMBER, actions, n)
    if new:
        place = max(inst, 0)
        alert = ACTION_KIND.ALERT
        n = notice(local, owner, ts, alert, place, REASON.PULL_BAD_NUMBER, actions, n)
    return n


@inner_kernel
def hand_bit(what):
    """Kind of a THEO message."""
    if what == HAND.THEO:
        return np.int64(BAD_THEO)
    return np.int64(BAD_OFFSET) if what == HAND.OFFSET else np.int64(BAD_GREEK)


@inner_kernel
def hand_is_sound(local, msg):
    """Whether the value of a THEO message is one; NaN takes a theo or a greek away."""
    value, what = np.float64(msg["price"]), np.int64(msg["reason"])
    if what == HAND.OFFSET:
        return is_number(value)
    if math.isnan(value):
        return True
    if what == HAND.THEO:
        return is_price(local.instrument[msg["inst"]], value)
    return is_number(value)


@inner_kernel
def limit_is_sound(msg):
    """Whether the value of a LIMITS message is one."""
    if msg["reason"] == LIMIT.MAX_LOSS:
        return is_number(np.float64(msg["price"]))
    return is_count(np.int64(msg["lots"]))


@inner_kernel
def bad_kind(local, msg):
    """Kind of a message from outside whose numbers are none, 0 if they are; and what it says."""
    kind = np.int64(msg["kind"])
    lots = np.int64(msg["lots"])
    if kind == MSG_KIND.THEO:
        return np.int64(0) if hand_is_sound(local, msg) else hand_bit(np.int64(msg["reason"]))
    if kind == MSG_KIND.LIMITS:
        return np.int64(0) if limit_is_sound(msg) else np.int64(BAD_LIMIT)
    if kind == MSG_KIND.FEE:
        return np.int64(0) if is_number(np.float64(msg["price"])) else np.int64(BAD_FEE)
    if kind == MSG_KIND.POSITION:
        return np.int64(0) if abs(lots) < UNSET_INT else np.int64(BAD_POSITION)
    if kind == MSG_KIND.EXTERNAL:
        return np.int64(0) if is_count(lots) else np.int64(BAD_EXTERNAL)
    return np.int64(0)


@inner_kernel
def screen_outside(local, owner, msg, actions):
    """Block for numbers that are none. Returns the actions, or -1 if the message is sound."""
    kind = np.int64(msg["kind"])
    if kind == MSG_KIND.CONTROL or kind == MSG_KIND.SESSION:
        return -1
    inst = np.int64(msg["inst"])
    if kind == MSG_KIND.LIMITS:
        inst = np.int64(-1)
    elif inst < 0 or inst >= local.instrument.shape[0]:
        return -1
    bit = bad_kind(local, msg)
    if bit != 0:
        return note_bad(local, owner, inst, bit, np.int64(msg["ts"]), actions, 0)
    if kind == MSG_KIND.THEO:
        clear_bad(local, owner, inst, hand_bit(np.int64(msg["reason"])))
    elif kind == MSG_KIND.LIMITS:
        clear_bad(local, owner, inst, BAD_LIMIT)
    elif kind == MSG_KIND.POSITION:
        clear_bad(local, owner, inst, BAD_POSITION)
    elif kind == MSG_KIND.EXTERNAL:
        clear_bad(local, owner, inst, BAD_EXTERNAL)
    return -1


@inner_kernel
def stand_in_price(local, owner, msg):
    """What an execution is booked at whose price makes no sense: its order's price, or the mark."""
    slots = local.live.shape[1]
    order = local.order[owner * slots + (msg["order_id"] & (slots - 1))]
    inst = np.int64(msg["inst"])
    if order["order_id"] == msg["order_id"] and msg["order_id"] != 0:
        return price_of_tick(local.instrument[inst], np.int64(order["tick"]), 0.0)
    mark = np.float64(local.position[owner * local.instrument.shape[0] + inst]["mark"])
    return mark if math.isfinite(mark) else 0.0


@inner_kernel
def terms_are_sound(local, msg):
    """Whether price and size that a broker says are working can be."""
    tick, lots = np.int64(msg["tick"]), np.int64(msg["lots"])
    what = local.instrument[msg["inst"]]
    return is_count(lots) and (lots == 0 or (tick >= what["min_tick"] and tick < NO_ASK))


@inner_kernel
def order_is_sound(local, msg):
    """Whether an order message can be applied at all."""
    event = np.int64(msg["event"])
    if event == ORDER_EVENT.CONFIRM or event == ORDER_EVENT.FOUND_OPEN:
        return terms_are_sound(local, msg)
    if event == ORDER_EVENT.EXECUTION or event == ORDER_EVENT.CORRECTION:
        side = np.int64(msg["side"])
        return is_count(np.int64(msg["lots"])) and side >= -1 and side <= 1
    return True


@inner_kernel
def execution_is_sound(local, msg):
    """Whether price and mid of an execution can be; there may be no mid."""
    mid = np.float64(msg["mid"])
    priced = is_price(local.instrument[msg["inst"]], np.float64(msg["price"]))
    return priced and (is_number(mid) or math.isnan(mid))


@rare_kernel
def apply_odd(local, owner, msg, actions):
    """Book an execution whose price or mid makes no sense. Returns the actions, and a Reason."""
    inst, ts = np.int64(msg["inst"]), np.int64(msg["ts"])
    price, mid = np.float64(msg["price"]), np.float64(msg["mid"])
    n = 0
    if not is_price(local.instrument[inst], price):
        msg["price"] = stand_in_price(local, owner, msg)
        n = note_bad(local, owner, inst, BAD_ORDER, ts, actions, n)
    if not (is_number(mid) or math.isnan(mid)):
        msg["mid"] = math.nan
        n = note_bad(local, owner, inst, BAD_ORDER, ts, actions, n)
    reason = on_order(local, owner, msg)
    msg["price"] = price
    msg["mid"] = mid
    return n, reason


@inner_formula
def apply_order(local, owner, msg, actions):
    """Apply an order message whose numbers may be none. Returns the actions."""
    inst, ts = np.int64(msg["inst"]), np.int64(msg["ts"])
    event = np.int64(msg["event"])
    alert = ACTION_KIND.ALERT
    if rarely(inst < 0 or inst >= local.instrument.shape[0]):
        local.set[owner]["illegal"] += 1
        return note_bad(local, owner, np.int64(-1), BAD_ORDER, ts, actions, 0)
    if rarely(event < 0 or event > ORDER_EVENT.NOT_FOUND):
        local.set[owner]["illegal"] += 1
        stir(local, owner)
        return notice(local, owner, ts, alert, inst, REASON.ILLEGAL_EVENT, actions, 0)
    if rarely(not order_is_sound(local, msg)):
        local.set[owner]["illegal"] += 1
        return note_bad(local, owner, inst, BAD_ORDER, ts, actions, 0)
    n = 0
    executes = event == ORDER_EVENT.EXECUTION or event == ORDER_EVENT.CORRECTION
    odd = executes and msg["lots"] > 0 and not execution_is_sound(local, msg)
    if rarely(odd):
        n, reason = apply_odd(local, owner, msg, actions)
    else:
        reason = on_order(local, owner, msg)
    if rarely(reason != REASON.NONE):
        n = notice(local, owner, ts, alert, inst, reason, actions, n)
    return n
