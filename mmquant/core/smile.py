"""Total implied variance w against log-moneyness k: Gatheral's SVI, and what any smile must obey.

k = log(strike / forward), w = vol^2 times years. Raw SVI (Gatheral 2004) is

    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)).

Jump-Wings parameters and the function g, whose sign is that of the density of the underlying at
expiry, are as in Gatheral and Jacquier (2014), "Arbitrage-free SVI volatility surfaces".
"""

from __future__ import annotations

import math

from mmquant.core.jit import formula, kernel
from mmquant.core.mathfn import INF, NAN, exp

SVI_SIZE = 5
"""Raw parameters: a, b, rho, m, sigma."""
SMILE_OK = 0
SMILE_FEW = 1
"""Too few quotes of positive weight."""
SMILE_NAN = 2
"""A moneyness, variance or weight is NaN or infinite, or negative where it may not be."""
SMILE_NARROW = 3
"""All quotes of positive weight are at one moneyness."""
SMILE_BAD_START = 4
"""The parameters to start from, or the slice before, make no sense."""
SMILE_NO_REPAIR = 5
"""The slice has no variance above zero, or no Jump-Wings parameters."""


@formula
def svi_variance(k, a, b, rho, m, sigma):
    """(w, dw/dk, d2w/dk2) of raw SVI at log-moneyness ``k``."""
    x = k - m
    root = math.sqrt(x * x + sigma * sigma)
    safe = root if root > 0.0 else 1.0
    bend = sigma / safe
    slope = x / safe
    return a + b * (rho * x + root), b * (rho + slope), b * bend * bend / safe


@kernel
def svi_many(k, params, out):
    """Rows w, w' and w'' of ``out`` (3, n) at ``k`` (n,), for raw ``params`` (5,)."""
    a, b, rho, m, sigma = params[0], params[1], params[2], params[3], params[4]
    for i in range(k.size):
        w, slope, bend = svi_variance(k[i], a, b, rho, m, sigma)
        out[0, i], out[1, i], out[2, i] = w, slope, bend


@formula
def butterfly_g(k, w, slope, bend):
    """g(k) from w, w' and w'': the density is g exp(-d2^2 / 2) / sqrt(2 pi w).

    A smile is free of butterfly arbitrage if g >= 0 everywhere and calls become worthless as the
    strike grows. NaN where there is no variance above zero.
    """
    good = w > 0.0
    per_w = 1.0 / (w if good else 1.0)
    a = 1.0 - 0.5 * k * slope * per_w
    g = a * a - 0.25 * slope * slope * (per_w + 0.25) + 0.5 * bend
    return g if good else NAN


@formula
def density(k, w, slope, bend):
    """Density of log(price / forward) at expiry that the smile implies, at ``k``."""
    root = math.sqrt(w) if w > 0.0 else 1.0
    d2 = -k / root - 0.5 * root
    return butterfly_g(k, w, slope, bend) * exp(-0.5 * d2 * d2) / (root * math.sqrt(2.0 * math.pi))


@formula
def lee_slopes(b, rho):
    """(left, right) slopes of the wings of raw SVI; Lee (2004) allows at most 2 of each."""
    return b * (1.0 - rho), b * (1.0 + rho)


@formula
def jump_wings(years, a, b, rho, m, sigma):
    """(v, psi, p, c, v_min) of a raw slice: variance [per year] and skew at the money, slopes of
    the wings by sqrt(w), and the least variance. NaN without variance at the money."""
    root = math.sqrt(m * m + sigma * sigma)
    w0 = a + b * (root - rho * m)
    good = (w0 > 0.0) & (root > 0.0) & (years > 0.0)
    atm = math.sqrt(w0 if good else 1.0)
    psi = 0.5 * b * (rho - m / (root if good else 1.0)) / atm
    square = 1.0 - rho * rho
    least = a + b * sigma * math.sqrt(square if square > 0.0 else 0.0)
    bad = 0.0 if good else NAN
    per = 1.0 / (years if good else 1.0)
    put, call = b * (1.0 - rho) / atm, b * (1.0 + rho) / atm
    return w0 * per + bad, psi + bad, put + bad, call + bad, least * per + bad


@formula
def raw_of_jump_wings(years, v, psi, p, c, v_min):
    """(a, b, rho, m, sigma) of Jump-Wings parameters; NaN where they stand for no slice."""
    atm = math.sqrt(v * years) if v * years > 0.0 else NAN
    b = 0.5 * atm * (c + p)
    wide = b > 0.0
    rho = 1.0 - p * atm / (b if wide else 1.0)
    beta = rho - 2.0 * psi * atm / (b if wide else 1.0)
    square = 1.0 - rho * rho
    square = math.sqrt(square if square > 0.0 else 0.0)
    steep = math.sqrt(1.0 - beta * beta) if abs(beta) < 1.0 else NAN
    # With t = m / sigma: sqrt(1 + t^2) = 1 / steep and t = beta / steep.
    gap = (1.0 - rho * beta) / steep - square
    level = (v - v_min) * years
    sigma = level / (b * gap) if gap > 0.0 else NAN
    m = sigma * beta / steep
    a = v_min * years - b * sigma * square
    good = wide & (sigma > 0.0) & (sigma < INF)
    return a if good else NAN, b, rho, m if good else NAN, sigma if good else NAN
