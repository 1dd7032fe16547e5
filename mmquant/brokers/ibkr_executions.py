"""Executions, their corrections and their fees, each told once; and what the run began with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mmquant.brokers.ibkr_orders import Orders
from mmquant.brokers.ibkr_rows import NO_LOTS, Grid, Outbox
from mmquant.core.dtypes import MsgKind, OrderEvent
from mmquant.data.contracts import Contract
from mmquant.errors import DataError

UNSET = 1e15
ADDED_LIQUIDITY = 1


def execution_number(exec_id: str) -> tuple[int, int]:
    """A number of 63 bits for an execution, the same for all its corrections; and its revision.

    IBKR counts the digits after the last dot up with each correction, from 01.
    """
    root, dot, last = exec_id.rpartition(".")
    if not dot or not last.isdigit():
        root, last = exec_id, "1"
    digest = blake2b(root.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1, max(int(last) - 1, 0)


@dataclass
class Opening:
    """What the account held when the run began: positions by contract, and what led to them.

    It is kept in a file, so that a run that goes on after a crash does not book it again.
    """

    positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Size and price of each contract, by its number."""
    executions: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, path: Path) -> Opening | None:
        """What is in a file, or None if there is none. Raises DataError where it is damaged."""
        if not path.exists():
            return None
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            held = {int(k): (float(s), float(p)) for k, (s, p) in given["positions"].items()}
            return cls(held, set(given["executions"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"what the account held when the run began is not readable ({error})",
                where=str(path),
                fix="begin a new run in another folder",
            ) from error

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all."""
        held = {str(k): v for k, v in self.positions.items()}
        text = json.dumps({"positions": held, "executions": sorted(self.executions)})
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)


@dataclass
class Told:
    """An execution as last told."""

    revision: int
    inst: int
    order_id: int
    signed_lots: int


class Executions:
    """What was executed, by the number of the execution."""

    def __init__(
        self,
        outbox: Outbox,
        orders: Orders,
        grids: Sequence[Grid],
        contracts: Sequence[Contract],
        mid_of: Callable[[int], float],
        client_id: int,
    ) -> None:
        self._out, self._orders, self._grids = outbox, orders, grids
        self._currencies = [contract.currency for contract in contracts]
        self._multipliers = [contract.multiplier for contract in contracts]
        self._mid_of, self._client_id = mid_of, client_id
        self.by_contract: dict[int, int] = {}
        """Instrument by IBKR's number of its contract."""
        self.combos: dict[int, Mapping[int, int]] = {}
        """Of instruments that are combinations: ratio of each leg, by its contract's number."""
        self.opening = Opening()
        self.notes: set[str] = set()
        """What could not be booked, and why."""
        self.of_orders: dict[int, int] = {}
        """Instrument of each order that was executed, whoever sent it in this run."""
        self.count = 0
        self.before_opening: set[str] | None = None
        """While not None, executions are of the time before the run, and only noted here."""
        self._told: dict[int, Told] = {}
        self._fees: dict[int, tuple[int, float]] = {}

    def details(self, contract: Any, execution: Any) -> None:
        """An execution, live or as an answer; told unless it was."""
        own_id = execution.orderId if execution.clientId == self._client_id else 0
        mine = self._orders.find(execution.orderRef, execution.permId, own_id)
        inst = self.by_contract.get(contract.conId, -1)
        combo = mine is not None and mine.inst in self.combos
        if contract.secType == "BAG":
            inst = mine.inst if mine is not None and combo else -1
        elif combo:
            return
        if inst < 0:
            return
        if self.before_opening is not None:
            self.before_opening.add(execution.execId)
            return
        if mine is None and execution.execId in self.opening.executions:
            return
        self._tell(inst, mine, self._order_id(mine, execution.orderRef), execution)

    def _order_id(self, mine: Any, reference: str) -> int:
        return mine.order_id if mine is not None else self._orders.identity.order_id(reference)

    def _tell(self, inst: int, mine: Any, order_id: int, execution: Any) -> None:
        number, revision = execution_number(execution.execId)
        told = self._told.get(number)
        if told is not None and revision <= told.revision:
            return
        grid = self._grids[inst]
        lots, side = grid.lots(execution.shares), 1 if execution.side == "BOT" else -1
        tick, part = grid.tick(execution.price)
        event = OrderEvent.EXECUTION
        if revision:
            event = OrderEvent.CORRECTION if lots else OrderEvent.BUST
        self._told[number] = Told(revision, inst, order_id, side * lots)
        self.count += 1
        if order_id:
            self.of_orders[order_id] = inst
        if mine is not None and lots != NO_LOTS:
            mine.executed[number] = lots
            mine.ended = mine.ended or mine.executed_lots >= mine.lots > 0
        self._out.order(
            event, order_id, inst, seq=number, reason=revision, side=side, lots=lots, tick=tick,
            subtick=part, price=float(execution.price), mid=self._mid_of(inst),
            liquidity=1 if execution.lastLiquidity == ADDED_LIQUIDITY else -1,
            exch_ts=_nanoseconds(execution.time),
        )  # fmt: skip

    def commission(self, report: Any) -> None:
        """What an execution cost; it may come before the execution."""
        if not abs(report.commission) < UNSET:
            return
        number, revision = execution_number(report.execId)
        fee = (revision, float(report.commission))
        if self._fees.get(number) == fee or self.before_opening is not None:
            return
        told = self._told.get(number)
        inst = 0 if told is None else told.inst
        if report.currency and report.currency != self._currencies[inst] and told is not None:
            own = self._currencies[inst]
            self.notes.add(
                f"commission of {report.execId} is in {report.currency}, not in {own}: not booked"
            )
            return
        self._fees[number] = fee
        self._out.put(
            int(MsgKind.FEE), seq=number, reason=revision, price=fee[1],
            inst=inst, order_id=0 if told is None else told.order_id,
        )  # fmt: skip

    def open_with(self, opening: Opening) -> None:
        """Tell what the account held when the run began, as one execution an instrument."""
        self.opening = opening
        for con_id, (size, price) in sorted(opening.positions.items()):
            inst = self.by_contract.get(con_id, -1)
            number, _ = execution_number(f"opening/{con_id}")
            if inst < 0 or size == 0 or number in self._told:
                continue
            grid = self._grids[inst]
            lots, side = grid.lots(abs(size)), 1 if size > 0 else -1
            tick, part = grid.tick(price)
            self._told[number] = Told(0, inst, 0, side * lots)
            self._out.order(
                OrderEvent.EXECUTION, 0, inst, seq=number, side=side, lots=lots, tick=tick,
                subtick=part, price=price, liquidity=1,
            )  # fmt: skip

    def lots_of(self, inst: int, size: float) -> int:
        """Lots of a size of an instrument."""
        return self._grids[inst].lots(size)

    def price_of_held(self, con_id: int, cost: float) -> float:
        """Price of a held contract by its average cost, which has the multiplier in it."""
        inst = self.by_contract.get(con_id, -1)
        return cost if inst < 0 else cost / self._multipliers[inst]

    def position(self, inst: int, held: Mapping[int, float]) -> int:
        """The broker's position of an instrument, by what it holds of each contract. [lots]

        Of legs, without what is held by combinations; of a combination, what was executed of it.
        """
        if inst in self.combos:
            return self._executed(inst)
        mine = {con_id for con_id, at in self.by_contract.items() if at == inst}
        size = sum(held.get(con_id, 0.0) for con_id in mine)
        for combo, legs in self.combos.items():
            ratio = sum(legs.get(con_id, 0) for con_id in mine)
            size -= ratio * self._grids[combo].size(self._executed(combo))
        return self._grids[inst].lots(size)

    def _executed(self, inst: int) -> int:
        return sum(told.signed_lots for told in self._told.values() if told.inst == inst)


def _nanoseconds(time: Any) -> int:
    """Time of an execution, which has whole seconds; 0 where there is none. [ns]"""
    return round(time.timestamp()) * 1_000_000_000 if isinstance(time, datetime) else 0
