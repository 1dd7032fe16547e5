"""Executions: once each, revised by the digits of their id, and booked whatever is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmquant.brokers.ibkr_executions import Opening, execution_number
from mmquant.errors import DataError
from tests.brokers.wire import CON_ID, UNSET, Wire, commission, execution, stocks


def test_numbers_are_the_same_for_all_revisions_and_differ_otherwise() -> None:
    rng = np.random.default_rng(3)
    roots = {f"{a:08x}.{b:08x}.{c:02d}" for a, b, c in rng.integers(0, 90, (5000, 3))}
    assert len({execution_number(f"{root}.01")[0] for root in roots}) == len(roots)
    root, other = "00025b46.63f8f39c.01", "00025b46.63f8f39c.02"
    assert execution_number(f"{root}.01")[0] == execution_number(f"{root}.02")[0]
    assert execution_number(f"{root}.01")[0] != execution_number(f"{other}.01")[0]
    assert [execution_number(f"{root}.{i:02d}")[1] for i in (1, 2, 10)] == [0, 1, 9]
    assert all(0 < execution_number(f"{root}.01")[0] < 2**63 for root in roots)
    assert execution_number("plain")[1] == execution_number("a.b")[1] == 0


def test_a_correction_and_a_bust_replace() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(execution(n, 17, "a.b.01.01"), execution(n, 17, "a.b.01.01"))
    wire.say(execution(n, 17, "a.b.01.02", lots=60, price="100.01"))
    wire.say(execution(n, 17, "a.b.01.01"))
    wire.say(execution(n, 17, "a.b.01.03", lots=0))
    rows = wire.heard()
    assert [(e["event"], e["reason"], e["lots"]) for e in rows] == [
        (3, 0, 100), (4, 1, 60), (5, 2, 0),
    ]  # fmt: skip
    assert len({int(e["seq"]) for e in rows}) == 1


def test_a_late_execution_of_an_order_that_was_forgotten_is_booked_to_it() -> None:
    wire = Wire()
    wire.say(execution(12, 4711, side="SLD"))
    (row,) = wire.heard()
    assert (int(row["order_id"]), int(row["side"]), int(row["lots"])) == (4711, -1, 100)
    assert row["exch_ts"] == 1_700_000_000_000_000_000


def test_executions_of_others_in_our_instruments_are_told_without_an_order() -> None:
    wire = Wire()
    wire.say(execution(0, 0, ref="someone"), execution(5, 0, ref="", con_id=1))
    assert [(e[0], e[1]) for e in wire.events()] == [("EXECUTION", 0)]


def test_another_clients_order_of_the_same_number_is_not_ours() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(execution(n, 0, ref="theirs", client=5, perm=99))
    assert [e[:2] for e in wire.events()] == [("EXECUTION", 0)]


def test_prices_between_ticks_and_sizes_that_are_no_lots() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(execution(n, 17, "a.01", price="100.005"), execution(n, 17, "b.01", lots=0.5))
    rows = wire.heard()
    assert (rows[0]["tick"], float(rows[0]["subtick"])) == (10_000, pytest.approx(0.5))
    assert float(rows[0]["price"]) == 100.005
    assert rows[1]["lots"] == 2**31 - 1, "the local half believes no such number"


def test_fees_are_told_by_their_execution() -> None:
    wire = Wire()
    n = wire.working()
    wire.say(commission("a.01", "1.25"), execution(n, 17, "a.01"), commission("a.01", UNSET))
    fee, filled = wire.heard()
    assert (float(fee["price"]), fee["seq"]) == (1.25, filled["seq"])


def test_fees_in_another_currency_are_noted_and_not_booked() -> None:
    wire = Wire()
    n = wire.working()
    report = commission("a.01")
    report[4] = "EUR"
    wire.say(execution(n, 17, "a.01"), report)
    assert [e[0] for e in wire.events()] == ["EXECUTION"]
    assert any("EUR" in note for note in wire.broker.executions.notes)


def test_what_the_run_began_with_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "opening.json"
    assert Opening.load(path) is None
    Opening({CON_ID: (-300.0, 101.5)}, {"a.01"}).save(path)
    assert Opening.load(path) == Opening({CON_ID: (-300.0, 101.5)}, {"a.01"})
    path.write_text('{"positions": [1]}')
    with pytest.raises(DataError, match="not readable"):
        Opening.load(path)


def test_what_the_run_began_with_is_one_execution_and_what_led_to_it_none() -> None:
    wire = Wire()
    known = Opening({CON_ID: (-300.0, 101.5), 1: (5.0, 2.0)}, {"old.01"})
    for _ in range(2):
        wire.broker.executions.open_with(known)
    wire.say(execution(0, 0, "old.01", ref="someone"), execution(0, 0, "new.01", ref="someone"))
    first, second = wire.heard()
    assert (int(first["side"]), int(first["lots"]), float(first["price"])) == (-1, 300, 101.5)
    assert int(second["lots"]) == 100


def test_a_combination_is_booked_as_one_and_its_legs_are_not() -> None:
    wire = Wire(stocks(3))
    wire.broker.executions.combos[2] = {CON_ID: 1, CON_ID + 1: -1}
    n = wire.working(17, inst=2)
    parts = [(28_812_380, "BAG", "BOT", "b.01.01"), (CON_ID, "STK", "BOT", "b.02.01"),
             (CON_ID + 1, "STK", "SLD", "b.03.01")]  # fmt: skip
    for con_id, kind, side, exec_id in parts:
        wire.say(execution(n, 17, exec_id, con_id=con_id, sec_type=kind, side=side, lots=5))
    (row,) = wire.heard()
    assert (int(row["inst"]), int(row["lots"])) == (2, 5)
    position = wire.broker.executions.position
    held = {CON_ID: 105.0, CON_ID + 1: -5.0}
    assert [position(inst, held) for inst in range(3)] == [100, 0, 5]
