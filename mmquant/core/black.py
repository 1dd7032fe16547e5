"""European options after Black (1976), Black and Scholes (1973) and Merton (1973).

Price and greeks in one pass, by the out-of-the-money option of the two at a strike. With a =
|x| / s and t = s / 2, x the logarithm of forward over strike and s the volatility to expiry, it is

    C phi(a - t) (M(a - t) - M(a + t)),

C the smaller of discounted forward and strike and M Mills' ratio: its digits are kept however far
out of the money it is, and however short. The other option follows by parity. Near the money the
logarithm of the ratio of two prices is taken of their difference.

Per unit: vega per 1.00 of volatility, theta and charm per year that passes, rho per 1.00 of rate.
With no volatility or no time left, rows are the limits; at the money there, greeks are NaN, as
they have none. NaN in a row's inputs, and inputs that make no sense, give NaN.
"""

from __future__ import annotations

import math

from mmquant.core.jit import formula, inner_formula, kernel
from mmquant.core.mathfn import INF, NAN, exp, log1p, norm_pdf
from mmquant.core.mills import mills_pair
from mmquant.core.mills_tables import MILLS_START
from mmquant.core.option_rows import (
    CHARM,
    DELTA,
    GAMMA,
    PRICE,
    RHO,
    THETA,
    VANNA,
    VEGA,
    VOLGA,
)

FAR = 1e100
"""Deviations from the money that stand for no volatility at all."""
NONE = 1e-200
"""Below this a volatility to expiry is taken for none."""


@inner_formula
def log_ratio(above, below):
    """log(above / below) of positive numbers, exact near 0 to the last ulp or two."""
    difference = above - below
    value = log1p(abs(difference) / (below if difference > 0.0 else above))
    return value if difference > 0.0 else -value


@inner_formula
def market(sign, spot, strike, years, vol, rate, dividend_yield):
    """(x, discounted forward, discounted strike, and the inputs from spot on).

    Inputs that make no sense become ones that do no harm, with x NaN, and so all that rests on it.
    """
    # & makes one mask of them; ``and`` makes a branch of each, and the loop slower.
    good = (sign == 1.0) | (sign == -1.0)
    good = good & (spot > 0.0) & (spot < INF) & (strike > 0.0) & (strike < INF)
    good = good & (years >= 0.0) & (years < INF) & (vol >= 0.0) & (vol < INF)
    good = good & (abs(rate) + abs(dividend_yield) < INF)
    spot = spot if good else 1.0
    strike = strike if good else 1.0
    years = years if good else 1.0
    vol = vol if good else 1.0
    rate = rate if good else 0.0
    dividend_yield = dividend_yield if good else 0.0
    x = log_ratio(spot, strike) + (rate - dividend_yield) * years
    held = spot * exp(-dividend_yield * years)
    owed = strike * exp(-rate * years)
    return x if good else NAN, held, owed, spot, years, vol, rate, dividend_yield


@inner_formula
def sides(x, deviation, held, owed):
    """(price of the option out of the money, V, near, near rest, far, d1, d2).

    V is discounted forward times density of d1; ``near`` and ``far`` are the smaller and the
    larger of discounted forward and strike, each times its tail, and ``near rest`` what is left of
    the smaller.
    """
    certain = deviation < NONE
    a = FAR if certain else abs(x) / (1.0 if certain else deviation)
    a = FAR if a > FAR else a
    deviation = FAR if deviation > FAR else deviation
    t = 0.5 * deviation
    y1, y2 = a - t, a + t
    high = y1 < MILLS_START
    m1, m2, slope = mills_pair(-y1 if high else y1, y2)
    below = x < 0.0
    smaller = held if below else owed
    v = smaller * norm_pdf(y1)
    tail, far = v * m1, v * m2
    near = smaller - tail if high else tail
    rest = tail if high else smaller - tail
    out_of_money = near - far if high else v * (deviation * slope)
    return out_of_money, v, near, rest, far, -y1 if below else y2, -y2 if below else y1


@formula
def spot_price(sign, spot, strike, years, vol, rate, dividend_yield):
    """Price of an option on a spot; see spot_many."""
    x, held, owed, _, years, vol, _, _ = market(
        sign, spot, strike, years, vol, rate, dividend_yield
    )
    out_of_money, _, _, _, _, _, _ = sides(x, vol * math.sqrt(years), held, owed)
    below = x < 0.0
    more = owed - held if below else held - owed
    return out_of_money if (sign > 0.0) == below else out_of_money + more


@formula
def black_price(sign, forward, strike, years, vol, rate):
    """Price of an option on a forward, which is a spot that yields the rate; see black_many."""
    return spot_price(sign, forward, strike, years, vol, rate, rate)


@inner_formula
def spot_rows(sign, spot, strike, years, vol, rate, dividend_yield):
    """Price and greeks of an option on a spot; see spot_many."""
    x, held, owed, spot, years, vol, rate, dividend_yield = market(
        sign, spot, strike, years, vol, rate, dividend_yield
    )
    root = math.sqrt(years)
    deviation = vol * root
    out_of_money, v, near, rest, far, d1, d2 = sides(x, deviation, held, owed)
    below = x < 0.0
    larger = owed if below else held
    more = owed - held if below else held - owed
    chosen = (sign > 0.0) == below
    price = out_of_money if chosen else out_of_money + more
    near = near if chosen else rest
    far = far if chosen else larger - far
    kink = NAN if (deviation < NONE) & (x == 0.0) else 0.0
    v = v + kink
    by_spot = sign * ((near if below else far) + kink)
    by_strike = sign * ((far if below else near) + kink)
    # Two divisions serve all: they are slow. No row needs them where there is no density.
    per_deviation = 1.0 / (1.0 if deviation < NONE else deviation)
    per_spot = 1.0 / spot
    density = v * per_spot
    delta = by_spot * per_spot
    gamma = density * per_spot * per_deviation
    vega = v * root
    per_root = vol * per_deviation
    decay = 0.5 * (v * vol) * per_root
    theta = dividend_yield * by_spot - rate * by_strike - decay
    rho = years * by_strike
    vanna = -density * d2 * (root * per_deviation)
    volga = vega * d1 * d2 * (root * per_deviation)
    drift = (rate - dividend_yield) * per_deviation - 0.5 * d2 * (per_root * per_root)
    charm = dividend_yield * delta - density * drift
    return price, delta, gamma, vega, theta, rho, vanna, volga, charm


@kernel
def black_price_many(sign, forward, strike, years, vol, rate, out):
    """Prices alone, out (n,); see black_many."""
    for i in range(sign.size):
        out[i] = black_price(sign[i], forward[i], strike[i], years[i], vol[i], rate[i])


@kernel
def spot_price_many(sign, spot, strike, years, vol, rate, dividend_yield, out):
    """Prices alone, out (n,); see spot_many."""
    for i in range(sign.size):
        out[i] = spot_price(
            sign[i], spot[i], strike[i], years[i], vol[i], rate[i], dividend_yield[i]
        )


@kernel
def black_many(sign, forward, strike, years, vol, rate, out):
    """Price and greeks of options on forwards, by Black (1976); all inputs (n,) float64.

    ``sign``: 1 call, -1 put. ``forward``, ``strike`` [price]. ``years`` to expiry. ``vol`` [per
    square root of a year]. ``rate`` continuously compounded [per year]. ``out``: (9, n), rows of
    option_rows.py. Delta, gamma, vanna and charm are by the forward, which rho holds fixed.
    """
    for i in range(sign.size):
        price, delta, gamma, vega, theta, _, vanna, volga, charm = spot_rows(
            sign[i], forward[i], strike[i], years[i], vol[i], rate[i], rate[i]
        )
        out[PRICE, i], out[DELTA, i], out[GAMMA, i] = price, delta, gamma
        out[VEGA, i], out[THETA, i], out[RHO, i] = vega, theta, -years[i] * price
        out[VANNA, i], out[VOLGA, i], out[CHARM, i] = vanna, volga, charm


@kernel
def spot_many(sign, spot, strike, years, vol, rate, dividend_yield, out):
    """Price and greeks of options on spots, by Black, Scholes and Merton; all inputs (n,) float64.

    As black_many, with ``spot`` [price] and ``dividend_yield``, continuous [per year], 0 for
    Black and Scholes. Delta, gamma, vanna and charm are by the spot, which rho holds fixed.
    """
    for i in range(sign.size):
        price, delta, gamma, vega, theta, rho, vanna, volga, charm = spot_rows(
            sign[i], spot[i], strike[i], years[i], vol[i], rate[i], dividend_yield[i]
        )
        out[PRICE, i], out[DELTA, i], out[GAMMA, i] = price, delta, gamma
        out[VEGA, i], out[THETA, i], out[RHO, i] = vega, theta, rho
        out[VANNA, i], out[VOLGA, i], out[CHARM, i] = vanna, volga, charm
