"""What an order would do: it is said, and nothing is placed or changed."""

from __future__ import annotations

import pytest

from tests.gateway.market_rows import HandMarket
from tests.gateway.test_orders import errors, kinds, option, statuses
from tests.gateway.wire_client import STOCK

BAG = (0, "AAPL", "BAG", *STOCK[3:])


def margin_more(said) -> float:
    """Change of the initial margin in the only openOrder."""
    (opened,) = [f for f in said if f[0] == "5"]
    return float(opened[opened.index("PreSubmitted") + 4])


def test_a_combination_is_not_placed(desk) -> None:
    gateway, client = desk()
    ids = [one.con_id for one in gateway.gateway.reference.listings]
    legs = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"))
    client.place(1, quantity=2, limit=6.0, contract=BAG, legs=legs, what_if=True)
    said = client.now()
    short = 0.2 * 100.005 * 100 + 2.025 * 100
    assert margin_more(said) == pytest.approx(2 * (7.05 * 100 + short))
    assert kinds(said, "3", "11") == []
    assert gateway.gateway.orders.orders == {}
    assert gateway.gateway.accounts.holdings == {}


def test_an_order_with_the_same_id_stays_as_it_was(desk) -> None:
    _, client = desk()
    client.place(1, limit=99.0)
    client.now()
    client.place(1, quantity=900, limit=98.0, what_if=True)
    assert margin_more(client.now()) == pytest.approx(0.5 * 900 * 100.005)
    client.send(5, 1)
    opened = client.until(5)
    assert (opened[14], opened[16]) == ("100", "99")


def test_commission_is_that_of_the_order_filled(desk) -> None:
    _, client = desk()
    client.place(1, quantity=100, kind="MKT", what_if=True)
    said = client.now()
    expected = float(said[0][said[0].index("PreSubmitted") + 10])
    client.place(2, quantity=100, kind="MKT")
    assert expected == pytest.approx(float(client.until(59)[3]), rel=0.01)


@pytest.mark.parametrize(
    ("order", "code"),
    [({"quantity": 1e6, "limit": 99.0}, 201), ({"limit": 99.005}, 110),
     ({"contract": option(2), "limit": 200.0}, 202), ({"contract": (9, *STOCK[1:])}, 200)],
)  # fmt: skip
def test_a_refusal_is_told_once_and_has_no_status(desk, order, code) -> None:
    _, client = desk()
    client.place(1, what_if=True, **order)
    said = client.now()
    assert errors(said) == [code]
    assert statuses(said) == []
    client.place(1, limit=99.0)
    assert statuses(client.now()) == [("Submitted", "0", "100")]


def test_a_refused_combination(open_gateway, connect) -> None:
    client = connect(open_gateway(market=HandMarket()))
    client.place(1, quantity=1, limit=6.0, contract=BAG, what_if=True)
    assert errors(client.now()) == [200]
