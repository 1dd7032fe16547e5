"""Orders by the wire: sequences of messages, changes, cancels, fills, refusals."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ib_async.decoder import Decoder

from mmquant.gateway.order_life import Quirk
from tests.gateway.market_rows import DEPTH, SECOND, TRADE, HandMarket
from tests.gateway.wire_client import STOCK


def statuses(messages, order_id=1):
    return [(f[2], f[3], f[4]) for f in messages if f[0] == "3" and f[1] == str(order_id)]


def kinds(messages, *wanted):
    return [f[0] for f in messages if f[0] in wanted]


def fills(messages):
    return [(f[18], f[19], f[20]) for f in messages if f[0] == "11"]


def errors(messages):
    return [int(f[3]) for f in messages if f[0] == "4" and f[2] != "-1"]


def option(inst):
    from tests.gateway.market_rows import CONTRACTS

    one = CONTRACTS[inst]
    return (0, "AAPL", "OPT", "20261218", one.strike, one.right, "100", "SMART", "", "USD", "", "")


def test_a_limit_order_works_is_changed_and_cancelled(desk) -> None:
    _, client = desk()
    client.place(1, limit=99.5, ref="mm:1")
    said = client.now()
    assert statuses(said) == [("Submitted", "0", "100")]
    opened = next(f for f in said if f[0] == "5")
    assert (opened[23], opened[24], int(opened[25]) > 0) == ("mm:1", "1", True)
    client.place(1, quantity=200, limit=99.6, ref="mm:1")
    said = client.now()
    assert statuses(said) == [("Submitted", "0", "200")]
    opened = next(f for f in said if f[0] == "5")
    assert (opened[14], opened[16]) == ("200", "99.6")
    client.send(4, 1, 1, "")
    said = client.now()
    assert statuses(said) == [("Cancelled", "0", "200")]
    assert errors(said) == [202]
    client.send(4, 1, 1, "")
    assert "state: Cancelled" in client.error(1, 10148)[4]
    client.place(1, limit=99.5)
    assert client.error(1, 103)


def test_a_market_order_is_filled_without_being_submitted(desk) -> None:
    gateway, client = desk()
    client.place(1, quantity=350, kind="MKT")
    said = client.now()
    assert fills(said) == [("BOT", "300", "100.01"), ("BOT", "50", "100.02")]
    assert statuses(said) == [
        ("PreSubmitted", "0", "350"), ("Submitted", "300", "50"), ("Filled", "350", "0"),
    ]  # fmt: skip
    assert kinds(said, "11", "59") == ["11", "59", "11", "59"]
    assert gateway.gateway.accounts.position(0) == 350
    client.place(1, quantity=400, kind="MKT")
    assert client.error(1, 104)


def test_what_is_shown_is_filled_and_the_rest_works(desk) -> None:
    gateway, client = desk((5, 0, TRADE, -1, 10_001, 900), (5, 0, DEPTH, 1, 10_001, 0))
    client.place(1, quantity=1_000, limit=100.01)
    assert statuses(client.now())[-1] == ("Submitted", "300", "700")
    gateway.advance(6 * SECOND)
    said = client.now()
    assert statuses(said) == [("Filled", "1000", "0")]
    assert fills(said) == [("BOT", "700", "100.01")]
    assert next(f for f in said if f[0] == "11")[30] == "1"


def test_immediate_or_cancel_and_fill_or_kill(desk) -> None:
    _, client = desk()
    client.place(1, quantity=400, limit=100.01, tif="IOC")
    said = client.now()
    assert statuses(said) == [
        ("PreSubmitted", "0", "400"), ("Submitted", "300", "100"), ("Cancelled", "300", "100"),
    ]  # fmt: skip
    assert errors(said) == [202]
    client.place(2, quantity=4_000, limit=100.02, tif="FOK")
    said = client.now()
    assert fills(said) == []
    assert statuses(said, 2) == [("Inactive", "0", "4000")]


def test_an_order_until_a_time_ends_then(desk) -> None:
    gateway, client = desk()
    client.place(1, limit=99.5, tif="GTD", good_till="20260921-14:13:25")
    client.place(2, limit=99.5, tif="GTD", good_till="tomorrow")
    said = client.now()
    assert statuses(said) == [("Submitted", "0", "100")]
    assert errors(said) == [391]
    gateway.advance(4 * SECOND)
    assert statuses(client.now()) == []
    gateway.advance(2 * SECOND)
    assert statuses(client.now()) == [("Cancelled", "0", "100")]


def test_what_is_not_transmitted_is_silent_until_it_is(desk) -> None:
    _, client = desk()
    client.place(1, limit=99.5, transmit=False)
    assert client.now() == []
    client.place(1, limit=99.6)
    assert statuses(client.now()) == [("Submitted", "0", "100")]
    client.place(2, limit=99.5, transmit=False)
    client.send(4, 1, 2, "")
    said = client.now()
    assert statuses(said, 2) == [("ApiCancelled", "0", "100")]
    assert errors(said) == [202]


def test_a_global_cancel_ends_the_orders_of_all(desk, connect) -> None:
    gateway, first = desk()
    second = connect(gateway, client_id=2)
    first.place(1, limit=99.0)
    second.place(1, limit=98.0)
    first.now(), second.now()
    second.send(58, 1)
    second.until(3, lambda f: f[2] == "Cancelled")
    assert statuses(first.now()) == [("Cancelled", "0", "100")]
    assert gateway.gateway.orders.venue.orders == {}


def test_orders_belong_to_the_client_that_sent_them(desk, connect) -> None:
    gateway, first = desk(master_client=9)
    second, master = connect(gateway, client_id=2), connect(gateway, client_id=9)
    first.place(1, limit=99.0)
    first.now()
    assert statuses(second.now()) == []
    assert statuses(master.now()) == [("Submitted", "0", "100")]
    second.send(4, 1, 1, "")
    assert second.error(1, 10147)
    second.send(5, 1)
    assert second.until(53) and kinds(second.seen, "5") == []
    second.send(16, 1)
    assert second.until(5)[24] == "1"
    first.send(4, 1, 77, "")
    assert first.error(77, 10147)


def test_orders_outlive_their_client(desk, connect) -> None:
    gateway, client = desk((5, 0, TRADE, -1, 9_950, 900))
    client.place(4, limit=99.5)
    perm_id = next(f for f in client.now() if f[0] == "3")[6]
    client.place(3, limit=98.5)
    client.now()
    client.socket.close()
    again = connect(gateway, client_id=1)
    assert again.next_id == 5
    again.send(5, 1)
    assert sorted(f[1] for f in (again.until(3), again.until(3))) == ["3", "4"]
    again.until(53)
    gateway.advance(6 * SECOND)
    said = again.now()
    assert [f[6] for f in said if f[0] == "3" and f[2] == "Filled"] == [perm_id]
    again.send(7, 3, 8, 0, "", "", "", "", "", "")
    assert again.until(11)[2] == "4"
    assert again.until(59)
    again.until(55)
    again.send(99, False)
    assert again.until(101)[2] == "AAPL"
    again.send(61, 1)
    assert again.until(61)[14:] == ["100", "99.5"]


def test_a_peg_follows_the_book(desk) -> None:
    gateway, client = desk(
        (5, 0, DEPTH, 1, 10_000, 0), (5, 0, DEPTH, 1, 9_999, 0), (5, 0, DEPTH, 1, 9_990, 100),
        (9, 0, TRADE, -1, 9_985, 2_000),
    )  # fmt: skip
    client.place(1, kind="REL", aux=0.0, limit=101.0)
    client.place(
        2, "BUY", kind="PEG MID", limit=101.0, contract=(*STOCK[:7], "IBKRATS", *STOCK[8:])
    )
    said = client.now()
    assert [statuses(said, i)[-1][0] for i in (1, 2)] == ["Submitted", "Submitted"]
    gateway.advance(6 * SECOND)
    gateway.advance(4 * SECOND)
    found = {f[2]: float(f[20]) for f in client.now() if f[0] == "11"}
    assert found == {"1": 99.9, "2": pytest.approx(99.955)}


def test_what_an_order_would_do(desk) -> None:
    gateway, client = desk()
    client.place(1, quantity=100, limit=99.0, what_if=True)
    opened = client.until(5)
    at = opened.index("PreSubmitted")
    assert float(opened[at + 4]) == pytest.approx(0.5 * 100 * 100.005)
    assert gateway.gateway.orders.orders == {}


def test_quirks_change_the_order_of_messages_only(open_gateway, connect) -> None:
    """Each sequence that quirks draw ends with the same fills, statuses and position."""
    seen = set()
    for seed in range(12):
        gateway = open_gateway(market=HandMarket(), quirks=seed)
        client = connect(gateway)
        client.now()
        client.place(1, quantity=100, kind="MKT")
        client.now()
        gateway.advance(2 * SECOND)
        client.now()
        said = client.seen
        assert fills(said) == [("BOT", "100", "100.01")]
        assert statuses(said)[-1] == ("Filled", "100", "0")
        assert kinds(said, "59") == ["59"]
        assert gateway.gateway.accounts.position(0) == 100
        first = "fill" if Quirk.draw(seed, 1).status_first is False else "status"
        order = [f[0] for f in said if f[0] == "11" or (f[0] == "3" and f[2] == "Filled")]
        assert order[0] == ("11" if first == "fill" else "3")
        seen.add(first)
    assert seen == {"fill", "status"}


@pytest.mark.parametrize("version", [157, 159, 160, 162, 163, 164, 166, 169, 170, 176, 177, 178])
def test_orders_of_each_version(open_gateway, connect, version) -> None:
    gateway = open_gateway(market=HandMarket())
    client = connect(gateway, versions=f"v100..{version}")
    client.place(1, limit=99.0)
    client.place(2, kind="PEG BEST", limit=99.0, compete=("", "Infinite"))
    said = client.now()
    assert [statuses(said, i)[-1][0] for i in (1, 2)] == ["Submitted", "Submitted"]
    told: list[tuple] = []
    decoder = Decoder(SimpleNamespace(openOrder=lambda *a: told.append(a)), version)
    opened = next(f for f in said if f[0] == "5" and f[1] == "2")
    decoder.openOrder(list(opened))
    with pytest.raises((ValueError, IndexError)):
        decoder.openOrder(opened[:-1])
    order_id, contract, order, state = told[0]
    assert (order_id, contract.conId, state.status) == (2, 265598, "Submitted")
    assert (order.orderType, order.lmtPrice, order.totalQuantity) == ("PEG BEST", 99.0, 100)
    assert gateway.gateway.internal_errors == 0


def test_a_client_that_comes_back_is_told_of_its_orders_first(open_gateway, connect) -> None:
    gateway = open_gateway(market=HandMarket(), quirks=1)
    client = connect(gateway)
    client.place(1, limit=99.0)
    client.now()
    client.socket.close()
    again = connect(gateway)
    first = [f[0] for f in again.seen if f[0] in ("5", "3", "53", "15", "9")]
    assert first == ["5", "3", "53", "15", "9"]
