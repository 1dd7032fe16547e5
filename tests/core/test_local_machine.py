"""Random order messages in any order: position, exposure and limits hold after each of them."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mmquant.core.dtypes import ActionKind, OrderState
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import BUY, SELL, SLOTS, Action, Desk, Want, examples

ENDED = (
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.REJECTED,
    OrderState.EXPIRED,
    OrderState.LOST,
)
LIMIT_LOTS = 8
ENDS = [E.CANCEL_ACK, E.REJECT, E.EXPIRE, E.FOUND_CLOSED]
GOES_ON = [E.ACK, E.TIMEOUT, E.DISCONNECT, E.FOUND_OPEN, E.CANCEL_REJECT]
FOUND = [E.FOUND_OPEN, E.FOUND_CLOSED, E.NOT_FOUND]

wants = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(95, 105), st.integers(1, 12)).map(
        lambda fields: Want(*fields)
    ),
    max_size=4,
)


class Sent:
    """An order as the broker has it."""

    def __init__(self, action: Action) -> None:
        self.side, self.terms, self.filled = action.side, (action.tick, action.lots), 0
        self.asked: tuple[int, int] | None = None


class AnyMessages(RuleBasedStateMachine):
    """A broker that says anything at any time of any order it was ever sent."""

    @initialize(requote=st.integers(0, 1))
    def start(self, requote: int) -> None:
        self.desk = Desk(max_position_lots=LIMIT_LOTS, requote=requote)
        self.sent: dict[int, Sent] = {}
        self.position = 0
        self.booked: list[int] = []
        self.executions: list[list[int]] = []

    # --- what the desk does

    @rule(wants=wants)
    def decide(self, wants: list[Want]) -> None:
        for action in self.desk.decide(*wants):
            self.on_action(action)

    def on_action(self, action: Action) -> None:
        if action.kind == ActionKind.PLACE:
            assert action.order_id not in self.sent
            self.sent[action.order_id] = Sent(action)
        elif action.kind == ActionKind.MODIFY:
            self.sent[action.order_id].asked = (action.tick, action.lots)

    # --- what the broker says

    def say(self, event: E, order_id: int, **fields: Any) -> None:
        self.desk.on(event, order_id, side=self.sent[order_id].side, **fields)

    def tell(self, event: E, number: int) -> None:
        order_id, lots, revision = self.executions[number]
        more = {"price": 1.0, "mid": 1.0, "liquidity": 1, "reason": revision}
        self.say(event, order_id, lots=lots, seq=1000 + number, **more)

    def book(self, order_id: int, lots: int) -> None:
        self.executions.append([order_id, lots, 0])
        self.tell(E.EXECUTION, len(self.executions) - 1)
        self.count(order_id, lots)

    def count(self, order_id: int, lots: int) -> None:
        self.sent[order_id].filled += lots
        self.position += self.sent[order_id].side * lots
        if lots != 0:
            self.booked.append(lots)

    def some_order(self, data: st.DataObject, live: bool = False) -> int | None:
        ids = [i for i in self.sent if not live or i in self.desk.live()][-3:]
        return data.draw(st.sampled_from(ids)) if ids else None

    @rule(data=st.data(), lots=st.integers(1, 12))
    def fill(self, data: st.DataObject, lots: int) -> None:
        if (order_id := self.some_order(data)) is not None:
            self.book(order_id, lots)

    @rule(data=st.data(), lots=st.integers(0, 12))
    def revise(self, data: st.DataObject, lots: int) -> None:
        if self.executions:
            number = data.draw(st.integers(0, len(self.executions) - 1))
            order_id, before, _ = row = self.executions[number]
            row[1], row[2] = lots, row[2] + 1
            self.tell(E.CORRECTION if lots else E.BUST, number)
            self.count(order_id, -before)
            self.count(order_id, lots)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.executions:
            self.tell(E.EXECUTION, data.draw(st.integers(0, len(self.executions) - 1)))

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        if (order_id := self.some_order(data)) is not None:
            order = self.sent[order_id]
            order.terms, order.asked = order.asked or order.terms, None
            self.say(E.CONFIRM, order_id, tick=order.terms[0], lots=order.terms[1])

    @rule(data=st.data(), event=st.sampled_from([*ENDS, *GOES_ON, E.MODIFY_REJECT, E.NOT_FOUND]))
    def event(self, data: st.DataObject, event: E) -> None:
        if (order_id := self.some_order(data)) is not None:
            self.say(event, order_id)

    @rule()
    def outage(self) -> None:
        for order_id in self.desk.live():
            self.say(E.DISCONNECT, order_id)

    @rule(data=st.data())
    def recovery(self, data: st.DataObject) -> None:
        for order_id in list(self.sent)[-SLOTS:]:
            if self.desk.state(order_id) in (OrderState.UNKNOWN, OrderState.LOST):
                self.say(data.draw(st.sampled_from(FOUND)), order_id)

    @rule(side=st.sampled_from([BUY, SELL]), lots=st.integers(1, 3))
    def orphan(self, side: int, lots: int) -> None:
        self.desk.fill(-7, side, lots)
        self.position += side * lots
        self.booked.append(lots)

    # --- what holds

    @invariant()
    def position_is_the_sum_of_executions(self) -> None:
        assert self.desk.position()["lots"] == self.position
        assert self.desk.logged_fills()["lots"].tolist() == self.booked

    @invariant()
    def exposure_is_what_live_orders_could_still_fill(self) -> None:
        open_lots = {BUY: 0, SELL: 0}
        rows = self.desk.local.order
        live = sorted(int(row["order_id"]) for row in rows if row["state"] not in ENDED)
        assert sorted(self.desk.live()) == live
        for order_id in live:
            row = self.desk.order(order_id)
            most = max(int(row["lots"]), int(row["want_lots"]))
            open_lots[int(row["side"])] += most - int(row["filled"])
        assert self.desk.open_lots() == (open_lots[BUY], open_lots[SELL])


class HonestBroker(AnyMessages):
    """A broker that fills no more than is ordered, and nothing after it said that an order ended.

    Acknowledgements, changes and fills still come in any order: the position limit always holds.
    """

    def ended(self, order_id: int) -> bool:
        return order_id not in self.desk.live()

    @rule(data=st.data(), lots=st.integers(1, 12))
    def fill(self, data: st.DataObject, lots: int) -> None:
        if (order_id := self.some_order(data, live=True)) is None:
            return
        order = self.sent[order_id]
        most = max(order.terms[1], order.asked[1] if order.asked else 0) - order.filled
        if most > 0:
            self.book(order_id, min(lots, most))

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        if (order_id := self.some_order(data, live=True)) is None:
            return
        order = self.sent[order_id]
        if order.asked is not None and order.asked[1] > order.filled:
            order.terms, order.asked = order.asked, None
        if order.terms[1] > order.filled:
            self.say(E.CONFIRM, order_id, tick=order.terms[0], lots=order.terms[1])

    @rule(data=st.data(), event=st.sampled_from([*ENDS, *GOES_ON, E.MODIFY_REJECT]))
    def event(self, data: st.DataObject, event: E) -> None:
        if (order_id := self.some_order(data, live=True)) is None:
            return
        order = self.sent[order_id]
        if event == E.MODIFY_REJECT:
            if order.asked is None or order.filled > order.terms[1]:
                return
            order.asked = None
        self.say(event, order_id)

    @precondition(lambda self: False)
    @rule()
    def revise(self) -> None:
        """A correction can take a position past any limit."""

    @precondition(lambda self: False)
    @rule()
    def recovery(self) -> None:
        """An order that was given up and then found can, too."""

    @precondition(lambda self: False)
    @rule()
    def orphan(self) -> None:
        """So can a trade that nobody here ordered."""

    @invariant()
    def the_position_limit_holds_whatever_fills(self) -> None:
        buy, sell = self.desk.open_lots()
        assert self.position + buy <= LIMIT_LOTS
        assert self.position - sell >= -LIMIT_LOTS


CASES = settings(deadline=None, max_examples=examples(60, 25), stateful_step_count=40)
TestAnyMessages = AnyMessages.TestCase
TestAnyMessages.settings = CASES
TestHonestBroker = HonestBroker.TestCase
TestHonestBroker.settings = CASES
