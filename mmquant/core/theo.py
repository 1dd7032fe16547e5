"""Theoretical mid: placeholder."""

from __future__ import annotations

from mmquant.core.jit import kernel


@kernel
def fair_value(kind, best_bid, best_ask, bid_lots, ask_lots, external, manual):
    """x"""
    if kind == 3:
        return external
    if kind == 4:
        return manual
    return 0.5 * (best_bid + best_ask)
