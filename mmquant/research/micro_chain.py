"""The Markov chain behind the micro-price: from single steps to expected moves of the mid.

A state is a bucket of the imbalance together with a spread, numbered spread by spread. Stoikov
(2018) splits each step into one that leaves the mid where it is and one that moves it:

    Q[x, y]   P(mid stays, next state y | x)
    R1[x, j]  P(mid moves by K[j] | x)
    R2[x, y]  P(mid moves, next state y | x)
    g1 = (I - Q)^-1 R1 K       expected first move of the mid
    B  = (I - Q)^-1 R2         state after the first move
    G* = g1 + B g1 + B² g1 + ...

All are counted from data that are mirrored: each step once more with bid and ask swapped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST_TERMS = 10_000
"""Terms of the series after which it counts as endless."""
PRECISION = 1e-12
"""Size of a term, as a part of the first, at which the series ends."""


class Steps(NamedTuple):
    """Steps of the chain: state before, state after, and what the mid moved by."""

    state: np.ndarray
    following: np.ndarray
    half_ticks: np.ndarray


class Chain(NamedTuple):
    """The chain over the ``states`` that the steps tell about, and what follows from it."""

    states: np.ndarray
    visits: np.ndarray
    """Steps from each state, mirror images included."""
    jumps: np.ndarray
    """K. [ticks]"""
    Q: np.ndarray
    R1: np.ndarray
    R2: np.ndarray
    first: np.ndarray
    """g1. [ticks]"""
    B: np.ndarray
    adjustment: np.ndarray
    """G*, NaN where the series has no limit. [ticks]"""
    adjustment_se: np.ndarray
    """Its standard error, if the chain is one. [ticks]"""
    terms: int
    """Terms of the series that were added up; 0 where it has no limit."""
    steps_left_out: int


def mirrored(state: np.ndarray, buckets: int) -> np.ndarray:
    """The states with bid and ask swapped: the same spread, the bucket from the other end."""
    return state + (buckets - 1 - 2 * (state % buckets))


def solve_chain(steps: Steps, *, buckets: int, states: int) -> Chain:
    """Expected moves of the mid from each state.

    States that were never left, or from which no move of the mid was reached, are left out with
    the steps into them.
    """
    both = Steps(
        np.concatenate([steps.state, mirrored(steps.state, buckets)]),
        np.concatenate([steps.following, mirrored(steps.following, buckets)]),
        np.concatenate([steps.half_ticks, -steps.half_ticks]),
    )
    keep = _useful(both, states)
    place = np.cumsum(keep) - 1
    kept = keep[both.state] & keep[both.following]
    x, y, by = place[both.state[kept]], place[both.following[kept]], both.half_ticks[kept]
    count, moved = int(keep.sum()), by != 0
    visits = np.bincount(x, minlength=count)
    sizes, kind = np.unique(by[moved], return_inverse=True)
    Q = _table(x[~moved], y[~moved], count, count) / visits[:, None]
    R1 = _table(x[moved], kind, count, len(sizes)) / visits[:, None]
    R2 = _table(x[moved], y[moved], count, count) / visits[:, None]
    inverse = np.linalg.inv(np.eye(count) - Q)
    first, B = inverse @ (R1 @ (0.5 * sizes)), inverse @ R2
    adjustment, terms = _series(B, first)
    error = 0.5 * by + adjustment[y] - adjustment[x]
    spread = np.sqrt(np.bincount(x, error * error, minlength=count)) / visits
    other = place[mirrored(np.flatnonzero(keep), buckets)]
    return Chain(
        np.flatnonzero(keep), visits, 0.5 * sizes, Q, R1, R2, first, B, adjustment,
        _standard_errors(Q + R2, spread, other), terms, int(np.count_nonzero(~kept)) // 2,
    )  # fmt: skip


def _table(row: np.ndarray, column: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """How often each pair of row and column occurs."""
    flat = np.bincount(row * columns + column, minlength=rows * columns)
    return flat.reshape(rows, columns).astype(np.float64)


def _useful(steps: Steps, states: int) -> np.ndarray:
    """Mask of the states that have steps to leave them, and can lead to a move of the mid."""
    keep = np.ones(states, np.bool_)
    while True:
        kept = keep[steps.state] & keep[steps.following]
        x, y, moved = steps.state[kept], steps.following[kept], steps.half_ticks[kept] != 0
        leads = np.zeros(states, np.bool_)
        leads[x[moved]] = True
        known = -1
        while known != int(leads.sum()):
            known = int(leads.sum())
            leads[x[leads[y]]] = True
        if (leads == keep).all():
            return keep
        keep = leads


def _series(B: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, int]:
    """Sum of B^k g1, and how many terms it took; NaN and 0 where the terms do not vanish."""
    term, total = first, first.copy()
    least = PRECISION * float(np.abs(first).max(initial=0.0))
    for k in range(1, MOST_TERMS + 1):
        if not np.abs(term).max(initial=0.0) > least:
            return total, k
        term = B @ term
        total += term
    return np.full_like(first, np.nan), 0


def _standard_errors(P: np.ndarray, error: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Standard errors of G*, from those of its one-step equation in each state.

    G* is the one antisymmetric solution of G = E[move] + P G. An error in one state and in its
    mirror image (``other``) is one error, of opposite signs.
    """
    half = np.flatnonzero(np.arange(len(other)) < other)
    odd = np.eye(len(half)) - P[np.ix_(half, half)] + P[np.ix_(half, other[half])]
    out = np.zeros(len(other))
    if not len(half):
        return out
    if not np.isfinite(error).all() or np.linalg.cond(odd) > 1e12:
        return np.full(len(other), np.nan)
    spread = np.linalg.inv(odd) * error[half]
    out[half] = out[other[half]] = np.sqrt((spread * spread).sum(axis=1))
    return out
