"""Random settings of the section ``quoting``, all from one seed."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.core.random_makers import Draw, knots, one_of, tenths, whole

SIGNALS = {
    "volatility_halflife_s": 5,
    "order_flow_halflife_s": 5,
    "imbalance_levels": 2,
    "warm_observations": 2,
    "volatility_sample_s": 0.2,
}
"""What all settings could use."""


def price_skew(r: Random) -> dict[str, Any]:
    kind = r.choice(["linear", "bounded", "knots"])
    if kind == "knots":
        return {"kind": kind, "knots": list(zip(*knots(r, tenths(-4, 4)), strict=True))}
    return {"kind": kind, "ticks": tenths(-1, 3)(r), "max_ticks": tenths(0, 4)(r)}


def size_skew(r: Random) -> dict[str, Any]:
    kind = r.choice(["linear", "bounded", "knots"])
    if kind == "knots":
        return {"kind": kind, "knots": list(zip(*knots(r, tenths(0, 2)), strict=True))}
    return {"kind": kind, "per_order": tenths(0, 1)(r), "min_factor": tenths(0, 1)(r)}


def layers(r: Random) -> list[dict[str, Any]]:
    sizes: Draw = one_of([None, 2, 3, 5, 20])
    return [
        {"offset_ticks": tenths(0, 9)(r), "lots": sizes(r)} for _ in range(r.choice([1, 2, 3, 10]))
    ]


MODELS = (
    "fixed", "avellaneda_stoikov", "glft", "glft_exact", "mean_variance", "cartea_jaimungal"
)  # fmt: skip
KEYS: dict[str, Draw] = {
    "theo": one_of(["mid", "weighted_mid", "external", "manual"]),
    "half_spread_bps": tenths(0, 90),
    "min_half_spread_ticks": tenths(0, 5),
    "size_increment_lots": whole(1, 2),
    "price_increment_ticks": whole(1, 5),
    "horizon_to_end": one_of([True]),
    "skew": price_skew,
    "size_skew": size_skew,
    "volatility_factor": tenths(0, 2),
    "depth_ticks": tenths(0, 5),
    "depth_reference_lots": whole(1, 40),
    "imbalance_ticks": tenths(-2, 2),
    "order_flow_ticks": tenths(-2, 2),
    "layers": layers,
    "placement": one_of(["free", "passive", "join", "improve"]),
    "price_tolerance_ticks": tenths(0, 6),
    "size_tolerance_lots": whole(0, 6),
    "refresh_s": tenths(0, 3),
    "lifetime_s": tenths(0.5, 3),
    "bid_delay_s": tenths(0, 3),
    "ask_delay_s": tenths(0, 3),
    "sides": one_of(["both", "bid", "ask", "reduce"]),
    "start_s": tenths(0, 1),
    "stop_s": tenths(6, 20),
    "max_position_lots": whole(1, 60),
    "soft_position_lots": whole(1, 60),
    "soft_loss_ccy": whole(1, 60),
    "soft_ticks": tenths(0, 4),
    "soft_factor": tenths(0, 1),
}


def quoting_settings(r: Random, price: Draw, share: float = 0.3) -> dict[str, Any]:
    """A section that is not refused; ``price`` draws a theo or a bound, in currency."""
    model = r.choice(MODELS)
    out: dict[str, Any] = {
        "model": model,
        "manual_theo_ccy": price(r),
        "half_spread_ticks": tenths(0.1, 4)(r) if model == "fixed" else tenths(-1, 3)(r),
        "order_lots": whole(2, 20)(r),
        "risk_aversion": tenths(0, 1)(r),
        "intensity": {"per_s": tenths(0.1, 3)(r), "decay_per_tick": tenths(0.1, 2)(r)},
        "volatility_ticks": tenths(0.1, 2)(r),
        "horizon_s": tenths(0.1, 60)(r),
        "running_penalty": tenths(0, 1)(r),
        "end_penalty": tenths(0, 1)(r),
        "max_orders_held": whole(1, 5)(r),
    }
    out |= {name: draw(r) for name, draw in KEYS.items() if r.random() < share}
    if r.random() < share:
        low, high = sorted(price(r) for _ in range(2))
        out |= {"floor_ccy": low, "ceiling_ccy": high}
    if "exact" not in model and model != "mean_variance" and r.random() < share:
        out["volatility_ticks"] = None
    return out
