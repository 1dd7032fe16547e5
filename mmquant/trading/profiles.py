"""Profiles: what of the market a subscriber sees and when, and what can be sent.

A conflated feed is the tape's with later times of receipt: the broker sends each row at the end of
its interval, and from there it takes its time to us. So it needs no second engine, and the exchange
keeps the full tape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmquant.config import Config
from mmquant.data.contracts import OPTION_KINDS, Contract

CRYPTO_KINDS = ("crypto_spot", "crypto_perp")


def under_profile(config: Config) -> Config:
    """The configuration with what its profile imposes: latencies, message rate, order type."""
    if config.profile.name == "ideal":
        return config
    ibkr, limits = config.profile.ibkr, config.limits
    given = limits.max_messages if limits.message_window_s >= 1.0 else None
    most = min(ibkr.max_messages_per_s, given or ibkr.max_messages_per_s)
    latency = {"entry_ns": ibkr.entry_ns, "response_ns": ibkr.response_ns}
    messages = {
        "max_messages": most,
        "message_window_s": max(limits.message_window_s, 1.0),
        "cancel_reserve": min(max(ibkr.cancel_reserve, limits.cancel_reserve), most - 1),
    }
    return config.model_copy(
        update={
            "latency": config.latency.model_copy(update=latency),
            "limits": limits.model_copy(update=messages),
        }
    )


def with_profile(config: Config, name: str) -> Config:
    """The configuration under another profile, with no views beside it."""
    profile = config.profile.model_copy(update={"name": name, "beside": ()})
    return config.model_copy(update={"profile": profile})


def views_beside(config: Config, contracts: Sequence[Contract]) -> tuple[str, ...]:
    """Profiles under which a backtest is to be run as well."""
    if config.profile.beside is not None:
        return tuple(name for name in config.profile.beside if name != config.profile.name)
    if any(contract.kind in CRYPTO_KINDS for contract in contracts):
        return ()
    return ("ibkr",) if config.profile.name == "ideal" else ("ideal",)


def conflation_ns(config: Config, contract: Contract) -> int:
    """Interval at which a contract's market comes; 0: row by row. [ns]"""
    ibkr = config.profile.ibkr
    if config.profile.name == "ideal" or contract.symbol in ibkr.depth_symbols:
        return 0
    return ibkr.option_conflation_ns if contract.kind in OPTION_KINDS else ibkr.conflation_ns


def shown_levels(config: Config, contract: Contract, wanted: int) -> int:
    """Price levels a side that a strategy sees of a contract."""
    return min(wanted, 1) if conflation_ns(config, contract) else wanted


def received(
    config: Config,
    contracts: Sequence[Contract],
    local_ts: np.ndarray,
    inst: np.ndarray,
    order: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Local times of rows (n,) [ns] under a profile, and their order of receipt (empty: row order).

    ``order`` is the order of receipt that the tape has.
    """
    offset = config.latency.feed_offset_ns
    if config.profile.name == "ideal":
        return (local_ts + offset if offset else local_ts), order
    intervals = np.array([conflation_ns(config, c) for c in contracts], np.int64)[inst]
    steps = np.maximum(intervals, 1)
    sent = np.where(intervals > 0, -(-local_ts // steps) * steps, local_ts)
    times = sent + offset + config.profile.ibkr.feed_ns
    before = order if len(order) else np.arange(len(times))
    if not len(order) and (np.diff(times) >= 0).all():
        return times, order
    return times, before[np.argsort(times[before], kind="stable")]
