"""The table of order states."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import OrderEvent, OrderState
from mmquant.core.orders import ENDED, FIRST_ENDED, ILLEGAL, LIVE, NEXT, is_live, next_state

S, E = OrderState, OrderEvent
LETTER = dict(zip(S, "NSAWMCUfcrel", strict=True))
COLUMNS = (
    E.SEND, E.ACK, E.CONFIRM, E.EXECUTION, E.CORRECTION, E.BUST, E.SEND_MODIFY, E.MODIFY_REJECT,
    E.SEND_CANCEL, E.CANCEL_ACK, E.CANCEL_REJECT, E.REJECT, E.EXPIRE, E.TIMEOUT, E.DISCONNECT,
    E.FOUND_OPEN, E.FOUND_CLOSED, E.NOT_FOUND,
)  # fmt: skip
TABLE = """
NEW        S . . . . . . . . . . r . . N . . .
SENT       . A W A S S . . C c . r e U U W c .
ACKED      . A W A A A . . C c . r e U U W c .
WORKING    . W W W W W M W C c W r e W U W c .
MODIFYING  . M W M M M . W C c M r e U U M c .
CANCELLING . C C C C C . C C c W r e U U C c .
UNKNOWN    . A W U U U . U U c U r e U U W c l
FILLED     . f f f f f . f . f f . f f f . f f
CANCELLED  . c c c c c . c . c c . c c c W c c
REJECTED   . r r r r r . r . r r . r r r W r r
EXPIRED    . e e e e e . e . e e . e e e W e e
LOST       . l l l l l . l . l l . l l l W l l
"""
"""One row a state, one column an event (COLUMNS); live states in capitals, . where illegal."""

OWN_ACTS = {E.SEND, E.SEND_MODIFY, E.SEND_CANCEL}
NO_WORD = OWN_ACTS | {E.TIMEOUT, E.DISCONNECT}
"""What says nothing of what became of an order."""


def after(state: OrderState, event: OrderEvent) -> int:
    return int(next_state(int(state), int(event)))


def test_the_table_as_a_whole() -> None:
    lines = [
        f"{state.name:10} "
        + " ".join(
            "." if after(state, e) == ILLEGAL else LETTER[S(after(state, e))] for e in COLUMNS
        )
        for state in S
    ]
    assert "\n".join(lines) == TABLE.strip()


def test_every_event_is_in_the_table() -> None:
    assert sorted(COLUMNS) == list(E)
    assert NEXT.shape == (len(S), len(E))
    assert {int(x) for x in NEXT.flat} <= {ILLEGAL, *(int(s) for s in S)}


def test_ended_states_are_the_last_ones() -> None:
    assert set(LIVE) | set(ENDED) == set(S)
    assert [s for s in S if is_live(int(s))] == list(LIVE)
    assert min(ENDED) == FIRST_ENDED


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("event", E)
def test_an_ended_order_stays_ended_unless_the_broker_lists_it_as_open(
    state: OrderState, event: OrderEvent
) -> None:
    if event == E.FOUND_OPEN and state != S.FILLED:
        assert after(state, event) == S.WORKING
    else:
        assert after(state, event) in (ILLEGAL, state)


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("event", [E.EXECUTION, E.CORRECTION, E.BUST])
def test_an_ended_order_still_takes_executions(state: OrderState, event: OrderEvent) -> None:
    assert after(state, event) == state


@pytest.mark.parametrize("event", E)
def test_unknown_is_left_only_by_what_the_broker_says(event: OrderEvent) -> None:
    if event in NO_WORD | {E.EXECUTION, E.CORRECTION, E.BUST, E.MODIFY_REJECT, E.CANCEL_REJECT}:
        assert after(S.UNKNOWN, event) in (S.UNKNOWN, ILLEGAL)
    else:
        assert after(S.UNKNOWN, event) not in (S.UNKNOWN, ILLEGAL)


@pytest.mark.parametrize("state", [s for s in LIVE if s != S.NEW])
def test_an_order_that_was_sent_is_unknown_after_a_disconnect(state: OrderState) -> None:
    assert after(state, E.DISCONNECT) == S.UNKNOWN


@pytest.mark.parametrize("state", [s for s in LIVE if s not in (S.NEW, S.WORKING)])
def test_an_answer_that_does_not_come_makes_an_order_unknown(state: OrderState) -> None:
    assert after(state, E.TIMEOUT) == S.UNKNOWN


@pytest.mark.parametrize("state", LIVE)
def test_an_order_is_lost_only_once_it_was_unknown(state: OrderState) -> None:
    assert (after(state, E.NOT_FOUND) == S.LOST) == (state == S.UNKNOWN)


@pytest.mark.parametrize("state", [s for s in LIVE if s != S.NEW])
def test_every_order_that_was_sent_can_be_cancelled_filled_and_ended(state: OrderState) -> None:
    assert after(state, E.SEND_CANCEL) in (S.CANCELLING, S.UNKNOWN)
    assert is_live(after(state, E.EXECUTION))
    assert after(state, E.CANCEL_ACK) == S.CANCELLED
    assert after(state, E.EXPIRE) == S.EXPIRED
    assert after(state, E.REJECT) == S.REJECTED


def test_a_new_order_that_was_not_sent_can_do_nothing_at_the_broker() -> None:
    legal = {e for e in E if after(S.NEW, e) != ILLEGAL}
    assert legal == {E.SEND, E.REJECT, E.DISCONNECT}
