"""Frames and fields: what goes in comes out, however it was cut; what is wrong is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.gateway.order_echo import open_order_fields
from mmquant.gateway.order_fields import read_order
from mmquant.gateway.wire import (
    MAX_FRAME,
    UNSET_DOUBLE,
    Fields,
    Framer,
    WireError,
    frame,
    number,
    split,
    text,
)
from tests.gateway.wire_client import order_message

HELLO = b"API\0" + frame("v157..178")[:4] + b"v157..178\0"
U = "1.7976931348623157E308"
GOLDEN = (
    "5|13|76792991|TSLA|STK||0|?||SMART|USD|TSLA|NMS|BUY|100|MKT|0.0|0.0|DAY||DU1234567||0||100|"
    "1376327563|0|0|0||1376327563.0/DU1234567/100||||||||||0||-1|0||||||2147483647|0|0|0||3|0|0||"
    "0|0||0|None||0||||?|0|0||0|0||||||0|0|0|2147483647|2147483647|||0||IB|0|0||0|0|PreSubmitted|"
    f"{'|'.join([U] * 9)}||||||0|0|0|None|{'|'.join([U] * 6)}|0||||0|1|0|0|0|||0|"
)
"""A frame that a TWS of version 164 sent in 2023, public in the tests of rust-ibapi."""


@settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(st.lists(st.text("aZ0 |é", max_size=8), min_size=1, max_size=5), max_size=6),
    cuts=st.lists(st.integers(1, 9), max_size=40),
)
def test_frames_survive_any_cut(messages: list[list[str]], cuts: list[int]) -> None:
    data = HELLO + b"".join(frame(*fields) for fields in messages)
    framer, bodies = Framer(), []
    for size in [*cuts, len(data)]:
        bodies += framer.feed(data[:size])
        data = data[size:]
    found = [split(body) for body in bodies[1:]]
    shown = [[f.encode("ascii", "backslashreplace").decode() for f in m] for m in messages]
    assert found == shown


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1", b"API\0\0\0\0\0", b"API\0\0\1\0\0", b"APIX",
     HELLO + (MAX_FRAME + 1).to_bytes(4, "big"), HELLO + b"\0\0\0\0"],
)  # fmt: skip
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Framer().feed(data)


@pytest.mark.parametrize("body", [b"1", b"\0" * 3_000, b"A" * 5_000 + b"\0"])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        split(body)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (0.1, "0.1"), (-2.5, "-2.5"), (1e-5, "1e-05"), (UNSET_DOUBLE, U), (math.nan, U),
     (True, "1"), (None, ""), ("a\0b", "ab"), (7, "7"), (1e20, "1e+20")],
)  # fmt: skip
def test_values_as_tws_writes_them(value: object, shown: str) -> None:
    assert text(value) == shown
    if isinstance(value, float):
        assert number(value) == shown


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [("", "whole", 0), ("7", "whole", 7), ("7.0", "whole", 7), ("", "decimal", UNSET_DOUBLE),
     ("1e-05", "decimal", 1e-5), ("Infinite", "decimal", math.inf), ("1", "flag", True)],
)  # fmt: skip
def test_fields_by_type(field: str, kind: str, value: object) -> None:
    assert getattr(Fields([field]), kind)() == value


@pytest.mark.parametrize(
    ("field", "kind"),
    [("x", "whole"), ("1e400", "whole"), ("9" * 30, "whole"), ("nan", "decimal"),
     ("-inf", "decimal"), ("1_0", "decimal"), ("٣", "decimal"), ("-1", "count"), ("999", "count")],
)  # fmt: skip
def test_wrong_fields_are_refused(field: str, kind: str) -> None:
    with pytest.raises(WireError):
        getattr(Fields([field]), kind)()
    with pytest.raises(WireError):
        Fields([]).text()


def test_an_open_order_is_that_of_a_real_tws() -> None:
    contract = (76792991, "TSLA", "STK", "", 0.0, "", "", "SMART", "", "USD", "TSLA", "NMS")
    fields = order_message(164, 13, kind="MKT", contract=contract, account="DU1234567")
    spec = read_order(Fields([text(x) for x in fields[1:]]), 164)
    echoed = open_order_fields(
        (76792991, "TSLA", "STK", "", 0, "?", "", "SMART", "USD", "TSLA", "NMS"), spec, 164,
        order_id=13, client_id=100, perm_id=1376327563, status="PreSubmitted",
    )  # fmt: skip
    ours, theirs = [text(x) for x in echoed], GOLDEN.split("|")
    assert len(ours) == len(theirs) - 1 == 131
    differ = {(i, a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b}
    assert differ == {(16, "0", "0.0"), (17, "0", "0.0"), (21, "O", ""), (124, "0", "1")}


@settings(max_examples=100, deadline=None)
@given(version=st.integers(157, 178), cut=st.integers(1, 113))
def test_an_order_is_read_whole_or_not_at_all(version: int, cut: int) -> None:
    fields = [text(x) for x in order_message(version, 1, limit=189.0)[1:]]
    rest = Fields(fields)
    assert read_order(rest, version).limit == 189.0
    assert rest.left == 0
    if cut < len(fields):
        with pytest.raises(WireError):
            read_order(Fields(fields[:cut]), version)
