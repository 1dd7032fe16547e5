"""One YAML file, typed: what a run does. Keys end in their unit; unknown keys are refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from mmquant import config_sources as sources
from mmquant.errors import ConfigError


def _number(value: Any) -> Any:
    """Refuse true and false as numbers; take ``"1e8"`` for one."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+", value):
        return float(value)
    return value


Int = Annotated[int, BeforeValidator(_number)]
Float = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
PositiveInt = Annotated[Int, Field(ge=1)]
PositiveFloat = Annotated[Float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        coerce_numbers_to_str=True,
        use_attribute_docstrings=True,
    )


class TapeConfig(_Section):
    """The recorded market."""

    format: Literal["parquet", "csv", "lobster", "binance", "neutral"] = "parquet"
    """Format of the file."""
    path: str | None = None
    """The file; a relative path starts at the folder of this YAML file."""
    lenient: bool = False
    """Put bad rows aside and count them, instead of stopping at the first."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the reader, such as symbol, date or tick."""


class StrategyConfig(_Section):
    """What decides the quotes: a built-in strategy, or a function in a file of your own."""

    name: Literal["skew"] = "skew"
    """The built-in strategy, where no file is given."""
    file: str | None = None
    """A Python file; a relative path starts at the folder of this YAML file."""
    function: str = "quote"
    """The function in that file, decorated with ``mmquant.strategy``."""
    params: dict[str, Float] = Field(default_factory=dict)
    """Numbers that the strategy is given, by name."""


_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?")


class DecisionConfig(_Section):
    """When the strategy is asked."""

    interval_ns: PositiveInt = 100_000_000
    """Time between two timer decisions. [ns]"""
    on: tuple[Literal["timer", "book", "trade", "own"], ...] = Field(("timer",), min_length=1)
    """What asks for a decision: the timer, a book row, a trade, an own order's event."""
    start: str | None = None
    """First time of day of a decision, HH:MM or HH:MM:SS in the tape's timezone."""
    stop: str | None = None
    """Last time of day of a decision, as ``start``."""

    @field_validator("on", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("on")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("start", "stop")
    @classmethod
    def _time_of_day(cls, value: str | None) -> str | None:
        if value is not None and not _TIME_OF_DAY.fullmatch(value):
            raise ValueError("a time of day is needed, such as 09:30 or 15:59:30")
        return value


class LatencyConfig(_Section):
    """Constant delays between the exchange and us."""

    feed_offset_ns: Annotated[Int, Field(ge=0)] = 0
    """Added to the local time of every tape row. [ns]"""
    entry_ns: PositiveInt = 1_000_000
    """From our order to the exchange. [ns]"""
    response_ns: PositiveInt = 1_000_000
    """From the exchange's answer to us. [ns]"""


class FillConfig(_Section):
    """How the simulated exchange fills our orders."""

    mode: Literal["partial", "peer"] = "partial"
    """``partial``: at most what was traded or shown; ``peer``: whole orders, as hftbacktest does."""
    queue: Literal["risk_averse", "power", "power2", "power3", "log", "log2"] = "power3"
    """Estimate of the quantity ahead of us in the queue."""
    queue_power: PositiveFloat = 3.0
    """Exponent n of the three power models."""


class OrdersConfig(_Section):
    """How quotes become orders."""

    order_type: Literal["limit", "post_only"] = "post_only"
    """What is sent where the strategy does not say."""
    tif: Literal["gtc", "day", "gtd"] = "gtc"
    """Time in force; ``gtd`` needs ``lifetime_s``."""
    lifetime_s: PositiveFloat | None = None
    """Life of a GTD order. [s]"""
    requote: Literal["replace", "modify"] = "replace"
    """Move a quote by cancelling and placing anew, or by modifying the order."""
    max_open_orders: PositiveInt = 64
    """Room for own live orders in the engine."""

    @model_validator(mode="after")
    def _gtd_has_an_end(self) -> Self:
        if self.tif == "gtd" and self.lifetime_s is None:
            raise ValueError("tif 'gtd' needs orders.lifetime_s")
        return self


class FeesConfig(_Section):
    """What the venue charges."""

    schedule: str = "zero"
    """Name of a schedule that comes with mmquant, or the path of one (from this file's folder)."""


class LimitsConfig(_Section):
    """What the engine refuses to do; a limit that is null does not bind."""

    max_position_lots: PositiveInt | None = None
    """Largest position, long or short. [lots]"""
    max_order_lots: PositiveInt | None = None
    """Largest order. [lots]"""
    max_open_orders: PositiveInt | None = None
    """Most live orders of an instrument."""
    max_loss_ccy: PositiveFloat | None = None
    """Loss at which all quotes are pulled for good. [currency]"""
    one_sided: Literal["pull", "hold"] = "pull"
    """While a side of the book is empty: pull the quotes, or hold them."""
    max_book_age_s: PositiveFloat | None = None
    """Age of the book above which the quotes are pulled. [s]"""


class ReportConfig(_Section):
    """What the HTML report shows."""

    title: str | None = None
    """Heading; the run's name where it is null."""


class OutputConfig(_Section):
    """Where runs go."""

    dir: str = "runs"
    """Folder of the saved runs, from the working directory."""


class Config(_Section):
    """All settings of a run."""

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run and of its folder: letters, digits and . _ -"""
    seed: Annotated[Int, Field(ge=0)] = 1
    """Seed of all randomness."""
    tape: TapeConfig = TapeConfig()
    strategy: StrategyConfig = StrategyConfig()
    decision: DecisionConfig = DecisionConfig()
    latency: LatencyConfig = LatencyConfig()
    fill: FillConfig = FillConfig()
    orders: OrdersConfig = OrdersConfig()
    fees: FeesConfig = FeesConfig()
    limits: LimitsConfig = LimitsConfig()
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

    def tape_path(self) -> Path | None:
        """The tape's file, or None."""
        return self._resolve("tape.path", self.tape.path)

    def strategy_path(self) -> Path | None:
        """The strategy's Python file, or None for a built-in strategy."""
        return self._resolve("strategy.file", self.strategy.file)

    def fees_path(self) -> Path:
        """The path that ``fees.schedule`` would be, if it is no name."""
        return self._bases.get("fees.schedule", Path()) / Path(self.fees.schedule).expanduser()

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
        """sha256 of all settings that can change a result: all but ``report`` and ``output``."""
        settings = self.model_dump(mode="json", exclude={"report", "output"})
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
