"""Models in the built-in quoting, against published numbers and their formulas by hand.

Quotes are whole ticks, so a distance is read by a half spread that brings it to 3 ticks: with a
hundred-thousandth of a tick less the bid is at 102 - 3 = 99, with one more at 98; asks likewise.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmquant.core.maker_params import Model
from mmquant.trading.quote_tables import cartea_jaimungal_table, gueant_table
from tests.core.makers import Case, Row, ask, bid, market, no_ask, no_bid, nothing, one
from tests.oracles.published_quotes import FIGURES, PENALTIES

HAIR = 1e-5
AS = {
    "model": Model.AVELLANEDA_STOIKOV,
    "risk_aversion": 0.1,
    "decay_per_tick": 1.5,
    "volatility_ticks": 2,
    "horizon_s": 1,
}
"""Parameters of the paper of 2008, with 140 fills a second."""
GLFT = {
    "model": Model.GLFT,
    "risk_aversion": 0.01,
    "decay_per_tick": 0.3,
    "volatility_ticks": 0.3,
    "intensity_per_s": 0.9,
}
"""Parameters of figures 1 to 3 of the paper of 2013."""
TABLE = {"model": Model.TABLE}


def near(distance: float) -> float:
    """Half spread that brings a distance to just under 3 ticks."""
    return 3.0 - distance - HAIR


def far(distance: float) -> float:
    return 3.0 - distance + HAIR


def read(
    knob: str, params: dict[str, Any], fields: dict[str, Any], bid_d: float, ask_d: float,
    *tables: Any,
) -> list[Case]:  # fmt: skip
    """Cases that say that the bid's distance and the ask's are these, to a hundred-thousandth."""
    cases = []
    for half, tick in ((near(bid_d), 99), (far(bid_d), 98)):
        other = math.ceil(102 + ask_d + half)
        rows = (bid(tick), ask(other))
        cases.append(Case(knob, params | {"half_spread_ticks": half}, ((fields, rows),), tables))
    for half, tick in ((near(ask_d), 105), (far(ask_d), 106)):
        rows = (bid(math.floor(102 - bid_d - half)), ask(tick))
        cases.append(Case(knob, params | {"half_spread_ticks": half}, ((fields, rows),), tables))
    return cases


# ln(1 + 0.1 / 1.5) / 0.1 = 0.645385; half of 0.1 × 2² × 1 s = 0.2; 0.4 for each order size held
CLOSED_FORMS = [
    *read("model", AS, {}, 0.845385, 0.845385),
    *read("model", AS, {"position": 10}, 1.245385, 0.445385),
    *read("risk_aversion", AS, {"position": -20}, 0.045385, 1.645385),
    *read("risk_aversion", AS | {"risk_aversion": 0}, {"position": 10}, 1 / 1.5, 1 / 1.5),
    *read("decay_per_tick", AS | {"decay_per_tick": 0.1}, {}, 0.2 + 6.931472, 0.2 + 6.931472),
    # twice the time left: half spread 0.4 + 0.645385, slope 0.8
    *read("horizon_s", AS | {"horizon_s": 2}, {"position": 10}, 1.845385, 0.245385),
    *read("horizon_s", AS, {"position": 10, "at_s": 50.0}, 1.245385, 0.445385),
    # 2 s, 1 s and nothing left, and past the end
    *read("end_s", AS | {"end_s": 9}, {"position": 10, "at_s": 7.0}, 1.845385, 0.245385),
    *read("end_s", AS | {"end_s": 9}, {"position": 10, "at_s": 8.0}, 1.245385, 0.445385),
    *read("end_s", AS | {"end_s": 9}, {"position": 10, "at_s": 9.0}, 0.645385, 0.645385),
    *read("end_s", AS | {"end_s": 9}, {"position": 10, "at_s": 12.0}, 0.645385, 0.645385),
    # sigma 1: 0.05 + 0.645385, slope 0.1
    *read("volatility_ticks", AS | {"volatility_ticks": 1}, {"position": 10, "volatility": 2.0},
          0.795385, 0.595385),
    *read("volatility_ticks", AS | {"volatility_ticks": math.nan}, {"volatility": 1.0},
          0.695385, 0.695385),
    *(
        case
        for q, distance in FIGURES["figures 1-3"].closed_form.items()
        for case in read(
            "model", GLFT, {"position": 10 * q}, distance,
            FIGURES["figures 1-3"].closed_form[0] * 2 - distance,
        )
    ),
    # figures 4 and 5
    *read("intensity_per_s", GLFT | {"volatility_ticks": 1, "intensity_per_s": 0.2},
          {"position": 10}, 3.998808, 3.518924 - 0.479884),
    *read("volatility_ticks", GLFT | {"volatility_ticks": 0.4}, {}, 3.324226, 3.324226),
    # the order size is the unit of the model: 30 of 30 lots
    *(
        case._replace(steps=tuple((f, tuple(r._replace(lots=30) for r in rows))
                                  for f, rows in case.steps))
        for case in read("order_lots", AS | {"order_lots": 30}, {"position": 30},
                         1.245385, 0.445385)
    ),
]  # fmt: skip

GLFT_TABLE = gueant_table(gamma=0.01, sigma=0.3, A=0.9, k=0.3, q_max=30, xi=0.01)
PENALTY = PENALTIES[0]
PENALTY_TABLE = cartea_jaimungal_table(phi=0.01, alpha=0.001, A=PENALTY.A, k=PENALTY.k, q_max=100)
SMALL_TABLE = cartea_jaimungal_table(phi=1e-4, alpha=1e-3, A=1.0, k=100.0, q_max=5)

EXACT = [
    *(
        case
        for q, distance in FIGURES["figures 1-3"].exact.items()
        for case in read("model", TABLE | {"horizon_s": 600}, {"position": 10 * q}, distance,
                         FIGURES["figures 1-3"].exact[-q], GLFT_TABLE)
        if -q in FIGURES["figures 1-3"].exact
    ),
    *read("model", TABLE | {"horizon_s": 1}, {}, PENALTY.distance, PENALTY.distance, PENALTY_TABLE),
    *read("model", TABLE | {"horizon_s": 1}, {"position": 20}, 0.694017, 0.650256, PENALTY_TABLE),
    *read("model", TABLE | {"end_s": 70}, {"position": 20, "at_s": 10.0},
          0.0143499658, 0.0074068897, SMALL_TABLE),
]  # fmt: skip


@pytest.mark.parametrize("case", CLOSED_FORMS)
def test_closed_forms(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("case", EXACT)
def test_exact_tables(case: Case) -> None:
    case.check()


CASES = [*CLOSED_FORMS, *EXACT]


@pytest.mark.parametrize(
    ("position", "rows"),
    [
        (50, (no_bid("PULL_INVENTORY"), ask(105))),
        (70, (no_bid("PULL_INVENTORY"), ask(105))),
        (-50, (bid(99), no_ask("PULL_INVENTORY"))),
        # part of the way to five order sizes counts
        (41, (no_bid("PULL_INVENTORY"), ask(105))),
        (40, (bid(99), ask(105))),
    ],
)
def test_nothing_is_added_beyond_the_largest_inventory_of_a_table(
    position: int, rows: tuple[Row, ...]
) -> None:
    """The distances are hundredths of a tick; 2.5 more make 3."""
    params = TABLE | {"horizon_s": 60, "half_spread_ticks": 2.5}
    Case("", params, (({"position": position}, rows),), (SMALL_TABLE,)).check()


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        (AS | {"volatility_ticks": math.nan}, {}),
        (AS | {"risk_aversion": math.nan}, {}),
        (AS | {"decay_per_tick": 0}, {}),
        (AS | {"horizon_s": math.nan}, {}),
        (GLFT | {"volatility_ticks": math.nan}, {}),
        (GLFT | {"intensity_per_s": 0}, {}),
        (GLFT | {"decay_per_tick": 0}, {}),
        (TABLE | {"horizon_s": math.nan}, {}),
    ],
)
def test_a_model_without_its_numbers_gives_no_quotes(
    params: dict[str, Any], fields: dict[str, Any]
) -> None:
    one("", params, fields, *nothing("PULL_NO_SIGNAL"))._replace(tables=(SMALL_TABLE,)).check()


def test_models_and_the_rest_add_up() -> None:
    """As (0.445385 the ask's, 1.245385 the bid's), 1 of skew, 2 × 0.25 of volatility."""
    params = AS | {"half_spread_ticks": 0, "skew_ticks": 1, "volatility_factor": 2}
    # bid 1.245385 + 1 + 0.5 = 2.745385: 99.25; ask 0.445385 - 1 + 0.5 = -0.054615: 101.95
    one("", params, {"position": 10, "volatility": 0.25}, bid(99), ask(102)).check()
    assert math.isnan(market()["volatility"])
