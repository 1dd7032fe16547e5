"""Combinations: taken leg by leg when all best prices allow it, else they wait."""

from __future__ import annotations

import pytest

from tests.gateway.market_rows import DEPTH, SECOND, HandMarket
from tests.gateway.test_orders import errors, fills, option, statuses
from tests.gateway.wire_client import STOCK

BAG = (0, "AAPL", "BAG", *STOCK[3:])


@pytest.fixture
def desk(open_gateway, connect):
    gateway = open_gateway(
        market=HandMarket(
            (5, 1, DEPTH, -1, 382, 0), (5, 1, DEPTH, -1, 381, 3), (5, 1, DEPTH, 1, 380, 0)
        )
    )
    client = connect(gateway)
    client.now()
    ids = [one.con_id for one in gateway.gateway.reference.listings]
    return gateway, client, ids


def test_a_spread_is_taken_at_its_limit(desk) -> None:
    gateway, client, ids = desk
    legs = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"))
    client.place(1, quantity=4, limit=5.10, contract=BAG, legs=legs)
    said = client.now()
    assert statuses(said)[-1] == ("Filled", "4", "0")
    assert fills(said) == [("BOT", "4", "5.1"), ("BOT", "4", "7.1"), ("SLD", "4", "2")]
    whole = next(f for f in said if f[0] == "11")
    assert whole[5] == "BAG"
    assert len({f[2] for f in said if f[0] == "11"}) == 1
    assert float(next(f for f in said if f[0] == "3" and f[2] == "Filled")[5]) == pytest.approx(
        5.10
    )
    assert gateway.gateway.accounts.position(1) == 4
    assert gateway.gateway.accounts.position(2) == -4
    assert len([f for f in said if f[0] == "59"]) == 2


def test_a_spread_waits_for_its_price_and_is_filled_in_part(desk) -> None:
    gateway, client, ids = desk
    legs = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"))
    client.place(1, quantity=5, limit=5.05, contract=BAG, legs=legs)
    assert statuses(client.now()) == [("Submitted", "0", "5")]
    gateway.advance(6 * SECOND)
    said = client.now()
    assert statuses(said) == [("Submitted", "3", "2")]
    client.place(1, quantity=4, limit=5.05, contract=BAG, legs=legs)
    assert statuses(client.now()) == [("Submitted", "3", "1")]
    client.send(4, 1, 1, "")
    said = client.now()
    assert statuses(said) == [("Cancelled", "3", "1")]
    assert errors(said) == [202]


def test_selling_a_spread_takes_the_other_sides(desk) -> None:
    _, client, ids = desk
    legs = ((ids[1], 1, "BUY"), (ids[2], 2, "SELL"))
    client.place(1, "SELL", quantity=2, limit=2.90, contract=BAG, legs=legs)
    said = client.now()
    assert fills(said) == [("SLD", "2", "2.9"), ("SLD", "2", "7"), ("BOT", "4", "2.05")]
    assert statuses(said)[-1] == ("Filled", "2", "0")


def test_riskless_combinations_are_refused(desk) -> None:
    _, client, ids = desk
    box = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"), (ids[3], 1, "SELL"), (ids[4], 1, "BUY"))
    client.place(1, quantity=1, limit=10.0, contract=BAG, legs=box)
    assert "Riskless" in client.error(1, 201)[4]
    conversion = ((ids[0], 100, "BUY"), (ids[3], 1, "BUY"), (ids[1], 1, "SELL"))
    client.place(2, quantity=1, limit=9_500.0, contract=BAG, legs=conversion)
    assert "Riskless" in client.error(2, 201)[4]
    client.place(
        3, quantity=1, limit=0.0, contract=BAG, legs=((ids[1], 1, "BUY"), (ids[1], 1, "SELL"))
    )
    assert "Riskless" in client.error(3, 201)[4]


def test_legs_count_as_working_sides(desk) -> None:
    _, client, ids = desk
    legs = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"))
    client.place(1, quantity=1, limit=1.0, contract=BAG, legs=legs)
    client.place(2, quantity=1, limit=1.0, contract=option(2))
    assert "both sides" in client.error(2, 201)[4]
    client.send(4, 1, 1, "")
    client.error(1, 202)
    client.place(3, quantity=1, limit=1.0, contract=option(2))
    assert statuses(client.now(), 3) == [("Submitted", "0", "1")]
    client.place(4, quantity=1, limit=1.0, contract=BAG, legs=legs)
    assert "both sides" in client.error(4, 201)[4]


@pytest.mark.parametrize(
    ("order", "code"),
    [({"limit": 1.005}, 110), ({"kind": "REL", "limit": 1.0}, 387), ({"quantity": 0.5}, 321),
     ({"legs": ((1, 1, "BUY"),)}, 200)],
)  # fmt: skip
def test_combinations_that_are_refused(desk, order, code) -> None:
    _, client, ids = desk
    legs = ((ids[1], 1, "BUY"), (ids[2], 1, "SELL"))
    client.place(1, **{"quantity": 1, "contract": BAG, "legs": legs, "limit": 1.0, **order})
    assert client.error(1)[3] == str(code)


def test_a_combination_is_quoted_from_its_legs(desk) -> None:
    gateway, client, ids = desk
    legs = [2, ids[1], 1, "BUY", "SMART", ids[2], 1, "SELL", "SMART"]
    client.send(1, 11, 5, *BAG, *legs, False, "", False, False, "")
    client.now()
    prices = {f[3]: (f[4], f[5]) for f in client.seen if f[0] == "1"}
    assert prices == {"1": ("4.95", "10"), "2": ("5.1", "10")}
    gateway.advance(6 * SECOND)
    prices = {f[3]: (f[4], f[5]) for f in client.now() if f[0] == "1"}
    assert prices == {"1": ("-1", "0"), "2": ("5.05", "3")}
    client.send(2, 2, 5)
    client.send(2, 2, 5)
    assert errors(client.now()) == [300]
    client.send(1, 11, 6, *BAG, 1, 99, 1, "BUY", "SMART", False, "", False, False, "")
    assert client.error(6, 200)
