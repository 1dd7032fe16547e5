"""Measured latencies in both pairings, and the limits that runs keep over a whole tape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mmquant as mm
from mmquant.core.latency import entry_latency, response_latency
from mmquant.data.files import file_digest
from mmquant.data.latency_file import read_knots
from mmquant.strategies.demo import demo_tape
from tests.test_parity import BASE, assert_same, mean_reverting


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 20_000))


def write(file: Path, ts: np.ndarray, entry: np.ndarray, response: np.ndarray) -> Path:
    frame = pd.DataFrame({"ts": ts, "entry_ns": entry, "response_ns": response})
    frame.to_csv(file, index=False) if file.suffix == ".csv" else frame.to_parquet(file)
    return file


def random_file(file: Path, tape, seed: int) -> Path:
    """Measurements every few seconds, up to 0.8 s: some fall faster than time goes by.

    Not down to nanoseconds, in which a strategy that answers its own events would never be done.
    """
    rng = np.random.default_rng(seed)
    start, end = (int(t) for t in tape["exch_ts"].values[[0, -1]])
    ts = np.unique(rng.integers(start - 10**10, end + 10**10, 200))
    slow = [rng.choice([500_000, 20_000_000, 800_000_000], len(ts)) for _ in range(2)]
    return write(file, ts, *((x * rng.uniform(0.2, 1.0, len(ts))).astype(int) for x in slow))


@pytest.mark.parametrize(
    ("seed", "on", "suffix", "strategy"),
    [
        (1, ["timer"], ".csv", None),
        (2, ["trade", "own"], ".parquet", mean_reverting),
        *(
            pytest.param(s, ["timer", "own"], ".csv", mean_reverting, marks=pytest.mark.soak)
            for s in range(3, 30)
        ),
    ],
)
def test_random_latencies_give_the_same_in_both_pairings(
    seed, on, suffix, strategy, tape, tmp_path
):
    file = random_file(tmp_path / f"latency{suffix}", tape, seed)
    given = {} if strategy else BASE["strategy"]
    config = {"latency": {"file": str(file)}, "decision": {"on": on}, "strategy": given}
    config["limits"] = {"max_position_lots": 60}
    run = assert_same(config, tape, strategy)
    assert len(run.fills) > 10
    knots = read_knots(file)
    took = (run.fills["timestamp"] - run.fills["exch_ts"]).tolist()
    least = [int(response_latency(knots, ts)) for ts in run.fills["exch_ts"]]
    assert all(a >= b for a, b in zip(took, least, strict=True))
    assert sum(a == b for a, b in zip(took, least, strict=True)) > len(took) / 2
    assert run.fills["timestamp"].is_monotonic_increasing
    acked = run.orders[run.orders["ack_time"] > 0]
    fastest = [int(entry_latency(knots, ts)) for ts in acked["submit_time"]]
    assert ((acked["ack_time"] - acked["submit_time"]).to_numpy() > fastest).all()


def test_measurements_that_never_change_are_a_constant_latency(tape, tmp_path):
    start = int(tape["exch_ts"].values[0])
    ts = start + np.arange(-3, 9) * 1_000_000_000
    file = write(tmp_path / "l.csv", ts, np.full(12, 7_000_000), np.full(12, 40_000_000))
    measured = mm.Config.from_dict(BASE | {"latency": {"file": str(file), "entry_ns": 1}})
    constant = {"entry_ns": 7_000_000, "response_ns": 40_000_000}
    for way in (mm.backtest, mm.replay):
        run = way(measured, tape)
        assert run.digest() == way(mm.Config.from_dict(BASE | {"latency": constant}), tape).digest()
    assert len(run.fills) > 10


def test_the_file_is_an_input_of_the_run_and_its_notes_tell_of_it(tape, tmp_path):
    file = random_file(tmp_path / "latency.csv", tape, 4)
    (tmp_path / "run.yaml").write_text("latency: {file: latency.csv}\n")
    run = mm.backtest(mm.Config.load(tmp_path / "run.yaml", env={}), tape)
    assert file_digest(file) in run.manifest["inputs"]
    assert run.manifest["config"]["latency"]["file"] == "latency.csv"
    assert any("interpolated between 200 measured" in note for note in run.manifest["notes"])
    back = mm.load_run(run.save(tmp_path / "run"))
    assert back.manifest == run.manifest


def test_no_second_of_a_run_has_more_messages_than_the_limit(tape):
    limits = {"max_messages": 4, "cancel_reserve": 1, "message_window_s": 1.5}
    config = mm.Config.from_dict({"limits": limits})
    run = mm.backtest(config, tape, strategy=mean_reverting)
    free = mm.backtest(mm.Config(), tape, strategy=mean_reverting)
    messages = run.quotes[run.quotes["action"] <= int(mm.ActionKind.CANCEL)]
    times = messages["timestamp"].to_numpy()
    before = np.arange(len(times)) - np.searchsorted(times, times - 1_500_000_000, "right")
    most = np.where(messages["action"] == int(mm.ActionKind.CANCEL), 4, 3)
    assert (before < most).all()
    assert (before == 3).any()
    assert run.summary["engine_throttled"] > 0
    assert free.summary["engine_throttled"] == 0
    assert len(messages) < (free.quotes["action"] <= int(mm.ActionKind.CANCEL)).sum()


def test_a_reserve_that_leaves_no_message_is_refused():
    with pytest.raises(mm.MMQuantError, match="cancel_reserve must be below max_messages"):
        mm.Config.from_dict({"limits": {"max_messages": 3, "cancel_reserve": 3}})
    mm.Config.from_dict({"limits": {"cancel_reserve": 3}})
