"""The command `mmquant gateway`: one line when ready, then it serves until it is told to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmquant.cli import main
from mmquant.data.readers import write_tape
from mmquant.data.synthetic import make_demo_tape
from tests.gateway.wire_client import WireClient


@contextmanager
def served(*arguments: str) -> Iterator[tuple[dict, subprocess.Popen]]:
    command = [sys.executable, "-m", "mmquant", "gateway", *arguments, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert process.stdout.read() == ""


def test_the_seeded_market_is_served() -> None:
    with served("--synthetic", "--speed", "max") as (ready, _):
        assert (ready["host"], ready["speed"]) == ("127.0.0.1", "max")
        with WireClient(ready["port"]) as client:
            client.send(97, 1, 265598, *[""] * 3, 0, *[""] * 7, "BidAsk", 0, False)
            first = client.until(99)
            last = client.until(99, lambda f: int(f[3]) > int(first[3]) + 60)
            assert float(last[4]) < float(last[5])


def test_a_tape_is_served_with_a_plan_of_faults(tmp_path: Path) -> None:
    write_tape(make_demo_tape(seed=1, minutes=0.2), tmp_path / "demo.parquet")
    (tmp_path / "plan.yaml").write_text("faults: [{kind: drop_socket, of: end, at: [1]}]\n")
    arguments = ("--tape", str(tmp_path / "demo.parquet"), "--faults", str(tmp_path / "plan.yaml"))
    with served(*arguments) as (ready, _), WireClient(ready["port"]) as client:
        client.send(61, 1)
        assert client.closed()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--synthetic", "--tape", "x.parquet"], ["--synthetic", "--speed", "2x"],
     ["--synthetic", "--host", "0.0.0.0"]],
)  # fmt: skip
def test_what_does_not_fit_is_said(arguments, capsys) -> None:
    assert main(["gateway", *arguments, "--port", "0"]) == 2
    assert "error:" in capsys.readouterr().err
