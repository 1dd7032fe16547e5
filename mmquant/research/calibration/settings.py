"""Settings of the quoting that are measured first, on the beginning of the tape."""

from __future__ import annotations

from typing import Any

import xarray as xr

from mmquant.config import Config
from mmquant.data.tape import contracts_of
from mmquant.errors import ConfigError
from mmquant.research.calibration.intensity import calibrate_intensity
from mmquant.research.calibration.volatility import calibrate_volatility
from mmquant.trading.halves import length_of
from mmquant.trading.maker import MAKER

NEEDS_SIGMA = ("avellaneda_stoikov", "glft", "glft_exact", "mean_variance")
NEEDS_A = ("glft", "glft_exact", "mean_variance", "cartea_jaimungal")


def calibrated(config: Config, tape: xr.Dataset) -> Config:
    """The configuration with A, k and sigma measured in the first ``quoting.calibrate_s`` seconds.

    Only what is null there, and what the model needs, is measured; quoting starts afterwards, so
    nothing is used before it could be known. Without ``calibrate_s`` it is returned as it is.

    Raises
    ------
    ConfigError
        where the tape is shorter, has several instruments, or does not tell a number.
    """
    quoting = config.quoting
    seconds = quoting.calibrate_s
    if seconds is None or config.strategy.name != MAKER.name or config.strategy.file is not None:
        return config
    where = "quoting.calibrate_s"
    if len(contracts_of(tape)) != 1:
        raise ConfigError(
            "several instruments cannot share one calibration", where=where, fix="give the numbers"
        )
    if length_of(tape) <= seconds:
        raise ConfigError(
            f"the tape is {length_of(tape):.0f} s long, no longer than the calibration",
            where=where,
            fix="calibrate on less of it",
        )
    values: dict[str, Any] = {}
    wanted = {"intensity.decay_per_tick"} if quoting.model != "fixed" else set()
    wanted |= {"intensity.per_s"} if quoting.model in NEEDS_A else set()
    given = {
        "intensity.per_s": quoting.intensity.per_s,
        "intensity.decay_per_tick": quoting.intensity.decay_per_tick,
    }
    missing = sorted(name for name in wanted if given[name] is None)
    if missing:
        found = calibrate_intensity(tape, end=seconds).to_dict()
        _check(found["A_per_s"], found["reason"], f"quoting.{missing[0]}")
        measured = {
            "intensity.per_s": found["A_per_s"],
            "intensity.decay_per_tick": found["k_per_tick"],
        }
        values |= {f"quoting.{name}": measured[name] for name in missing}
    if quoting.model in NEEDS_SIGMA and quoting.volatility_ticks is None:
        volatility = calibrate_volatility(tape, end=seconds)
        _check(volatility.sigma_ticks, volatility.reason, "quoting.volatility_ticks")
        values["quoting.volatility_ticks"] = volatility.sigma_ticks
    return config.replaced(values) if values else config


def _check(value: float | None, reason: str, key: str) -> None:
    if value is None:
        raise ConfigError(
            f"the first seconds do not tell this number: {reason}",
            where=key,
            fix="calibrate on more of the tape, or give the number",
        )
