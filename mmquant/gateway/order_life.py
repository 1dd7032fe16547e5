"""An order and its executions, and the messages by which its client learns of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmquant.data.commissions import OrderCharge
from mmquant.gateway.order_echo import open_order_fields
from mmquant.gateway.order_fields import UNSET, OrderSpec
from mmquant.gateway.reference import Listing
from mmquant.gateway.wire import number

if TYPE_CHECKING:
    from mmquant.gateway.session import Session

LIVE = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")
CANCELED = "Order Canceled - reason:"
RIGHT = 5
"""Place of the right among the fields of a contract; openOrder has "?" where there is none."""
BAG_ID = 28_812_380
"""Contract id under which combinations are told."""


@dataclass(frozen=True)
class Quirk:
    """What differs from order to order at Interactive Brokers.

    ``via_presubmitted``: the order is PreSubmitted first; ``status_first``: the status of a fill
    comes before the execution; ``repeats``: statuses come twice; ``pending_cancel``: a cancel is
    said to be pending first; ``commission_ns``: how late commissions are.
    """

    via_presubmitted: bool = False
    status_first: bool = False
    repeats: bool = False
    pending_cancel: bool = False
    commission_ns: int = 0

    @classmethod
    def draw(cls, seed: int | None, number: int) -> Quirk:
        """Those of the n-th order under a seed; None: none."""
        if seed is None:
            return cls()
        rng = random.Random(f"{seed}:{number}")
        late = rng.choice((0, 0, 0, 1_000_000, 50_000_000, 1_500_000_000))
        first, second, third, fourth = (rng.random() < x for x in (0.5, 0.5, 0.2, 0.5))
        return cls(first, second, third, fourth, late)


@dataclass(eq=False)
class Order:
    """An order of a client; quantities are in shares or contracts."""

    client_id: int
    order_id: int
    perm_id: int
    spec: OrderSpec
    listing: Listing | None
    quirk: Quirk
    status: str = ""
    quantity: float = 0.0
    filled: float = 0.0
    value: float = 0.0
    last_price: float = 0.0
    number: int = 0
    tick: int = 0
    ended_ns: int = 0
    pending_cancel: bool = False
    told_working: bool = False
    why_held: str = ""
    commission: float = 0.0
    charge: OrderCharge = field(default_factory=OrderCharge)

    @property
    def live(self) -> bool:
        """Whether it can still be filled."""
        return self.status in LIVE

    @property
    def leaves(self) -> float:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def average(self) -> float:
        """Average price of what was filled. [currency]"""
        return round(self.value / self.filled, 10) if self.filled else 0.0

    @property
    def side(self) -> int:
        """+1 for a buyer, -1 for a seller."""
        return self.spec.side

    def contract_fields(self) -> tuple[object, ...]:
        """The eleven fields of its contract."""
        if self.listing is not None:
            found = list(self.listing.fields(self.spec.query.exchange or "SMART"))
            found[RIGHT] = found[RIGHT] or "?"
            return tuple(found)
        q = self.spec.query
        return (BAG_ID, q.symbol, "BAG", "", 0.0, "", "", q.exchange, q.currency, q.symbol, "COMB")

    def tell_open(
        self, session: Session, status: str = "", *, with_commission: bool = False
    ) -> None:
        """Send openOrder."""
        paid = self.commission if with_commission else UNSET
        session.send(
            *open_order_fields(
                self.contract_fields(),
                self.spec,
                session.version,
                order_id=self.order_id,
                client_id=self.client_id,
                perm_id=self.perm_id,
                status=status or self.status,
                commission=paid,
            )
        )

    def tell_status(self, session: Session, status: str = "") -> None:
        """Send orderStatus."""
        status = status or self.status
        leaves = 0.0 if status in ("Cancelled", "Inactive") and self.quirk.repeats else self.leaves
        session.send(
            3, self.order_id, status, self.filled, leaves, self.average, self.perm_id,
            self.spec.parent, self.last_price, self.client_id, self.why_held, 0,
        )  # fmt: skip

    def tell(self, session: Session, status: str = "") -> None:
        """Send openOrder and orderStatus."""
        self.tell_open(session, status)
        self.tell_status(session, status)
        if self.quirk.repeats:
            self.tell_status(session, status)


@dataclass
class Execution:
    """One execution as last corrected; ``listing`` is None for a combination as a whole."""

    order: Order
    listing: Listing | None
    key: str
    time: str
    side: int
    quantity: float
    price: float
    cumulative: float
    average: float
    liquidity: int
    commission: float
    realized: float
    second: int = 0
    revision: int = 1
    reported: bool = False

    @property
    def exec_id(self) -> str:
        """Its id; the digits behind the last point count corrections."""
        return f"{self.key}.{self.revision:02d}"

    @property
    def symbol(self) -> str:
        """Symbol of what was traded."""
        return self.order.spec.query.symbol if self.listing is None else self.listing.symbol

    @property
    def sec_type(self) -> str:
        """Kind of what was traded."""
        return "BAG" if self.listing is None else self.listing.sec_type

    @property
    def venues(self) -> tuple[str, ...]:
        """Exchanges at which it is traded."""
        return () if self.listing is None else self.listing.exchanges

    def tell(self, session: Session, req_id: int = -1) -> None:
        """Send execDetails."""
        order, one = self.order, self.listing
        venue = order.spec.query.exchange if one is None else one.primary or one.exchanges[-1]
        contract = order.contract_fields() if one is None else one.fields(venue)
        more = (False,) if session.version >= 178 else ()
        session.send(
            11, req_id, order.order_id, *contract, self.exec_id, self.time,
            order.spec.account, venue, "BOT" if self.side > 0 else "SLD", self.quantity,
            number(self.price), order.perm_id, order.client_id, 0, self.cumulative, self.average,
            order.spec.ref, "", "", order.spec.model, self.liquidity, *more,
        )  # fmt: skip

    def tell_commission(self, session: Session) -> None:
        """Send commissionReport."""
        self.reported = True
        session.send(59, 1, self.exec_id, self.commission, "USD", self.realized, UNSET, "")
