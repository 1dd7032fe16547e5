"""What a trader says while a strategy runs: obeyed at its time, the same in both pairings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.dtypes import ActionKind, Hand, Limit, MsgKind, Reason
from mmquant.core.engine import empty_message
from mmquant.data.hand import hand_text
from mmquant.data.hand_fields import COLUMNS
from mmquant.data.runs import Run
from mmquant.errors import DataError
from tests.nosy import nosy
from tests.test_parity import assert_same
from tests.trading.test_profiles import most_in_a_second, three_books

HEADER = ",".join(COLUMNS) + "\n"
PLACE, CANCEL = int(ActionKind.PLACE), int(ActionKind.CANCEL)
ORDERS: tuple[dict, ...] = ({}, {"requote": "modify"}, {"tif": "gtd", "lifetime_s": 0.3})
TRIGGERS = (["timer"], ["book"], ["trade"], ["timer", "own"], ["timer", "book", "trade", "own"])


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


@pytest.fixture(scope="module")
def tapes() -> list[Any]:
    """Received in order, and not."""
    return [three_books(seed, jitter=seed == 1, rows=100) for seed in (0, 1)]


TIMES: dict[str, list[int]] = {}


def times_of(tape: Any, config: dict) -> list[int]:
    """When something happens if nobody says anything: decisions, and what comes of own orders."""
    key = f"{tape.sizes} {tape['local_ts'].values[-1]} {config}"
    if key not in TIMES:
        TIMES[key] = _times(mm.backtest(mm.Config.from_dict(config), tape, strategy=nosy))
    return TIMES[key]


def _times(run: Run) -> list[int]:
    times = [run.path["time"].values, run.fills["timestamp"].to_numpy()]
    times += [run.orders[name].to_numpy() for name in ("ack_time", "cancel_time")]
    found = np.unique(np.concatenate(times))
    return found[found > 0].tolist()


MESSAGES = st.one_of(
    st.tuples(
        st.sampled_from(["theo", "offset"]),
        st.sampled_from(["0", "2"]),
        st.sampled_from(["", "10", "10.03", "-0.02", "0.05", "1000"]),
        st.sampled_from(["", "0.000000001", "0.05", "0.1", "2"]),
    ).map(lambda m: (m[0], m[1], m[2] or ("" if m[0] == "theo" else "0"), m[3])),
    st.sampled_from(["halt", "resume", "resume"]).map(lambda what: (what, "", "", "")),
    st.tuples(
        st.sampled_from(["max_position_lots", "max_order_lots", "max_open_orders"]),
        st.sampled_from(["1", "3", "20"]),
    ).map(lambda m: (m[0], "", m[1], "")),
    st.sampled_from([("kill", "", "", ""), ("max_loss_ccy", "", "0.01", "")]),
)
"""What, symbol, value and for_s."""
WHEN = st.tuples(st.integers(0, 10**6), st.sampled_from([0, 0, 0, 1, -1, 10_000_000]))
"""One of the times of the run, and how far from it. [ns]"""


def config_of(on: list[str], subscriber: bool, **more: Any) -> dict[str, Any]:
    profile = {"name": "ibkr" if subscriber else "ideal", "beside": []}
    return {
        "decision": {"interval_ns": 50_000_000, "on": on},
        "latency": {"entry_ns": 1_000_000, "response_ns": 30_000_000},
        "limits": {"one_sided": "hold", "max_position_lots": 30},
        "profile": profile | {"ibkr": {"depth_symbols": ["2"]}},
    } | more


def same_whatever_is_said(folder: Path, tape: Any, config: dict, said: Any) -> Run:
    """Both pairings do the same, and so do they with what the run says it was told."""
    times = [*times_of(tape, config), *tape["local_ts"].values.tolist()]
    times += [times[0] - 10**9, max(times) + 10**9]
    lines = [
        f"{times[which % len(times)] + shift},{symbol},{what},{value},{for_s}\n"
        for (which, shift), (what, symbol, value, for_s) in said
    ]
    file = folder / "hand.csv"
    file.write_text(HEADER + "".join(lines))
    run = assert_same(config | {"hand": {"file": str(file)}}, tape, nosy)
    file.write_text(hand_text(run.manifest["told"]))
    again = mm.backtest(mm.Config.from_dict(config | {"hand": {"file": str(file)}}), tape,
                        strategy=nosy)  # fmt: skip
    assert again.digest() == run.digest() and again.manifest["told"] == run.manifest["told"]
    return run


def hand_property(examples: int) -> Any:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.integers(0, 1),
        st.sampled_from(TRIGGERS),
        st.booleans(),
        st.sampled_from(ORDERS),
        st.lists(st.tuples(WHEN, MESSAGES), min_size=1, max_size=12),
    )
    def check(
        folder: Path, tapes: list[Any], which: int, on: Any, ibkr: bool, orders: Any, said: Any
    ) -> None:
        same_whatever_is_said(folder, tapes[which], config_of(on, ibkr, orders=orders), said)

    return check


def test_random_messages_do_the_same_in_both_pairings(tmp_path: Path, tapes: list[Any]) -> None:
    hand_property(10)(tmp_path, tapes)


@pytest.mark.soak
def test_more_random_messages_do_the_same(tmp_path: Path, tapes: list[Any]) -> None:
    hand_property(600)(tmp_path, tapes)


# --- what messages do -----------------------------------------------------------


class Day:
    """A minute of one stock, decided each 100 ms, and what a trader says in it."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.tape = mm.make_demo_tape(seed=4, minutes=0.5)
        self.file = folder / "hand.csv"
        self.file.write_text(HEADER)
        self.config = {"hand": {"file": str(self.file)}, "profile": {"beside": []}} | config
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


def wrong_rows(day: Day) -> np.ndarray:
    """What the file refuses already, handed over by a program instead."""
    rows = np.concatenate([empty_message() for _ in range(4)])
    rows["ts"] = [day.at(20), day.at(20), day.at(30), day.at(40)]
    rows["kind"] = [int(MsgKind.LIMITS)] * 3 + [int(MsgKind.THEO)]
    rows["reason"] = [Limit.MAX_ORDER_LOTS, Limit.MAX_POSITION_LOTS, Limit.MAX_LOSS, Hand.OFFSET]
    rows["price"] = [0.0, -5.0, np.nan, np.nan]
    rows["lots"] = [0, -5, 0, 0]
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
    assert [line["refused"] for line in told] == ["yes"] * 4
    assert [line["what"] for line in told] == [
        "max_order_lots", "max_position_lots", "max_loss_ccy", "offset",
    ]  # fmt: skip
    assert not (run.save(tmp_path / "run") / "hand.csv").exists()


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


def test_a_line_without_a_time_is_none_for_a_tape(tmp_path: Path) -> None:
    day = Day(tmp_path)
    mm.TraderHand(day.file).halt()
    for make in (mm.backtest, mm.replay):
        with pytest.raises(DataError, match=r"the line has no time — .*hand.csv, line 2 — .*time"):
            make(mm.Config.from_dict(day.config), day.tape, strategy=at_theo)
