"""The live loop with its journal: decision time over the events that send, and memory.

    python -m tests.benchmarks.live_loop --json            # a fifth of a million rows
    python -m tests.benchmarks.live_loop --json --full     # 10 million rows, 200,000 order events

One instrument, three layers a side, the simulated broker over a generated market. Timed is each
step that sends: from the event handed to the local half until its orders are with the broker,
risk and the journal's ``write()`` included (``p99_cpu_us``: without the time that the machine gave
to others). Then a throttle storm: the strategy wants ten times
what the limit lets pass, by changes and by cancels with new orders, and is halted again and again;
the wait is from the halt to the last of its cancels, by the broker's clock, against one slot
(window / limit).
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from mmquant.brokers.sim import SimBroker
from mmquant.config import Config
from mmquant.core.book import make_book
from mmquant.core.dtypes import MSG, ActionKind, Control, MsgKind
from mmquant.core.engine import Tape
from mmquant.core.exchange import make_exchange
from mmquant.data.store.run_folder import RunFolder
from mmquant.data.synthetic import make_random_tape, random_chunks
from mmquant.live.inbox import Inbox
from mmquant.live.kill import KillSwitch
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import fresh_step, new_journal
from mmquant.trading.halves import (
    DAY_END,
    exchange_state,
    open_session,
    tape_columns,
    triggers_of,
)
from tests.benchmarks.harness import environment, note, parser, show

TARGET_US = 50.0
FLAT_MB = 1.0
"""What the allocator may still move about."""
SETTINGS = {
    "strategy": {"name": "maker"},
    "quoting": {
        "half_spread_ticks": 1,
        "order_lots": 2,
        "skew": {"ticks": 0.05},
        "layers": [{"offset_ticks": 0}, {"offset_ticks": 1}, {"offset_ticks": 3}],
        "max_position_lots": 200,
    },
    "limits": {"max_position_lots": 400, "max_loss_ccy": 1e6},
    "decision": {"interval_ns": 100_000_000},
}
STORM = {
    "decision": {"interval_ns": 2_000_000},
    "quoting": SETTINGS["quoting"] | {"placement": "free"},
    "limits": SETTINGS["limits"]
    | {"max_messages": 50, "message_window_s": 1.0, "cancel_reserve": 10},
}


class TimedBroker:
    """The simulated broker, with a clock on both ends of each step."""

    def __init__(self, broker: SimBroker, sends: int) -> None:
        self._broker = broker
        self.start_ts = broker.start_ts
        self.more_after, self.cancel_account = broker.more_after, broker.cancel_account
        self.began, self.sends, self.answers = 0, 0, 0
        self.cpu_began = 0
        # Full, not zeros: pages that are first touched later would look like growth of the loop.
        self.times, self.cpu = np.full(sends, 1, np.int64), np.full(sends, 1, np.int64)
        self.rss: list[tuple[int, int]] = []
        self._next_rss, self._every = 0, max(1, broker._rows // 10)

    def next_message(self, until: int) -> np.ndarray | None:
        rows = self._broker.next_message(until)
        if rows is not None and rows.shape[0] == 1 and rows is self._broker._answer:
            self.answers += 1
        if self._broker.rows_received >= self._next_rss:
            self.rss.append((self._broker.rows_received, rss_kb()))
            self._next_rss += self._every
        return rows

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        self._broker.send(actions, n, ts)
        self.times[self.sends] = time.perf_counter_ns() - self.began
        self.cpu[self.sends] = time.thread_time_ns() - self.cpu_began
        self.sends = (self.sends + 1) % len(self.times)


class TimedStep:
    """The live step, noting when it was called."""

    def __init__(self, step: Any, broker: TimedBroker) -> None:
        self.__dict__.update(step=step, broker=broker)

    def __call__(self, *given: Any) -> Any:
        self.broker.cpu_began = time.thread_time_ns()
        self.broker.began = time.perf_counter_ns()
        return self.step(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.step, name, value)


def rss_kb() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def market(rows: int, seed: int) -> tuple[xr.Dataset, Tape]:
    """A small tape for the contracts, and the columns of a long one."""
    small = make_random_tape(1000, seed=seed)
    parts = list(random_chunks(rows, seed))
    columns = {name: np.concatenate([p.pop(name) for p in parts]) for name in list(parts[0])}
    columns.setdefault("subtick", np.zeros(rows, np.float32))
    columns.setdefault("local_ts", columns["exch_ts"])
    names = ("exch_ts", "local_ts", "kind", "side", "tick", "subtick", "size")
    like = tape_columns(small, Config())
    given = {name: np.ascontiguousarray(columns[name], getattr(like, name).dtype) for name in names}
    return small, Tape(**given, inst=np.zeros(rows, np.int16), order=np.zeros(0, np.int64))


def make_loop(
    settings: dict[str, Any], small: xr.Dataset, columns: Tape, folder: Path, inbox: Inbox
) -> tuple[LiveLoop, TimedBroker]:
    session = open_session(Config.from_dict(settings), small)
    config = session.config
    step = fresh_step(session, keep_logs=False)
    exchange = make_exchange(
        book=make_book(1),
        instrument=step.local.instrument,
        state=exchange_state(config, step.local.live.shape[1], DAY_END),
        sets=1,
    )
    broker = TimedBroker(SimBroker(exchange, columns, triggers=triggers_of(config)), 4_000_000)
    loop = LiveLoop(
        broker,
        TimedStep(step, broker),
        interval_ns=config.decision.interval_ns,
        triggers=triggers_of(config),
        inbox=inbox,
        journal=new_journal(RunFolder(folder), session, step),
        switch=KillSwitch(),
    )
    return loop, broker


def measure(a: argparse.Namespace, folder: Path) -> dict[str, Any]:
    rows = 10_000_000 if a.full else a.rows
    small, columns = market(rows, a.seed)
    # Compiles, and warms the caches.
    few = Tape(*(column[:5_000] for column in columns))
    make_loop(SETTINGS, small, few, folder / "warm", Inbox())[0].run()
    loop, broker = make_loop(SETTINGS, small, columns, folder / "run", Inbox())
    started = time.perf_counter()
    loop.run()
    seconds = time.perf_counter() - started
    times = np.sort(broker.times[: broker.sends]) / 1e3
    cpu = np.sort(broker.cpu[: broker.sends]) / 1e3
    p50, p99, p999 = (float(times[int(q * (len(times) - 1))]) for q in (0.5, 0.99, 0.999))
    broker.rss.append((broker._broker.rows_received, rss_kb()))
    for received, kb in broker.rss:
        note(f"{received:>12,} rows  {kb / 1024:8.1f} MB")
    warm = [kb for received, kb in broker.rss if received >= rows // 10]
    growth_mb = (max(warm) - warm[0]) / 1024
    flat = growth_mb <= FLAT_MB
    note(f"memory after the first tenth: {'flat' if flat else 'NOT flat'}, {growth_mb:+.2f} MB")
    state = loop.step.local.set[0]
    result: dict[str, Any] = {
        "p99_us": round(p99, 2),
        "target_us": TARGET_US,
        "within_target": p99 <= TARGET_US,
        "p50_us": round(p50, 2),
        "p999_us": round(p999, 2),
        "max_us": round(float(times[-1]), 1),
        "p99_cpu_us": round(float(cpu[int(0.99 * (len(cpu) - 1))]), 2),
        "sends": len(times),
        "rows": rows,
        "order_events": broker.answers + int(state["messages"]),
        "answers": broker.answers,
        "rows_per_s": round(rows / seconds),
        "rss_growth_mb": round(growth_mb, 2),
        "rss_flat": flat,
        "rss_mb": round(warm[-1] / 1024, 1),
        "executions_mb": round(loop.step.local.executed.nbytes / 2**20, 1),
        "journal_frames": loop.journal.sequence if loop.journal else 0,
    }
    storms = {way: storm(small, columns, folder, way) for way in ("modify", "replace")}
    for way, one in storms.items():
        result |= {f"storm_{way}_{name}": value for name, value in one.items()}
    return result | {"storm_within_slot": all(one["within_slot"] for one in storms.values())}


def storm(small: xr.Dataset, columns: Tape, folder: Path, requote: str) -> dict[str, Any]:
    """Halts within a storm of re-quotes: how long their cancels wait."""
    few = Tape(*(column[:100_000] for column in columns))
    start, end = int(few.exch_ts[0]), int(few.exch_ts[-1])
    halts = np.arange(start + 2_000_000_000, end, 2_345_678_901)
    inbox = np.zeros(2 * len(halts), MSG)
    inbox["kind"], inbox["price"], inbox["mid"] = int(MsgKind.CONTROL), np.nan, np.nan
    inbox["ts"][::2], inbox["ts"][1::2] = halts, halts + 1_000_000_000
    inbox["reason"][::2], inbox["reason"][1::2] = int(Control.HALT), int(Control.RESUME)
    settings = SETTINGS | STORM | {"orders": {"requote": requote}}
    loop, broker = make_loop(settings, small, few, folder / f"storm_{requote}", Inbox(inbox))
    waits: list[int] = []
    asked: list[int] = []
    real = broker.send

    def send(actions: np.ndarray, n: int, ts: int) -> None:
        at = int(np.searchsorted(halts, ts, side="right")) - 1
        if at >= 0 and ts - halts[at] < 1_000_000_000:
            cancels = actions["kind"][:n] == int(ActionKind.CANCEL)
            waits.extend([ts - int(halts[at])] * int(cancels.sum()))
        asked.append(ts)
        real(actions, n, ts)

    broker.send = send  # type: ignore[method-assign]
    loop.run()
    state, limits = loop.step.local.set[0], settings["limits"]
    slot_ms = 1e3 * limits["message_window_s"] / limits["max_messages"]
    worst = max(waits) / 1e6 if waits else -1.0
    seconds = (end - start) / 1e9
    return {
        "wait_ms": round(worst, 3),
        "slot_ms": slot_ms,
        "within_slot": 0.0 <= worst <= slot_ms,
        "cancels": len(waits),
        "times_wanted": round(
            (int(state["throttled"]) + int(state["messages"])) / (seconds * limits["max_messages"]),
            1,
        ),
    }


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument("--rows", type=int, default=200_000, help="rows of the generated market")
    p.add_argument("--full", action="store_true", help="10 million rows")
    p.add_argument("--seed", type=int, default=0, help="seed of the generated market")
    a = p.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        result = measure(a, Path(name))
    show(result | environment(), a.json)
    held = result["within_target"] and result["rss_flat"] and result["storm_within_slot"]
    return 0 if held else 4


if __name__ == "__main__":
    raise SystemExit(main())
