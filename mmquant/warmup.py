"""Compile every kernel once, so that the first run of the day starts at once.

Kernels are compiled by being used, on a market of a few seconds; a test checks that none is left
out.
"""

from __future__ import annotations

import compileall
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmquant.core.jit import CACHE_DIR, DISABLED

MESSAGES = """34200.1,1,1,100,1000000,1
34200.2,1,2,100,1000200,-1
34200.3,4,2,40,1000200,-1
34200.4,5,0,10,1000100,1
34200.5,2,1,20,1000000,1
34200.6,3,1,80,1000000,1
"""
BOOK = """9999999999,0,1000000,100
1000200,100,1000000,100
1000200,60,1000000,100
1000200,60,1000000,100
1000200,60,1000000,80
1000200,60,-9999999999,0
"""


def warmup(progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Compile all kernels, or load them from the cache. Returns kernels, seconds and cache."""
    started = time.perf_counter()
    steps = (
        _modules,
        _market,
        _backtest,
        _maker,
        _replay,
        _executions,
        _tables,
        _ticks,
        _lobster,
        _quoting_models,
        _calibration,
        _signals,
        _mathfn,
        _european_options,
        _american_options,
        _smiles,
        _slices,
        _surfaces,
        _gateway,
        _live,
    )
    for done, step in enumerate(steps):
        if progress is not None:
            progress(done, len(steps))
        step()
    if progress is not None:
        progress(len(steps), len(steps))
    seconds = round(time.perf_counter() - started, 3)
    return {"kernels": len(kernels()), "seconds": seconds, "cache": str(CACHE_DIR)}


def kernels() -> dict[str, Any]:
    """All kernels of the modules that are imported, by name."""
    from mmquant.core.jit import Kernel

    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("mmquant.") and not DISABLED:
            for what in vars(module).values():
                if isinstance(what, Kernel):
                    found[f"{what.py_func.__module__}.{what.py_func.__name__}"] = what
    return found


def _modules() -> None:
    """Python's own compiled modules, also where the environment keeps it from writing them."""
    compileall.compile_dir(Path(__file__).parent, quiet=2, force=False)


def _tape() -> Any:
    from mmquant.data.synthetic import make_demo_tape

    return make_demo_tape(seed=1, minutes=0.1)


def _market() -> None:
    from mmquant.data.synthetic import make_random_tape

    _tape()
    make_random_tape(200, seed=1)


def _backtest() -> None:
    from mmquant.research.backtest import backtest

    backtest(tape=_tape())


def _maker() -> None:
    from mmquant.config import Config
    from mmquant.research.backtest import backtest

    settings = {"strategy": {"name": "maker"}, "quoting": {"half_spread_ticks": 1}}
    backtest(Config.from_dict(settings), _tape())


def _replay() -> None:
    from mmquant.config import Config
    from mmquant.core.engine import empty_message, local_step
    from mmquant.live.recovery import fresh_step
    from mmquant.live.replay import replay
    from mmquant.trading.compiled import bind
    from mmquant.trading.halves import open_session

    replay(tape=_tape())
    # The loop takes whole blocks; one message alone is for tests and for people.
    step = fresh_step(open_session(Config(), _tape()), keep_logs=True)
    bind(
        local_step,
        (step.local, 0, step.strategy.quote, empty_message()[0], step.actions),
        2,
    )


def _executions() -> None:
    from mmquant.core.executions import grow_executions, make_executions

    grow_executions(make_executions(4))


def _tables() -> None:
    from mmquant.data.readers import read_tape
    from mmquant.data.readers.own import write_tape
    from mmquant.data.views import book_levels

    tape = _tape()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tape.parquet"
        write_tape(tape, file)
        read_tape("parquet", file)
    book_levels(tape, [int(tape["exch_ts"].values[-1])])


def _ticks() -> None:
    from mmquant.core.ticks import tick_above
    from mmquant.data.contracts import instrument_rows
    from mmquant.data.tape import contracts_of

    tape = _tape()
    tick_above(instrument_rows(contracts_of(tape), tape.attrs["date"])[0], 100.005)


def _lobster() -> None:
    from mmquant.data.readers.lobster import check_book

    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "WARM_2024-01-02_34200000_34260000"
        message, book = Path(f"{stem}_message_1.csv"), Path(f"{stem}_orderbook_1.csv")
        message.write_text(MESSAGES)
        book.write_text(BOOK)
        check_book(message, orderbook=book)
        book.unlink()
        check_book(message)


def _quoting_models() -> None:
    from mmquant.core import exact_quotes, optimal_quotes
    from mmquant.research.avellaneda_stoikov import simulate_avellaneda_stoikov
    from mmquant.trading.quote_tables import gueant_table

    market = {"gamma": 0.1, "sigma": 2.0, "A": 140.0, "k": 1.5}
    simulate_avellaneda_stoikov(
        **market, horizon_s=1.0, steps=2, paths=1, seed=1, strategy="inventory"
    )
    table = gueant_table(**market, q_max=1, xi=0.1)
    exact_quotes.exact_distances(table, 1.0, 0.0)
    exact_quotes.exact_value(table, 1.0, 0)
    optimal_quotes.fill_intensity(140.0, 1.5, 0.5)
    optimal_quotes.distances(0.5, 0.1, 0.0)
    optimal_quotes.as_omega(0.1, 2.0, 5.0)
    optimal_quotes.as_stationary_offset(0.1, 2.0, 0.5, 0.0, 1.0)
    optimal_quotes.glft_slope(0.1, 2.0, 50.0, 1.5, 1.0)
    optimal_quotes.glft_half_spread(0.6, 0.0, 0.1)
    optimal_quotes.drift_inventory(0.0, 0.1, 2.0, 1.0)


def _calibration() -> None:
    from mmquant.research.calibration.volatility import calibrate_volatility

    calibrate_volatility(_tape())


def _signals() -> None:
    import numpy as np

    from mmquant.core import signals, theo
    from mmquant.core.signal_state import make_signal_state, signal_params
    from mmquant.research.imbalance import imbalance_study
    from mmquant.research.micro_price import fit_micro_price
    from mmquant.research.order_flow import order_flow_study

    tape = _tape()
    for study in (imbalance_study, fit_micro_price, order_flow_study):
        study(tape)
    tick, lots = np.array([100], np.int32), np.array([5], np.int32)
    market = (tick, lots, tick + 1, lots, 100.5, 1.0, 2.0)
    signals.update_signals(make_signal_state()[0], signal_params()[0], 1, *market)
    signals.seconds_between(1, 2)
    signals.decay(1.0, 2.0)
    signals.mean_decay(1.0, 2.0)
    signals.ewma(1.0, 2.0, 0.5)
    signals.balance(1.0, 2.0)
    signals.book_imbalance(lots, lots, np.ones(1))
    signals.order_flow(100, 5.0, 101, 5.0, 100, 6.0, 101, 5.0)
    signals.root_rate(1.0, 2.0)
    signals.rate(1.0, 2.0)
    signals.usable_book(100, 1.0, 101, 1.0)
    best = (100.0, 101.0, 5.0, 6.0)
    theo.mid_ticks(*best[:2])
    theo.bid_share(*best[2:])
    theo.weighted_mid(*best)
    theo.imbalance_bucket(*best[2:], 10.0)
    theo.adjustment_at(np.zeros(3), 1.0, *best[2:])
    theo.micro_price(*best, np.zeros(3))
    theo.fair_value(0, *best, 100.5, 100.5, np.zeros(3))


def _mathfn() -> None:
    import numpy as np

    from mmquant.core import mathfn

    half, out = np.full(1, 0.5), np.zeros(1)
    for formula, loop in zip(mathfn.FORMULAS, mathfn.LOOPS, strict=True):
        formula(0.5)
        loop(half, out)


def _european_options() -> None:
    import numpy as np

    from mmquant.core import black, implied_vol
    from mmquant.core.option_rows import ROWS

    one, out, table = np.ones(1), np.zeros(1), np.zeros((ROWS, 1))
    black.black_price(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    black.spot_price(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    black.black_price_many(one, one, one, one, one, one, out)
    black.spot_price_many(one, one, one, one, one, one, one, out)
    black.black_many(one, one, one, one, one, one, table)
    black.spot_many(one, one, one, one, one, one, one, table)
    implied_vol.implied_vol(1.0, 0.5, 1.0, 1.0, 1.0)
    implied_vol.implied_vol_many(one, out, one, one, one, out, np.zeros(1, np.int8))


def _american_options() -> None:
    import numpy as np

    from mmquant.core import american, american_dividends, american_escrowed, exercise_boundary
    from mmquant.core.american_implied_vol import american_implied_vol_many

    one, value, status = np.ones(1), np.zeros(1), np.zeros(1, np.int64)
    out, fast = np.zeros((9, 1)), american.FAST
    rates = (0.05 * one, 0.02 * one)
    option = (-one, one, one, one, 0.3 * one, *rates)
    dividends = (0.5 * one, 0.01 * one)
    american.american_many(*option, fast, out, status)
    american.american_chain(-one, 1.0, one, 1.0, 0.3 * one, 0.05, 0.02, fast, out, status)
    american_implied_vol_many(-one, 0.1 * one, one, one, one, *rates, fast, value, status)
    exercise_boundary.exercise_boundary_many(-one, *option[2:], fast, value, status)
    model = american_dividends.SPOT
    american_dividends.dividend_many(*option, *dividends, model, True, fast, out, status)
    american_escrowed.escrowed_many(*option, *dividends, fast, out, status)


def _smiles() -> None:
    import numpy as np

    from mmquant.core import smile, ssvi, svi_check, svi_fit, svi_repair

    raw, out = np.array([0.01, 0.1, -0.3, 0.0, 0.1]), np.zeros(5)
    k = np.linspace(-0.3, 0.3, 7)
    table, work = np.zeros((3, 7)), svi_fit.make_svi_work()
    smile.svi_many(k, raw, table)
    smile.density(0.0, *smile.svi_variance(0.0, *raw))
    smile.butterfly_g(0.0, 0.1, 0.0, 0.0)
    smile.lee_slopes(0.1, 0.0)
    smile.raw_of_jump_wings(1.0, *smile.jump_wings(1.0, *raw))
    svi_fit.fit_svi(k, table[0], np.ones(7), out, work)
    svi_fit.refit_svi(k, table[0], np.ones(7), out, work)
    svi_check.svi_g(0.0, *raw)
    svi_check.svi_least_g(*raw)
    svi_check.svi_g_roots(*raw, out)
    svi_check.svi_crossings(raw, raw, out)
    svi_check.svi_calendar_slack(raw, raw)
    svi_repair.repair_jump_wings(1.0, raw, out)
    svi_repair.repair_nearest(1.0, raw, out)
    slice_ = (0.04, -0.3, 0.2)
    ssvi.essvi_variance(0.0, *slice_)
    ssvi.ssvi_phi(0.04, 1.0, 0.5)
    ssvi.essvi_raw(*slice_)
    ssvi.essvi_butterfly_slack(*slice_)
    ssvi.essvi_calendar_slack(*slice_, *slice_)
    ssvi.fit_essvi(k, table[0], np.ones(7), np.zeros(3), np.zeros(3))


def _surfaces() -> None:
    import numpy as np

    from mmquant.core.early_exercise import european_values, make_exercise_work
    from mmquant.core.parity import box_discount, parity_forward
    from mmquant.core.slice_fit import make_fit_work
    from mmquant.core.slice_rows import SLICE_SIZE, make_slice
    from mmquant.core.surface_fit import FIT_ROWS, fit_moment
    from mmquant.core.surface_reprice import proven_reach, revalue, set_slice
    from mmquant.core.surface_state import mark_dirty, take_quote
    from mmquant.data.chains.demo import make_demo_chain
    from mmquant.options.live_surface import LiveSurface
    from mmquant.options.surface import fit_surface
    from mmquant.options.theo import theo

    for style in ("american", "european"):
        quotes = make_demo_chain(minutes=1, expiries=2, strikes=9, exercise=style)
        theo(quotes, fit_surface(quotes))
    one, zero, memory = np.ones(1), np.zeros(1), make_exercise_work(1)
    put = (-one, one, 0.1 * one, 1.0, 1.0, 0.05, 0.0)
    european_values(*put, zero.copy(), zero.copy(), zero.copy(), zero.copy(), memory)
    parity_forward(zero, one, np.zeros(2), np.zeros(2))
    box_discount(one, zero, one)
    quote, none, place = np.ones((1, 1)), np.zeros(0), np.zeros(0, int)
    row = np.zeros((0, SLICE_SIZE))
    fit_moment(
        0, quote, quote, np.zeros(1, int), none, place, place, none, none, 4, row,
        np.zeros((0, 4, 1)), place, row, np.zeros((0, FIT_ROWS)), make_slice(), make_fit_work(),
    )  # fmt: skip
    live, now = LiveSurface(quotes), int(quotes["time"].values[0].astype("int64"))
    live.take_moment(quotes)
    live.refit(now)
    live.revalue(now)
    revalue(now, live.state)
    proven_reach(0.001, 100.0, 0.1, 1.0)
    take_quote(0, 1.0, 1.1, now, now, live.state)
    mark_dirty(0, now, live.state)
    set_slice(0, live.state.own[0], 0.1, 100.0, 0.0, 100.0, now, live.state)


def _slices() -> None:
    import numpy as np

    from mmquant.core import slice_curve, slice_fit
    from mmquant.core.slice_rows import SLICE_SIZE, make_slice

    k, row, none = np.linspace(-0.3, 0.3, 7), make_slice(), make_slice()
    w, later = 0.04 + 0.1 * k * k, np.zeros((0, SLICE_SIZE))
    slice_fit.fit_slice(k, 0.99 * w, w, 1.01 * w, none, later, row, slice_fit.make_fit_work())
    slice_curve.slice_variance(0.0, row)
    slice_curve.slice_variance_many(k, row, np.zeros((3, 7)))
    slice_curve.least_g(row)
    slice_curve.calendar_slack(row, row)


def _gateway() -> None:
    from mmquant.core.dtypes import ActionKind
    from mmquant.core.market_feed import available
    from mmquant.gateway.floor import Floor
    from mmquant.gateway.market import SyntheticMarket

    start = 1_790_000_000_000_000_000
    floor = Floor(SyntheticMarket(1, start), lambda rows: None, lambda row: None)
    floor.advance(start + 1_000_000_000)
    floor.watch_depth(0, 5)
    available(floor.exchange, 0, 0, 1, floor.touch(0)[2])
    floor.request(ActionKind.PLACE, order_id=0, side=1, tick=floor.touch(0)[2], lots=1, inst=0)


def _live() -> None:
    import numpy as np

    from mmquant.config import Config
    from mmquant.core.dtypes import MSG, NEVER
    from mmquant.data.tape import contracts_of
    from mmquant.live.recovery import fresh_step
    from mmquant.live.status import status_of
    from mmquant.trading.halves import open_session

    session = open_session(Config(), _tape())
    step = fresh_step(session, keep_logs=False)
    step(np.zeros(0, MSG), 0, NEVER, 0, 0)
    status_of(step.local, contracts_of(session.tape), session.config, 0)
