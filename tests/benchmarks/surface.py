"""Seconds and microseconds of surfaces: a day of a chain, a smile, and a tick of the underlying.

    python -m tests.benchmarks.surface --json [--data FOLDER]

``day_s``: from the raw zips of a day of minute bars to fitted surfaces, 2,192 contracts at 210
minutes, in a process that has compiled before; it needs recorded data (``--data``, or the folder
that MMQUANT_REAL_DATA names) and is left out without. ``svi_cold_us``, ``svi_warm_us``: raw SVI
through 50 strikes. ``slice_us``: a quoted slice of 100. ``reprice_us``: all 2,000 contracts of a
live surface on a tick of the underlying, and ``revalue_us`` in full.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from mmquant.core.surface_reprice import reprice, revalue
from tests.benchmarks.harness import environment, median, note, parser, show
from tests.benchmarks.smile import fastest, slice_times, svi_times
from tests.core.surfaces import SECOND, SPOT, live_state

TARGETS = {"day_s": 15.0, "svi_cold_us": 20.0, "svi_warm_us": 5.0, "reprice_us": 200.0}
UNDERLYING, DATE = "GOOG", "2015-12-24"
EXPIRIES, STRIKES = 20, 50


def day_times(folder: Path, repeat: int) -> dict[str, Any]:
    """Of a recorded day, from its zips."""
    import mmquant as mm

    def whole() -> tuple[float, float, Any]:
        start = time.perf_counter()
        quotes = mm.read_option_quotes(folder, underlying=UNDERLYING, date=DATE)
        read = time.perf_counter() - start
        surface = mm.options.fit_surface(quotes)
        return time.perf_counter() - start, read, surface

    runs = [whole() for _ in range(repeat + 1)][1:]
    summary = mm.options.surface_summary(runs[-1][2])
    return {
        "day_s": round(median([run[0] for run in runs]), 2),
        "day_read_s": round(median([run[1] for run in runs]), 2),
        "day_slices": summary["slices"],
        "day_least_g": summary["least_g"],
    }


def tick_times() -> dict[str, float]:
    """Of live surfaces of European and of american options."""
    found = {}
    for american, name in ((0, ""), (1, "american_")):
        state, _ = live_state(expiries=EXPIRIES, strikes=STRIKES, american=american)
        reprice(SPOT, SECOND, SECOND, state)
        moves = [SPOT + 0.01, SPOT]

        def tick(state: Any = state, moves: list[float] = moves) -> None:
            moves.reverse()
            reprice(moves[0], SECOND, SECOND, state)

        found[f"{name}reprice_us"] = 1e6 * fastest(tick, 200)
        found[f"{name}revalue_us"] = 1e6 * fastest(lambda s=state: revalue(SECOND, s), 20)
        assert state.status.size == 2_000 and not state.status.any()
    return found


def main(argv: list[str] | None = None) -> int:
    p = parser(__doc__)
    p.add_argument("--data", default=os.environ.get("MMQUANT_REAL_DATA", ""), metavar="FOLDER")
    args = p.parse_args(argv)
    times = svi_times() | slice_times() | tick_times()
    result: dict[str, Any] = {name: round(value, 2) for name, value in times.items()}
    if args.data:
        result |= day_times(Path(args.data) / "lean", args.repeat)
    else:
        note("day_s: skipped, as neither --data nor MMQUANT_REAL_DATA is set")
    known = {name: result[name] <= limit for name, limit in TARGETS.items() if name in result}
    result |= {f"target_{name}": limit for name, limit in TARGETS.items() if name in result}
    show(result | {"within_targets": all(known.values())} | environment(), args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
