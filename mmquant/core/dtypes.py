"""Codes and row layouts that all kernels share.

Enums are for people; kernels take plain ints, so pass ``int(x)`` across the border.
Every record dtype is aligned. Times are int64 ns since the epoch, UTC; ticks and lots are ints.
"""

from __future__ import annotations

from collections import namedtuple
from enum import IntEnum
from typing import Any

import numpy as np

NO_BID = -(2**31) + 1
"""Best bid tick of an empty bid side."""
NO_ASK = 2**31 - 1
"""Best ask tick of an empty ask side."""
NEVER = 2**63 - 1
"""A time that does not come."""
VIEW_LEVELS = 5
"""Price levels per side that a strategy sees."""
VIEW_ORDERS = 8
"""Own live orders per instrument that a strategy sees."""


class RowKind(IntEnum):
    """What a tape row says."""

    DEPTH = 1
    TRADE = 2
    CLEAR = 3
    SNAPSHOT = 4
    STATUS = 5


class MsgKind(IntEnum):
    """What a message to the local half is. Codes below 16 are tape rows (RowKind)."""

    DEPTH = 1
    TRADE = 2
    CLEAR = 3
    SNAPSHOT = 4
    STATUS = 5
    ORDER = 16
    DECISION = 17
    CONTROL = 18
    THEO = 19
    LIMITS = 20
    SESSION = 21
    FEE = 22
    POSITION = 23
    EXTERNAL = 24
    MANUAL = 25


class ActionKind(IntEnum):
    """What the local half asks for."""

    PLACE = 1
    MODIFY = 2
    CANCEL = 3
    PULL = 4
    ALERT = 5
    QUERY = 6


class Control(IntEnum):
    """Codes of a CONTROL message (in its ``reason`` field).

    RESUME is a person's word and ends all that waits for one; UNHALT ends a halt and nothing else.
    """

    HALT = 1
    RESUME = 2
    KILL = 3
    FLATTEN = 4
    RELEASE = 5
    UNHALT = 6


class Session(IntEnum):
    """Codes of a SESSION message (in its ``reason`` field): the link to the broker.

    Between DOWN and RESYNCED nothing new is sent; RESYNCED says that all that was asked has been
    answered to its end.
    """

    DOWN = 1
    UP = 2
    RESYNCED = 3
    DATA_STALE = 4
    DATA_FRESH = 5


class OrderType(IntEnum):
    LIMIT = 0
    MARKET = 1
    POST_ONLY = 2
    PEG_PRIMARY = 3
    PEG_MID = 4
    PEG_BEST = 5


class TimeInForce(IntEnum):
    GTC = 0
    DAY = 1
    GTD = 2
    IOC = 3
    FOK = 4


class OrderState(IntEnum):
    """States of an own order. FILLED and all after it are ended."""

    NEW = 0
    SENT = 1
    ACKED = 2
    WORKING = 3
    MODIFYING = 4
    CANCELLING = 5
    UNKNOWN = 6
    FILLED = 7
    CANCELLED = 8
    REJECTED = 9
    EXPIRED = 10
    LOST = 11


class OrderEvent(IntEnum):
    """What can happen to an own order."""

    SEND = 0
    ACK = 1
    CONFIRM = 2
    EXECUTION = 3
    CORRECTION = 4
    BUST = 5
    SEND_MODIFY = 6
    MODIFY_REJECT = 7
    SEND_CANCEL = 8
    CANCEL_ACK = 9
    CANCEL_REJECT = 10
    REJECT = 11
    EXPIRE = 12
    TIMEOUT = 13
    DISCONNECT = 14
    FOUND_OPEN = 15
    FOUND_CLOSED = 16
    NOT_FOUND = 17


class Reason(IntEnum):
    """Why an action was taken or an order ended."""

    NONE = 0
    QUOTE = 1
    REPRICE = 2
    NOT_WANTED = 3
    PULL_STRATEGY = 4
    PULL_ONE_SIDED = 5
    PULL_CROSSED = 6
    PULL_STALE = 7
    PULL_HALTED = 8
    PULL_KILLED = 9
    PULL_LOSS = 10
    PULL_NO_MARK = 11
    POST_ONLY_WOULD_TAKE = 12
    NO_LIQUIDITY = 13
    NOT_ALL_AVAILABLE = 14
    SESSION_END = 15
    LIFETIME = 16
    UNKNOWN_ORDER = 17
    DUPLICATE_ORDER = 18
    BAD_QUOTE = 19
    LATE_EXECUTION = 20
    ILLEGAL_EVENT = 21
    ORPHAN_EXECUTION = 22
    EXCHANGE_HALTED = 23
    RESIZE = 24
    PULL_LIMIT = 25
    PULL_NO_THEO = 26
    PULL_COLLAR = 27
    PULL_WINDOW = 28
    PULL_SIDE = 29
    PULL_AFTER_FILL = 30
    PULL_PRICE_BOUND = 31
    PULL_INVENTORY = 32
    PULL_NO_SIGNAL = 33
    PULL_DISCONNECTED = 34
    PULL_RECONCILING = 35
    PULL_POSITION = 36
    PULL_DRAWDOWN = 37
    PULL_VOLATILITY = 38
    PULL_SPREAD = 39
    PULL_JUMP = 40
    PULL_REPEATED = 41
    PULL_PROTECTION = 42
    PULL_GREEKS = 43
    PULL_EXPOSURE = 44
    PULL_QUOTA = 45
    PULL_ORDER_RATIO = 46
    PULL_OTHER_SIDE = 47
    PULL_BAD_NUMBER = 48
    PULL_FLATTEN = 49
    OWN_CROSS = 50
    TOO_SOON = 51
    DUPLICATE_INTENT = 52
    COLLAR = 53
    TOO_LARGE = 54
    ACK_TIMEOUT = 55
    CANCEL_TIMEOUT = 56
    OVERFILL = 57
    EXTERNAL_ORDER = 58
    HEDGE = 59
    FLATTEN = 60
    QUOTA_SLOW = 61
    SOFT_LIMIT = 62
    PULL_CAPTURE = 63
    MANUAL = 64
    THROTTLED = 65
    CHANGE_IN_FLIGHT = 66
    TOO_MANY_ORDERS = 67


class Purpose(IntEnum):
    """What an own order is for. Quoting changes its own orders only; UNWANTED ones it cancels.

    HEDGE and FLATTEN go on when the quotes of an instrument are pulled.
    """

    QUOTE = 0
    HEDGE = 1
    FLATTEN = 2
    MANUAL = 3
    UNWANTED = 4


class Requote(IntEnum):
    """What becomes of a working order whose price is no longer wanted."""

    REPLACE = 0
    MODIFY = 1


class Theo(IntEnum):
    """What a theoretical mid is."""

    MID = 0
    WEIGHTED_MID = 1
    MICRO_PRICE = 2
    EXTERNAL = 3
    MANUAL = 4


class Hand(IntEnum):
    """What a THEO message sets (in its ``reason`` field).

    The value is in ``price``, the time until which it holds in ``exch_ts`` (0: for good).
    """

    THEO = 0
    OFFSET = 1
    DELTA = 2
    GAMMA = 3
    VEGA = 4


class Limit(IntEnum):
    """What a LIMITS message sets (in its ``reason`` field; value in ``lots`` or ``price``)."""

    MAX_POSITION_LOTS = 1
    MAX_ORDER_LOTS = 2
    MAX_OPEN_ORDERS = 3
    MAX_LOSS = 4


class Trigger(IntEnum):
    """What asks for a decision; a bit mask."""

    TIMER = 1
    BOOK = 2
    TRADE = 4
    OWN = 8


class QueueModel(IntEnum):
    """Estimates of the quantity ahead of an own order on a tape without order ids."""

    RISK_AVERSE = 0
    POWER = 1
    POWER2 = 2
    POWER3 = 3
    LOG = 4
    LOG2 = 5


class FillMode(IntEnum):
    PARTIAL = 0
    PEER = 1


class Status(IntEnum):
    """What a kernel returns instead of raising."""

    OK = 0
    END = 1
    LOG_FULL = 2
    RING_FULL = 3
    BOOK_FULL = 4
    BAD_ROW = 5
    QUOTES_OVERRUN = 6
    NODES_FULL = 7
    EXECUTIONS_FULL = 8
    PAUSED = 9


def _codes(enum: type[IntEnum]) -> Any:
    """The codes of an enum as plain ints, for kernels: a call with an enum member costs 10 us."""
    codes: Any = namedtuple("Codes", list(enum.__members__))  # type: ignore[misc]
    return codes(*(int(x) for x in enum))


ROW_KIND = _codes(RowKind)
MSG_KIND = _codes(MsgKind)
ACTION_KIND = _codes(ActionKind)
CONTROL = _codes(Control)
SESSION = _codes(Session)
ORDER_TYPE = _codes(OrderType)
TIME_IN_FORCE = _codes(TimeInForce)
ORDER_STATE = _codes(OrderState)
ORDER_EVENT = _codes(OrderEvent)
REASON = _codes(Reason)
QUEUE_MODEL = _codes(QueueModel)
STATUS = _codes(Status)
REQUOTE = _codes(Requote)
PURPOSE = _codes(Purpose)
LIMIT = _codes(Limit)
HAND = _codes(Hand)
THEO = _codes(Theo)
TRIGGER = _codes(Trigger)


def _record(*fields: tuple) -> np.dtype:
    return np.dtype(list(fields), align=True)


LADDER_STEPS = 8
"""Most steps that a tick ladder may have."""

LADDER = _record(
    ("tick_from", np.int64),
    ("price_num", np.int64),
    ("step_num", np.int64),
    ("den", np.int64),
)
"""One step of a tick ladder: price = (price_num + (tick - tick_from) * step_num) / den."""

INSTRUMENT = _record(
    ("multiplier", np.float64),
    ("lot_num", np.int64),
    ("lot_den", np.int64),
    ("maker_value_rate", np.float64),
    ("maker_unit_rate", np.float64),
    ("taker_value_rate", np.float64),
    ("taker_unit_rate", np.float64),
    ("view_levels", np.int64),
    ("option", np.int64),
    ("series", np.int64),
    ("min_tick", np.int64),
    ("ladder_len", np.int64),
    ("tick_from", np.int64, (LADDER_STEPS,)),
    ("price_num", np.int64, (LADDER_STEPS,)),
    ("step_num", np.int64, (LADDER_STEPS,)),
    ("den", np.int64, (LADDER_STEPS,)),
    ("step", np.float64, (LADDER_STEPS,)),
)
"""One instrument: units of lots = lots * lot_num / lot_den; fees per value traded and per unit;
``view_levels``: levels a side that the views show; ``option``: 1 in an option; ``series``: the same
number, above 0, where one stock or option stands at several venues; ``min_tick``: the lowest that
is a price; the tick ladder's steps as in LADDER, ``ladder_len`` of them, and each in currency."""

MSG = _record(
    ("ts", np.int64),
    ("exch_ts", np.int64),
    ("seq", np.int64),
    ("order_id", np.int64),
    ("price", np.float64),
    ("mid", np.float64),
    ("subtick", np.float32),
    ("tick", np.int32),
    ("lots", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("reason", np.int16),
    ("kind", np.int8),
    ("event", np.int8),
    ("side", np.int8),
    ("liquidity", np.int8),
)
"""All that enters the local half. ``ts`` is the local receive time; ``event`` an OrderEvent, and 1
in a decision that an own message alone asked for.

MANUAL is a request by hand: ``reason`` an ActionKind. PLACE has ``inst``, ``side``, ``tick``,
``lots``, the OrderType in ``liquidity``, the TimeInForce in ``seq`` and the end of a GTD order in
``exch_ts`` (0: none); MODIFY ``order_id``, ``tick`` and the ``lots`` that are to be left; CANCEL
``order_id`` and a Reason in ``seq``."""

ACTION = _record(
    ("ts", np.int64),
    ("order_id", np.int64),
    ("expire_ts", np.int64),
    ("tick", np.int32),
    ("lots", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("reason", np.int16),
    ("offset", np.int16),
    ("kind", np.int8),
    ("side", np.int8),
    ("order_type", np.int8),
    ("tif", np.int8),
)
"""All that leaves the local half; of a peg, ``tick`` is the cap and ``offset`` as in QUOTE."""

QUOTE = _record(
    ("expire_ts", np.int64),
    ("tick", np.int64),
    ("lots", np.int64),
    ("inst", np.int64),
    ("side", np.int64),
    ("order_type", np.int64),
    ("tif", np.int64),
    ("reason", np.int64),
    ("offset", np.int64),
    ("served", np.int8),
)
"""One wanted quote, as a strategy writes it. Wide, so that what is no tick is seen and refused.

Of a peg, ``tick`` is the cap, and ``offset`` the ticks by which it betters the best price of its
own side; a PEG_MID is so many ticks away from the mid instead."""

VIEW = _record(
    ("now", np.int64),
    ("elapsed_s", np.float64),
    ("ts", np.int64),
    ("exch_ts", np.int64),
    ("bid_tick", np.int32, (VIEW_LEVELS,)),
    ("ask_tick", np.int32, (VIEW_LEVELS,)),
    ("bid_lots", np.int32, (VIEW_LEVELS,)),
    ("ask_lots", np.int32, (VIEW_LEVELS,)),
    ("best_bid", np.int32),
    ("best_ask", np.int32),
    ("bid_price", np.float64),
    ("ask_price", np.float64),
    ("mid", np.float64),
    ("trade_ts", np.int64),
    ("trade_price", np.float64),
    ("trade_side", np.int8),
    ("halted", np.int8),
    ("blocked", np.int16),
    ("buy_volume", np.float64),
    ("sell_volume", np.float64),
    ("units_per_lot", np.float64),
    ("multiplier", np.float64),
    ("tick_size", np.float64),
    ("volatility", np.float64),
    ("imbalance", np.float64),
    ("order_flow", np.float64),
    ("trade_rate", np.float64),
    ("theo", np.float64),
    ("theo_ticks", np.float64),
    ("offset", np.float64),
    ("position_lots", np.int64),
    ("position", np.float64),
    ("cash", np.float64),
    ("fees", np.float64),
    ("equity", np.float64),
    ("fills", np.int64),
    ("buy_fill_ts", np.int64),
    ("sell_fill_ts", np.int64),
    ("why_no_bid", np.int16),
    ("why_no_ask", np.int16),
    ("n_orders", np.int32),
    ("order_side", np.int8, (VIEW_ORDERS,)),
    ("order_state", np.int8, (VIEW_ORDERS,)),
    ("order_tick", np.int32, (VIEW_ORDERS,)),
    ("order_leaves", np.int32, (VIEW_ORDERS,)),
)
"""What a strategy sees of one instrument. Absent levels: tick NO_BID or NO_ASK, 0 lots.

``why_no_bid`` and ``why_no_ask`` are the engine's: the Reason that the strategy gave for no quote.
"""

ORDER = _record(
    ("order_id", np.int64),
    ("submit_ts", np.int64),
    ("ack_ts", np.int64),
    ("end_ts", np.int64),
    ("expire_ts", np.int64),
    ("due_ts", np.int64),
    ("value", np.float64),
    ("position", np.float64),
    ("tick", np.int32),
    ("lots", np.int32),
    ("filled", np.int32),
    ("want_tick", np.int32),
    ("want_lots", np.int32),
    ("filled_before", np.int32),
    ("queries", np.int32),
    ("target", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("reason", np.int16),
    ("offset", np.int16),
    ("side", np.int8),
    ("order_type", np.int8),
    ("tif", np.int8),
    ("state", np.int8),
    ("keep", np.int8),
    ("purpose", np.int8),
    ("ending", np.int8),
)
"""An own order as the local half knows it; ``purpose`` a Purpose, ``value`` the sum of price times
units filled, ``filled_before`` what was filled when it was last moved, ``due_ts`` when its answer
is overdue, ``queries`` how often it was asked after since, ``ending`` that a cancel was sent and
not refused, ``target`` the wanted quote that a decision moves it to."""

FILL = _record(
    ("timestamp", np.int64),
    ("exch_ts", np.int64),
    ("order_id", np.int64),
    ("price", np.float64),
    ("size", np.float64),
    ("fee", np.float64),
    ("mid", np.float64),
    ("spread_capture", np.float64),
    ("position", np.float64),
    ("lots", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("reason", np.int16),
    ("side", np.int8),
    ("liquidity", np.int8),
)
"""One execution as booked; ``reason`` tells a late or an orphan one."""

INSTRUCTION = _record(
    ("timestamp", np.int64),
    ("order_id", np.int64),
    ("position", np.float64),
    ("tick", np.int32),
    ("lots", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("reason", np.int16),
    ("action", np.int8),
    ("side", np.int8),
    ("order_type", np.int8),
    ("tif", np.int8),
)
"""One action as logged, with the inventory it was taken at."""

POSITION = _record(
    ("lots", np.int64),
    ("units", np.float64),
    ("cash", np.float64),
    ("fees", np.float64),
    ("spread_pnl", np.float64),
    ("inventory_pnl", np.float64),
    ("mark", np.float64),
    ("gross_value", np.float64),
    ("volume", np.float64),
    ("fills", np.int64),
    ("open_buy", np.int64),
    ("open_sell", np.int64),
    ("buy_fill_ts", np.int64),
    ("sell_fill_ts", np.int64),
    ("theo", np.float64),
    ("theo_expire_ts", np.int64),
    ("offset", np.float64),
    ("offset_expire_ts", np.int64),
)
"""One position of one set. ``open_buy``, ``open_sell``: lots that live orders could still fill.

``units`` is exact (one division of ``lots``), except under peer arithmetic, where it is the running
float sum that hftbacktest keeps.
"""

EXECUTED = _record(
    ("id", np.int64),
    ("order_id", np.int64),
    ("price", np.float64),
    ("reference", np.float64),
    ("fee", np.float64),
    ("given_fee", np.float64),
    ("lots", np.int32),
    ("revision", np.int32),
    ("fee_revision", np.int32),
    ("set", np.int32),
    ("inst", np.int16),
    ("side", np.int8),
    ("liquidity", np.int8),
    ("used", np.int8),
)
"""One execution by its id, as last revised. ``reference``: the price that spread capture was
measured from; ``revision`` -1: only its fee is known, ``fee_revision`` -1: no fee was given."""

TRAFFIC = _record(
    ("sent_buy_ts", np.int64),
    ("sent_sell_ts", np.int64),
    ("refused_buy_ts", np.int64),
    ("refused_sell_ts", np.int64),
    ("refused_buy_tick", np.int64),
    ("refused_sell_tick", np.int64),
    ("refused_buy_lots", np.int64),
    ("refused_sell_lots", np.int64),
    ("messages_day", np.int64),
    ("external_buy", np.int64),
    ("external_sell", np.int64),
    ("broker_lots", np.int64),
    ("why_buy", np.int16),
    ("why_sell", np.int16),
    ("bad", np.int16),
    ("differs", np.int8),
    ("overfilled", np.int8),
    ("stale", np.int8),
    ("recovering", np.int8),
    ("slow", np.int8),
)
"""What one set has sent in one instrument, and what the broker says of it.

Per side: when a new order or price last left, the last refused order, and why nothing was sent.
``external_buy``, ``external_sell``: lots that others have working; ``differs``: the broker's
position, ``broker_lots``, is not ours; ``bad``: kinds of message that held a number that is none;
``recovering``: since a lost link, until no order is UNKNOWN; ``slow``: near a limit of a day.
"""

SET = _record(
    ("hold_one_sided", np.int8),
    ("order_type", np.int8),
    ("tif", np.int8),
    ("requote", np.int8),
    ("peer_arithmetic", np.int8),
    ("no_post_only", np.int8),
    ("steady", np.int8),
    ("stands", np.int8),
    ("shows_orders", np.int8),
    ("checks", np.int8),
    ("counts", np.int8),
    ("ranks", np.int8),
    ("one_side", np.int8),
    ("own_cross", np.int8),
    ("link", np.int8),
    ("troubled", np.int8),
    ("guarded", np.int8),
    ("touched", np.int8),
    ("counted", np.int64),
    ("next_due", np.int64),
    ("decisions", np.int64),
    ("live", np.int64),
    ("blocked", np.int64),
    ("max_loss", np.float64),
    ("max_book_age_ns", np.int64),
    ("theo_collar", np.float64),
    ("max_position_lots", np.int64),
    ("max_order_lots", np.int64),
    ("denied", np.int64),
    ("bad_quotes", np.int64),
    ("throttled", np.int64),
    ("lifetime_ns", np.int64),
    ("size_tolerance_lots", np.int64),
    ("start_ts", np.int64),
    ("cursor", np.int64),
    ("next_number", np.int64),
    ("max_open_orders", np.int64),
    ("actions", np.int64),
    ("messages", np.int64),
    ("max_messages", np.int64),
    ("deny_reason", np.int64),
    ("unknown", np.int64),
    ("ack_timeout_ns", np.int64),
    ("cancel_timeout_ns", np.int64),
    ("max_in_flight", np.int64),
    ("equity", np.float64),
    ("spread_pnl", np.float64),
    ("inventory_pnl", np.float64),
    ("fees", np.float64),
    ("peak_equity", np.float64),
    ("max_drawdown", np.float64),
    ("max_abs_lots", np.int64),
    ("message_window_ns", np.int64),
    ("cancel_reserve", np.int64),
    ("min_requote_ns", np.int64),
    ("duplicate_window_ns", np.int64),
    ("max_messages_day", np.int64),
    ("max_instrument_messages_day", np.int64),
    ("max_option_orders_day", np.int64),
    ("order_ratio_from", np.int64),
    ("slow_tolerance_ticks", np.int64),
    ("max_order_ratio", np.float64),
    ("collar", np.float64),
    ("collar_ticks", np.float64),
    ("max_order_value", np.float64),
    ("resync_due", np.int64),
    ("resync_tries", np.int64),
    ("day", np.int64),
    ("messages_day", np.int64),
    ("option_orders_day", np.int64),
    ("executed_day", np.int64),
    ("late", np.int64),
    ("orphans", np.int64),
    ("illegal", np.int64),
    ("duplicates", np.int64),
    ("overfills", np.int64),
    ("timeouts", np.int64),
    ("sent", np.int64),
    ("status", np.int64),
)
"""Limits, order defaults and running state of one strategy set. ``blocked`` is a latched Reason,
``deny_reason`` why the last order was not sent,
``equity`` and what follows it, and ``max_abs_lots``, are those of decisions (see ``note_step``),
``steady`` that the strategy looks at best prices, their sizes and its own position alone, so that
nothing comes of a decision if nothing came of the last one and none of these changed, or if what
the last one asked for is all that is wanted (``stands``) and was but confirmed since; ``counted``:
up to which decision of the run ``decisions`` counts;
``shows_orders`` that the views show own orders, ``no_post_only`` that post-only orders are sent as
plain limit orders, ``start_ts`` where ``elapsed_s`` counts from, ``theo_collar`` the largest
distance of a theo or an offset from the mid, as a part of it. At most ``max_messages`` (0: no
limit) are sent in ``message_window_ns``, the last ``cancel_reserve`` of them cancels;
``size_tolerance_lots`` (-1: any) is how far the size of a working order may be from the wanted
one.

``next_due`` is no later than the first answer that becomes overdue, ``unknown`` how many orders are
UNKNOWN, ``link`` 0 or the Session code that keeps new orders back, ``troubled`` whether that or any
instrument's TRAFFIC does. What is switched off costs one test: ``checks`` of what an order must
pass before it leaves, ``counts`` of messages a day, ``ranks`` that cancels go before reductions and
these before new orders, ``one_side`` that an option has one working side, ``own_cross`` that orders
do not leave at a price of own ones, ``guarded`` that the risk guard is on. Limits a day are 0
where they do not bind."""

PATH = _record(
    ("time", np.int64),
    ("bid", np.float64),
    ("ask", np.float64),
    ("mid", np.float64),
    ("position", np.float64),
    ("cash", np.float64),
    ("fees", np.float64),
    ("equity", np.float64),
    ("spread_pnl", np.float64),
    ("inventory_pnl", np.float64),
    ("own_bid", np.float64),
    ("own_ask", np.float64),
    ("volume", np.float64),
    ("fills", np.int64),
    ("open_orders", np.int32),
    ("set", np.int32),
    ("inst", np.int32),
)
"""One decision step of one instrument."""
