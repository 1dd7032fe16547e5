"""Micro-price adjustments of a recorded market: Stoikov (2018), "The micro-price"."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from mmquant.errors import UsageError
from mmquant.research.calibration.flow import Moment, contract_of
from mmquant.research.micro_chain import Chain, Steps, solve_chain
from mmquant.research.quote_changes import has_market, quote_changes

LEAST_VISITS = 30
"""Steps from a state, mirror images included, below which nothing is said about it."""
SPREAD_SHARE = 0.95
"""Without a given number of spreads: as many as this part of the quotes has."""
MOST_STATES = 2_000


def fit_micro_price(
    tape: xr.Dataset,
    *,
    inst: int = 0,
    imbalance_buckets: int = 10,
    max_spread_ticks: int | None = None,
    start: Moment = None,
    end: Moment = None,
) -> xr.Dataset:
    """Expected moves of the mid by imbalance and spread, from a chain with a step a quote change.

    Parameters
    ----------
    imbalance_buckets : how many, of equal width in bid / (bid + ask).
    max_spread_ticks : the last spread, which stands for itself and all wider ones; if not given,
        the one that 95 % of the quotes do not exceed.
    start, end : seconds from the first row, or clock times like "09:30"; all if not given.

    Returns
    -------
    Dataset
        by ``spread`` [ticks] and ``bucket``: ``adjustment`` (G*, the micro-price less the mid),
        ``adjustment_se`` and ``first`` (g1) [ticks], NaN in states that were left fewer than 30
        times; ``visits``, how often they were. By ``state`` and ``next_state`` or ``jump``
        [ticks]: ``Q``, ``R1``, ``R2``, ``B`` over the states that tell something. Attributes:
        ``samples``, ``steps``, ``steps_left_out``, ``breaks`` (steps across times without a
        two-sided market, not used), ``terms`` of the series, and ``reason`` where it has no limit.

    Raises
    ------
    UsageError
        where a number is out of range, or the tape or the times do not fit.
    DataError
        where the tape is empty.
    """
    if imbalance_buckets < 2:
        raise UsageError(f"imbalance_buckets is {imbalance_buckets}", fix="give 2 or more")
    rows = quote_changes(tape, inst=inst, start=start, end=end)
    good = has_market(rows)
    spread = (rows["ask"] - rows["bid"])[good]
    if max_spread_ticks is None:
        wide = np.quantile(spread, SPREAD_SHARE, method="inverted_cdf") if spread.size else 1
        max_spread_ticks = min(int(wide), MOST_STATES // imbalance_buckets)
    if not 1 <= max_spread_ticks <= MOST_STATES // imbalance_buckets:
        raise UsageError(
            f"{max_spread_ticks} spreads of {imbalance_buckets} buckets",
            fix=f"give 1 spread or more, and {MOST_STATES} states at most",
        )
    state = np.full(len(rows), -1)
    bucket = buckets_of(rows["bid_lots"][good], rows["ask_lots"][good], imbalance_buckets)
    state[good] = (np.minimum(spread, max_spread_ticks) - 1) * imbalance_buckets + bucket
    joined = good[1:] & good[:-1]
    moves = np.diff(rows["bid"] + rows["ask"])[joined]
    steps = Steps(state[:-1][joined], state[1:][joined], moves)
    chain = solve_chain(
        steps, buckets=imbalance_buckets, states=max_spread_ticks * imbalance_buckets
    )
    facts = {
        "symbol": contract_of(tape, inst).symbol,
        "date": tape.attrs["date"],
        "samples": int(good.sum()),
        "steps": len(moves),
        "breaks": int(np.count_nonzero(good[:-1] & ~good[1:])),
    }
    return _dataset(chain, imbalance_buckets, max_spread_ticks, facts)


def buckets_of(bid_lots: np.ndarray, ask_lots: np.ndarray, buckets: int) -> np.ndarray:
    """``core.theo.imbalance_bucket`` of integer sizes above 0, of shape (n,)."""
    place = np.minimum(bid_lots, ask_lots) * buckets // (bid_lots + ask_lots)
    return np.where(bid_lots <= ask_lots, place, buckets - 1 - place)


def micro_price_summary(fit: xr.Dataset) -> dict[str, Any]:
    """What a fit rests on and how large its adjustments are, as a flat dict."""
    size, known = np.abs(fit["adjustment"].to_numpy()), int(fit["adjustment"].notnull().sum())
    half_spread = 0.5 * fit["spread"].to_numpy()[:, None]
    return {
        **fit.attrs,
        "imbalance_buckets": fit.sizes["bucket"],
        "max_spread_ticks": fit.sizes["spread"],
        "states": size.size,
        "states_unknown": size.size - known,
        "largest_adjustment_ticks": float(np.nanmax(size)) if known else None,
        "largest_part_of_half_spread": float(np.nanmax(size / half_spread)) if known else None,
        "mean_se_ticks": float(fit["adjustment_se"].mean()) if known else None,
    }


def _dataset(chain: Chain, buckets: int, spreads: int, facts: dict[str, Any]) -> xr.Dataset:
    def grid(values: np.ndarray, least: int = LEAST_VISITS) -> np.ndarray:
        out = np.full(spreads * buckets, np.nan)
        out[chain.states] = np.where(chain.visits >= least, values, np.nan)
        return out.reshape(spreads, buckets)

    cell, ticks = ("spread", "bucket"), {"units": "ticks"}
    both = ("state", "next_state")
    visits = np.zeros(spreads * buckets, np.int64)
    visits[chain.states] = chain.visits
    edges = np.arange(buckets + 1) / buckets
    reason = "" if chain.terms > 0 else "the series has no limit: the data tell of no chain"
    return xr.Dataset(
        {
            "adjustment": (cell, grid(chain.adjustment), ticks),
            "adjustment_se": (cell, grid(chain.adjustment_se), ticks),
            "first": (cell, grid(chain.first), ticks),
            "visits": (cell, visits.reshape(spreads, buckets)),
            "Q": (both, chain.Q),
            "R1": (("state", "jump"), chain.R1),
            "R2": (both, chain.R2),
            "B": (both, chain.B),
        },
        coords={
            "spread": ("spread", np.arange(1, spreads + 1), ticks),
            "bucket": np.arange(buckets),
            "imbalance_from": ("bucket", edges[:-1]),
            "imbalance_to": ("bucket", edges[1:]),
            "jump": ("jump", chain.jumps, ticks),
            "state": chain.states,
            "next_state": chain.states,
        },
        attrs=facts
        | {"steps_left_out": chain.steps_left_out, "terms": chain.terms}
        | {"reason": reason},
    )
