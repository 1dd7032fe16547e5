"""Scripted faults: what befalls messages, orders and the connection, by a seeded YAML plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from mmquant.brokers.faults import Chances, PlannedFault
from mmquant.config_sections import Int, Section
from mmquant.errors import ConfigError

if TYPE_CHECKING:
    from mmquant.gateway.order_life import Execution, Order
    from mmquant.gateway.server import Gateway
    from mmquant.gateway.session import Session

ReplyFault = Literal["lose", "delay", "duplicate", "reorder", "drop_socket"]
"""Of messages to clients. ``reorder``: behind the next one; ``drop_socket``: the connection breaks
in place of the message."""
RequestFault = Literal["lose_request", "delay_request", "drop_socket_after"]
"""Of messages from clients. ``drop_socket_after``: the connection breaks once it is served."""
OrderFault = Literal[
    "reject", "slow_place", "slow_cancel", "correct", "bust", "late_commission", "warn",
]  # fmt: skip
"""``reject``: error 201; ``slow_place``: PendingSubmit for so long; ``slow_cancel``: PendingCancel
for so long, in which it can be filled; ``correct`` and ``bust``: an execution is revised so much
later; ``warn``: an error code about an order that goes on working."""
TimedFault = Literal[
    "link_down", "farm_down", "history_down", "socket_drop", "depth_reset", "depth_halt",
    "delayed_data", "competing_session",
]  # fmt: skip
"""What begins at ``from_ns``; the first three and the last two last for ``for_ns``."""
Kind = Literal[ReplyFault, RequestFault, OrderFault, TimedFault]
REPLIES, REQUESTS, ORDERS, TIMED = (
    get_args(x) for x in (ReplyFault, RequestFault, OrderFault, TimedFault)
)
What = Literal[
    "any", "order_status", "open_order", "execution", "commission", "error", "depth", "tick",
    "tick_by_tick", "position", "end", "place", "cancel", "global_cancel", "query",
]  # fmt: skip
NAMES: dict[int, What] = dict.fromkeys((1, 2, 21, 45, 46, 58, 81), "tick")
NAMES |= dict.fromkeys((52, 53, 54, 55, 62, 64, 72, 74, 76, 102), "end")
NAMES |= {3: "order_status", 4: "error", 5: "open_order", 11: "execution", 12: "depth"}
NAMES |= {13: "depth", 59: "commission", 61: "position", 71: "position", 99: "tick_by_tick"}
REQUEST_NAMES: dict[int, What] = dict.fromkeys((5, 6, 7, 16, 61, 62, 74, 76, 99), "query")
REQUEST_NAMES |= {3: "place", 4: "cancel", 58: "global_cancel"}
OF_ORDERS = ("order_status", "open_order", "execution", "commission", "position")
OF_MARKET = ("depth", "tick", "tick_by_tick")
FARMS = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefnj"),
)
LOST = "Connectivity between IBKR and Trader Workstation has been lost."
DATA_LOST = "Connectivity between IBKR and Trader Workstation has been restored - data lost."
DATA_KEPT = (
    "Connectivity between IBKR and Trader Workstation has been restored - data maintained. All "
    "data farms are connected: usfarm; ushmds; secdefnj."
)
COMPETING = "No market data during competing live session"


class WireFault(PlannedFault):
    """A fault of a gateway."""

    timed: ClassVar[tuple[str, ...]] = TIMED
    kind: Kind
    """What goes wrong."""
    of: What = "any"
    """Which messages are meant."""
    held: Literal["hold", "drop"] = "hold"
    """What becomes of messages about orders while the link is down: told later, or lost."""
    data_lost: bool = False
    """Whether a link comes back with its subscriptions lost (1101) or kept (1102)."""
    lots: Int = 0
    """Change of size by a correction."""
    price_ticks: Int = 1
    """Change of price by a correction. [ticks]"""
    code: Int = 399
    """Code of a warning."""


class WirePlan(Section):
    """All that goes wrong at a gateway; the same seed and messages give the same faults."""

    seed: Annotated[Int, Field(ge=0)] = 0
    """Seed of the chances."""
    faults: tuple[WireFault, ...] = ()
    """What goes wrong."""


def read_plan(path: Path | None) -> WirePlan:
    """The plan of a YAML file; None: no faults. Raises ConfigError where it is none."""
    if path is None:
        return WirePlan()
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        return WirePlan.model_validate(given or {})
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(str(error), where=str(path), fix="correct the fault plan") from error


class Faults:
    """Acts out a plan on a gateway. ``quiet``: nothing befalls any message."""

    def __init__(self, plan: WirePlan, gateway: Gateway) -> None:
        self._gateway = gateway
        self._plan = plan
        self._chances = Chances(plan.faults, plan.seed, gateway.market.start_ns)
        self._reordered: dict[Session, bytes] = {}
        self._held: list[tuple[Session, bytes]] = []
        self._down: WireFault | None = None
        self._asked = False
        self.quiet = not plan.faults

    def begin(self) -> None:
        """Set the times of timed faults."""
        for fault in self._plan.faults:
            if fault.kind in TIMED:
                self._start_at(self._gateway.market.start_ns + fault.from_ns, fault)

    def cause(self, fault: WireFault) -> None:
        """Let one more fault happen from now on; a timed one begins at once."""
        self.quiet = False
        if fault.kind in TIMED:
            self._start_at(self._gateway.floor.now, fault)
        else:
            self._chances.add(fault)

    def say_farms(self, session: Session) -> None:
        """Tell a client how the connections are."""
        for code, text in FARMS:
            session.error(-1, code, text)
        if self._down is not None:
            session.error(-1, 1100, LOST)

    def outgoing(self, session: Session, kind: int, body: bytes) -> None:
        """Send a message to a client, with what befalls it on its way."""
        name = NAMES.get(kind, "any")
        if self._down is not None and not self._asked and name in (*OF_ORDERS, *OF_MARKET):
            if self._down.held == "hold" and name in OF_ORDERS:
                self._held.append((session, body))
            return
        befallen: dict[str, WireFault] = {x.kind: x for x in self._befall(REPLIES, name)}
        if "drop_socket" in befallen:
            session.abort()
            return
        late = self._reordered.pop(session, None)
        if "lose" not in befallen:
            self._forward(session, body, befallen)
        if late is not None:
            session.put(late)

    def _forward(self, session: Session, body: bytes, befallen: dict[str, WireFault]) -> None:
        for _ in range(2 if "duplicate" in befallen else 1):
            if "delay" in befallen:
                self._later(befallen["delay"].for_ns, lambda: session.put(body))
            elif "reorder" in befallen:
                self._reordered[session] = body
            else:
                session.put(body)

    def incoming(self, session: Session, kind: int, serve: Callable[[], None]) -> None:
        """Serve a request, with what befalls it on its way."""
        if self.quiet:
            serve()
            return
        name = REQUEST_NAMES.get(kind, "any")
        befallen = {fault.kind: fault for fault in self._befall(REQUESTS, name)}
        lost = "lose_request" in befallen
        if self._down is not None and name in ("place", "cancel", "global_cancel"):
            lost = True
        if lost:
            return
        if "delay_request" in befallen:
            self._later(befallen["delay_request"].for_ns, serve)
        else:
            self._asked = name == "query"
            serve()
            self._asked = False
        if "drop_socket_after" in befallen:
            session.abort()

    def of_order(self, kind: str) -> WireFault | None:
        """The fault of a kind that befalls the next order, cancel or execution."""
        found = [] if self.quiet else self._befall((kind,), "any")
        return found[0] if found else None

    def on_execution(self, execution: Execution) -> None:
        """Correct or bust an execution later, if that befalls it."""
        for kind in ("correct", "bust"):
            fault = self.of_order(kind)
            if fault is not None:
                self._later(fault.for_ns, self._revision(execution, fault))

    def on_order(self, order: Order) -> None:
        """Warn of an order that works on, if that befalls it."""
        fault = self.of_order("warn")
        if fault is not None:
            for session in self._gateway.orders.of_client(order):
                text = "Order Message:\nWarning: the order goes on working."
                session.error(order.order_id, fault.code, text.replace("\n", " "))

    def _revision(self, execution: Execution, fault: WireFault) -> Callable[[], None]:
        one = execution.listing
        assert one is not None
        price = execution.price + fault.price_ticks * one.min_tick
        lots = execution.quantity + one.quantity(fault.lots)
        if fault.kind == "bust":
            price, lots = execution.price, 0.0
        reports = self._gateway.orders.reports
        return lambda: reports.correct(execution, price, max(lots, 0.0))

    def _befall(self, kinds: tuple[str, ...], name: str) -> list[WireFault]:
        return self._chances.befall(kinds, (name,), self._gateway.floor.now)

    def _later(self, delay: int, call: Callable[[], None]) -> None:
        self._gateway.floor.at(self._gateway.floor.now + delay, call)

    def _start_at(self, ts: int, fault: WireFault) -> None:
        self._gateway.floor.at(ts, lambda: self._begin(fault))

    def _begin(self, fault: WireFault) -> None:
        quotes = self._gateway.quotes
        if fault.kind == "link_down":
            self._tell_all(1100, LOST)
            self._down = fault
            quotes.stale = True
            self._later(fault.for_ns, self._restore)
        elif fault.kind == "farm_down":
            self._tell_all(2103, "Market data farm connection is broken:usfarm")
            quotes.stale = True
            self._later(fault.for_ns, self._mend)
        elif fault.kind == "history_down":
            self._tell_all(2105, "HMDS data farm connection is broken:ushmds")
            self._later(fault.for_ns, lambda: self._tell_all(*FARMS[1]))
        elif fault.kind == "socket_drop":
            for session in self._gateway.clients():
                session.abort()
        elif fault.kind in ("depth_reset", "depth_halt"):
            quotes.depth.reset(317 if fault.kind == "depth_reset" else 316)
        elif fault.kind == "delayed_data":
            quotes.delay(True)
            self._later(fault.for_ns, lambda: quotes.delay(False))
        else:
            quotes.tell_lines(10197, COMPETING)
            quotes.stale = True
            self._later(fault.for_ns, lambda: quotes.refresh())

    def _restore(self) -> None:
        fault, self._down = self._down, None
        assert fault is not None
        if fault.data_lost:
            self._gateway.quotes.forget_all()
            self._tell_all(1101, DATA_LOST)
        else:
            self._tell_all(1102, DATA_KEPT)
        self._gateway.quotes.refresh()
        held, self._held = self._held, []
        for session, body in held:
            session.put(body)

    def _mend(self) -> None:
        self._tell_all(*FARMS[0])
        self._gateway.quotes.refresh()

    def _tell_all(self, code: int, text: str) -> None:
        for session in self._gateway.clients():
            session.error(-1, code, text)
