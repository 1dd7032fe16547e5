"""Desks with a risk guard: a stock, alone or with a call and a put on it, all at 0.99 to 1.01."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mmquant as mm
from mmquant.core.dtypes import NEVER, ActionKind, Hand, MsgKind, Reason
from mmquant.data.contracts import Contract, instrument_rows
from mmquant.trading.guard_rows import guard_of
from tests.core.builders import Action, Desk

STOCK, CALL, PUT = 0, 1, 2


def stock() -> list[Contract]:
    return [Contract.equity(0, "ABC", venue="X")]


def chain(multiplier: float = 100.0) -> list[Contract]:
    """A stock, a call and a put of it."""
    options = [
        Contract.option(
            i, "ABC", venue="X", expiry="2024-06-21", strike=1.0, right=right,
            tick_class="penny", multiplier=multiplier,
        )
        for i, right in ((CALL, "C"), (PUT, "P"))
    ]  # fmt: skip
    return [*stock(), *options]


def guarded(
    risk: dict[str, Any],
    contracts: Sequence[Contract] | None = None,
    *,
    signals: dict[str, Any] | None = None,
    **limits: Any,
) -> Desk:
    """A desk with the section ``risk`` given."""
    contracts = stock() if contracts is None else contracts
    config = mm.Config.from_dict({"risk": {"on": True} | risk, "signals": signals or {}})
    guard = guard_of(config, contracts, 1)
    what = instrument_rows(contracts, "2024-01-02")
    return Desk(what=what, guard=guard, guarded=1, checks=1, **limits)


def limits(scope: str, **bounds: Any) -> dict[str, Any]:
    """One limit, as a section."""
    return {"limits": [{"scope": scope, **bounds}]}


def greek(desk: Desk, inst: int, what: Hand, value: float, until: int = NEVER) -> list[Action]:
    return desk.tell(MsgKind.THEO, inst=inst, reason=int(what), price=value, exch_ts=until)


def hold(desk: Desk, lots: int, inst: int = 0, price: float = 1.0) -> list[Action]:
    """Hold a position, by an execution of an order that is not known."""
    side = 1 if lots > 0 else -1
    fields = {"inst": inst, "mid": math.nan}
    return desk.fill(0, side, abs(lots), price, **fields)


def placed(actions: list[Action]) -> list[tuple[int, int, int, int]]:
    """Instrument, side, tick and lots of the new orders."""
    return [(a.inst, a.side, a.tick, a.lots) for a in actions if a.kind == ActionKind.PLACE]


def alerts(actions: list[Action]) -> list[tuple[Reason, int]]:
    """Reasons of the alerts, each with 1 where it begins and 0 where it ends."""
    return [(a.reason, a.lots) for a in actions if a.kind == ActionKind.ALERT]


def told(actions: list[Action]) -> list[Reason]:
    return [a.reason for a in actions if a.kind == ActionKind.ALERT]


def pulled(actions: list[Action]) -> list[tuple[int, Reason]]:
    return [(a.inst, a.reason) for a in actions if a.kind == ActionKind.PULL]
