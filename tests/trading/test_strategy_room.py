"""How many quotes a strategy may write, and how many price levels it looks at."""

from __future__ import annotations

from functools import cache

import pytest

import mmquant as mm
from mmquant.core.dtypes import NO_ASK, NO_BID, VIEW_LEVELS
from mmquant.errors import UsageError
from mmquant.strategies.demo import demo_tape
from mmquant.trading.strategy import MOST_QUOTES


@pytest.fixture(scope="module")
def tape():
    return demo_tape().isel(event=slice(0, 3000))


@cache
def ladder_of(quotes: int):
    """A strategy of so many quote rows that writes bids away from the market, one a tick."""

    @mm.strategy(params={"written": 0.0, "returned": 0.0}, quotes=quotes, levels=0)
    def ladder(view, params, memory, quotes):
        for i in range(int(params["written"])):
            quotes[i]["side"] = 1
            quotes[i]["tick"] = view[0]["best_bid"] - i
            quotes[i]["lots"] = 1
        return int(params["returned"])

    return ladder


B, R = mm.backtest, mm.replay
"""Each replay compiles its step for the strategy: one case of each test must do."""
LIMITS = mm.Config.from_dict({"limits": {"max_open_orders": 200}})


@pytest.mark.parametrize(("way", "quotes"), [(B, 1), (B, 17), (B, 100), (R, 17)])
def test_all_rows_that_were_asked_for_can_be_used(way, quotes, tape):
    params = {"written": quotes, "returned": quotes}
    sent = way(LIMITS, tape, strategy=ladder_of(quotes), params=params).orders["submit_time"]
    assert (sent == sent.min()).sum() == quotes


@pytest.mark.parametrize(
    ("way", "quotes", "beyond", "returns"),
    [(B, quotes, *more) for quotes in (1, 17) for more in ((0, 1), (1, 0), (4, 0), (4, 4))]
    + [(R, 17, 1, 0)],
)
def test_a_row_too_many_stops_the_run(way, quotes, beyond, returns, tape):
    params = {"written": quotes + beyond, "returned": quotes + returns}
    with pytest.raises(UsageError, match=f"more than {quotes} quotes"):
        way(LIMITS, tape, strategy=ladder_of(quotes), params=params)


@cache
def levels_as_lots(levels: int):
    @mm.strategy(levels=levels)
    def sees(view, params, memory, quotes):
        market = view[0]
        for k in range(2):
            seen = 0
            for i in range(len(market["bid_tick"])):
                tick = market["bid_tick"][i] if k == 0 else market["ask_tick"][i]
                lots = market["bid_lots"][i] if k == 0 else market["ask_lots"][i]
                absent = NO_BID if k == 0 else NO_ASK
                seen += 1 if tick != absent and lots > 0 else 0
                seen += 100 if (tick != absent) != (lots > 0) else 0
            quotes[k]["side"] = 1 - 2 * k
            quotes[k]["tick"] = market["best_bid"] if k == 0 else market["best_ask"]
            quotes[k]["lots"] = 1 + seen
        return 2

    return sees


@pytest.mark.parametrize(("way", "levels"), [(B, 0), (B, 1), (B, 3), (B, VIEW_LEVELS), (R, 1)])
def test_the_views_show_the_levels_that_were_asked_for(way, levels, tape):
    run = way(mm.Config(), tape, strategy=levels_as_lots(levels))
    assert len(run.orders) > 10
    assert set(run.orders["size"]) == {1.0 + levels}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quotes", 0),
        ("quotes", -1),
        ("quotes", MOST_QUOTES + 1),
        ("quotes", 16.5),
        ("quotes", 16.0),
        ("quotes", "16"),
        ("levels", -1),
        ("levels", VIEW_LEVELS + 1),
        ("levels", 1.5),
        ("levels", None),
    ],
)
def test_a_number_out_of_range_is_refused_at_once(name, value):
    with pytest.raises(UsageError, match=f"{name} must be a whole number"):

        @mm.strategy(**{name: value})
        def any_strategy(view, params, memory, quotes):
            return 0


@pytest.mark.parametrize(("quotes", "levels"), [(1, 0), (MOST_QUOTES, VIEW_LEVELS)])
def test_the_ends_of_the_ranges_are_allowed(quotes, levels, tape):
    @mm.strategy(quotes=quotes, levels=levels)
    def none(view, params, memory, quotes):
        return 0

    assert (none.quotes, none.levels) == (quotes, levels)
    assert len(mm.backtest(mm.Config(), tape, strategy=none).orders) == 0
