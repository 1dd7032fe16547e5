"""Tables of the documentation with numbers of the quoting models."""

from __future__ import annotations

from collections.abc import Callable

from mmquant.core.exact_quotes import GAPS, exact_distances
from mmquant.core.optimal_quotes import (
    as_half_spread,
    as_slope,
    base_half_spread,
    distances,
    glft_eta,
    glft_half_spread,
    glft_slope,
)
from mmquant.research.avellaneda_stoikov import simulate_avellaneda_stoikov
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table
from tests.docs_tables import table
from tests.oracles.avellaneda_stoikov import exact_moments
from tests.oracles.published_quotes import TABLES as PAPER

GAMMA, SIGMA, A, K = 0.1, 2.0, 140.0, 1.5
"""Parameters of Avellaneda and Stoikov (2008)."""


def as_or_glft() -> str:
    """Bid and ask distance of each model, with the parameters of 2008."""
    exact = gueant_table(gamma=GAMMA, sigma=SIGMA, A=A, k=K, q_max=30, xi=GAMMA)
    slope = glft_slope(GAMMA, SIGMA, glft_eta(A, K, GAMMA, 1.0, 0.0), K, 1.0)
    half = glft_half_spread(base_half_spread(K, GAMMA, 1.0), 0.0, slope)
    rows = []
    for q in range(-3, 4):
        pairs = [
            distances(as_half_spread(GAMMA, SIGMA, K, t), as_slope(GAMMA, SIGMA, t), float(q))
            for t in (1.0, 0.1)
        ]
        pairs.append(exact_distances(exact, 1.0, float(q)))
        pairs.append(distances(half, slope, float(q)))
        rows.append([str(q), *(f"{bid:.3f} / {ask:.3f}" for bid, ask in pairs)])
    head = ("inventory", "AS, 1 left", "AS, 0.1 left", "GLFT exact, 1 left", "GLFT closed form")
    return table(head, rows)


def simulation() -> str:
    """The paper's tables, the exact moments, and 1,000 paths."""
    rows = []
    for line in PAPER:
        exact = exact_moments(line.gamma, line.strategy)
        paths = simulate_avellaneda_stoikov(
            gamma=line.gamma, sigma=SIGMA, k=K, A=A, horizon_s=1.0, steps=200, paths=1_000,
            seed=2008, strategy=line.strategy,
        )  # fmt: skip
        found = (
            (line.spread, exact.spread, float(paths["average_spread"])),
            (line.profit, exact.profit, float(paths["profit"].mean())),
            (line.profit_std, exact.profit_std, float(paths["profit"].std())),
            (line.inventory_std, exact.inventory_std, float(paths["final_inventory"].std())),
        )
        cells = (f"{a:g} / {b:.2f} / {c:.2f}" for a, b, c in found)
        rows.append([f"{line.gamma:g}", line.strategy, *cells])
    head = ("γ", "strategy", "spread", "profit", "its deviation", "deviation of the inventory")
    return table(head, rows)


def penalties() -> str:
    """From how many seconds before the end on there is no quote, by penalty and inventory."""
    rows = []
    for alpha in (1e-3, 1e-2, 1e-1):
        made = cartea_jaimungal_table(phi=1e-4, alpha=alpha, A=1.0, k=100.0, q_max=10)
        clear = made[GAPS + 21 + 10 : GAPS + 21 + 21]
        cells = [f"{clear[n]:.3f}" if clear[n] else "none" for n in (2, 5, 8, 10)]
        rows.append([f"{alpha:g}", f"e^−{100.0 * alpha * 100.0:g}", *cells])
    head = ("α", "v(10)/v(0) at the end", "holding 2", "5", "8", "10")
    return table(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    "as-or-glft": as_or_glft,
    "as-simulation": simulation,
    "end-penalties": penalties,
}
