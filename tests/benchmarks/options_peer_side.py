"""European options by another package, timed: the peer's side of options.py.

    PYTHON tests/benchmarks/options_peer_side.py PEER CHAIN.npz OUT.npz

It runs under a Python that has the peer, and needs nothing of mmquant. CHAIN.npz holds slices of
one expiry each, float64 (slices, strikes): sign, forward, strike, years, vol, rate, and price,
undiscounted. It warms up, writes its volatilities to OUT.npz and prints a line. After each line
``implied_vol`` or ``greeks`` on standard input it does all of them once and prints its seconds of
processor time: price and the first-order greeks and gamma, as far as the peer has them.
"""

import json
import math
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"

import numpy as np


def pyvolr(c):
    from pyvolr import black76

    flags = np.where(c["sign"] > 0, "c", "p").ravel()
    f, k, t, r, vol, price = (
        c[n].ravel() for n in ("forward", "strike", "years", "rate", "vol", "price")
    )
    nothing = np.zeros_like(r)

    def implied_vol():
        return black76.implied_vol(price, flags, f, k, t, nothing)

    def greeks():
        black76.price(flags, f, k, t, r, vol)
        black76.greeks(flags, f, k, t, r, vol)

    return implied_vol, greeks


def vanilla_option_pricers(c):
    import vanilla_option_pricers as vop
    from numba import njit
    from vanilla_option_pricers.black_scholes import (
        compute_bsm_vanilla_delta,
        compute_bsm_vanilla_gamma,
        compute_bsm_vanilla_price,
        compute_bsm_vanilla_theta,
        compute_bsm_vanilla_vega,
    )

    kinds = np.where(c["sign"] > 0, "C", "P")
    slices = range(len(kinds))

    @njit
    def of_slice(t, f, strikes, vols, kinds, discount, rate, out):
        for i in range(strikes.size):
            k, v, kind = strikes[i], vols[i], kinds[i]
            out[0, i] = compute_bsm_vanilla_price(f, k, t, v, kind, discount)
            out[1, i] = compute_bsm_vanilla_delta(t, f, k, v, kind, discount)
            out[2, i] = compute_bsm_vanilla_gamma(t, f, k, v)
            out[3, i] = compute_bsm_vanilla_vega(t, f, k, v, discount)
            out[4, i] = compute_bsm_vanilla_theta(t, f, k, v, kind, discount, rate)

    out = np.zeros((5, kinds.shape[1]))
    years, forward, rate = c["years"][:, 0], c["forward"][:, 0], c["rate"][:, 0]
    discount = np.exp(-rate * years)

    def implied_vol():
        return np.concatenate([
            vop.infer_bsm_ivols_from_slice_prices(
                years[i], forward[i], 1.0, c["strike"][i], kinds[i], c["price"][i]
            )
            for i in slices
        ])  # fmt: skip

    def greeks():
        for i in slices:
            of_slice(years[i], forward[i], c["strike"][i], c["vol"][i], kinds[i], discount[i],
                     rate[i], out)  # fmt: skip

    return implied_vol, greeks


def quantlib(c):
    import QuantLib as ql

    names = ("forward", "strike", "years", "rate", "vol", "price")
    rows = list(zip(*(c[n].ravel().tolist() for n in names), strict=True))
    kinds = [ql.Option.Call if s > 0 else ql.Option.Put for s in c["sign"].ravel()]

    def one_vol(kind, f, k, t, price):
        try:
            return ql.blackFormulaImpliedStdDevLiRS(kind, k, f, price) / t**0.5
        except RuntimeError:
            return float("nan")

    def implied_vol():
        return np.array([
            one_vol(kind, f, k, t, price)
            for kind, (f, k, t, _, _, price) in zip(kinds, rows, strict=True)
        ])  # fmt: skip

    def greeks():
        for kind, (f, k, t, r, vol, _) in zip(kinds, rows, strict=True):
            discount = math.exp(-r * t)
            one = ql.BlackCalculator(ql.PlainVanillaPayoff(kind, k), f, vol * t**0.5, discount)
            one.value(), one.delta(f), one.gamma(f), one.vega(t), one.theta(f, t), one.rho(t)

    return implied_vol, greeks


def vollib(c):
    from vollib.black import black
    from vollib.black.greeks import analytical
    from vollib.black.implied_volatility import implied_volatility

    names = ("forward", "strike", "years", "rate", "vol", "price")
    rows = list(zip(*(c[n].ravel().tolist() for n in names), strict=True))
    flags = np.where(c["sign"] > 0, "c", "p").ravel().tolist()
    parts = [getattr(analytical, n) for n in ("delta", "gamma", "vega", "theta", "rho")]

    def implied_vol():
        return np.array([
            implied_volatility(price, f, k, 0.0, t, flag)
            for flag, (f, k, t, _, _, price) in zip(flags, rows, strict=True)
        ])  # fmt: skip

    def greeks():
        for flag, (f, k, t, r, vol, _) in zip(flags, rows, strict=True):
            black(flag, f, k, t, r, vol)
            for part in parts:
                part(flag, f, k, t, r, vol)

    return implied_vol, greeks


PEERS = {
    "pyvolr": pyvolr,
    "vanilla-option-pricers": vanilla_option_pricers,
    "QuantLib": quantlib,
    "vollib": vollib,
}


def main(argv):
    name, chain, out = argv
    with np.load(chain) as file:
        implied_vol, greeks = PEERS[name]({key: file[key] for key in file.files})
    np.savez(out, vol=np.asarray(implied_vol(), float).ravel())
    greeks()
    print(json.dumps({"peer": name}), flush=True)
    for line in sys.stdin:
        run = {"implied_vol": implied_vol, "greeks": greeks}[line.strip()]
        started = time.process_time()
        run()
        print(json.dumps({"seconds": time.process_time() - started}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
