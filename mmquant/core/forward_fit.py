"""Forwards of all expiries from bids and asks, at one time after the other.

Where exercise is american, calls and puts are made European first, at the yield that the forward
implies; forward and premiums are found in turns. Far from the money premiums decide, and spreads
are wide: strikes within a band of standard deviations are asked, and no less than a few.
"""

from __future__ import annotations

import math

from mmquant.core.early_exercise import european_values
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.mathfn import exp, log
from mmquant.core.parity import agreement, box_discount, parity_forward
from mmquant.core.surface_rows import (
    AGREE,
    DEVIATION,
    DISAGREE,
    FORWARD,
    HIGHS,
    KEYS,
    LOWER,
    LOWS,
    MARKS,
    MISFIT,
    MOVES,
    PLACES,
    PREMIUMS,
    PRICES,
    SIGNS,
    STRIKES,
    UPPER,
    VALUES,
    VOLS,
)

TURNS = 4
CLOSE = 1e-6
"""Relative change of the forward at which turns end."""
MOST = 9.0
"""Square of a miss, in half widths, that none counts more than."""
FEWEST = 4
"""Strikes nearest the money that are asked, however far."""
STRADDLE = 1.2533141373155003
"""Volatility to expiry over the price of a straddle at the money in forwards: sqrt(pi / 2)."""


@inner_kernel
def gather_pairs(t, first, last, bid, ask, usable, strike, call, put, buffers):
    """Strikes whose call and put are both usable: PLACES, STRIKES and, raw, LOWS and HIGHS."""
    n = 0
    for i in range(first, last):
        c, p = int(call[i]), int(put[i])
        if c < 0 or p < 0 or usable[t, c] == 0 or usable[t, p] == 0:
            continue
        buffers[PLACES, n], buffers[STRIKES, n] = i, strike[i]
        buffers[LOWS, n] = bid[t, c] - ask[t, p]
        buffers[HIGHS, n] = ask[t, c] - bid[t, p]
        n += 1
    return n


@inner_kernel
def as_forwards(n, discount, buffers):
    """What call less put at each strike says about the forward: LOWS and HIGHS, in place."""
    for j in range(n):
        k = buffers[STRIKES, j]
        buffers[LOWS, j] = k + buffers[LOWS, j] / discount
        buffers[HIGHS, j] = k + buffers[HIGHS, j] / discount


@inner_kernel
def deviation_near(t, n, forward, discount, bid, ask, call, put, buffers):
    """Volatility to expiry by the straddle nearest the money."""
    nearest, best = math.inf, 0
    for j in range(n):
        distance = abs(buffers[STRIKES, j] - forward)
        if distance < nearest:
            nearest, best = distance, j
    i = int(buffers[PLACES, best])
    c, p = int(call[i]), int(put[i])
    straddle = 0.5 * (bid[t, c] + ask[t, c] + bid[t, p] + ask[t, p])
    outer = max(straddle - discount * nearest, 0.25 * straddle)
    return STRADDLE * outer / (discount * forward)


@inner_kernel
def keep_band(n, forward, width, buffers):
    """Only the strikes within ``width`` of log-moneyness, but FEWEST at least. How many."""
    limit = width
    for j in range(n):
        mine = abs(log(buffers[STRIKES, j] / forward))
        nearer = 0
        for i in range(n):
            nearer += 1 if abs(log(buffers[STRIKES, i] / forward)) < mine else 0
        if nearer < FEWEST:
            limit = max(limit, mine)
    kept = 0
    for j in range(n):
        if abs(log(buffers[STRIKES, j] / forward)) <= limit:
            buffers[STRIKES, kept], buffers[PLACES, kept] = buffers[STRIKES, j], buffers[PLACES, j]
            kept += 1
    return kept


@inner_kernel
def premiums_off(t, n, spot, years, rate, forward, bid, ask, call, put, buffers, memory):
    """PREMIUMS of the ``n`` calls, and after them of the puts, by their middles."""
    for j in range(n):
        i = int(buffers[PLACES, j])
        for side in range(2):
            at = int(call[i]) if side == 0 else int(put[i])
            m = j + side * n
            buffers[SIGNS, m] = 1.0 if side == 0 else -1.0
            buffers[PRICES, m] = 0.5 * (bid[t, at] + ask[t, at])
            buffers[STRIKES, m] = buffers[STRIKES, j]
            buffers[VOLS, m] = 0.0
    dividend_yield = rate - log(forward / spot) / years
    european_values(
        buffers[SIGNS, : 2 * n], buffers[STRIKES, : 2 * n], buffers[PRICES, : 2 * n], spot, years,
        rate, dividend_yield, buffers[VOLS, : 2 * n], buffers[VALUES, : 2 * n],
        buffers[PREMIUMS, : 2 * n], buffers[MOVES, : 2 * n], memory,
    )  # fmt: skip


@inner_kernel
def european_pairs(t, n, discount, american, bid, ask, call, put, buffers):
    """LOWS and HIGHS of the forward by the European values; pairs without them are left out."""
    kept = 0
    for j in range(n):
        i = int(buffers[PLACES, j])
        c, p = int(call[i]), int(put[i])
        off = 0.0
        if american:
            off = buffers[PREMIUMS, j] - buffers[PREMIUMS, j + n]
            if not abs(buffers[VALUES, j] + buffers[VALUES, j + n]) < math.inf:
                continue
        k = buffers[STRIKES, j]
        buffers[LOWS, kept] = k + (bid[t, c] - ask[t, p] - off) / discount
        buffers[HIGHS, kept] = k + (ask[t, c] - bid[t, p] - off) / discount
        kept += 1
    return kept


@inner_kernel
def misfit(low, high, forward):
    """Mean square of the distance of the forward from the middles, in half widths, up to MOST."""
    total = 0.0
    for j in range(low.size):
        half = 0.5 * (high[j] - low[j]) + 1e-9
        miss = (0.5 * (high[j] + low[j]) - forward) / half
        total += min(miss * miss, MOST)
    return total / max(low.size, 1)


@inner_kernel
def fit_forward(
    t, first, last, bid, ask, usable, strike, call, put, american, spot, years, rate, band, out,
    buffers, memory,
):  # fmt: skip
    """Forward of one expiry at time ``t``, to ``out`` (FORWARD_ROWS,); see fit_forwards."""
    for row in range(out.size):
        out[row] = math.nan
    out[AGREE], out[DISAGREE] = 0.0, 0.0
    n = gather_pairs(t, first, last, bid, ask, usable, strike, call, put, buffers)
    if n == 0:
        return
    discount = exp(-rate * years)
    as_forwards(n, discount, buffers)
    found = agreement(buffers[LOWS, :n], buffers[HIGHS, :n], buffers[KEYS], buffers[MARKS])
    forward = 0.5 * (found[0] + found[1])
    if not (forward > 0.0 and (spot > 0.0 or not american)):
        return
    for _ in range(TURNS if american else 1):
        n = gather_pairs(t, first, last, bid, ask, usable, strike, call, put, buffers)
        deviation = deviation_near(t, n, forward, discount, bid, ask, call, put, buffers)
        n = keep_band(n, forward, band * deviation, buffers)
        if american:
            premiums_off(t, n, spot, years, rate, forward, bid, ask, call, put, buffers, memory)
        n = european_pairs(t, n, discount, american, bid, ask, call, put, buffers)
        low, high = buffers[LOWS, :n], buffers[HIGHS, :n]
        new, lower, upper, agree, disagree = parity_forward(
            low, high, buffers[KEYS], buffers[MARKS]
        )
        if not new > 0.0:
            out[FORWARD] = math.nan
            return
        out[FORWARD], out[LOWER], out[UPPER] = new, lower, upper
        out[AGREE], out[DISAGREE], out[DEVIATION] = agree, disagree, deviation
        out[MISFIT] = misfit(low, high, new)
        moved = abs(new - forward)
        forward = new
        if moved < CLOSE * forward:
            return


@kernel
def fit_forwards(
    begin, end, bid, ask, usable, start, strike, call, put, american, spot, years, rate, band, out,
    buffers, memory,
):  # fmt: skip
    """Forwards of every expiry at times ``begin`` to ``end``, to ``out`` (time, expiry, rows).

    ``bid``, ``ask`` [price] and ``usable`` (time, contract): quotes, and 1 for those to use.
    ``start`` (expiries + 1,): where each expiry's strikes start in ``strike``, ``call`` and
    ``put``, which say the contract of either side, -1 for none. ``american`` (expiry,); ``spot``
    (time,); ``years`` by the calendar and ``rate`` [per year] (time, expiry). ``band``: standard
    deviations from the money that are asked.
    """
    for t in range(begin, end):
        for e in range(start.size - 1):
            fit_forward(
                t, int(start[e]), int(start[e + 1]), bid, ask, usable, strike, call, put,
                american[e], spot[t], years[t, e], rate[t, e], band, out[t, e], buffers, memory,
            )  # fmt: skip


@kernel
def imply_discounts(
    begin, end, bid, ask, usable, start, strike, call, put, discount, error, buffers
):
    """Discount factors by box spreads (time, expiry), with standard errors; see fit_forwards."""
    for t in range(begin, end):
        for e in range(start.size - 1):
            first, last = int(start[e]), int(start[e + 1])
            n = gather_pairs(t, first, last, bid, ask, usable, strike, call, put, buffers)
            low, high = buffers[LOWS, :n], buffers[HIGHS, :n]
            discount[t, e], error[t, e] = box_discount(buffers[STRIKES, :n], low, high)
