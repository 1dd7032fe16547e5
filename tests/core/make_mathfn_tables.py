"""Make the coefficients in ``mmquant/core/mathfn_tables.py``.

    python -m tests.core.make_mathfn_tables

Each table is a polynomial, or the quotient of two, that takes the function's values at Chebyshev
points of its range (of the logarithm of the range where that is long), rounded to doubles at the
end. Such a fit is within a factor of a few of the best one, and needs one linear system only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mpmath
from mpmath import mp, mpf

FILE = Path(__file__).parents[2] / "mmquant" / "core" / "mathfn_tables.py"
HEAD = '''"""Coefficients of mathfn.py, lowest power first, in blocks of 4 or 5.

Written by ``python -m tests.core.make_mathfn_tables``.
"""

from __future__ import annotations

'''
Blocks = tuple[tuple[float, ...], ...]
Function = Callable[[mpf], mpf]


def chebyshev(low: mpf, high: mpf, n: int) -> list[mpf]:
    """Zeros of the n-th Chebyshev polynomial, moved to [low, high]."""
    half = (high - low) / 2
    return [low + half * (1 - mp.cos(mp.pi * (2 * k + 1) / (2 * n))) for k in range(n)]


def quotient(function: Function, points: list[mpf], above: int) -> tuple[list[mpf], list[mpf]]:
    """Coefficients of P and Q, P with ``above`` of them, where P / Q = function at all points."""
    below = len(points) - above
    matrix, right = mp.matrix(len(points)), mp.matrix(len(points), 1)
    for i, x in enumerate(points):
        right[i] = y = function(x)
        for k in range(above):
            matrix[i, k] = x**k
        for k in range(below):
            matrix[i, above + k] = -y * x ** (k + 1)
    solved = list(mp.lu_solve(matrix, right))
    return solved[:above], [mpf(1), *solved[above:]]


def polynomial(function: Function, points: list[mpf]) -> list[mpf]:
    return quotient(function, points, len(points))[0]


def blocks(coefficients: list[mpf], size: int) -> Blocks:
    doubles = [float(c) for c in coefficients]
    assert len(doubles) % size == 0
    return tuple(tuple(doubles[i : i + size]) for i in range(0, len(doubles), size))


def series(term: Function, x: mpf) -> mpf:
    """Sum of term(k) x^k."""
    return mpmath.fsum(term(mpf(k)) * x**k for k in range(60))


def exp_table() -> Blocks:
    """(e^r - 1 - r - r^2 / 2) / r^3 for |r| up to log(2) / 2, and a little more."""
    top = mp.log(2) * mpf("0.501")
    points = chebyshev(-top, top, 10)
    return blocks(polynomial(lambda r: series(lambda k: 1 / mp.factorial(k + 3), r), points), 5)


def log_table() -> Blocks:
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2, for (1 + s) / (1 - s) up to sqrt(2)."""
    top = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
    points = chebyshev(mpf(0), top, 8)
    return blocks(polynomial(lambda z: series(lambda k: 2 / (2 * k + 3), z), points), 4)


def scaled_erfc(x: mpf) -> mpf:
    return mp.exp(x * x) * mp.erfc(x)


def flat_table(function: Function, pole: float, start: float, slope: float) -> Blocks:
    """(start + slope x) function(x) in t = (pole - x) / (pole + x), for all x from 0 on."""

    def flat(t: mpf) -> mpf:
        x = pole * (1 - t) / (1 + t)
        return (start + slope * x) * function(x)

    return blocks(polynomial(flat, chebyshev(mpf(-1), mpf(1), 25)), 5)


def normal_tail(v: mpf) -> mpf:
    """x with log(norm_cdf(-x)) = -v."""
    start = mp.sqrt(2 * v)
    start -= mp.log(start + 1) / start
    return mp.findroot(lambda x: mp.log(mp.erfc(x / mp.sqrt(2)) / 2) + v, start)


def centre_tables(edge: float) -> tuple[Blocks, Blocks]:
    """norm_inv(1/2 + q) = q (sqrt(2 pi) + z P(v) / Q(v)), z = q^2, v = edge^2 - z, up to the edge.

    In v all coefficients are positive; in z sums would cancel.
    """
    slope, top = mp.sqrt(2 * mp.pi), mpf(edge) ** 2

    def bend(v: mpf) -> mpf:
        q = mp.sqrt(top - v)
        return (mp.sqrt(2) * mp.erfinv(2 * q) / q - slope) / (top - v)

    # Closer together towards the edge, where the logarithm is near: about equal errors all over.
    far = mpf("0.33") - top
    points = [1 / u - far for u in chebyshev(1 / (far + top), 1 / far, 15)]
    above, below = quotient(bend, points, 8)
    return blocks(above, 4), blocks(below, 4)


def tail_tables(edge: float) -> tuple[Blocks, Blocks]:
    """norm_inv(1 - p) = r + (slope r - P(s) / Q(s)), past the edge.

    r = sqrt(-log(p)) and s = r - start. What is added to r is small, and so is its error.
    """
    start, last = mpf(tail_start(edge)), mpf("27.4")  # r is 27.29 for the smallest double
    near, far = mp.log(start - mpf("0.5")), mp.log(last - mpf("0.5"))
    radii = [mp.exp(u) + mpf("0.5") for u in chebyshev(near, far, 23)]
    short = {r - start: (1 + mpf(TAIL_SLOPE)) * r - normal_tail(r * r) for r in radii}
    above, below = quotient(lambda s: short[s], list(short), 12)
    return blocks(above, 4), blocks(below, 4)


def tail_start(edge: float) -> float:
    return float(mp.sqrt(-mp.log(mpf("0.5") - mpf(edge))))


ERFCX_POLE, ERFCX_START = 4.0, 0.9375
MILLS_POLE, MILLS_START, MILLS_SLOPE = 5.0, 1.875, 1.5
EDGE = 0.425
TAIL_SLOPE = 0.4140625
"""Close to sqrt(2) - 1, in few bits."""


def tables() -> dict[str, float | Blocks]:
    """All constants of the file, by name."""
    with mp.workdps(50):
        ln2_hi = float(mp.nint(mp.log(2) * 2**32)) / 2**32
        above, below = centre_tables(EDGE)
        tail_above, tail_below = tail_tables(EDGE)
        return {
            "LOG2_E": float(1 / mp.log(2)),
            "LN2_HI": ln2_hi,
            "LN2_BACK": float(ln2_hi - mp.log(2)),
            "EXP": exp_table(),
            "LOG": log_table(),
            "ERFCX_POLE": ERFCX_POLE,
            "ERFCX_START": ERFCX_START,
            "ERFCX": flat_table(scaled_erfc, ERFCX_POLE, ERFCX_START, 1.0),
            "MILLS_POLE": MILLS_POLE,
            "MILLS_START": MILLS_START,
            "MILLS_SLOPE": MILLS_SLOPE,
            "MILLS": flat_table(
                lambda x: scaled_erfc(x / mp.sqrt(2)) / 2, MILLS_POLE, MILLS_START, MILLS_SLOPE
            ),
            "INV_SQRT_2PI": float(1 / mp.sqrt(2 * mp.pi)),
            "SQRT_2PI": float(mp.sqrt(2 * mp.pi)),
            "CENTRE_EDGE": EDGE,
            "CENTRE_TOP": EDGE * EDGE,
            "CENTRE_ABOVE": above,
            "CENTRE_BELOW": below,
            "TAIL_START": tail_start(EDGE),
            "TAIL_SLOPE": TAIL_SLOPE,
            "TAIL_ABOVE": tail_above,
            "TAIL_BELOW": tail_below,
        }


def text() -> str:
    """The file."""
    lines = []
    for name, value in tables().items():
        if isinstance(value, float):
            lines.append(f"{name} = {value!r}")
            continue
        lines.append(f"{name} = (")
        for block in value:
            lines += ["    (", *(f"        {c!r}," for c in block), "    ),"]
        lines.append(")")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
