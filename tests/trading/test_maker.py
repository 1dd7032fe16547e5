"""Each key of ``quoting:`` reaches the quotes, by YAML file, dict, --set and variable alike."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from pydantic import BaseModel

from mmquant.config import Config
from mmquant.config_quoting import LayerConfig, QuotingConfig
from mmquant.core.dtypes import TimeInForce
from mmquant.data.micro_price import write_micro_price
from mmquant.errors import ConfigError, UsageError
from mmquant.trading.halves import configured_params
from mmquant.trading.maker import MAKER
from tests.core.makers import Maker, ask, at, bid, market
from tests.trading.maker_cases import BASE, CASES, PENALTY, Case

LENGTH_S = 30
ELSEWHERE = {"lifetime_s", "micro_price_file"}
"""Keys that have a test of their own below."""


def tape() -> xr.Dataset:
    """A tape of the right length, of which no more is looked at."""
    return xr.Dataset({"exch_ts": ("event", np.array([0, LENGTH_S * 10**9]))})


def maker_of(config: Config) -> Maker:
    return Maker(MAKER.param_row(configured_params(config, tape(), MAKER)))


def check(config: Config, case: Case) -> None:
    maker = maker_of(config)
    for fields, rows in case.steps:
        assert maker.ask(market(**fields)) == rows, fields


def leaves(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of nested settings with its key; lists are values."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.mark.parametrize("case", CASES)
def test_each_key_reaches_the_quotes_on_each_way(case: Case, tmp_path: Path) -> None:
    settings = case.settings()
    config = Config.from_dict(settings)
    check(config, case)
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(settings))
    flat = {key: json.dumps(value) for key, value in leaves(settings)}
    variables = {f"MMQUANT__{k.upper().replace('.', '__')}": v for k, v in flat.items()}
    others = (
        Config.load(file, env={}),
        Config.load(env={}, sets=[f"{key}={value}" for key, value in flat.items()]),
        Config.load(env=variables),
        Config.from_dict(config.as_dict()),
    )
    assert [other.as_dict() for other in others] == [config.as_dict()] * len(others)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inside = LayerConfig if name == "layers" else field.annotation
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            yield from keys_of(inside, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_each_key_has_a_case() -> None:
    covered = {key for case in CASES for key in case.keys.split()} | ELSEWHERE
    assert covered == set(keys_of(QuotingConfig))


def without(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Settings that lack a key."""
    head, _, rest = key.partition(".")
    out = dict(data)
    if head == "layers" and rest:
        out[head] = [{k: v for k, v in layer.items() if k != rest} for layer in out[head]]
    elif rest:
        out[head] = without(out[head], rest)
    else:
        del out[head]
    return out


@pytest.mark.parametrize("key", sorted(set(keys_of(QuotingConfig)) - ELSEWHERE))
def test_each_key_makes_a_difference(key: str) -> None:
    """Without it the settings are refused, or one of its cases is quoted otherwise."""
    differs = []
    for case in CASES:
        if key in case.keys.split():
            settings = case.settings()
            settings["quoting"] = without(settings["quoting"], key)
            try:
                check(Config.from_dict(settings), case)
            except (AssertionError, ConfigError):
                differs.append(case)
    assert differs


def test_a_lifetime() -> None:
    maker = maker_of(Config.from_dict({"quoting": BASE | {"lifetime_s": 2.5}}))
    maker.ask(market(at_s=7.0))
    assert maker.quotes[:2]["expire_ts"].tolist() == [at(9.5)] * 2
    assert maker.quotes[:2]["tif"].tolist() == [TimeInForce.GTD] * 2


@pytest.mark.parametrize("model", [{}, PENALTY])
def test_a_micro_price_file(model: dict[str, Any], tmp_path: Path) -> None:
    """Half a tick up where more is bid for: 102.5. The table may stand behind that of a model."""
    fit = xr.Dataset({"adjustment": (("spread", "bucket"), [[-0.5, 0.5]])})
    write_micro_price(fit, tmp_path / "micro.json")
    quoting = BASE | model | {"theo": "micro_price", "micro_price_file": "micro.json"}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({"quoting": quoting | {"half_spread_ticks": 1.9}}))
    maker = maker_of(Config.load(file, env={}))
    # 102.5 ± 1.9, and some hundredths from the model
    assert maker.ask(market(bid_lots=30)) == (bid(100), ask(105))
    assert maker.ask(market(ask_lots=30)) == (bid(99), ask(104))


def test_parameters_of_the_strategy_go_over_the_section() -> None:
    settings = {"quoting": BASE, "strategy": {"name": "maker", "params": {"order_lots": 3}}}
    assert maker_of(Config.from_dict(settings)).ask(market()) == (bid(100, 3), ask(104, 3))
    settings["strategy"]["params"] = {"order_lotz": 3}
    with pytest.raises(ConfigError, match="no parameter 'order_lotz'"):
        maker_of(Config.from_dict(settings))


def test_shown_parameters_are_those_that_are_not_at_their_default() -> None:
    config = Config.from_dict({"quoting": BASE | {"floor_ccy": 1.5, "sides": "bid"}})
    row = MAKER.param_row(configured_params(config, tape(), MAKER))
    shown = MAKER.shown_params(row)
    assert shown == {"half_spread_ticks": 2, "order_lots": 10, "floor": 1.5, "sides": 1,
                     "start_s": 0, "horizon_s": 60}  # fmt: skip
    assert not any(math.isnan(x) for x in shown.values())


@pytest.mark.parametrize("layers", [1, 3, 10])
def test_there_is_room_for_all_quotes(layers: int) -> None:
    config = Config.from_dict({"quoting": BASE | {"layers": [{}] * layers}})
    rows = MAKER.param_row(configured_params(config, tape(), MAKER))[None]
    maker = Maker(rows[0], instruments=3, rows=MAKER.quote_rows(rows, 3))
    assert len(maker.ask(market(), market(), market())) == 6 * layers
    assert MAKER.memory_row(3).shape == maker.memory.shape


# --- what is refused

MODEL = "avellaneda_stoikov"
KNOT = [[0, 1]]
REFUSED = [
    # settings of the section, the key that the refusal names, and words of it
    ({"half_spread": 2}, "quoting.half_spread", "unknown key"),
    ({"skew": {"tick": 2}}, "quoting.skew.tick", "unknown key"),
    ({"layers": [{}, {"offset": 2}]}, "quoting.layers.1.offset", "not permitted"),
    ({"layers": []}, "quoting.layers", "at least 1"),
    ({"layers": [{}] * 11}, "quoting.layers", "at most 10"),
    ({"layers": [{"offset_ticks": -1}]}, "quoting.layers.0.offset_ticks", "greater than or equal"),
    ({"layers": [{"lots": 0}]}, "quoting.layers.0.lots", "greater than or equal"),
    ({"model": "guess"}, "quoting.model", "'fixed'"),
    ({"theo": "last"}, "quoting.theo", "'mid'"),
    ({"placement": "cross"}, "quoting.placement", "'free'"),
    ({"sides": "none"}, "quoting.sides", "'both'"),
    ({"order_lots": 0}, "quoting.order_lots", "greater than or equal"),
    ({"order_lots": 1.5}, "quoting.order_lots", "integer"),
    ({"half_spread_ticks": "wide"}, "quoting.half_spread_ticks", "number"),
    ({"half_spread_ticks": True}, "quoting.half_spread_ticks", "not true or false"),
    ({"price_increment_ticks": 0}, "quoting.price_increment_ticks", "greater than or equal"),
    ({"size_increment_lots": 0.5}, "quoting.size_increment_lots", "integer"),
    ({"min_half_spread_ticks": -1}, "quoting.min_half_spread_ticks", "greater than or equal"),
    ({"refresh_s": -1}, "quoting.refresh_s", "greater than or equal"),
    ({"lifetime_s": 0}, "quoting.lifetime_s", "greater than 0"),
    ({"max_position_lots": 0}, "quoting.max_position_lots", "greater than or equal"),
    ({"soft_factor": 1.1}, "quoting.soft_factor", "less than or equal"),
    ({"soft_loss_ccy": 0}, "quoting.soft_loss_ccy", "greater than 0"),
    ({"size_skew": {"per_order": 2}}, "quoting.size_skew.per_order", "less than or equal"),
    ({"theo": "manual"}, "quoting", "needs manual_theo_ccy"),
    ({"theo": "micro_price"}, "quoting", "needs micro_price_file"),
    ({"start_s": 5, "stop_s": 5}, "quoting", "start_s must be before stop_s"),
    ({"calibrate_s": 6, "stop_s": 5}, "quoting", "calibrate_s must be before stop_s"),
    ({"floor_ccy": 2, "ceiling_ccy": 1}, "quoting", "floor_ccy must not be above"),
    ({"size_increment_lots": 11}, "quoting", "an order of 10 lots is less"),
    ({"size_increment_lots": 5, "layers": [{}, {"lots": 4}]}, "quoting", "an order of 4 lots"),
    ({"skew": {"kind": "bounded"}}, "quoting.skew", "needs max_ticks"),
    ({"skew": {"kind": "knots"}}, "quoting.skew", "needs knots"),
    ({"skew": {"max_ticks": 2}}, "quoting.skew", "needs 'kind: bounded'"),
    ({"skew": {"knots": KNOT}}, "quoting.skew", "need 'kind: knots'"),
    ({"skew": {"kind": "knots", "knots": KNOT * 2}}, "quoting.skew", "must rise"),
    ({"skew": {"kind": "knots", "knots": [[i, 0] for i in range(9)]}}, "quoting.skew.knots",
     "at most 8"),
    ({"skew": {"kind": "knots", "knots": [[0]]}}, "quoting.skew.knots.0.1", "required"),
    ({"size_skew": {"kind": "bounded"}}, "quoting.size_skew", "needs min_factor"),
    ({"size_skew": {"min_factor": 0.5}}, "quoting.size_skew", "needs 'kind: bounded'"),
    ({"size_skew": {"knots": KNOT}}, "quoting.size_skew", "need 'kind: knots'"),
    ({"size_skew": {"kind": "knots", "knots": [[0, -1]]}}, "quoting.size_skew.knots.0.1",
     "greater than or equal"),
]  # fmt: skip


@pytest.mark.parametrize(("quoting", "key", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_with_its_key(
    quoting: dict[str, Any], key: str, words: str, tmp_path: Path
) -> None:
    settings = {"quoting": BASE | quoting}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(settings))
    sets = [f"{name}={json.dumps(value)}" for name, value in leaves(settings)]
    for load in (
        lambda: Config.from_dict(settings),
        lambda: Config.load(file, env={}),
        lambda: Config.load(env={}, sets=sets),
    ):
        with pytest.raises(ConfigError) as caught:
            load()
        assert f"'{key}'" in caught.value.what and words in caught.value.what


LACKING = [
    ({"model": MODEL, "volatility_ticks": 1}, {}, "quoting.intensity.decay_per_tick"),
    ({"model": MODEL, "intensity": {"decay_per_tick": 1}}, {}, "signals.volatility_halflife_s"),
    ({"model": "glft", "volatility_ticks": 1, "intensity": {"decay_per_tick": 1}}, {},
     "quoting.intensity.per_s"),
    ({"model": "glft", "volatility_ticks": 1}, {}, "quoting.intensity.per_s"),
    ({"model": "glft_exact", "intensity": {"per_s": 1, "decay_per_tick": 1}},
     {"volatility_halflife_s": 60}, "quoting.volatility_ticks"),
    ({"model": "mean_variance", "intensity": {"per_s": 1, "decay_per_tick": 1}},
     {"volatility_halflife_s": 60}, "quoting.volatility_ticks"),
    ({"model": "cartea_jaimungal", "intensity": {"per_s": 1}}, {},
     "quoting.intensity.decay_per_tick"),
    ({"half_spread_ticks": 0}, {}, "quoting.half_spread_ticks"),
    ({"half_spread_ticks": 0, "layers": [{}, {"offset_ticks": 1}]}, {},
     "quoting.half_spread_ticks"),
    ({"volatility_factor": 1}, {}, "signals.volatility_halflife_s"),
    ({"imbalance_ticks": 1}, {}, "signals.imbalance_levels"),
    ({"order_flow_ticks": -1}, {}, "signals.order_flow_halflife_s"),
]  # fmt: skip


@pytest.mark.parametrize(("quoting", "signals", "key"), LACKING)
def test_a_model_without_its_numbers_is_refused(
    quoting: dict[str, Any], signals: dict[str, Any], key: str
) -> None:
    config = Config.from_dict({"quoting": BASE | quoting, "signals": signals})
    with pytest.raises(ConfigError) as caught:
        configured_params(config, tape(), MAKER)
    assert caught.value.where == key and caught.value.fix


@pytest.mark.parametrize(
    "quoting",
    [
        {"half_spread_bps": 1},
        {"min_half_spread_ticks": 1},
        {"depth_ticks": 1},
        {"layers": [{"offset_ticks": 1}]},
    ],
)
def test_any_distance_will_do(quoting: dict[str, Any]) -> None:
    config = Config.from_dict({"quoting": {"half_spread_ticks": 0} | quoting})
    assert len(maker_of(config).ask(market())) == 2


def test_a_table_that_cannot_be_made_is_refused() -> None:
    huge = PENALTY | {"running_penalty": 1e4, "max_orders_held": 100}
    config = Config.from_dict({"quoting": BASE | huge})
    with pytest.raises(UsageError, match="out of reach"):
        maker_of(config)
