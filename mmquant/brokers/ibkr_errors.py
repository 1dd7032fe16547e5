"""What each of IBKR's message codes means for us. None of them ends an order that works.

An order that was acknowledged ends by its status or by its executions; what a code says of it in
passing is often a warning, a refused change, or the answer to a cancel that came too late.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from mmquant.core.dtypes import Reason


class Says(Enum):
    """What a code says, of an order, of market data, or of the link."""

    INFORMATION = auto()
    REFUSED = auto()
    """A new order does not come about; a change does not, and the order stays as it was."""
    CHANGE_REFUSED = auto()
    CANCEL_REFUSED = auto()
    ENDED = auto()
    """Comes with the end of an order, which its status tells."""
    TOO_FAST = auto()
    TOO_MANY_LINES = auto()
    NO_LIVE_DATA = auto()
    COMPETING_SESSION = auto()
    """There are no data as long as the same user looks at them elsewhere."""
    DATA_LOST = auto()
    """A subscription is dead: ask for it again."""
    BOOK_RESET = auto()
    """The book is empty, and comes again by itself."""
    FARM_DOWN = auto()
    FARM_UP = auto()
    LINK_LOST = auto()
    LINK_BACK_WITHOUT_DATA = auto()
    LINK_BACK = auto()
    SOCKET_GONE = auto()
    CLIENT_ID_IN_USE = auto()
    UNKNOWN = auto()
    """An order is asked after when its answer is overdue; all else is told and left alone."""


_CODES: dict[Says, tuple[int, ...]] = {
    Says.INFORMATION: (
        165, 300, 310, 399, 404, 481, 2104, 2106, 2107, 2108, 2109, 2119, 2137, 2148, 2158, 2168,
        2169, 10311, 10329, 10349,
    ),
    Says.REFUSED: (
        102, 103, 106, 107, 109, 110, 154, 163, 200, 201, 203, 321, 322, 355, 382, 383, 387, 388,
        391, 434, 460, 10015, 10243, 10289, 10293,
    ),
    Says.CHANGE_REFUSED: (104, 105, 134, 329, 2102),
    Says.CANCEL_REFUSED: (135, 136, 161, 10147, 10148),
    Says.ENDED: (202,),
    Says.TOO_FAST: (100,),
    Says.TOO_MANY_LINES: (101, 309, 10190),
    Says.NO_LIVE_DATA: (354, 10089, 10090, 10167, 10168, 10186, 10189),
    Says.COMPETING_SESSION: (10197,),
    Says.DATA_LOST: (316, 10182, 10225),
    Says.BOOK_RESET: (317,),
    Says.FARM_DOWN: (2103, 2105, 2157),
    Says.FARM_UP: (),
    Says.LINK_LOST: (1100, 2110),
    Says.LINK_BACK_WITHOUT_DATA: (1101,),
    Says.LINK_BACK: (1102,),
    Says.SOCKET_GONE: (501, 502, 504, 507, 509, 1300),
    Says.CLIENT_ID_IN_USE: (326,),
}  # fmt: skip
SAYS = {code: says for says, codes in _CODES.items() for code in codes}

FARM_OK = (2104, 2106, 2158)
TICK_SIZE = 110
NO_SUCH_CONTRACT = 200
UNKNOWN_TO_BROKER = (104, 135, 10147)
"""The order is filled, or not known: its end was missed."""
_STATE = re.compile(r"state:?\s*(\w+)", re.IGNORECASE)
_REASONS = {103: Reason.DUPLICATE_ORDER, 154: Reason.EXCHANGE_HALTED}
_TWO_SIDES = "both sides of the same US Option"


def says(code: int) -> Says:
    """What a code says."""
    return SAYS.get(code, Says.UNKNOWN)


def why_refused(code: int, text: str) -> Reason:
    """The Reason of a refusal; NONE where there is no better word than the broker's text."""
    if _TWO_SIDES in text:
        return Reason.PULL_OTHER_SIDE
    if code in UNKNOWN_TO_BROKER:
        return Reason.UNKNOWN_ORDER
    return _REASONS.get(code, Reason.NONE)


def why_not_cancelled(code: int, text: str) -> Reason | None:
    """The Reason of a refused cancel; None if the cancel is under way and nothing is refused.

    UNKNOWN_ORDER makes the local half ask what became of the order.
    """
    found = _STATE.search(text)
    if code in (136, 161, 10148) and found and found.group(1).lower().startswith("pending"):
        return None
    return Reason.UNKNOWN_ORDER
