"""Orders by the wire: sequences of messages, changes, cancels and fills."""

from __future__ import annotations

from tests.gateway.wire_client import STOCK


def touch(gateway, inst=0):
    bid, bid_lots, ask, ask_lots = gateway.call(lambda: gateway.gateway.floor.touch(inst))
    one = gateway.gateway.reference.listings[inst]
    return one.price(bid), bid_lots, one.price(ask), ask_lots


def statuses(messages, order_id=1):
    return [(f[2], f[3], f[4]) for f in messages if f[0] == "3" and f[1] == str(order_id)]


def test_a_limit_order_works_is_changed_and_cancelled(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    bid, *_ = touch(gateway)
    client.place(1, limit=round(bid - 0.5, 2))
    assert statuses(client.now()) == [("Submitted", "0", "100")]
    client.place(1, quantity=200, limit=round(bid - 0.4, 2))
    said = client.now()
    assert statuses(said) == [("Submitted", "0", "200")]
    opened = next(f for f in said if f[0] == "5")
    assert (opened[14], float(opened[16])) == ("200", round(bid - 0.4, 2))
    client.send(4, 1, 1, "")
    said = client.now()
    assert statuses(said) == [("Cancelled", "0", "200")]
    assert [f[3] for f in said if f[0] == "4"] == ["202"]


def test_a_market_order_is_filled_without_being_submitted(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    _, _, ask, lots = touch(gateway)
    client.place(1, quantity=min(lots, 100), kind="MKT")
    said = client.now()
    assert [s[0] for s in statuses(said)] == ["PreSubmitted", "Filled"]
    fill = next(f for f in said if f[0] == "11")
    assert float(fill[20]) == ask
    assert [f[0] for f in said if f[0] in ("11", "59")] == ["11", "59"]


def test_what_the_level_shows_is_a_partial_fill(open_gateway, connect) -> None:
    gateway = open_gateway()
    client = connect(gateway)
    _, _, ask, lots = touch(gateway)
    client.place(1, quantity=lots + 100, limit=ask)
    said = client.now()
    assert statuses(said)[-1] == ("Submitted", str(lots), "100")
    assert sum(float(f[19]) for f in said if f[0] == "11") == lots


def test_two_sides_of_an_option_are_refused_account_wide(open_gateway, connect) -> None:
    gateway = open_gateway()
    first, second = connect(gateway, client_id=1), connect(gateway, client_id=2)
    one = gateway.gateway.reference.listings[20]
    contract = (one.con_id, *STOCK[1:2], "OPT", *STOCK[3:])
    bid, _, ask, _ = touch(gateway, 20)
    first.place(1, quantity=1, limit=bid, contract=contract)
    assert statuses(first.now()) == [("Submitted", "0", "1")]
    second.place(1, "SELL", quantity=1, limit=ask, contract=contract)
    error = second.error(1)
    assert error[3] == "201" and "both sides of the same US Option contract" in error[4]
