"""European options with mpmath: plain formulas, as many digits as asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpmath import mp, mpf

EPS = 2.0**-52


def upper_tail(d: mpf) -> mpf:
    return mp.erfc(d / mp.sqrt(2)) / 2


def spot_rows(
    sign: int, spot: mpf, strike: mpf, years: mpf, vol: mpf, rate: mpf, dividend_yield: mpf
) -> list[mpf]:
    """Price, delta, gamma, vega, theta, rho, vanna, volga and charm by the spot."""
    root = mp.sqrt(years)
    d1 = (mp.log(spot / strike) + (rate - dividend_yield) * years) / (vol * root) + vol * root / 2
    d2 = d1 - vol * root
    held, owed = spot * mp.exp(-dividend_yield * years), strike * mp.exp(-rate * years)
    held_side, owed_side = held * upper_tail(-sign * d1), owed * upper_tail(-sign * d2)
    weight = held * mp.npdf(d1)
    delta = sign * held_side / spot
    vega = weight * root
    drift = (rate - dividend_yield) / (vol * root) - d2 / (2 * years)
    return [
        sign * (held_side - owed_side),
        delta,
        weight / (spot**2 * vol * root),
        vega,
        -weight * vol / (2 * root) + sign * (dividend_yield * held_side - rate * owed_side),
        sign * years * owed_side,
        -weight / spot * d2 / vol,
        vega * d1 * d2 / vol,
        dividend_yield * delta - weight / spot * drift,
    ]


def forward_rows(
    sign: int, forward: mpf, strike: mpf, years: mpf, vol: mpf, rate: mpf
) -> list[mpf]:
    """The same by the forward, which rho holds fixed."""
    rows = spot_rows(sign, forward, strike, years, vol, rate, rate)
    rows[5] = -years * rows[0]
    return rows


def amplification(rows: Callable[..., list[mpf]], sign: int, inputs: Sequence[float]) -> list[mpf]:
    """1 + sum |x df/dx| / |f| of each row: how much it magnifies errors of its inputs."""
    at = [mpf(x) for x in inputs]
    values = rows(sign, *at)
    total = [mpf(1) for _ in values]
    step = mpf(10) ** (-mp.dps // 3)
    for i, x in enumerate(at):
        up, down = list(at), list(at)
        up[i], down[i] = x * (1 + step), x * (1 - step)
        for j, (above, below) in enumerate(zip(rows(sign, *up), rows(sign, *down), strict=True)):
            total[j] += abs((above - below) / (2 * step) / values[j])
    return total


def implied(
    sign: int, price: float, forward: float, strike: float, years: float, start: float
) -> tuple[mpf, mpf]:
    """(volatility, what an error of the price does to it), by Newton's method from near by."""
    vol = mpf(start)
    for _ in range(60):
        rows = spot_rows(sign, mpf(forward), mpf(strike), mpf(years), vol, mpf(0), mpf(0))
        step = (rows[0] - mpf(price)) / rows[3]
        vol -= step
        if abs(step) < vol * mpf(10) ** -(2 * mp.dps // 3):
            break
    else:
        raise ArithmeticError(f"no volatility found for a price of {price}")
    return vol, 1 + abs(mpf(price) / (vol * rows[3]))
