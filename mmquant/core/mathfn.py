"""Exponentials, logarithms and the normal distribution, from + - * / and square roots alone.

The same bits come out of a scalar call, a loop and plain Python, on every platform: no libm, no
fused multiply-add. Selects instead of branches, and no tables to look up, so that a loop over any
of these, or over a formula made of them, becomes vector code. NaN gives NaN.

A ulp is the distance of the two doubles around the true value. Sources: argument reduction in two
parts as in Cody and Waite (1980); the logarithm by f / (2 + f) as in Sun's fdlibm; the tail of the
normal distribution in (a - x) / (a + x) as in Shepherd and Laframboise (1981); its inverse in
q^2 and sqrt(-log p) as in Wichura (1988), AS 241. Coefficients: tests/core/make_mathfn_tables.py.
"""

from __future__ import annotations

import math
from types import FunctionType

from mmquant.core.bits import bits_of, double_of
from mmquant.core.jit import formula, inner_formula, kernel
from mmquant.core.mathfn_tables import (
    CENTRE_ABOVE,
    CENTRE_BELOW,
    CENTRE_EDGE,
    CENTRE_TOP,
    ERFCX,
    ERFCX_POLE,
    ERFCX_START,
    EXP,
    INV_SQRT_2PI,
    LN2_BACK,
    LN2_HI,
    LOG,
    LOG2_E,
    MILLS,
    MILLS_POLE,
    MILLS_SLOPE,
    MILLS_START,
    SQRT_2PI,
    TAIL_ABOVE,
    TAIL_BELOW,
    TAIL_SLOPE,
    TAIL_START,
)

INF, NAN = math.inf, math.nan
ROUND = 1.5 * 2.0**52
"""Added and taken away, it rounds to an integer; added, it leaves that in the low bits."""
HALF_BITS = 0x3FE0000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_LESS_SQRT_HALF = 0x3FF0000000000000 - SQRT_HALF_BITS
MANTISSA = 0x000FFFFFFFFFFFFF
HEAD = -(1 << 27)
"""Mask that leaves 26 bits of the mantissa, so that the square is exact."""
COUNT_BITS = 0x4330000000000000
"""Bits of 2^52: an integer in the low bits adds to it."""
COUNT = 2.0**52 + 1023.0
SMALLEST_NORMAL = 2.0**-1022
TINY = 2.0**-54


@inner_formula
def poly4(c, x):
    return c[0] + x * (c[1] + x * (c[2] + x * c[3]))


@inner_formula
def poly5(c, x):
    return c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * c[4])))


@inner_formula
def power_of_two(rounded):
    """2^(n - 1) of ``n + ROUND``, for n from -1021; inf for 1025."""
    return double_of((bits_of(rounded) << 52) + HALF_BITS)


@inner_formula
def scaled(x, rounded):
    """x 2^n of ``n + ROUND``, for n from -1220 to 1025, rounded once also where it underflows."""
    low = rounded < ROUND - 1000.0
    power = power_of_two(rounded + 200.0 if low else rounded)
    return x * power * (2.0**-199 if low else 2.0)


@inner_formula
def exp_parts(x, low):
    """(r, rest, n + ROUND) with exp(x + low) = (1 + r + rest) 2^n; ``low`` is small against 1."""
    rounded = x * LOG2_E + ROUND
    n = rounded - ROUND
    r = x - n * LN2_HI
    low = n * LN2_BACK + low
    y = r + low
    square = y * y
    cubic = y * square
    series = poly5(EXP[0], y) + cubic * square * poly5(EXP[1], y)
    return r, low + (0.5 * square + cubic * series), rounded


@formula
def exp(x):
    """e^x, within 0.8 ulp."""
    x = float(x)
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    r, rest, rounded = exp_parts(x, -0.0)
    total = 1.0 + r
    return scaled(total + ((r - (total - 1.0)) + rest), rounded)


@formula
def expm1(x):
    """e^x - 1, within 1 ulp."""
    x = float(x)
    y = -50.0 if x < -50.0 else x
    y = 710.0 if y > 710.0 else y
    r, rest, rounded = exp_parts(y, -0.0)
    half = power_of_two(rounded)
    less = half - 0.5
    total = less + half * r
    lost = (half * r - (total - less)) + ((half - less) - 0.5)
    value = 2.0 * (total + (lost + half * rest))
    return x if abs(x) < TINY else value


@inner_formula
def square_parts(x):
    """(high, low): high + low = x^2, high exact."""
    head = double_of(bits_of(x) & HEAD)
    return head * head, (x - head) * (x + head)


@inner_formula
def log_parts(x):
    """(k, f) with x = 2^k (1 + f) and 1 + f from sqrt(1/2) to sqrt(2); x is normal."""
    bits = bits_of(x) + ONE_LESS_SQRT_HALF
    k = double_of(((bits >> 52) & 0x7FF) | COUNT_BITS) - COUNT
    return k, double_of((bits & MANTISSA) + SQRT_HALF_BITS) - 1.0


@inner_formula
def log_sum(k, f, low):
    """log(2^k (1 + f)) + low, as k log(2) + f - f^2 / 2 + s (f^2 / 2 + series)."""
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    series = z * (poly4(LOG[0], z) + z2 * z2 * poly4(LOG[1], z))
    high, rest = square_parts(f)
    high = 0.5 * high
    rest = 0.5 * rest
    rest = s * (high + (rest + series)) + ((low - k * LN2_BACK) - rest)
    whole = k * LN2_HI
    sum1 = whole + f
    sum2 = sum1 - high
    return sum2 + (((f - (sum1 - whole)) + ((sum1 - sum2) - high)) + rest)


@formula
def log(x):
    """Natural logarithm, within 0.7 ulp; -inf for 0, NaN below."""
    x = float(x)
    subnormal = x < SMALLEST_NORMAL
    k, f = log_parts(x * 2.0**54 if subnormal else x)
    value = log_sum(k - 54.0 if subnormal else k, f, -0.0)
    value = value if x < INF else x
    value = NAN if x < 0.0 else value
    return -INF if x == 0.0 else value


@formula
def log1p(x):
    """log(1 + x), within 0.7 ulp; -inf for -1, NaN below."""
    x = float(x)
    u = 1.0 + x
    back = u - 1.0
    lost = (1.0 - (u - back)) + (x - back)
    u = u if u > 0.0 else 1.0
    k, f = log_parts(u)
    value = log_sum(k, f, lost / u)
    value = value if x < INF else x
    value = x if abs(x) < TINY else value
    value = NAN if x < -1.0 else value
    return -INF if x == -1.0 else value


@inner_formula
def flat(c, pole, x):
    """A table of make_mathfn_tables.flat_table at x >= 0."""
    x = 1e17 if x > 1e17 else x
    t = (pole - x) / (pole + x)
    t5 = t * t
    t5 = t5 * t5 * t
    high = poly5(c[3], t) + t5 * poly5(c[4], t)
    return poly5(c[0], t) + t5 * (poly5(c[1], t) + t5 * (poly5(c[2], t) + t5 * high))


@inner_formula
def times_exp(x, high, low):
    """x exp(high + low)."""
    r, rest, rounded = exp_parts(high, low)
    return scaled(x + x * (r + rest), rounded)


@formula
def norm_pdf(x):
    """Density of the standard normal distribution, within 1.5 ulp."""
    a = abs(float(x))
    a = 40.0 if a > 40.0 else a
    high, low = square_parts(a)
    return times_exp(INV_SQRT_2PI, -0.5 * high, -0.5 * low)


@formula
def norm_cdf(x):
    """Distribution function of the standard normal, within 4 ulp, also far down the left tail."""
    x = float(x)
    a = abs(x)
    a = 40.0 if a > 40.0 else a
    high, low = square_parts(a)
    mills = flat(MILLS, MILLS_POLE, a) / (MILLS_START + MILLS_SLOPE * a)
    below = times_exp(mills, -0.5 * high, -0.5 * low)
    return 1.0 - below if x > 0.0 else below


@formula
def erfc(x):
    """Complementary error function, within 4 ulp."""
    x = float(x)
    a = abs(x)
    a = 28.0 if a > 28.0 else a
    high, low = square_parts(a)
    value = times_exp(flat(ERFCX, ERFCX_POLE, a) / (ERFCX_START + a), -high, -low)
    return 2.0 - value if x < 0.0 else value


@formula
def erfcx(x):
    """e^(x^2) erfc(x), within 3.5 ulp; inf for very negative x."""
    x = float(x)
    a = abs(x)
    value = flat(ERFCX, ERFCX_POLE, a) / (ERFCX_START + a)
    if x < 0.0:
        a = 26.65 if a > 26.65 else a
        high, low = square_parts(a)
        value = times_exp(2.0, high, low) - value
    return value


@formula
def norm_inv(p):
    """x with norm_cdf(x) = p, within 4 ulp; -inf for 0, inf for 1, NaN outside."""
    p = float(p)
    q = p - 0.5
    if abs(q) <= CENTRE_EDGE:
        z = q * q
        v = CENTRE_TOP - z
        v2 = v * v
        v4 = v2 * v2
        above = poly4(CENTRE_ABOVE[0], v) + v4 * poly4(CENTRE_ABOVE[1], v)
        below = poly4(CENTRE_BELOW[0], v) + v4 * poly4(CENTRE_BELOW[1], v)
        return q * (SQRT_2PI + z * (above / below))
    side = 1.0 - p if p > 0.5 else p
    r = math.sqrt(-log(side))
    s = r - TAIL_START
    s2 = s * s
    s4 = s2 * s2
    above = poly4(TAIL_ABOVE[0], s) + s4 * (poly4(TAIL_ABOVE[1], s) + s4 * poly4(TAIL_ABOVE[2], s))
    below = poly4(TAIL_BELOW[0], s) + s4 * (poly4(TAIL_BELOW[1], s) + s4 * poly4(TAIL_BELOW[2], s))
    x = r + (TAIL_SLOPE * r - above / below)
    x = INF if side == 0.0 else x
    return x if q > 0.0 else -x


_formula = exp


def _loop(x, out):
    for i in range(x.size):
        out[i] = _formula(x[i])


def _loop_over(scalar):
    """A kernel that fills ``out`` with the formula of each element of ``x``, both (n,) float64.

    It is ``_loop`` with another ``_formula``. A closure would be compiled anew in each process, as
    numba keys its cache by what a function closes over.
    """
    name = f"{scalar.__name__}_many"
    loop = FunctionType(_loop.__code__, globals() | {"_formula": scalar}, name)
    loop.__qualname__ = name
    return kernel(loop)


FORMULAS = (exp, expm1, log, log1p, norm_pdf, norm_cdf, norm_inv, erfc, erfcx)
LOOPS = tuple(map(_loop_over, FORMULAS))
exp_many, expm1_many, log_many, log1p_many, norm_pdf_many, norm_cdf_many = LOOPS[:6]
norm_inv_many, erfc_many, erfcx_many = LOOPS[6:]
