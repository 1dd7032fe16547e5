"""Views, parameters and answers of the built-in quoting: what its tests know of layouts is here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from mmquant.core.dtypes import NO_BID, QUOTE, VIEW, OrderType, Reason, TimeInForce
from mmquant.core.local import CANARY_ROWS
from mmquant.core.maker_params import LAYERS, PARAMS, default_params, memory_len
from mmquant.core.quoting import maker_quote

BUY, SELL = 1, -1
START_NS = 1_700_000_000_000_000_000
"""When the first row of the market came."""
STANDING_NS = START_NS + 10**15
"""When a quote ends that says nothing of it."""


class Row(NamedTuple):
    """A wanted quote, or the reason why there is none."""

    side: int
    tick: int = 0
    lots: int = 0
    reason: str = "NONE"
    inst: int = 0


def bid(tick: int, lots: int = 10, inst: int = 0) -> Row:
    return Row(BUY, tick, lots, inst=inst)


def ask(tick: int, lots: int = 10, inst: int = 0) -> Row:
    return Row(SELL, tick, lots, inst=inst)


def no_bid(reason: str, inst: int = 0) -> Row:
    return Row(BUY, reason=reason, inst=inst)


def no_ask(reason: str, inst: int = 0) -> Row:
    return Row(SELL, reason=reason, inst=inst)


def nothing(reason: str, inst: int = 0) -> tuple[Row, Row]:
    return no_bid(reason, inst), no_ask(reason, inst)


def at(seconds: float) -> int:
    """A time in ns."""
    return START_NS + round(seconds * 1e9)


def market(
    best_bid: int = 100,
    best_ask: int = 104,
    *,
    bid_lots: int = 10,
    ask_lots: int = 10,
    position: int = 0,
    at_s: float = 0.0,
    bought_s: float | None = None,
    sold_s: float | None = None,
    tick_size: str = "0.01",
    offset: str = "0",
    **fields: float,
) -> Any:
    """A view of one instrument. Prices are the doubles next to ticks times the tick size.

    ``bought_s``, ``sold_s``: times of the last fills; ``fields``: any other number of the view.
    """
    view = np.zeros(1, VIEW)[0]
    step = Decimal(tick_size)
    view["now"], view["elapsed_s"] = at(at_s), (at(at_s) - START_NS) / 1e9
    view["best_bid"], view["best_ask"] = best_bid, best_ask
    view["bid_tick"][0], view["ask_tick"][0] = best_bid, best_ask
    view["bid_lots"][0], view["ask_lots"][0] = bid_lots, ask_lots
    view["bid_price"], view["ask_price"] = float(best_bid * step), float(best_ask * step)
    view["mid"] = 0.5 * (view["bid_price"] + view["ask_price"])
    view["tick_size"] = float(step)
    view["position_lots"] = position
    view["offset"] = float(offset)
    view["buy_fill_ts"] = 0 if bought_s is None else at(bought_s)
    view["sell_fill_ts"] = 0 if sold_s is None else at(sold_s)
    for name in ("theo", "theo_ticks", "volatility", "imbalance", "order_flow", "trade_rate"):
        view[name] = math.nan
    for name, value in fields.items():
        view[name] = value
    return view


def param_row(params: Mapping[str, Any], *tables: Sequence[float]) -> np.ndarray:
    """A parameter row: defaults but for what is given, and tables behind the record."""
    record = default_params()
    for name, value in params.items():
        if PARAMS[name].shape:
            record[name][0, : len(value)] = value
        else:
            record[name] = value
    parts = [record.view(np.float64), *(np.asarray(table, np.float64) for table in tables)]
    return np.concatenate([*parts, np.zeros(1)])


def blank_quotes(rows: int) -> np.ndarray:
    """Rows as the engine hands them to a strategy, and the ones behind that it must not touch."""
    quotes = np.zeros(rows + CANARY_ROWS, QUOTE)
    quotes["tick"], quotes["expire_ts"] = NO_BID, STANDING_NS
    quotes["order_type"], quotes["tif"] = OrderType.POST_ONLY, TimeInForce.GTC
    return quotes


class Maker:
    """The built-in quoting with its memory, asked again and again."""

    def __init__(
        self,
        params: Mapping[str, Any] | np.ndarray,
        *tables: Sequence[float],
        instruments: int = 1,
        rows: int | None = None,
        quote: Any = maker_quote,
    ) -> None:
        self.params = params if isinstance(params, np.ndarray) else param_row(params, *tables)
        self.memory = np.zeros(memory_len(instruments))
        self.rows = 2 * LAYERS * instruments if rows is None else rows
        self.quote = quote
        self.quotes = blank_quotes(self.rows)

    def ask(self, *views: Any) -> tuple[Row, ...]:
        """What is wanted now."""
        self.quotes = blank_quotes(self.rows)
        blank = self.quotes.copy()
        n = self.quote(np.array(list(views), VIEW), self.params, self.memory, self.quotes)
        assert 0 <= n <= self.rows
        assert (self.quotes[n:] == blank[n:]).all()
        return tuple(read(quote) for quote in self.quotes[:n])


def read(quote: Any) -> Row:
    """A row of the kernel; one that is a reason has nothing else."""
    reason = Reason(int(quote["reason"])).name
    if quote["lots"] == 0:
        assert quote["tick"] == NO_BID and reason != "NONE"
        return Row(int(quote["side"]), reason=reason, inst=int(quote["inst"]))
    assert reason == "NONE" and quote["order_type"] == OrderType.POST_ONLY
    numbers = (int(quote[name]) for name in ("side", "tick", "lots"))
    return Row(*numbers, inst=int(quote["inst"]))


BASE: dict[str, Any] = {"half_spread_ticks": 2, "order_lots": 10}
"""Two ticks from the mid, ten lots a side: 100 and 104 in the market of ``market()``."""


class Case(NamedTuple):
    """Parameters over BASE, and what is wanted at each of some decisions in a row."""

    knob: str
    params: dict[str, Any]
    steps: tuple[tuple[dict[str, Any], tuple[Row, ...]], ...]
    tables: tuple[Sequence[float], ...] = ()

    def answers(self, **changed: Any) -> list[tuple[Row, ...]]:
        """What the kernel wants, with some parameters changed."""
        maker = Maker({**BASE, **self.params, **changed}, *self.tables)
        return [maker.ask(market(**fields)) for fields, _ in self.steps]

    def check(self) -> None:
        for found, (fields, rows) in zip(self.answers(), self.steps, strict=True):
            assert found == rows, fields


def one(knob: str, params: dict[str, Any], fields: dict[str, Any], *rows: Row) -> Case:
    """A case of one decision."""
    return Case(knob, params, ((fields, rows),))


def story(
    knob: str, params: dict[str, Any], *steps: tuple[dict[str, Any], tuple[Row, ...]]
) -> Case:
    """A case of several decisions with one memory."""
    return Case(knob, params, steps)
