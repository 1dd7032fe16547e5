"""Make the coefficients in ``mmquant/core/implied_vol_tables.py``.

    python -m tests.core.make_implied_vol_tables

They make the guess of implied_vol.py, which two steps then take from some per cent to all digits:
each takes the values of what it stands for at Chebyshev points, to some per mille in between.
"""

from __future__ import annotations

from pathlib import Path

from mpmath import mp, mpf

from tests.core.make_mathfn_tables import chebyshev, normal_tail, polynomial, quotient
from tests.core.make_mills_tables import mills

FILE = Path(__file__).parents[2] / "mmquant" / "core" / "implied_vol_tables.py"
HEAD = '''"""Coefficients of the guess in implied_vol.py, lowest power first.

Written by ``python -m tests.core.make_implied_vol_tables``.
"""

from __future__ import annotations

'''


def rough_log() -> list[mpf]:
    """log(1 + f) / f for 1 + f from sqrt(1/2) to sqrt(2)."""
    points = chebyshev(mp.sqrt(mpf("0.5")) - 1, mp.sqrt(2) - 1, 5)
    return polynomial(lambda f: mp.log1p(f) / f, points)


def tail() -> tuple[list[mpf], list[mpf]]:
    """r - y as P / Q of r, for upper tails exp(-r^2 / 2) of y from -0.75 on, down to 1e-300."""
    low, high = mpf("0.71"), mpf(38)
    points = [mp.exp(u) for u in chebyshev(mp.log(low), mp.log(high), 5)]
    return quotient(lambda r: r - normal_tail(r * r / 2), points, 3)


def straddle(a: mpf) -> tuple[mpf, mpf]:
    """(root, shape) of a normal distribution a deviations out of the money; see implied_vol.py."""
    price = mp.npdf(a) * (1 / a - mills(a))  # over the distance to the strike
    flat = 2 / ((1 + 2 * price) * mp.log1p(1 / price))
    return mp.sqrt(flat), 1 / (a * mp.sqrt(mp.pi / 2) * (1 + 2 * price) * mp.sqrt(flat))


def shape() -> list[mpf]:
    """The shape as a polynomial in the root, from 38 deviations to the money, where both are 1."""
    far = mpf(38)

    def at(root: mpf) -> mpf:
        a = mp.findroot(
            lambda a: straddle(a)[0] - root, (mpf("1e-6"), far + 1), solver="anderson", tol=1e-15
        )
        return straddle(a)[1]

    return polynomial(at, chebyshev(straddle(far)[0], mpf(1), 5))


def text() -> str:
    """The file."""
    with mp.workdps(30):
        above, below = tail()
        tables = {
            "ROUGH_LOG": rough_log(),
            "STRADDLE_SHAPE": shape(),
            "TAIL_POINT_ABOVE": above,
            "TAIL_POINT_BELOW": below,
        }
        lines = []
        for name, coefficients in tables.items():
            numbers = [f"    {float(mp.nstr(c, 8))!r}," for c in coefficients]
            lines += [f"{name} = (", *numbers, ")"]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
