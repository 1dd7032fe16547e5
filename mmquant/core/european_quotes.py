"""All quotes of a chain as European values, at one time after the other."""

from __future__ import annotations

import math

from mmquant.core.early_exercise import european_values
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import log
from mmquant.core.surface_rows import (
    MOVES,
    PLACES,
    PREMIUMS,
    PRICES,
    SIGNS,
    STRIKES,
    VALUES,
    VOLS,
)


@inner_kernel
def add_side(t, at, sign, strike, quote, n, buffers):
    """One side of a quote as an option to be made European, if there is one. How many there are."""
    if not 0.0 < quote[t, at] < math.inf:
        return n
    buffers[PLACES, n], buffers[SIGNS, n], buffers[STRIKES, n] = at, sign, strike
    buffers[PRICES, n], buffers[VOLS, n] = quote[t, at], 0.0
    return n + 1


@inner_kernel
def european_expiry(
    t, first, last, bid, ask, wanted, strike, call, put, american, spot, years, rate, forward,
    width, european_bid, european_ask, buffers, memory,
):  # fmt: skip
    """One expiry at one time; see european_quotes."""
    n, bids = 0, 0
    for side in range(2):
        bids = n
        quote = bid if side == 0 else ask
        european = european_bid if side == 0 else european_ask
        for i in range(first, last):
            for right in range(2):
                at = int(call[i]) if right == 0 else int(put[i])
                sign = 1.0 if right == 0 else -1.0
                if at < 0 or wanted[t, at] == 0 or sign * log(strike[i] / forward) < -width:
                    continue
                if american:
                    n = add_side(t, at, sign, strike[i], quote, n, buffers)
                elif quote[t, at] > 0.0:
                    european[t, at] = quote[t, at]
    if not american or n == 0:
        return
    dividend_yield = rate - log(forward / spot) / years
    european_values(
        buffers[SIGNS, :n], buffers[STRIKES, :n], buffers[PRICES, :n], spot, years, rate,
        dividend_yield, buffers[VOLS, :n], buffers[VALUES, :n], buffers[PREMIUMS, :n],
        buffers[MOVES, :n], memory,
    )  # fmt: skip
    for j in range(n):
        european = european_bid if j < bids else european_ask
        european[t, int(buffers[PLACES, j])] = buffers[VALUES, j]


@kernel
def european_quotes(
    begin, end, bid, ask, wanted, start, strike, call, put, american, spot, years, rate, forward,
    width, european_bid, european_ask, buffers, memory,
):  # fmt: skip
    """European values of bids and asks (time, contract), discounted; NaN where there are none.

    As fit_forwards. ``wanted``: 1 for quotes to be made European. ``forward`` and ``width`` (time,
    expiry): options deeper in the money than ``width`` in log-moneyness are left out.
    """
    for t in range(begin, end):
        for e in range(start.size - 1):
            if not (forward[t, e] > 0.0 and years[t, e] > 0.0):
                continue
            european_expiry(
                t, int(start[e]), int(start[e + 1]), bid, ask, wanted, strike, call, put,
                american[e], spot[t], years[t, e], rate[t, e], forward[t, e], width[t, e],
                european_bid, european_ask, buffers, memory,
            )  # fmt: skip
