"""Run all benchmarks and write their table into the README.

    python -m tests.benchmarks --peer-python .peer/bin/python

Without --peer-python (or PEER_PYTHON) the comparison with the peer is left out and said so, and
the README's table stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from tests.benchmarks.harness import (
    GENERATED_ROWS,
    ROOT,
    note,
    plain,
    recording,
    table,
    write_between_markers,
)

PEER = "python -m tests.benchmarks.peer_hftbacktest --peer-python PATH"
FIRST = "python -m tests.benchmarks.first_result"
MODELS = "python -m tests.benchmarks.models"
SCALING = "python -m tests.benchmarks.scaling"
LARGE = "python -m tests.benchmarks.large_tape"
LIVE = "python -m tests.benchmarks.live_loop --full"
WIRE = "python -m tests.benchmarks.live_wire"
OPTIONS = "python -m tests.benchmarks.options"
SURFACE = "python -m tests.benchmarks.surface --data FOLDER"
SWEEP = "python -m tests.benchmarks.sweep --peer-python PATH"


def run(name: str, *options: str) -> dict[str, Any]:
    """The JSON object of one benchmark, run in a process of its own."""
    note(f"== {name}")
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    print(done.stdout, end="", flush=True)
    if done.returncode not in (0, 4):
        raise SystemExit(f"{name} ended with exit code {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def market(result: dict[str, Any]) -> str:
    """What a tape is, in words."""
    made = "a random market" if result["events"].startswith("random") else "BTCUSDT, recorded"
    return f"{made}, {result['rows']:,} rows"


def peer_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    speed = (
        f"{result['ours_rows_per_s'] / 1e6:.1f} against {result['peer_rows_per_s'] / 1e6:.1f} "
        f"million rows/s: {result['ratio']:.1f} times"
    )
    same = "the same" if result["fills_equal"] else "different"
    equal = f"{same} {plain(result['fills'])}; path within {result['path_max_abs_diff']:.0e}"
    return [
        (f"{market(result)}: one strategy, one thread, against hftbacktest 2.4.4", speed, PEER),
        ("its fills, step by step, against hftbacktest's", equal, PEER),
    ]


def sweep_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    speed = f"{result['strategy_rows_per_s'] / 1e9:.2f} thousand million strategy-rows/s"
    what = (
        f"{market(result)}: {result['sets']} parameter sets in one pass, {result['threads']} "
        f"threads, a decision each {result['interval'] / 1e6:.0f} ms, against hftbacktest's two"
    )
    return [(what, f"{speed}: {result['ratio']:.0f} times", SWEEP)]


def first_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    what = "new process, new strategy of one's own: first result, imports included"
    return [(what, f"{result['seconds']:.1f} s", FIRST)]


def model_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    quotes = f"{result['exact_quote_q10_ns']:.0f} ns"
    return [
        (
            "1,000 paths of Avellaneda and Stoikov (2008)",
            f"{result['paths_1000_ms']:.1f} ms",
            MODELS,
        ),
        ("one exact finite-horizon quote, up to 10 order sizes held", quotes, MODELS),
    ]


def scaling_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Cost at the smallest and at the largest size of each curve, and the verdict on it."""
    words = {
        "rows": "a row, tapes of {} and {} rows",
        "instruments": "a row, {} and {} instruments quoted",
        "instruments_5_layers": "a row, {} and {} instruments quoted in 5 layers",
        "layers": "a layer at a decision, {} and {} layers",
        "sets_1_thread": "a row of a set, {} and {} sets, 1 thread",
        "sets_2_threads": "a row of a set, {} and {} sets, 2 threads",
    }
    rows = []
    for name, text in words.items():
        if f"{name}_ns" not in result:
            continue
        sizes, costs = result[f"{name}_sizes"], result[f"{name}_ns"]
        grows = "linear or better" if result[f"{name}_linear"] else "grows faster than linear"
        what = text.format(f"{sizes[0]:,}", f"{sizes[-1]:,}")
        rows.append((what, f"{costs[0]:.3g} and {costs[-1]:.3g} ns: {grows}", SCALING))
    return rows


def option_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Our time of an option, and the peers' beside it."""
    peers = {
        "pyvolr": "pyvolr",
        "vanilla_option_pricers": "vanilla-option-pricers",
        "quantlib": "QuantLib",
        "vollib": "vollib",
    }

    def beside(key: str) -> str:
        theirs = [f"{name} {result[f'{p}_{key}']:,.0f}" for p, name in peers.items()
                  if f"{p}_{key}" in result]  # fmt: skip
        return f"{result[key]:.0f} ns" + (f"; {', '.join(theirs)}" if theirs else "")

    digits = f"within {result['iv_error']:.1f} times what the price's rounding does"
    return [
        (f"implied volatility of an option, one thread, {digits}", beside("iv_ns"), OPTIONS),
        ("price and eight greeks of an option; peers: five", beside("greeks_ns"), OPTIONS),
        *american_rows(result, beside("american_single_ns")),
    ]


def american_rows(result: dict[str, Any], single: str) -> list[tuple[str, str, str]]:
    error = f"errors {result['american_rmse']:.1e} (rms) of prices near 100"
    chain = f"{result['american_chain_ns']:.0f} ns; each volatility its own "
    return [
        (f"price, delta and gamma of an american option, {error}; peer: price", single, OPTIONS),
        (
            "the same for 200 strikes of one volatility",
            f"{chain}{result['american_smile_ns']:.0f}",
            OPTIONS,
        ),
    ]


def surface_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """A smile, a tick of the underlying, and a day where there is one."""
    svi = f"{result['svi_cold_us']:.1f} µs, {result['svi_warm_us']:.1f} µs from the smile before"
    tick = f"{result['reprice_us']:.1f} µs; in full {result['revalue_us'] / 1e3:.2f} ms"
    american = f"{result['american_reprice_us']:.1f} µs; in full "
    american += f"{result['american_revalue_us'] / 1e3:.1f} ms"
    rows = [
        ("an SVI fit of 50 strikes", svi, SURFACE),
        ("a slice of 100 quotes, free of arbitrage", f"{result['slice_us']:.0f} µs", SURFACE),
        ("2,000 European options repriced on a tick of the underlying", tick, SURFACE),
        ("2,000 american ones", american, SURFACE),
    ]
    if "day_s" in result:
        what = "a half day of 2,192 contracts by the minute, from zips to surfaces, two cores"
        rows.insert(0, (what, f"{result['day_s']:.1f} s", SURFACE))
    return rows


def large_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    what = f"{result['rows']:,} rows from disk ({result['tape_gb']:.1f} GB), the whole command"
    speed = f"{result['rows_per_s'] / 1e6:.1f} million rows/s, {plain(result['peak_memory_mb'])} MB"
    return [(what, speed, LARGE)]


def live_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    millions = result["rows"] / 1e6
    what = (
        f"live loop, {millions:.0f} million market events and {plain(result['order_events'])} of "
        "orders: event to orders sent, journal written, 99 of 100"
    )
    waits = [result[f"storm_{way}_wait_ms"] for way in ("modify", "replace")]
    slot = f"{max(waits):.0f} ms, a slot is {result['storm_modify_slot_ms']:.0f} ms"
    return [
        (what, f"{result['p99_us']:.0f} µs", LIVE),
        ("a cancel in a throttle storm waits", slot, LIVE),
    ]


def wire_rows(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The live loop on the adapter to Interactive Brokers, at the gateway, both ways included."""
    lag = f"{result['lag_p50_ms']:.1f} ms, 99 of 100 {result['lag_p99_ms']:.1f}"
    grows = "steady" if result["lag_steady"] else "growing"
    return [
        (
            "Interactive Brokers' protocol over loopback: market data sent to order received, "
            "half of all, 99 of 100",
            f"{result['p50_ms']:.1f} ms, {result['p99_ms']:.1f} ms",
            WIRE,
        ),
        (
            f"a cancel behind {result['waiting_at_least']} changes that wait for their turn",
            f"{result['cancel_ms']:.0f} ms at most",
            WIRE,
        ),
        (
            f"{plain(result['depth_rate'])} depth messages/s wait to be taken",
            f"{lag}; {grows}",
            WIRE,
        ),
        (
            "most messages received in any sliding second; IBKR allows 50",
            str(result["most_in_a_second"]),
            WIRE,
        ),
    ]


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), metavar="PATH")
    p.add_argument("--large", action="store_true", help="a large tape too: 15 GB of disk")
    p.add_argument("--no-readme", action="store_true", help="leave the README as it is")
    a = p.parse_args(argv)
    first = run("first_result")
    models = run("models")
    options = run("options")
    surface = run("surface")
    scaling = run("scaling")
    large = large_rows(run("large_tape")) if a.large else []
    live = run("live_loop", "--full")
    wire = run("live_wire")
    if not a.peer_python:
        note("peer_hftbacktest: skipped, as neither --peer-python nor PEER_PYTHON is set")
        note("README.md: left as it is")
        return 0
    by_peer = ("--peer-python", a.peer_python)
    peers = [run("peer_hftbacktest", *by_peer, "--rows", "5000000")]
    sweeps = [run("sweep", *by_peer, "--rows", str(GENERATED_ROWS))]
    if recording() is not None:
        peers.insert(0, run("peer_hftbacktest", *by_peer))
        sweeps.insert(0, run("sweep", *by_peer, "--interval", "10000000", "--peer-runs", "4"))
        sweeps.insert(0, run("sweep", *by_peer))
    else:
        note("the recording: skipped, as MMQUANT_REAL_DATA is not set")
    peer = peers[0]
    rows = [
        *(row for one in peers for row in peer_rows(one)),
        *(row for one in sweeps for row in sweep_rows(one)),
        *first_rows(first),
        *model_rows(models),
        *option_rows(options),
        *surface_rows(surface),
        *live_rows(live),
        *wire_rows(wire),
        *scaling_rows(scaling),
        *large,
    ]
    text = table(rows)
    machine = f"{peer['cores']} cores of {peer['cpu']}; Python {peer['python']}, "
    versions = f"numba {peer['numba']}, numpy {peer['numpy']}."
    text += f"\n\nMeasured on {machine}{versions}"
    note("\n" + text)
    if not a.no_readme:
        written = write_between_markers(ROOT / "README.md", text)
        note("README.md: written" if written else "README.md: no markers, left as it is")
    return 0 if all(one["fills_equal"] for one in peers) else 4


if __name__ == "__main__":
    sys.exit(main())
