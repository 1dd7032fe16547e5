"""The link: silence, loss and return; and a pump that neither spins nor sleeps too long."""

from __future__ import annotations

from mmquant.core.dtypes import NEVER, ActionKind
from tests.brokers.wire import Wire, open_order, stocks

SECOND = 1_000


def test_a_silent_broker_is_asked_for_the_time_and_then_given_up() -> None:
    wire = Wire()
    wire.requests()
    wire.heard(4.9 * SECOND)
    assert not wire.requests(49)
    wire.heard(0.2 * SECOND)
    assert len(wire.requests(49)) == 1
    wire.say([49, 1, 1_700_000_005])
    wire.heard(4.9 * SECOND)
    assert not wire.requests(49)
    told = wire.events(8 * SECOND)
    assert told == [("DOWN", -1)] and not wire.broker.link.is_up
    wire.connect()
    assert wire.events()[-1] == ("UP", -1)


def test_a_link_that_was_lost_while_sending_is_down_and_nothing_is_raised() -> None:
    wire = Wire()

    def gone(frame: bytes) -> None:
        raise ConnectionError("Not connected")

    wire.client.conn.sendMsg = gone
    wire.act(ActionKind.PLACE, 17)
    assert wire.events() == [("DOWN", -1)]


def test_an_outage_ends_with_the_connection_it_was_of() -> None:
    wire = Wire()
    wire.say([4, 2, -1, 1100, "lost", ""])
    assert wire.events() == [("DOWN", -1)]
    wire.client._onSocketDisconnected("")
    wire.connect()
    assert wire.events()[-1] == ("UP", -1)


def test_an_outage_told_to_a_connection_that_did_not_come_about_is_over_with_it() -> None:
    wire = Wire()
    wire.client._onSocketDisconnected("")
    assert wire.events() == [("DOWN", -1)]
    wire.broker.router.error(-1, 1100, "lost")
    wire.connect()
    assert wire.events()[-1] == ("UP", -1)


def test_after_the_return_all_streams_are_asked_for_anew_and_nothing_old_is_shown() -> None:
    wire = Wire(stocks(2), depth=[0], trades=[1])
    before = dict(wire.broker.feed.lines)
    line = next(n for n, key in before.items() if key == (1, "quotes"))
    wire.say([1, 6, line, 1, 99.99, 300, 0], [1, 6, line, 2, 100.01, 300, 0])
    wire.heard()
    wire.client._onSocketDisconnected("")
    wire.requests()
    wire.connect()
    told = wire.events()
    assert ("DATA_STALE", 1) in told and ("DEPTH", 1, 1, 9_999, 0) in told
    for _ in range(2):
        wire.heard(8 * SECOND)
        wire.say([49, 1, 1_700_000_005])
    wire.heard()
    assert {fields[0] for fields in wire.requests()} >= {"1", "10", "97"}
    after = wire.broker.feed.lines
    assert set(after.values()) == set(before.values()) and not set(after) & set(before)


def test_there_is_always_a_time_to_wait_for() -> None:
    """A time that has passed would make the pump spin."""
    wire = Wire(stocks(3), depth=[0], trades=[1])
    for _ in range(300):
        wire.heard(50)
        assert wire.broker._next_ts() > wire.broker.clock.now()
        if not wire.broker.link.is_up:
            wire.connect()
    number = wire.working()
    wire.act(ActionKind.QUERY, 0)
    wire.say(open_order(number, 17))
    wire.heard()
    assert wire.broker.clock.now() < wire.broker._next_ts() < NEVER
