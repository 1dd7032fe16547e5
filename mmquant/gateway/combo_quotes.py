"""Market data of combinations, from the best prices of their legs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.gateway.reference import Listing
from mmquant.gateway.session import Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway

EVERY_NS = 250_000_000
BID, ASK = 1, 2


@dataclass
class ComboLine:
    """One client's line; ``told`` is (bid, bid size, ask, ask size)."""

    session: Session
    req_id: int
    legs: list[tuple[Listing, int]]
    told: tuple[float, float, float, float] | None = None


class ComboQuotes:
    """Lines of combinations, told at fixed times while anybody listens."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.lines: dict[tuple[Session, int], ComboLine] = {}
        self._ticking = False

    def read_legs(self, fields: Fields) -> list[tuple[Listing, int]] | None:
        """Legs of a request, signed by side and ratio; None where one is not known."""
        legs: list[tuple[Listing, int]] = []
        known = True
        for _ in range(fields.count(20)):
            one = self._gateway.reference.by_id.get(fields.whole())
            ratio, action = fields.whole(), fields.text()
            fields.skip(1)
            known = known and one is not None and 0 < ratio < 1_000
            if one is not None:
                legs.append((one, ratio if action == "BUY" else -ratio))
        return legs if known and legs else None

    def subscribe(
        self, session: Session, req_id: int, legs: list[tuple[Listing, int]], snapshot: bool
    ) -> None:
        """Tell a combination's quotes from now on, or once."""
        line = ComboLine(session, req_id, legs)
        session.send(81, req_id, 0.01, "9c0001", 3)
        session.send(58, 1, req_id, 1)
        self._tell(line)
        if snapshot:
            session.send(57, 1, req_id)
            return
        self.lines[session, req_id] = line
        self._tick()

    def drop(self, key: tuple[Session, int]) -> bool:
        """End a line. False where there is none."""
        return self.lines.pop(key, None) is not None

    def forget(self, session: Session | None) -> None:
        """End all lines of a client, or of all clients."""
        self.lines = {k: x for k, x in self.lines.items() if session not in (None, k[0])}

    def _tick(self) -> None:
        if self._ticking or not self.lines:
            return
        self._ticking = True
        floor = self._gateway.floor

        def again() -> None:
            self._ticking = False
            if not self._gateway.quotes.stale:
                for line in list(self.lines.values()):
                    self._tell(line)
            self._tick()

        floor.at((floor.now // EVERY_NS + 1) * EVERY_NS, again)

    def _tell(self, line: ComboLine) -> None:
        now = self._quote(line.legs)
        if now == line.told:
            return
        line.told = now
        for kind, size_kind, at in ((BID, 0, 0), (ASK, 3, 2)):
            line.session.send(1, 6, line.req_id, kind, now[at], now[at + 1], 1)
            line.session.send(2, 6, line.req_id, size_kind, now[at + 1])

    def _quote(self, legs: list[tuple[Listing, int]]) -> tuple[float, float, float, float]:
        """What a whole combination can be sold and bought for, and how many of each."""
        found: list[float] = []
        for side in (-1, 1):
            price, size = 0.0, float("inf")
            for one, ratio in legs:
                bid, bid_lots, ask, ask_lots = self._gateway.floor.touch(one.inst)
                buys = side * ratio > 0
                tick, lots = (ask, ask_lots) if buys else (bid, bid_lots)
                if tick in (NO_BID, NO_ASK):
                    price, size = -1.0, 0.0
                    break
                price += ratio * one.price(tick)
                size = min(size, lots // abs(ratio))
            found += [round(price, 8), float(size)]
        return (found[0], found[1], found[2], found[3])
