"""SSVI and eSSVI slices, and what keeps them free of arbitrage.

Gatheral and Jacquier (2014): w(k) = theta / 2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)).
Extended SSVI (Hendriks and Martini 2019) lets rho change from slice to slice. A slice is given by
theta, rho and psi = theta phi; its wings have slopes psi (1 + rho) / 2 and psi (1 - rho) / 2.
"""

from __future__ import annotations

import math

from mmquant.core.jit import formula, inner_kernel, kernel
from mmquant.core.mathfn import INF, NAN
from mmquant.core.smile import SMILE_BAD_START, SMILE_OK
from mmquant.core.svi_fit import quotes_status

ESSVI_SIZE = 3
"""theta, rho, psi."""
FEWEST = 3
MOST = 4.0 * (1.0 - 1e-9)
STEPS = 60
SMALL_GAIN = 1e-10
STARTS = (0.3, 1.0, 3.0)


@formula
def essvi_variance(k, theta, rho, psi):
    """(w, dw/dk, d2w/dk2) at log-moneyness ``k``; theta above 0, |rho| below 1."""
    tilt = rho * psi
    x = psi * k + rho * theta
    square = theta * theta * (1.0 - rho * rho)
    root = math.sqrt(x * x + square)
    safe = root if root > 0.0 else 1.0
    slope = 0.5 * (tilt + psi * x / safe)
    bend = 0.5 * psi * psi * square / (safe * safe * safe)
    return 0.5 * (theta + tilt * k + root), slope, bend


@formula
def ssvi_phi(theta, eta, gamma):
    """phi(theta) = eta / (theta^gamma (1 + theta)^(1 - gamma)), with eta (1 + |rho|) <= 2 free of
    arbitrage for all theta (Gatheral and Jacquier 2014, remark 4.4)."""
    return eta / (math.pow(theta, gamma) * math.pow(1.0 + theta, 1.0 - gamma))


@formula
def essvi_raw(theta, rho, psi):
    """(a, b, rho, m, sigma) of the same slice in raw SVI."""
    per = theta / psi if psi > 0.0 else NAN
    square = 1.0 - rho * rho
    return 0.5 * theta * square, 0.5 * psi, rho, -rho * per, math.sqrt(square) * per


@formula
def essvi_butterfly_slack(theta, rho, psi):
    """Sufficient against butterfly arbitrage if >= 0: the less of 4 - psi (1 + |rho|) and
    4 - psi phi (1 + |rho|)."""
    steep = psi * (1.0 + abs(rho))
    other = steep * psi / (theta if theta > 0.0 else NAN)
    return 4.0 - (steep if steep > other else other)


@formula
def essvi_calendar_slack(theta1, rho1, psi1, theta2, rho2, psi2):
    """Sufficient against calendar arbitrage of a later slice 2 if >= 0: the least of what theta
    and the slopes of both wings gain and phi, as a share, loses."""
    slack = theta2 - theta1
    right = psi2 * (1.0 + rho2) - psi1 * (1.0 + rho1)
    left = psi2 * (1.0 - rho2) - psi1 * (1.0 - rho1)
    flatter = psi1 * theta2 - psi2 * theta1
    slack = right if right < slack else slack
    slack = left if left < slack else slack
    return flatter if flatter < slack else slack


@inner_kernel
def least_theta(near, u, v):
    """(theta, d/du, d/dv): the least theta that u = psi (1 + rho) and v = psi (1 - rho) allow."""
    psi, steep = 0.5 * (u + v), max(u, v)
    theta, by_u, by_v = near[0], 0.0, 0.0
    if near[2] > 0.0 and psi * near[0] / near[2] > theta:
        theta, by_u = psi * near[0] / near[2], 0.5 * near[0] / near[2]
        by_v = by_u
    if 0.25 * psi * steep > theta:
        theta = 0.25 * psi * steep
        by_u = 0.125 * steep + (0.25 * psi if u >= v else 0.0)
        by_v = 0.125 * steep + (0.25 * psi if v > u else 0.0)
    return theta, by_u, by_v


@inner_kernel
def slopes_of(near):
    return near[2] * (1.0 + near[1]), near[2] * (1.0 - near[1])


@inner_kernel
def sums(k, w, weight, near, x):
    """(cost, J'J upper half, J'r) by x: what u, v and theta have above their least."""
    u1, v1 = slopes_of(near)
    u, v = u1 + x[0], v1 + x[1]
    floor, floor_u, floor_v = least_theta(near, u, v)
    theta = floor + x[2]
    psi, tilt = 0.5 * (u + v), 0.5 * (u - v)
    cost, n00, n01, n02, n11, n12, n22 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    r0, r1, r2 = 0.0, 0.0, 0.0
    for i in range(k.size):
        if weight[i] > 0.0:
            x0 = k[i]
            root = math.sqrt(psi * psi * x0 * x0 + 2.0 * tilt * theta * x0 + theta * theta)
            per = 1.0 / root if root > 0.0 else 0.0
            miss = w[i] - 0.5 * (theta + tilt * x0 + root)
            j2 = 0.5 + 0.5 * (tilt * x0 + theta) * per
            j0 = 0.25 * (x0 + (psi * x0 * x0 + theta * x0) * per) + j2 * floor_u
            j1 = 0.25 * (-x0 + (psi * x0 * x0 - theta * x0) * per) + j2 * floor_v
            u0, u1_, u2 = weight[i] * j0, weight[i] * j1, weight[i] * j2
            n00, n01, n02 = n00 + u0 * j0, n01 + u0 * j1, n02 + u0 * j2
            n11, n12, n22 = n11 + u1_ * j1, n12 + u1_ * j2, n22 + u2 * j2
            r0, r1, r2 = r0 + u0 * miss, r1 + u1_ * miss, r2 + u2 * miss
            cost += weight[i] * miss * miss
    return cost, (n00, n01, n02, n11, n12, n22), (r0, r1, r2)


@inner_kernel
def solve_three(n, r, free, damping):
    """Damped step of the variables that are ``free``; others stay."""
    d = 1.0 + damping
    f0, f1, f2 = free
    n00, n11, n22 = n[0] * d if f0 else 1.0, n[3] * d if f1 else 1.0, n[5] * d if f2 else 1.0
    n00, n11, n22 = max(n00, 1e-300), max(n11, 1e-300), max(n22, 1e-300)
    n01 = n[1] if f0 and f1 else 0.0
    n02 = n[2] if f0 and f2 else 0.0
    n12 = n[4] if f1 and f2 else 0.0
    r0, r1, r2 = r[0] if f0 else 0.0, r[1] if f1 else 0.0, r[2] if f2 else 0.0
    l10, l20 = n01 / n00, n02 / n00
    d1 = max(n11 - l10 * n01, 1e-14 * n11)
    rest = n12 - l20 * n01
    l21 = rest / d1
    d2 = max(n22 - l20 * n02 - l21 * rest, 1e-14 * n22)
    r1 = r1 - l10 * r0
    r2 = r2 - l20 * r0 - l21 * r1
    x2 = r2 / d2
    x1 = r1 / d1 - l21 * x2
    return r0 / n00 - l10 * x1 - l20 * x2, x1, x2


@inner_kernel
def descend(k, w, weight, near, x):
    """Levenberg-Marquardt that keeps all of x at or above 0. Returns the cost and x."""
    u1, v1 = slopes_of(near)
    cost, n, r = sums(k, w, weight, near, x)
    damping = 1e-3
    for _ in range(STEPS):
        free = (x[0] > 0.0 or r[0] > 0.0, x[1] > 0.0 or r[1] > 0.0, x[2] > 0.0 or r[2] > 0.0)
        d0, d1, d2 = solve_three(n, r, free, damping)
        new = (
            min(max(x[0] + d0, 0.0), max(MOST - u1, 0.0)),
            min(max(x[1] + d1, 0.0), max(MOST - v1, 0.0)),
            max(x[2] + d2, 0.0),
        )
        cost_new, n_new, r_new = sums(k, w, weight, near, new)
        if cost_new < cost:
            done = cost - cost_new <= SMALL_GAIN * cost
            x, cost, n, r = new, cost_new, n_new, r_new
            damping = max(damping * 0.1, 1e-14)
            if done:
                break
        else:
            damping *= 10.0
            if damping > 1e12:
                break
    return cost, x


@kernel
def fit_essvi(k, w, weight, near, params):
    """eSSVI slice through quotes, free of arbitrage by itself and against the slice ``near``.

    ``k``, ``w``, ``weight`` (n,) as for fit_svi, at least three. ``near`` (3,): theta, rho and psi
    of the expiry before, zeros without one. ``params`` (3,) takes theta, rho and psi, NaN without
    a fit. The sufficient conditions of essvi_butterfly_slack and essvi_calendar_slack hold.
    """
    params[0], params[1], params[2] = NAN, NAN, NAN
    status, _, _, _ = quotes_status(k, w, weight, FEWEST)
    if status != SMILE_OK:
        return status
    good = 0.0 <= near[0] < INF and abs(near[1]) <= 1.0 and 0.0 <= near[2] < INF
    if not (good and (near[0] == 0.0 or essvi_butterfly_slack(near[0], near[1], near[2]) >= 0.0)):
        return SMILE_BAD_START
    u1, v1 = slopes_of(near)
    closest, level = INF, 0.0
    for i in range(k.size):
        if weight[i] > 0.0 and abs(k[i]) < closest:
            closest, level = abs(k[i]), w[i]
    best, chosen = INF, (0.0, 0.0, 0.0)
    for i in range(len(STARTS)):
        for side in range(2):
            steep = STARTS[i] * math.sqrt(level)
            u = min(max(steep * (1.0 if side == 0 else 0.3) - u1, 0.0), max(MOST - u1, 0.0))
            v = min(max(steep - v1, 0.0), max(MOST - v1, 0.0))
            theta = max(level - least_theta(near, u1 + u, v1 + v)[0], 0.0)
            cost, x = descend(k, w, weight, near, (u, v, theta))
            if cost < best:
                best, chosen = cost, x
    u, v = u1 + chosen[0], v1 + chosen[1]
    params[0] = least_theta(near, u, v)[0] + chosen[2]
    params[1], params[2] = (u - v) / (u + v) if u + v > 0.0 else 0.0, 0.5 * (u + v)
    return SMILE_OK
