"""The ten invariants of the order path, and what is true at the exchange, after every event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmquant.core.dtypes import (
    ActionKind,
    Control,
    MsgKind,
    OrderEvent,
    OrderState,
    Purpose,
    Session,
)
from tests.faults.twins import Twin, assert_same_state, is_execution

if TYPE_CHECKING:
    from tests.faults.rig import Rig

SENT = (ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL)
NEW = (ActionKind.PLACE, ActionKind.MODIFY)


class Executed(NamedTuple):
    """An execution as last revised; ``value`` is price times units."""

    revision: int
    order_id: int
    inst: int
    signed: int
    value: float
    multiplier: float


class Invariants:
    """What holds after each event, whatever the broker says and in whatever order.

    In the middle of a run I6 and I10 mean:

    I6: lots, cash and fees, and what each order filled and for how much, are a function of the
    *set* of executions heard, each as last revised. So they are their plain sums; so a half that
    hears each of them twice has the same; and so has one that hears them alone, in another order.
    I10: a second half, driven by the live loop's kernel where the first is driven message by
    message, has taken the same actions and is in the same state, bit for bit.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.executions: dict[int, Executed] = {}
        self.twin, self.doubled = Twin(rig), Twin(rig)
        self.rng = np.random.default_rng(len(rig.columns.exch_ts))
        self.ended: dict[int, int] = {}
        self.sent_ts: list[int] = []
        self.external: dict[tuple[int, int], int] = {}
        self.blocked: int | None = None
        self.kinds: set[int] = set()
        self.link = 0
        self.actions = 0
        self.revised = False
        self.kept: set[int] = set()
        self.believed = True
        """Whether all prices were such that executions were booked at them."""

    # --- at a message, before its actions leave

    def before_sending(self, message: Any, actions: list[Any]) -> None:
        """Take note of a message, and check what is about to leave."""
        if message["kind"] == MsgKind.DECISION:
            self.kept.clear()
        elif message["kind"] == MsgKind.ORDER and message["event"] == OrderEvent.CANCEL_REJECT:
            self.kept.add(int(message["order_id"]))
        self._note(message)
        for action in actions:
            kind = int(action["kind"])
            assert action["reason"] != 0, "I9: an action without a reason"
            if kind in NEW:
                assert self.blocked is None, "I7: a new order after a halt, kill or flatten"
                assert self.link == 0, "I7: a new order while the link is not back"
            if kind in SENT:
                self.sent_ts.append(int(action["ts"]))
        logged = int(self.rig.local.set[0]["actions"])
        assert logged == self.actions + len(actions), "I9: an action without its row"
        self.actions = logged
        if any(int(a["kind"]) in NEW for a in actions):
            self.exposure_is_within_limits(actions)
            self.no_place_is_worked_twice(actions)
        self.messages_are_within_the_window()

    def _note(self, message: Any) -> None:
        kind = int(message["kind"])
        self.kinds.add(kind)
        if kind == MsgKind.ORDER:
            self._note_execution(message)
        elif kind == MsgKind.CONTROL:
            self._note_control(int(message["reason"]))
        elif kind == MsgKind.EXTERNAL:
            place = (int(message["inst"]), int(message["side"]))
            self.external[place] = int(message["lots"])
        elif kind == MsgKind.SESSION:
            what = int(message["reason"])
            if what in (Session.DOWN, Session.UP):
                self.link = what
            elif what == Session.RESYNCED and self.link == Session.UP:
                self.link = 0

    def _note_control(self, what: int) -> None:
        """What is blocked: a kill ends by a release alone, the rest by a resume."""
        if what == Control.KILL or (what in (Control.HALT, Control.FLATTEN) and not self.blocked):
            self.blocked = what
        elif what == (Control.RELEASE if self.blocked == Control.KILL else Control.RESUME):
            self.blocked = None

    def _note_execution(self, message: Any) -> None:
        event = int(message["event"])
        if event == OrderEvent.FOUND_OPEN:
            self.ended.pop(int(message["order_id"]), None)
        if event not in (OrderEvent.EXECUTION, OrderEvent.CORRECTION, OrderEvent.BUST):
            return
        if event == OrderEvent.EXECUTION and message["lots"] < 0:
            return
        seq, revision = int(message["seq"]), int(message["reason"])
        if seq in self.executions and self.executions[seq].revision >= revision:
            return
        self.revised |= event != OrderEvent.EXECUTION
        lots = 0 if event == OrderEvent.BUST else int(message["lots"])
        inst = int(message["inst"])
        what = self.rig.local.instrument[inst]
        units = lots * int(what["lot_num"]) / int(what["lot_den"])
        price = float(message["price"]) if lots else 0.0
        self.believed &= 0.0 < price < 1e15 or lots == 0
        self.executions[seq] = Executed(
            revision, int(message["order_id"]), inst, lots * int(message["side"]),
            price * units, float(what["multiplier"]),
        )  # fmt: skip

    # --- after each event

    def check(self) -> None:
        """I1, I2, I3, I5, I6, I10 and the truth; the others are checked as actions leave."""
        self.true_exposure_is_within_limits()
        self.nothing_rests_twice()
        self.quantities_are_sound()
        self.position_is_the_sum_of_executions()
        self.money_is_the_sum_of_executions()
        self.a_twin_does_the_same()
        self.repeats_change_nothing()
        self.exposure_counts_all_that_could_fill()
        self.ended_orders_stay_ended()

    def quantities_are_sound(self) -> None:
        """I1: filled is between nothing and all, but for an overfill that was told."""
        state = self.rig.local.set[0]
        over = int(state["overfills"]) if "overfills" in state.dtype.names else 0
        for order in self.rig.local.order:
            if order["order_id"] == 0:
                continue
            assert order["filled"] >= 0, "I1: less than nothing filled"
            most = max(int(order["lots"]), int(order["want_lots"]))
            assert order["filled"] <= most or over or self.revised, "I1: an overfill untold"

    def position_is_the_sum_of_executions(self) -> None:
        """I2: whatever became of their orders."""
        for inst in range(len(self.rig.contracts)):
            total = sum(e.signed for e in self.executions.values() if e.inst == inst)
            assert self.rig.position(inst) == total, "I2: position is not what was executed"

    def exposure_counts_all_that_could_fill(self) -> None:
        """I3: open, in flight, and UNKNOWN with its whole leaves."""
        local = self.rig.local
        live = [o for o in local.order if o["order_id"] and o["state"] < OrderState.FILLED]
        assert {int(o["order_id"]) for o in live} == self.rig.live(), "I3: the live list is wrong"
        for inst in range(len(self.rig.contracts)):
            for side, name in ((1, "open_buy"), (-1, "open_sell")):
                open_lots = self.external.get((inst, side), 0)
                for o in live:
                    if o["inst"] == inst and o["side"] == side:
                        open_lots += max(int(o["lots"]), int(o["want_lots"])) - int(o["filled"])
                assert local.position[inst][name] == open_lots, "I3: exposure is wrong"

    def true_exposure_is_within_limits(self) -> None:
        """At the exchange itself: if all that rests there on a side filled, its limit would hold.

        A broker that takes executions back moves the position as nobody could foresee.
        """
        rig = self.rig
        ledger, most = rig.broker.ledger, int(rig.local.set[0]["max_position_lots"])
        if ledger.revised_lots or MsgKind.LIMITS in self.kinds:
            return
        for inst in range(len(rig.contracts)):
            for side in (1, -1):
                resting = [o for o in rig.broker.open.values() if (o.inst, o.side) == (inst, side)]
                worst = side * ledger.position(inst) + sum(o.leaves for o in resting)
                assert worst <= most, "T1: what rests at the exchange could breach the limit"

    def nothing_rests_twice(self) -> None:
        """At the exchange itself: no two orders rest at one price that nobody asked to end.

        One by hand may stand beside a quote; and one whose cancel was refused beside the order that
        took its place meanwhile, until the next decision moves or ends it.
        """
        rig = self.rig
        for pair in rig.broker.duplicates:
            assert any(self._goes(order.order_id) for order in pair), "T2: live twice at a price"

    def _goes(self, order_id: int) -> bool:
        """Whether an order is asked to end or to move, or is no quote."""
        order = self.rig.order(order_id)
        assert order["order_id"] == order_id, "T2: an order rests that is forgotten"
        asked = order["state"] == OrderState.CANCELLING or order["ending"] != 0
        asked |= order_id in self.kept
        asked |= order["state"] == OrderState.MODIFYING and order["want_tick"] != order["tick"]
        return asked or order["purpose"] in (Purpose.MANUAL, Purpose.UNWANTED)

    def exposure_is_within_limits(self, actions: list[Any]) -> None:
        """I3: if all that may fill on a side of a new order did, its limit would hold."""
        most = int(self.rig.local.set[0]["max_position_lots"])
        for action in actions:
            if int(action["kind"]) not in NEW:
                continue
            row = self.rig.local.position[int(action["inst"])]
            worst = int(row["lots"]) * int(action["side"])
            worst += int(row["open_buy"] if action["side"] > 0 else row["open_sell"])
            assert worst <= most, "I3: an order left that could breach the limit"

    def no_place_is_worked_twice(self, actions: list[Any]) -> None:
        """I4: nothing leaves for a price of a side where another order stands and stays.

        One in flight or UNKNOWN stands there too; one whose cancel was sent leaves. One by hand may
        stand beside a quote.
        """
        for action in actions:
            if int(action["kind"]) not in NEW:
                continue
            place = [int(action[name]) for name in ("inst", "side", "tick")]
            if self.rig.order(int(action["order_id"]))["purpose"] == Purpose.MANUAL:
                continue
            for o in self.rig.local.order:
                if o["order_id"] in (0, action["order_id"]) or o["state"] >= OrderState.FILLED:
                    continue
                leaves = o["state"] == OrderState.CANCELLING or o["ending"]
                leaves = leaves or o["purpose"] in (Purpose.MANUAL, Purpose.UNWANTED)
                same = [int(o[name]) for name in ("inst", "side", "want_tick")] == place
                assert leaves or not same, "I4: a price is worked twice"

    def ended_orders_stay_ended(self) -> None:
        """I5: nothing revives an order but the broker's list of open ones."""
        for order in self.rig.local.order:
            order_id, state = int(order["order_id"]), int(order["state"])
            before = self.ended.get(order_id)
            if before is not None:
                assert state == before, "I5: an ended order changed its state"
            if order_id and state >= OrderState.FILLED:
                self.ended[order_id] = state
            else:
                self.ended.pop(order_id, None)

    def messages_are_within_the_window(self) -> None:
        """I8: in every window that ends at a message."""
        state = self.rig.local.set[0]
        most, window = int(state["max_messages"]), int(state["message_window_ns"])
        if not most or not self.sent_ts:
            return
        recent = [ts for ts in self.sent_ts[-most - 1 :] if ts > self.sent_ts[-1] - window]
        assert len(recent) <= most, "I8: too many messages in a window"

    # --- other halves

    def a_twin_does_the_same(self) -> None:
        """I10: the same messages through the live loop's kernel: the same actions and state."""
        rig = self.rig
        acted = self.twin.hear(rig.heard[-1], rig.wants[-1])
        assert acted == [action.item() for action in rig.last], "I10: a twin acts otherwise"
        assert_same_state(rig.local, self.twin.local, "I10: a twin is in another state")

    def money_is_the_sum_of_executions(self) -> None:
        """I6: cash, and each order's lots and value, by adding up what was heard, in no order."""
        found = self.executions.values()
        for inst in range(len(self.rig.contracts)):
            spent = sum(
                (e.value if e.signed > 0 else -e.value) * e.multiplier
                for e in found
                if e.inst == inst
            )
            cash = float(self.rig.local.position[inst]["cash"])
            assert abs(cash + spent) < 1e-6 or not self.believed, "I6: cash is not what was paid"
        for order in self.rig.local.order:
            if order["order_id"] == 0:
                continue
            mine = [e for e in found if e.order_id == order["order_id"]]
            assert order["filled"] == sum(abs(e.signed) for e in mine), "I6: filled is no sum"
            value = sum(e.value for e in mine)
            assert abs(order["value"] - value) < 1e-6 or not self.believed, "I6: value is no sum"

    def repeats_change_nothing(self) -> None:
        """I6: executions told twice, or alone and in another order, end in the same."""
        rig = self.rig
        message, wants = rig.heard[-1], rig.wants[-1]
        self.doubled.hear(message, wants)
        if is_execution(message):
            self.doubled.hear(message, wants)
            self._another_order_is_the_same()
        for name in ("lots", "cash", "fees", "units"):
            a, b = rig.local.position[name], self.doubled.local.position[name]
            assert np.array_equal(a, b), f"I6: {name} changes when messages are repeated"
        for name in ("order_id", "filled", "value"):
            a, b = rig.local.order[name], self.doubled.local.order[name]
            assert np.array_equal(a, b), f"I6: {name} changes when messages are repeated"

    def _another_order_is_the_same(self) -> None:
        heard = [m for m in self.rig.heard if is_execution(m)]
        other = Twin(self.rig)
        for i in self.rng.permutation(len(heard)):
            other.hear(heard[i], self.rig.wants[-1])
        for mine, theirs in zip(self.rig.local.position, other.local.position, strict=True):
            assert mine["lots"] == theirs["lots"], "I6: lots depend on the order of messages"
            for name in ("cash", "fees"):
                close = abs(float(mine[name]) - float(theirs[name])) < 1e-6
                assert close or not self.believed, f"I6: {name} depends on the order of messages"
