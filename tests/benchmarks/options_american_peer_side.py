"""American options by QuantLib, timed: the peer's side of options_american.py.

    PYTHON tests/benchmarks/options_american_peer_side.py QuantLib OPTIONS.npz OUT.npz

OPTIONS.npz holds float64 columns sign, spot, strike, years (whole days over 365), vol, rate and
dividend_yield. It writes its prices to OUT.npz and prints a line. After each line on standard
input it prices all of them once, and prints its seconds of processor time: market data are set,
the option is made, and priced by QdFpAmericanEngine with its fast scheme.
"""

import json
import sys
import time

import numpy as np
import QuantLib as ql


def pricer(c):
    today = ql.Date(2, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    quotes = [ql.SimpleQuote(0.1) for _ in range(4)]
    spot, vol, rate, dividend_yield = quotes
    curves = [
        ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(q), count))
        for q in (dividend_yield, rate)
    ]
    flat = ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(vol), count)
    surface = ql.BlackVolTermStructureHandle(flat)
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(spot), *curves, surface)
    engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme())
    names = ("sign", "spot", "strike", "years", "vol", "rate", "dividend_yield")
    rows = list(zip(*(c[name].tolist() for name in names), strict=True))

    def price():
        values = []
        for sign, s, strike, years, sigma, r, q in rows:
            for quote, value in zip(quotes, (s, sigma, r, q), strict=True):
                quote.setValue(value)
            kind = ql.Option.Call if sign > 0 else ql.Option.Put
            exercise = ql.AmericanExercise(today, today + round(365 * years))
            option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, strike), exercise)
            option.setPricingEngine(engine)
            values.append(option.NPV())
        return np.array(values)

    return price


def main(argv):
    _, options, out = argv
    with np.load(options) as file:
        price = pricer({key: file[key] for key in file.files})
    np.savez(out, price=price())
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        begun = time.process_time()
        price()
        print(json.dumps({"seconds": time.process_time() - begun}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
