"""A desk on a faulty broker, driven at random: the ten invariants hold after every event.

At the end all faults cease, the link bounces, and what we know is what is true; then quoting goes
on. The same machine runs long under ``make soak``.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mmquant.brokers.faults import Fault
from mmquant.core.dtypes import ActionKind, Control, MsgKind, OrderType
from tests.core.builders import BUY, SELL, Want, examples
from tests.faults.given import MS
from tests.faults.rig import Rig

sides = st.sampled_from([BUY, SELL])
wants = st.lists(
    st.tuples(sides, st.integers(97, 103), st.integers(1, 4)).map(lambda fields: Want(*fields)),
    max_size=4,
    unique_by=lambda want: (want.side, want.tick),
)  # fmt: skip
lasts = st.sampled_from([50_000, MS, 5 * MS, 30 * MS])
REQUESTS = [
    (kind, of) for kind in ("reject", "lose_request") for of in ("place", "modify", "cancel")
]
ANSWERS = [
    (kind, of)
    for kind in ("lose", "delay", "duplicate", "reorder")
    for of in ("confirm", "execution", "cancel_ack", "order", "any")
]
AFTERWARDS = [
    ("correct", "execution"), ("bust", "execution"), ("reject_rest", "execution"),
    ("close_unsaid", "confirm"), ("false_cancel", "confirm"), ("query_fails", "any"),
    ("query_partial", "any"),
]  # fmt: skip

CONTROLS = [Control.HALT, Control.KILL, Control.FLATTEN, *[Control.RESUME, Control.RELEASE] * 2]


class FaultyMarket(RuleBasedStateMachine):
    """A market, a desk and its controls, with any fault of the plan at any time."""

    @initialize(requote=st.sampled_from(["replace", "modify"]), throttled=st.booleans())
    def start(self, requote: str, throttled: bool) -> None:
        limits = {"max_position_lots": 6}
        if throttled:
            limits |= {"max_messages": 6, "message_window_s": 0.005, "cancel_reserve": 2}
        self.rig = Rig(limits=limits, orders={"requote": requote}, rows=4_000)
        self.middle = 100

    # --- the market and the desk

    @rule(move=st.integers(-2, 2), spread=st.integers(1, 3))
    def market(self, move: int, spread: int) -> None:
        self.middle = min(max(self.middle + move, 97), 103)
        self.rig.book(self.middle - spread, self.middle + spread)

    @rule(side=sides, away=st.integers(0, 3), lots=st.integers(1, 6))
    def trade(self, side: int, away: int, lots: int) -> None:
        self.rig.trade(side, self.middle + side * away, lots)

    @rule(wants=wants, after=st.sampled_from([0.05, 0.3, 1, 7]))
    def decide(self, wants: list[Want], after: float) -> None:
        self.rig.decide(*wants, after_ms=after)

    @rule(ms=st.sampled_from([0.2, 1, 25]))
    def wait(self, ms: float) -> None:
        self.rig.advance(ms)

    @rule(what=st.sampled_from(CONTROLS))
    def control(self, what: Control) -> None:
        self.rig.tell(MsgKind.CONTROL, reason=what)

    @rule(side=sides, tick=st.integers(96, 104), lots=st.integers(1, 4))
    def order_by_hand(self, side: int, tick: int, lots: int) -> None:
        fields = {"side": side, "tick": tick, "lots": lots, "liquidity": int(OrderType.LIMIT)}
        self.rig.tell(MsgKind.MANUAL, reason=ActionKind.PLACE, **fields)

    @precondition(lambda self: len(self.rig.heard) > 20)
    @rule()
    def restart(self) -> None:
        self.rig.restart()

    # --- what goes wrong

    @rule(fault=st.sampled_from([*REQUESTS, *ANSWERS]), at=st.integers(1, 2), for_ns=lasts)
    def befall(self, fault: tuple[str, str], at: int, for_ns: int) -> None:
        self.rig.broker.add(
            Fault(kind=fault[0], of=fault[1], at=(at,), for_ns=for_ns), self.rig.now
        )

    @rule(fault=st.sampled_from(AFTERWARDS), for_ns=lasts, lots=st.sampled_from([-1, 0]))
    def follow(self, fault: tuple[str, str], for_ns: int, lots: int) -> None:
        what = {"for_ns": for_ns, "lots": lots, "price_ticks": 1}
        self.rig.broker.add(Fault(kind=fault[0], of=fault[1], at=(1,), **what), self.rig.now)

    @rule(for_ns=lasts, held=st.sampled_from(["hold", "drop", "late"]), data=st.booleans())
    def link_down(self, for_ns: int, held: str, data: bool) -> None:
        fault = Fault(kind="link_down", for_ns=for_ns, held=held, data=data)
        self.rig.broker.add(fault, self.rig.now + 1)

    @rule(
        kind=st.sampled_from(
            ["external_order", "wrong_position", "clock_jump", "stall", "flood", "stale_data"]
        ),
        for_ns=lasts, side=sides, lots=st.integers(1, 3),
    )  # fmt: skip
    def lasting(self, kind: str, for_ns: int, side: int, lots: int) -> None:
        fault = Fault(kind=kind, for_ns=for_ns, side=side, lots=lots)
        self.rig.broker.add(fault, self.rig.now + 1)

    # --- at the end

    def let_quote_again(self, rig: Rig) -> None:
        """End all that is blocked, and all orders by hand."""
        rig.tell(MsgKind.CONTROL, reason=Control.HALT)
        rig.tell(MsgKind.CONTROL, reason=Control.RELEASE)
        rig.tell(MsgKind.CONTROL, reason=Control.RESUME)

    def teardown(self) -> None:
        rig = getattr(self, "rig", None)
        if rig is None:
            return
        rig.broker.heal()
        rig.advance(100)
        rig.bounce()
        rig.decide_for(100, every_ms=5)
        self.let_quote_again(rig)
        rig.decide_for(100, every_ms=5)
        rig.bounce()
        rig.tell(MsgKind.POSITION, lots=rig.broker.ledger.position(0))
        rig.book(98, 102)
        rig.advance(3)
        self.truth_is_known(rig)

    def truth_is_known(self, rig: Rig) -> None:
        rig.assert_true()
        assert rig.live() == set(), "an order that nobody wants goes on working"
        position, most = rig.position(), 6
        quotes = [Want(BUY, 98, 1)] if position < most else []
        quotes += [Want(SELL, 102, 1)] if position > -most else []
        rig.assert_quoting(*quotes, within_ms=60)


STEPS = settings(
    deadline=None, stateful_step_count=25, suppress_health_check=list(HealthCheck),
    print_blob=True,
)  # fmt: skip
TestFaultyMarket = FaultyMarket.TestCase
TestFaultyMarket.settings = settings(STEPS, max_examples=examples(60, 40), derandomize=True)


@pytest.mark.soak
def test_faulty_market_for_long() -> None:
    run_state_machine_as_test(FaultyMarket, settings=settings(STEPS, max_examples=5_000))
