"""The socket is dropped while quoting: we know the gateway's truth before we quote again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmquant.core.dtypes import ActionKind, OrderState, Session
from mmquant.gateway.faults import Faults, WirePlan
from tests.brokers.test_conformance import random_market
from tests.brokers.venues import stock
from tests.brokers.virtual import Live

DROPS = 5
SECONDS = 36.0
PLACE = int(ActionKind.PLACE)
UNSURE = (int(OrderState.SENT), int(OrderState.UNKNOWN))
Truth = tuple[dict[int, int], float]
"""What is left of each open order, and the position."""


class Drops(Faults):
    """Hangs up at some messages, either way: the one it hangs up at is lost, or is not."""

    def __init__(self, live: Live, rng: np.random.Generator) -> None:
        super().__init__(WirePlan(), live.gateway)
        self.quiet = False
        live.gateway.faults = self
        self.count, self.drops, self.next_at = 0, 0, int(rng.integers(40, 120))
        self.rng = rng

    def incoming(self, session: Any, kind: int, serve: Callable[[], None]) -> None:
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
        session.abort()
        return True


class Watch:
    """The live loop's step; when all has been answered, what we know is compared with the truth.

    An order that the broker does not know stays UNKNOWN until it is asked after again, and nothing
    new is sent before that.
    """

    def __init__(self, live: Live) -> None:
        self._live, self._step = live, live.step
        self.truths: list[Truth] = []
        self.checked, self.waits = 0, False
        self.mistakes: list[str] = []
        outbox = live.broker.inner._out
        session = outbox.session

        def noted(code: Session, inst: int = -1) -> None:
            if code == Session.RESYNCED:
                self.truths.append(self._true())
            session(code, inst)

        outbox.session = noted  # type: ignore[method-assign]
        live.loop.step = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def __call__(self, *given: Any) -> tuple[int, int, int, int, int]:
        before = int(self._step.local.set[0]["link"])
        result = self._step(*given)
        if before and not self._step.local.set[0]["link"]:
            self.checked += 1
            true, known = self.truths[-1], self._known()
            self.waits = True
            if known != true:
                self.mistakes.append(f"{known} is {true}")
        if self.waits and any(self._step.actions["kind"][: max(result[0], 0)] == PLACE):
            self.waits = False
            if self._live.unknown():
                self.mistakes.append("a new order while one was unknown")
        return result

    def _known(self) -> Truth:
        local = self._step.local
        slots = local.live[0, : int(local.set[0]["live"])]
        orders = [local.order[s] for s in slots if local.order[s]["state"] not in UNSURE]
        left = {int(o["order_id"]): int(o["lots"] - o["filled"]) for o in orders}
        return left, float(self._live.position())

    def _true(self) -> Truth:
        identity = self._live.broker.inner.orders.identity
        left = {
            identity.order_id(order.spec.ref): round(order.leaves)
            for order in self._live.gateway.orders.orders.values()
            if order.live
        }
        return left, self._live.true_position()


def run_with_drops(seed: int) -> tuple[Live, Drops, Watch]:
    rng = np.random.default_rng(seed)
    live = Live(random_market(rng, 1_150), [stock()], seconds=SECONDS, quirks=seed % 3 or None)
    drops, watch = Drops(live, rng), Watch(live)
    try:
        live.run()
    finally:
        live.venue.close()
    return live, drops, watch


def assert_true(live: Live, drops: Drops, watch: Watch) -> None:
    assert watch.mistakes == []
    assert drops.drops > 0 and watch.checked > 0
    told = [(ts, what[1]) for ts, what in live.broker.heard if what[0] == "SESSION"]
    downs = [ts for ts, code in told if code == Session.DOWN]
    answered = [ts for ts, code in told if code == Session.RESYNCED]
    for down in downs:
        back = min((ts for ts in answered if ts > down), default=live.broker.end_ns)
        assert not [ts for ts in live.broker.placed if down < ts < back], "nothing new before that"
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
        live, plan, watch = run_with_drops(1_000 + seed)
        assert_true(live, plan, watch)
        drops, seed = drops + plan.drops, seed + 1
