"""Settings of what a surface is made from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmquant.config_sections import Float, Int, PositiveFloat, Section


class QuoteScreen(Section):
    """Which option quotes a surface may use."""

    max_age_s: PositiveFloat = 3600.0
    """A quote with a side older than this is stale. [s]"""
    max_underlying_age_s: PositiveFloat = 300.0
    """Quotes of a moment are set aside where the underlying's are older than this. [s]"""
    max_relative_spread: PositiveFloat = 1.0
    """Ask - bid in units of their middle above which a quote is too wide."""
    narrow_spread_ccy: Annotated[Float, Field(ge=0)] = 0.10
    """A spread of this or less is never too wide for its price. [ccy]"""
    max_spread_of_underlying: PositiveFloat = 0.05
    """Ask - bid in units of the underlying's price above which a quote is too wide."""
    multiplier: PositiveFloat = 100.0
    """Units of the underlying that a contract must stand for."""
    split_log_move: PositiveFloat = 0.12
    """Logarithm of the price that calls and puts imply over the underlying's from which a split is
    suspected."""
    split_log_carry: Annotated[Float, Field(ge=0)] = 0.15
    """What dividends, interest and borrowing may add to it. [1/year]"""
    parity_widths: Annotated[Float, Field(ge=0)] = 0.5
    """How far a forward may be outside what bid and ask of call and put allow, in units of that
    interval's width, before the pair is an outlier."""


class SurfaceSettings(Section):
    """How quotes become a surface."""

    screen: QuoteScreen = Field(default_factory=QuoteScreen)
    rate_per_year: Float | None = None
    """Interest rate at all terms, continuously compounded; null: that of ``rates_path``, else what
    calls and puts imply: box spreads of european options, and for american ones the one rate at
    which strikes agree best on forwards. [1/year]"""
    rates_path: str | None = None
    """A file of par yields or overnight rates by date: see the page on surfaces."""
    overnight_weight: Annotated[Float, Field(ge=0, le=1)] = 0.15
    """Business time that passes between sessions, in units of that while they trade."""
    weekend_weight: Annotated[Float, Field(ge=0, le=1)] = 0.05
    """The same over closures of more than a day."""
    band_deviations: PositiveFloat = 1.5
    """Strikes asked for the forward: within so many standard deviations of it."""
    fewest_strikes: Annotated[Int, Field(ge=3)] = 4
    """Strikes with bid and ask below which an expiry gets no slice."""
    deepest_deviations: PositiveFloat = 2.0
    """Options further in the money than this, in standard deviations, are left out."""


class LiveSettings(Section):
    """What a live surface allows itself between fits."""

    max_error_ccy: PositiveFloat = 0.001
    """Largest error of a theo by delta and gamma against a full valuation. [ccy]"""
    max_fit_age_s: PositiveFloat = 60.0
    """An expiry whose quotes have changed has no theos if no fit follows for so long. [s]"""
    max_value_age_s: PositiveFloat = 5.0
    """An expiry is valued in full at the first tick after so long. [s]"""
