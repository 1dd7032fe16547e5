"""Faults 33 and 35 to 40: repeated fills, kills, losses, storage, hedges, fidelity, determinism."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmquant.brokers.faults import Fault, FaultPlan
from mmquant.core.dtypes import ActionKind, Control, Hand, MsgKind, OrderType, Reason, TimeInForce
from mmquant.data.contracts import Contract
from mmquant.data.store.journal import JournalError
from mmquant.errors import ConfigError
from mmquant.strategies.demo import demo_tape
from tests.core.builders import BUY, SELL, Want
from tests.faults.given import MS, contracts, numbers, outage
from tests.faults.live_runs import let_answers_come, live_loop
from tests.faults.rig import CHANGES, Rig

BID, ASK = Want(BUY, 99, 2), Want(SELL, 101, 2)


def sends(actions: list[Any]) -> bool:
    return any(a["kind"] in CHANGES for a in actions)


def test_fault_33_repeated_execution_latches_until_a_human_resumes() -> None:
    rig = Rig(risk={"repeated": {"max_fills": 3, "window_s": 0.1}})
    for _ in range(3):
        rig.decide(BID)
        rig.advance(2)
        rig.trade(SELL, 98, 2)
    assert rig.position() == 6
    assert not sends(rig.decide_for(200, BID))
    assert Reason.PULL_REPEATED in rig.alerts()
    rig.tell(MsgKind.CONTROL, reason=Control.RESUME)
    rig.assert_quoting(BID)


@pytest.mark.parametrize("when", ["quiet", "in flight", "throttled", "link down", "cancels lost"])
def test_fault_35_kill_switch(when: str) -> None:
    """Cancels first, then nothing new for ever; what is open ends as soon as it can."""
    limits = {}
    faults: list[Fault] = []
    if when == "throttled":
        limits = {"max_messages": 4, "message_window_s": 0.02, "cancel_reserve": 2}
    if when == "link down":
        faults = [outage(6.5, 10)]
    if when == "cancels lost":
        faults = [numbers("lose_request", 1, 2, of="cancel")]
    rig = Rig(*faults, limits=limits)
    rig.decide(BID, ASK)
    if when != "in flight":
        rig.advance(4)
    said = rig.tell(MsgKind.CONTROL, reason=Control.KILL)
    assert not sends(said)
    if when in ("quiet", "in flight", "cancels lost"):
        assert rig.kinds(said)[ActionKind.CANCEL] == 2
    assert not sends(rig.decide_for(120, BID, ASK))
    rig.advance(2)
    assert rig.broker.open == {} and rig.live() == set()
    rig.tell(MsgKind.CONTROL, reason=Control.RESUME)
    assert not sends(rig.decide_for(5, BID, ASK))
    rig.restart()
    assert not sends(rig.decide_for(20, BID, ASK))
    assert Reason.PULL_KILLED in rig.alerts()


def test_fault_36_loss_limit_needs_marks() -> None:
    """Without a mark the loss is unknown, and nothing is quoted; fees count when they come."""
    plan = FaultPlan(fee_per_lot_ccy=2.0, faults=(numbers("delay", 1, of="fee", for_ns=9 * MS),))
    rig = Rig(plan=plan, limits={"max_loss_ccy": 3.0})
    rig.decide(BID)
    rig.advance(2)
    rig.trade(SELL, 98, 2)
    assert rig.position() == 2
    assert sends(rig.decide(ASK))
    rig.advance(12)
    assert float(rig.local.position[0]["fees"]) == 4.0
    assert not sends(rig.decide_for(5, BID, ASK))
    assert Reason.PULL_LOSS in rig.alerts()


def test_fault_36_one_bad_tick_is_no_loss() -> None:
    risk = {"limits": [{"scope": "account", "max_loss_ccy": 1.0}], "loss_confirm_s": 0.005}
    rig = Rig(risk=risk)
    rig.decide(Want(BUY, 99, 4))
    rig.advance(2)
    rig.trade(SELL, 98, 4)
    rig.book(10, 12)
    rig.decide(BID, after_ms=2.5)
    rig.book(99, 101)
    rig.advance(4)
    rig.assert_quoting(BID, ASK)


QUOTING = {
    "strategy": {"params": {"half_spread_ticks": 1, "order_lots": 5, "max_position_lots": 50}},
    "orders": {"ack_timeout_s": 0.5, "cancel_timeout_s": 0.5},
    "limits": {"max_position_lots": 50},
}


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_fault_37_a_full_disk_stops_the_run_and_cancels_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """The journal is written before the send: what cannot be written is not sent."""
    tape = demo_tape().isel(event=slice(0, 3_000))
    loop, broker = live_loop(QUOTING, tape, FaultPlan(), tmp_path / "run")
    write, calls = os.write, [0]

    def fills_up(fd: int, data: Any) -> int:
        calls[0] += 1
        if calls[0] > 12:
            raise OSError(error, os.strerror(error))
        return write(fd, data)

    monkeypatch.setattr("mmquant.data.store.journal.os.write", fills_up)
    with pytest.raises(JournalError, match="cannot be written"):
        loop.run()
    let_answers_come(broker, loop.now + 10**9)
    assert broker.open == {}
    assert loop.step.local.set[0]["blocked"] == Reason.PULL_KILLED


def test_faults_of_all_kinds_in_a_live_run_end_in_the_truth() -> None:
    """The live loop over the demo tape with everything going wrong now and then."""
    chances = [
        Fault(kind=kind, probability=0.02, for_ns=300 * MS)
        for kind in ("lose", "delay", "duplicate", "reorder", "lose_request", "reject")
    ]
    tape = demo_tape().isel(event=slice(0, 4_000))
    until = int(tape["exch_ts"].values[-1] - tape["exch_ts"].values[0])
    faults = [f.model_copy(update={"until_ns": until // 2}) for f in chances]
    faults += [
        outage(until / MS * at, 900, held=held) for at, held in ((0.3, "drop"), (0.7, "hold"))
    ]
    loop, broker = live_loop(QUOTING, tape, FaultPlan(seed=7, faults=tuple(faults)))
    logs = loop.run()
    assert len(logs.rows("fills")) > 10
    assert int(loop.step.local.position[0]["lots"]) == broker.ledger.position(0)
    assert broker.duplicates == []
    assert abs(broker.ledger.position(0)) <= 50
    assert all(a["kind"][0] == ActionKind.CANCEL for a in broker.sent_while_down)


@pytest.mark.parametrize("fault", ["reject", "lose_request"])
def test_fault_38_hedges_that_fail_are_tried_again_and_then_given_up(fault: str) -> None:
    """The delta that is left is known; after some tries its underlying is pulled."""
    what = [
        *contracts(1),
        Contract.option(
            1, "I0", venue="SMART", expiry="2023-12-15", strike=100.0, right="C", multiplier=1.0
        ),
    ]
    rig = Rig(
        what=what, limits={"max_position_lots": 50},
        risk={"hedge": {"max_delta": 2.0, "min_interval_s": 0.005, "max_tries": 3}},
    )  # fmt: skip
    for inst, delta in ((0, 1.0), (1, 0.5)):
        rig.tell(MsgKind.THEO, inst=inst, reason=Hand.DELTA, price=delta, exch_ts=0)
    rig.decide(Want(BUY, 99, 10, inst=1))
    rig.advance(2)
    rig.broker.add(numbers(fault, *range(1, 50), of="place"), rig.now)
    rig.trade(SELL, 98, 10, inst=1)
    said = rig.decide_for(200, Want(BUY, 98, 2, inst=1))
    hedges = [a for a in said if a["kind"] == ActionKind.PLACE and a["reason"] == Reason.HEDGE]
    assert 1 <= len(hedges) <= 3 and all(int(a["side"]) == SELL for a in hedges)
    assert all(int(a["order_type"]) != OrderType.MARKET for a in hedges)
    assert rig.position(0) == 0 and rig.position(1) == 10


def test_fault_39_no_size_is_used_twice_and_own_orders_fill_in_order() -> None:
    """Own orders of a price share a trade first come first served, behind what was ahead."""
    rig = Rig(limits={"max_position_lots": 40})
    rig.decide(Want(BUY, 99, 4), Want(BUY, 98, 4))
    rig.advance(2)
    traded = 0
    for lots in (6, 3, 5, 2):
        rig.trade(SELL, 99, lots)
        traded += lots
        assert rig.position() == min(max(traded - 10, 0), 4)
    rig.trade(SELL, 97, 1)
    assert rig.position() == 5


def test_fault_40_the_same_seed_gives_the_same_bytes() -> None:
    faults = tuple(
        Fault(kind=kind, probability=0.2, for_ns=2 * MS)
        for kind in ("lose", "delay", "duplicate", "reorder", "lose_request", "reject")
    )

    def run(seed: int) -> list[Any]:
        rig = Rig(outage(20, 6), plan=FaultPlan(seed=seed, faults=(*faults, outage(20, 6))))
        rng = np.random.default_rng(1)
        for _ in range(60):
            rig.decide(Want(BUY, int(rng.integers(96, 100)), 2), ASK)
            rig.trade(SELL, 98, 1)
        return [m.item() for m in rig.heard]

    def text(run: list[Any]) -> str:
        return repr(run)

    assert text(run(5)) == text(run(5)) != text(run(6))


def test_a_plan_is_read_from_yaml_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "seed: 3\nfaults:\n  - {kind: delay, of: execution, at: [1, 4], for_ns: 5000}\n"
        "  - {kind: link_down, from_ns: 100, for_ns: 900, held: drop}\n"
    )
    plan = FaultPlan.from_yaml(path)
    assert plan.faults[0] == Fault(kind="delay", of="execution", at=(1, 4), for_ns=5000)
    assert (plan.seed, plan.faults[1].held, plan.faults[1].until_ns) == (3, "drop", None)
    for wrong in ("faults: [{kind: lose}]", "faults: [{kind: nothing}]", "sed: 3", "a: ["):
        path.write_text(wrong)
        with pytest.raises(ConfigError):
            FaultPlan.from_yaml(path)


def test_pegs_on_a_faulty_link_end_as_wanted() -> None:
    rig = Rig(numbers("lose", 1, of="confirm"), outage(30, 5))
    peg = Want(BUY, 105, 2, order_type=int(OrderType.PEG_PRIMARY), tif=int(TimeInForce.DAY))
    rig.decide(peg)
    rig.book(98, 101)
    rig.advance(4)
    assert int(rig.exchange.node[0]["tick"]) == 99 or rig.broker.open
    rig.assert_quoting(peg)
    assert not math.isnan(float(rig.local.position[0]["cash"]))
