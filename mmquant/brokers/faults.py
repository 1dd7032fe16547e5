"""A seeded plan of what goes wrong between us and a broker: what, of which messages, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, get_args

import numpy as np
import yaml
from pydantic import Field, ValidationError, model_validator

from mmquant.config_sections import Float, Int, Section
from mmquant.errors import ConfigError


class PlannedFault(Section):
    """One thing that goes wrong, in a plan of a broker or of a gateway.

    It befalls the messages (of kind ``of``) whose number, counted from 1, is in ``at``, and each
    other one between ``from_ns`` and ``until_ns`` with ``probability``. Timed faults begin at
    ``from_ns``. A subclass names its kinds of faults and of messages, and which are ``timed``.
    """

    timed: ClassVar[tuple[str, ...]] = ()
    """Kinds that begin at a time and befall no message."""
    kind: str
    """What goes wrong."""
    of: str = "any"
    """Which messages are meant."""
    at: tuple[Annotated[Int, Field(ge=1)], ...] = ()
    """Numbers of the messages that it befalls."""
    probability: Annotated[Float, Field(ge=0, le=1)] = 0.0
    """Chance that it befalls a message."""
    from_ns: Annotated[Int, Field(ge=0)] = 0
    """Begin, from the start of the tape or the market. [ns]"""
    until_ns: Annotated[Int, Field(ge=0)] | None = None
    """End, from the same start; null: never. [ns]"""
    for_ns: Annotated[Int, Field(ge=1)] = 1_000_000
    """How long a message is late, or how long a timed fault lasts. [ns]"""

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if self.kind not in self.timed and not self.at and self.probability == 0.0:
            raise ValueError(f"a fault {self.kind!r} needs 'at' or 'probability'")
        if self.until_ns is not None and self.until_ns <= self.from_ns:
            raise ValueError("until_ns must be after from_ns")
        return self


RequestFault = Literal["reject", "lose_request"]
"""``reject``: refused before it reaches the exchange; ``lose_request``: never seen again."""
AnswerFault = Literal[
    "lose", "delay", "duplicate", "reorder", "correct", "bust", "reject_rest", "false_cancel",
    "close_unsaid",
]  # fmt: skip
"""``reorder``: behind the next one; ``correct``: replaced later by another price and size;
``bust``: taken back later; ``reject_rest``: what is left of the order is rejected after this fill;
``false_cancel``: a cancel is told of an order that goes on working; ``close_unsaid``: the order
ends at the exchange and nobody tells."""
TimedFault = Literal[
    "link_down", "external_order", "wrong_position", "clock_jump", "stall", "flood", "stale_data",
]  # fmt: skip
"""What begins at a time and lasts for ``for_ns``."""
QueryFault = Literal["query_fails", "query_partial"]
"""A query that is not answered, or not to its end."""
Kind = Literal[RequestFault, AnswerFault, TimedFault, QueryFault]

REQUESTS = get_args(RequestFault)
ANSWERS = get_args(AnswerFault)
TIMED = get_args(TimedFault)
QUERIES = get_args(QueryFault)

What = Literal[
    "any", "place", "modify", "cancel", "confirm", "execution", "cancel_ack", "fee", "order",
]  # fmt: skip
"""Which requests or answers are meant; ``order``: every answer that is no execution and no fee."""


class Fault(PlannedFault):
    """A fault of a broker over a tape."""

    timed: ClassVar[tuple[str, ...]] = TIMED
    kind: Kind
    """What goes wrong."""
    of: What = "any"
    """Which requests or answers are meant."""
    held: Literal["hold", "drop", "late"] = "hold"
    """What becomes of the broker's messages while the link is down: they come with the link, are
    lost, or come ``for_ns`` after it."""
    data: bool = True
    """Whether market data are lost with the link."""
    inst: Annotated[Int, Field(ge=0)] = 0
    """Instrument of an external order or a wrong position."""
    side: Literal[-1, 1] = 1
    """Side of an external order."""
    lots: Int = 1
    """Size of an external order, error of a position, change of a correction; copies of a flood."""
    price_ticks: Int = 0
    """Change of price by a correction. [ticks]"""
    jump_ns: Int = 3_600_000_000_000
    """Jump of the broker's wall clock. [ns]"""


class FaultPlan(Section):
    """All that goes wrong in a run; the same seed and tape give the same faults."""

    seed: Annotated[Int, Field(ge=0)] = 0
    """Seed of the chances."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong."""
    fee_per_lot_ccy: Float | None = None
    """A fee message of so much a lot follows each execution; null: none does. [currency]"""

    @classmethod
    def from_yaml(cls, path: str | Path) -> FaultPlan:
        """The plan in a YAML file. Raises ConfigError where it is none."""
        try:
            given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return cls.model_validate(given or {})
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise ConfigError(str(error), where=str(path), fix="correct the fault plan") from error


F = TypeVar("F", bound=PlannedFault)


class Chances(Generic[F]):
    """Whether each fault of a plan befalls the next message; each has its own random numbers."""

    def __init__(self, faults: Sequence[F], seed: int, start_ts: int) -> None:
        self._start, self._seed = start_ts, seed
        self._faults: list[tuple[F, np.random.Generator, list[int]]] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: F) -> None:
        """Take one more fault from now on; its count of messages begins here."""
        rng = np.random.default_rng([self._seed, len(self._faults)])
        self._faults.append((fault, rng, [0]))

    def befall(self, kinds: tuple[Any, ...], names: tuple[str, ...], ts: int) -> list[F]:
        """Faults of these kinds that befall a message which goes by these names."""
        found = []
        for fault, rng, count in self._faults:
            if fault.kind not in kinds or (fault.of != "any" and fault.of not in names):
                continue
            count[0] += 1
            since = ts - self._start
            inside = since >= fault.from_ns and (fault.until_ns is None or since < fault.until_ns)
            drawn = fault.probability > 0.0 and float(rng.random()) < fault.probability
            if count[0] in fault.at or (inside and drawn):
                found.append(fault)
        return found


class Lasting:
    """Timed faults, and when each lasts."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, Fault]] = []

    def add(self, start: int, end: int, fault: Fault) -> None:
        """Let a fault last from ``start`` until ``end``. [ns]"""
        self._spans.append((start, end, fault))

    def at(self, kind: str, ts: int) -> Fault | None:
        """The first fault of a kind that lasts at a time."""
        for start, end, fault in self._spans:
            if fault.kind == kind and start <= ts < end:
                return fault
        return None

    def until(self, kind: str, ts: int) -> int:
        """End of the faults of a kind that last at a time; ``ts`` if none does. [ns]"""
        return max((e for s, e, f in self._spans if f.kind == kind and s <= ts < e), default=ts)
