"""Orders by hand over a broker: typed answers, fills, several contracts, limits, the guard."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import (
    ActionKind,
    MsgKind,
    OrderEvent,
    OrderState,
    OrderType,
    Reason,
    TimeInForce,
)
from mmquant.data.store.journal import JournalError
from mmquant.errors import UsageError
from mmquant.schema import validate
from mmquant.trading import messages
from mmquant.trading.order_manager import Accepted, Denied, Fill

TS = 1_717_400_000_000_000_000
SECOND = 1_000_000_000


class ScriptedBroker:
    """Hands over what it is given, and notes what is sent."""

    def __init__(self) -> None:
        self.start_ts = TS
        self.waiting: list[np.ndarray] = []
        self.sent: list[tuple] = []

    def next_message(self, until: int) -> np.ndarray | None:
        if self.waiting and int(self.waiting[0]["ts"][0]) <= until:
            return self.waiting.pop(0)
        return None

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        for action in actions[:n]:
            if int(action["kind"]) <= ActionKind.CANCEL:
                self.sent.append(
                    tuple(int(action[x]) for x in ("kind", "order_id", "inst", "tick", "lots"))
                )
                self.last = action.copy()

    def more_after(self, ts: int) -> bool:
        return bool(self.waiting)


CONTRACTS = [
    mm.Contract.equity(0, "ABC", venue="SMART"),
    mm.Contract.equity(1, "ABC", venue="ISLAND"),
    mm.Contract.simple(2, "ABC 100 C", tick="0.05", lot="1", kind="other", venue="SMART",
                       multiplier=100.0),
]  # fmt: skip


def desk(
    bus: mm.EventBus | None = None, **sections: dict
) -> tuple[mm.OrderManager, ScriptedBroker]:
    """A manager that has seen markets of 100.00 to 100.02, and 2.00 to 2.10."""
    broker = ScriptedBroker()
    ticks = [(10_000, 10_002), (10_000, 10_002), (40, 42)]
    for inst, pair in enumerate(ticks):
        for side, tick in zip((1, -1), pair, strict=True):
            broker.waiting.append(messages.book_level(TS + 1, inst, side, tick, 100))
    manager = mm.OrderManager(
        mm.Config.from_dict(sections), CONTRACTS, broker, date="2024-06-03", bus=bus
    )
    manager.pump(TS + SECOND)
    return manager, broker


def confirm(broker: ScriptedBroker, ts: int) -> None:
    """The broker confirms what was sent last."""
    action = broker.last
    row = messages.message(MsgKind.ORDER, ts, event=int(OrderEvent.CONFIRM))
    for name in ("order_id", "tick", "lots", "inst", "side"):
        row[name] = action[name]
    broker.waiting.append(row)


def place(manager, *terms, **more) -> int:
    said = manager.place_quote(*terms, **more)
    assert isinstance(said, Accepted), said
    return said.order_id


def test_orders_of_several_contracts_and_venues_live_side_by_side():
    manager, broker = desk()
    place(manager, 1, 99.99, 5, symbol="ABC", venue="SMART")
    place(manager, -1, 100.03, 7, symbol="ABC", venue="ISLAND")
    place(manager, 1, 1.95, 2, symbol="ABC 100 C")
    assert [sent[2:] for sent in broker.sent] == [(0, 9999, 5), (1, 10003, 7), (2, 39, 2)]
    table = manager.orders()
    validate(table, "orders")
    assert list(table["venue"]) == ["SMART", "ISLAND", "SMART"]
    assert manager.port.local.position["open_buy"].tolist() == [5, 0, 2]


@pytest.mark.parametrize(
    ("name", "kind", "tif"),
    [
        ("limit", OrderType.LIMIT, TimeInForce.DAY),
        ("post_only", OrderType.POST_ONLY, TimeInForce.DAY),
        ("marketable", OrderType.LIMIT, TimeInForce.IOC),
        ("peg_primary", OrderType.PEG_PRIMARY, TimeInForce.DAY),
        ("peg_mid", OrderType.PEG_MID, TimeInForce.DAY),
        ("peg_best", OrderType.PEG_BEST, TimeInForce.DAY),
    ],
)
def test_an_order_type_is_sent_as_what_it_means(name, kind, tif):
    manager, broker = desk()
    price = 100.02 if name == "marketable" else 100.0
    place(manager, 1, price, 1, symbol="ABC", venue="SMART", order_type=name)
    assert (int(broker.last["order_type"]), int(broker.last["tif"])) == (kind, tif)


def test_an_order_with_an_end_is_good_till_then():
    manager, broker = desk()
    end = manager.now + SECOND
    place(manager, 1, 100.0, 1, symbol="ABC", venue="SMART", expire_ts=end)
    assert int(broker.last["tif"]) == TimeInForce.GTD and int(broker.last["expire_ts"]) == end


@pytest.mark.parametrize("price", [math.nan, math.inf, 1.797e308, 100.005, 0.0, -5.0])
def test_a_price_that_is_none_is_denied_and_nothing_leaves(price):
    manager, broker = desk()
    said = manager.place_quote(-1, price, 5, symbol="ABC", venue="SMART")
    assert isinstance(said, Denied) and broker.sent == []


@pytest.mark.parametrize("size", [math.nan, math.inf, 0, -5, 1.5, 2**31])
def test_a_size_that_is_none_is_denied_and_nothing_leaves(size):
    manager, broker = desk()
    said = manager.place_quote(1, 100.0, size, symbol="ABC", venue="SMART")
    assert isinstance(said, Denied) and broker.sent == []


def test_limits_deny_with_their_reason():
    manager, broker = desk(limits={"max_position_lots": 10, "max_order_lots": 6})
    where = {"symbol": "ABC", "venue": "SMART"}
    assert manager.place_quote(1, 100.0, 7, **where) == Denied(Reason.TOO_LARGE, manager.now)
    place(manager, 1, 100.0, 6, **where)
    assert manager.place_quote(1, 99.0, 5, **where) == Denied(Reason.PULL_LIMIT, manager.now)
    assert len(broker.sent) == 1


def test_modify_and_cancel_wait_for_the_broker():
    manager, broker = desk()
    order = place(manager, 1, 100.0, 5, symbol="ABC", venue="SMART")
    early = manager.modify_quote(order, 99.99, 5)
    assert early == Denied(Reason.CHANGE_IN_FLIGHT, manager.now)
    confirm(broker, manager.now + 1)
    manager.pump(manager.now + SECOND)
    assert isinstance(manager.modify_quote(order, 99.99, 4), Accepted)
    assert broker.sent[-1] == (ActionKind.MODIFY, order, 0, 9999, 4)
    assert isinstance(manager.cancel_quote(order, Reason.HEDGE), Accepted)
    assert int(broker.last["reason"]) == Reason.HEDGE
    assert manager.cancel_quote(4711) == Denied(Reason.UNKNOWN_ORDER, manager.now)


def test_a_fill_changes_the_position_and_a_late_one_too():
    manager, broker = desk()
    order = place(manager, 1, 100.0, 5, symbol="ABC", venue="SMART")
    confirm(broker, manager.now + 1)
    manager.pump(manager.now + SECOND)
    one = {"symbol": "ABC", "venue": "SMART", "timestamp": manager.now}
    first = manager.handle_fill(Fill(order, 1, 1, 100.0, 3, **one))
    assert first.booked and first.state == OrderState.WORKING and first.position == 3.0
    last = manager.handle_fill(Fill(order, 2, 1, 99.995, 2, **one))
    assert last.state == OrderState.FILLED and last.position == 5.0
    late = manager.handle_fill(Fill(order, 3, 1, 100.0, 1, **one))
    assert late.position == 6.0 and late.reason != Reason.NONE
    orphan = manager.handle_fill(Fill(999_999, 4, -1, 100.0, 2, **one))
    assert orphan.state is None and orphan.reason == Reason.ORPHAN_EXECUTION
    assert manager.portfolio_state().positions["ABC 100 C"] == 0.0


@pytest.mark.parametrize("bad", [{"price": math.nan}, {"size": -1}, {"side": 0}])
def test_what_is_no_fill_is_refused_and_books_nothing(bad):
    manager, _ = desk()
    terms = {"side": 1, "price": 100.0, "size": 1.0} | bad
    with pytest.raises(UsageError, match="no fill"):
        manager.handle_fill(Fill(1, 1, timestamp=manager.now, symbol="ABC", venue="SMART", **terms))
    assert not manager.port.local.position["fills"].any()


def test_contracts_and_order_types_that_do_not_exist_are_usage_errors():
    manager, _ = desk()
    with pytest.raises(UsageError, match="several"):
        manager.place_quote(1, 100.0, 1, symbol="ABC")
    with pytest.raises(UsageError, match="not traded"):
        manager.place_quote(1, 100.0, 1, symbol="XYZ")
    with pytest.raises(UsageError, match="order type"):
        manager.place_quote(1, 100.0, 1, symbol="ABC", venue="SMART", order_type="stop")


def test_the_guard_halts_resumes_and_kills_and_shows_what_is_used():
    manager, broker = desk(limits={"max_position_lots": 10, "max_loss_ccy": 100.0})
    guard = mm.RiskGuard.of(manager)
    where = {"symbol": "ABC", "venue": "SMART"}
    order = place(manager, 1, 100.0, 4, **where)
    confirm(broker, manager.now + 1)
    manager.pump(manager.now + SECOND)
    table = guard.utilisation()
    validate(table, "utilisation")
    row = table[(table["scope"] == "instrument 0") & (table["limit"] == "max_position_lots")]
    assert row["used"].item() == 4.0 and row["share"].item() == 0.4
    guard.set_limit("max_position_lots", 5)
    assert manager.place_quote(1, 100.0, 2, **where) == Denied(Reason.PULL_LIMIT, manager.now)
    guard.halt()
    assert guard.blocked == Reason.PULL_HALTED
    assert broker.sent[-1][:2] == (ActionKind.CANCEL, order)
    assert manager.place_quote(1, 100.0, 1, **where) == Denied(Reason.PULL_HALTED, manager.now)
    guard.resume()
    place(manager, 1, 99.0, 1, **where)
    guard.kill()
    guard.resume()
    assert guard.blocked == Reason.PULL_KILLED
    latched = guard.latched()
    validate(latched, "breakers")
    assert latched.to_dict("records") == [{"scope": "account", "reason": "PULL_KILLED"}]
    assert manager.place_quote(1, 99.0, 1, **where) == Denied(Reason.PULL_KILLED, manager.now)
    with pytest.raises(UsageError):
        guard.set_limit("max_position_lots", math.nan)


def test_scopes_of_the_guard_are_in_the_table_and_breakers_in_theirs():
    limits = [{"scope": "instrument", "name": "0", "max_position_units": 10},
              {"scope": "account", "max_gross_ccy": 1_000.0}]  # fmt: skip
    manager, _ = desk(risk={"limits": limits, "repeated": {"max_fills": 2}})
    guard = mm.RiskGuard.of(manager)
    where = {"symbol": "ABC", "venue": "SMART"}
    order = place(manager, 1, 100.0, 4, **where)
    manager.pump(manager.now + SECOND)
    table = guard.utilisation().set_index(["scope", "limit"])
    assert table.loc[("instrument 0", "max_position_units"), "used"] == 4.0
    assert table.loc[("account", "max_gross_ccy"), "used"] == pytest.approx(4 * 100.01)
    denied = manager.place_quote(1, 100.0, 7, **where)
    assert denied.reason in (Reason.PULL_LIMIT, Reason.PULL_EXPOSURE)
    for i in range(2):
        manager.handle_fill(Fill(order, i + 1, 1, 100.0, 1, timestamp=manager.now, **where))
    manager.pump(manager.now + SECOND)
    assert ("instrument 0", "PULL_REPEATED") in set(
        guard.latched().itertuples(index=False, name=None)
    )
    assert manager.place_quote(1, 99.0, 1, **where) == Denied(Reason.PULL_REPEATED, manager.now)
    guard.resume()
    place(manager, 1, 99.0, 1, **where)


@pytest.mark.parametrize(
    ("limit", "filled_at", "reason"),
    [
        ({"max_gross_ccy": 300.0}, None, Reason.PULL_EXPOSURE),
        ({"max_net_ccy": 300.0}, None, Reason.PULL_EXPOSURE),
        ({"max_delta": 3.0}, None, Reason.PULL_GREEKS),
        ({"max_loss_ccy": 50.0}, 110.0, Reason.PULL_LOSS),
        ({"max_drawdown_ccy": 50.0}, 110.0, Reason.PULL_DRAWDOWN),
        ({"min_capture_bps": 1.0}, 100.5, Reason.PULL_CAPTURE),
    ],
)
def test_limits_of_scopes_hold_for_orders_by_hand(limit, filled_at, reason):
    limits = [{"scope": "instrument", "name": "0", **limit}]
    manager, broker = desk(risk={"limits": limits, "capture_fills": 1})
    where = {"symbol": "ABC", "venue": "SMART"}
    if filled_at is not None:
        order = place(manager, 1, 100.0, 10, **where)
        fill = {"timestamp": manager.now, "mid": 100.01, **where}
        manager.handle_fill(Fill(order, 1, 1, filled_at, 10, **fill))
        manager.pump(manager.now + SECOND)
    sent = len(broker.sent)
    assert manager.place_quote(1, 100.0, 4, **where) == Denied(reason, manager.now)
    assert len(broker.sent) == sent


def test_flatten_cancels_and_bars_new_orders():
    manager, broker = desk(risk={"on": True})
    where = {"symbol": "ABC", "venue": "SMART"}
    order = place(manager, 1, 100.0, 4, **where)
    mm.RiskGuard.of(manager).flatten()
    assert broker.sent[-1][:2] == (ActionKind.CANCEL, order)
    assert manager.place_quote(1, 99.0, 1, **where) == Denied(Reason.PULL_FLATTEN, manager.now)


def test_an_unconfirmed_order_that_cannot_be_asked_after_bars_its_side_only():
    manager, _ = desk(orders={"ack_timeout_s": 0.5})
    where = {"symbol": "ABC", "venue": "SMART"}
    place(manager, 1, 100.0, 4, **where)
    manager.pump(manager.now + SECOND)
    said = manager.place_quote(1, 99.0, 1, **where)
    assert said == Denied(Reason.PULL_RECONCILING, manager.now)
    assert manager.orders()["status"].item() == OrderState.UNKNOWN


def test_a_subscriber_may_send_orders_and_each_leaves_once():
    bus = mm.EventBus()
    manager, broker = desk(bus)
    where = {"symbol": "ABC", "venue": "SMART"}
    told, answers = [], []

    def hedge(event):
        told.append(event.order_id)
        if event.before is None and len(answers) < 2:
            answers.append(manager.place_quote(-1, 100.05, 3, **where))

    bus.subscribe("order", hedge)
    first = place(manager, 1, 100.0, 5, **where)
    hedges = [said.order_id for said in answers]
    assert [(sent[1], *sent[3:]) for sent in broker.sent] == [
        (first, 10_000, 5), (hedges[0], 10_005, 3), (hedges[1], 10_005, 3)
    ]  # fmt: skip
    assert told == [first, *hedges]


def test_a_subscriber_may_kill_and_the_request_keeps_its_own_answer():
    bus = mm.EventBus()
    manager, broker = desk(bus, limits={"max_position_lots": 10})
    guard = mm.RiskGuard.of(manager)
    where = {"symbol": "ABC", "venue": "SMART"}
    order = place(manager, 1, 100.0, 4, **where)
    bus.subscribe("alert", lambda _: guard.blocked == Reason.NONE and guard.kill())
    assert manager.place_quote(1, 99.0, 50, **where) == Denied(Reason.PULL_LIMIT, manager.now)
    assert guard.blocked == Reason.PULL_KILLED
    cancels = [sent for sent in broker.sent if sent[0] == ActionKind.CANCEL]
    assert [sent[1] for sent in cancels] == [order]


def test_positions_are_told_for_each_venue_and_understood_again():
    manager, _ = desk()
    for number, (venue, lots) in enumerate((("SMART", 7), ("ISLAND", 2)), 1):
        fill = {"timestamp": manager.now, "symbol": "ABC", "venue": venue}
        manager.handle_fill(Fill(0, number, 1, 100.0, lots, **fill))
    state = manager.portfolio_state()
    assert state.positions == {"ABC@SMART": 7.0, "ABC@ISLAND": 2.0, "ABC 100 C": 0.0}
    assert isinstance(manager.place_quote(1, 100.0, 1, state, symbol="ABC@ISLAND"), Accepted)
    assert manager.orders()["venue"].item() == "ISLAND"
    other = mm.PortfolioState({"ABC@SMART": 8.0})
    denied = manager.place_quote(1, 100.0, 1, other, symbol="ABC@SMART")
    assert denied == Denied(Reason.PULL_POSITION, manager.now)


def test_a_correction_of_a_price_is_booked_and_a_repeat_is_not():
    manager, _ = desk()
    terms = {"timestamp": manager.now, "symbol": "ABC", "venue": "SMART"}
    assert manager.handle_fill(Fill(0, 1, 1, 100.0, 7, **terms)).booked
    for booked in (True, False):
        found = manager.handle_fill(Fill(0, 1, 1, 101.0, 7, revision=1, **terms))
        assert found.booked == booked
    assert manager.port.local.position[0]["cash"] == -707.0


class FullJournal:
    """A journal that cannot be written any more."""

    failed = False

    def step(self, *_) -> None:
        if self.failed:
            raise JournalError("full")


def test_without_its_journal_a_manager_cancels_all_and_sends_nothing_more():
    manager, broker = desk()
    where = {"symbol": "ABC", "venue": "SMART"}
    manager.port.journal = journal = FullJournal()
    order = place(manager, 1, 100.0, 5, **where)
    journal.failed = True
    with pytest.raises(JournalError):
        manager.place_quote(1, 99.0, 5, **where)
    assert [sent[:2] for sent in broker.sent[1:]] == [(ActionKind.CANCEL, order)]
    assert manager.place_quote(1, 99.0, 5, **where) == Denied(Reason.PULL_KILLED, manager.now)


def test_a_stock_and_its_options_of_one_symbol_are_told_apart_by_name():
    option = {"expiry": "2024-06-21", "right": "C", "tick_class": "penny"}
    contracts = [
        mm.Contract.equity(0, "ABC", venue="SMART"),
        mm.Contract.option(1, "ABC", venue="SMART", strike=100.0, **option),
        mm.Contract.option(2, "ABC", venue="SMART", strike=102.5, **option),
        mm.Contract.option(3, "ABC", venue="BOX", strike=102.5, **option),
    ]
    broker = ScriptedBroker()
    for inst in range(4):
        for side, tick in ((1, 500), (-1, 510)):
            broker.waiting.append(messages.book_level(TS + 1, inst, side, tick, 100))
    manager = mm.OrderManager(mm.Config(), contracts, broker, date="2024-06-03")
    manager.pump(TS + SECOND)
    names = list(manager.portfolio_state().positions)
    assert names == [
        "ABC", "ABC 2024-06-21 100 C", "ABC 2024-06-21 102.5 C@SMART",
        "ABC 2024-06-21 102.5 C@BOX",
    ]  # fmt: skip
    for name in names:
        place(manager, 1, 5.0, 1, symbol=name)
    assert [sent[2] for sent in broker.sent] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="name one of"):
        manager.place_quote(1, 5.0, 1, symbol="ABC 2024-06-21 102.5 C")


def test_own_orders_in_a_stock_do_not_meet_across_its_venues():
    manager, _ = desk()
    place(manager, 1, 100.01, 5, symbol="ABC", venue="SMART")
    denied = manager.place_quote(-1, 100.01, 5, symbol="ABC", venue="ISLAND")
    assert denied == Denied(Reason.OWN_CROSS, manager.now)
    place(manager, -1, 100.02, 5, symbol="ABC", venue="ISLAND")


def test_one_side_of_a_series_works_whatever_its_venues():
    terms = {"expiry": "2024-06-21", "strike": 100.0, "right": "C", "tick_class": "penny"}
    contracts = [
        mm.Contract.option(i, "ABC", venue=venue, **terms)
        for i, venue in enumerate(("SMART", "BOX"))
    ]
    for one_side, reason in ((True, Reason.PULL_OTHER_SIDE), (False, Reason.OWN_CROSS)):
        broker = ScriptedBroker()
        for inst in range(2):
            for side, tick in ((1, 200), (-1, 210)):
                broker.waiting.append(messages.book_level(TS + 1, inst, side, tick, 100))
        limits = {"one_side_per_option": one_side, "prevent_own_cross": not one_side}
        config = mm.Config.from_dict({"limits": limits})
        manager = mm.OrderManager(config, contracts, broker, date="2024-06-03")
        manager.pump(TS + SECOND)
        place(manager, 1, 2.05, 5, symbol="ABC", venue="SMART")
        denied = manager.place_quote(-1, 2.04, 5, symbol="ABC", venue="BOX")
        assert denied == Denied(reason, manager.now)
        place(manager, 1, 2.03, 5, symbol="ABC", venue="BOX")
