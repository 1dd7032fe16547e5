"""Nanoseconds an American option: the keys that options.py adds for them.

Price, delta and gamma at the fast setting. ``american_chain_ns``: 200 puts of one expiry and one
volatility; ``american_smile_ns``: as many puts and calls, each with a volatility of its own;
``american_greeks_ns``: that chain with vega, theta and rho. ``american_single_ns``: options that
share nothing. ``american_iv_ns``: volatilities of their prices. ``american_rmse`` and
``american_max_error``: against the file of 400 reference prices. QuantLib's fast scheme of the same
method, QdFpAmericanEngine, does the same single options, prices alone, one by one.
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.american import FAST, american_chain, american_many
from mmquant.core.american_implied_vol import american_implied_vol_many
from tests.benchmarks.harness import alternate, median, note
from tests.benchmarks.options import OptionPeer, repeated

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "core" / "american_ref_quantlib.csv"
PEER_SIDE = Path(__file__).with_name("options_american_peer_side.py")
STRIKES, SINGLES = 200, 400


def grid() -> tuple[list[np.ndarray], np.ndarray]:
    """(inputs of american_many, reference prices), shuffled so that no neighbours share."""
    with REFERENCE.open() as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(1).permutation(len(rows))
    table = {
        name: np.array([float(rows[i][name]) for i in order])
        for name in ("S", "K", "days", "vol", "r", "q", "american_fpB")
    }
    sign = np.array([1.0 if rows[i]["cp"] == "C" else -1.0 for i in order])
    inputs = [sign, table["S"], table["K"], table["days"] / 365.0]
    return [*inputs, table["vol"], table["r"], table["q"]], table["american_fpB"]


def our_runs(inputs: list[np.ndarray]) -> tuple[dict[str, Callable[[], None]], np.ndarray]:
    """Our contestants, and where the prices of the single options go."""
    strike = np.linspace(70.0, 130.0, STRIKES)
    puts, flat = np.full(STRIKES, -1.0), np.full(STRIKES, 0.3)
    both = np.where(np.arange(STRIKES) % 2, 1.0, -1.0)
    moneyness = np.log(strike / 100.0)
    smile = 0.25 - 0.2 * moneyness + 0.5 * moneyness**2
    out, status = np.empty((3, STRIKES)), np.empty(STRIKES, np.int64)
    greeks, market = np.empty((9, STRIKES)), (0.045, 0.013, FAST)
    single, codes = np.empty((3, SINGLES)), np.empty(SINGLES, np.int64)
    american_many(*inputs, FAST, single, codes)
    prices, vols = single[0].copy(), np.empty(SINGLES)
    quotes = [inputs[0], prices, *inputs[1:4], *inputs[5:]]

    def chain(sign: np.ndarray, vol: np.ndarray, out: np.ndarray) -> None:
        american_chain(sign, 100.0, strike, 0.25, vol, *market, out, status)

    return {
        "american_chain_ns": partial(chain, puts, flat, out),
        "american_smile_ns": partial(chain, both, smile, out),
        "american_greeks_ns": partial(chain, both, smile, greeks),
        "american_single_ns": partial(american_many, *inputs, FAST, single, codes),
        "american_iv_ns": partial(american_implied_vol_many, *quotes, FAST, vols, codes),
    }, prices


class AmericanPeer(OptionPeer):
    """QuantLib in a process of its own."""

    peer_side = PEER_SIDE


def quantlib(inputs: list[np.ndarray], folder: Path, stack: ExitStack) -> AmericanPeer | None:
    """The peer, warmed up; None where it cannot be had."""
    file = folder / "american.npz"
    names = ("sign", "spot", "strike", "years", "vol", "rate", "dividend_yield")
    np.savez(file, **dict(zip(names, inputs, strict=True)))
    try:
        peer = stack.enter_context(AmericanPeer("QuantLib", file, folder / "prices.npz"))
        peer.answer()
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        note(f"QuantLib: left out: {error}")
        return None
    return peer


def errors(prefix: str, prices: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    away = np.abs(prices - truth)
    values = {"rmse": np.sqrt(np.mean(away**2)), "max_error": np.max(away)}
    return {f"{prefix}_{name}": float(f"{value:.3g}") for name, value in values.items()}


def american(repeat: int, with_peers: bool) -> dict[str, Any]:
    """All keys of American options."""
    inputs, truth = grid()
    runs, prices = our_runs(inputs)
    counts = dict.fromkeys(runs, STRIKES) | {
        "american_single_ns": SINGLES, "american_iv_ns": SINGLES,
    }  # fmt: skip
    timed: dict[str, Callable[[], float]] = {
        name: partial(repeated, run) for name, run in runs.items()
    }
    result = errors("american", prices, truth)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        peer = quantlib(inputs, Path(folder), stack) if with_peers else None
        if peer is not None:
            timed["quantlib_american_single_ns"] = partial(peer.seconds, "price")
            counts["quantlib_american_single_ns"] = SINGLES
        times = alternate(list(timed.values()), repeat)
        if peer is not None:
            with np.load(peer.out) as file:
                result |= errors("quantlib_american", file["price"], truth)
    ns = {
        name: round(1e9 * median(t) / counts[name], 1) for name, t in zip(timed, times, strict=True)
    }
    return ns | result
