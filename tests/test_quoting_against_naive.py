"""The built-in quoting against a slow and exact one, written from its documentation."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.config import Config
from mmquant.core.exact_quotes import GAPS
from mmquant.core.maker_params import TABLE_START, Model
from mmquant.trading.maker import MAKER, maker_params
from tests.core.makers import Maker, Row, market
from tests.core.random_makers import price, story_of
from tests.naive_quoting import Market, NaiveMaker, Quote, exact
from tests.random_quoting import SIGNALS, quoting_settings

LENGTH_S = 8.0
TICK = "0.01"


def seen(fields: dict[str, Any]) -> Market:
    """What the naive quoting sees of a market."""

    def some(x: float | None) -> Any:
        return None if x is None or math.isnan(x) else exact(x)

    return Market(
        *(fields[name] for name in ("best_bid", "best_ask", "bid_lots", "ask_lots")),
        exact(TICK),
        fields["position"],
        exact(fields["at_s"]),
        some(fields["bought_s"]),
        some(fields["sold_s"]),
        exact(fields["offset"]),
        *(some(fields[name]) for name in ("theo_ticks", "volatility", "imbalance", "order_flow")),
        exact(fields["equity"]),
    )


def rows_of(naive: list[Any]) -> tuple[Row, ...]:
    return tuple(
        Row(x.side, x.tick, x.lots) if isinstance(x, Quote) else Row(x.side, reason=x.reason)
        for x in naive
    )


def table_tells_all(row: Any) -> bool:
    """Whether a table knows all inventories up to the end of its horizon."""
    if row[0] != Model.TABLE:
        return True
    m = 2 * int(row[TABLE_START]) + 1
    return not row[TABLE_START + GAPS + m : TABLE_START + GAPS + 2 * m].any()


def compare(seed: int) -> list[tuple[Row, ...]]:
    """Both quotings through one story; returns what they quote, unless a table cannot tell all."""
    r = Random(seed)
    settings = quoting_settings(r, price)
    config = Config.from_dict({"quoting": settings, "signals": SIGNALS})
    numbers = maker_params(config.quoting, config.signals, length_s=LENGTH_S)
    row = MAKER.param_row(numbers)
    if not table_tells_all(row):
        return []
    maker, naive = Maker(row), NaiveMaker(config.quoting, length_s=LENGTH_S)
    answers = []
    for i, (fields,) in enumerate(story_of(r, 1)):
        fields["blocked"] = 0
        answers.append(maker.ask(market(**fields, tick_size=TICK)))
        assert answers[-1] == rows_of(naive.quote(seen(fields))), (i, settings, fields)
    return answers


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 2**40))
def test_the_kernel_quotes_as_the_documentation_says(seed: int) -> None:
    compare(seed)


def test_most_settings_quote() -> None:
    """So that the comparison is not one of reasons only."""
    answers = [compare(seed) for seed in range(100)]
    quoted = [any(row.lots for rows in found for row in rows) for found in answers]
    assert sum(quoted) > 60


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_the_kernel_quotes_as_the_documentation_says_for_long(block: int) -> None:
    for seed in range(block * 5000, (block + 1) * 5000):
        compare(seed)
