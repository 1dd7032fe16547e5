"""Tables of the documentation with computed numbers: queue models, and the result of the demo."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from mmquant.core.dtypes import QueueModel
from mmquant.core.queue_position import front_after_depth, share_behind
from mmquant.data.runs import Run
from tests.docs_tables import table

FRONT, BEFORE, AFTER = 30.0, 100.0, 90.0
MODELS = (
    (QueueModel.RISK_AVERSE, 1.0, "`risk_averse`", "1"),
    (QueueModel.POWER, 2.0, "`power`, n = 2", "b^n / (b^n + f^n)"),
    (QueueModel.POWER, 3.0, "`power`, n = 3", "b^n / (b^n + f^n)"),
    (QueueModel.POWER2, 2.0, "`power2`, n = 2", "b^n / (b + f)^n"),
    (QueueModel.POWER2, 3.0, "`power2`, n = 3", "b^n / (b + f)^n"),
    (QueueModel.POWER3, 2.0, "`power3`, n = 2", "1 − (f / (f + b))^n"),
    (QueueModel.POWER3, 3.0, "`power3`, n = 3 (default)", "1 − (f / (f + b))^n"),
    (QueueModel.LOG, 1.0, "`log`", "ln(1 + b) / (ln(1 + b) + ln(1 + f))"),
    (QueueModel.LOG2, 1.0, "`log2`", "ln(1 + b) / ln(1 + b + f)"),
)
DEMO = {
    "fills": "fills",
    "volume": "shares traded",
    "spread_pnl": "spread captured",
    "inventory_pnl": "what moves of the mid did to the inventory",
    "fees": "fees",
    "net_pnl": "kept in the end",
    "max_abs_position": "largest position",
    "uptime_two_sided": "share of the time with a quote on both sides",
    "markout_30s": "worth of a fill 30 s later, per share",
}
CALIBRATED = (
    *("min_distance_ticks", "fit_orders", "A_per_s", "A_per_s_low", "A_per_s_high"),
    *("k_per_tick", "k_per_tick_low", "k_per_tick_high", "dispersion", "fit_gap"),
    *("sigma_ticks", "sigma_ticks_low", "sigma_ticks_high", "noise_ticks"),
    *("naive_ticks", "naive_ticks_1s", "naive_ticks_60s"),
)


def queues() -> str:
    """One step of each queue model: 30 ahead, the level goes from 100 to 90 without a trade."""
    rows = []
    for model, n, name, formula in MODELS:
        after = front_after_depth(int(model), n, FRONT, BEFORE, AFTER, 0.0)
        share = 1.0
        if model != QueueModel.RISK_AVERSE:
            share = share_behind(int(model), n, FRONT, BEFORE - FRONT)
        rows.append((name, formula, f"{share:.6f}", f"{after:.6f}"))
    return table(("model", "share behind p", "p here", "ahead afterwards"), rows)


@cache
def demo_run() -> Run:
    from mmquant.research.backtest import backtest
    from mmquant.strategies.demo import demo_config, demo_tape

    return backtest(demo_config(), demo_tape())


def demo() -> str:
    """The result of the demo, as `make demo` prints it."""
    found = demo_run().summary
    rows = [(text, f"`{key}`", f"{found[key]:,.6g}") for key, text in DEMO.items()]
    return table(("what", "name in the summary", "demo"), rows)


def views() -> str:
    """Both views of the demo, as its report shows them."""
    from mmquant.report.views import SHOWN

    ideal, ibkr = demo_run().summary, demo_run().views["ibkr"].summary
    rows = [
        (title, f"`{key}`", f"{ideal[key]:,.4g}", f"{ibkr[key]:,.4g}")
        for key, title in SHOWN.items()
    ]
    return table(("what", "name in the summary", "ideal", "ibkr"), rows)


def feasible() -> str:
    """Costs and margin of joining the best prices of the demo."""
    from mmquant.strategies.demo import demo_tape
    from mmquant.trading.feasibility import feasible as look_at
    from mmquant.trading.feasibility_words import PLACES
    from mmquant.trading.markouts import HORIZONS_S

    found, rows = look_at(demo_tape())[0], []
    for suffix, place in PLACES.items():
        for horizon in (f"{suffix}_{h:g}s" for h in HORIZONS_S):
            low, high = found[f"margin_low{horizon}"], found[f"margin_high{horizon}"]
            interval = "–" if low is None else f"{low:.4f} to {high:.4f}"
            costs = ("half_spread", "adverse", "break_even", "margin")
            numbers = (f"{found[f'{name}{horizon}']:.4f}" for name in costs)
            after = horizon.rpartition("_")[2].removesuffix("s") + " s"
            rows.append((place, after, f"{found[f'used{horizon}']:,}", *numbers, interval))
    head = ("queue", "after", "fills", "half spread", "adverse selection", "break-even", "margin")
    return table((*head, "95 % interval"), rows)


def calibration() -> str:
    """What the calibrations find on the bundled tape, as `mmquant calibrate` prints it."""
    from mmquant.research.calibration.intensity import calibrate_intensity
    from mmquant.research.calibration.volatility import calibrate_volatility
    from mmquant.strategies.demo import demo_tape

    tape = demo_tape()
    found = calibrate_intensity(tape).to_dict() | calibrate_volatility(tape).to_dict()
    return table(("number", "demo"), [(f"`{key}`", f"{found[key]:,.4g}") for key in CALIBRATED])


TABLES: dict[str, Callable[[], str]] = {
    "queues": queues,
    "demo": demo,
    "views.demo": views,
    "feasible.demo": feasible,
    "calibration": calibration,
}
