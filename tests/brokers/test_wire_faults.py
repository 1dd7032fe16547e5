"""The fault catalogue over the wire: the live loop quotes on, and knows what is true in the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from mmquant.core.dtypes import OrderEvent, Session
from mmquant.gateway.faults import WireFault
from tests.brokers.test_conformance import random_market
from tests.brokers.venues import stock
from tests.brokers.virtual import CONFIG, Live

S = 1_000_000_000
BEGINS, ENDS, SECONDS = 3 * S, 10 * S, 16.0
"""Faults befall messages in this part of the market; then there is time to come to rest."""


def chance(kind: str, share: float, **more: Any) -> WireFault:
    """Something that befalls a share of the messages."""
    return WireFault(kind=kind, probability=share, from_ns=BEGINS, until_ns=ENDS, **more)


def timed(kind: str, seconds: float, from_s: float = 5.0, **more: Any) -> WireFault:
    return WireFault(kind=kind, from_ns=round(from_s * S), for_ns=round(seconds * S), **more)


FAULTS: dict[str, list[WireFault]] = {
    "01 socket drop": [timed("socket_drop", 1, t) for t in (4.0, 7.3, 9.01)],
    "01 socket drop after a request": [chance("drop_socket_after", 0.03, of="place")],
    "02 outage with data kept": [timed("link_down", 2.0), timed("link_down", 0.5, 9.0)],
    "02 outage with data lost": [timed("link_down", 2.0, data_lost=True)],
    "02 farm down": [timed("farm_down", 2.0)],
    "03 outage that loses messages": [timed("link_down", 2.0, held="drop")],
    "04 lost acknowledgements": [
        chance("lose", 0.1, of="open_order"), chance("lose", 0.1, of="order_status"),
    ],
    "05 lost orders": [chance("lose_request", 0.1, of="place")],
    "05 late orders": [chance("delay_request", 0.2, of="place", for_ns=300_000_000)],
    "06 lost cancels": [chance("lose_request", 0.3, of="cancel")],
    "06 slow orders": [chance("slow_place", 0.2, for_ns=S // 2)],
    "07 fills while a cancel is pending": [chance("slow_cancel", 0.5, for_ns=S // 3)],
    "08 executions told twice": [chance("duplicate", 0.5, of="execution")],
    "09 corrections": [chance("correct", 0.3, price_ticks=2, lots=-20, for_ns=S // 2)],
    "09 busts": [chance("bust", 0.2, for_ns=S // 2)],
    "10 fees lost": [chance("lose", 0.5, of="commission")],
    "10 fees late": [chance("late_commission", 0.5, for_ns=2 * S)],
    "11 statuses late": [chance("delay", 0.3, of="order_status", for_ns=S // 5)],
    "11 messages in another order": [chance("reorder", 0.2, of="order_status")],
    "11 executions late": [chance("delay", 0.3, of="execution", for_ns=S // 3)],
    "12 executions lost": [chance("lose", 0.2, of="execution")],
    "15 warnings": [chance("warn", 0.5, code=code) for code in (399, 10349, 2109, 404)],
    "15 codes that look like ends": [chance("warn", 0.2, code=c) for c in (201, 202, 161, 321)],
    "15 rejections": [chance("reject", 0.2)],
    "20 questions without an end": [
        timed("socket_drop", 1, 4.0), chance("lose", 0.4, of="end"),
    ],
    "20 questions lost": [timed("socket_drop", 1, 4.0), chance("lose_request", 0.3, of="query")],
    "27 depth reset": [timed("depth_reset", 1, t) for t in (5.0, 8.0)],
    "27 depth halted": [timed("depth_halt", 1)],
    "27 depth lost in part": [chance("lose", 0.05, of="depth")],
    "27 depth in another order": [chance("reorder", 0.05, of="depth")],
    "29 delayed data": [timed("delayed_data", 2.0)],
    "29 competing session": [timed("competing_session", 2.0)],
    "all at once": [
        # Not of a greeting: whoever connects waits for that by the wall clock.
        *(chance("lose", 0.03, of=what) for what in ("order_status", "execution", "depth", "end")),
        chance("duplicate", 0.05), chance("delay", 0.05, for_ns=S // 4),
        chance("reorder", 0.05), chance("lose_request", 0.02), timed("socket_drop", 1, 7.0),
        timed("link_down", 1.0, 9.0), chance("correct", 0.1, for_ns=S // 2),
    ],
}  # fmt: skip


def run(name: str, seed: int) -> Live:
    rng = np.random.default_rng(seed)
    requote = "replace" if "cancel" in name else "modify"
    config = CONFIG | {"orders": CONFIG["orders"] | {"requote": requote}}
    live = Live(
        random_market(rng, 480), [stock()], seconds=SECONDS, config=config, faults=FAULTS[name],
        quirks=1 + seed,
    )  # fmt: skip
    faults = live.gateway.faults
    befall = faults._befall

    def counted(*given: Any) -> list[WireFault]:
        found: list[WireFault] = befall(*given)
        live.befell.update(id(fault) for fault in found)
        return found

    faults._befall = counted
    try:
        live.run()
    finally:
        live.venue.close()
    return live


def assert_comes_to_rest(live: Live) -> None:
    """Position, cash and open orders are the gateway's; quoting goes on; nothing left twice."""
    chances = [fault for fault in live.gateway.settings.faults.faults if fault.probability > 0]
    enough = any if len(chances) > 4 else all
    assert not chances or enough(live.befell[id(f)] for f in chances), "a fault did not happen"
    assert live.position() == live.true_position()
    assert live.live() == live.open()
    assert live.unknown() == 0
    orders = live.gateway.orders.orders.values()
    twice = Counter(order.spec.ref for order in orders)
    assert max(twice.values()) == 1
    sides = Counter((o.side, o.spec.limit) for o in orders if o.live)
    assert max(sides.values(), default=0) <= 1, "one price of a side is worked twice"
    assert any(ts > live.broker.end_ns - 3 * S for ts in live.broker.placed), "quoting went on"
    assert live.gateway.internal_errors == 0 and live.gateway.pace_violations == 0
    executed = live.gateway.orders.reports.executions
    paid = -sum(e.side * e.quantity * e.price for e in executed)
    assert float(live.step.local.position[0]["cash"]) == pytest.approx(paid, abs=1e-6)


@pytest.mark.parametrize("name", list(FAULTS))
def test_fault(name: str) -> None:
    live = run(name, seed=0)
    assert_comes_to_rest(live)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("name", list(FAULTS))
def test_fault_with_other_seeds(name: str, seed: int) -> None:
    live = run(name, seed)
    assert_comes_to_rest(live)


@pytest.mark.parametrize("name", ["02 outage with data kept", "02 outage with data lost"])
def test_nothing_is_sent_while_the_broker_is_cut_off(name: str) -> None:
    live = run(name, seed=2)
    downs = [ts for ts, what in live.broker.heard if what == ("SESSION", int(Session.DOWN))]
    resynced = [ts for ts, what in live.broker.heard if what == ("SESSION", int(Session.RESYNCED))]
    assert downs and all(any(r > d for r in resynced) for d in downs)
    for down in downs:
        back = min(r for r in resynced if r > down)
        assert not [ts for ts in live.broker.placed if down < ts < back]


@pytest.mark.parametrize("name", ["29 delayed data", "29 competing session", "02 farm down"])
def test_nothing_is_quoted_on_data_that_are_not_live(name: str) -> None:
    live = run(name, seed=3)
    told = [(ts, what[1]) for ts, what in live.broker.heard if what[0] == "SESSION"]
    stale = [ts for ts, code in told if code == Session.DATA_STALE]
    fresh = [ts for ts, code in told if code == Session.DATA_FRESH]
    begin = live.broker.start_ts + 5 * S
    (at,) = [ts for ts in stale if begin <= ts < begin + 3 * S]
    until = min(ts for ts in fresh if ts > at)
    assert until - at >= S
    assert not [ts for ts in live.broker.placed if at < ts < until]


def test_a_rejection_is_told_with_its_reason() -> None:
    live = run("15 rejections", seed=0)
    events = Counter(what[1] for _, what in live.broker.heard if what[0] == "ORDER")
    assert events[int(OrderEvent.REJECT)] > 2
