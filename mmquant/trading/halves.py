"""From configuration and tape to the two halves' state: translation only, no decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mmquant.config import Config
from mmquant.core.book import make_book
from mmquant.core.dtypes import (
    ACTION,
    MSG,
    NEVER,
    SET,
    FillMode,
    OrderType,
    QueueModel,
    Requote,
    TimeInForce,
    Trigger,
)
from mmquant.core.engine import AT_END, Tape, empty_message
from mmquant.core.exchange import EXCHANGE_STATE, Exchange, make_exchange
from mmquant.core.guard_state import guard_notices
from mmquant.core.local import Local, make_local
from mmquant.core.tape_loop import run_clock, view_ring
from mmquant.data.contracts import instrument_rows
from mmquant.data.fees import FeeRates, Fees, load_fees
from mmquant.data.hand import read_hand
from mmquant.data.latency_file import read_knots
from mmquant.data.mapping import pieces
from mmquant.data.micro_price import read_micro_price
from mmquant.data.readers import read_tape
from mmquant.data.tape import contracts_of
from mmquant.errors import ConfigError, DataError
from mmquant.trading.guard_rows import guard_of, is_guarded
from mmquant.trading.maker import MAKER, MICRO_PRICE, Maker, maker_params, signal_param_of
from mmquant.trading.profiles import check_depth, received, shown_levels, under_profile
from mmquant.trading.row_screen import screened
from mmquant.trading.strategy import SKEW, Strategy, load_strategy

NO_LIMIT = 2**60
DAY_END = NEVER - 1
"""When DAY orders end in a backtest: after all that the tape brings about, as its day does."""


def tape_columns(tape: xr.Dataset, config: Config) -> Tape:
    """Columns of a tape as the engine takes them, with the local times of the profile.

    Raises
    ------
    DataError
        where the tape has no rows, or one of an unknown kind or instrument.
    """
    if tape.sizes["event"] == 0:
        raise DataError("the tape has no rows", fix="check the file and the reader's options")

    def column(name: str, dtype: Any) -> np.ndarray:
        return np.ascontiguousarray(tape[name].values, dtype)

    local = column("local_ts", np.int64)
    order = column("local_order", np.int64) if "local_order" in tape else np.zeros(0, np.int64)
    contracts = contracts_of(tape)
    local, order = received(config, contracts, local, column("inst", np.int16), order)
    columns = Tape(
        column("exch_ts", np.int64),
        local,
        column("kind", np.int8),
        column("side", np.int8),
        column("tick", np.int32),
        column("subtick", np.float32),
        column("size", np.int32),
        column("inst", np.int16),
        order,
    )
    return screened(columns, instrument_rows(contracts, tape.attrs["date"]))


def strategy_of(config: Config) -> Strategy:
    """The strategy that a configuration names."""
    path = config.strategy_path()
    if path is not None:
        return load_strategy(path, config.strategy.function)
    return MAKER if config.strategy.name == "maker" else SKEW


def triggers_of(config: Config) -> int:
    """Bit mask of what asks for a decision."""
    return sum(int(Trigger[name.upper()]) for name in config.decision.on)


def set_rows(
    config: Config, strategy: Strategy, params: np.ndarray, *, start_ts: int
) -> np.ndarray:
    """SET rows with the configured limits and order defaults, one for each row of ``params``."""
    limits, orders = config.limits, config.orders
    row = np.zeros(len(params), SET)
    row["shows_orders"] = not strategy.raw
    row["steady"] = strategy.steady(params) & (limits.max_book_age_s is None)
    row["max_position_lots"] = limits.max_position_lots or NO_LIMIT
    row["max_order_lots"] = limits.max_order_lots or NO_LIMIT
    row["max_open_orders"] = limits.max_open_orders
    row["theo_collar"] = np.inf if limits.theo_collar_bps is None else limits.theo_collar_bps / 1e4
    row["max_messages"] = limits.max_messages or 0
    row["message_window_ns"] = round(limits.message_window_s * 1e9)
    row["cancel_reserve"] = limits.cancel_reserve
    tolerance = orders.size_tolerance_lots
    if tolerance is None and isinstance(strategy, Maker):
        tolerance = config.quoting.size_tolerance_lots
    row["size_tolerance_lots"] = -1 if tolerance is None else tolerance
    row["max_loss"] = np.inf if limits.max_loss_ccy is None else limits.max_loss_ccy
    age = limits.max_book_age_s
    row["max_book_age_ns"] = NEVER if age is None else round(age * 1e9)
    row["hold_one_sided"] = limits.one_sided == "hold"
    row["order_type"] = int(OrderType[orders.order_type.upper()])
    row["tif"] = int(TimeInForce[orders.tif.upper()])
    row["lifetime_ns"] = 0 if orders.lifetime_s is None else round(orders.lifetime_s * 1e9)
    row["requote"] = int(Requote[orders.requote.upper()])
    row["peer_arithmetic"] = config.fill.mode == "peer"
    row["no_post_only"] = config.profile.name == "ibkr" and config.profile.ibkr.smart
    row["start_ts"] = start_ts
    _order_path_rows(config, row)
    row["guarded"] = is_guarded(config.risk)
    row["steady"] &= row["guarded"] == 0
    row["checks"] |= row["guarded"]
    return row


def _order_path_rows(config: Config, row: np.ndarray) -> None:
    """Time-outs, pace, quotas and order checks; the flags of what is switched on come last."""
    limits, orders = config.limits, config.orders
    for name in ("ack_timeout", "cancel_timeout", "min_requote_interval", "duplicate_window"):
        seconds = getattr(orders, f"{name}_s")
        field = {"min_requote_interval": "min_requote"}.get(name, name)
        row[f"{field}_ns"] = 0 if seconds is None else round(seconds * 1e9)
    quotas = ("max_messages_day", "max_instrument_messages_day", "max_option_orders_day")
    for name in (*quotas, "max_in_flight"):
        row[name] = getattr(limits, name) or 0
    row["max_order_ratio"] = limits.max_order_ratio or 0.0
    row["order_ratio_from"] = limits.order_ratio_from
    row["slow_tolerance_ticks"] = limits.slow_tolerance_ticks
    collars = (limits.price_collar_bps, limits.price_collar_ticks)
    collared = collars != (None, None)
    row["collar"] = (collars[0] or 0.0) / 1e4 if collared else np.inf
    row["collar_ticks"] = collars[1] or 0.0
    value = limits.max_order_value_ccy
    row["max_order_value"] = np.inf if value is None else value
    row["own_cross"] = limits.prevent_own_cross
    row["one_side"] = limits.one_side_per_option
    row["counts"] = any(row[0][name] for name in (*quotas, "max_order_ratio"))
    row["ranks"] = bool(limits.max_messages or limits.max_in_flight) or row[0]["counts"] != 0
    row["checks"] = (
        collared
        or value is not None
        or limits.prevent_own_cross
        or orders.min_requote_interval_s is not None
        or orders.duplicate_window_s is not None
    )


def exchange_state(config: Config, slots: int, day_end: int) -> np.ndarray:
    """The EXCHANGE_STATE record with the configured settings."""
    row = np.zeros(1, EXCHANGE_STATE)
    row["entry_ns"] = config.latency.entry_ns
    row["response_ns"] = config.latency.response_ns
    row["day_end"] = day_end
    row["queue_power"] = config.fill.queue_power
    row["queue_model"] = int(QueueModel[config.fill.queue.upper()])
    row["peer_fills"] = FillMode[config.fill.mode.upper()] == FillMode.PEER
    row["slots"] = slots
    return row


def receipt(tape: Tape) -> tuple[int, int, int]:
    """The last time of receipt of a tape, and the shortest and longest latency of its rows. [ns]"""
    last = int(tape.local_ts[0])
    shortest = longest = last - int(tape.exch_ts[0])
    for rows in pieces([tape.local_ts, tape.exch_ts]):
        local = tape.local_ts[rows]
        latency = local - tape.exch_ts[rows]
        last = max(last, int(local.max()))
        shortest, longest = min(shortest, int(latency.min())), max(longest, int(latency.max()))
    return last, shortest, longest


@dataclass(frozen=True)
class Session:
    """A configuration with all that it names: tape, strategy, parameters and fees.

    ``config`` is what holds under its profile, ``given`` what was given.
    """

    config: Config
    given: Config
    tape: xr.Dataset
    strategy: Strategy
    params: Mapping[str, float]
    fees: Fees

    @property
    def rates(self) -> list[FeeRates]:
        """The fee rates of each contract."""
        return [self.fees.rates] * len(contracts_of(self.tape))


def open_session(
    config: Config,
    tape: xr.Dataset | None = None,
    strategy: Strategy | None = None,
    params: Mapping[str, float] | None = None,
) -> Session:
    """Find all that a configuration names; what is given takes its place.

    Raises
    ------
    ConfigError
        where neither a tape nor ``tape.path`` is given, or a profile does not fit the tape.
    """
    given_config, config = config, under_profile(config)
    chosen = strategy or strategy_of(config)
    tape = configured_tape(config) if tape is None else tape
    check_depth(config, contracts_of(tape))
    given = dict(params or {})
    if strategy is None or isinstance(chosen, Maker):
        given = configured_params(config, tape, chosen) | given
    fees = load_fees(config.fee_schedule(), tape.attrs["date"])
    return Session(config, given_config, tape, chosen, given, fees)


def latency_knots(config: Config) -> np.ndarray | None:
    """Measured latencies that the configuration names, as KNOT rows; None for constant ones."""
    path = config.latency_path()
    return None if path is None else read_knots(path)


def configured_tape(config: Config) -> xr.Dataset:
    """The tape that a configuration names. Raises ConfigError where it names none."""
    path = config.tape_path()
    if path is None:
        raise ConfigError(
            "no tape is given", where="tape.path", fix="name one in the YAML file, or pass it"
        )
    options = config.tape.options
    return read_tape(config.tape.format, path, lenient=config.tape.lenient, **options)


def configured_params(config: Config, tape: xr.Dataset, strategy: Strategy) -> dict[str, Any]:
    """Parameters of a strategy as its configuration gives them."""
    given: dict[str, Any] = dict(config.strategy.params)
    if not isinstance(strategy, Maker):
        return given
    given = maker_params(config.quoting, config.signals, length_s=length_of(tape)) | given
    table = config.micro_price_path()
    if table is not None and config.quoting.theo == "micro_price":
        given[MICRO_PRICE] = read_micro_price(table)
    return given


def read_inbox(config: Config, tape: xr.Dataset) -> np.ndarray:
    """The messages from outside that the configuration names, as MSG rows in order of time."""
    path = config.hand_path()
    return np.zeros(0, MSG) if path is None else read_hand(path, contracts_of(tape))


def length_of(tape: xr.Dataset) -> float:
    """Time from the first to the last row. [s]"""
    times = tape["exch_ts"].values
    return float(times[-1] - times[0]) / 1e9 if len(times) else 0.0


@dataclass
class Halves:
    """Both halves and all that the loop over a tape needs."""

    local: Local
    exchange: Exchange
    tape: Tape
    clock: np.ndarray
    ring: np.ndarray
    inbox: np.ndarray
    actions: np.ndarray
    message: np.ndarray
    strategy: Strategy


def make_local_half(
    config: Config,
    tape: xr.Dataset,
    strategy: Strategy,
    *,
    rates: Sequence[Any],
    params: Sequence[Mapping[str, float]] | None = None,
    with_book: bool,
    keep_tables: bool = True,
    keep_path: bool = True,
    keep_summary: bool = False,
) -> Local:
    """Local half of a configuration; ``params`` gives one mapping a set (default: one set)."""
    contracts = contracts_of(tape)
    instrument = instrument_rows(contracts, tape.attrs["date"], list(rates))
    instrument["view_levels"] = [shown_levels(config, c, strategy.levels) for c in contracts]
    given = [config.strategy.params] if params is None else list(params)
    rows = np.array([strategy.param_row(one) for one in given])
    sets = set_rows(config, strategy, rows, start_ts=int(tape["exch_ts"].values[0]))
    sets["one_side"] &= bool(instrument["option"].any())
    sets["checks"] |= sets["one_side"]
    guard = guard_of(config, contracts, len(sets))
    return make_local(
        book=make_book(len(contracts), window=1 << 15 if with_book else 64),
        instrument=instrument,
        sets=sets,
        strategy_param=rows,
        memory=np.tile(strategy.memory_row(len(contracts)), (len(rows), 1)),
        slots=slots_of(config),
        max_quotes=strategy.quote_rows(rows, len(contracts)),
        keep_tables=keep_tables,
        keep_path=keep_path,
        keep_summary=keep_summary,
        signal_param=signal_param_of(config.signals),
        guard=guard,
    )


def slots_of(config: Config) -> int:
    """Order slots of a set: a power of two with room for orders that are ended but remembered."""
    limit = config.limits.max_open_orders
    return 1 << max(4, int(limit - 1).bit_length())


def make_halves(
    config: Config,
    tape: xr.Dataset,
    strategy: Strategy,
    *,
    rates: Sequence[Any],
    params: Sequence[Mapping[str, float]] | None = None,
    keep_tables: bool = True,
    keep_path: bool = True,
    keep_summary: bool = False,
    columns: Tape | None = None,
) -> Halves:
    """Both halves of a backtest over a tape; ``columns``: those of ``tape_columns``, if known."""
    columns = tape_columns(tape, config) if columns is None else columns
    triggers = triggers_of(config)
    two_books = triggers != int(Trigger.TIMER) or len(columns.order) > 0
    local = make_local_half(
        config,
        tape,
        strategy,
        rates=rates,
        params=params,
        with_book=two_books,
        keep_tables=keep_tables,
        keep_path=keep_path,
        keep_summary=keep_summary,
    )
    slots = local.live.shape[1]
    exchange = make_exchange(
        book=make_book(len(local.instrument)),
        instrument=local.instrument,
        state=exchange_state(config, slots, DAY_END),
        sets=len(local.set),
        knots=latency_knots(config),
    )
    interval = config.decision.interval_ns
    last_local_ts, shortest_ns, longest_ns = receipt(columns)
    return Halves(
        local,
        exchange,
        columns,
        run_clock(
            columns,
            interval=interval,
            triggers=triggers,
            two_books=two_books,
            last_local_ts=last_local_ts,
            latency_ns=longest_ns if shortest_ns == longest_ns else None,
            guarded=is_guarded(config.risk),
        ),
        view_ring(
            longest_ns=longest_ns,
            interval=AT_END if two_books else interval,
            instruments=len(local.instrument),
        ),
        read_inbox(config, tape),
        action_rows(local),
        empty_message(),
        strategy,
    )


def action_rows(local: Local) -> np.ndarray:
    """Room for all actions that one decision can take."""
    slots, quotes = local.live.shape[1], len(local.quote)
    rows = 2 * (slots + quotes + len(local.instrument) + 8)
    return np.zeros(rows + guard_notices(local.guard, len(local.instrument)), ACTION)
