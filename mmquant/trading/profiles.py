"""Profiles: what of the market a subscriber sees and when, and what can be sent.

A conflated feed is the tape's with later times of receipt: the broker sends each row at the end of
its interval, and from there it takes its time to us. So it needs no second engine, and the exchange
keeps the full tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmquant.config import Config
from mmquant.data.contracts import OPTION_KINDS, Contract
from mmquant.data.mapping import (
    PIECE_ROWS,
    give_back,
    is_rising,
    pieces,
    rising_order,
    room_like,
)
from mmquant.errors import ConfigError

CRYPTO_KINDS = ("crypto_spot", "crypto_perp")
MOST_BOOKS = 3
"""Books that a subscriber may have at a time."""


def under_profile(config: Config) -> Config:
    """The configuration with what its profile imposes: latencies, message rate, order type.

    Under ``ibkr`` the latencies are those of ``profile.ibkr``, whatever ``latency.entry_ns`` and
    ``latency.response_ns`` say: these are the ideal profile's, so that one file describes both
    views. Measured latencies (``latency.file``) hold under either.

    The broker's message limit is one more: where ``limits`` sets one too, the lower number in the
    longer window holds, and so both do. The reserve of cancels keeps its part of it.
    """
    if config.profile.name == "ideal":
        return config
    ibkr, limits = config.profile.ibkr, config.limits
    most = min(ibkr.max_messages_per_s, limits.max_messages or ibkr.max_messages_per_s)
    reserve = ibkr.cancel_reserve * most // ibkr.max_messages_per_s
    messages = {
        "max_messages": most,
        "message_window_s": max(limits.message_window_s, 1.0) if limits.max_messages else 1.0,
        "cancel_reserve": min(max(reserve, limits.cancel_reserve), most - 1),
    }
    latency = {}
    if config.latency.file is None:
        latency = {"entry_ns": ibkr.entry_ns, "response_ns": ibkr.response_ns}
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


def check_depth(config: Config, contracts: Sequence[Contract]) -> None:
    """Refuse a depth subscription to what is not on the tape, or to more than MOST_BOOKS books.

    Raises
    ------
    ConfigError
        also where one symbol names more contracts than that, as that of an option chain does.
    """
    where = "profile.ibkr.depth_symbols"
    if config.profile.name == "ideal":
        return
    for name in config.profile.ibkr.depth_symbols:
        if not any(name in (c.symbol, str(c.id)) for c in contracts):
            raise ConfigError(
                f"{name!r} is not on the tape", where=where, fix="give a symbol, or its number"
            )
    books = sum(has_depth(config, contract) for contract in contracts)
    if books > MOST_BOOKS:
        raise ConfigError(
            f"{books} contracts are named, a subscriber has {MOST_BOOKS} books at a time",
            where=where,
            fix="give the numbers of contracts on the tape instead of their symbols",
        )


def has_depth(config: Config, contract: Contract) -> bool:
    """Whether the whole book of a contract is subscribed to."""
    names = config.profile.ibkr.depth_symbols
    return contract.symbol in names or str(contract.id) in names


def conflation_ns(config: Config, contract: Contract) -> int:
    """Interval at which a contract's market comes; 0: row by row. [ns]"""
    ibkr = config.profile.ibkr
    if config.profile.name == "ideal" or has_depth(config, contract):
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
    offset, ideal = config.latency.feed_offset_ns, config.profile.name == "ideal"
    if ideal and not offset:
        return local_ts, order
    shift = offset if ideal else offset + config.profile.ibkr.feed_ns
    intervals = np.array([0 if ideal else conflation_ns(config, c) for c in contracts], np.int64)
    times = room_like(local_ts, len(local_ts), np.int64)
    for rows in pieces([local_ts, inst, times]):
        every, there = intervals[inst[rows]], local_ts[rows]
        steps = np.maximum(every, 1)
        times[rows] = np.where(every > 0, -(-there // steps) * steps, there) + shift
    if ideal or (not len(order) and is_rising(times)):
        return times, order
    return times, _received_order(times, local_ts, shift, order)


def _received_order(
    times: np.ndarray, local_ts: np.ndarray, shift: int, order: np.ndarray
) -> np.ndarray:
    """Rows by their new times; those of one time as they were received before.

    A row comes ``shift`` [ns] after its time on the tape or later, so none that was received later
    than another comes before that.
    """

    def chunks() -> Iterator[tuple[np.ndarray, int]]:
        for some in pieces([order] if len(order) else [times, local_ts]):
            rows = order[some] if len(order) else some
            yield times[rows], int(local_ts[rows][-1]) + shift
            if len(order):
                give_back([times, local_ts], some.start - PIECE_ROWS, some.stop)

    found = room_like(times, len(times), np.int64)
    done = 0
    for places in rising_order(chunks()):
        found[done : done + len(places)] = order[places] if len(order) else places
        give_back([found], done - PIECE_ROWS, done)
        done += len(places)
    return found
