"""Make ``option_points.csv`` and ``implied_vol_points.csv``: options with values of 50 digits.

python -m tests.core.make_option_points
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.oracles.european import amplification, forward_rows, implied, spot_rows

POINTS = Path(__file__).with_name("option_points.csv")
VOL_POINTS = Path(__file__).with_name("implied_vol_points.csv")
ROWS = ("price", "delta", "gamma", "vega", "theta", "rho", "vanna", "volga", "charm")
SMALLEST = 1e-290
DIGITS = 50


def options(seed: int, n: int) -> list[dict[str, Any]]:
    """Everyday chains, short dates, long dates, tails down to the smallest price, and extremes."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        kind = ("chain", "short", "tail", "edge", "wide", "money")[i % 6]
        years = float(np.exp(rng.uniform(-9.0, -3.0) if kind == "short" else rng.uniform(-4, 2)))
        vol = float(np.exp(rng.uniform(-4.0, 1.5) if kind == "wide" else rng.uniform(-3.0, 0.0)))
        distance = {
            "chain": rng.uniform(-3.0, 3.0),
            "short": rng.uniform(-6.0, 6.0),
            "tail": rng.choice([-1.0, 1.0]) * rng.uniform(5.0, 36.0),
            "edge": rng.choice([-1.0, 1.0]) * rng.uniform(35.5, 36.5),
            "wide": rng.uniform(-9.0, 9.0),
            "money": rng.uniform(-1.0, 1.0) * 10.0 ** rng.uniform(-12.0, 0.0),
        }[kind]
        forward = float(np.exp(rng.uniform(0.0, 9.0)))
        side = rng.choice([-1, 1]) if kind not in ("tail", "edge") else np.sign(distance)
        made.append({
            "sign": int(side),
            "forward": forward,
            "strike": float(forward * np.exp(distance * vol * np.sqrt(years))),
            "years": years,
            "vol": vol,
            "rate": float(rng.choice([rng.uniform(-0.02, 0.1), 0.0])),
            "dividend_yield": float(rng.choice([rng.uniform(0.0, 0.08), 0.0])),
        })  # fmt: skip
    return made


def point(option: dict[str, Any], model: str) -> dict[str, Any] | None:
    """The option with its values, or None where one is too small for a double."""
    names = ["forward", "strike", "years", "vol", "rate"]
    names += ["dividend_yield"] if model == "spot" else []
    rows = spot_rows if model == "spot" else forward_rows
    inputs = [option[name] for name in names]
    values = rows(option["sign"], *map(mpf, inputs))
    if not (values[0] > SMALLEST and all(1e-300 < abs(value) < 1e300 for value in values)):
        return None
    found = amplification(rows, option["sign"], inputs)
    shown = {name: repr(option[name]) for name in names} | {"sign": option["sign"]}
    shown |= {name: mp.nstr(value, DIGITS) for name, value in zip(ROWS, values, strict=True)}
    shown |= {f"{name}_amplification": mp.nstr(a, 6) for name, a in zip(ROWS, found, strict=True)}
    return {"model": model, **shown}


def vol_point(option: dict[str, Any]) -> dict[str, Any] | None:
    """The option's undiscounted price as a double, and the volatility of that."""
    market = [option[name] for name in ("forward", "strike", "years")]
    exact = spot_rows(option["sign"], *map(mpf, market), mpf(option["vol"]), mpf(0), mpf(0))
    price = float(exact[0])
    intrinsic = max(option["sign"] * (market[0] - market[1]), 0.0)
    bound = market[0] if option["sign"] > 0 else market[1]
    # Closer to a bound than some roundings, a price says nothing of the volatility.
    if not (price > SMALLEST and price > intrinsic * (1 + 1e-13) and price < bound * (1 - 1e-13)):
        return None
    vol, magnified = implied(option["sign"], price, *market, option["vol"])
    shown = {name: repr(option[name]) for name in ("sign", "forward", "strike", "years")}
    return shown | {
        "price": repr(price),
        "vol": mp.nstr(vol, DIGITS),
        "amplification": mp.nstr(magnified, 6),
    }


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("w", newline="") as stream:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(stream, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    with mp.workdps(90):
        rows = [point(o, model) for model in ("spot", "forward") for o in options(1, 180)]
        write(POINTS, [row for row in rows if row is not None])
        write(VOL_POINTS, [row for row in map(vol_point, options(2, 480)) if row is not None])


if __name__ == "__main__":
    main()
