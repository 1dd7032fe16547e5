"""Option chains as Datasets: prices, greeks, implied volatilities, early exercise.

>>> import mmquant as mm
>>> vols = mm.options.implied_vol(chain)
"""

from __future__ import annotations

from mmquant.options.evaluate import surface_vol
from mmquant.options.exercise import exercise_advice, exercise_boundary
from mmquant.options.live_surface import LiveSurface
from mmquant.options.moves import surface_changes
from mmquant.options.quality import mark_by_forward, quality_counts, screen_quotes
from mmquant.options.surface import fit_surface, surface_summary
from mmquant.options.theo import theo
from mmquant.options.valuation import greeks, implied_vol, price

__all__ = [
    "LiveSurface",
    "exercise_advice",
    "exercise_boundary",
    "fit_surface",
    "greeks",
    "implied_vol",
    "mark_by_forward",
    "price",
    "quality_counts",
    "screen_quotes",
    "surface_changes",
    "surface_summary",
    "surface_vol",
    "theo",
]
