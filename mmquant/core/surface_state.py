"""A surface that is quoted from: plain arrays of its expiries and contracts, changed in place.

Contracts stand sorted by expiry, expiries by years. Times are int64 ns of one clock. Everything
fails closed: what is missing, too old or has expired leaves a theo of NaN and a code that says why.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mmquant.core.american import make_work
from mmquant.core.american_nodes import FAST, tables
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.option_rows import ROWS
from mmquant.core.slice_curve import knots_of
from mmquant.core.slice_rows import SLICE_SIZE

SIGN, STRIKE, BID, ASK, VOL, THEO, DELTA, GAMMA, VEGA, BASE_PRICE, BASE_DELTA = range(11)
"""Rows of ``contract``. VOL to VEGA are the answer, BASE_PRICE and BASE_DELTA what it departs from:
values at BASE_SPOT. A side of NaN is not quoted. GAMMA and VEGA are those at BASE_SPOT."""
CONTRACT_ROWS = 11
BID_TS, ASK_TS, OLDER_TS = range(3)
"""Rows of ``contract_ts``: when each side was last given, and the older one of those there are; 0
is never."""
FIT_YEARS, FORWARD, RATE, FIT_SPOT, YEARS, BASE_SPOT, REACH = range(7)
"""Rows of ``expiry``. Of the fit: years to expiry, forward at a spot of FIT_SPOT, interest rate. Of
the last full valuation: years left, and spot. REACH: how far the spot may be from
BASE_SPOT before the expiry is valued in full; below 0, it is to be valued whatever the spot."""
EXPIRY_ROWS = 7
EXPIRES_TS, FIT_TS, DIRTY_TS, VALUED_TS = range(4)
"""Rows of ``expiry_ts``: when it ceases, the moment its slice is of, when the first quote came that
the slice does not know, and when it was valued in full; 0 is never."""
EXPIRY_TIMES = 4
SPOT, TOLERANCE, STICKY = range(3)
"""Parts of ``market``: price of the underlying, largest error of a theo between full valuations
[price], and a code of the smile's move."""
UNDERLYING_TS, MAX_QUOTE_AGE, MAX_UNDERLYING_AGE, MAX_FIT_AGE, MAX_VALUE_AGE = range(5)
"""Parts of ``market_ts``, ages in ns. A valuation older than the last is done anew."""

STICKY_STRIKE, STICKY_DELTA = 0.0, 1.0
"""A strike keeps its volatility when the underlying moves, or a moneyness does."""

THEO_OK = 0
THEO_STALE_UNDERLYING = 1
"""The underlying has no price, or an old one."""
THEO_EXPIRED = 2
THEO_NO_SLICE = 3
"""The expiry has no slice: too few quotes, or none that can be fitted."""
THEO_OLD_SLICE = 4
"""Quotes have changed, and the fit that followed is too long ago."""
THEO_STALE_QUOTE = 5
"""The contract has no quote, or a side that is too old."""
THEO_NO_VALUE = 6
"""No price at this volatility: the valuation refuses it."""

QUOTE_OK, QUOTE_NO_CONTRACT, QUOTE_BAD, QUOTE_LATE = range(4)
"""Answers to a quote: taken; no such contract; a price or size that is none; older than what is
there."""


class SurfaceState(NamedTuple):
    """A live surface; see the rows above. ``first`` (expiries + 1,): where an expiry's contracts
    start. ``american`` (expiries,) 0 or 1. ``slices`` (expiries, SLICE_SIZE): fits free of
    arbitrage; ``own``: each expiry's fit by itself. ``status`` (contracts,): codes of the theo.
    The rest is memory."""

    first: np.ndarray
    american: np.ndarray
    slices: np.ndarray
    own: np.ndarray
    expiry: np.ndarray
    expiry_ts: np.ndarray
    contract: np.ndarray
    contract_ts: np.ndarray
    status: np.ndarray
    market: np.ndarray
    market_ts: np.ndarray
    nodes: np.ndarray
    work: np.ndarray
    rows: np.ndarray
    ends: np.ndarray
    codes: np.ndarray


def make_surface_state(
    sign, strike, expiry_of, expires_ts, american, *, tolerance, sticky, ages
) -> SurfaceState:
    """State without quotes. ``sign``, ``strike``, ``expiry_of`` (contracts,), the last an index
    that does not fall; ``expires_ts``, ``american`` (expiries,). ``ages``: the four of market_ts.
    """
    contracts, expiries = len(sign), len(expires_ts)
    first = np.searchsorted(expiry_of, np.arange(expiries + 1)).astype(np.int64)
    contract = np.full((CONTRACT_ROWS, contracts), np.nan)
    contract[SIGN], contract[STRIKE] = sign, strike
    expiry = np.full((EXPIRY_ROWS, expiries), np.nan)
    expiry[REACH] = -1.0
    expiry_ts = np.zeros((EXPIRY_TIMES, expiries), np.int64)
    expiry_ts[EXPIRES_TS] = expires_ts
    largest = int(np.diff(first).max(initial=1))
    return SurfaceState(
        first=first,
        american=np.asarray(american, np.int64).copy(),
        slices=np.zeros((expiries, SLICE_SIZE)),
        own=np.zeros((expiries, SLICE_SIZE)),
        expiry=expiry,
        expiry_ts=expiry_ts,
        contract=contract,
        contract_ts=np.zeros((3, contracts), np.int64),
        status=np.full(contracts, THEO_STALE_UNDERLYING, np.int64),
        market=np.array([np.nan, tolerance, sticky]),
        market_ts=np.array([0, *ages], np.int64),
        nodes=tables(FAST),
        work=make_work(),
        rows=np.zeros((ROWS, largest)),
        ends=np.zeros((4, largest)),
        codes=np.zeros(largest, np.int64),
    )


@inner_kernel
def expiry_at(i, first):
    """The expiry that contract ``i`` belongs to."""
    low, high = 0, first.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if first[middle] <= i:
            low = middle
        else:
            high = middle
    return low


@inner_kernel
def is_price(value):
    """Whether a side may have it: a positive number, or NaN for no quote; 0 bids are quotes."""
    return value != value or 0.0 <= value < math.inf


@kernel
def take_quote(i, bid, ask, bid_ts, ask_ts, state):
    """Take the quote of contract ``i``, NaN for a side that there is not. Returns a QUOTE code.

    ``bid_ts``, ``ask_ts``: when each side was given. A change of price makes the expiry dirty; the
    same price only makes the quote younger. What is refused changes nothing.
    """
    if not 0 <= i < state.status.size:
        return QUOTE_NO_CONTRACT
    if not (is_price(bid) and is_price(ask)) or ask == 0.0 or bid_ts < 0 or ask_ts < 0:
        return QUOTE_BAD
    old_bid, old_ask = state.contract_ts[BID_TS, i], state.contract_ts[ASK_TS, i]
    if bid_ts < old_bid or ask_ts < old_ask:
        return QUOTE_LATE
    changed = not same(bid, state.contract[BID, i]) or not same(ask, state.contract[ASK, i])
    state.contract[BID, i], state.contract[ASK, i] = bid, ask
    state.contract_ts[BID_TS, i], state.contract_ts[ASK_TS, i] = bid_ts, ask_ts
    older = min(bid_ts, ask_ts)
    if bid != bid or ask != ask:
        older = ask_ts if bid != bid else bid_ts
    state.contract_ts[OLDER_TS, i] = 0 if bid != bid and ask != ask else older
    if changed:
        mark_dirty(expiry_at(i, state.first), max(bid_ts, ask_ts), state)
    return QUOTE_OK


@inner_kernel
def same(a, b):
    return a == b or (a != a and b != b)


@kernel
def take_quotes(which, bid, ask, bid_ts, ask_ts, state):
    """take_quote() for arrays (n,). Returns (how many were refused, the first of them or -1)."""
    refused, worst = 0, -1
    for j in range(which.size):
        code = take_quote(which[j], bid[j], ask[j], bid_ts[j], ask_ts[j], state)
        if code != QUOTE_OK:
            refused += 1
            worst = j if worst < 0 else worst
    return refused, worst


@kernel
def mark_dirty(e, ts, state):
    """Expiry ``e`` is to be fitted anew, as of the first quote at ``ts`` that it does not know."""
    if state.expiry_ts[DIRTY_TS, e] == 0:
        state.expiry_ts[DIRTY_TS, e] = max(ts, 1)


@inner_kernel
def expiry_status(e, now, state):
    """Why no contract of the expiry has a theo, or THEO_OK."""
    spot, seen = state.market[SPOT], state.market_ts[UNDERLYING_TS]
    if not 0.0 < spot < math.inf or now - seen > state.market_ts[MAX_UNDERLYING_AGE]:
        return THEO_STALE_UNDERLYING
    if now >= state.expiry_ts[EXPIRES_TS, e]:
        return THEO_EXPIRED
    if knots_of(state.slices[e]) == 0:
        return THEO_NO_SLICE
    dirty = state.expiry_ts[DIRTY_TS, e]
    # A slice that knows all quotes is as young as they are, however long ago it was fitted.
    if dirty > 0 and now - dirty > state.market_ts[MAX_FIT_AGE]:
        return THEO_OLD_SLICE
    return THEO_OK
