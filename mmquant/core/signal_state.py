"""Parameters, memory and values of the signals of one market: the records of ``core.signals``."""

from __future__ import annotations

import math

import numpy as np

from mmquant.core.dtypes import VIEW_LEVELS

SIGNAL_PARAM = np.dtype(
    [
        ("volatility_halflife_s", np.float64),
        ("sample_s", np.float64),
        ("order_flow_halflife_s", np.float64),
        ("trade_halflife_s", np.float64),
        ("level_weight", np.float64, (VIEW_LEVELS,)),
        ("stale_ns", np.int64),
        ("warm", np.int64),
    ],
    align=True,
)
"""Half-lives (NaN: not measured), least time between two mids of the volatility, weight of each
level in the imbalance, age from which a signal is stale, and observations that a signal takes."""

SIGNAL_STATE = np.dtype(
    [
        ("ts", np.int64),
        ("updates", np.int64),
        ("skipped", np.int64),
        ("books", np.int64),
        ("book_ts", np.int64),
        ("bid", np.int64),
        ("ask", np.int64),
        ("bid_lots", np.float64),
        ("ask_lots", np.float64),
        ("level_imbalance", np.float64),
        ("mids", np.int64),
        ("mid_ts", np.int64),
        ("sample_ts", np.int64),
        ("sample", np.float64),
        ("squares", np.float64),
        ("seconds", np.float64),
        ("flows", np.int64),
        ("flow", np.float64),
        ("mean_lots", np.float64),
        ("trades", np.int64),
        ("trade_ts", np.int64),
        ("buy_volume", np.float64),
        ("sell_volume", np.float64),
        ("bought", np.float64),
        ("sold", np.float64),
        ("trade_seconds", np.float64),
        ("volatility", np.float64),
        ("imbalance", np.float64),
        ("bid_depth", np.float64),
        ("ask_depth", np.float64),
        ("order_flow", np.float64),
        ("buy_rate", np.float64),
        ("sell_rate", np.float64),
        ("trade_rate", np.float64),
        ("trade_imbalance", np.float64),
    ],
    align=True,
)
"""What was seen last, what is remembered, and the signals themselves, from ``volatility`` on."""

SIGNALS = (
    "volatility",
    "imbalance",
    "bid_depth",
    "ask_depth",
    "order_flow",
    "buy_rate",
    "sell_rate",
    "trade_rate",
    "trade_imbalance",
)
"""Names of the signals."""


def signal_params(
    *,
    volatility_halflife_s: float = math.nan,
    sample_s: float = 1.0,
    order_flow_halflife_s: float = math.nan,
    trade_halflife_s: float = math.nan,
    level_weights: tuple[float, ...] = (1.0,),
    stale_s: float = 10.0,
    warm: int = 30,
) -> np.ndarray:
    """One SIGNAL_PARAM record. Decisions should come more often than every ``stale_s``. [s]"""
    row = np.zeros(1, SIGNAL_PARAM)
    row["volatility_halflife_s"] = volatility_halflife_s
    row["sample_s"] = sample_s
    row["order_flow_halflife_s"] = order_flow_halflife_s
    row["trade_halflife_s"] = trade_halflife_s
    row["level_weight"][0, : len(level_weights)] = level_weights
    row["stale_ns"] = round(stale_s * 1e9)
    row["warm"] = warm
    return row


def make_signal_state(count: int = 1) -> np.ndarray:
    """States before anything was seen."""
    state = np.zeros(count, SIGNAL_STATE)
    for name in SIGNALS:
        state[name] = math.nan
    return state
