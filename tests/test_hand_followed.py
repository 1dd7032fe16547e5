"""Lines that are added to a followed file while a replay runs: obeyed, and written down exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmquant as mm
from mmquant.core.dtypes import Control
from mmquant.data.contracts import Contract
from mmquant.data.hand import hand_text
from mmquant.data.hand_fields import time_of
from mmquant.data.runs import Run
from mmquant.errors import ConfigError, DataError
from mmquant.live.inbox import Inbox
from tests.hand_messages import HEADER, MESSAGES, ORDERS, TRIGGERS, config_of
from tests.nosy import nosy
from tests.subscriber import three_books

STEP_NS = 100_000_000


class Followed:
    """A replay that follows a file, to which something is done after given decisions."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = folder / "hand.csv"
        self.tape = mm.make_demo_tape(seed=4, minutes=0.2)
        self.start = int(self.tape["exch_ts"].values[0])
        self.config: dict[str, Any] = {
            "hand": {"file": str(self.file)}, "profile": {"beside": []}
        }  # fmt: skip
        # The loop tells how far it is after each decision, not only now and then.
        monkeypatch.setattr("mmquant.live.loop.DRAIN_EVERY", 1)

    def at(self, step: int, ns: int = 0) -> int:
        """Time of a decision, counted from 1, and some ns."""
        return self.start + step * STEP_NS + ns

    def add(self, text: str | bytes) -> None:
        with self.file.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def run(self, actions: dict[int, Callable[[], None]], strategy: Any = None) -> Run:
        steps = 0

        def after(_done: int, _rows: int) -> None:
            nonlocal steps
            steps += 1
            actions.get(steps, lambda: None)()

        return mm.replay(
            mm.Config.from_dict(self.config),
            self.tape,
            strategy=strategy,
            progress=after,
            follow=True,
        )

    def again(self, run: Run, strategy: Any = None) -> None:
        """What it was told, as a file, gives the same in both pairings."""
        self.file.write_text(hand_text(run.manifest["told"]))
        config = mm.Config.from_dict(self.config)
        for make in (mm.backtest, mm.replay):
            other = make(config, self.tape, strategy=strategy)
            assert other.digest() == run.digest()
            assert other.manifest["told"] == run.manifest["told"]


@pytest.fixture
def followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    return Followed(tmp_path, monkeypatch)


def told(run: Run) -> list[tuple[str, str, str]]:
    return [(line["what"], line["for_s"], line["refused"]) for line in run.manifest["told"]]


def times(run: Run) -> list[int]:
    return [time_of(line["time"]) for line in run.manifest["told"]]


def test_a_line_without_a_time_is_that_of_the_moment_it_is_read(followed: Followed) -> None:
    hand = mm.TraderHand(followed.file)
    run = followed.run(
        {10: hand.halt, 30: hand.resume, 40: lambda: hand.theo("DEMO", 100.0, for_s=1.5)}
    )
    assert told(run) == [("halt", "", ""), ("resume", "", ""), ("theo", "1.5", "")]
    assert times(run) == [followed.at(10, 1), followed.at(30, 1), followed.at(40, 1)]
    placed = run.quotes["timestamp"][run.quotes["action"] == 1]
    assert not placed.between(followed.at(10, 1), followed.at(30, 1)).any()
    assert placed.isin([followed.at(31)]).sum() == 2
    assert set(run.quotes["reason"][run.quotes["timestamp"] == followed.at(10, 1)]) == {9 - 1}
    followed.again(run)


def test_what_is_there_at_the_start_holds_from_the_start(followed: Followed) -> None:
    mm.TraderHand(followed.file).halt()
    run = followed.run({})
    assert times(run) == [followed.start] and not len(run.orders)
    followed.again(run)


def test_a_file_may_appear_later(followed: Followed) -> None:
    assert not followed.file.exists()
    run = followed.run({20: mm.TraderHand(followed.file).halt})
    assert times(run) == [followed.at(20, 1)]
    assert run.orders["submit_time"].max() <= followed.at(20)
    followed.again(run)


def test_a_file_that_never_appears_says_nothing(followed: Followed) -> None:
    run = followed.run({})
    plain = mm.Config.from_dict(followed.config | {"hand": {}})
    assert run.manifest["told"] == [] and run.digest() == mm.replay(plain, followed.tape).digest()
    followed.file.touch()
    assert followed.run({}).digest() == run.digest()


def test_half_a_line_waits_for_its_end(followed: Followed) -> None:
    run = followed.run(
        {
            5: lambda: followed.add("\n" + HEADER[:7]),
            10: lambda: followed.add(HEADER[7:] + ",,ha"),
            15: lambda: followed.add("lt,"),
            20: lambda: followed.add(","),
            25: lambda: followed.add("\r\n,,resume,,"),
        }
    )
    assert told(run) == [("halt", "", "")] and times(run) == [followed.at(25, 1)]
    followed.again(run)


def test_half_a_character_waits_for_its_end(tmp_path: Path) -> None:
    contract = Contract.equity(0, "ÄÖ", venue="XETR")
    file = tmp_path / "hand.csv"
    line = f"{HEADER},ÄÖ,theo,5,\n".encode()
    cut = line.index("Ö".encode()) + 1
    inbox = Inbox(follow=file, contracts=[contract])
    file.write_bytes(line[:cut])
    inbox.poll(10)
    assert inbox.next_ts > 10**18
    file.write_bytes(line)
    inbox.poll(11)
    assert inbox.next_ts == 11 and inbox.take()["price"].tolist() == [5.0]


def test_the_time_of_a_line_counts(followed: Followed) -> None:
    """A time to come is waited for; of one that is over, only what is left of for_s holds."""
    at = followed.at
    lines = [
        f"{at(40, 5)},,halt,,\n",
        f"{at(30)},,resume,,\n",
        f"{at(8)},DEMO,theo,100,10\n",
        f"{at(9)},DEMO,offset,1,0.1\n",
        f"{at(9)},DEMO,offset,1,0.100000002\n",
        f"{at(9)},DEMO,offset,0.25,\n",
        f"{at(9)},DEMO,theo,101,0.01\n",
    ]
    run = followed.run({10: lambda: followed.add(HEADER + "".join(lines))})
    assert [(line["what"], line["value"], line["for_s"]) for line in run.manifest["told"]] == [
        ("theo", "100.0", "9.799999999"),
        ("offset", "0.0", ""),  # it is over
        ("offset", "1.0", "0.000000001"),
        ("offset", "0.25", ""),
        ("theo", "", ""),  # over too
        ("resume", "", ""),
        ("halt", "", ""),
    ]
    assert times(run) == [*[at(10, 1)] * 5, at(30), at(40, 5)]
    followed.again(run)


def test_the_same_file_given_beforehand_does_the_same(followed: Followed) -> None:
    """Following is no different, for lines of yesterday and in no order too."""
    at = followed.at
    followed.add(
        HEADER
        + f"{at(-500)},DEMO,offset,0.5,60\n{at(-500)},DEMO,theo,1,49\n{at(-600)},DEMO,theo,99,\n"
        + f"{at(10)},DEMO,theo,100,1\n"
        + f"{at(20)},,halt,,\n{at(25, 1)},,resume,,\n{at(50)},DEMO,offset,-0.03,\n"
    )
    run = followed.run({}, nosy)
    before = mm.backtest(mm.Config.from_dict(followed.config), followed.tape, strategy=nosy)
    assert run.digest() == before.digest()
    followed.again(run, nosy)


def test_a_wrong_line_stops_with_its_number(followed: Followed) -> None:
    with pytest.raises(DataError, match=r"'XYZ' is not on the tape — .*hand\.csv, line 5 — give"):
        followed.run(
            {
                5: lambda: followed.add(HEADER + "\n,,halt,,\n"),
                10: lambda: followed.add(",,resume,,\n,XYZ,theo,1,\n"),
            }
        )


def test_a_file_that_becomes_shorter_is_no_longer_the_same(followed: Followed) -> None:
    followed.add(HEADER + ",,halt,,\n")
    with pytest.raises(DataError, match=r"become shorter .*hand\.csv — only add lines"):
        followed.run({5: lambda: followed.file.write_text(HEADER)})


def test_following_needs_a_file(followed: Followed) -> None:
    followed.config["hand"] = {}
    with pytest.raises(ConfigError, match=r"no file to follow — hand\.file — name one"):
        followed.run({})


def test_other_lines_of_an_inbox_keep_their_order(tmp_path: Path) -> None:
    """Of the same time: what was known before, then as they stand in the file."""
    file = tmp_path / "hand.csv"
    inbox = Inbox(follow=file, contracts=[Contract.equity(0, "A", venue="X")])
    file.write_text(HEADER + ",,halt,,\n1700000000000000005,,kill,,\n,,resume,,\n")
    inbox.poll(1_700_000_000_000_000_005)
    reasons = [int(inbox.take()["reason"][0]) for _ in range(3)]
    assert reasons == [Control.HALT, Control.KILL, Control.RESUME]
    assert len(inbox.taken()) == 3


def follow_property(examples: int) -> Any:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(TRIGGERS),
        st.booleans(),
        st.sampled_from(ORDERS),
        st.lists(
            st.tuples(
                st.integers(0, 60),
                st.none() | st.integers(-10 * STEP_NS, 10 * STEP_NS),
                MESSAGES,
            ),
            min_size=1,
            max_size=10,
        ),
    )
    def check(followed: Followed, on: Any, ibkr: bool, orders: Any, said: Any) -> None:
        followed.config = config_of(on, ibkr, orders=orders) | {"hand": followed.config["hand"]}
        followed.file.write_text(HEADER)
        actions: dict[int, Callable[[], None]] = {}
        for step, when, message in said:
            time = "" if when is None else str(followed.start + 20 * STEP_NS + when)
            line = ",".join((time, *[message[i] for i in (1, 0, 2, 3)])) + "\n"
            before = actions.get(step, lambda: None)
            actions[step] = lambda before=before, line=line: (before(), followed.add(line))
        run = followed.run(actions, nosy)
        followed.again(run, nosy)

    return check


def test_random_lines_at_random_steps_play_again(followed: Followed) -> None:
    followed.tape = three_books(3, jitter=True, rows=100)
    followed.start = int(followed.tape["exch_ts"].values[0])
    follow_property(8)(followed)


@pytest.mark.soak
def test_more_random_lines_play_again(followed: Followed) -> None:
    followed.tape = three_books(3, jitter=True, rows=100)
    followed.start = int(followed.tape["exch_ts"].values[0])
    follow_property(600)(followed)
