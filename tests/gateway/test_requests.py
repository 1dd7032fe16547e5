"""Each request that Interactive Brokers knows is answered, also where it is refused."""

from __future__ import annotations

import datetime

import pytest

from mmquant.gateway.market import SyntheticMarket
from tests.gateway.conftest import START_NS
from tests.gateway.market_rows import SECOND, HandMarket
from tests.gateway.test_orders import errors, option
from tests.gateway.wire_client import STOCK

C = STOCK
ANSWERED = [
    ((22, 7, 10, "STK", "STK.US", "TOP"), ("4", "162")),
    ((52, 2, 7, *C[:8], "", "", "", "ReportSnapshot", 0), ("4", "430")),
    ((84, 7, "BRFG", "x", ""), ("4", "10172")),
    ((86, 7, 265598, "BRFG", "", "", 5, ""), ("4", "10276")),
    ((88, 7, *C, False, True, "1 day"), ("4", "162")),
    ((100, 7), ("4", "10276")),
    ((102, 7, 265598), ("4", "10276")),
    ((21, 2, 7, *C, 1, 1, "", 0), ("4", "321")),
    ((68, 1, 7, 1), ("4", "321")),
    ((67, 1, 7), ("67", "")),
    ((74, 1, 7, "DU1234567", ""), ("72", "7")),
]


@pytest.mark.parametrize(("request_", "answer"), ANSWERED, ids=lambda x: str(x[0]))
def test_a_request_is_answered_by_its_id(desk, request_, answer) -> None:
    _, client = desk()
    client.send(*request_)
    (said,) = client.now()
    kind, what = answer
    assert said[0] == kind
    assert said[2] == "7"
    assert said[3 if kind in ("4", "67") else 2] == what


def test_requests_without_an_id_and_cancels(desk) -> None:
    gateway, client = desk()
    client.send(24, 1)
    client.send(18, 1, 1)
    assert [f[0] for f in client.now()] == ["19", "4"]
    for kind in (23, 53, 70):
        client.send(kind, 1, 7)
    for kind in (89, 101, 103):
        client.send(kind, 7)
    assert client.now() == []
    assert gateway.gateway.internal_errors == 0


def bars(client, req_id=1, size="1 min", duration="600 S", what="TRADES", end="", keep=False):
    client.send(20, req_id, *C, False, end, size, duration, False, what, 2, keep, "")
    return client.now()


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"size": "7 mins"}, 321), ({"duration": "1 X"}, 321), ({"duration": "0 D"}, 321),
     ({"what": "NOTHING"}, 321), ({"end": "yesterday"}, 10314), ({"what": "FEE_RATE"}, 162),
     ({"end": "19900101 00:00:00"}, 162), ({"end": "20260901 16:00:00", "keep": True}, 321),
     ({"end": "20260901 16:00:00", "what": "ADJUSTED_LAST"}, 321),
     ({"duration": "2 Y"}, 162)],
)  # fmt: skip
def test_bars_that_there_are_not(desk, asked, code) -> None:
    _, client = desk()
    assert errors(bars(client, **asked)) == [code]


@pytest.mark.parametrize(
    ("size", "duration", "count"),
    [("1 hour", "1 Y", 8_760), ("1 min", "1 W", 10_080), ("1W", "1 Y", 53), ("1 week", "1 Y", 53),
     ("1M", "1 Y", 13), ("1 month", "1 Y", 13)],
)  # fmt: skip
def test_long_histories(open_gateway, connect, size, duration, count) -> None:
    client = connect(open_gateway(market=SyntheticMarket(7, START_NS)))
    bars(client, size=size, duration=duration)
    (said,) = [f for f in client.seen if f[0] == "17"]
    assert int(said[4]) == count


def test_adjusted_bars_are_those_of_trades(desk) -> None:
    _, client = desk()
    plain, adjusted = bars(client), bars(client, what="ADJUSTED_LAST")
    assert plain == adjusted


def test_a_schedule_has_a_session_a_day(desk) -> None:
    _, client = desk()
    (said,) = bars(client, size="1 day", duration="3 D", what="SCHEDULE")
    days = [f"202609{day}" for day in (19, 20, 21)]
    rows = [x for day in days for x in (f"{day}-00:00:00", f"{day}-23:59:59", day)]
    assert said == ["106", "1", rows[0], rows[-2], "US/Eastern", "3", *rows]


def test_an_id_is_taken_by_one_stream_of_bars(desk) -> None:
    gateway, client = desk()
    bars(client, keep=True)
    assert errors(bars(client, keep=True)) == [322]
    client.send(50, 3, 1, *C, 5, "TRADES", False, "")
    assert errors(client.now()) == [322]
    client.send(25, 1, 1)
    client.send(50, 3, 1, *C, 5, "MIDPOINT", False, "")
    assert errors(client.now()) == []
    gateway.advance(6 * SECOND)
    assert client.until(50)[2] == "1"


@pytest.mark.parametrize(("start", "end"), [("", ""), ("soon", ""), ("", "soon")])
def test_ticks_need_a_time(desk, start, end) -> None:
    _, client = desk()
    client.send(96, 7, *C, False, start, end, 5, "TRADES", False, False, "")
    assert errors(client.now()) == [10187]


def test_executions_since_a_time(desk) -> None:
    """In UTC, in New York's time, and with a zone."""
    _, client = desk()
    client.place(1, kind="MKT")
    client.until(59)
    at = datetime.datetime.fromtimestamp(START_NS // SECOND, datetime.UTC)
    for minutes, found in ((-1, 1), (1, 0)):
        utc = at + datetime.timedelta(minutes=minutes)
        shown = utc.strftime("%Y%m%d-%H:%M:%S")
        east = (utc - datetime.timedelta(hours=4)).strftime("%Y%m%d %H:%M:%S")
        for since in (shown, east, f"{east} US/Eastern"):
            client.send(7, 3, 8, 0, "", since, "", "", "", "")
            assert len([f for f in client.now() if f[0] == "11"]) == found
    client.send(7, 3, 8, 0, "", "soon", "", "", "", "")
    assert [f[0] for f in client.now()] == ["4", "55"]


def test_completed_orders_say_when_they_were(desk) -> None:
    gateway, client = desk()
    client.place(1, kind="MKT")
    client.place(2, limit=99.0)
    client.send(4, 1, 2, "")
    client.now()
    gateway.advance(3_600 * SECOND)
    client.send(99, False)
    said = [f for f in client.now() if f[0] == "101"]
    assert len(said) == 2
    assert all("20260921 10:13:20 US/Eastern" in f for f in said)


def market_data(client, generic="", snapshot=False, regulatory=False, contract=C):
    client.send(1, 11, 7, *contract, False, generic, snapshot, regulatory, "")
    return client.now()


def test_generic_ticks_and_snapshots(desk) -> None:
    gateway, client = desk()
    assert errors(market_data(client, "9999")) == [321]
    assert errors(market_data(client, "233,what")) == [321]
    assert errors(market_data(client, "233", snapshot=True)) == [321]
    assert market_data(client, regulatory=True)[-1][0] == "57"
    assert errors(market_data(client, "233,mdoff,292:BRFG")) == []
    gateway.advance(SECOND)
    assert errors(market_data(client)) == [322]


@pytest.mark.parametrize(("primary", "found"), [("", 1), ("NASDAQ", 1), ("ISLAND", 1), ("NYSE", 0)])
def test_the_primary_exchange_is_one_of_the_contract(desk, primary, found) -> None:
    _, client = desk()
    client.send(9, 8, 7, *C[:8], primary, *C[9:], False, "", "", "")
    said = client.now()
    assert len([f for f in said if f[0] == "10"]) == found
    assert errors(said) == ([] if found else [200])


@pytest.mark.parametrize(
    ("order", "code"),
    [({"quantity": 1.5, "limit": 99.0}, 10243),
     ({"contract": (*C[:7], "", *C[8:]), "limit": 99.0}, 321)],
)  # fmt: skip
def test_orders_that_lack_something(desk, order, code) -> None:
    _, client = desk()
    client.place(1, **order)
    assert errors(client.now()) == [code]


def test_unknown_accounts_are_refused(desk) -> None:
    _, client = desk()
    for request in ((76, 1, 7, "DU9", "", True), (92, 7, "DU9", ""), (74, 1, 7, "DU9", ""),
                    (94, 7, "DU9", "", 265598)):  # fmt: skip
        client.send(*request)
        assert errors(client.now()) == [321]
    client.send(6, 2, True, "DU9")
    (said,) = client.now()
    assert said[:4] == ["4", "2", "-1", "321"]


def test_two_summaries_at_a_time(desk) -> None:
    _, client = desk()
    for req_id in (1, 2, 3):
        client.send(62, 1, req_id, "All", "NetLiquidation,AccountType")
    said = client.now()
    told = [(f[2], f[4]) for f in said if f[0] == "63"]
    assert told == [(i, tag) for i in "12" for tag in ("AccountType", "NetLiquidation")]
    assert errors(said) == [322]
    client.send(63, 1, 1)
    client.send(62, 1, 3, "All", "$LEDGER:ALL")
    told = {f[4] for f in client.now() if f[0] == "63"}
    assert {"CashBalance", "StockMarketValue", "OptionMarketValue"} <= told
    assert "Cushion" not in told


def test_what_an_account_has_is_told_again_after_a_fill(open_gateway, connect) -> None:
    gateway = open_gateway(market=HandMarket())
    client = connect(gateway)
    client.send(62, 1, 1, "All", "Leverage,StockMarketValue,OptionMarketValue")
    client.send(74, 1, 2, "DU1234567", "")
    client.send(76, 1, 3, "DU1234567", "", True)
    client.now()
    client.place(1, quantity=100, kind="MKT")
    client.place(2, quantity=1, kind="MKT", contract=option(2))
    said = client.now()
    told = [(f[6], float(f[-3]), float(f[-2])) for f in said if f[0] == "71"]
    assert told == [("STK", 100, 100.01), ("OPT", 1, pytest.approx(205))]
    gateway.advance(SECOND)
    (cash,) = [f[6] for f in client.now() if f[0] == "73" and f[5] == "CashBalance"]
    assert float(cash) == pytest.approx(gateway.gateway.accounts.cash, abs=0.006)
    gateway.advance(180 * SECOND)
    told = {f[4]: float(f[5]) for f in client.now() if f[0] == "63"}
    assert told == {"Leverage": 0.01, "StockMarketValue": 10_000.5, "OptionMarketValue": 202.5}


def test_behind_a_tape_time_goes_by_the_wall(open_gateway, connect) -> None:
    gateway = open_gateway(market=HandMarket((5, 0, 1, 1, 9_990, 10)), speed="max")
    client = connect(gateway)
    client.send(92, 7, "DU1234567", "")
    while not gateway.gateway.floor.ended:
        client.now()
    passed = gateway.call(lambda: gateway.gateway.now() - gateway.gateway.floor.now)
    assert 0 <= passed < 60 * SECOND
    client.send(93, 7)
    client.send(49, 1)
    assert int(client.until(49)[2]) - START_NS // SECOND < 60
