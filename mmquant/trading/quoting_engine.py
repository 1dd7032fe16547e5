"""What would I quote now? The whole decision of a backtest and of the live loop, asked once.

Each call builds a fresh local half, tells it the market, theo, greeks and inventory as messages,
and asks for one decision. So limits, collars and all else that stands between the quoting and the
market apply as they do in a run. What a run remembers is not there: own orders, delays after fills,
measured signals, and so no volatility breaker, which nothing measured would trip at each question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mmquant.config import Config
from mmquant.config_risk import VolatilityBreaker
from mmquant.core.dtypes import ActionKind, Hand, Reason
from mmquant.data.contracts import Contract
from mmquant.data.grid import lots_to_size, tick_to_price
from mmquant.data.micro_price import read_micro_price
from mmquant.errors import UsageError
from mmquant.trading import messages
from mmquant.trading.halves import strategy_of
from mmquant.trading.local_port import LocalPort, lots_of, tick_of
from mmquant.trading.maker import MICRO_PRICE, Maker, maker_params
from mmquant.trading.strategy import Strategy

Level = tuple[float, float]
GREEKS = {"delta": Hand.DELTA, "gamma": Hand.GAMMA, "vega": Hand.VEGA}
"""Greeks that can be given, each for one unit of the instrument."""
UNSET = 1e300
"""A number as large as this says that it is unset."""


class QuotingEngine:
    """Quotes of one contract under a configuration.

    Parameters
    ----------
    config : settings as for a backtest; ``tape`` and ``latency`` are not used.
    contract : what is quoted; its id must be 0.
    strategy, params : in place of those of the configuration.
    """

    def __init__(
        self,
        config: Config,
        contract: Contract,
        *,
        strategy: Strategy | None = None,
        params: Mapping[str, float] | None = None,
    ) -> None:
        self.config, self.contract = config, contract
        breakers = config.risk.breakers.model_copy(update={"volatility": VolatilityBreaker()})
        risk = config.risk.model_copy(update={"breakers": breakers})
        self._asked = config.model_copy(update={"risk": risk})
        self.strategy = strategy or strategy_of(config)
        given: dict[str, Any] = dict(config.strategy.params) if strategy is None else {}
        if isinstance(self.strategy, Maker):
            if config.quoting.horizon_to_end:
                raise UsageError(
                    "there is no tape whose end could be the horizon",
                    where="quoting.horizon_to_end",
                    fix="give horizon_s instead",
                )
            given = maker_params(config.quoting, config.signals, length_s=np.inf) | given
            table = config.micro_price_path()
            if table is not None:
                given[MICRO_PRICE] = read_micro_price(table)
        self.params = given | dict(params or {})

    def quote(
        self,
        bids: Iterable[Level],
        asks: Iterable[Level],
        *,
        ts: int,
        inventory: float = 0.0,
        theo: float | None = None,
        greeks: Mapping[str, float] | None = None,
        elapsed_s: float = 0.0,
    ) -> pd.DataFrame:
        """Quote instructions (schema ``instructions``) for a market and an inventory.

        Parameters
        ----------
        bids, asks : levels (price [currency], size [units]), best first.
        ts : the time. [ns]
        inventory : position held. [units]
        theo : theoretical value, for a quoting whose theo is external. [currency]
        greeks : ``delta``, ``gamma``, ``vega`` of one unit.
        elapsed_s : time since the day began. [s]

        Returns
        -------
        DataFrame
            one row a quote; a side that is not quoted has one of size 0 that says why. A number
            that is none, or is off the grid, leaves both sides unquoted: PULL_BAD_NUMBER.

        Raises
        ------
        UsageError
            where ``ts`` is no integer.
        """
        contract = self.contract
        if isinstance(ts, bool) or not isinstance(ts, (int, np.integer)):
            raise UsageError(
                f"a time is a whole number of nanoseconds, not {ts!r}",
                where="ts",
                fix="give nanoseconds since 1970 (UTC) as an integer",
            )
        date = str(np.datetime64(ts, "ns").astype("datetime64[D]"))
        port = LocalPort(
            self._asked,
            [contract],
            self.strategy,
            date=date,
            start_ts=ts - round(elapsed_s * 1e9),
            params=self.params,
        )
        told = self._market(bids, asks, ts, date)
        lots = lots_of(contract, inventory)
        values = [*(greeks or {}).values(), *([] if theo is None else [theo])]
        unknown = sorted(set(greeks or {}) - set(GREEKS))
        if unknown:
            raise UsageError(f"there is no greek {unknown[0]!r}", fix=f"use {', '.join(GREEKS)}")
        finite = (np.abs(np.array(values, np.float64)) < UNSET).all()
        if isinstance(told, Reason) or lots is None or not finite:
            why = told if isinstance(told, Reason) else Reason.PULL_BAD_NUMBER
            return self._table(port, ts, inventory, [], why, date)
        for row in told:
            port.tell(row)
        if theo is not None:
            port.tell(messages.hand(ts, 0, Hand.THEO, theo))
        for name, value in (greeks or {}).items():
            port.tell(messages.hand(ts, 0, GREEKS[name], value))
        self._hold(port, lots)
        actions = port.tell(messages.decision(ts))
        return self._table(port, ts, inventory, list(actions), Reason.NONE, date)

    def _market(
        self, bids: Iterable[Level], asks: Iterable[Level], ts: int, date: str
    ) -> list[np.ndarray] | Reason:
        """The levels as messages, or why they are no market that can be quoted."""
        out = []
        for side, levels in ((1, bids), (-1, asks)):
            for price, size in levels:
                tick, lots = tick_of(self.contract, price, date), lots_of(self.contract, size)
                if tick is None or lots is None or lots <= 0:
                    return Reason.PULL_BAD_NUMBER
                out.append((side, tick, lots))
        best_bid = max((tick for side, tick, _ in out if side > 0), default=None)
        best_ask = min((tick for side, tick, _ in out if side < 0), default=None)
        if best_bid is not None and best_ask is not None and best_bid >= best_ask:
            # Level by level, a book would let the newer ones push out those that they cross.
            return Reason.PULL_CROSSED
        return [messages.book_level(ts, 0, *row) for row in out]

    def _hold(self, port: LocalPort, lots: int) -> None:
        """Start from a position, at the mid, so that its worth so far is 0."""
        position = port.local.position[0]
        what = port.local.instrument[0]
        book = port.local.book.side[0]
        ticks = np.array([book["best_bid"], book["best_ask"]], np.int64)
        units = lots * int(what["lot_num"]) / int(what["lot_den"])
        position["lots"], position["units"] = lots, units
        if abs(ticks).max() < 2**31 - 1:
            mid = float(tick_to_price(self.contract, ticks, date=port.date).mean())
            position["cash"] = -units * mid * what["multiplier"]

    def _table(
        self,
        port: LocalPort,
        ts: int,
        inventory: float,
        actions: list[Any],
        why: Reason,
        date: str,
    ) -> pd.DataFrame:
        rows = []
        for action in actions:
            if int(action["kind"]) == ActionKind.PLACE:
                tick, lots = np.array([action["tick"]]), np.array([action["lots"]])
                price = float(tick_to_price(self.contract, tick, date=date)[0])
                size = float(lots_to_size(self.contract, lots)[0])
                rows.append((int(action["side"]), price, size, int(action["reason"])))
        for side in (1, -1):
            if not any(row[0] == side for row in rows):
                rows.append((side, np.nan, 0.0, int(why or self._why_not(port, side, actions))))
        rows.sort(key=lambda row: (-row[0], -row[0] * row[1] if row[1] == row[1] else 0.0))
        sides, prices, sizes, reasons = zip(*rows, strict=True)
        return pd.DataFrame(
            {
                "timestamp": np.full(len(rows), ts, np.int64),
                "symbol": pd.Series([self.contract.symbol] * len(rows), dtype="str"),
                "venue": pd.Series([self.contract.venue] * len(rows), dtype="str"),
                "side": np.array(sides, np.int8),
                "price": np.array(prices, np.float64),
                "size": np.array(sizes, np.float64),
                "reason": np.array(reasons, np.int16),
                "position": np.full(len(rows), inventory, np.float64),
            }
        )

    def _why_not(self, port: LocalPort, side: int, actions: list[Any]) -> Reason:
        """Why a side is not quoted, as the decision left it behind."""
        state, view = port.local.set[0], port.local.views[0]
        said = [int(a["reason"]) for a in actions if int(a["kind"]) != ActionKind.PLACE]
        strategy = int(view["why_no_bid"] if side > 0 else view["why_no_ask"])
        blocked = int(view["blocked"])
        held_back = int(state["deny_reason"]) or int(Reason.PULL_LIMIT)
        for reason in (
            int(state["blocked"]),
            int(Reason.PULL_ONE_SIDED) if blocked < 0 else blocked,
            strategy,
            *said[:1],
            held_back if state["denied"] or state["throttled"] else 0,
        ):
            if reason:
                return Reason(reason)
        return Reason.NOT_WANTED
