"""A run over a mapped tape is that over the same tape in memory, wherever it pauses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import mmquant as mm
from mmquant.data import mapping
from mmquant.data.mapping import map_of
from mmquant.data.readers import read_tape, write_tape
from mmquant.data.runs import Run
from mmquant.data.synthetic import make_random_tape
from mmquant.data.tape import COLUMNS, contracts_of, make_tape
from mmquant.live.replay import replay
from mmquant.trading import compiled

ROOT = Path(__file__).parents[2]
TAPES = ("several", "late rows")
ALL = ["timer", "book", "trade", "own"]
CASES: dict[str, dict[str, Any]] = {
    "timer": {},
    "every event": {"decision": {"on": ALL}},
    "own events": {"decision": {"on": ["timer", "own"]}},
    "later receipt": {"latency": {"feed_offset_ns": 30_000_000}},
    "as a subscriber": {"profile": {"name": "ibkr", "beside": ["ideal"]}},
    "maker": {"strategy": {"name": "maker"}, "quoting": {"half_spread_ticks": 1}},
}


def market(name: str) -> xr.Dataset:
    if name == "several":
        return mm.make_demo_tape(seed=2, minutes=0.2, instruments=3)
    tape = make_random_tape(1_200, seed=5, rate_scale=2.0)
    columns = {name: tape[name].values for name in COLUMNS}
    late = np.random.default_rng(1).integers(0, 300_000_000, 1_200)
    columns["local_ts"] = columns["local_ts"] + late
    return make_tape(columns, contracts_of(tape), source={"format": "test"}, date="2024-01-02")


def same(one: Run, other: Run) -> None:
    assert one.digest() == other.digest()
    assert one.manifest == other.manifest
    assert one.views.keys() == other.views.keys()
    for name, view in one.views.items():
        same(view, other.views[name])


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    rows = int(request.param)
    monkeypatch.setattr(mapping, "PIECE_ROWS", rows)
    monkeypatch.setattr(mapping, "SPILL_BYTES", 0)
    monkeypatch.setattr(compiled, "PIECE_ROWS", rows)
    return rows


@pytest.fixture(scope="module")
def whole() -> dict[tuple[str, str], Run]:
    """Runs over the tapes in memory, in one piece."""
    return {
        (tape, case): mm.backtest(mm.Config.from_dict(CASES[case]), market(tape))
        for tape in TAPES
        for case in CASES
    }


def test_the_markets_have_what_they_are_there_for(whole: dict[tuple[str, str], Run]) -> None:
    assert "local_order" in market("late rows") and "local_order" not in market("several")
    assert all(len(run.orders) > 5 for run in whole.values())
    assert sum(len(run.fills) for run in whole.values()) > 20
    assert any(run.views for run in whole.values())


@pytest.mark.parametrize(
    ("tape", "case", "cut"),
    [(tape, case, 61) for tape in TAPES for case in CASES]
    + [("several", "own events", 1), ("several", "timer", 2), ("late rows", "every event", 1)],
    indirect=["cut"],
)
def test_a_mapped_tape_gives_the_same_run(
    tmp_path: Path, tape: str, case: str, cut: int, whole: dict[tuple[str, str], Run]
) -> None:
    mapped = read_tape("mapped", write_tape(market(tape), tmp_path / "a.tape"))
    config = mm.Config.from_dict(CASES[case])
    run = mm.backtest(config, mapped)
    assert run.digest() == whole[tape, case].digest()
    same(run, mm.backtest(config, market(tape)))
    assert map_of(run.path["equity"].values) is not None
    loaded = Run.load(run.save(tmp_path / "run"))
    assert loaded.digest() == whole[tape, case].digest()


@pytest.mark.parametrize("cut", [1, 7], indirect=True)
@pytest.mark.parametrize("case", ["timer", "every event", "own events"])
def test_a_pause_changes_nothing(cut: int, case: str, whole: dict[tuple[str, str], Run]) -> None:
    """The same loop over the tape in memory, stopped before every row."""
    stops = []
    config = mm.Config.from_dict(CASES[case])
    run = mm.backtest(config, market("late rows"), progress=lambda *done: stops.append(done))
    assert len(stops) >= 1_200 // cut
    assert run.digest() == whole["late rows", case].digest()


@pytest.mark.parametrize("cut", [61], indirect=True)
@pytest.mark.parametrize("case", ["timer", "every event"])
def test_a_replay_walks_a_mapped_tape_too(
    tmp_path: Path, case: str, cut: int, whole: dict[tuple[str, str], Run]
) -> None:
    mapped = read_tape("mapped", write_tape(market("late rows"), tmp_path / "a.tape"))
    run = replay(mm.Config.from_dict(CASES[case]), mapped)
    assert run.digest() == whole["late rows", case].digest()


@pytest.mark.parametrize("cut", [61], indirect=True)
def test_a_sweep_shares_the_maps(tmp_path: Path, cut: int) -> None:
    tape = market("several")
    mapped = read_tape("mapped", write_tape(tape, tmp_path / "a.tape"))
    grid = {"strategy.params.half_spread_ticks": [1.0, 2.0], "latency.entry_ns": [10**6, 10**7]}
    one, other = (mm.sweep(tape=t, grid=grid, paths=True, threads=2) for t in (tape, mapped))
    assert one.identical(other)


MEASURE = """
import sys
import mmquant as mm
from mmquant.console import peak_memory_mb
from mmquant.data.readers import read_tape
from mmquant.data.synthetic import make_random_tape
path, rows = sys.argv[1], int(sys.argv[2])
tape = read_tape("mapped", path) if path else make_random_tape(rows)
config = mm.Config.from_dict({"decision": {"interval_ns": 10**9}})
run = mm.backtest(config, tape)
print(run.digest(), peak_memory_mb())
"""


@pytest.mark.soak
def test_memory_does_not_grow_with_the_tape(tmp_path: Path) -> None:
    """5 and 20 million rows: 720 MB more of columns; only the tables of the run grow."""
    from mmquant.data.synthetic import write_random_tape

    def peak(path: str, rows: int) -> tuple[str, float]:
        command = [sys.executable, "-c", MEASURE, path, str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        digest, found = done.stdout.split()
        return digest, float(found)

    for rows in (5_000_000, 20_000_000):
        write_random_tape(tmp_path / f"{rows}.tape", rows)
    small = peak(str(tmp_path / "5000000.tape"), 0)
    large = peak(str(tmp_path / "20000000.tape"), 0)
    memory = peak("", 5_000_000)
    assert small[0] == memory[0]
    assert large[1] < 600 < memory[1]
    assert large[1] - small[1] < 300
