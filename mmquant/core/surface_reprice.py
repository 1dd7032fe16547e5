"""Theos of a live surface: by delta and gamma on a tick of the underlying, in full where needed.

Between full valuations a theo is V + D x + G x^2 / 2, x the move of the spot. The error is at most
|x|^3 / 6 times the largest third derivative on the way. For Black's formula at a constant
volatility, with s the volatility to expiry, that derivative is

    -e^(-qT) phi(d1) (1 + d1 / s) / (s S^2), at most e^(-qT) (c / s + d / s^2) / S^2,

c = 1 / sqrt(2 pi) and d = 1 / sqrt(2 pi e), whatever the strike. An expiry is valued in full once x
is beyond the reach that the tolerance allows: for European options at sticky strikes that is
proven. What early exercise and a smile that moves add is measured at both ends of the reach, which
is cut where it is too much. The accuracy of an american price comes on top, where the smile moves.
"""

from __future__ import annotations

import math

from mmquant.core.american import chain_rows
from mmquant.core.black import log_ratio, spot_price, spot_rows
from mmquant.core.jit import inner_formula, inner_kernel, kernel
from mmquant.core.mathfn import NAN, exp, log
from mmquant.core.option_rows import DELTA as OPTION_DELTA
from mmquant.core.option_rows import GAMMA as OPTION_GAMMA
from mmquant.core.option_rows import PRICE as OPTION_PRICE
from mmquant.core.option_rows import VANNA as OPTION_VANNA
from mmquant.core.option_rows import VEGA as OPTION_VEGA
from mmquant.core.option_rows import VOLGA as OPTION_VOLGA
from mmquant.core.slice_curve import slice_variance
from mmquant.core.surface_state import (
    BASE_DELTA,
    BASE_PRICE,
    BASE_SPOT,
    DELTA,
    EXPIRES_TS,
    FIT_SPOT,
    FIT_TS,
    FIT_YEARS,
    FORWARD,
    GAMMA,
    MAX_QUOTE_AGE,
    MAX_VALUE_AGE,
    OLDER_TS,
    RATE,
    REACH,
    SIGN,
    SPOT,
    STICKY,
    STICKY_DELTA,
    STRIKE,
    THEO,
    THEO_NO_VALUE,
    THEO_OK,
    THEO_STALE_QUOTE,
    TOLERANCE,
    UNDERLYING_TS,
    VALUED_TS,
    VEGA,
    VOL,
    YEARS,
    expiry_status,
)

C, D = 0.3989422804014327, 0.24197072451914337
YEAR_NS = 31_536_000_000_000_000
"""365 days."""
LARGEST_REACH = 0.25
"""Of the spot, whatever the tolerance."""
LATE = -1
VOLS, VALUES = 0, 1
"""Rows of ``ends``: volatilities, and from VALUES on prices, deltas and gammas."""


@inner_formula
def rates_of(e, state):
    """(rate, yield) at which the forward moves in proportion with the spot."""
    growth = state.expiry[FORWARD, e] / state.expiry[FIT_SPOT, e]
    rate = state.expiry[RATE, e]
    return rate, rate - log(growth) / state.expiry[YEARS, e]


@inner_formula
def anchor_at(e, spot, state):
    """The forward that moneyness is by, for the smile at a spot."""
    forward = state.expiry[FORWARD, e]
    if state.market[STICKY] == STICKY_DELTA:
        forward = forward * (spot / state.expiry[FIT_SPOT, e])
    return forward


@inner_formula
def vol_at(e, strike, anchor, state):
    """(vol, its first and second derivative by log-moneyness). They stay as time passes."""
    years = state.expiry[FIT_YEARS, e]
    w, slope, bend = slice_variance(log_ratio(strike, anchor), state.slices[e])
    vol = math.sqrt(w / years) if w > 0.0 else NAN
    first = 0.5 * slope / (vol * years)
    return vol, first, (0.5 * bend / years - first * first) / vol


@inner_kernel
def add_smile(i, j, spot, first, second, state):
    """Delta and gamma of contract ``i`` with its volatility moving along the smile; k is by -1 / S.

    Vanna and volga are the European ones in american options too.
    """
    by_spot = -first / spot
    again = (second + first) / (spot * spot)
    vega = state.contract[VEGA, i]
    state.contract[BASE_DELTA, i] += vega * by_spot
    bent = 2.0 * state.rows[OPTION_VANNA, j] + state.rows[OPTION_VOLGA, j] * by_spot
    state.contract[GAMMA, i] += bent * by_spot + vega * again


@inner_kernel
def write_values(e, spot, rate, dividend_yield, state):
    """Volatilities, prices, deltas, gammas and vegas of an expiry. Returns its least volatility."""
    start, end = state.first[e], state.first[e + 1]
    contract, rows, years = state.contract, state.rows, state.expiry[YEARS, e]
    anchor, least = anchor_at(e, spot, state), math.inf
    american, moves = state.american[e] != 0, state.market[STICKY] == STICKY_DELTA
    for i in range(start, end):
        vol, _, _ = vol_at(e, contract[STRIKE, i], anchor, state)
        contract[VOL, i] = vol
        least = vol if vol < least else least
    if american:
        chain_rows(
            contract[SIGN, start:end], spot, contract[STRIKE, start:end], years,
            contract[VOL, start:end], rate, dividend_yield, state.nodes, state.work, rows,
            state.codes,
        )  # fmt: skip
        for i in range(start, end):
            j = i - start
            contract[BASE_PRICE, i], contract[BASE_DELTA, i] = (
                rows[OPTION_PRICE, j],
                rows[OPTION_DELTA, j],
            )
            contract[GAMMA, i], contract[VEGA, i] = rows[OPTION_GAMMA, j], rows[OPTION_VEGA, j]
    if moves or not american:
        for i in range(start, end):
            price, delta, gamma, vega, _, _, vanna, volga, _ = spot_rows(
                contract[SIGN, i], spot, contract[STRIKE, i], years, contract[VOL, i], rate,
                dividend_yield,
            )  # fmt: skip
            if not american:
                contract[BASE_PRICE, i], contract[BASE_DELTA, i] = price, delta
                contract[GAMMA, i], contract[VEGA, i] = gamma, vega
            if moves:
                rows[OPTION_VANNA, i - start], rows[OPTION_VOLGA, i - start] = vanna, volga
                _, first, second = vol_at(e, contract[STRIKE, i], anchor, state)
                add_smile(i, i - start, spot, first, second, state)
    return least


@inner_kernel
def error_at(e, move, spot, rate, dividend_yield, state):
    """The largest error of the expiry's theos by delta and gamma where the spot has moved so."""
    start, end = state.first[e], state.first[e + 1]
    contract, ends, years = state.contract, state.ends, state.expiry[YEARS, e]
    there = spot + move
    anchor, worst = anchor_at(e, there, state), 0.0
    for i in range(start, end):
        ends[VOLS, i - start], _, _ = vol_at(e, contract[STRIKE, i], anchor, state)
    if state.american[e] != 0:
        chain_rows(
            contract[SIGN, start:end], there, contract[STRIKE, start:end], years,
            ends[VOLS, : end - start], rate, dividend_yield, state.nodes, state.work,
            ends[VALUES:], state.codes,
        )  # fmt: skip
    else:
        for i in range(start, end):
            ends[VALUES, i - start] = spot_price(
                contract[SIGN, i], there, contract[STRIKE, i], years, ends[VOLS, i - start], rate,
                dividend_yield,
            )  # fmt: skip
    for i in range(start, end):
        error = abs(by_greeks(i, move, contract) - ends[VALUES, i - start])
        worst = error if error > worst else worst
    return worst


@inner_formula
def by_greeks(i, move, contract):
    """Price of contract ``i`` where the spot has moved so since it was valued; never below 0."""
    slope = contract[BASE_DELTA, i] + 0.5 * move * contract[GAMMA, i]
    price = contract[BASE_PRICE, i] + move * slope
    return 0.0 if price < 0.0 else price


@kernel
def proven_reach(tolerance, spot, deviation, carry):
    """How far the spot may move until Black's price is off by the tolerance, at any strike."""
    steep = max(carry, 1.0) * (C + D / deviation) / deviation
    x = (6.0 * tolerance / (steep * spot)) ** (1.0 / 3.0)
    x = min(x, LARGEST_REACH)
    # The derivative is that at the lower end of the way, (1 - x) of the spot.
    return spot * x * (1.0 - x) ** (2.0 / 3.0)


@inner_kernel
def value_expiry(e, now, state):
    """Value an expiry in full, and find how far delta and gamma then reach."""
    state.expiry[YEARS, e] = (state.expiry_ts[EXPIRES_TS, e] - now) / YEAR_NS
    state.expiry_ts[VALUED_TS, e] = now
    spot, tolerance = state.market[SPOT], state.market[TOLERANCE]
    rate, dividend_yield = rates_of(e, state)
    years = state.expiry[YEARS, e]
    least = write_values(e, spot, rate, dividend_yield, state)
    reach = 0.0
    deviation = least * math.sqrt(years)
    if 0.0 < deviation < math.inf:
        reach = proven_reach(tolerance, spot, deviation, exp(-dividend_yield * years))
        if state.american[e] != 0 or state.market[STICKY] == STICKY_DELTA:
            worst = max(
                error_at(e, reach, spot, rate, dividend_yield, state),
                error_at(e, -reach, spot, rate, dividend_yield, state),
            )
            # The error grows with the square of the move at least.
            reach = reach * math.sqrt(tolerance / worst) if worst > tolerance else reach
    state.expiry[BASE_SPOT, e], state.expiry[REACH, e] = spot, reach


@inner_kernel
def blank(e, why, state):
    """No theo in the whole expiry."""
    for i in range(state.first[e], state.first[e + 1]):
        state.contract[THEO, i], state.contract[DELTA, i] = NAN, NAN
        state.status[i] = why


@inner_kernel
def write_theos(e, move, oldest, state):
    """Theos and deltas where the spot has moved so since the expiry was valued."""
    contract = state.contract
    for i in range(state.first[e], state.first[e + 1]):
        theo = by_greeks(i, move, contract)
        why = THEO_OK if theo < math.inf else THEO_NO_VALUE
        seen = state.contract_ts[OLDER_TS, i]
        why = THEO_STALE_QUOTE if (seen < oldest) | (seen == 0) else why
        good = why == THEO_OK
        contract[THEO, i] = theo if good else NAN
        contract[DELTA, i] = contract[BASE_DELTA, i] + move * contract[GAMMA, i] if good else NAN
        state.status[i] = why


@kernel
def reprice(spot, ts, now, state):
    """Theos at a price of the underlying of time ``ts``. Returns how many expiries went in full.

    ``now`` [ns] is what ages are by; the same ``spot`` and ``ts`` again are an update of them. A
    ``ts`` that is before the last one changes nothing: LATE. A spot that is no price takes all
    theos away.
    """
    if ts < state.market_ts[UNDERLYING_TS]:
        return LATE
    state.market[SPOT], state.market_ts[UNDERLYING_TS] = spot, ts
    full, oldest = 0, now - state.market_ts[MAX_QUOTE_AGE]
    for e in range(state.american.size):
        why = expiry_status(e, now, state)
        if why != THEO_OK:
            blank(e, why, state)
            continue
        near = abs(spot - state.expiry[BASE_SPOT, e]) <= state.expiry[REACH, e]
        if not near or now - state.expiry_ts[VALUED_TS, e] > state.market_ts[MAX_VALUE_AGE]:
            value_expiry(e, now, state)
            full += 1
        write_theos(e, spot - state.expiry[BASE_SPOT, e], oldest, state)
    return full


@kernel
def set_market(e, years, forward, rate, spot, ts, state):
    """Give expiry ``e`` the forward that it has at ``spot``, as of ``ts``. Whether it is sound.

    ``years`` are those from ``ts`` to the expiry, ``rate`` is per year.

    What is not leaves the expiry without a slice, and so without theos.
    """
    good = min(min(years, forward), spot) > 0.0 and years + forward + spot + abs(rate) < math.inf
    if not good:
        state.slices[e, 0] = 0.0
    state.expiry[FIT_YEARS, e], state.expiry[FORWARD, e] = years, forward
    state.expiry[RATE, e], state.expiry[FIT_SPOT, e] = rate, spot
    state.expiry[REACH, e] = -1.0
    state.expiry_ts[FIT_TS, e] = ts
    return good


@kernel
def set_slice(e, row, years, forward, rate, spot, ts, state):
    """Give expiry ``e`` a slice (SLICE_SIZE,) and its forward; see set_market."""
    for j in range(row.size):
        state.slices[e, j] = row[j]
    return set_market(e, years, forward, rate, spot, ts, state)


@kernel
def revalue_oldest(now, state):
    """Value in full the expiry for which that was longest ago: for when nothing else is to be done.

    Returns its index, or -1 where none has theos.
    """
    oldest, which = now, -1
    for e in range(state.american.size):
        if expiry_status(e, now, state) == THEO_OK and state.expiry_ts[VALUED_TS, e] < oldest:
            oldest, which = state.expiry_ts[VALUED_TS, e], e
    if which >= 0:
        value_expiry(which, now, state)
        write_theos(which, 0.0, now - state.market_ts[MAX_QUOTE_AGE], state)
    return which


@kernel
def revalue(now, state):
    """Value all expiries in full at the spot that there is. Returns how many were."""
    for e in range(state.american.size):
        state.expiry[REACH, e] = -1.0
    return reprice(state.market[SPOT], state.market_ts[UNDERLYING_TS], now, state)
