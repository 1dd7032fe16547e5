"""The sections of the built-in quoting and of its signals. A docstring is the key's help."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmquant.config_sections import Float, Int, Lots, PositiveFloat, Seconds, Section

Amount = Annotated[Float, Field(ge=0)]
LAYERS, KNOTS, MOST_ORDERS = 10, 8, 100


def check_knots(kind: str | None, knots: tuple[tuple[float, float], ...]) -> None:
    """Refuse a curve without knots, knots without their kind, and knots that do not rise."""
    if kind == "knots" and not knots:
        raise ValueError("a skew through knots needs knots")
    if kind is None and knots:
        raise ValueError("knots need 'kind: knots'")
    if any(b[0] <= a[0] for a, b in pairwise(knots)):
        raise ValueError("the inventories of knots must rise")


class SignalsConfig(Section):
    """What is measured from the market at each decision; null: not measured."""

    volatility_halflife_s: Seconds | None = None
    """Half-life of the realized volatility of the mid. [s]"""
    order_flow_halflife_s: Seconds | None = None
    """Half-life of the order-flow imbalance. [s]"""
    trade_rate_halflife_s: Seconds | None = None
    """Half-life of the rate of trading. [s]"""
    imbalance_levels: Annotated[Int, Field(ge=1, le=5)] | None = None
    """Price levels a side of the order-book imbalance."""
    volatility_sample_s: Seconds = 1.0
    """Least time between two mids of the volatility: shorter changes are mostly bounce. [s]"""
    stale_s: Seconds = 10.0
    """Age from which a signal is not known any more. [s]"""
    warm_observations: Annotated[Int, Field(ge=1, le=100_000)] = 30
    """Observations that a signal takes before it is known."""


class IntensityConfig(Section):
    """How often a quote is filled, by its distance from the mid: A exp(-k distance)."""

    per_s: PositiveFloat | None = None
    """A: fills a second of a quote at the mid, each side. [1/s]"""
    decay_per_tick: PositiveFloat | None = None
    """k: decay of the intensity with the distance. [1/tick]"""


class SkewConfig(Section):
    """How the price of both quotes follows the inventory."""

    kind: Literal["linear", "bounded", "knots"] = "linear"
    """Proportional to the inventory; the same up to a bound; or a curve through knots."""
    ticks: Float = 0.0
    """Shift against each order size held. [ticks]"""
    max_ticks: Amount | None = None
    """Largest shift of a bounded skew. [ticks]"""
    knots: tuple[tuple[Float, Float], ...] = Field(default=(), max_length=KNOTS)
    """Pairs of inventory [lots] and downward shift [ticks], inventories rising."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kind = self.kind if "kind" in self.model_fields_set else None
        if kind == "bounded" and self.max_ticks is None:
            raise ValueError("a bounded skew needs max_ticks")
        if kind is None and self.max_ticks is not None:
            raise ValueError("max_ticks needs 'kind: bounded'")
        check_knots(kind, self.knots)
        return self


class SizeSkewConfig(Section):
    """How the size of the side that adds to the inventory follows it."""

    kind: Literal["linear", "bounded", "knots"] = "linear"
    """Shrinking with the inventory; the same down to a least part; or a curve through knots."""
    per_order: Annotated[Float, Field(ge=0, le=1)] = 0.0
    """Part of the size that goes for each order size held."""
    min_factor: Annotated[Float, Field(ge=0, le=1)] | None = None
    """Least part of a bounded skew."""
    knots: tuple[tuple[Float, Amount], ...] = Field(default=(), max_length=KNOTS)
    """Pairs of inventory [lots] and the part of its size that the bid quotes; the ask mirrored."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kind = self.kind if "kind" in self.model_fields_set else None
        if kind == "bounded" and self.min_factor is None:
            raise ValueError("a bounded size skew needs min_factor")
        if kind is None and self.min_factor is not None:
            raise ValueError("min_factor needs 'kind: bounded'")
        check_knots(kind, self.knots)
        return self


class LayerConfig(Section):
    """One quote a side."""

    offset_ticks: Amount = 0.0
    """Added to the distance from the theoretical mid. [ticks]"""
    lots: Lots | None = None
    """Size; null: order_lots. [lots]"""


class QuotingConfig(Section):
    """The built-in quoting, where ``strategy.name`` is maker."""

    model: Literal[
        "fixed", "avellaneda_stoikov", "glft", "glft_exact", "mean_variance", "cartea_jaimungal"
    ] = "fixed"
    """What gives the distances from the theoretical mid, before all that is added below."""
    theo: Literal["mid", "weighted_mid", "micro_price", "external", "manual"] = "mid"
    """What the theoretical mid is; ``external`` comes by messages, ``manual`` from below."""
    micro_price_file: str | None = None
    """Table of the micro-price, as ``mmquant calibrate micro-price`` writes it."""
    manual_theo_ccy: Float | None = None
    """Theoretical mid where it is manual. [currency]"""
    half_spread_ticks: Float = 0.0
    """Distance from the theoretical mid, added to the model's. [ticks]"""
    half_spread_bps: Float = 0.0
    """The same, as a part of the market's mid. [bps]"""
    min_half_spread_ticks: Amount = 0.0
    """Least half of the distance between bid and ask. [ticks]"""
    order_lots: Lots = 1
    """Size of an order, and the unit of inventory of models and skews. [lots]"""
    size_increment_lots: Lots = 1
    """Sizes are rounded down to multiples of it; what a limit leaves of one may be less. [lots]"""
    price_increment_ticks: Lots = 1
    """Prices are rounded to multiples of it, to the passive side. [ticks]"""
    risk_aversion: Amount = 0.0
    """Gamma of the models. [1/(tick × order size)]"""
    intensity: IntensityConfig = IntensityConfig()
    """Fill intensity of the models."""
    volatility_ticks: PositiveFloat | None = None
    """Sigma of the models; null: calibrated, or else the measured one. [ticks per root second]"""
    calibrate_s: Seconds | None = None
    """Measure what is null of A, k and sigma in the first seconds, and quote from then on. [s]"""
    horizon_s: Seconds = 60.0
    """Time left of the models, always the same; with ``horizon_to_end`` it runs out instead. [s]"""
    horizon_to_end: bool = False
    """Count the time left down to ``stop_s``, or to the end of the tape."""
    running_penalty: Amount = 0.0
    """Phi of Cartea-Jaimungal. [tick/(s × order size)]"""
    end_penalty: Amount = 0.0
    """Alpha of Cartea-Jaimungal. [tick/order size]"""
    max_orders_held: Annotated[Int, Field(ge=1, le=MOST_ORDERS)] = 10
    """Largest inventory of the exact models: nothing is added beyond it. [order sizes]"""
    skew: SkewConfig = SkewConfig()
    """Skew of the price."""
    size_skew: SizeSkewConfig = SizeSkewConfig()
    """Skew of the size."""
    volatility_factor: Amount = 0.0
    """Widens each side by this times the measured volatility. [root seconds]"""
    depth_ticks: Amount = 0.0
    """Widens a side by up to this where its best level is thin. [ticks]"""
    depth_reference_lots: Lots = 1
    """Size from which on a level is not thin. [lots]"""
    imbalance_ticks: Float = 0.0
    """Shifts both quotes by this times the order-book imbalance, -1 to 1. [ticks]"""
    order_flow_ticks: Float = 0.0
    """Shifts both quotes by this times the order-flow imbalance. [ticks]"""
    layers: tuple[LayerConfig, ...] = Field(
        default=(LayerConfig(),), min_length=1, max_length=LAYERS
    )
    """The quotes of a side, best first."""
    placement: Literal["free", "passive", "join", "improve"] = "passive"
    """How far in it is set: anywhere; a tick short of the other side; best price; a tick better."""
    price_tolerance_ticks: Amount = 0.0
    """A quote stays where it is while it is wanted within this. [ticks]"""
    size_tolerance_lots: Annotated[Int, Field(ge=0)] = 0
    """And while its size is wanted within this. [lots]"""
    refresh_s: Amount = 0.0
    """A quote stays as it is for this long; one that is filled comes back at its price. [s]"""
    lifetime_s: Seconds | None = None
    """Quotes end by themselves after this (GTD). [s]"""
    bid_delay_s: Amount = 0.0
    """No bid for this long after a bid was filled. [s]"""
    ask_delay_s: Amount = 0.0
    """No ask for this long after an ask was filled. [s]"""
    sides: Literal["both", "bid", "ask", "reduce"] = "both"
    """Sides that are quoted; ``reduce``: only what brings the inventory back, and no more."""
    floor_ccy: Float | None = None
    """An ask below this price is left out. [currency]"""
    ceiling_ccy: Float | None = None
    """A bid above this price is left out. [currency]"""
    start_s: Amount | None = None
    """No quotes before this time from the tape's first row. [s]"""
    stop_s: Amount | None = None
    """No quotes from this time on. [s]"""
    max_position_lots: Lots | None = None
    """No quote adds beyond this inventory. [lots]"""
    soft_position_lots: Lots | None = None
    """Inventory from which on the adding side shrinks and widens. [lots]"""
    soft_loss_ccy: PositiveFloat | None = None
    """Loss in an instrument from which on both sides shrink and widen. [currency]"""
    soft_ticks: Amount = 0.0
    """Widening at a soft limit. [ticks]"""
    soft_factor: Annotated[Float, Field(ge=0, le=1)] = 1.0
    """Part of the size that is left at a soft limit."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.theo == "manual" and self.manual_theo_ccy is None:
            raise ValueError("a manual theo needs manual_theo_ccy")
        if self.theo == "micro_price" and self.micro_price_file is None:
            raise ValueError("the micro-price needs micro_price_file")
        for name, start in (("start_s", self.start_s), ("calibrate_s", self.calibrate_s)):
            if start is not None and self.stop_s is not None and start >= self.stop_s:
                raise ValueError(f"{name} must be before stop_s")
        smallest = min(layer.lots or self.order_lots for layer in self.layers)
        if smallest < self.size_increment_lots:
            raise ValueError(f"an order of {smallest} lots is less than size_increment_lots")
        floor, ceiling = self.floor_ccy, self.ceiling_ccy
        if floor is not None and ceiling is not None and floor > ceiling:
            raise ValueError("floor_ccy must not be above ceiling_ccy")
        return self
