"""The ten invariants of the order path, checked after every event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmquant.core.dtypes import (
    ActionKind,
    Control,
    MsgKind,
    OrderEvent,
    OrderState,
    Session,
)

if TYPE_CHECKING:
    from tests.faults.rig import Rig

SENT = (ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL)
NEW = (ActionKind.PLACE, ActionKind.MODIFY)


class Invariants:
    """What holds after each event, whatever the broker says and in whatever order.

    I10 (the same messages give the same state) and the shuffles of I6 are checked at the end of a
    run: see ``replay_gives_the_same`` and ``repeats_change_nothing``.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.executions: dict[int, tuple[int, int, int]] = {}
        self.ended: dict[int, int] = {}
        self.sent_ts: list[int] = []
        self.external: dict[tuple[int, int], int] = {}
        self.stopped = self.killed = False
        self.link = 0
        self.actions = 0
        self.revised = False

    # --- at a message, before its actions leave

    def before_sending(self, message: Any, actions: list[Any]) -> None:
        """Take note of a message, and check what is about to leave."""
        self._note(message)
        for action in actions:
            kind = int(action["kind"])
            assert action["reason"] != 0, "I9: an action without a reason"
            if kind in NEW:
                assert not self.stopped, "I7: a new order after a halt or kill"
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
        if kind == MsgKind.ORDER:
            self._note_execution(message)
        elif kind == MsgKind.CONTROL:
            what = int(message["reason"])
            self.killed |= what in (Control.KILL, Control.FLATTEN)
            self.stopped = what != Control.RESUME or self.killed
        elif kind == MsgKind.EXTERNAL:
            place = (int(message["inst"]), int(message["side"]))
            self.external[place] = int(message["lots"])
        elif kind == MsgKind.SESSION:
            what = int(message["reason"])
            if what in (Session.DOWN, Session.UP):
                self.link = what
            elif what == Session.RESYNCED and self.link == Session.UP:
                self.link = 0

    def _note_execution(self, message: Any) -> None:
        event = int(message["event"])
        if event == OrderEvent.FOUND_OPEN:
            self.ended.pop(int(message["order_id"]), None)
        if event not in (OrderEvent.EXECUTION, OrderEvent.CORRECTION, OrderEvent.BUST):
            return
        if event == OrderEvent.EXECUTION and message["lots"] < 0:
            return
        seq, revision = int(message["seq"]), int(message["reason"])
        if seq in self.executions and self.executions[seq][0] >= revision:
            return
        self.revised |= event != OrderEvent.EXECUTION
        lots = 0 if event == OrderEvent.BUST else int(message["lots"])
        signed = lots * int(message["side"])
        self.executions[seq] = (revision, int(message["inst"]), signed)

    # --- after each event

    def check(self) -> None:
        """I1, I2, I3 and I5; the others are checked as actions leave, or at the end."""
        self.quantities_are_sound()
        self.position_is_the_sum_of_executions()
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
            total = sum(signed for _, i, signed in self.executions.values() if i == inst)
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

        One in flight or UNKNOWN stands there too; one whose cancel was sent leaves.
        """
        for action in actions:
            if int(action["kind"]) not in NEW:
                continue
            place = [int(action[name]) for name in ("inst", "side", "tick")]
            for o in self.rig.local.order:
                if o["order_id"] in (0, action["order_id"]) or o["state"] >= OrderState.FILLED:
                    continue
                leaves = o["state"] == OrderState.CANCELLING or o["ending"]
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

    # --- at the end of a run

    def replay_gives_the_same(self) -> None:
        """I10: the same messages give the same state, bit for bit."""
        again = self.replayed(1)
        for name in ("order", "position", "live"):
            mine, theirs = getattr(self.rig.local, name), getattr(again, name)
            for field in mine.dtype.names or (None,):
                a, b = (mine, theirs) if field is None else (mine[field], theirs[field])
                assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"I10: {name} {field}"

    def repeats_change_nothing(self) -> None:
        """I6: each message about executions twice ends in the same position and money."""
        again = self.replayed(2)
        for name in ("lots", "cash", "fees"):
            a, b = self.rig.local.position[name], again.position[name]
            assert np.array_equal(a, b), f"I6: {name} changes when messages are repeated"

    def replayed(self, times: int) -> Any:
        """A fresh local half that hears the run's messages, executions so many times."""
        local = self.rig.fresh_local()
        for message, wants in zip(self.rig.heard, self.rig.wants, strict=True):
            local.strategy_param[0] = wants
            executed = message["kind"][0] == MsgKind.ORDER and message["event"][0] in (
                OrderEvent.EXECUTION, OrderEvent.CORRECTION, OrderEvent.BUST,
            )  # fmt: skip
            for _ in range(times if executed else 1):
                self.rig.step(local, message)
        return local
