"""Run hftbacktest 2.4.4 on a neutral event file: the peer's side of the side-by-side.

This file runs under a Python that has hftbacktest and numpy; it needs nothing of mmquant:
    python3 -m venv .peer && .peer/bin/pip install hftbacktest==2.4.4
    .peer/bin/python tests/benchmarks/peer_side.py EVENTS.npz

The reference strategy is a symmetric one-level market maker with linear inventory skew, decided
every ``--interval`` ns; ``skew_mm`` is its whole meaning.

Input, one .npz: exch_ts, local_ts int64 [ns]; kind uint8 (1 depth: new displayed quantity of a
price level, 2 trade, 3 clear a side up to px, 4 depth from a snapshot); side int8 (+1 bid or
buyer-initiated, -1 ask or seller-initiated); px_tick int64; qty float64; tick_size, lot_size
float64 scalars. Rows are in exchange-time order, local_ts - exch_ts is constant, and a trade
precedes the depth row that it causes.

Output: one JSON line. With ``--serve``, one such line after set-up and one after each line that is
read from standard input, until it ends; then with ``--out`` the path of the last run.
"""

import argparse
import json
import sys
import time

import numpy as np

try:
    from hftbacktest import (
        BUY,
        BUY_EVENT,
        EXCH_EVENT,
        GTX,
        LIMIT,
        LOCAL_EVENT,
        SELL_EVENT,
        BacktestAsset,
        HashMapMarketDepthBacktest,
        Recorder,
        ROIVectorMarketDepthBacktest,
    )
    from hftbacktest.types import event_dtype
    from numba import njit

    MISSING = ""
except ImportError as error:  # the other side imports this file for its options
    MISSING = f"{sys.executable} cannot import hftbacktest: {error}"

    def njit(function):
        return function


QUEUES = ("risk", "power2", "power3_3", "log", "log2")
FIELDS = ("timestamp", "price", "position", "balance", "fee", "num_trades")


@njit
def skew_mm(hbt, rec, interval, half_spread, skew, order_qty, max_position):
    """Half spread and skew are in ticks; the skew shifts the reservation price per order held."""
    tick_size = hbt.depth(0).tick_size
    order_id = 1
    while True:
        rc = hbt.elapse(interval)  # 0 ok, 1 end of data, >= 10 an error
        if rc != 0:
            return rc
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        if np.isfinite(depth.best_bid) and np.isfinite(depth.best_ask):
            position = hbt.position(0)
            middle = (depth.best_bid_tick + depth.best_ask_tick) / 2.0
            reservation = middle - skew * position / order_qty
            bid_tick = int(min(np.floor(reservation - half_spread), depth.best_bid_tick))
            ask_tick = int(max(np.ceil(reservation + half_spread), depth.best_ask_tick))
            want_bid = position < max_position - 1e-9
            want_ask = position > -max_position + 1e-9
            has_bid = False
            has_ask = False
            values = hbt.orders(0).values()
            while values.has_next():  # never break out: the iterator is freed only at its end
                order = values.get()
                if order.side == BUY:
                    if want_bid and order.price_tick == bid_tick:
                        has_bid = True
                    elif order.cancellable:
                        hbt.cancel(0, order.order_id, False)
                else:
                    if want_ask and order.price_tick == ask_tick:
                        has_ask = True
                    elif order.cancellable:
                        hbt.cancel(0, order.order_id, False)
            if want_bid and not has_bid:
                price = bid_tick * tick_size
                hbt.submit_buy_order(0, order_id, price, order_qty, GTX, LIMIT, False)
                order_id += 1
            if want_ask and not has_ask:
                price = ask_tick * tick_size
                hbt.submit_sell_order(0, order_id, price, order_qty, GTX, LIMIT, False)
                order_id += 1
        rec.record(hbt)


def set_queue(asset, name):
    if name == "risk":
        asset.risk_adverse_queue_model()
    elif name == "power2":
        asset.power_prob_queue_model(2.0)
    elif name == "power3_3":
        asset.power_prob_queue_model3(3.0)
    elif name == "log":
        asset.log_prob_queue_model()
    else:
        asset.log_prob_queue_model2()


def load_events(path):
    """The file's rows as the peer's events, with tick and lot size."""
    with np.load(path) as d:
        tick, lot = float(d["tick_size"]), float(d["lot_size"])
        ev = np.zeros(len(d["exch_ts"]), event_dtype)
        side = np.where(d["side"] > 0, np.uint64(BUY_EVENT), np.uint64(SELL_EVENT))
        both_clocks = np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
        ev["ev"] = d["kind"].astype(np.uint64) | side | both_clocks
        ev["exch_ts"], ev["local_ts"] = d["exch_ts"], d["local_ts"]
        ev["px"], ev["qty"] = d["px_tick"] * tick, d["qty"]
    return ev, tick, lot


def steps_of(ev, a):
    """Room for all steps: they go on after the data while messages are on their way."""
    steps = int((ev["local_ts"].max() - ev["exch_ts"].min()) // a.interval) + 3
    return steps + 20 * (a.entry_latency + a.response_latency) // a.interval + 100


def build(ev, tick, lot, a):
    """A fresh backtest and its recorder."""
    asset = BacktestAsset().data(ev).linear_asset(1.0)
    asset.constant_order_latency(a.entry_latency, a.response_latency)
    asset.no_partial_fill_exchange().trading_value_fee_model(a.maker_fee, 0.0)
    asset.tick_size(tick).lot_size(lot).last_trades_capacity(0).parallel_load(False)
    set_queue(asset, a.queue)
    if a.depth == "roi":
        asset.roi_lb(float(ev["px"].min()) - tick)
        asset.roi_ub(float(ev["px"].max()) + tick)
        return ROIVectorMarketDepthBacktest([asset]), Recorder(1, steps_of(ev, a))
    return HashMapMarketDepthBacktest([asset]), Recorder(1, steps_of(ev, a))


def run_once(ev, tick, lot, a):
    """Recorded path, return code and seconds of the strategy's loop, recording included."""
    hbt, rec = build(ev, tick, lot, a)
    qty = a.order_lots * lot
    started = time.perf_counter()
    rc = skew_mm(
        hbt, rec.recorder, a.interval, a.half_spread, a.skew, qty, a.max_orders * qty
    )  # fmt: skip
    seconds = time.perf_counter() - started
    hbt.close()
    return rec.get(0), int(rc), seconds


def add_options(p):
    """Options that both sides take."""
    p.add_argument("--depth", choices=["hash", "roi"], default="roi", help="the peer's book")
    p.add_argument("--queue", choices=QUEUES, default="power3_3")
    p.add_argument("--interval", type=int, default=100_000_000, help="[ns]")
    p.add_argument("--entry-latency", type=int, default=1_000_000, help="[ns]")
    p.add_argument("--response-latency", type=int, default=1_000_000, help="[ns]")
    p.add_argument("--half-spread", type=float, default=2.0, help="[ticks]")
    p.add_argument("--skew", type=float, default=0.5, help="[ticks per order quantity held]")
    p.add_argument("--order-lots", type=float, default=5.0)
    p.add_argument("--max-orders", type=float, default=10.0, help="position limit, in orders")
    p.add_argument("--maker-fee", type=float, default=0.0, help="of traded value")


def say(**fields):
    print(json.dumps(fields), flush=True)


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("events")
    p.add_argument("--out", help="write the recorded path here (.npz)")
    p.add_argument("--serve", action="store_true", help="run once a line of standard input")
    p.add_argument("--repeat", type=int, default=3, help="runs; the first includes compilation")
    add_options(p)
    a = p.parse_args()
    if MISSING:
        sys.exit(MISSING)
    ev, tick, lot = load_events(a.events)
    path, rc, first = run_once(ev, tick, lot, a)
    if a.serve:
        say(first_s=first, rc=rc, rows=len(ev))
        for _ in sys.stdin:
            path, rc, seconds = run_once(ev, tick, lot, a)
            say(seconds=seconds, rc=rc)
    else:
        times = [first]
        for _ in range(a.repeat - 1):
            path, rc, seconds = run_once(ev, tick, lot, a)
            times.append(seconds)
        equity = path["balance"] + path["position"] * path["price"] - path["fee"]
        say(
            engine="hftbacktest 2.4.4",
            depth=a.depth,
            queue=a.queue,
            rc=rc,
            rows=len(ev),
            steps=len(path),
            fills=int(path["num_trades"][-1]) if len(path) else 0,
            position=float(path["position"][-1]) if len(path) else 0.0,
            equity=float(equity[-1]) if len(path) else 0.0,
            first_s=round(first, 4),
            warm_s=round(min(times), 4),
            rows_per_s=round(len(ev) / min(times)),
        )
    if a.out:
        np.savez(a.out, **{name: path[name] for name in FIELDS})


if __name__ == "__main__":
    main()
