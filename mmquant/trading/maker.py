"""The built-in quoting as a strategy: its configuration as a row of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmquant.config_quoting import QuotingConfig, SignalsConfig
from mmquant.core import maker_params as codes
from mmquant.core import quoting
from mmquant.core.dtypes import Theo
from mmquant.core.signal_state import signal_params
from mmquant.errors import ConfigError
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table
from mmquant.trading.strategy import Strategy

MODELS = {
    "fixed": codes.Model.FIXED,
    "avellaneda_stoikov": codes.Model.AVELLANEDA_STOIKOV,
    "glft": codes.Model.GLFT,
    "glft_exact": codes.Model.TABLE,
    "mean_variance": codes.Model.TABLE,
    "cartea_jaimungal": codes.Model.TABLE,
}
TABLES = ("glft_exact", "mean_variance", "cartea_jaimungal")
"""Models that quote from a table, by their number in ``table_kind``."""
MICRO_PRICE = "micro_price_table"
"""Key under which a mapping may hold the table of the micro-price, an array."""
TABLE_NUMBERS = ("table_kind", "max_orders_held", "running_penalty", "end_penalty")
"""Parameters that only the making of a table needs: they follow the record's in the mapping."""


def flat_names() -> list[str]:
    """Names of all numbers of the record, in order; those of a row end in their place."""
    names: list[str] = []
    for field in codes.FIELDS:
        names += [f"{field.name}.{i}" for i in range(field.size)] if field.size else [field.name]
    return names


def flat_defaults() -> dict[str, float]:
    """Value of each number where none is given."""
    row = codes.default_params().view(np.float64).ravel().tolist()
    extra = dict.fromkeys(TABLE_NUMBERS, 0.0)
    return dict(zip(flat_names(), row, strict=True)) | extra


@dataclass(frozen=True)
class Maker(Strategy):
    """The built-in quoting."""

    def param_row(self, given: Mapping[str, float] | None = None) -> np.ndarray:
        """The record's numbers, and the table of an exact model behind them."""
        values: dict[str, Any] = {**self.params, **(given or {})}
        micro_price = values.pop(MICRO_PRICE, None)
        unknown = sorted(set(values) - set(self.params))
        if unknown:
            raise ConfigError(f"the quoting has no parameter {unknown[0]!r}", where="quoting")
        row = np.array([float(values[name]) for name in flat_names()])
        tables = [table_of(values)]
        if micro_price is not None:
            row[flat_names().index("micro_price_at")] = len(row) + len(tables[0])
            tables.append(micro_price)
        return np.concatenate([row, *tables])

    def memory_row(self, instruments: int = 1) -> np.ndarray:
        return np.zeros(codes.memory_len(instruments))

    def shown_params(self, row: np.ndarray) -> dict[str, float]:
        values = dict(zip(flat_names(), row.tolist(), strict=False))
        return {
            name: x
            for name, x in values.items()
            if x != self.params[name] and not (math.isnan(x) and math.isnan(self.params[name]))
        }

    def steady(self, params: np.ndarray) -> np.ndarray:
        def column(name: str) -> np.ndarray:
            return params[:, flat_names().index(name)]

        timed = ("refresh_s", "lifetime_s", "bid_delay_s", "ask_delay_s")
        measured = ("volatility_factor", "imbalance_ticks", "order_flow_ticks")
        out = np.all([column(name) == 0.0 for name in (*timed, *measured)], axis=0)
        out &= np.isneginf(column("start_s")) | (column("start_s") <= 0.0)
        out &= np.isposinf(column("stop_s")) & np.isnan(column("end_s"))
        out &= (column("model") == codes.Model.FIXED) | ~np.isnan(column("volatility_ticks"))
        given = (Theo.EXTERNAL, Theo.MICRO_PRICE)
        return np.asarray(out & ~np.isin(column("theo"), given))

    def quote_rows(self, params: np.ndarray, instruments: int) -> int:
        layers = int(params[:, flat_names().index("layers")].max())
        return 2 * layers * instruments


def table_of(values: Mapping[str, float]) -> np.ndarray:
    """The table that an exact model quotes from; one number, unused, for the others."""
    if values["model"] != codes.Model.TABLE:
        return np.zeros(1)
    kind = TABLES[int(values["table_kind"])]
    A, k = values["intensity_per_s"], values["decay_per_tick"]
    q_max = int(values["max_orders_held"])
    if kind == "cartea_jaimungal":
        phi, alpha = values["running_penalty"], values["end_penalty"]
        return cartea_jaimungal_table(phi=phi, alpha=alpha, A=A, k=k, q_max=q_max)
    gamma, sigma = values["risk_aversion"], values["volatility_ticks"]
    xi = gamma if kind == "glft_exact" else 0.0
    return gueant_table(gamma=gamma, sigma=sigma, A=A, k=k, q_max=q_max, xi=xi)


MAKER = Maker("maker", quoting.maker_quote, flat_defaults(), {}, raw=True, levels=5)


def maker_params(q: QuotingConfig, signals: SignalsConfig, *, length_s: float) -> dict[str, float]:
    """The numbers of a configuration; ``length_s`` is how long the tape is.

    Raises
    ------
    ConfigError
        where a model lacks a number that it needs.
    """
    check_model(q, signals)
    stop = math.inf if q.stop_s is None else q.stop_s
    given: dict[str, Any] = {
        "model": MODELS[q.model],
        "table_kind": TABLES.index(q.model) if q.model in TABLES else 0,
        "theo": Theo[q.theo.upper()],
        "manual_theo": _or(q.manual_theo_ccy, math.nan),
        "intensity_per_s": _or(q.intensity.per_s, 0.0),
        "decay_per_tick": _or(q.intensity.decay_per_tick, 0.0),
        "volatility_ticks": _or(q.volatility_ticks, math.nan),
        "end_s": min(stop, length_s) if q.horizon_to_end else math.nan,
        "skew_kind": codes.Skew[q.skew.kind.upper()],
        "skew_ticks": q.skew.ticks,
        "skew_max_ticks": _or(q.skew.max_ticks, math.inf),
        **_knots("skew_knot", ("lots", "ticks"), "skew_knots", q.skew.knots),
        "size_skew_kind": codes.Skew[q.size_skew.kind.upper()],
        "size_skew": q.size_skew.per_order,
        "size_skew_min": _or(q.size_skew.min_factor, 0.0),
        **_knots("size_knot", ("lots", "factor"), "size_knots", q.size_skew.knots),
        "layers": len(q.layers),
        "placement": codes.Placement[q.placement.upper()],
        "lifetime_s": _or(q.lifetime_s, 0.0),
        "sides": codes.Sides[q.sides.upper()],
        "floor": _or(q.floor_ccy, -math.inf),
        "ceiling": _or(q.ceiling_ccy, math.inf),
        "start_s": max(_or(q.start_s, 0.0), _or(q.calibrate_s, 0.0)),
        "stop_s": stop,
        "max_position_lots": _or(q.max_position_lots, math.inf),
        "soft_position_lots": _or(q.soft_position_lots, math.inf),
        "soft_loss": _or(q.soft_loss_ccy, math.inf),
    }
    for i, layer in enumerate(q.layers):
        given[f"layer_offset_ticks.{i}"] = layer.offset_ticks
        given[f"layer_lots.{i}"] = _or(layer.lots, 0.0)
    for name in (*(field.name for field in codes.FIELDS), *TABLE_NUMBERS):
        if name not in given and hasattr(q, name):
            given[name] = getattr(q, name)
    return {name: float(value) for name, value in given.items() if name in MAKER.params}


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _knots(
    name: str, parts: tuple[str, str], count: str, knots: tuple[tuple[float, float], ...]
) -> dict[str, float]:
    out: dict[str, float] = {count: len(knots)}
    for i, knot in enumerate(knots):
        out |= {f"{name}_{part}.{i}": x for part, x in zip(parts, knot, strict=True)}
    return out


def check_model(q: QuotingConfig, signals: SignalsConfig) -> None:
    """Refuse a model without its numbers, and quotes at no distance at all."""
    check_signals(q, signals)
    intensity = {"per_s": q.intensity.per_s, "decay_per_tick": q.intensity.decay_per_tick}
    needs: dict[str, float | None] = {}
    if q.model == "avellaneda_stoikov":
        needs = {"intensity.decay_per_tick": intensity["decay_per_tick"]}
    elif q.model != "fixed":
        needs = {f"intensity.{name}": value for name, value in intensity.items()}
    if q.model in ("glft_exact", "mean_variance"):
        needs["volatility_ticks"] = q.volatility_ticks
    missing = [name for name, value in needs.items() if value is None]
    if missing:
        raise ConfigError(
            f"model {q.model} needs {' and '.join(missing)}",
            where=f"quoting.{missing[0]}",
            fix="give a number, or quoting.calibrate_s to measure it first",
        )
    widths = (q.half_spread_ticks, q.half_spread_bps, q.min_half_spread_ticks, q.depth_ticks)
    wide = max(*widths, q.volatility_factor, q.layers[0].offset_ticks)
    if q.model == "fixed" and wide <= 0:
        raise ConfigError(
            "model fixed quotes at the theoretical mid itself",
            where="quoting.half_spread_ticks",
            fix="give a half spread",
        )


def check_signals(q: QuotingConfig, signals: SignalsConfig) -> None:
    """Refuse quoting by a signal that is not measured."""
    measured = signals.volatility_halflife_s is not None
    model = q.model not in ("fixed", "cartea_jaimungal") and q.volatility_ticks is None
    missing = {
        "volatility_halflife_s": not measured and (model or q.volatility_factor != 0.0),
        "order_flow_halflife_s": signals.order_flow_halflife_s is None and q.order_flow_ticks != 0,
        "imbalance_levels": signals.imbalance_levels is None and q.imbalance_ticks != 0.0,
    }
    for name, lacks in missing.items():
        if lacks:
            raise ConfigError(
                "the quoting uses a signal that is not measured",
                where=f"signals.{name}",
                fix="give it a value",
            )


def signal_param_of(signals: SignalsConfig) -> np.ndarray | None:
    """The SIGNAL_PARAM record of a configuration; None where nothing is measured."""
    levels = signals.imbalance_levels
    halflives = {
        "volatility_halflife_s": signals.volatility_halflife_s,
        "order_flow_halflife_s": signals.order_flow_halflife_s,
        "trade_halflife_s": signals.trade_rate_halflife_s,
    }
    if levels is None and all(value is None for value in halflives.values()):
        return None
    return signal_params(
        **{name: _or(value, math.nan) for name, value in halflives.items()},
        sample_s=signals.volatility_sample_s,
        level_weights=(1.0,) * (levels or 1),
        stale_s=signals.stale_s,
        warm=signals.warm_observations,
    )
