"""Hard limits that live trading needs; a backtest or a replay may leave them out."""

from __future__ import annotations

from functools import reduce

from mmquant.config import Config
from mmquant.errors import ConfigError

HARD_LIMITS: dict[str, tuple[str, ...]] = {
    "largest position": ("limits.max_position_lots",),
    "largest order": ("limits.max_order_lots",),
    "largest order value": ("limits.max_order_value_ccy",),
    "largest loss": ("limits.max_loss_ccy",),
    "price collar": ("limits.price_collar_bps", "limits.price_collar_ticks"),
    "stale data": ("limits.max_book_age_s",),
    "message throttle": ("limits.max_messages",),
    "messages for cancels": ("limits.cancel_reserve",),
    "own crosses": ("limits.prevent_own_cross",),
    "duplicate orders": ("orders.duplicate_window_s",),
    "repeated executions": ("risk.repeated.max_fills",),
    "unanswered orders": ("orders.ack_timeout_s",),
    "unanswered cancels": ("orders.cancel_timeout_s",),
}
"""What each is, and its keys, one of which must be set."""


def is_set(config: Config, key: str) -> bool:
    """Whether a key holds something that binds."""
    value: object = reduce(getattr, key.split("."), config)
    return value not in (None, False, 0)


def unset_hard_limits(config: Config) -> list[str]:
    """Keys of the hard limits that a configuration leaves unset; of alternatives, the first."""
    return [
        keys[0] for keys in HARD_LIMITS.values() if not any(is_set(config, key) for key in keys)
    ]


def check_hard_limits(config: Config) -> None:
    """Raise ConfigError where a hard limit is unset."""
    missing = unset_hard_limits(config)
    if missing:
        raise ConfigError(
            f"live trading needs all hard limits; {len(missing)} are not set",
            where=", ".join(missing),
            fix="give each a value: docs/market_making/risk_controls.md says what they do",
        )
