"""Orders by hand on a running loop, from another thread; and who hears of what it does."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import ActionKind, MsgKind, OrderState, Reason
from mmquant.data.store.journal_reader import read_journal
from mmquant.data.store.run_folder import RunFolder
from mmquant.errors import UsageError
from mmquant.live.journal_replay import replay_journal
from mmquant.live.orders import LivePort
from mmquant.trading.order_manager import Accepted, Denied, Fill, OrderManager
from tests.live.test_kill import Rig

pytestmark = pytest.mark.compiled
MOST_S = 300.0
"""The first call compiles, on a machine that may be busy."""


class Threaded(Rig):
    """A live run in a thread, which waits at some of its decisions until it is asked something.

    It is asked while it waits, so that what was asked before is answered by then.
    """

    def __init__(self, folder, *, waits: int, every: int = 20, **more: Any) -> None:
        super().__init__(folder, **more)
        self.orders = mm.live_orders(self.loop, self.session)
        self._asked, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._ready, self._left = threading.Event(), waits
        self.error: BaseException | None = None
        post, decide = self.loop.inbox.post, self.loop._decide

        def noted(*given: Any) -> None:
            if self._left > 0 and threading.current_thread() is not self._thread:
                self._left -= 1
                while self._thread.is_alive() and not self._waits.acquire(timeout=0.1):
                    pass
            post(*given)
            self._asked.release()

        def waiting(progress: Any) -> None:
            at = self.loop.decisions
            if at % every == every - 1 and at // every < waits:
                self._ready.set()
                self._waits.release()
                assert self._asked.acquire(timeout=MOST_S), "nobody asked"
            decide(progress)

        self.loop.inbox.post = noted  # type: ignore[method-assign]
        self.loop._decide = waiting  # type: ignore[method-assign]

    def __enter__(self) -> OrderManager:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(MOST_S)
        return self.orders

    def __exit__(self, *_: object) -> None:
        self._thread.join(MOST_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self.error = error


def manual(folder: RunFolder) -> list[int]:
    """What requests by hand the journal holds, by their ActionKind."""
    found = []
    for segment in read_journal(folder.journal):
        for frame in segment.frames():
            rows = frame.messages[frame.messages["kind"] == MsgKind.MANUAL]
            found += rows["reason"].tolist()
    return found


def test_the_verbs_reach_a_running_loop_and_its_journal(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=4)
    with rig as orders:
        placed = orders.place_quote(1, 95.0, 3)
        assert isinstance(placed, Accepted)
        moved = orders.modify_quote(placed.order_id, 94.99, 2)
        assert moved == Accepted(placed.order_id, moved.timestamp)
        ended = orders.cancel_quote(placed.order_id)
        assert isinstance(ended, Accepted)
        again = orders.cancel_quote(placed.order_id)
        assert again == Denied(Reason.UNKNOWN_ORDER, again.timestamp)
    assert placed.timestamp < moved.timestamp < ended.timestamp < again.timestamp
    mine = [kind for _, kind in rig.broker.sent if kind == ActionKind.MODIFY]
    assert len(mine) == 1, "the strategy replaces; only the order by hand was changed"
    assert manual(rig.folder) == [
        ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL, ActionKind.CANCEL,
    ]  # fmt: skip
    run = replay_journal(rig.folder.path)
    of_mine = run.quotes[run.quotes["order_id"] == placed.order_id]
    assert of_mine["action"].tolist() == [ActionKind.PLACE, ActionKind.MODIFY, ActionKind.CANCEL]
    assert of_mine["price"].tolist() == [95.0, 94.99, 94.99]
    order = run.orders[run.orders["order_id"] == placed.order_id].iloc[0]
    assert order["status"] == OrderState.CANCELLED


def test_what_may_not_be_sent_is_denied_with_the_reason(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=4)
    with rig as orders:
        said = [
            orders.place_quote(1, 95.0, 10_000),
            orders.place_quote(1, float("nan"), 1),
            orders.place_quote(-1, 105.0, 1, order_type="post_only"),
            orders.modify_quote(4711, 95.0, 1),
        ]
    reasons = [one.reason for one in said if isinstance(one, Denied)]
    assert reasons == [Reason.PULL_LIMIT, Reason.BAD_QUOTE, Reason.UNKNOWN_ORDER]
    assert isinstance(said[2], Accepted)


def test_an_order_with_an_end_has_it_at_that_time(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=1)
    with rig as orders:
        end = rig.broker.start_ts + 12_000_000_000
        placed = orders.place_quote(1, 95.0, 1, expire_ts=end)
    assert isinstance(placed, Accepted)
    run = replay_journal(rig.folder.path)
    order = run.orders[run.orders["order_id"] == placed.order_id].iloc[0]
    assert order["status"] == OrderState.EXPIRED
    assert 0 <= order["cancel_time"] - end <= 21_000_000, "told one latency later"


def test_a_fill_by_hand_is_booked_once(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=2)
    with rig as orders:
        fill = Fill(order_id=0, exec_id=99_991, side=1, price=100.0, size=4, timestamp=0)
        first = orders.handle_fill(fill)
        second = orders.handle_fill(fill)
    assert first.booked and not second.booked
    lots, cash = rig.server.position_and_cash(0)
    position = rig.loop.step.local.position[0]
    assert position["lots"] == lots + 4
    assert position["cash"] == pytest.approx(cash - 4 * 100.0, abs=1e-6)


def test_the_guard_halts_and_lets_go_a_running_loop(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=3)
    with rig as orders:
        guard = mm.RiskGuard.of(orders)
        guard.halt()
        denied = orders.place_quote(1, 95.0, 1)
        guard.resume()
    assert denied == Denied(Reason.PULL_HALTED, denied.timestamp)
    assert rig.state["blocked"] == 0


def test_requests_that_nobody_will_take_end_with_an_error(tmp_path) -> None:
    rig = Rig(tmp_path)
    early = OrderManager.of(LivePort(rig.loop, rig.session, wait_s=0.0))
    with pytest.raises(UsageError, match="withdrawn"):
        early.place_quote(1, 95.0, 1)
    inside: list[BaseException] = []

    def from_within(loop) -> None:
        try:
            mm.live_orders(loop, rig.session).place_quote(1, 95.0, 1)
        except UsageError as error:
            inside.append(error)

    rig.at_decision(30, from_within)
    rig.run()
    assert len(inside) == 1 and "itself" in str(inside[0])
    assert manual(rig.folder) == [], "what was withdrawn is never applied"
    with pytest.raises(UsageError, match="over"):
        mm.live_orders(rig.loop, rig.session).place_quote(1, 95.0, 1)


def test_who_waits_when_the_loop_dies_is_told(tmp_path) -> None:
    rig = Threaded(tmp_path, waits=1)
    poll, end = rig.loop.inbox.poll, rig.broker.start_ts + 3_000_000_000

    def die(now: int) -> None:
        if now > end:
            raise ZeroDivisionError
        poll(now)

    rig.loop.inbox.poll = die  # type: ignore[method-assign]
    late = pytest.raises(UsageError, match="over")
    with pytest.raises(ZeroDivisionError), rig as orders, late:
        orders.place_quote(1, 95.0, 1)


def test_a_bus_hears_what_a_live_run_does_and_not_what_it_recovers(tmp_path) -> None:
    def heard(bus: mm.EventBus) -> dict[str, list[Any]]:
        events: dict[str, list[Any]] = {"fill": [], "order": [], "alert": []}
        for topic, kept in events.items():
            bus.subscribe(topic, kept.append)
        return events

    bus = mm.EventBus()
    first = heard(bus)
    rig = Rig(tmp_path, bus=bus, minutes=1)
    halfway = 100
    rig.at_decision(halfway, lambda loop: loop.switch.stop())
    rig.run()
    told = [(e.order_id, e.side, e.price, e.size) for e in first["fill"]]
    assert told == truth(rig)
    assert len(told) > 3 and first["order"]
    assert len(rig.loop.logs.rows("fills")) == 0, "told, and not kept in memory"
    before = len(told)
    bus = mm.EventBus()
    second = heard(bus)
    again = Rig(tmp_path, bus=bus, minutes=1, server=rig.server)
    assert again.found is not None and again.found.messages > 0
    assert not any(second.values())
    again.run()
    told = [(e.order_id, e.side, e.price, e.size) for e in second["fill"]]
    assert told == truth(again)[before:] and told


def truth(rig: Rig) -> list[tuple[int, int, float, float]]:
    """The executions as the exchange has them, in order."""
    rows = rig.server.executions()
    rows = rows[np.argsort(rows["seq"], kind="stable")]
    return [(int(r["order_id"]), int(r["side"]), float(r["price"]), float(r["lots"])) for r in rows]
