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

NUMBERS = (
    100, 101, 104, 105, 106, 107, 125, 162, 165, 166, 220, 221, 225, 232, 233, 236, 256, 258, 291,
    292, 293, 294, 295, 318, 319, 320, 370, 375, 377, 381, 384, 387, 388, 391, 405, 407, 411, 428,
    439, 456, 459, 460, 499, 506, 511, 512, 513, 514, 515, 516, 517, 521, 545, 576, 577, 578, 584,
    585, 586, 587, 588, 595, 608, 614, 619, 623,
)  # fmt: skip
GENERIC = frozenset(["mdoff", *map(str, NUMBERS)])
"""Generic ticks that there are at Interactive Brokers; most have nothing to tell here."""


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


def generic_ticks(text: str) -> frozenset[str]:
    """Generic ticks that a request asks for, without what they are narrowed to."""
    return frozenset(x.split(":")[0] for x in text.replace(" ", "").split(",") if x)


def generic_refusal(wanted: frozenset[str], snapshot: bool) -> str:
    """Why a request for generic ticks is refused, empty where it is not."""
    if snapshot and wanted:
        return "Snapshot market data subscription is not applicable to generic ticks"
    unknown = sorted(wanted - GENERIC)
    return f"Incorrect generic tick list of {','.join(unknown)}" if unknown else ""
