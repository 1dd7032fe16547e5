"""Lines of market data: tick types, and what a line and a day hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Session

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE, OPEN = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14,
)  # fmt: skip
DELAYED = {BID: 66, ASK: 67, LAST: 68, BID_SIZE: 69, ASK_SIZE: 70, LAST_SIZE: 71, HIGH: 72,
           LOW: 73, VOLUME: 74, CLOSE: 75, OPEN: 76}  # fmt: skip


@dataclass
class Day:
    """What a day of an instrument adds up to."""

    last: float = 0.0
    last_size: float = 0.0
    last_s: int = 0
    high: float = 0.0
    low: float = 0.0
    open: float = 0.0
    close: float = 0.0
    volume: float = 0.0
    turnover: float = 0.0


@dataclass
class Line:
    """One client's line of market data; ``told`` is what it knows, by tick type."""

    session: Session
    req_id: int
    listing: Listing
    generic: frozenset[str]
    told: dict[int, tuple[float, float]] = field(default_factory=dict)
