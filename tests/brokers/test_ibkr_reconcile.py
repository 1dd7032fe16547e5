"""Asking for the truth: whole answers only, in an order in which they fit together."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import ActionKind
from tests.brokers.wire import (
    CON_ID,
    ORDERS_END,
    POSITIONS_END,
    Wire,
    error,
    execution,
    executions_end,
    open_order,
    order_status,
    position,
    stocks,
)


def answer(wire: Wire, *orders: list, fills: tuple = (), held: tuple = ()) -> list:
    """Answer a question for everything; returns what is told at its end."""
    wire.heard()
    wire.say(*orders, ORDERS_END)
    wire.heard()
    (request,) = (fields[2] for fields in wire.requests(7))
    wire.say(*[execution(*given[:2], **given[2], request=request) for given in fills])
    wire.say(executions_end(request))
    before = wire.events()
    wire.say(*held, POSITIONS_END)
    return before + wire.events()


def ask(wire: Wire, order_id: int = 0) -> None:
    wire.heard()
    wire.requests()
    wire.act(ActionKind.QUERY, order_id)


def test_everything_is_told_in_order_and_ends_with_resynced() -> None:
    wire = Wire(stocks(2))
    n = wire.working(17)
    m = wire.working(18)
    ask(wire)
    told = answer(
        wire, open_order(n, 17), order_status(n, "Submitted"),
        fills=((m, 18, {"lots": 100}),), held=(position(100),),
    )  # fmt: skip
    assert told == [
        ("EXECUTION", 18, 10_000, 100, "NONE"),
        ("FOUND_OPEN", 17, 10_000, 100, "NONE"),
        ("POSITION", 0, 0, 0, 100),
        ("POSITION", 1, 0, 0, 0),
        ("RESYNCED", -1),
    ]


def test_asking_twice_tells_executions_once() -> None:
    wire = Wire()
    n = wire.working()
    for expected in (["EXECUTION", "POSITION", "RESYNCED"], ["POSITION", "RESYNCED"]):
        ask(wire)
        told = answer(wire, fills=((n, 17, {}),), held=(position(100),))
        assert [e[0] for e in told] == expected


@pytest.mark.parametrize("step", [0, 1, 2])
def test_an_answer_without_its_end_is_none_and_can_be_asked_for_again(step: int) -> None:
    wire = Wire()
    n = wire.working()
    ask(wire)
    wire.say(open_order(n, 17))
    if step > 0:
        wire.say(ORDERS_END)
        wire.heard()
    if step > 1:
        wire.say(executions_end(wire.requests(7)[0][2]))
        wire.heard()
        wire.say(position(0))
    assert wire.events(3_999) == []
    assert wire.events(2) == [], "nothing is told of half an answer"
    wire.say(ORDERS_END, POSITIONS_END)
    assert wire.events() == [], "an end that comes too late is none"
    ask(wire)
    told = answer(wire, open_order(n, 17))
    assert told[0][:2] == ("FOUND_OPEN", 17) and told[-1] == ("RESYNCED", -1)


@pytest.mark.parametrize(
    ("case", "expected"),
    [("open", "FOUND_OPEN"), ("closed", "FOUND_CLOSED"), ("never heard of", "NOT_FOUND"),
     ("unknown to us", "NOT_FOUND")],
)  # fmt: skip
def test_one_order(case: str, expected: str) -> None:
    wire = Wire()
    order_id = 99 if case == "unknown to us" else 17
    n = wire.place() if case == "never heard of" else wire.working()
    ask(wire, order_id)
    wire.say(*([open_order(n, 17)] if case == "open" else []), ORDERS_END)
    wire.heard()
    wire.say(executions_end(wire.requests(7)[0][2]))
    assert [e[:2] for e in wire.events()] == [(expected, order_id)]
    assert not wire.requests(61), "positions are asked for with everything else"


def test_an_order_filled_while_we_ask_is_closed_after_its_execution() -> None:
    wire = Wire()
    n = wire.working()
    ask(wire, 17)
    wire.say(open_order(n, 17), ORDERS_END)
    wire.heard()
    wire.say(execution(n, 17), order_status(n, "Filled", 100, 0))
    wire.say(executions_end(wire.requests(7)[0][2]))
    assert [e[0] for e in wire.events()] == ["EXECUTION", "FOUND_CLOSED"]


def test_an_order_sent_while_we_ask_is_not_called_closed() -> None:
    wire = Wire()
    ask(wire)
    wire.heard(1)
    n = wire.place()
    told = answer(wire)
    assert [e[0] for e in told] == ["POSITION", "RESYNCED"]
    wire.say(open_order(n, 17))
    assert [e[0] for e in wire.events()] == ["CONFIRM"]


def test_one_that_works_though_its_end_was_told_is_found_open() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(order_status(n, "Cancelled"))
    wire.heard()
    ask(wire)
    assert answer(wire, open_order(n, 17, price="99.9"))[0] == (
        "FOUND_OPEN", 17, 9_990, 100, "NONE",
    )  # fmt: skip


def test_positions_are_asked_for_again_if_something_was_executed_meanwhile() -> None:
    wire = Wire()
    n = wire.working()
    ask(wire)
    wire.say(ORDERS_END)
    wire.heard()
    wire.say(executions_end(wire.requests(7)[0][2]))
    wire.heard()
    wire.say(execution(n, 17), position(0), POSITIONS_END)
    assert [e[0] for e in wire.events()] == ["EXECUTION"]
    assert wire.requests(61)
    wire.say(position(100), POSITIONS_END)
    assert ("POSITION", 0, 0, 0, 100) in wire.events()


def test_what_others_have_working_is_told_and_what_is_gone_too() -> None:
    wire = Wire()
    other = open_order(3, 0, ref="someone", perm=9, client=5, lots=300, side="SELL")
    ask(wire)
    told = answer(wire, other, order_status(3, "Submitted", 100, 200, perm=9, client=5))
    assert ("EXTERNAL", 0, -1, 0, 200) in told
    ask(wire)
    assert ("EXTERNAL", 0, -1, 0, 0) in answer(wire)
    ask(wire)
    assert "EXTERNAL" not in [e[0] for e in answer(wire)]


def test_two_questions_are_asked_one_after_the_other_and_all_are_answered() -> None:
    wire = Wire()
    n = wire.working()
    ask(wire, 17)
    wire.act(ActionKind.QUERY, 0)
    assert len(wire.requests(16)) == 1
    wire.say(open_order(n, 17), ORDERS_END)
    wire.heard()
    wire.say(executions_end(wire.requests(7)[0][2]))
    assert [e[0] for e in wire.events()] == ["FOUND_OPEN"]
    assert len(wire.requests(16)) == 1
    assert answer(wire, open_order(n, 17))[-1] == ("RESYNCED", -1)


def test_what_the_account_holds_when_the_run_begins_is_asked_for_and_not_told_as_news() -> None:
    wire = Wire()
    found: list = []
    wire.requests()
    wire.broker.truth.ask_holdings(found.append)
    wire.heard()
    old = (0, 0, {"ref": "someone", "exec_id": "old.01", "lots": 70})
    assert answer(wire, fills=(old,), held=(position(70, cost=50.25),)) == []
    (opening,) = found
    assert opening.positions == {CON_ID: (70.0, 50.25)} and opening.executions == {"old.01"}
    wire.broker.executions.open_with(opening)
    assert wire.events() == [("EXECUTION", 0, 5_025, 70, "NONE")]
    ask(wire)
    assert answer(wire, fills=(old,), held=(position(70),)) == [
        ("POSITION", 0, 0, 0, 70), ("RESYNCED", -1),
    ]  # fmt: skip


def test_link_lost_and_back_asks_for_nothing_by_itself_and_answers_when_asked() -> None:
    wire = Wire()
    n = wire.working()
    ask(wire)
    wire.say(open_order(n, 17))
    wire.client._onSocketDisconnected("gone")
    assert wire.events() == [("DOWN", -1)]
    wire.act(ActionKind.PLACE, 19)
    assert wire.broker.requests.dropped == 1
    wire.connect()
    assert ("UP", -1) in wire.events()
    wire.requests()
    ask(wire)
    told = answer(wire, open_order(n, 17, lots=60))
    assert told[0] == ("FOUND_OPEN", 17, 10_000, 60, "NONE")


@pytest.mark.parametrize("back", [1101, 1102])
def test_an_outage_behind_tws(back: int) -> None:
    wire = Wire()
    wire.working()
    wire.requests()
    wire.say(error(-1, 1100, "Connectivity between IB and TWS has been lost"))
    assert wire.events() == [("DOWN", -1)]
    wire.act(ActionKind.PLACE, 19)
    assert not wire.requests(3) and wire.broker.requests.dropped == 1
    wire.say(error(-1, back, "restored"))
    assert wire.events()[-1] == ("UP", -1)
    assert bool(wire.requests(1)) == (back == 1101), "lost data are asked for again"
