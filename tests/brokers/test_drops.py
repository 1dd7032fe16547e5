"""The socket is dropped while quoting: we know the gateway's truth before we quote again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmquant.core.dtypes import OrderState
from mmquant.gateway.faults import Faults, WirePlan
from tests.brokers.test_conformance import random_market
from tests.brokers.venues import stock
from tests.brokers.virtual import Live

PLACE_ORDER = 3
DROPS = 5
SECONDS = 36.0


class Drops(Faults):
    """Hangs up at some messages, either way: the one it hangs up at is lost, or is not."""

    def __init__(self, live: Live, rng: np.random.Generator) -> None:
        super().__init__(WirePlan(), live.gateway)
        self.live, self.quiet = live, False
        live.gateway.faults = self
        self.count = 0
        self.next_at = int(rng.integers(40, 120))
        self.rng = rng
        self.drops = self.checked = 0
        self.unchecked = False
        self.mistakes: list[str] = []

    def incoming(self, session: Any, kind: int, serve: Callable[[], None]) -> None:
        if kind == PLACE_ORDER and self.unchecked:
            self._check()
        if not self._drops_at(session) or self.rng.random() < 0.5:
            serve()

    def outgoing(self, session: Any, kind: int, body: bytes) -> None:
        if not self._drops_at(session):
            session.put(body)

    def _drops_at(self, session: Any) -> bool:
        if self.drops >= DROPS or not session.started:
            return False
        self.count += 1
        if self.count < self.next_at:
            return False
        self.count, self.next_at = 0, int(self.rng.integers(30, 250))
        self.drops += 1
        self.unchecked = True
        session.abort()
        return True

    def _check(self) -> None:
        """Before the first order after a drop: positions and open orders are the gateway's."""
        self.unchecked = False
        self.checked += 1
        local = self.live.step.local
        slots = local.live[0, : int(local.set[0]["live"])]
        orders = [local.order[s] for s in slots if local.order[s]["state"] != OrderState.SENT]
        known = {int(o["order_id"]): int(o["lots"] - o["filled"]) for o in orders}
        ending = {int(o["order_id"]) for o in orders if o["state"] == OrderState.CANCELLING}
        identity = self.live.broker.inner.orders.identity
        true = {
            identity.order_id(order.spec.ref): round(order.leaves)
            for order in self.live.gateway.orders.orders.values()
            if order.live
        }
        # A cancel that follows the answers is at the exchange before its acknowledgement is here.
        if {i: n for i, n in known.items() if i in true or i not in ending} != true:
            self.mistakes.append(f"open orders: {known} are {true}")
        if self.live.position() != self.live.true_position():
            self.mistakes.append(f"position {self.live.position()}: {self.live.true_position()}")


def run_with_drops(seed: int) -> tuple[Live, Drops]:
    rng = np.random.default_rng(seed)
    live = Live(random_market(rng, 1_150), [stock()], seconds=SECONDS, quirks=seed % 3 or None)
    plan = Drops(live, rng)
    try:
        live.run()
        live.broker.end_ns += 20_000_000_000
        live.venue.pause(lambda: live.broker.inner.router.up)
    finally:
        live.venue.close()
    return live, plan


def assert_true(live: Live, plan: Drops) -> None:
    assert plan.mistakes == []
    assert plan.drops > 0 and plan.checked > 0
    assert live.broker.inner.router.lost_messages == []
    refs = [order.spec.ref for order in live.gateway.orders.orders.values()]
    assert len(refs) == len(set(refs)), "no order was sent twice"
    assert live.gateway.internal_errors == 0
    assert len(live.gateway.orders.reports.executions) > 10


@pytest.mark.parametrize("seed", range(2))
def test_the_socket_is_dropped_while_quoting(seed: int) -> None:
    assert_true(*run_with_drops(seed))


@pytest.mark.soak
def test_the_socket_is_dropped_100_times() -> None:
    drops = seed = 0
    while drops < 100:
        live, plan = run_with_drops(1_000 + seed)
        assert_true(live, plan)
        drops, seed = drops + plan.checked, seed + 1
