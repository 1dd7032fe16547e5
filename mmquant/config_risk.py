"""The section ``risk``: limits by scope, market-maker protection, circuit breakers, hedges."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmquant.config_sections import Float, Int, Lots, PositiveFloat, Seconds, Section

Fraction = Annotated[Float, Field(gt=0, le=1)]
Ticks = Annotated[Int, Field(ge=0, le=10_000)]
Count = Annotated[Int, Field(ge=1, le=1000)]
Bps = Annotated[Float, Field(gt=0, le=10_000)]


class RiskLimit(Section):
    """Hard limits of one scope; one that is null does not bind."""

    scope: Literal["account", "underlying", "option_type", "instrument"]
    """What is added up: all, an underlying with its options, its calls or its puts, or one."""
    name: str | None = None
    """Symbol (or number on the tape of an instrument); of an option type with C or P after it;
    null: each one."""
    min_position_units: Float | None = None
    """Lowest position; null with a highest one: as far below zero as that is above. [units]"""
    max_position_units: Float | None = None
    """Highest position; of an underlying or the account in shares: contracts count times their
    multiplier. [units]"""
    min_target_units: Float | None = None
    """Below this the side that sells is quoted smaller and wider. [units]"""
    max_target_units: Float | None = None
    """Above this the side that buys is. [units]"""
    max_gross_ccy: PositiveFloat | None = None
    """Largest sum of the sizes of positions, at the mid, multiplier included. [currency]"""
    max_net_ccy: PositiveFloat | None = None
    """Largest sum of positions, long less short, either way. [currency]"""
    max_gross_delta_ccy: PositiveFloat | None = None
    """As the gross value, options by their delta times the underlying's price. [currency]"""
    max_net_delta_ccy: PositiveFloat | None = None
    """As the net value, options by their delta times the underlying's price. [currency]"""
    max_delta: PositiveFloat | None = None
    """Largest delta, either way, in units of the underlying."""
    max_gamma: PositiveFloat | None = None
    """Largest gamma, either way: change of delta per currency unit of the underlying's price."""
    max_vega: PositiveFloat | None = None
    """Largest vega, either way: currency per 1 of the unit in which vegas are given."""
    max_loss_ccy: PositiveFloat | None = None
    """Loss, realized and unrealized, at which the scope stops until RESUME. [currency]"""
    max_drawdown_ccy: PositiveFloat | None = None
    """Fall from the highest gain at which the scope stops until RESUME. [currency]"""
    min_capture_bps: Float | None = None
    """Least spread captured by the fills of ``capture_window_s``, of the value traded. [bps]"""
    soft_fraction: Fraction | None = None
    """Part of a limit from which it is soft; null: ``risk.soft_fraction``."""
    on_breach: Literal["pull", "flatten"] | None = None
    """What follows beyond a limit; null: ``risk.on_breach``."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        pairs = (
            ("position", self.min_position_units, self.max_position_units),
            ("target", self.min_target_units, self.max_target_units),
        )
        for name, low, high in pairs:
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{name}_units is above max_{name}_units")
        if self.scope == "account" and self.name is not None:
            raise ValueError("the account has no name")
        return self


class ProtectionConfig(Section):
    """Market-maker protection: what fills may take from an underlying in a window."""

    window_s: Seconds = 1.0
    """Length of the window, rolling. [s]"""
    max_fills: Count | None = None
    """Fills at which all its quotes are pulled."""
    max_lots: Lots | None = None
    """Lots filled at which they are. [lots]"""
    max_share: PositiveFloat | None = None
    """Sum of the parts of the orders' sizes that were filled: 1 is one whole order."""
    max_delta: PositiveFloat | None = None
    """Net delta that the fills brought, either way."""
    max_vega: PositiveFloat | None = None
    """Net vega that the fills brought, either way."""
    cooldown_s: Seconds | None = 5.0
    """Time until it is quoted again; null: until RESUME. [s]"""


class RepeatedConfig(Section):
    """Repeated executions: filled on one side again and again, an instrument is latched off."""

    max_fills: Count | None = None
    """Fills of one side in the window at which the instrument stops until RESUME."""
    window_s: Seconds = 10.0
    """Length of the window, rolling. [s]"""


class ResumeRule(Section):
    """When a breaker lets quotes out again."""

    clean_decisions: Annotated[Int, Field(ge=1, le=1_000_000)] = 1
    """Decisions in a row without the cause, after which quotes may leave again."""
    cooldown_s: Annotated[Float, Field(ge=0, le=1e7)] = 0.0
    """Time since the cause was last seen that must pass as well. [s]"""
    human: bool = False
    """Wait for RESUME instead."""


class MarketBreaker(ResumeRule):
    """A market that cannot be quoted: halted, stale, one-sided, crossed, locked, disconnected."""

    on: bool = False
    """Wait by this rule after such a market; without it, quote as soon as it is over."""


class SpreadBreaker(ResumeRule):
    """An abnormal spread."""

    max_ticks: Annotated[Float, Field(gt=0)] | None = None
    """Widest spread. [ticks]"""
    max_bps: Bps | None = None
    """Widest spread, of the mid. [bps]"""


class JumpBreaker(ResumeRule):
    """A mid that jumps between two decisions. While it is tripped, positions keep their marks."""

    max_ticks: Annotated[Float, Field(gt=0)] | None = None
    """Largest move. [ticks]"""
    max_bps: Bps | None = None
    """Largest move, of the mid before. [bps]"""


class VolatilityBreaker(ResumeRule):
    """Volatility that is high, surges or is not known; needs ``signals.volatility_halflife_s``."""

    max_volatility_ticks: PositiveFloat | None = None
    """Highest volatility. [ticks]"""
    max_surge: Annotated[Float, Field(gt=1)] | None = None
    """Highest ratio to its slow average."""
    slow_halflife_s: Seconds = 300.0
    """Half-life of the slow average. [s]"""


class BreakersConfig(Section):
    """Circuit breakers of each instrument."""

    market: MarketBreaker = MarketBreaker()
    """A market that cannot be quoted."""
    spread: SpreadBreaker = SpreadBreaker()
    """A spread that is out of the ordinary."""
    jump: JumpBreaker = JumpBreaker()
    """A mid that jumps."""
    volatility: VolatilityBreaker = VolatilityBreaker()
    """Volatility that is high or surges."""


class HedgeConfig(Section):
    """Hedges of each underlying's delta by its stock."""

    min_delta: Float | None = None
    """Lower edge of the band; null with an upper one: as far below zero as that is above."""
    max_delta: Float | None = None
    """Upper edge of the band, beyond which is hedged; both null: nothing is hedged."""
    target_delta: Float = 0.0
    """Where ``to: target`` leads."""
    to: Literal["edge", "target"] = "edge"
    """Hedge to the edge of the band or to the target."""
    max_slippage_ticks: Ticks = 2
    """How far through the best price a hedge may trade. [ticks]"""
    min_interval_s: Annotated[Float, Field(ge=0, le=1e7)] = 1.0
    """Shortest time between two hedges of an underlying. [s]"""
    max_tries: Count = 5
    """Hedges in a row without a fill at which the underlying is pulled until RESUME."""

    @model_validator(mode="after")
    def _target_is_inside(self) -> Self:
        if self.min_delta is not None and self.max_delta is None:
            raise ValueError("min_delta needs max_delta")
        if self.max_delta is not None:
            low = -self.max_delta if self.min_delta is None else self.min_delta
            if not low <= self.target_delta <= self.max_delta:
                raise ValueError("target_delta is not between min_delta and max_delta")
        return self


class FlattenConfig(Section):
    """How positions are closed: by CONTROL FLATTEN, or beyond a limit that says so."""

    max_slippage_ticks: Ticks = 5
    """Stocks: how far through the best price; options: how far from the mid. [ticks]"""
    order_life_s: Seconds = 2.0
    """Life of an order in an option, after which the next is priced anew. [s]"""


class RiskConfig(Section):
    """The risk guard. It is off, and costs nothing, where nothing in this section is set."""

    on: bool = False
    """Guard even if nothing else in this section is set: CONTROL FLATTEN then closes positions."""
    limits: tuple[RiskLimit, ...] = ()
    """Hard limits by scope."""
    soft_fraction: Fraction = 0.8
    """Part of a limit from which quotes that lead towards it are smaller and wider."""
    soft_size_factor: Annotated[Float, Field(ge=0, le=1)] = 0.5
    """Their size; above 0 at least 1 lot is left."""
    soft_widen_ticks: Ticks = 1
    """How much further from the mid they are. [ticks]"""
    on_breach: Literal["pull", "flatten"] = "pull"
    """Beyond a hard limit: pull the scope's quotes, or cancel, hedge and close its positions."""
    loss_confirm_s: Annotated[Float, Field(ge=0, le=3600)] = 0.0
    """Time that a loss must last before it stops a scope, ``limits.max_loss_ccy`` too. [s]"""
    capture_window_s: Seconds = 60.0
    """Window of ``min_capture_bps``. [s]"""
    capture_fills: Count = 10
    """Fills in the window from which it counts."""
    protection: ProtectionConfig = ProtectionConfig()
    """What fills may take from an underlying in a window."""
    repeated: RepeatedConfig = RepeatedConfig()
    """Fills of one side again and again."""
    breakers: BreakersConfig = BreakersConfig()
    """Breakers of each instrument's market and prices."""
    hedge: HedgeConfig = HedgeConfig()
    """Hedges of each underlying's delta."""
    flatten: FlattenConfig = FlattenConfig()
    """How positions are closed."""
