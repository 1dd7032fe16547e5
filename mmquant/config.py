"""One YAML file, typed: what a run does. Keys end in their unit; unknown keys are refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from mmquant import config_sources as sources
from mmquant.config_ibkr import InteractiveBrokersConfig
from mmquant.config_quoting import QuotingConfig, SignalsConfig
from mmquant.config_risk import RiskConfig
from mmquant.config_sections import (
    DecisionConfig,
    FeesConfig,
    FillConfig,
    HandConfig,
    Int,
    JournalConfig,
    LatencyConfig,
    LimitsConfig,
    OrdersConfig,
    OutputConfig,
    ProfileConfig,
    ReportConfig,
    Section,
    StrategyConfig,
    TapeConfig,
)
from mmquant.errors import ConfigError


class Config(Section):
    """All settings of a run."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run and of its folder: letters, digits and . _ -"""
    seed: Annotated[Int, Field(ge=0)] = 1
    """Seed of all randomness."""
    tape: TapeConfig = TapeConfig()
    strategy: StrategyConfig = StrategyConfig()
    quoting: QuotingConfig = QuotingConfig()
    signals: SignalsConfig = SignalsConfig()
    decision: DecisionConfig = DecisionConfig()
    latency: LatencyConfig = LatencyConfig()
    profile: ProfileConfig = ProfileConfig()
    fill: FillConfig = FillConfig()
    orders: OrdersConfig = OrdersConfig()
    fees: FeesConfig = FeesConfig()
    limits: LimitsConfig = LimitsConfig()
    risk: RiskConfig = RiskConfig()
    hand: HandConfig = HandConfig()
    journal: JournalConfig = JournalConfig()
    ibkr: InteractiveBrokersConfig = InteractiveBrokersConfig()
    report: ReportConfig = ReportConfig()
    output: OutputConfig = OutputConfig()

    # Where relative paths start, by key; the working directory for keys not named here.
    _bases: dict[str, Path] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        env: Mapping[str, str] | None = None,
        sets: Iterable[str] = (),
    ) -> Config:
        """Defaults < YAML file < environment ``MMQUANT__A__B`` < assignments ``a.b=c``.

        ``env`` is ``os.environ`` where it is not given. Raises ConfigError.
        """
        given = [sources.yaml_source(Path(path))] if path is not None else []
        given += sources.env_sources(os.environ if env is None else env)
        given += sources.set_sources(sets)
        return cls._from_sources(given, file=Path(path) if path is not None else None)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = "") -> Config:
        """Settings of a nested dict, checked as those of a file are. Raises ConfigError."""
        plain = json.loads(json.dumps(data, default=str))
        return cls._from_sources([sources.Source(where, plain)], file=None)

    @classmethod
    def _from_sources(cls, given: list[sources.Source], file: Path | None) -> Config:
        for source in given:
            sources.check_keys(source, _tree(cls))
        merged, origins = sources.merge(given)
        try:
            config = cls.model_validate(merged)
        except ValidationError as error:
            raise _config_error(error, origins) from error
        if file is not None:
            folder = file.resolve().parent
            config._bases = {key: folder for key in origins if origins[key] == str(file)}
        return config

    def replaced(self, values: Mapping[str, Any]) -> Config:
        """The same with other values of some keys, such as ``quoting.half_spread_ticks``.

        Raises ConfigError for an unknown key, or a value that does not fit.
        """
        data = self.as_dict()
        data["ibkr"]["account"] = self.ibkr.account
        for key, value in values.items():
            *sections, last = key.split(".")
            at = data
            for name in sections:
                at = at.setdefault(name, {})
                if not isinstance(at, dict):
                    raise ConfigError(f"{key!r} is no key of a configuration", where=key)
            at[last] = value
        config = type(self).from_dict(data, where="grid")
        config._bases = dict(self._bases)
        return config

    def tape_path(self) -> Path | None:
        """The tape's file, or None."""
        return self._resolve("tape.path", self.tape.path)

    def strategy_path(self) -> Path | None:
        """The strategy's Python file, or None for a built-in strategy."""
        return self._resolve("strategy.file", self.strategy.file)

    def latency_path(self) -> Path | None:
        """The file of measured order latencies, or None."""
        return self._resolve("latency.file", self.latency.file)

    def micro_price_path(self) -> Path | None:
        """The file of the micro-price's table, or None."""
        return self._resolve("quoting.micro_price_file", self.quoting.micro_price_file)

    def hand_path(self) -> Path | None:
        """The file of messages from outside, or None."""
        return self._resolve("hand.file", self.hand.file)

    def fee_schedule(self) -> str | Path:
        """The name of a schedule that comes with mmquant, or the path of a file."""
        name = self.fees.schedule
        is_name = Path(name).name == name and not name.endswith((".yaml", ".yml"))
        return name if is_name else self._resolve("fees.schedule", name) or name

    def _resolve(self, key: str, path: str | None) -> Path | None:
        return None if path is None else self._bases.get(key, Path()) / Path(path).expanduser()

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values, as JSON takes them."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The whole configuration as a YAML file."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, allow_unicode=True)

    @property
    def config_digest(self) -> str:
        """sha256 of all settings that can change a result: all but ``report``, ``output``,
        ``journal`` and ``ibkr``."""
        settings = self.model_dump(mode="json", exclude={"report", "output", "journal", "ibkr"})
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """JSON schema of the YAML file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
    }


def _tree(model: type[BaseModel]) -> sources.Tree:
    tree: sources.Tree = {}
    for name, field in model.model_fields.items():
        section = field.annotation
        nested = isinstance(section, type) and issubclass(section, BaseModel)
        tree[name] = _tree(section) if nested else None  # type: ignore[arg-type]
    return tree


def _config_error(error: ValidationError, origins: dict[str, str]) -> ConfigError:
    """All that pydantic found, in one line, with the places that wrote it."""
    found, places = [], []
    for item in error.errors(include_url=False):
        path = _key_of(item["loc"], origins)
        message = item["msg"].removeprefix("Value error, ")
        got = item["input"]
        shown = f" (got {got!r})" if isinstance(got, str | int | float | bool | None) else ""
        found.append(f"'{path}': {message}{shown}" if path else f"{message}{shown}")
        if origins.get(path):
            places.append(origins[path])
    return ConfigError(
        "; ".join(found),
        where=", ".join(dict.fromkeys(places)),
        fix="see 'mmquant config schema' for each key's meaning",
    )


def _key_of(loc: tuple[int | str, ...], origins: dict[str, str]) -> str:
    """The key as a user writes it: pydantic adds the index or the type it tried last."""
    parts = [str(part) for part in loc]
    while len(parts) > 1 and ".".join(parts) not in origins:
        if ".".join(parts[:-1]) not in origins:
            break
        parts.pop()
    return ".".join(parts)
