"""The taps fit the installed ib_async, and nothing that must arrive is lost in its decoder."""

from __future__ import annotations

import inspect

import ib_async
import pytest
from ib_async.decoder import Decoder

from mmquant.brokers import ibkr_taps
from mmquant.errors import MMQuantError
from tests.brokers.wire import Wire, error, execution, open_order, order_status


def test_the_installed_ib_async_has_all_that_is_tapped() -> None:
    assert ibkr_taps.differences() == []
    assert ib_async.__version__.startswith("2.1"), "look at its wrapper and decoder, then say so"


def test_the_decoder_looks_methods_up_at_each_call() -> None:
    assert "getattr(self.wrapper, methodName" in inspect.getsource(Decoder.wrap)
    for name in ("openOrder", "execDetails", "commissionReport", "position"):
        assert f"self.wrapper.{name}(" in inspect.getsource(getattr(Decoder, name))
    assert "self.wrapper.error(" in inspect.getsource(Decoder.errorMsg)
    assert "self.wrapper.priceSizeTick(" in inspect.getsource(Decoder.priceSizeTick)


def test_what_else_is_used_of_its_inside_is_there() -> None:
    ib = ib_async.IB()
    assert ib.wrapper._futures == {} and ib.client._reqIdSeq == 0
    source = inspect.getsource(type(ib.client)._onSocketDisconnected)
    assert source.index("wrapper.connectionClosed()") < source.index("self.reset()"), (
        "the last number in use is read when the connection is closed"
    )


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ib_async.Wrapper, "orderStatus", lambda self, other: None)
    with pytest.raises(MMQuantError, match="orderStatus"):
        Wire()


def test_ib_async_keeps_no_orders_of_its_own() -> None:
    """Its logs of them grow and cost more with each status."""
    wire = Wire()
    number = wire.working()
    for i in range(50):
        wire.say(open_order(number, 17), order_status(number, "Submitted", i, 100 - i))
    wire.say(execution(number, 17))
    wrapper = wire.broker.ib.wrapper
    assert not wrapper.trades and not wrapper.fills and not wrapper.permId2Trade


def test_messages_come_in_the_wires_order_even_if_repeated() -> None:
    wire = Wire()
    names: list[str] = []
    wire.broker.listen(lambda name, args: names.append(name))
    number = wire.place()
    status = order_status(number, "Submitted")
    wire.say(open_order(number, 17), status, status, execution(number, 17), status)
    assert names == ["openOrder", "orderStatus", "orderStatus", "execDetails", "orderStatus"]


def test_an_execution_with_a_zone_that_python_does_not_know_is_booked() -> None:
    wire = Wire()
    number = wire.working()
    wire.say(execution(number, 17, when="20231114 22:13:20 Central European Standard Time"))
    assert [e[0] for e in wire.events()] == ["EXECUTION"]
    assert wire.broker.router.lost_messages == []


@pytest.mark.parametrize(
    "fields",
    [
        [3, "x", "Submitted"],
        [11, -1, 5],
        [5, 5, 5],
        [59, 1, "id", "much"],
        [61, 3, "DU1", "none"],
        [4, 2],
    ],
)
def test_what_cannot_be_decoded_makes_us_ask_for_everything_once(fields: list) -> None:
    wire = Wire()
    wire.say(fields)
    assert wire.events() == [("UP", -1)]
    wire.say(fields)
    assert wire.events() == []
    assert len(wire.broker.router.lost_messages) == 1


def test_a_failure_of_our_own_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()

    def fails(*args: object) -> None:
        raise ValueError("oops")

    monkeypatch.setattr(wire.broker.executions, "details", fails)
    wire.say(execution(1, 17))
    assert wire.events() == [("UP", -1)]
    assert "oops" in wire.broker.router.lost_messages[0]


def test_the_captured_frames_of_a_real_server_are_understood() -> None:
    """A market order at TWS in 2023 (server version 164), in the order in which it was captured."""
    unset = "1.7976931348623157E308"
    wire = Wire()
    wire.broker.executions.by_contract[76792991] = 0
    mine = wire.broker.orders.identity.reference(17)
    frames = [
        f"5|13|76792991|TSLA|STK||0|?||SMART|USD|TSLA|NMS|BUY|100|MKT|0.0|0.0|DAY||DU1234567||0|"
        f"{mine}|1|1376327563|0|0|0||1376327563.0/DU1234567/100||||||||||0||-1|0||||||2147483647|"
        f"0|0|0||3|0|0||0|0||0|None||0||||?|0|0||0|0||||||0|0|0|2147483647|2147483647|||0||IB|0|0|"
        f"|0|0|PreSubmitted|{'|'.join([unset] * 9)}||||||0|0|0|None|{'|'.join([unset] * 6)}|0||||0|"
        f"1|0|0|0|||0||",
        "3|13|PreSubmitted|0|100|0|1376327563|0|0|1||0||",
        f"11|-1|13|76792991|TSLA|STK||0.0|||ISLAND|USD|TSLA|NMS|00025b46.63f8f39c.01.01|"
        f"20230224  12:04:56|DU1234567|ISLAND|BOT|100|196.52|1376327563|1|0|100|196.52|{mine}||||2|"
        f"|",
        "3|13|Filled|100|0|196.52|1376327563|0|196.52|1||0||",
        f"59|1|00025b46.63f8f39c.01.01|1.0|USD|{unset}|{unset}||",
    ]
    for frame in frames:
        wire.golden(frame, 164)
    assert wire.broker.router.lost_messages == []
    assert [e[:4] for e in wire.events()] == [
        ("ACK", 17, 0, 100),
        ("EXECUTION", 17, 19652, 100),
        ("FEE", 0, 0, 0),
    ]
    wire.say(error(13, 202, "Order Canceled - reason:"))
    assert wire.events() == []
