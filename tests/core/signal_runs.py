"""Signals of a history, as tests call them."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core import signals as kernels
from mmquant.core.signal_state import SIGNALS, make_signal_state, signal_params
from tests.oracles import signals as oracle
from tests.oracles.signals import S, Seen

BASE = 1_700_000_000_000_000_000
HALF = {"volatility_halflife_s": 7.0, "order_flow_halflife_s": 5.0, "trade_halflife_s": 3.0}
STALE_S = 10.0
PARAM = {**HALF, "sample_s": 0.5, "stale_s": STALE_S, "warm": 2, "level_weights": (1.0, 0.5)}


def run(history: list[Seen], **param) -> np.ndarray:
    """Signals after each update, (n, 9)."""
    state, row = make_signal_state(), signal_params(**(PARAM | param))
    out = np.zeros((len(history), len(SIGNALS)))
    for i, seen in enumerate(history):
        kernels.update_signals(state[0], row[0], *oracle.arguments(seen))
        out[i] = [state[0][name] for name in SIGNALS]
    return out


def last(history: list[Seen], **param) -> dict[str, float]:
    return dict(zip(SIGNALS, run(history, **param)[-1].tolist(), strict=True))


def seen(second: float, bid=(100, 10), ask=(101, 10), mid=None, bought=0.0, sold=0.0) -> Seen:
    middle = 0.5 * (bid[0] + ask[0]) if mid is None else mid
    return Seen(BASE + round(second * S), (bid,), (ask,), middle, bought, sold)


def one_sided(second: float) -> Seen:
    return Seen(BASE + round(second * S), (), ((101, 10),), math.nan, 0.0, 0.0)
