"""What a trader says while a strategy runs: what it does, from when and until when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import ActionKind, Control, Hand, Limit, MsgKind, Reason
from mmquant.core.engine import empty_message
from mmquant.data.hand import hand_text
from mmquant.data.runs import Run
from mmquant.errors import DataError
from tests.hand_messages import HEADER, TRIGGERS
from tests.subscriber import most_in_a_second
from tests.test_parity import assert_same

PLACE, CANCEL = int(ActionKind.PLACE), int(ActionKind.CANCEL)


@mm.strategy(quotes=2, levels=0)
def at_theo(view, params, memory, quotes):
    """A tick either side of the theo and its offset, or of the mid where nobody gives a theo."""
    one = view[0]
    center = one["theo"] if one["theo"] == one["theo"] else one["mid"]
    center = (center + one["offset"]) * 100.0
    quotes[0]["side"] = 1
    quotes[0]["tick"] = int(center) - 9
    quotes[0]["lots"] = 5
    quotes[1]["side"] = -1
    quotes[1]["tick"] = int(center) + 9
    quotes[1]["lots"] = 5
    return 2


@mm.strategy(memory={"tick": 0.0}, levels=0)
def wall(view, params, memory, quotes):
    """Sixteen bids far below the first price."""
    if memory["tick"] == 0.0:
        memory["tick"] = view[0]["best_bid"] - 100.0
    for i in range(16):
        quotes[i]["side"] = 1
        quotes[i]["tick"] = int(memory["tick"]) - i
        quotes[i]["lots"] = 1
    return 16


class Day:
    """A minute of one stock, decided each 100 ms, and what a trader says in it."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.tape = mm.make_demo_tape(seed=4, minutes=0.5)
        self.file = folder / "hand.csv"
        self.file.write_text(HEADER)
        # A theo that jumps moves both quotes at once, past each other.
        limits = {"prevent_own_cross": False} | config.pop("limits", {})
        hand = {"file": str(self.file)}
        self.config = {"hand": hand, "profile": {"beside": []}, "limits": limits} | config
        self.start = int(self.tape["exch_ts"].values[0])

    def at(self, step: int, ns: int = 0) -> int:
        """Time of a decision, counted from 1, and some ns."""
        return self.start + step * 100_000_000 + ns

    def say(self, ts: int, what: str, symbol: str = "", value: Any = "", for_s: Any = "") -> None:
        with self.file.open("a") as file:
            file.write(f"{ts},{symbol},{what},{value},{for_s}\n")

    def run(self, strategy: Any = at_theo) -> Run:
        return assert_same(self.config, self.tape, strategy)


def placed(run: Run, ts: int) -> list[float]:
    """Prices of the orders placed at a time."""
    rows = run.quotes[(run.quotes["timestamp"] == ts) & (run.quotes["action"] == PLACE)]
    return sorted(rows["price"])


def pulled(run: Run) -> set[Reason]:
    return {Reason(x) for x in run.quotes["reason"][run.quotes["action"] == int(ActionKind.PULL)]}


def test_a_theo_holds_from_its_time_to_the_last_nanosecond(tmp_path: Path) -> None:
    """A message of the time of a decision comes before it, and has ended at its end."""
    day = Day(tmp_path)
    mid = float(mm.backtest(mm.Config.from_dict(day.config), day.tape, strategy=at_theo)
                .path["mid"].values[0, 0])  # fmt: skip
    theo = round(mid, 2) + 0.5
    own = [round(theo - 0.09, 2), round(theo + 0.09, 2)]
    day.say(day.at(10), "theo", "DEMO", theo, "1")  # ends at step 20
    day.say(day.at(40, 1), "theo", "DEMO", theo, "1")  # from 41 on, ends after 50
    day.say(day.at(70, 1), "theo", "DEMO", theo, "0.999999999")  # ends at 80
    run = day.run()
    for first, over in ((10, 20), (41, 51), (71, 80)):
        assert [round(price, 2) for price in placed(run, day.at(first))] == own
        assert placed(run, day.at(over)) and placed(run, day.at(over))[0] < theo - 0.3
        between = run.quotes["timestamp"].between(day.at(first, 1), day.at(over, -1))
        assert set(run.quotes["price"][between & (run.quotes["action"] == PLACE)].round(2)) <= {
            *own
        }
    assert [line["for_s"] for line in run.manifest["told"]] == ["1", "1", "0.999999999"]
    assert not any(line["refused"] for line in run.manifest["told"])


def test_an_empty_theo_takes_it_away_and_an_offset_of_nothing_too(tmp_path: Path) -> None:
    day = Day(tmp_path)
    plain = day.run()
    mid = float(plain.path["mid"].values[0, 0])
    for step, what, value in ((5, "theo", mid + 1), (10, "theo", ""), (15, "offset", -0.25),
                              (20, "offset", 0)):  # fmt: skip
        day.say(day.at(step), what, "DEMO", value)
    run = day.run()
    assert placed(run, day.at(5))[0] > mid + 0.8
    assert placed(run, day.at(15))[1] < mid - 0.1
    assert {p for s in (10, 20) for p in placed(run, day.at(s))}  # back around the mid
    later = run.quotes["timestamp"] > day.at(20)
    last = run.quotes[later & (run.quotes["action"] == PLACE)]["price"]
    expected = plain.quotes[plain.quotes["timestamp"] > day.at(20)]
    assert set(last.round(2)) <= set(expected["price"].round(2))


def test_the_collar_pulls_and_lets_come_back(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.say(day.at(10), "theo", "DEMO", 1e6, "1")
    day.say(day.at(50), "offset", "DEMO", -30, "1")
    run = day.run()
    for first in (10, 50):
        during = run.quotes["timestamp"].between(day.at(first), day.at(first + 10, -1))
        assert set(run.quotes["action"][during]) <= {CANCEL, int(ActionKind.PULL)}
        assert run.quotes["reason"][during].eq(int(Reason.PULL_COLLAR)).all()
        assert len(placed(run, day.at(first + 10))) == 2
    assert pulled(run) == {Reason.PULL_COLLAR}
    wide = Day(tmp_path, limits={"theo_collar_bps": None})
    wide.say(wide.at(10), "offset", "DEMO", -30, "1")
    assert Reason.PULL_COLLAR not in pulled(wide.run())


def test_halt_resume_and_kill(tmp_path: Path) -> None:
    day = Day(tmp_path)
    for step, what in ((10, "halt"), (12, "halt"), (30, "resume"), (50, "kill"), (60, "resume")):
        day.say(day.at(step, 7), what)
    run = day.run()
    stopped = run.quotes[run.quotes["timestamp"] == day.at(10, 7)]
    assert len(stopped) == 3 and set(stopped["reason"]) == {int(Reason.PULL_HALTED)}
    times = run.quotes["timestamp"][run.quotes["action"] == PLACE]
    assert not times.between(day.at(10, 1), day.at(30, 7)).any()
    assert len(placed(run, day.at(31))) == 2
    assert times.max() <= day.at(50)
    assert run.summary["engine_stopped"] == "PULL_KILLED"
    assert any("PULL_KILLED" in note for note in run.manifest["notes"])
    assert run.path["open_orders"].values[-1, 0] == 0


def test_a_halt_is_obeyed_as_fast_as_messages_may_be_sent(tmp_path: Path) -> None:
    """Cancels that the limit holds back follow; nothing else is sent."""
    day = Day(tmp_path, limits={"max_messages": 4, "message_window_s": 1.0, "cancel_reserve": 1})
    day.say(day.at(100), "halt")
    run = day.run(wall)
    open_orders = run.path["open_orders"].values[:, 0]
    assert open_orders[98] == 16 and open_orders[-1] == 0
    after = run.quotes[run.quotes["timestamp"] >= day.at(100)]
    assert set(after["action"]) == {CANCEL, int(ActionKind.PULL)}
    seconds = np.unique(after["timestamp"] // 10**9)
    assert len(seconds) >= 4 and run.summary["engine_throttled"] > 0
    assert most_in_a_second(after["timestamp"][after["action"] == CANCEL].to_numpy()) == 4


def test_limits_bind_from_their_time_on(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.say(day.at(50), "max_order_lots", value=2)
    day.say(day.at(100), "max_open_orders", value=1)
    day.say(day.at(200), "max_loss_ccy", value=1e-9)
    run = day.run()
    orders = run.quotes[run.quotes["action"] == PLACE]
    assert (orders["size"][orders["timestamp"] < day.at(50)] == 5).all()
    assert (orders["size"][orders["timestamp"] >= day.at(50)] <= 2).all()
    open_orders = run.path["open_orders"].values[100:, 0]
    assert open_orders[0] == 2 and open_orders[-1] <= 1  # what works already may stay
    assert (np.diff(open_orders)[open_orders[1:] > 1] <= 0).all()
    assert run.summary["engine_denied"] > 0
    assert run.summary["engine_stopped"] in (None, "PULL_LOSS")


@pytest.mark.parametrize(
    ("config", "deaf"),
    [
        ({}, ["offset", "theo"]),
        ({"strategy": {"name": "maker"}, "quoting": {"half_spread_ticks": 5}}, ["theo"]),
        (
            {
                "strategy": {"name": "maker"},
                "quoting": {"half_spread_ticks": 5, "theo": "external"},
            },
            [],
        ),
    ],
)
def test_a_strategy_that_does_not_listen_is_told_on(config, deaf, tmp_path: Path) -> None:
    """What nobody follows changes nothing but the collar, and the notes say so."""
    day = Day(tmp_path, **config)
    plain = day.run(None)
    day.say(day.at(10), "theo", "DEMO", 100.02)
    day.say(day.at(20), "offset", "DEMO", 0.03)
    run = day.run(None)
    found = [note.split()[3].rstrip(",") for note in run.manifest["notes"] if "trader set" in note]
    assert found == deaf
    assert (run.digest() == plain.digest()) == (deaf == ["offset", "theo"])
    assert not any("trader set" in note for note in plain.manifest["notes"])


def wrong_rows(day: Day) -> np.ndarray:
    """What the file refuses already, handed over by a program instead."""
    rows = np.concatenate([empty_message() for _ in range(3)])
    rows["ts"] = [day.at(20), day.at(20), day.at(30)]
    rows["kind"] = int(MsgKind.LIMITS)
    rows["reason"] = [Limit.MAX_ORDER_LOTS, Limit.MAX_POSITION_LOTS, Limit.MAX_LOSS]
    rows["price"] = [0.0, 0.0, -5.0]
    return rows


def test_what_is_refused_is_noted_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day(tmp_path)
    plain = day.run()
    monkeypatch.setattr("mmquant.trading.halves.read_hand", lambda *_: wrong_rows(day))
    run = day.run()
    assert run.digest() == plain.digest()
    told = run.manifest["told"]
    assert [line["refused"] for line in told] == ["yes"] * 3
    assert [line["what"] for line in told] == [
        "max_order_lots", "max_position_lots", "max_loss_ccy",
    ]  # fmt: skip
    assert not (run.save(tmp_path / "run") / "hand.csv").exists()


@pytest.mark.parametrize(
    ("kind", "code", "value"),
    [(MsgKind.THEO, Hand.OFFSET, np.nan), (MsgKind.LIMITS, Limit.MAX_LOSS, np.inf)],
)
def test_a_number_that_is_none_pulls_until_a_resume(
    kind: MsgKind, code: int, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day(tmp_path)
    rows = np.concatenate([empty_message() for _ in range(2)])
    rows["ts"] = [day.at(20), day.at(30)]
    rows["kind"], rows["reason"] = [int(kind), int(MsgKind.CONTROL)], [code, Control.RESUME]
    rows["price"] = [value, 0.0]
    monkeypatch.setattr("mmquant.trading.halves.read_hand", lambda *_: rows)
    quotes = day.run().quotes
    times = quotes["timestamp"].astype("int64")
    between = quotes[(times >= day.at(20)) & (times < day.at(30))]
    assert set(between["reason"]) == {Reason.PULL_BAD_NUMBER}
    assert len(quotes[(times >= day.at(30)) & (quotes["action"] == ActionKind.PLACE)]) > 0


def test_a_run_can_be_run_again_from_its_folder(tmp_path: Path) -> None:
    day = Day(tmp_path, profile={"beside": None})
    day.say(day.at(10), "theo", "DEMO", 100, 3)
    day.say(day.at(80, 5), "halt")
    day.say(day.at(90), "resume")
    run = mm.backtest(mm.Config.from_dict(day.config), day.tape, strategy=at_theo)
    folder = run.save(tmp_path / "run")
    assert (folder / "hand.csv").read_text() == hand_text(run.manifest["told"])
    again = day.config | {"hand": {"file": str(folder / "hand.csv")}}
    for make in (mm.backtest, mm.replay):
        other = make(mm.Config.from_dict(again), day.tape, strategy=at_theo)
        assert other.digest() == run.digest() and other.manifest["told"] == run.manifest["told"]
    assert run.views["ibkr"].manifest["told"] == run.manifest["told"]
    assert (folder / "views" / "ibkr" / "hand.csv").is_file()


@pytest.mark.parametrize("profile", ["ideal", "ibkr"])
def test_all_sets_of_a_sweep_hear_it(profile: str, tmp_path: Path) -> None:
    day = Day(tmp_path, profile={"name": profile, "beside": []})
    day.say(day.at(50, 3), "offset", "DEMO", 0.02, 5)
    day.say(day.at(120), "halt")
    day.say(day.at(150), "resume")
    day.say(day.at(200), "max_order_lots", value=1)
    config = mm.Config.from_dict(day.config | {"strategy": {"params": {"order_lots": 5}}})
    key, values = "strategy.params.half_spread_ticks", [0, 0.5, 1]
    found = mm.sweep(config, day.tape, grid={key: values}, threads=1)
    for value in values:
        run = mm.backtest(config.replaced({key: value}), day.tape)
        one = found.sel({key: value})
        for name in ("net_pnl", "fills", "messages", "volume"):
            assert float(one[name]) == run.summary[name]
        assert len(run.manifest["told"]) == 4 and run.summary["messages"] > 5


@pytest.mark.parametrize("on", TRIGGERS)
def test_what_is_said_after_the_end_is_not_heard(on: list[str], tmp_path: Path) -> None:
    """The file of a whole day fits its first half minute, whatever asks for decisions."""
    day = Day(tmp_path, decision={"on": on})
    plain = day.run()
    for hours in (1, 2, 24 * 365):
        day.say(day.at(hours * 36_000), "kill")
    run = day.run()
    assert run.digest() == plain.digest() and run.manifest["told"] == []
    assert run.summary["engine_stopped"] is None
    day.say(day.at(10), "kill")
    killed = day.run()
    assert len(killed.manifest["told"]) == 1 and killed.summary["engine_stopped"] == "PULL_KILLED"


def test_a_line_without_a_time_is_none_for_a_tape(tmp_path: Path) -> None:
    day = Day(tmp_path)
    mm.TraderHand(day.file).halt()
    for make in (mm.backtest, mm.replay):
        with pytest.raises(DataError, match=r"the line has no time — .*hand.csv, line 2 — .*time"):
            make(mm.Config.from_dict(day.config), day.tape, strategy=at_theo)
