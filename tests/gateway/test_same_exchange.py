"""An order by the wire is filled as the same order on the simulated broker, lot for lot."""

from __future__ import annotations

import numpy as np
import pytest

from mmquant.brokers.sim import sim_broker
from mmquant.config import Config
from mmquant.core.dtypes import ACTION, ActionKind, OrderEvent, TimeInForce
from mmquant.data.synthetic import make_demo_tape
from mmquant.gateway.market import TapeMarket
from mmquant.trading.halves import tape_columns

SECOND = 1_000_000_000
ORDERS = 120


def requests(tape, seed: int) -> list[tuple[int, int, int, int, int, str]]:
    """(time, order, side, tick, lots, tif) of orders around the market, and of their cancels."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(1, 110 * SECOND, ORDERS)) + int(tape["exch_ts"].values[0])
    ticks = tape["tick"].values[tape["kind"].values == 2]
    middle = int(np.median(ticks))
    found = []
    for i, ts in enumerate(times.tolist()):
        side = 1 if rng.random() < 0.5 else -1
        tick = middle - side * int(rng.integers(-3, 4))
        tif = str(rng.choice(["GTC", "IOC", "FOK"], p=[0.8, 0.1, 0.1]))
        found.append((ts, i + 1, side, tick, int(rng.integers(1, 60)), tif))
    return found


def by_broker(tape, orders) -> list[tuple[int, float, int, int]]:
    config = Config.model_validate(
        {"latency": {"entry_ns": 1, "response_ns": 1}, "limits": {"max_open_orders": 1024}}
    )
    broker = sim_broker(config, tape)
    fills = []

    def run(until: int) -> None:
        while (block := broker.next_message(until)) is not None:
            for row in block:
                if row["kind"] == 16 and row["event"] == OrderEvent.EXECUTION:
                    fills.append(
                        (int(row["order_id"]), float(row["price"]), int(row["lots"]),
                         int(row["exch_ts"]))
                    )  # fmt: skip

    for ts, number, side, tick, lots, tif in orders:
        run(ts)
        action = np.zeros(1, ACTION)
        action["kind"], action["order_id"], action["side"] = int(ActionKind.PLACE), number, side
        action["tick"], action["lots"] = tick, lots
        action["tif"] = int(TimeInForce[tif])
        broker.send(action, 1, ts)
    run(int(tape["exch_ts"].values[-1]))
    return sorted(fills)


def by_wire(gateway, client, tape, orders) -> list[tuple[int, float, int]]:
    con_id = gateway.gateway.reference.listings[0].con_id
    contract = (con_id, "DEMO", "STK", "", 0.0, "", "", "SMART", "", "USD", "", "")
    for ts, number, side, tick, lots, tif in orders:
        gateway.advance(ts - gateway.gateway.floor.now)
        price = round(0.01 * tick, 2)
        client.place(
            number, "BUY" if side > 0 else "SELL", lots, limit=price, tif=tif, contract=contract
        )
        client.now()
    gateway.advance(int(tape["exch_ts"].values[-1]) - gateway.gateway.floor.now)
    client.now()
    return sorted((int(f[2]), float(f[20]), int(f[19])) for f in client.seen if f[0] == "11")


@pytest.mark.parametrize("seed", [1, 2])
def test_fills_are_those_of_the_simulated_broker(open_gateway, connect, monkeypatch, seed) -> None:
    import mmquant.gateway.order_checks as checks

    monkeypatch.setattr(checks, "MAX_ACTIVE", 1_000)
    tape = make_demo_tape(seed=seed, minutes=2, rate_scale=3.0)
    orders = requests(tape, seed)
    expected = by_broker(tape, orders)
    market = TapeMarket(tape, tape_columns(tape, Config()))
    gateway = open_gateway(market=market, messages_per_s=0, cash=1e9)
    found = by_wire(gateway, connect(gateway), tape, orders)
    assert len(expected) > 60
    assert found == [fill[:3] for fill in expected]
