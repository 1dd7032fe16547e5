"""What holds for all parameters of the built-in quoting and all markets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmquant.core.maker_params import Placement, Sides
from mmquant.core.quoting import maker_quote
from tests.core.builders import examples
from tests.core.makers import BUY, SELL, Maker, Row, market
from tests.core.plain import plain
from tests.core.random_makers import (
    TABLE,
    Params,
    mirrored_fields,
    mirrored_params,
    params,
    story_of,
)

PLAIN = plain(maker_quote)
Fields = dict[str, Any]
Drawn = tuple[Params, list[list[Fields]]]
thorough = settings(deadline=None, max_examples=examples(250, 60))


def drawn_from(seed: int, instruments: int) -> Drawn:
    r = Random(seed)
    return params(r), story_of(r, instruments)


SEED = st.integers(0, 2**40)
ONE = SEED.map(lambda seed: drawn_from(seed, 1))
TWO = SEED.map(lambda seed: drawn_from(seed, 2))


def sides(rows: tuple[Row, ...], inst: int = 0) -> Iterator[tuple[int, list[Row], list[Row]]]:
    """Quotes and reasons of both sides of an instrument."""
    for side in (BUY, SELL):
        own = [row for row in rows if row.inst == inst and row.side == side]
        yield side, [row for row in own if row.lots], [row for row in own if not row.lots]


def told(given_params: Params, story: list[list[Fields]], **more: Any) -> Iterator[Any]:
    """Fields and rows at each decision."""
    maker = Maker(given_params, TABLE, instruments=len(story[0]), **more)
    for step in story:
        yield step, maker.ask(*(market(**fields) for fields in step)), maker


@thorough
@given(TWO)
def test_a_side_has_quotes_or_one_reason(drawn: Drawn) -> None:
    p, story = drawn
    for step, rows, _ in told(p, story):
        places = [(row.inst, -row.side) for row in rows]
        assert places == sorted(places)
        for inst, fields in enumerate(step):
            for _, quotes, reasons in sides(rows, inst):
                if fields["blocked"]:
                    assert not quotes and not reasons
                else:
                    assert len(reasons) == (0 if quotes else 1)
                    assert len(quotes) <= p["layers"]


@thorough
@given(ONE)
def test_no_quote_crosses_the_market_but_where_quotes_are_free(drawn: Drawn) -> None:
    p, story = drawn
    for (fields,), rows, _ in told(p, story):
        for side, quotes, _ in sides(rows):
            for row in quotes:
                if p.get("placement") != Placement.FREE:
                    other = fields["best_ask"] if side > 0 else fields["best_bid"]
                    assert side * row.tick < side * other


@thorough
@given(ONE)
def test_own_quotes_do_not_cross_each_other(drawn: Drawn) -> None:
    """Quotes that stay for long are those that others could come to cross."""
    p, story = drawn
    for _, rows, _ in told(p | {"min_half_spread_ticks": 0.1, "refresh_s": 3}, story):
        (_, bids, _), (_, asks, _) = sides(rows)
        if bids and asks:
            assert bids[0].tick < asks[0].tick


@thorough
@given(ONE)
def test_layers_stand_one_behind_the_other_on_the_grid(drawn: Drawn) -> None:
    p, story = drawn
    step_ticks = p.get("price_increment_ticks", 1)
    for _, rows, _ in told(p, story):
        for side, quotes, _ in sides(rows):
            ticks = [side * row.tick for row in quotes]
            assert ticks == sorted(set(ticks), reverse=True)
            assert all(tick % step_ticks == 0 for tick in ticks)


@thorough
@given(ONE)
def test_no_limit_is_passed_even_if_all_is_filled(drawn: Drawn) -> None:
    p, story = drawn
    most, increment = p.get("max_position_lots", math.inf), p.get("size_increment_lots", 1)
    for (fields,), rows, _ in told(p, story):
        for side, quotes, _ in sides(rows):
            held, total = side * fields["position"], sum(row.lots for row in quotes)
            room = most - held
            if p.get("sides") == Sides.REDUCE:
                room = min(room, -held)
            assert total <= max(room, 0)
            cut = [row.lots for row in quotes if row.lots % increment]
            if cut and not p.get("size_tolerance_lots", 0) and not p.get("refresh_s", 0):
                assert total == room and cut == [quotes[-1].lots]


@thorough
@given(ONE)
def test_no_bid_is_above_the_ceiling_and_no_ask_below_the_floor(drawn: Drawn) -> None:
    p, story = drawn
    for _, rows, _ in told(p, story):
        (_, bids, _), (_, asks, _) = sides(rows)
        for name, quotes in (("ceiling", bids), ("floor", asks)):
            bound = p.get(name, math.inf)
            for row in quotes if math.isfinite(bound) else []:
                assert row.side * (Fraction(row.tick, 100) - Fraction(str(bound))) <= 0


@thorough
@given(TWO)
def test_asking_twice_changes_nothing(drawn: Drawn) -> None:
    p, story = drawn
    for step, rows, maker in told(p, story):
        memory = maker.memory.copy()
        assert maker.ask(*(market(**fields) for fields in step)) == rows
        assert maker.memory.tobytes() == memory.tobytes()


@thorough
@given(TWO)
def test_instruments_are_quoted_alike_and_apart(drawn: Drawn) -> None:
    p, story = drawn
    apart = [
        [rows for _, rows, _ in told(p, [[step[inst]] for step in story])] for inst in range(2)
    ]
    for i, (_, rows, _) in enumerate(told(p, story)):
        found = [tuple(r._replace(inst=0) for r in rows if r.inst == inst) for inst in range(2)]
        assert found == [apart[0][i], apart[1][i]]


@thorough
@given(ONE)
def test_with_all_signs_turned_bids_are_asks(drawn: Drawn) -> None:
    p, story = drawn
    turned = [[mirrored_fields(fields) for fields in step] for step in story]
    answers = [rows for _, rows, _ in told(mirrored_params(p), turned)]
    for (_, rows, _), other in zip(told(p, story), answers, strict=True):
        back = [row._replace(side=-row.side, tick=-row.tick) for row in other]
        assert list(rows) == [row for side in (BUY, SELL) for row in back if row.side == side]


@thorough
@given(ONE)
def test_quotes_move_with_the_market(drawn: Drawn) -> None:
    """All prices shifted by whole increments; a part of the mid is not the same part any more."""
    p, story = drawn
    by = (story[0][0]["position"] % 19 - 9) * p.get("price_increment_ticks", 1)
    p = p | {"half_spread_bps": 0, "floor": -math.inf, "ceiling": math.inf}
    more = {"manual_theo": p.get("manual_theo", math.nan) + by / 100}
    shifted = [
        [f | {name: f[name] + by for name in ("best_bid", "best_ask", "theo_ticks")} for f in step]
        for step in story
    ]
    answers = [rows for _, rows, _ in told(p | more, shifted)]
    for (_, rows, _), other in zip(told(p, story), answers, strict=True):
        assert rows == tuple(r._replace(tick=r.tick - by) if r.lots else r for r in other)


@thorough
@given(TWO)
def test_compiled_and_plain_are_the_same(drawn: Drawn) -> None:
    p, story = drawn
    plain_steps = told(p, story, quote=PLAIN)
    for (_, rows, maker), (_, plain_rows, other) in zip(told(p, story), plain_steps, strict=True):
        assert rows == plain_rows
        assert np.array_equal(maker.quotes, other.quotes)
        assert maker.memory.tobytes() == other.memory.tobytes()


PROPERTIES = {name: test for name, test in globals().items() if name.startswith("test_")}
PAIRED = ("test_a_side", "test_asking", "test_instruments", "test_compiled")


@pytest.mark.soak
@pytest.mark.compiled
@pytest.mark.parametrize("name", PROPERTIES)
def test_many_more(name: str) -> None:
    for seed in range(20_000):
        PROPERTIES[name].hypothesis.inner_test(
            drawn_from(seed, 2 if name.startswith(PAIRED) else 1)
        )
