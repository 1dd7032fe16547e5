"""What tests of faults begin with: contracts, a configuration, faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmquant.brokers.faults import Fault
from mmquant.config import Config
from mmquant.data.contracts import Contract

MS = 1_000_000
LATENCY_NS = 100_000


def contracts(count: int = 1, **more: Any) -> list[Contract]:
    """Contracts of a tick of a cent."""
    given = {"tick": "0.01", "lot": "1", "kind": "equity", "venue": "SMART", **more}
    return [Contract.simple(i, f"I{i}", **given) for i in range(count)]


def configured(limits: Mapping[str, Any], orders: Mapping[str, Any], **more: Any) -> Config:
    """A configuration with short time-outs, so that tests need not wait long."""
    return Config.from_dict(
        {
            "latency": {"entry_ns": LATENCY_NS, "response_ns": LATENCY_NS},
            "fill": {"queue": "risk_averse"},
            "orders": {
                "order_type": "limit", "size_tolerance_lots": 0, "ack_timeout_s": 0.02,
                "cancel_timeout_s": 0.02, **orders,
            },
            "limits": {"max_position_lots": 20, "max_open_orders": 16, **limits},
            **more,
        }
    )  # fmt: skip


def numbers(kind: str, *at: int, of: str = "any", **more: Any) -> Fault:
    """A fault that befalls messages by their numbers."""
    return Fault(kind=kind, of=of, at=at, **more)


def outage(from_ms: float, for_ms: float, **more: Any) -> Fault:
    """The link is down for a while, from the start of the tape."""
    return Fault(kind="link_down", from_ns=round(from_ms * MS), for_ns=round(for_ms * MS), **more)
