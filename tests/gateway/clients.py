"""Official clients in environments of their own, made in the user's cache when first needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmquant.core.jit import cache_root

CLIENTS = {"ibapi": "9.81.1.post1", "ibapi-stable": "10.50.2"}
SCRIPTS = {"ib_async": "conform_ib_async.py", "ibapi": "conform_ibapi.py"}
RUN_S = 120.0


def python_of(name: str) -> Path:
    """The Python of an environment that has a client; skips where it cannot be made."""
    folder = cache_root() / "peers" / f"{name}-{CLIENTS[name]}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        quiet: dict[str, Any] = {"capture_output": True, "text": True, "env": clean}
        own = f"{folder}-{os.getpid()}"
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", own], check=True, **quiet)
            install = [f"{own}/bin/python", "-m", "pip", "install", "-q", "--no-input"]
            # ibapi-stable imports protobuf where it is there at all, without asking for it
            packages = [f"{name}=={CLIENTS[name]}", "protobuf", "setuptools"]
            subprocess.run([*install, *packages], check=True, timeout=300, **quiet)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            told = (error.stderr or "").strip().splitlines()[-1:] or [str(error)]
            pytest.skip(f"{name} {CLIENTS[name]} cannot be installed: {told[0]}")
        if not folder.exists():
            try:
                os.rename(own, folder)
            except OSError:
                pass  # another run was quicker
        (folder / "ready").touch()
    return python


def run_script(client: str, port: int, client_id: int) -> dict[str, Any]:
    """What a client's conformance script found."""
    python = sys.executable if client == "ib_async" else str(python_of(client))
    script = Path(__file__).with_name(SCRIPTS.get(client, SCRIPTS["ibapi"]))
    done = subprocess.run(
        [python, str(script), str(port), str(client_id)],
        capture_output=True, text=True, timeout=RUN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
