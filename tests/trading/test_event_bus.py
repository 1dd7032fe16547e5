"""The bus tells what happened, in order; a subscriber that fails changes nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

import mmquant as mm
from mmquant.errors import UsageError
from mmquant.strategies.demo import demo_tape
from mmquant.trading.event_bus import TOPICS

CONFIG = {
    "strategy": {"params": {"half_spread_ticks": 1, "order_lots": 5, "max_position_lots": 100}},
    "limits": {"max_position_lots": 20, "max_loss_ccy": 1.0},
    "decision": {"interval_ns": 500_000_000},
}


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 4_000))


@pytest.fixture(scope="module")
def config():
    return mm.Config.from_dict(CONFIG)


@pytest.fixture(scope="module")
def plain(config, tape):
    return mm.replay(config, tape)


def test_all_fills_and_orders_are_told_in_order(config, tape, plain):
    bus, heard = mm.EventBus(), {topic: [] for topic in TOPICS}
    for topic in TOPICS:
        bus.subscribe(topic, heard[topic].append)
    run = mm.replay(config, tape, bus=bus)
    assert run.digest() == plain.digest()
    assert len(run.fills) > 5
    told = [(e.timestamp, e.order_id, e.price, e.size, e.side) for e in heard["fill"]]
    names = ("timestamp", "order_id", "price", "size", "side")
    assert told == list(run.fills[list(names)].itertuples(index=False, name=None))
    assert [e.position for e in heard["inventory"]] == run.fills["position"].tolist()
    last = {}
    for event in heard["order"]:
        assert event.before == last.get(event.order_id)
        last[event.order_id] = event.after
    assert {i: int(s) for i, s in last.items()} == dict(
        zip(run.orders["order_id"], run.orders["status"], strict=True)
    )
    pulls = run.quotes[run.quotes["action"] > mm.ActionKind.CANCEL]
    assert [(e.timestamp, int(e.kind), int(e.reason)) for e in heard["alert"]] == list(
        pulls[["timestamp", "action", "reason"]].itertuples(index=False, name=None)
    )
    times = [event.timestamp for event in heard["order"]]
    assert times == sorted(times)


def test_a_subscriber_that_fails_is_reported_once_and_left_out(config, tape, plain, caplog):
    bus, heard = mm.EventBus(max_failures=2), []

    def broken(event):
        raise RuntimeError("no")

    bus.subscribe("fill", broken)
    bus.subscribe("fill", heard.append)
    with caplog.at_level(logging.WARNING, "mmquant.events"):
        run = mm.replay(config, tape, bus=bus)
    assert run.digest() == plain.digest()
    assert len(heard) == len(run.fills)
    assert list(bus.failures.values()) == [2]
    said = [r.message for r in caplog.records]
    assert len([m for m in said if "fails:" in m]) == 1
    assert len([m for m in said if "left out" in m]) == 1


def test_a_topic_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="fills"):
        mm.EventBus().subscribe("fills", print)


def test_one_who_comes_late_hears_only_what_is_new(config, tape):
    bus, heard = mm.EventBus(), []

    def first(event):
        bus.unsubscribe("fill", first)
        bus.subscribe("order", heard.append)

    bus.subscribe("fill", first)
    mm.replay(config, tape, bus=bus)
    assert heard
    assert all(isinstance(e.after, mm.OrderState) for e in heard)


@dataclass
class Unhashable:
    """As users write them: a dataclass with a method that listens."""

    heard: int = 0

    def on_order(self, event):
        self.heard += 1
        raise RuntimeError("no")


def test_a_subscriber_that_cannot_be_hashed_stops_nothing_when_it_fails(config, tape, plain):
    bus, listener = mm.EventBus(max_failures=2), Unhashable()
    bus.subscribe("order", listener.on_order)
    assert mm.replay(config, tape, bus=bus).digest() == plain.digest()
    assert (listener.heard, list(bus.failures.values())) == (2, [2])
