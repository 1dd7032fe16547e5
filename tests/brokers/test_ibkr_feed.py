"""Market data: what a packet says is told together, and nothing that is not live."""

from __future__ import annotations

import math

import pytest

from mmquant.brokers.ibkr_depth import PATIENCE_NS
from mmquant.core.dtypes import MsgKind
from tests.brokers.wire import MS, Wire, error, execution, stocks

BID, ASK, LAST = 1, 2, 4


def wired(depth: bool = False, **given) -> tuple[Wire, int]:
    """A wire, and the number of its first line (or book)."""
    wire = Wire(depth=[0] if depth else [], **given)
    lines = {key: number for number, key in wire.broker.feed.lines.items()}
    return wire, lines[0, "depth" if depth else "quotes"]


def tick_price(line: int, kind: int, price: float, size: float) -> list:
    return [1, 6, line, kind, price, size, 0]


def tick_size(line: int, kind: int, size: float) -> list:
    return [2, 6, line, kind, size]


def row(line: int, at: int, what: int, side: int, price: float, size: float) -> list:
    return [12, 1, line, at, what, side, price, size]


def smart_row(line: int, at: int, maker: str, what: int, side: int, price: float, n: float) -> list:
    return [13, 1, line, at, maker, what, side, price, n, 1]


def test_nothing_is_known_until_data_come() -> None:
    wire, line = wired()
    assert wire.first == [("DATA_STALE", 0), ("UP", -1)]
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    assert wire.events() == [
        ("DEPTH", 0, 1, 9_999, 300), ("DEPTH", 0, -1, 10_001, 200), ("DATA_FRESH", 0),
    ]  # fmt: skip
    assert wire.broker.feed.mid(0) == 100.0


def test_best_prices_move_change_size_and_go() -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    wire.say(tick_price(line, BID, 100.0, 100), tick_size(line, 0, 100), tick_size(line, 3, 50))
    assert wire.events() == [
        ("DEPTH", 0, 1, 9_999, 0), ("DEPTH", 0, 1, 10_000, 100), ("DEPTH", 0, -1, 10_001, 50),
    ]  # fmt: skip
    wire.say(tick_price(line, ASK, -1, 0))
    assert wire.events() == [("DEPTH", 0, -1, 10_001, 0)]
    assert math.isnan(wire.broker.feed.mid(0))


def test_quotes_that_cross_as_they_come_one_by_one_are_not_told() -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    wire.say(tick_price(line, BID, 100.05, 1))
    assert wire.events() == []
    wire.say(tick_price(line, ASK, 100.06, 2))
    assert wire.events()[:2] == [("DEPTH", 0, 1, 9_999, 0), ("DEPTH", 0, -1, 10_001, 0)]


def test_a_smart_book_adds_up_what_stands_at_one_price() -> None:
    wire, line = wired(depth=True)
    wire.say(
        smart_row(line, 0, "ISLAND", 0, 1, 99.99, 100), smart_row(line, 1, "ARCA", 0, 1, 99.99, 50),
        smart_row(line, 0, "ISLAND", 0, 0, 100.01, 70),
    )  # fmt: skip
    assert wire.events()[:2] == [("DEPTH", 0, 1, 9_999, 150), ("DEPTH", 0, -1, 10_001, 70)]
    wire.say(smart_row(line, 1, "ARCA", 2, 1, 0, 0))
    assert wire.events() == [("DEPTH", 0, 1, 9_999, 100)]


def test_a_book_that_makes_no_sense_is_asked_for_again() -> None:
    wire, line = wired(depth=True)
    wire.say(row(line, 0, 0, 1, 99.99, 100), row(line, 0, 0, 0, 100.01, 70))
    wire.heard()
    wire.requests()
    wire.say(row(line, 0, 1, 0, 99.98, 70))
    assert wire.events() == []
    told = wire.events(PATIENCE_NS / MS + 1)
    assert told[0] == ("DATA_STALE", 0)
    assert {e[4] for e in told[1:]} == {0}, "no level is left"
    wire.heard(1_000)
    assert [fields[0] for fields in wire.requests()] == ["11", "10"]
    (number,) = (n for n, key in wire.broker.feed.lines.items() if key == (0, "depth"))
    assert number != line
    wire.say(row(line, 0, 0, 1, 50.0, 1))
    wire.say(row(number, 0, 0, 1, 99.99, 100), row(number, 0, 0, 0, 100.01, 70))
    assert wire.events()[-1] == ("DATA_FRESH", 0)


def test_a_stream_of_which_nothing_comes_is_asked_for_again_with_growing_pauses() -> None:
    wire, _ = wired(depth=True)
    asked = []
    for second in range(40):
        wire.requests()
        wire.heard(1_000)
        wire.say([49, 1, 1_700_000_000 + second])
        asked += [second + 1] * len(wire.requests(10))
    assert asked == pytest.approx([4, 4 + 6, 4 + 6 + 12], abs=2)
    (line,) = (n for n, key in wire.broker.feed.lines.items() if key == (0, "depth"))
    wire.say(row(line, 0, 0, 1, 99.99, 100), row(line, 0, 0, 0, 100.01, 70))
    for second in range(40, 60):
        wire.heard(1_000)
        wire.say([49, 1, 1_700_000_000 + second])
    assert not wire.requests(10)


def test_a_reset_book_is_empty_and_stale_until_it_comes_again() -> None:
    wire, line = wired(depth=True)
    wire.say(row(line, 0, 0, 1, 99.99, 100), row(line, 0, 0, 0, 100.01, 70))
    wire.heard()
    wire.say(error(line, 317, "Market depth data has been RESET."))
    assert wire.events() == [
        ("DATA_STALE", 0), ("DEPTH", 0, 1, 9_999, 0), ("DEPTH", 0, -1, 10_001, 0),
    ]  # fmt: skip
    wire.say(row(line, 0, 0, 1, 99.98, 100))
    assert wire.events() == [("DEPTH", 0, 1, 9_998, 100), ("DATA_FRESH", 0)]


@pytest.mark.parametrize("how", ["type 3", "type 2", "delayed tick", "354", "354 all"])
def test_what_is_not_live_is_never_quoted_on(how: str) -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    if how.startswith("type"):
        wire.say([58, 1, line, int(how[-1])])
    elif how == "delayed tick":
        wire.say(tick_price(line, 66, 99.98, 300))
    else:
        number = -1 if how.endswith("all") else line
        wire.say(error(number, int(how.split()[0]), "no live data"))
    assert wire.events() == [("DATA_STALE", 0)]
    wire.say(tick_price(line, BID, 99.97, 300))
    assert "DATA_FRESH" not in [e[0] for e in wire.events()]
    wire.say([58, 1, line, 1])
    assert wire.events() == [("DATA_FRESH", 0)]


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_competing_session_stales_until_live_data_come_again(everywhere: bool) -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    wire.say(error(-1 if everywhere else line, 10197, "No market data during competing session"))
    assert wire.events() == [("DATA_STALE", 0)]
    wire.say(tick_price(line, 66, 99.98, 300))
    wire.say([58, 1, line, 1])
    assert "DATA_FRESH" not in [e[0] for e in wire.events()]
    wire.say(tick_price(line, BID, 99.97, 300))
    assert wire.events()[-1] == ("DATA_FRESH", 0)


def test_a_broken_farm_stales_until_it_is_back_and_data_come() -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    wire.say(error(-1, 2103, "Market data farm connection is broken:usfarm"))
    wire.say(error(-1, 2103, "Market data farm connection is broken:usopt"))
    assert wire.events() == [("DATA_STALE", 0)]
    wire.say(error(-1, 2104, "Market data farm connection is OK:usfarm"))
    wire.say(tick_price(line, BID, 99.98, 300))
    assert "DATA_FRESH" not in [e[0] for e in wire.events()]
    wire.say(error(-1, 2104, "Market data farm connection is OK:usopt"))
    assert wire.events() == []
    wire.say(tick_price(line, BID, 99.97, 300))
    assert wire.events()[-1] == ("DATA_FRESH", 0)


def test_trades_have_the_side_of_who_came() -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    for price in (100.01, 99.99, 100.0, 100.005):
        wire.say(tick_price(line, LAST, price, 5))
    assert [e[2:4] for e in wire.events()] == [(1, 10_001), (-1, 9_999), (0, 10_000), (0, 10_000)]


def test_trades_one_by_one_take_the_place_of_the_lines_last_price() -> None:
    wire = Wire(trades=[0])
    lines = {key: number for number, key in wire.broker.feed.lines.items()}
    wire.say(tick_price(lines[0, "quotes"], LAST, 100.0, 5))
    wire.say([99, lines[0, "trades"], 2, 1_700_000_000, 100.0, 7, 0, "ISLAND", ""])
    (told,) = wire.heard()
    assert (told["kind"], told["lots"]) == (MsgKind.TRADE, 7)
    assert told["exch_ts"] == 1_700_000_000_000_000_000


def test_halts() -> None:
    wire, line = wired()
    for value in (-1, 0, 1, 2, 0):
        wire.say([45, 6, line, 49, value])
    assert [(e[0], e[4]) for e in wire.events()] == [("STATUS", 1), ("STATUS", 0)]


@pytest.mark.parametrize("price", ["nan", "inf", "1.7976931348623157E308", "-5", "0"])
def test_a_price_that_is_none_takes_the_side_away(price: str) -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    wire.heard()
    wire.say(tick_price(line, BID, price, 300))
    assert wire.events() == [("DEPTH", 0, 1, 9_999, 0)]


def test_an_unknown_kind_of_tick_does_no_harm() -> None:
    wire, line = wired()
    wire.say(tick_price(line, 4711, 1.0, 1), tick_size(line, 4711, 1), [45, 6, line, 4711, 1])
    assert wire.events() == []


def test_executions_carry_the_mid_of_their_time() -> None:
    wire, line = wired()
    wire.say(tick_price(line, BID, 99.99, 300), tick_price(line, ASK, 100.01, 200))
    n = wire.working()
    wire.say(execution(n, 17))
    assert float(wire.heard()[0]["mid"]) == 100.0


def test_one_line_too_many_is_given_up() -> None:
    wire = Wire(stocks(3))
    wire.requests()
    (line,) = (n for n, key in wire.broker.feed.lines.items() if key == (1, "quotes"))
    wire.say(error(line, 101, "Max number of tickers has been reached"))
    wire.heard(10)
    assert (1, "quotes") not in wire.broker.feed.lines.values()
    assert wire.broker.streams.planner.budget.lines == 2
