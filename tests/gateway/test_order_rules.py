"""Orders that are refused, and on whose account: Interactive Brokers' conditions."""

from __future__ import annotations

import pytest

from tests.gateway.market_rows import SECOND, STATUS
from tests.gateway.test_orders import errors, option, statuses
from tests.gateway.wire_client import STOCK, order_message


def test_a_refused_change_leaves_the_order_as_it_was(desk) -> None:
    _, client = desk()
    client.place(1, limit=99.5)
    client.now()
    client.place(1, limit=99.505)
    client.place(1, "SELL", limit=101.0)
    client.place(1, limit=150.0)
    said = client.now()
    assert errors(said) == [110, 105, 202]
    assert statuses(said) == []
    client.send(5, 1)
    opened = client.until(5)
    assert (opened[14], opened[16]) == ("100", "99.5")
    assert client.until(3)[2] == "Submitted"


@pytest.mark.parametrize(
    ("order", "code"),
    [({"limit": 99.505}, 110), ({"limit": 120.0}, 202), ({"limit": ""}, 110),
     ({"kind": "WHAT"}, 321), ({"kind": "STP", "aux": 99.0}, 387), ({"tif": "SOON"}, 321),
     ({"quantity": 0, "limit": 99.0}, 321), ({"quantity": 1e9, "limit": 99.0}, 201),
     ({"account": "DU7", "limit": 99.0}, 321), ({"action": "HOLD", "limit": 99.0}, 321),
     ({"contract": (1, *STOCK[1:]), "limit": 99.0}, 200)],
)  # fmt: skip
def test_orders_that_are_refused(desk, order, code) -> None:
    gateway, client = desk()
    client.place(1, **order)
    said = client.now()
    assert errors(said) == [code]
    ended = {201: "Inactive", 202: "Cancelled"}.get(code)
    assert [s[0] for s in statuses(said)] == ([ended] if ended else [])
    assert gateway.gateway.orders.venue.orders == {}


def test_what_is_not_simulated_is_refused(desk) -> None:

    _, client = desk()
    for i, (at, value) in enumerate(((28, 7), (22, "group"), (31, 10), (49, True))):
        fields = order_message(178, i + 1, limit=99.0)
        fields[at] = value
        client.send(*fields)
        assert "does not simulate" in client.error(i + 1, 321)[4]


def test_a_halted_stock_takes_no_orders(desk) -> None:
    gateway, client = desk((5, 0, STATUS, 0, 0, 1))
    client.send(1, 11, 5, *STOCK, False, "", False, False, "")
    client.now()
    gateway.advance(6 * SECOND)
    assert [f[3:] for f in client.now() if f[0] == "45"] == [["49", "1"]]
    client.place(1, limit=99.0)
    assert client.error(1, 154)


def test_two_sides_of_an_option_are_refused_account_wide(desk, connect) -> None:
    gateway, first = desk()
    second = connect(gateway, client_id=2)
    first.place(1, quantity=1, limit=2.0, contract=option(2))
    assert statuses(first.now()) == [("Submitted", "0", "1")]
    second.place(1, "SELL", quantity=1, limit=2.05, contract=option(2))
    error = second.error(1, 201)
    assert "both sides of the same US Option contract" in error[4]
    first.send(4, 1, 1, "")
    first.error(1, 202)
    second.place(2, "SELL", quantity=1, limit=2.05, contract=option(2))
    assert statuses(second.now(), 2) == [("Submitted", "0", "1")]
    first.place(2, quantity=100, limit=99.0)
    first.place(3, "SELL", quantity=100, limit=101.0)
    assert [s[0] for i in (2, 3) for s in statuses(first.now(), i)][:1] == ["Submitted"]


def test_twenty_orders_work_on_a_side(desk) -> None:
    _, client = desk()
    for i in range(1, 22):
        client.place(i, quantity=1, limit=99.0)
    said = client.now()
    assert errors(said) == [201]
    assert statuses(said, 21) == [("Inactive", "0", "1")]


@pytest.mark.parametrize(
    ("kind", "aux", "price", "status"),
    [("SNAP MKT", "", 100.01, "Filled"), ("SNAP MKT", 0.02, 99.99, "Submitted"),
     ("SNAP PRIM", "", 100.00, "Submitted"), ("SNAP MID", "", 100.00, "Submitted"),
     ("MIDPRICE", "", None, "Submitted")],
)  # fmt: skip
def test_prices_that_the_exchange_takes_from_its_book(desk, kind, aux, price, status) -> None:
    gateway, client = desk()
    client.place(1, quantity=100, kind=kind, aux=aux)
    assert statuses(client.now())[-1][0] == status
    order = gateway.gateway.orders.orders[1, 1]
    if price is not None:
        assert gateway.gateway.reference.listings[0].price(order.tick) == price
