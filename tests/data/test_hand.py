"""The trader's file: what is read, what is refused and how, and that it is written back exactly."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.dtypes import MSG, Control, Hand, Limit, MsgKind
from mmquant.data.contracts import Contract
from mmquant.data.hand import hand_lines, hand_text, read_hand
from mmquant.data.hand_fields import COLUMNS, CONTROLS, LIMITS, PRICES, WHAT
from mmquant.errors import DataError, UsageError

HEADER = ",".join(COLUMNS) + "\n"
NOON = 1_340_280_000_000_000_000  # 2012-06-21 12:00 UTC
AT = "2012-06-21T12:00:00Z"
CONTRACTS = [
    Contract.equity(0, "ABC", venue="XNAS"),
    Contract.option(1, "SPY", venue="CBOE", expiry="2024-06-21", strike=100, right="C"),
    Contract.option(2, "SPY", venue="CBOE", expiry="2024-06-21", strike=101, right="C"),
    Contract.equity(3, "700", venue="SEHK"),
]


def read(tmp_path: Path, text: str | bytes) -> np.ndarray:
    file = tmp_path / "hand.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_hand(file, CONTRACTS)


def one(tmp_path: Path, line: str) -> np.void:
    return read(tmp_path, HEADER + line + "\n")[0]


# --- what is read -------------------------------------------------------------


def test_each_kind_of_message(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        HEADER
        + f"{AT},ABC,theo,100.25,30\n{AT},2,offset,-0.05,\n{AT},ABC,theo,,1.5\n"
        + f"{AT},,halt,,\n{AT},,resume,,\n{AT},,kill,,\n"
        + f"{AT},,max_position_lots,20,\n{AT},,max_order_lots,5.0,\n"
        + f"{AT},,max_open_orders,4,\n{AT},,max_loss_ccy,12.5,\n",
    )
    assert rows.dtype == MSG and (rows["ts"] == NOON).all() and not rows["event"].any()
    kinds = [MsgKind.THEO] * 3 + [MsgKind.CONTROL] * 3 + [MsgKind.LIMITS] * 4
    assert rows["kind"].tolist() == [int(kind) for kind in kinds]
    assert rows["reason"].tolist() == [
        Hand.THEO, Hand.OFFSET, Hand.THEO, Control.HALT, Control.RESUME, Control.KILL,
        Limit.MAX_POSITION_LOTS, Limit.MAX_ORDER_LOTS, Limit.MAX_OPEN_ORDERS, Limit.MAX_LOSS,
    ]  # fmt: skip
    assert rows["inst"].tolist() == [0, 2, 0] + [0] * 7
    assert rows["price"][:2].tolist() == [100.25, -0.05] and math.isnan(rows["price"][2])
    assert rows["exch_ts"][:3].tolist() == [NOON + 30 * 10**9, 0, NOON + 1_500_000_000]
    assert rows["lots"][6:].tolist() == [20, 5, 4, 0] and rows["price"][9] == 12.5


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2012-06-21T12:00:00Z", NOON),
        ("2012-06-21 12:00", NOON),
        ("2012-06-21T12:00:00.000000001Z", NOON + 1),
        ("2012-06-21T12:00:00.999999999", NOON + 999_999_999),
        ("2012-06-21T12:00:00.5Z", NOON + 500_000_000),
        ("2012-06-21T08:00:00-04:00", NOON),
        ("2012-06-21T17:30:00.25+0530", NOON + 250_000_000),
        (str(NOON + 123_456_789), NOON + 123_456_789),
        (f" {NOON} ", NOON),
    ],
)
def test_times(text: str, ns: int, tmp_path: Path) -> None:
    assert one(tmp_path, f"{text},,halt,,")["ts"] == ns


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 8 * 10**18 - 1))
def test_times_are_those_of_pandas(ns: int) -> None:
    from mmquant.data.hand_fields import time_of, time_text

    text = time_text(ns)
    assert time_of(text) == ns == pd.Timestamp(text).value
    assert time_of(text.removesuffix("Z")) == ns


def test_rows_come_in_order_of_time_and_of_the_file(tmp_path: Path) -> None:
    lines = ["2012-06-21T12:00:01Z,,halt,,", f"{AT},,resume,,", f"{AT},,kill,,", f"{AT},,halt,,"]
    rows = read(tmp_path, HEADER + "\n".join(lines))
    assert rows["reason"].tolist() == [Control.RESUME, Control.KILL, Control.HALT, Control.HALT]


@pytest.mark.parametrize(
    "text",
    [
        HEADER + f"{AT},,halt,,",
        "\n\n" + HEADER + f"\n{AT},,halt,,\n\n",
        "\ufeff" + HEADER + f"{AT},,halt,,\n",
        (HEADER + f"{AT},,halt,,\n").replace("\n", "\r\n"),
        (HEADER + f"{AT},,halt,,\n").replace("\n", "\r"),
        HEADER + f'"{AT}","","halt","",""\n',
        HEADER + f"{AT}, , halt , ,\n",
    ],
)
def test_what_spreadsheets_and_editors_write(text: str, tmp_path: Path) -> None:
    rows = read(tmp_path, text)
    assert rows["reason"].tolist() == [Control.HALT] and rows["ts"].tolist() == [NOON]


def test_a_header_alone_says_nothing(tmp_path: Path) -> None:
    assert len(read(tmp_path, HEADER)) == 0


# --- what is refused ----------------------------------------------------------

WRONG_LINES = [
    (f"{AT},ABC,theo,100", "4 fields instead of 5", "give time,symbol,what,value,for_s"),
    (f"{AT},ABC,theo,100,,", "6 fields instead of 5", "give time"),
    (f"{AT},ABC,price,100,", "'price' cannot be set", "use one of theo, offset, delta"),
    (f"{AT},ABC,Theo,100,", "'Theo' cannot be set", "use one of"),
    (f"{AT},ABC,theo,1OO,", "value '1OO' is not a number", "write one like"),
    (f"{AT},ABC,theo,1_000,", "value '1_000' is not a number", "write one like"),
    (f'{AT},ABC,theo,"1,000",', "value '1,000' is not a number", "write one like"),
    (f"{AT},ABC,theo,nan,", "value 'nan' is not a number", "write one like"),
    (f"{AT},ABC,theo,1e999,", "theo is inf", "give a finite number"),
    (f"{AT},ABC,offset,-inf,", "value '-inf' is not a number", "write one like"),
    (f"{AT},ABC,offset,,", "offset needs a value", "give a number"),
    (f"{AT},,theo,100,", "theo needs a symbol", "say which instrument"),
    (f"{AT},XYZ,theo,100,", "'XYZ' is not on the tape", "give its symbol, or its number"),
    (f"{AT},9,theo,100,", "'9' is not on the tape", "give its symbol"),
    (f"{AT},SPY,theo,100,", "'SPY' names several instruments", "give its symbol, or its number"),
    (f"{AT},ABC,theo,100,-1", "it is to hold for -1 s", "give a time from 1e-9"),
    (f"{AT},ABC,theo,100,0", "it is to hold for 0 s", "give a time from"),
    (f"{AT},ABC,theo,100,4e-10", "it is to hold for 4e-10 s", "give a time from"),
    (f"{AT},ABC,theo,100,2e7", "it is to hold for 2e+07 s", "give a time from 1e-9 to 1e"),
    (f"{AT},ABC,theo,100,1 min", "for_s '1 min' is not a number", "write one like"),
    (f"{AT},ABC,halt,,", "halt is for all instruments, not 'ABC'", "leave it out"),
    (f"{AT},,halt,,60", "halt does not end by itself", "leave out for_s"),
    (f"{AT},,kill,1,", "kill takes no value", "leave it out"),
    (f"{AT},ABC,max_order_lots,5,", "max_order_lots is for all instruments", "leave it out"),
    (f"{AT},,max_loss_ccy,5,60", "max_loss_ccy does not end by itself", "leave out for_s"),
    (f"{AT},,max_loss_ccy,,", "max_loss_ccy needs a value", "give a number"),
    (f"{AT},,max_loss_ccy,-5,", "max_loss_ccy is -5", "give a number above 0"),
    (f"{AT},,max_order_lots,1.7,", "max_order_lots is 1.7", "give a whole number"),
    (f"{AT},,max_position_lots,3e9,", "max_position_lots is 3e+09", "give a whole number up to"),
    (",,halt,,", "the line has no time", "write the time"),
    ("now,,halt,,", "'now' is not a time", "write date and time as in 2012-06-21T14:30:00.5Z"),
    ("NaT,,halt,,", "'NaT' is not a time", "write date and time"),
    ("12:30,,halt,,", "'12:30' is not a time", "write date and time"),
    ("2012-06-21,,halt,,", "'2012-06-21' is not a time", "write date and time"),
    ("20120621,,halt,,", "'20120621' is not a time", "or ns since 1970"),
    ("1340280000,,halt,,", "'1340280000' is not a time", "or ns since 1970"),
    ("9999999999999999999,,halt,,", "is not a time", "write date and time"),
    ("2012-13-21T12:00:00Z,,halt,,", "is not a time", "write date and time"),
    ("2012-06-21T12:00:00.1234567891Z,,halt,,", "is not a time", "write date and time"),
    ("2300-06-21T12:00:00Z,,halt,,", "is not a time", "write date and time"),
    ("1969-06-21T12:00:00Z,,halt,,", "is not a time", "write date and time"),
    ("13402800000000000²0,,halt,,", "is not a time", "write date and time"),
]


@pytest.mark.parametrize(("line", "what", "fix"), WRONG_LINES)
def test_a_wrong_line_is_named_with_what_and_how_to_mend_it(
    line: str, what: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, HEADER + f"{AT},,resume,,\n\n{line}\n{AT},,halt,,\n")
    error = caught.value
    assert what in error.what and error.where == f"{tmp_path / 'hand.csv'}, line 4"
    assert fix in error.fix


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("", "the file is empty", ""),
        (" \n\n", "the file is empty", ""),
        ("time,symbol,what,value\n", "the header is not time,symbol,what,value,for_s", ", line 1"),
        (f"\n{AT},,halt,,\n", "the header is not", ", line 2"),
        (HEADER.replace(",", ";"), "the header is not", ", line 1"),
        (HEADER.encode() + b"\n2012,\xff\xfe,halt,,\n", "this is no UTF-8 text", ", line 3"),
        (HEADER + f"{AT},,ha\0lt,,\n", "'ha\\x00lt' cannot be set", ", line 2"),
        (HEADER + f"{AT},,{'x' * 200_000},,\n", "this is not CSV", ", line 2"),
    ],
)
def test_a_file_that_is_none_is_named(text, what: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    error = caught.value
    assert what in error.what and error.fix
    assert error.where == str(tmp_path / "hand.csv") + where


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for place in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError) as caught:
            read_hand(place, CONTRACTS)
        assert "cannot be read" in caught.value.what and caught.value.where == str(place)
        assert "hand.file" in caught.value.fix


# --- written back exactly -----------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DURATIONS = st.none() | st.integers(1, 10**16) | st.integers(1, 10**10)


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    what = draw(st.sampled_from(WHAT))
    ns = draw(st.integers(0, 8 * 10**18 - 1))
    time = str(ns) if len(str(ns)) == 19 else str(pd.Timestamp(ns).isoformat()) + "Z"
    if what in CONTROLS:
        return [time, "", what, "", ""]
    if what in LIMITS:
        lots = draw(st.integers(1, 2**31 - 1))
        loss = draw(st.floats(1e-300, 1e300))
        return [time, "", what, repr(loss) if what == "max_loss_ccy" else str(lots), ""]
    value = draw(NUMBERS if what == "offset" else NUMBERS | st.none())
    hold = draw(DURATIONS)
    symbol = draw(st.sampled_from(["ABC", "0", "1", "2", "3", "700"]))
    for_s = "" if hold is None else f"{hold // 10**9}.{hold % 10**9:09d}"
    return [time, symbol, what, "" if value is None else repr(value), for_s]


@settings(max_examples=150, deadline=None)
@given(given_lines=st.lists(lines(), min_size=1, max_size=12))
def test_what_is_read_is_written_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, given_lines: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("hand")
    first = read(folder, HEADER + "".join(",".join(line) + "\n" for line in given_lines))
    assert len(first) == len(given_lines)
    told = hand_lines(first, CONTRACTS)
    again = read(folder, hand_text(told))
    assert again.tobytes() == first.tobytes()
    assert hand_lines(again, CONTRACTS) == told


def test_an_ambiguous_symbol_is_written_as_a_number(tmp_path: Path) -> None:
    told = hand_lines(read(tmp_path, HEADER + f"{AT},2,theo,1,\n{AT},3,theo,1,\n"), CONTRACTS)
    assert [line["symbol"] for line in told] == ["2", "700"]


# --- written by hand ----------------------------------------------------------


def test_a_notebook_writes_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "hand.csv"
    hand = mm.TraderHand(file)
    hand.theo("ABC", 100.1, for_s=0.1)
    hand.theo("ABC", None)
    hand.offset("3", -0.02)
    hand.halt()
    hand.resume()
    hand.kill()
    hand.limit("max_order_lots", 3)
    hand.write("max_loss_ccy", value=1e-3, time=AT)
    assert file.read_text().splitlines() == [
        "time,symbol,what,value,for_s",
        ",ABC,theo,100.1,0.1",
        ",ABC,theo,,",
        ",3,offset,-0.02,",
        ",,halt,,",
        ",,resume,,",
        ",,kill,,",
        ",,max_order_lots,3.0,",
        f"{AT},,max_loss_ccy,0.001,",
    ]


def test_the_header_comes_once_and_a_line_begins_on_its_own(tmp_path: Path) -> None:
    file = tmp_path / "hand.csv"
    file.touch()
    mm.TraderHand(file).write("halt", time=AT)
    file.write_text(file.read_text().rstrip("\n"))  # as some editors leave a file
    mm.TraderHand(file).write("resume", time=AT)
    assert file.read_text() == HEADER + f"{AT},,halt,,\n{AT},,resume,,\n"
    assert len(read_hand(file, CONTRACTS)) == 2


def test_symbols_with_commas_are_quoted(tmp_path: Path) -> None:
    file = tmp_path / "hand.csv"
    mm.TraderHand(file).write("theo", symbol="A,B", value=1.0, time=AT)
    contract = Contract.equity(0, "A,B", venue="X")
    assert read_hand(file, [contract])["price"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("what", "arguments", "said"),
    [
        ("theo", {"symbol": "ABC", "value": math.nan}, "theo is nan"),
        ("theo", {"symbol": "ABC", "value": 1.0, "for_s": math.nan}, "hold for nan s"),
        ("theo", {"symbol": "ABC", "value": 1.0, "time": "now"}, "'now' is not a time"),
        ("theo", {"value": 1.0}, "theo needs a symbol"),
        ("stop", {}, "'stop' cannot be set"),
        ("max_order_lots", {"value": 0}, "max_order_lots is 0"),
    ],
)
def test_what_makes_no_sense_is_not_written(what, arguments, said, tmp_path: Path) -> None:
    file = tmp_path / "hand.csv"
    with pytest.raises(UsageError, match=said):
        mm.TraderHand(file).write(what, **arguments)
    assert not file.exists()


def test_the_public_name_needs_no_compiler() -> None:
    code = "import sys, mmquant as mm; mm.TraderHand; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert mm.TraderHand.__name__ in mm.__all__ and set(WHAT) == {*PRICES, *CONTROLS, *LIMITS}


def test_the_end_of_a_stop_and_of_a_kill_has_no_line() -> None:
    """A run that was stopped in order, or released, tells the rest all the same."""
    rows = np.zeros(4, MSG)
    rows["kind"], rows["ts"] = int(MsgKind.CONTROL), NOON
    rows["reason"] = [Control.RELEASE, Control.HALT, Control.UNHALT, Control.KILL]
    rows["price"] = math.nan
    assert [line["what"] for line in hand_lines(rows, CONTRACTS)] == ["halt", "kill"]
