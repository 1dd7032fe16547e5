"""When orders end by themselves."""

from __future__ import annotations

import pytest

from mmquant.core.dtypes import NEVER, Reason
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import (
    BUY,
    DAY,
    GTC,
    GTD,
    LIMIT,
    SELL,
    Answer,
    cancel,
    depth,
    events,
    fills,
    place,
    play,
    trade,
)

BOOK = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 3)]


def ends(said: list[Answer]) -> list[tuple[int, int, int, Reason]]:
    """Time, order, lots and reason of the expiries."""
    return [(a.ts, a.order_id, a.lots, a.reason) for a in said if a.event == E.EXPIRE]


def test_each_lifetime_ends_when_it_says() -> None:
    orders = [
        place(1, 1, BUY, 100, 1, LIMIT, GTC, 20),
        place(2, 2, BUY, 100, 2, LIMIT, DAY, 20),
        place(3, 3, BUY, 100, 3, LIMIT, GTD, 20),
    ]
    said = play([*BOOK, *orders, trade(60, SELL, 100, 9)], day_end=50)
    assert ends(said) == [(20, 3, 3, Reason.LIFETIME), (50, 2, 2, Reason.SESSION_END)]
    assert fills(said) == [(60, 1, 1, 100)]


@pytest.mark.parametrize(("ts", "filled"), [(19, True), (20, False), (21, False)])
def test_an_order_is_gone_before_the_data_of_the_time_at_which_it_ends(
    ts: int, filled: bool
) -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 1, LIMIT, GTD, 20), trade(ts, SELL, 100, 9)])
    assert bool(fills(said)) == filled
    assert events(said, 1) == [E.CONFIRM, E.EXECUTION if filled else E.EXPIRE]


def test_a_cancel_at_the_time_of_the_end_comes_too_late() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 1, LIMIT, GTD, 20), cancel(20, 1)])
    assert events(said, 1) == [E.CONFIRM, E.EXPIRE, E.CANCEL_REJECT]
    said = play([*BOOK, place(1, 1, BUY, 100, 1, LIMIT, GTD, 20), cancel(19, 1)])
    assert events(said, 1) == [E.CONFIRM, E.CANCEL_ACK]


@pytest.mark.parametrize("late", [20, 25])
def test_an_order_that_arrives_at_or_after_its_end_expires_at_once(late: int) -> None:
    said = play([*BOOK, place(late, 1, BUY, 101, 1, LIMIT, GTD, 20)])
    assert ends(said) == [(late, 1, 1, Reason.LIFETIME)]
    assert fills(said) == []


def test_a_day_order_after_the_session_ends_with_the_session() -> None:
    said = play([*BOOK, place(60, 1, BUY, 100, 1, LIMIT, DAY)], day_end=50)
    assert ends(said) == [(60, 1, 1, Reason.SESSION_END)]


def test_a_partly_filled_order_expires_with_what_is_left() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 5, LIMIT, GTD, 20), trade(2, SELL, 100, 2)])
    assert ends(said) == [(20, 1, 3, Reason.LIFETIME)]


def test_the_next_to_end_is_found_after_another_ended_otherwise() -> None:
    orders = [place(1, i, BUY, 100, 1, LIMIT, GTD, 10 * i) for i in (1, 2, 3)]
    said = play([*BOOK, *orders, cancel(5, 1), trade(15, SELL, 100, 1), trade(90, SELL, 100, 9)])
    assert ends(said) == [(30, 3, 1, Reason.LIFETIME)]


def test_orders_end_without_any_row_to_come() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 1, LIMIT, GTD, NEVER - 10)])
    assert ends(said) == [(NEVER - 10, 1, 1, Reason.LIFETIME)]
