"""The rehearsal: ``mmquant live`` at a gateway at 1x, from start to verified end, and its journal;
then ``mmquant record`` at the same gateway, and a backtest of what it recorded.

python -m tests.live.rehearsal SECONDS
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[2] / "mmquant" / "strategies" / "live" / "aapl.yaml"
START_S, END_S = 240.0, 60.0
LIMIT_LOTS = 500
RECORDED_PART = 0.1


def rehearse(seconds: float, folder: Path, seed: int = 7) -> dict[str, Any]:
    """Quote for so long; what was seen at the gateway, told by the run and replayed."""
    gateway = _start(["-m", "tests.live.counted_gateway", str(seed)])
    assert gateway.stdout is not None
    port = json.loads(gateway.stdout.readline())["port"]
    run = _start(
        ["-m", "mmquant", "live", str(CONFIG), "--paper", "--run", str(folder), "--json",
         "--set", f"ibkr.port={port}"]
    )  # fmt: skip
    try:
        _wait_for(folder / "journal", run)
        begun = time.monotonic()
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            pass  # It runs on, as it should.
        stopped = time.monotonic()
        run.send_signal(signal.SIGTERM)
        told = json.loads(run.communicate(timeout=END_S)[0])
        recorded = _record(max(seconds * RECORDED_PART, 3.0), folder.parent / "recording", port)
        gateway.send_signal(signal.SIGTERM)
        seen = json.loads(gateway.communicate(timeout=END_S)[0])
    finally:
        run.kill()
        gateway.kill()
    replay = subprocess.run(
        [sys.executable, "-m", "mmquant", "journal", "replay", str(folder), "--json"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    samples = [one for one in seen.pop("samples") if begun + 2.0 <= one[0] <= stopped]
    seen["both_sides"] = sum(bid and ask for _, bid, ask in samples) / max(len(samples), 1)
    seen["exit_code"] = run.returncode
    return {"gateway": seen, "live": told, "replay": json.loads(replay.stdout), **recorded}


def _record(seconds: float, folder: Path, port: int) -> dict[str, Any]:
    """Record for so long, and run the same configuration over it."""
    recorder = _start(
        ["-m", "mmquant", "record", str(CONFIG), "--out", str(folder), "--json",
         "--set", f"ibkr.port={port}", "--set", "ibkr.client_id=21"]
    )  # fmt: skip
    try:
        _wait_for(folder, recorder)
        time.sleep(seconds)
        recorder.send_signal(signal.SIGTERM)
        told = json.loads(recorder.communicate(timeout=END_S)[0])
    finally:
        recorder.kill()
    backtest = subprocess.run(
        [sys.executable, "-m", "mmquant", "backtest", str(CONFIG), "--tape", str(folder),
         "--out", str(folder.parent / "backtest"), "--json"],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return {"recorded": told, "backtest": json.loads(backtest.stdout.splitlines()[-1])}


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )


def _wait_for(path: Path, run: subprocess.Popen[bytes]) -> None:
    """Kernels may have to be compiled first."""
    until = time.monotonic() + START_S
    while not path.exists():
        if run.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the run did not begin")
        time.sleep(0.05)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        facts = rehearse(float(sys.argv[1]), Path(place) / "rehearsal")
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
