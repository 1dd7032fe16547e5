"""The sections of a configuration. Keys end in their unit; a docstring is the key's help."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)


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
Lots = Annotated[Int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[Float, Field(gt=0, le=1e7)]
DailyCount = Annotated[Int, Field(ge=1, le=10**9)]
HOUR_NS = 3_600_000_000_000
Latency = Annotated[Int, Field(ge=1, le=HOUR_NS)]


class Section(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        coerce_numbers_to_str=True,
        use_attribute_docstrings=True,
    )


class TapeConfig(Section):
    """The recorded market."""

    format: Literal["parquet", "mapped", "csv", "lobster", "binance", "neutral", "recording"] = (
        "parquet"
    )
    """Format of the file."""
    path: str | None = None
    """The file, or the folder of a recorder; a relative path starts at the folder of this file."""
    lenient: bool = False
    """Put bad rows aside and count them, instead of stopping at the first."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the reader, such as symbol, date or tick."""


class StrategyConfig(Section):
    """What decides the quotes: a built-in strategy, or a function in a file of your own."""

    name: Literal["skew", "maker"] = "skew"
    """The built-in strategy, where no file is given."""
    file: str | None = None
    """A Python file; a relative path starts at the folder of this YAML file."""
    function: str = "quote"
    """The function in that file, decorated with ``mmquant.strategy``."""
    params: dict[str, Float] = Field(default_factory=dict)
    """Numbers that the strategy is given, by name."""


class DecisionConfig(Section):
    """When the strategy is asked."""

    interval_ns: Annotated[Int, Field(ge=1, le=24 * HOUR_NS)] = 100_000_000
    """Time between two timer decisions. [ns]"""
    on: tuple[Literal["timer", "book", "trade", "own"], ...] = Field(
        default=("timer",), min_length=1
    )
    """What asks for a decision: the timer, a book row, a trade, an own order's event."""

    @field_validator("on", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("on")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))


class LatencyConfig(Section):
    """Delays between the exchange and us."""

    file: str | None = None
    """CSV or Parquet of measured order latencies (ts, entry_ns, response_ns), in place of those
    below: interpolated between measurements, constant beyond them, and in order."""

    feed_offset_ns: Annotated[Int, Field(ge=0, le=HOUR_NS)] = 0
    """Added to the local time of every tape row. [ns]"""
    entry_ns: Latency = 1_000_000
    """From our order to the exchange. [ns]"""
    response_ns: Latency = 1_000_000
    """From the exchange's answer to us. [ns]"""


class FillConfig(Section):
    """How the simulated exchange fills our orders."""

    mode: Literal["partial", "peer"] = "partial"
    """``partial``: at most what was traded or shown; ``peer``: whole orders, as hftbacktest."""
    queue: Literal["risk_averse", "power", "power2", "power3", "log", "log2"] = "power3"
    """Estimate of the quantity ahead of us in the queue."""
    queue_power: Annotated[Float, Field(gt=0, le=20)] = 3.0
    """Exponent n of the three power models."""


class OrdersConfig(Section):
    """How quotes become orders."""

    order_type: Literal["limit", "post_only"] = "post_only"
    """What is sent where the strategy does not say."""
    tif: Literal["day", "gtd"] = "day"
    """Time in force; ``gtd`` needs ``lifetime_s``. No quote is good till cancelled."""
    lifetime_s: Seconds | None = None
    """Life of a GTD order. [s]"""
    requote: Literal["replace", "modify"] = "replace"
    """Move a quote by cancelling and placing anew, or by modifying the order."""
    size_tolerance_lots: Annotated[Int, Field(ge=0, le=2**31 - 1)] | None = None
    """Largest difference between what is left of an order and the wanted size; null: any. [lots]"""

    ack_timeout_s: Seconds | None = 2.0
    """Time after which an order or change without answer counts as unknown and is asked after."""
    cancel_timeout_s: Seconds | None = 3.0
    """Time after which a cancel without answer is asked after and sent again. [s]"""
    min_requote_interval_s: Seconds | None = None
    """Shortest time between two new orders or prices of a side; cancels do not wait. [s]"""
    duplicate_window_s: Seconds | None = None
    """Time in which an order that was just rejected, or not yet answered, is not sent again. [s]"""

    @field_validator("tif", mode="before")
    @classmethod
    def _quotes_end(cls, value: Any) -> Any:
        if value == "gtc":
            raise ValueError(
                "quotes are never good till cancelled, they would outlive us: use day or gtd"
            )
        return value

    @model_validator(mode="after")
    def _gtd_has_an_end(self) -> Self:
        if self.tif == "gtd" and self.lifetime_s is None:
            raise ValueError("tif 'gtd' needs orders.lifetime_s")
        return self


class FeesConfig(Section):
    """What the venue charges."""

    schedule: str = "zero"
    """Name of a schedule that comes with mmquant, or the path of one (from this file's folder)."""


class LimitsConfig(Section):
    """What the engine refuses to do; a limit that is null does not bind."""

    max_position_lots: Lots | None = None
    """Largest position, long or short. [lots]"""
    max_order_lots: Lots | None = None
    """Largest order. [lots]"""
    max_open_orders: Annotated[Int, Field(ge=1, le=65_536)] = 64
    """Most live orders; the engine has room for as many."""
    max_loss_ccy: PositiveFloat | None = None
    """Loss that pulls all quotes for good, if it lasts ``risk.loss_confirm_s``. [currency]"""
    one_sided: Literal["pull", "hold"] = "pull"
    """While a side of the book is empty: pull the quotes, or hold them."""
    max_book_age_s: Seconds | None = None
    """Age of the book above which the quotes are pulled. [s]"""
    theo_collar_bps: Annotated[Float, Field(gt=0, le=10_000)] | None = 500.0
    """Largest distance of a given theo or offset from the mid; quotes are pulled beyond. [bps]"""
    max_messages: Annotated[Int, Field(ge=1, le=100_000)] | None = None
    """Most order messages in ``message_window_s``; what is over is not sent, cancels come first."""
    message_window_s: Seconds = 1.0
    """Window of ``max_messages``, sliding. [s]"""
    cancel_reserve: Annotated[Int, Field(ge=0, le=100_000)] = 0
    """Messages of the window that only cancels may use."""
    max_in_flight: Annotated[Int, Field(ge=1, le=65_536)] | None = None
    """Most orders whose last request is unanswered; cancels still leave."""
    max_messages_day: DailyCount | None = None
    """Most order messages a day (UTC): slow from 80 %, no quotes at 100 %; cancels still leave."""
    max_instrument_messages_day: DailyCount | None = None
    """The same for each instrument."""
    max_option_orders_day: DailyCount | None = None
    """Most orders and changes of options a day; 390 and more make a professional customer."""
    max_order_ratio: PositiveFloat | None = None
    """Most messages for each executed order and one more, a day: slow from 80 %, then no quotes."""
    order_ratio_from: Annotated[Int, Field(ge=1, le=10**9)] = 200
    """Messages of a day from which the ratio counts."""
    slow_tolerance_ticks: Annotated[Int, Field(ge=0, le=10_000)] = 2
    """Near a limit of a day an order moves only if it is further off than this. [ticks]"""
    one_side_per_option: bool = True
    """Work one side of an option at a time: the one that reduces, else the one with more edge."""
    prevent_own_cross: bool = True
    """Send no order at a price of own orders of the other side; these are cancelled first."""
    price_collar_bps: Annotated[Float, Field(gt=0, le=10_000)] | None = None
    """Largest distance of an order's price from the mid, and from a given theo. [bps]"""
    price_collar_ticks: Annotated[Float, Field(gt=0, le=1e6)] | None = None
    """The same in ticks; where both are given, the wider one holds. [ticks]"""
    max_order_value_ccy: PositiveFloat | None = None
    """Largest value of an order, multiplier included. [currency]"""

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        if self.max_messages is not None and self.cancel_reserve >= self.max_messages:
            raise ValueError("cancel_reserve must be below max_messages: nothing could be placed")
        return self


class HandConfig(Section):
    """What a trader sets while the strategy runs: theos, offsets, limits, a halt."""

    file: str | None = None
    """A CSV file of such messages; a relative path starts at the folder of this YAML file."""


class IbkrConfig(Section):
    """What a subscriber at Interactive Brokers sees and may send."""

    conflation_ns: Annotated[Int, Field(ge=1, le=HOUR_NS)] = 250_000_000
    """Best prices of stocks and futures come once in this time. [ns]"""
    option_conflation_ns: Annotated[Int, Field(ge=1, le=HOUR_NS)] = 100_000_000
    """Best prices of options come once in this time. [ns]"""
    depth_symbols: tuple[str, ...] = Field(default=(), max_length=3)
    """Symbols (or numbers on the tape) of books that come whole, row by row; three at most."""
    feed_ns: Annotated[Int, Field(ge=0, le=HOUR_NS)] = 20_000_000
    """Time from the broker's data to us, on top of the tape's own. [ns]"""
    entry_ns: Latency = 30_000_000
    """From our order to the exchange, in place of ``latency.entry_ns``. [ns]"""
    response_ns: Latency = 30_000_000
    """From the exchange's answer to us, in place of ``latency.response_ns``. [ns]"""
    max_messages_per_s: Annotated[Int, Field(ge=1, le=50)] = 40
    """Most order messages a second; the broker cuts off above 50."""
    cancel_reserve: Annotated[Int, Field(ge=0, le=49)] = 10
    """Messages of each second that only cancels may use."""
    smart: bool = True
    """Routed by SMART, which knows no post-only: an order that crosses takes, and pays for it."""

    @model_validator(mode="after")
    def _reserve_fits(self) -> Self:
        if self.cancel_reserve >= self.max_messages_per_s:
            raise ValueError("cancel_reserve must be below max_messages_per_s")
        return self


class ProfileConfig(Section):
    """What of the market is seen, and what can be sent. The exchange always has the full tape."""

    name: Literal["ideal", "ibkr"] = "ideal"
    """``ideal``: all that the tape has; ``ibkr``: what a subscriber there would have had."""
    beside: tuple[Literal["ideal", "ibkr"], ...] | None = None
    """Views of the same day that a backtest adds; null: the other one, but for crypto."""
    ibkr: IbkrConfig = IbkrConfig()
    """What holds under the profile ibkr."""


class JournalConfig(Section):
    """How a live run's journal is kept."""

    sync_ms: Annotated[Float, Field(gt=0, le=60_000)] = 50.0
    """Time between two syncs to the disk; what is younger is lost with the power. [ms]"""
    rotate_mb: Annotated[Int, Field(ge=1, le=1024)] = 64
    """Size of a file at which the next one begins. [MB]"""
    checkpoint_s: Annotated[Float, Field(ge=1, le=86_400)] = 60.0
    """Time between two checkpoints: a restart replays at most that. [s]"""
    max_executions: Annotated[Int, Field(ge=1, le=50_000_000)] = 250_000
    """Executions that a live run can tell apart. Their memory is taken at its start, so that it
    does not grow: 38 MB by default. With more it is killed; a release doubles the room."""


class ReportConfig(Section):
    """What the HTML report shows."""

    title: str | None = None
    """Heading; the run's name where it is null."""


class OutputConfig(Section):
    """Where runs go."""

    dir: str = "runs"
    """Folder of the saved runs, from the working directory."""
