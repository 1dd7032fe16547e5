"""Expiries of a live surface fitted anew, with the kernels of the batch fit.

Only expiries with new quotes are; another one follows where the one before now crosses it. So a
call takes at most two fits an expiry, and what it leaves is free of arbitrage. Where all expiries
are fitted, slices are those of fit_moment() to the bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.jit import kernel
from mmquant.core.slice_curve import calendar_slack, knots_of
from mmquant.core.slice_fit import make_fit_work
from mmquant.core.slice_rows import make_slice
from mmquant.core.surface_fit import FIT_ROWS, expiry_points, fit_alone, fit_between
from mmquant.core.surface_reprice import set_market
from mmquant.core.surface_state import DIRTY_TS, REACH


class Refit(NamedTuple):
    """What stays between refits. ``start`` to ``put``: strikes as in fit_forwards(). ``points``
    (expiries, 4, strikes), ``counts`` (expiries,): points of the last fit. ``said``
    (expiries, FIT_ROWS): what is said of each slice. The rest is memory."""

    start: np.ndarray
    strike: np.ndarray
    call: np.ndarray
    put: np.ndarray
    points: np.ndarray
    counts: np.ndarray
    said: np.ndarray
    none: np.ndarray
    work: np.ndarray


def make_refit(start, strike, call, put) -> Refit:
    """Nothing fitted yet."""
    expiries, most = len(start) - 1, int(np.diff(start).max(initial=1))
    return Refit(
        start, strike, call, put, np.zeros((expiries, 4, most)), np.zeros(expiries, np.int64),
        np.full((expiries, FIT_ROWS), np.nan), make_slice(), make_fit_work(),
    )  # fmt: skip


@kernel
def refit(dirty, bid, ask, years, forward, rate, discount, spot, fewest, ts, fitted, state):
    """Fit the expiries that are ``dirty`` (expiries,) to the quotes of ``ts``. How many changed.

    ``bid``, ``ask`` (1, contracts): European values to use, NaN for the rest. ``years``,
    ``forward``, ``rate``, ``discount`` (expiries,), NaN for an expiry that has none: it is left
    without a slice, as is one with fewer than ``fewest`` quotes of two sides. ``spot``: that
    of the underlying that the forwards belong to. ``fitted``: make_refit().
    """
    expiries = state.american.size
    for e in range(expiries):
        if dirty[e] == 0:
            continue
        fitted.counts[e], two = 0, 0
        if forward[e] > 0.0:
            fitted.counts[e], two = expiry_points(
                0, int(fitted.start[e]), int(fitted.start[e + 1]), bid, ask, fitted.strike,
                fitted.call, fitted.put, forward[e], discount[e], fitted.points[e],
            )  # fmt: skip
        fit_alone(
            int(fitted.counts[e]), two, fewest, fitted.points[e], fitted.none, state.own[:0],
            state.own[e], fitted.said[e], fitted.work,
        )  # fmt: skip
    before, changed = -1, 0
    for e in range(expiries):
        below = fitted.none if before < 0 else state.slices[before]
        crossed = knots_of(below) > 0 and calendar_slack(below, state.slices[e])[0] < 0.0
        if dirty[e] != 0 or crossed:
            fit_between(
                int(fitted.counts[e]), fitted.points[e], below, state.own[e:], state.slices[e],
                fitted.said[e], fitted.work,
            )  # fmt: skip
            state.expiry[REACH, e] = -1.0
            changed += 1
        if dirty[e] != 0:
            set_market(e, years[e], forward[e], rate[e], spot, ts, state)
            state.expiry_ts[DIRTY_TS, e] = 0
        before = e if knots_of(state.slices[e]) > 0 else before
    return changed
