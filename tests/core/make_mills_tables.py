"""Make the coefficients in ``mmquant/core/mills_tables.py``.

    python -m tests.core.make_mills_tables

Mills' ratio M(y), the normal distribution's upper tail over its density, for y from -START on:
M(y) = (1 + v H(v - 1)) / (POLE + y) with v = SCALE / (POLE + y), which runs from 2 at the start
to 0 far out, where M(y) goes to 1 / (POLE + y). H is a polynomial that takes the values of what
it stands for at Chebyshev points; its even and its odd powers are kept apart.
"""

from __future__ import annotations

from pathlib import Path

from mpmath import mp, mpf

from tests.core.make_mathfn_tables import Blocks, blocks, chebyshev, polynomial

FILE = Path(__file__).parents[2] / "mmquant" / "core" / "mills_tables.py"
HEAD = '''"""Coefficients of mills.py, lowest power first, in blocks of 5.

Written by ``python -m tests.core.make_mills_tables``.
"""

from __future__ import annotations

'''
START, POLE, POWERS = 0.75, 3.5, 30
SCALE = 2.0 * (POLE - START)


def mills(y: mpf) -> mpf:
    """By its continued fraction where that is exact enough."""
    if y < 25:
        return mp.exp(y * y / 2) * mp.erfc(y / mp.sqrt(2)) * mp.sqrt(mp.pi / 2)
    below = mpf(0)
    for k in range(400, 0, -1):
        below = k / (y + below)
    return 1 / (y + below)


def bend(u: mpf) -> mpf:
    """H of one argument."""
    y = SCALE / (1 + u) - POLE
    return (mills(y) * (POLE + y) - 1) / (1 + u)


def tables() -> dict[str, float | Blocks]:
    """All constants of the file, by name."""
    with mp.workdps(50):
        powers = polynomial(bend, chebyshev(mpf(-1), mpf(1), POWERS))
        return {
            "MILLS_START": -START,
            "MILLS_POLE": POLE,
            "MILLS_SCALE": SCALE,
            "MILLS_EVEN": blocks(powers[0::2], 5),
            "MILLS_ODD": blocks(powers[1::2], 5),
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
