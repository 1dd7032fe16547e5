"""Contracts: what an instrument is, its lot and its tick ladders, and the kernels' arrays of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mmquant.core.dtypes import INSTRUMENT, LADDER, LADDER_STEPS, NO_BID, VIEW_LEVELS
from mmquant.data.fees import FeeRates
from mmquant.data.grid import (
    lots_to_size,
    price_to_tick,
    price_to_tick_part,
    size_to_lots,
    tick_to_price,
)
from mmquant.data.ladders import (
    Ladder,
    Step,
    as_date,
    as_fraction,
    ladder_on,
    option_ladder,
    stock_ladder,
)
from mmquant.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Contract",
    "Ladder",
    "Step",
    "contract_table",
    "instrument_rows",
    "lots_to_size",
    "option_ladder",
    "price_to_tick",
    "price_to_tick_part",
    "size_to_lots",
    "stock_ladder",
    "tick_to_price",
]

KINDS = (
    "equity",
    "etf",
    "index",
    "option",
    "future",
    "future_option",
    "fx",
    "crypto_spot",
    "crypto_perp",
    "other",
)
OPTION_KINDS = ("option", "future_option")
LINKED_KINDS = ("equity", "etf", *OPTION_KINDS)
"""Kinds whose venues route to each other, so that own orders at two venues can meet."""
EXERCISES = ("", "american", "european")
SETTLEMENTS = ("", "physical", "cash")


@dataclass(frozen=True)
class Contract:
    """One tradable instrument. ``id`` is its number on a tape (column ``inst``).

    A size of 1 lot is ``lot`` units (decimal string); a unit is worth price * multiplier.
    Options carry expiry (ISO date), strike, right ("C" or "P") and exercise style. A price of zero
    or less is an error unless ``negative_prices`` says that it can be, as of a spread of two.

    Raises
    ------
    DataError
        where a field is missing or does not fit the kind.
    """

    id: int
    symbol: str
    kind: str
    venue: str
    currency: str = "USD"
    multiplier: float = 1.0
    exercise: str = ""
    settlement: str = ""
    expiry: str = ""
    strike: float | None = None
    right: str = ""
    lot: str = "1"
    negative_prices: bool = False
    ladders: tuple[Ladder, ...] = ()

    def __post_init__(self) -> None:
        ladders = tuple(Ladder.of(ladder) for ladder in self.ladders)
        object.__setattr__(self, "ladders", ladders)
        object.__setattr__(self, "multiplier", float(self.multiplier))
        if self.strike is not None:
            object.__setattr__(self, "strike", float(self.strike))
        for problem, fix in _problems(self):
            raise DataError(problem, where=f"contract {self.id} {self.symbol!r}", fix=fix)

    @classmethod
    def simple(
        cls,
        id: int,
        symbol: str,
        *,
        tick: str,
        lot: str,
        kind: str,
        venue: str,
        multiplier: float = 1.0,
        currency: str = "USD",
    ) -> Contract:
        """A contract with one tick size at all prices and dates."""
        ladders = (Ladder.flat(tick),)
        return cls(id, symbol, kind, venue, currency, multiplier, lot=lot, ladders=ladders)

    @classmethod
    def equity(cls, id: int, symbol: str, *, venue: str, tick: str = "0.01") -> Contract:
        """A stock in lots of one share, with one tick size at all prices and dates."""
        ladders = (Ladder.flat(tick),)
        return cls(id, symbol, "equity", venue, settlement="physical", ladders=ladders)

    @classmethod
    def option(
        cls,
        id: int,
        symbol: str,
        *,
        venue: str,
        expiry: str,
        strike: float,
        right: str,
        tick_class: str = "nickel",
        exercise: str = "american",
        settlement: str = "physical",
        multiplier: float = 100.0,
    ) -> Contract:
        """A US listed option of a tick class (see ``option_ladder``)."""
        return cls(
            id,
            symbol,
            "option",
            venue,
            multiplier=multiplier,
            exercise=exercise,
            settlement=settlement,
            expiry=expiry,
            strike=strike,
            right=right,
            ladders=(option_ladder(tick_class),),
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Contract:
        """A contract from its ``to_dict``. Raises DataError on unknown or missing keys."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise DataError(
                f"a contract has unknown keys: {', '.join(unknown)}",
                fix=f"known keys are {', '.join(sorted(known))}",
            )
        try:
            return cls(**value)
        except TypeError as error:
            raise DataError(f"a contract is not complete ({error})", where=str(value)) from None

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return asdict(self) | {"ladders": [ladder.to_dict() for ladder in self.ladders]}

    def ladder(self, date: str) -> Ladder:
        """The tick ladder in force on an ISO date. Raises DataError where there is none."""
        return ladder_on(self.ladders, date, where=f"contract {self.id} {self.symbol!r}")

    def lot_fraction(self) -> tuple[int, int]:
        """``(lot_num, lot_den)``: units = lots * lot_num / lot_den."""
        lot = as_fraction(self.lot, "lot")
        return lot.numerator, lot.denominator


def _problems(c: Contract) -> list[tuple[str, str]]:
    """What is wrong with a contract, each with its fix."""
    option = c.kind in OPTION_KINDS
    dates = [ladder.from_date for ladder in c.ladders]
    lot = as_fraction(c.lot, "lot")
    if c.expiry:
        as_date(c.expiry, "expiry")
    checks = (
        (
            not isinstance(c.id, int) or not 0 <= c.id < 2**15,
            "id is not in 0 to 32767",
            "number contracts from 0",
        ),
        (not c.symbol, "symbol is empty", "name the instrument"),
        (c.kind not in KINDS, f"unknown kind {c.kind!r}", f"use one of {', '.join(KINDS)}"),
        (
            not (math.isfinite(c.multiplier) and c.multiplier > 0),
            f"multiplier {c.multiplier} is not positive",
            "give units of the underlying per contract",
        ),
        (lot <= 0, f"lot {c.lot!r} is not positive", "give the smallest size step in units"),
        (
            c.exercise not in EXERCISES,
            f"unknown exercise style {c.exercise!r}",
            "use american or european",
        ),
        (
            c.settlement not in SETTLEMENTS,
            f"unknown settlement {c.settlement!r}",
            "use physical or cash",
        ),
        (
            option
            and (c.right not in ("C", "P") or c.strike is None or not c.expiry or not c.exercise),
            "an option lacks right, strike, expiry or exercise",
            "give right C or P, strike, ISO expiry and exercise style",
        ),
        (
            c.strike is not None and not (math.isfinite(c.strike) and c.strike > 0),
            f"strike {c.strike} is not positive",
            "give the strike price",
        ),
        (
            not option and (c.right or c.strike is not None),
            f"kind {c.kind!r} has a right or a strike",
            "use kind option",
        ),
        (not c.ladders, "there is no tick ladder", "give at least one ladder"),
        (
            any(b <= a for a, b in pairwise(dates)),
            "tick ladders are out of date order",
            "sort ladders by from_date",
        ),
    )
    return [(what, fix) for bad, what, fix in checks if bad]


def instrument_rows(
    contracts: Sequence[Contract],
    date: str,
    fees: FeeRates | Sequence[FeeRates] | None = None,
) -> np.ndarray:
    """The kernels' array of the contracts on a date: INSTRUMENT records.

    ``fees`` is one rate for all, one for each contract, or None for no fees. Ids must be 0 to n-1.
    """
    rates = _per_contract(fees, len(contracts))
    out = np.zeros(len(contracts), INSTRUMENT)
    series: dict[tuple[object, ...], int] = {}
    for i, (contract, rate) in enumerate(zip(contracts, rates, strict=True)):
        if contract.id != i:
            raise DataError(
                f"contract ids are not 0 to {len(contracts) - 1} in order",
                where=f"contract {contract.id} {contract.symbol!r} at place {i}",
                fix="number the contracts of a tape from 0",
            )
        steps = contract.ladder(date).rows()
        if len(steps) > LADDER_STEPS:
            raise DataError(
                f"a tick ladder has {len(steps)} steps",
                where=f"contract {contract.id} {contract.symbol!r}",
                fix=f"{LADDER_STEPS} steps at most are supported",
            )
        row = out[i]
        row["view_levels"] = VIEW_LEVELS
        row["multiplier"] = contract.multiplier
        row["option"] = contract.kind in OPTION_KINDS
        if contract.kind in LINKED_KINDS:
            row["series"] = series.setdefault(_terms(contract, date), i + 1)
        row["min_tick"] = NO_BID if contract.negative_prices else _first_tick(steps[0])
        row["lot_num"], row["lot_den"] = contract.lot_fraction()
        row["ladder_len"] = len(steps)
        for column, values in zip(LADDER.names or (), zip(*steps, strict=True), strict=True):
            row[column][: len(steps)] = values
        row["step"][: len(steps)] = row["step_num"][: len(steps)] / row["den"][: len(steps)]
        for name in ("maker_value_rate", "maker_unit_rate", "taker_value_rate", "taker_unit_rate"):
            row[name] = getattr(rate, name)
    return out


def _terms(contract: Contract, date: str) -> tuple[object, ...]:
    """What is the same at all venues of a contract whose orders can meet: ticks are comparable."""
    c = contract
    steps = tuple(map(tuple, c.ladder(date).rows()))
    return (c.kind, c.symbol, c.currency, c.expiry, c.strike, c.right, c.multiplier, steps)


def _first_tick(step: tuple[int, int, int, int]) -> int:
    """The lowest tick whose price is above zero, by the lowest step of a ladder."""
    tick_from, price_num, step_num, _ = step
    return tick_from + (-price_num) // step_num + 1


def _per_contract(fees: FeeRates | Sequence[FeeRates] | None, n: int) -> Sequence[FeeRates]:
    if fees is None or isinstance(fees, FeeRates):
        return [fees or FeeRates()] * n
    if len(fees) != n:
        raise DataError(f"{len(fees)} fee rates for {n} contracts", fix="give one for each")
    return fees


def contract_table(contracts: Sequence[Contract]) -> pd.DataFrame:
    """The contract table (schema ``contracts``): one row a contract, ladders as JSON."""
    import json

    import pandas as pd

    rows = [contract.to_dict() for contract in contracts]
    frame = pd.DataFrame(rows, columns=[field.name for field in fields(Contract)])
    frame["ladders"] = [json.dumps(row["ladders"]) for row in rows]
    return frame.rename(columns={"id": "inst"}).astype({"inst": "int16", "strike": "float64"})
