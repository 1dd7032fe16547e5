"""Layouts of the risk guard: limits by scope, and its state for each set.

All arrays have no rows where the guard is off. A measure is a sum over a scope's instruments of
coefficient times lots; gross ones add up sizes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import QUOTE

POSITION, NET, NET_DELTA, DELTA, GAMMA, VEGA, SHARES, GROSS, GROSS_DELTA = range(9)
"""Measures: units; value and delta value [currency]; delta, gamma, vega; units times multiplier;
both values gross."""
MEASURES, LINEAR = 9, 7
MARKET, SPREAD, JUMP, VOLATILITY = range(4)
"""Circuit breakers of an instrument."""
BREAKERS = 4
RING_ROWS = 1024
"""Fills remembered for windows; one that holds more counts as too many."""


def _record(*fields: tuple) -> np.dtype:
    return np.dtype(list(fields), align=True)


GUARD_PARAM = _record(
    ("loss_confirm_ns", np.int64),
    ("capture_window_ns", np.int64),
    ("capture_fills", np.int64),
    ("soft_widen_ticks", np.int64),
    ("soft_size_factor", np.float64),
    ("protection_window_ns", np.int64),
    ("protection_cooldown_ns", np.int64),
    ("protection_fills", np.int64),
    ("protection_lots", np.int64),
    ("protection_share", np.float64),
    ("protection_delta", np.float64),
    ("protection_vega", np.float64),
    ("repeated_fills", np.int64),
    ("repeated_window_ns", np.int64),
    ("max_spread_ticks", np.float64),
    ("max_spread", np.float64),
    ("max_jump_ticks", np.float64),
    ("max_jump", np.float64),
    ("max_volatility", np.float64),
    ("max_surge", np.float64),
    ("slow_halflife_s", np.float64),
    ("hedge_low", np.float64),
    ("hedge_high", np.float64),
    ("hedge_target", np.float64),
    ("hedge_slippage_ticks", np.int64),
    ("hedge_interval_ns", np.int64),
    ("hedge_tries", np.int64),
    ("flatten_slippage_ticks", np.int64),
    ("flatten_life_ns", np.int64),
    ("clean", np.int64, (BREAKERS,)),
    ("cooldown_ns", np.int64, (BREAKERS,)),
    ("human", np.int8, (BREAKERS,)),
    ("breaks", np.int8, (BREAKERS,)),
    ("protects", np.int8),
    ("hedges", np.int8),
    ("hedge_to_target", np.int8),
)
"""Settings of a run. Limits that do not bind are infinite, counts of fills and lots 0.

``max_spread`` and ``max_jump`` are parts of the mid; ``breaks`` tells which breakers are on, and
``clean``, ``cooldown_ns`` and ``human`` when each lets quotes out again.
"""

SCOPE = _record(
    ("low", np.float64, (MEASURES,)),
    ("high", np.float64, (MEASURES,)),
    ("target_low", np.float64),
    ("target_high", np.float64),
    ("max_loss", np.float64),
    ("max_drawdown", np.float64),
    ("min_capture", np.float64),
    ("soft_fraction", np.float64),
    ("first", np.int64),
    ("used", np.int8, (MEASURES,)),
    ("money", np.int8),
    ("flattens", np.int8),
)
"""Limits of one scope: bounds of each measure (``used`` tells which bind), money [currency], spread
captured as a part of the value traded; ``first`` is its first instrument."""

RISK_INST = _record(
    ("underlying", np.int64),
    ("stock", np.int64),
    ("option", np.int64),
)
"""Underlying of an instrument, what hedges it (-1: nothing), and whether it is an option."""

SCOPE_STATE = _record(
    ("up", np.float64, (MEASURES,)),
    ("down", np.float64, (MEASURES,)),
    ("value", np.float64, (MEASURES,)),
    ("equity", np.float64),
    ("peak", np.float64),
    ("above_min", np.float64),
    ("above_since", np.int64),
    ("loss_since", np.int64),
    ("fall_since", np.int64),
    ("latched", np.int16),
    ("reason", np.int16),
    ("soft", np.int8),
)
"""``up`` and ``down``: highest and lowest a measure can come by fills of what is open. ``latched``
is a Reason that a human must take back, ``reason`` the one that holds now."""

LINE = _record(
    ("greek", np.float64, (3,)),
    ("greek_until", np.int64, (3,)),
    ("coef", np.float64, (LINEAR,)),
    ("seen_lots", np.int64),
    ("seen_buy", np.int64),
    ("seen_sell", np.int64),
    ("bid", np.float64),
    ("ask", np.float64),
    ("mid", np.float64),
    ("last_mid", np.float64),
    ("last_ticks", np.float64),
    ("slow", np.float64),
    ("slow_ts", np.int64),
    ("clean", np.int64, (BREAKERS,)),
    ("bad_ts", np.int64, (BREAKERS,)),
    ("work_ts", np.int64),
    ("counted_from", np.int64),
    ("work_order", np.int64),
    ("tripped", np.int16, (BREAKERS,)),
    ("repeated", np.int16),
    ("blocked", np.int16),
    ("market", np.int16),
    ("flatten", np.int8),
    ("soft_buy", np.int8),
    ("soft_sell", np.int8),
)
"""One instrument of one set: greeks (delta, gamma, vega) and until when they hold, measures of one
lot, what was open when they were added up, the last sound prices, breakers, ``market``: the
reason for which the market itself could not be quoted, and ``blocked``: that of the last decision
for which nothing could be, which orders by hand are held to as well."""

GROUP = _record(
    ("protected_until", np.int64),
    ("counted_from", np.int64),
    ("hedge_order", np.int64),
    ("hedge_ts", np.int64),
    ("hedge_fails", np.int64),
    ("delta", np.float64),
    ("residual", np.float64),
    ("protected", np.int16),
    ("unhedged", np.int16),
    ("flatten", np.int8),
    ("blind", np.int8),
)
"""One underlying of one set: market-maker protection, its delta, the order that hedges it, and
``residual``: delta still to be hedged."""

OWN = _record(
    ("last", np.int64),
    ("fills", np.int64),
    ("why", np.int64),
    ("loss_since", np.int64),
    ("flattening", np.int8),
)
"""One set: the instrument whose room was asked last, fills seen, why there was none; since when its
loss is beyond ``limits.max_loss_ccy`` (-1: it is not)."""

RECENT = _record(
    ("ts", np.int64),
    ("inst", np.int64),
    ("lots", np.int64),
    ("side", np.int64),
    ("share", np.float64),
    ("value", np.float64),
    ("captured", np.float64),
    ("delta", np.float64),
    ("vega", np.float64),
)
"""One fill: its part of the order's size, value [currency], spread captured, greeks it brought."""


class Guard(NamedTuple):
    """Limits of a run and the guard's state of each set."""

    param: np.ndarray
    scope: np.ndarray
    member: np.ndarray
    inst: np.ndarray
    scope_state: np.ndarray
    line: np.ndarray
    group: np.ndarray
    own: np.ndarray
    recent: np.ndarray
    quote: np.ndarray


def make_guard(
    param: np.ndarray | None = None,
    scope: np.ndarray | None = None,
    member: np.ndarray | None = None,
    inst: np.ndarray | None = None,
    *,
    sets: int = 0,
) -> Guard:
    """Fresh guard; without arguments one that is off. ``member`` is int8 (scopes, instruments)."""
    if param is None or scope is None or member is None or inst is None:
        param, scope = np.zeros(0, GUARD_PARAM), np.zeros(0, SCOPE)
        member, inst, sets = np.zeros((0, 0), np.int8), np.zeros(0, RISK_INST), 0
    groups = int(inst["underlying"].max()) + 1 if len(inst) else 0
    state = np.zeros(sets * len(scope), SCOPE_STATE)
    state["peak"] = state["equity"] = math.nan
    state["above_since"] = state["loss_since"] = state["fall_since"] = -1
    line = np.zeros(sets * len(inst), LINE)
    for name in ("greek", "coef", "bid", "ask", "mid", "last_mid", "slow"):
        line[name] = math.nan
    group = np.zeros(sets * groups, GROUP)
    group["delta"] = math.nan
    own = np.zeros(sets, OWN)
    own["loss_since"] = -1
    windows = bool(len(param)) and bool(
        param[0]["protects"]
        or param[0]["repeated_fills"]
        or np.isfinite(scope["min_capture"]).any()
    )
    return Guard(
        param,
        scope,
        member,
        inst,
        state,
        line,
        group,
        own,
        np.zeros((sets, RING_ROWS if windows else 0), RECENT),
        np.zeros(min(sets, 1), QUOTE),
    )


def guard_notices(guard: Guard, instruments: int) -> int:
    """Most actions that the guard adds to those of one message."""
    if not len(guard.own):
        return 0
    groups = len(guard.group) // len(guard.own)
    return 2 * len(guard.scope) + (BREAKERS + 4) * instruments + 6 * groups + 8
