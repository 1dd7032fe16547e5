"""Arguments of a run, looked at before any work: what they are, and what the strategy has."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mmquant.config import Config
from mmquant.errors import UsageError
from mmquant.trading.halves import strategy_of
from mmquant.trading.maker import Maker, maker_params
from mmquant.trading.strategy import Strategy

KINDS: dict[str, tuple[type, str]] = {
    "config": (Config, "mm.Config.load(path) reads one from a file"),
    "tape": (xr.Dataset, "mm.read_tape(format, path) reads one from a file"),
    "strategy": (Strategy, "decorate the function with @mm.strategy"),
}


def check_arguments(**given: Any) -> None:
    """Refuse a path or a plain function where its object is asked for; None passes.

    Raises UsageError.
    """
    for name, value in given.items():
        kind, fix = KINDS[name]
        if value is not None and not isinstance(value, kind):
            raise UsageError(
                f"{name} is a {type(value).__name__}, not a {kind.__name__}",
                where=repr(value)[:80],
                fix=fix,
            )


def check_strategy(config: Config) -> None:
    """Refuse a strategy that is not there, or parameters that it does not have.

    What is measured on a tape first (``quoting.calibrate_s``) cannot be looked at without one.
    Raises ConfigError, and UsageError for the file of a strategy.
    """
    strategy, given = strategy_of(config), dict(config.strategy.params)
    if not isinstance(strategy, Maker):
        strategy.param_row(given)
    elif config.quoting.calibrate_s is None:
        strategy.param_row(maker_params(config.quoting, config.signals, length_s=1.0) | given)
