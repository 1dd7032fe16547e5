"""Nanoseconds an option: implied volatility, and price with eight greeks, beside four peers.

    python -m tests.benchmarks.options --json

All do the same chains, calls and puts on both sides of the money, on one core and with one thread
each, in turns; times are the processor's, medians of the repeats. ``_error`` is the largest error
of a volatility in units of what the rounding of its price does, 2^-52 (1 + price / (vol vega)).
The peers' greeks are price, delta, gamma, vega, theta and rho, as far as they have them. Each peer
gets an environment of its own in the user's cache folder, made when it is first needed; one that
cannot be made is left out, and the reason is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.black import black_many, black_price_many
from mmquant.core.implied_vol import implied_vol_many
from mmquant.core.jit import cache_root
from mmquant.core.option_rows import PRICE, ROWS, VEGA
from tests.benchmarks.harness import alternate, environment, median, note, parser, show
from tests.benchmarks.peer_hftbacktest import clean, stay_on_one_core

PEER_SIDE = Path(__file__).with_name("options_peer_side.py")
PEERS = {
    "pyvolr": "0.1.7",
    "vanilla-option-pricers": "2.3.0",
    "QuantLib": "1.44",
    "vollib": "1.0.11",
}
SLICES, STRIKES = 16, 256
OPTIONS = SLICES * STRIKES
ROUNDS = 50
"""Times that we do all options within one measurement."""
TARGETS = {
    "iv_ns": 64.0, "greeks_ns": 20.0,
    "american_chain_ns": 1000.0, "american_single_ns": 5000.0,
    "american_rmse": 1.3e-4, "american_max_error": 2e-3,
}  # fmt: skip
AMERICAN = "tests.benchmarks.options_american"


def make_chain(seed: int = 1) -> dict[str, np.ndarray]:
    """Expiries from a week to two years, strikes up to 3 deviations away, prices undiscounted."""
    rng = np.random.default_rng(seed)
    shape = (SLICES, STRIKES)
    years = np.broadcast_to(np.geomspace(0.02, 2.0, SLICES)[:, None], shape)
    vol = rng.uniform(0.1, 0.6, shape)
    chain = {
        "sign": rng.choice([-1.0, 1.0], shape),
        "forward": np.full(shape, 100.0),
        "strike": 100.0 * np.exp(rng.uniform(-3.0, 3.0, shape) * vol * np.sqrt(years)),
        "years": years,
        "vol": vol,
        "rate": np.full(shape, 0.03),
    }
    price = np.empty(OPTIONS)
    inputs = [chain[n].ravel() for n in ("sign", "forward", "strike", "years", "vol")]
    black_price_many(*inputs, np.zeros(OPTIONS), price)
    return {n: np.ascontiguousarray(c) for n, c in chain.items()} | {"price": price.reshape(shape)}


def volatility_error(chain: dict[str, np.ndarray], vol: np.ndarray) -> float:
    """The largest, of options that are worth more than their intrinsic value to many digits."""
    columns = {name: values.ravel() for name, values in chain.items()}
    inputs = [columns[n] for n in ("sign", "forward", "strike", "years", "vol")]
    table = np.empty((ROWS, OPTIONS))
    black_many(*inputs, np.zeros(OPTIONS), table)
    room = 2.0**-52 * (1.0 + table[PRICE] / (columns["vol"] * table[VEGA]))
    error = np.abs(vol / columns["vol"] - 1.0) / room
    return float(np.nanmax(np.where(room < 1e-8, error, 0.0)))


class OptionPeer:
    """A peer in a process of its own."""

    peer_side = PEER_SIDE

    def __init__(self, name: str, chain: Path, out: Path) -> None:
        python = environment_of(name)
        command = [str(python), str(self.peer_side), name, str(chain), str(out)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean()
        )
        self.name, self.out = name, out

    def __enter__(self) -> OptionPeer:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with exit code {self.process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def seconds(self, what: str) -> float:
        """Have it do all options once; seconds of its processor time."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return float(self.answer()["seconds"])

    def volatilities(self) -> np.ndarray:
        with np.load(self.out) as file:
            vol: np.ndarray = file["vol"]
        return vol


def environment_of(name: str) -> Path:
    """The Python of an environment that has the peer; made where there is none."""
    folder = cache_root() / "peers" / f"{name}-{PEERS[name]}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        note(f"{name}: an environment is made in {folder}")
        quiet: dict[str, Any] = {"capture_output": True, "text": True, "env": clean()}
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, **quiet)
        install = [str(python), "-m", "pip", "install", "-q", f"{name}=={PEERS[name]}", "numpy"]
        subprocess.run(install, check=True, **quiet)
        ready.touch()
    return python


def started(name: str, chain: Path, folder: Path, stack: ExitStack) -> OptionPeer | None:
    """The peer, warmed up; None where it cannot be had, with the reason said."""
    try:
        peer = stack.enter_context(OptionPeer(name, chain, folder / f"{name}.npz"))
        peer.answer()
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or str(error)).strip().splitlines()
        note(f"{name}: left out, as its environment cannot be made: {lines[-1] if lines else ''}")
        return None
    except (OSError, RuntimeError) as error:
        note(f"{name}: left out: {error}")
        return None
    return peer


def repeated(run: Callable[[], None]) -> float:
    """Seconds of the processor for all options once."""
    begun = time.process_time()
    for _ in range(ROUNDS):
        run()
    return (time.process_time() - begun) / ROUNDS


def our_runs(chain: dict[str, np.ndarray]) -> tuple[dict[str, Callable[[], float]], np.ndarray]:
    """Our contestants, and where the volatilities go."""
    columns = {name: values.ravel() for name, values in chain.items()}
    inputs = [columns[n] for n in ("sign", "forward", "strike", "years", "vol", "rate")]
    quotes = [columns[n] for n in ("sign", "price", "forward", "strike", "years")]
    table, vol = np.empty((ROWS, OPTIONS)), np.empty(OPTIONS)
    status = np.empty(OPTIONS, np.int8)
    return {
        "iv_ns": partial(repeated, partial(implied_vol_many, *quotes, vol, status)),
        "greeks_ns": partial(repeated, partial(black_many, *inputs, table)),
        "price_ns": partial(repeated, partial(black_price_many, *inputs, np.empty(OPTIONS))),
    }, vol


def european(repeat: int, with_peers: bool) -> dict[str, Any]:
    """All keys of European options."""
    chain = make_chain()
    runs, vol = our_runs(chain)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "chain.npz"
        np.savez(file, **chain)
        peers = [started(n, file, Path(folder), stack) for n in PEERS] if with_peers else []
        ready = [peer for peer in peers if peer is not None]
        for peer in ready:
            key = peer.name.lower().replace("-", "_")
            runs[f"{key}_iv_ns"] = partial(peer.seconds, "implied_vol")
            runs[f"{key}_greeks_ns"] = partial(peer.seconds, "greeks")
        times = alternate(list(runs.values()), repeat)
        errors = {"iv_error": volatility_error(chain, vol)}
        for peer in ready:
            key = peer.name.lower().replace("-", "_")
            errors[f"{key}_iv_error"] = volatility_error(chain, peer.volatilities())
    ns = 1e9 / OPTIONS
    result = {name: round(ns * median(t), 2) for name, t in zip(runs, times, strict=True)}
    return result | {name: float(f"{value:.3g}") for name, value in errors.items()}


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument("--no-peers", action="store_true", help="our own times alone")
    a = p.parse_args(argv)
    stay_on_one_core()
    result = european(a.repeat, not a.no_peers)
    if find_spec(AMERICAN) is not None:
        result |= import_module(AMERICAN).american(a.repeat, not a.no_peers)
    result["within_targets"] = all(result[name] <= most for name, most in TARGETS.items())
    result |= {"options": OPTIONS, "repeat": a.repeat, **environment()}
    show(result, a.json)
    return 0 if result["within_targets"] else 4


if __name__ == "__main__":
    sys.exit(main())
