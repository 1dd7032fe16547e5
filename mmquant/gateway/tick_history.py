"""Historical ticks: the last trades and best prices of each instrument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmquant.gateway.clock import time_ns
from mmquant.gateway.reference import ContractQuery, Listing
from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

TICKS_KEPT = 5_000
MAX_TICKS = 1_000
MESSAGES = {"TRADES": 98, "BID_ASK": 97, "MIDPOINT": 96}
NO_TIME = "Failed to request historical ticks:Start or end is missing or no time"


@dataclass
class Ticks:
    """What is kept of one instrument: (ns, price, size), and (ns, bid, ask, sizes)."""

    trades: deque[tuple[int, float, float]] = field(
        default_factory=lambda: deque(maxlen=TICKS_KEPT)
    )
    touches: deque[tuple[int, float, float, float, float]] = field(
        default_factory=lambda: deque(maxlen=TICKS_KEPT)
    )


class TickHistory:
    """Remembers ticks for those who ask later."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.of = [Ticks() for _ in gateway.reference.listings]

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        return {96: self._ticks}

    def _ticks(self, session: Session, fields: Fields) -> None:
        req_id = fields.whole()
        query = ContractQuery.read(fields)
        fields.skip(1)
        start_text, end_text = fields.text(), fields.text()
        count, what = fields.whole(), fields.text()
        one = self._gateway.quotes.one_listing(session, req_id, query)
        if one is None:
            return
        if what not in MESSAGES or not 0 < count <= MAX_TICKS:
            session.error(req_id, 321, f"Error validating request: {count} ticks of {what!r}")
            return
        start, end = time_ns(start_text, "00:00:00"), time_ns(end_text)
        given = [x for text, x in ((start_text, start), (end_text, end)) if text]
        if not given or None in given:
            session.error(req_id, 10187, NO_TIME)
            return
        rows = self._rows(one, what, start, end, count)
        shown = _shown(rows, what, one.primary or one.exchanges[-1])
        session.send(MESSAGES[what], req_id, len(rows), *shown, True)

    def _rows(
        self, one: Listing, what: str, start: int | None, end: int | None, count: int
    ) -> list[tuple[float, ...]]:
        """The first ticks from ``start`` on, or the last before ``end``. [ns]"""
        kept = self.of[one.inst]
        rows: list[tuple[float, ...]] = list(kept.trades if what == "TRADES" else kept.touches)
        if start is not None:
            last = 2**63 if end is None else end
            return [row for row in rows if start <= row[0] < last][:count]
        assert end is not None
        return [row for row in rows if row[0] < end][-count:]


def _shown(rows: list[tuple[float, ...]], what: str, venue: str) -> list[object]:
    out: list[object] = []
    for ts, *x in rows:
        second = int(ts) // 1_000_000_000
        if what == "TRADES":
            out += [second, 0, x[0], x[1], venue, ""]
        elif what == "BID_ASK":
            out += [second, 0, *x]
        else:
            out += [second, 0, round(0.5 * (x[0] + x[1]), 10), 0]
    return out
