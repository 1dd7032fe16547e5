"""Parameters of the papers, and quotes computed from their equations by means of other programs.

The papers show these quotes as figures. The numbers come from matrix exponentials of the papers'
systems (``optimal_quotes.py`` here has them), rounded.
"""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """Guéant, Lehalle and Fernandez-Tapia (2013): k = 0.3 and gamma = 0.01 per tick, Q = 30."""

    sigma: float
    A: float
    eta: float
    slope: float
    closed_form: dict[int, float]
    """Bid distance by inventory, far from the end. [ticks]"""
    exact: dict[int, float]
    """The same with 600 s left."""
    lowest: float | None
    """Smallest eigenvalue. [1/s]"""


FIGURES = {
    "figures 1-3": Figure(
        0.3, 0.9, 0.32567836, 0.06786583,
        {-10: 2.634257, -5: 2.973586, -2: 3.177184, -1: 3.245049, 0: 3.312915, 1: 3.380781,
         2: 3.448647, 5: 3.652244, 10: 3.991574},
        {-10: 2.632802, -5: 2.972522, -2: 3.176796, -1: 3.244919, 0: 3.313045, 1: 3.381168,
         2: 3.449280, 5: 3.653479, 10: 3.992933},
        -0.64473443,
    ),
    "sigma 0.4": Figure(
        0.4, 0.9, 0.32567836, 0.09048778,
        {0: 3.324226, 1: 3.414714, 5: 3.776665, 10: 4.229104},
        {0: 3.324458, 1: 3.415401, 5: 3.778746, 10: 4.230704},
        None,
    ),
    "figures 4-5": Figure(
        1.0, 0.2, 0.07237297, 0.47988390,
        {-10: -1.279915, 0: 3.518924, 1: 3.998808, 5: 5.918344, 10: 8.317763},
        {-10: -1.072185, 0: 3.525651, 1: 4.017546, 5: 5.918517, 10: 8.022747},
        -0.13442137,
    ),
}  # fmt: skip


class Bond(NamedTuple):
    """Guéant (2017), a credit index: gamma = 6e-5 / $, Q = 4 order sizes."""

    sigma: float
    A: float
    k: float
    order_size: float
    xi: float
    base: float
    slope: float
    """For one order size."""
    exact: tuple[float, ...]
    """Bid distances with 7,200 s left, from -4 to 3 order sizes. [$]"""


BONDS = {
    "IG A": Bond(
        5.83e-6, 9.10e-4, 1.79e4, 50e6, 6e-5, 5.164948e-5, 9.597803e-5,
        (-1.6439e-4, -1.3273e-4, -8.8767e-5, -1.7522e-5, 1.2082e-4, 1.9207e-4, 2.3602e-4,
         2.6769e-4),
    ),
    "IG B": Bond(
        5.83e-6, 9.10e-4, 1.79e4, 50e6, 0.0, 5.586592e-5, 9.223892e-5,
        (-1.5583e-4, -1.2424e-4, -8.0472e-5, -1.0033e-5, 1.2176e-4, 1.9220e-4, 2.3597e-4,
         2.6756e-4),
    ),
    "HY A": Bond(
        2.15e-5, 1.06e-3, 5.47e3, 10e6, 6e-5, 1.734666e-4, 2.618159e-4,
        (-4.6883e-4, -3.6648e-4, -2.2610e-4, -6.9821e-6, 3.5392e-4, 5.7303e-4, 7.1342e-4,
         8.1576e-4),
    ),
    "HY B": Bond(
        2.15e-5, 1.06e-3, 5.47e3, 10e6, 0.0, 1.828154e-4, 2.549763e-4,
        (-4.5016e-4, -3.4806e-4, -2.0833e-4, 8.3322e-6, 3.5730e-4, 5.7396e-4, 7.1369e-4,
         8.1579e-4),
    ),
}  # fmt: skip
"""Models A (xi = gamma) and B (xi = 0)."""


class Penalty(NamedTuple):
    """Cartea and Jaimungal with phi = 0.01, alpha = 0.001, Q = 100: a public simulator's tests."""

    A: float
    k: float
    time_left: float
    value: float
    """At no inventory."""
    distance: float
    """There, of both quotes."""


PENALTIES = (
    Penalty(140.0, 1.5, 1.0, 68.255835, 0.672137),
    Penalty(100.0, 1.0, 1.0, 73.225863, 1.007188),
    Penalty(50.0, 2.0, 1.0, 18.219291, 0.507200),
    Penalty(50.0, 2.0, 2.0, 36.326074, 0.508190),
)


class Table(NamedTuple):
    """One line of the tables of Avellaneda and Stoikov (2008), 1,000 paths."""

    gamma: float
    strategy: str
    spread: float
    profit: float
    profit_std: float
    inventory: float
    inventory_std: float


TABLES = (
    Table(0.1, "inventory", 1.49, 65.0, 6.6, 0.08, 2.9),
    Table(0.1, "symmetric", 1.49, 68.4, 12.7, 0.26, 8.4),
    Table(0.01, "inventory", 1.35, 68.6, 8.7, 0.12, 5.1),
    Table(0.01, "symmetric", 1.35, 68.8, 12.8, 0.09, 8.7),
    Table(1.0, "inventory", 3.02, 31.4, 5.0, 0.02, 1.7),
    Table(1.0, "symmetric", 3.02, 44.0, 11.0, 0.00, 5.1),
)
"""As printed; signs of the inventory may have been lost in print. The third table is gamma = 1."""

EXACT_TABLES = {  # spread, profit, its deviation, that of the inventory, trades
    (0.1, "inventory"): (1.4918, 64.893, 6.543, 2.927, 96.96),
    (0.1, "symmetric"): (1.4918, 68.223, 13.456, 8.399, 91.47),
    (0.01, "inventory"): (1.3490, 68.400, 8.961, 5.213, 102.21),
    (0.01, "symmetric"): (1.3490, 68.666, 13.677, 8.712, 101.80),
    (1.0, "inventory"): (3.0317, 31.455, 4.838, 1.641, 56.06),
    (1.0, "symmetric"): (3.0317, 43.685, 10.733, 5.171, 28.82),
    (0.5, "inventory"): (2.1557, 48.568, 5.898, 1.956, 78.14),
    (0.5, "symmetric"): (2.1557, 59.918, 12.321, 6.918, 55.59),
}
"""The same without simulating, by ``avellaneda_stoikov.exact_moments``, and for gamma = 0.5."""
