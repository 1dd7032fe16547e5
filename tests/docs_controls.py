"""The controls between a quote and the market: keys, reason codes, and the test that proves each.

A test holds that each key, reason and test exists, so that no row can promise what is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from mmquant.config import Config
from mmquant.core.dtypes import Reason
from mmquant.report.facts import unit_of
from mmquant.trading.hard_limits import HARD_LIMITS
from tests.docs_tables import config_keys, shown, table


@dataclass(frozen=True)
class Control:
    """One control. Without keys it is always on."""

    name: str
    text: str
    keys: tuple[str, ...]
    reasons: tuple[Reason, ...]
    test: str


R = Reason
LOCAL, MANUAL = "tests/core/test_local.py", "tests/core/test_manual.py"
FAULTS, LINK = "tests/faults/test_order_faults.py", "tests/faults/test_link_faults.py"
HAND, ENGINE = "tests/core/test_hand.py", "tests/trading/test_quoting_engine.py"
ORDERS, PARITY = "tests/trading/test_order_manager.py", "tests/test_guarded_parity.py"
ROOM, SCOPES = "tests/core/test_guard_room.py", "tests/core/test_guard_limits.py"
HEDGING, BREAKERS = "tests/core/test_hedging.py", "tests/core/test_breakers.py"
PROTECTION = "tests/core/test_protection.py"

CONTROLS = (
    Control(
        "largest position",
        "Position plus all that open, in-flight and unknown orders could still fill, each side.",
        ("limits.max_position_lots",),
        (R.PULL_LIMIT,),
        f"{ORDERS}::test_limits_deny_with_their_reason",
    ),
    Control(
        "largest order",
        "Lots of one order.",
        ("limits.max_order_lots",),
        (R.TOO_LARGE,),
        f"{MANUAL}::test_what_the_limits_do_not_allow_is_denied",
    ),
    Control(
        "largest order value",
        "Price × size × multiplier of one order.",
        ("limits.max_order_value_ccy",),
        (R.TOO_LARGE,),
        f"{MANUAL}::test_the_order_checks_hold_for_orders_by_hand",
    ),
    Control(
        "price collar",
        "Distance of an order's price from the mid, and from a given theo.",
        ("limits.price_collar_bps", "limits.price_collar_ticks"),
        (R.COLLAR,),
        f"{MANUAL}::test_the_order_checks_hold_for_orders_by_hand",
    ),
    Control(
        "price that cannot be meant",
        "More than twice the mid, or less than half of it.",
        (),
        (R.BAD_QUOTE,),
        f"{MANUAL}::test_what_the_limits_do_not_allow_is_denied",
    ),
    Control(
        "theo collar",
        "Distance of a theo or an offset that someone set from the mid.",
        ("limits.theo_collar_bps",),
        (R.PULL_COLLAR,),
        f"{ENGINE}::test_a_theo_far_from_the_market_is_not_believed",
    ),
    Control(
        "most open orders",
        "Live orders at once.",
        ("limits.max_open_orders",),
        (R.TOO_MANY_ORDERS,),
        f"{MANUAL}::test_too_many_orders_and_too_many_messages_are_denied",
    ),
    Control(
        "largest loss",
        "So much lost stops all quoting for good; a loss that cannot be known pulls.",
        ("limits.max_loss_ccy", "risk.loss_confirm_s"),
        (R.PULL_LOSS, R.PULL_NO_MARK),
        "tests/test_parity.py::test_the_demo_tape_gives_the_same_in_both_pairings",
    ),
    Control(
        "message throttle",
        "Order messages in any window; the last ones are for cancels only.",
        ("limits.max_messages", "limits.message_window_s", "limits.cancel_reserve"),
        (R.THROTTLED,),
        f"{MANUAL}::test_a_cancel_carries_its_reason_and_one_held_back_goes_later",
    ),
    Control(
        "unanswered requests",
        "New orders and changes wait while so many are unanswered.",
        ("limits.max_in_flight",),
        (R.THROTTLED,),
        "tests/test_guarded_parity.py::test_few_messages_and_decisions_at_each_event",
    ),
    Control(
        "duplicate orders",
        "An order that was just refused, or is not answered yet, is not sent again.",
        ("orders.duplicate_window_s",),
        (R.DUPLICATE_INTENT,),
        f"{MANUAL}::test_the_order_checks_hold_for_orders_by_hand",
    ),
    Control(
        "own crosses",
        "No order at a price of own orders of the other side; these are cancelled first.",
        ("limits.prevent_own_cross",),
        (R.OWN_CROSS,),
        f"{MANUAL}::test_the_order_checks_hold_for_orders_by_hand",
    ),
    Control(
        "acknowledgement time-out",
        "An order or change without answer becomes UNKNOWN, and the broker is asked.",
        ("orders.ack_timeout_s",),
        (R.ACK_TIMEOUT,),
        f"{LINK}::test_fault_04_lost_acknowledgement_of_a_live_order",
    ),
    Control(
        "cancel time-out",
        "A cancel without answer is asked after and sent again; it is never assumed.",
        ("orders.cancel_timeout_s",),
        (R.CANCEL_TIMEOUT,),
        f"{LINK}::test_fault_06_lost_cancel_is_sent_again",
    ),
    Control(
        "lost link",
        "Nothing new while the link is down, nor before all that was asked is answered.",
        (),
        (R.PULL_DISCONNECTED, R.PULL_RECONCILING),
        f"{LINK}::test_fault_01_link_drop",
    ),
    Control(
        "reconciliation",
        "A position other than the broker's blocks the instrument until they agree.",
        (),
        (R.PULL_POSITION,),
        f"{FAULTS}::test_fault_12_position_that_stays_wrong_keeps_its_instrument_blocked",
    ),
    Control(
        "overfill",
        "More filled than ordered is booked, and the instrument stops.",
        (),
        (R.OVERFILL,),
        f"{FAULTS}::test_fault_14_overfill_is_booked_and_stops_the_instrument",
    ),
    Control(
        "late and unknown executions",
        "Booked, because position comes from executions alone, and reported.",
        (),
        (R.LATE_EXECUTION, R.ORPHAN_EXECUTION),
        f"{ORDERS}::test_a_fill_changes_the_position_and_a_late_one_too",
    ),
    Control(
        "orders of others",
        "What others have working counts as exposure, and is never cancelled by us.",
        (),
        (R.EXTERNAL_ORDER,),
        "tests/faults/test_restart_faults.py::test_fault_19_orders_and_trades_of_others_after_a_restart",
    ),
    Control(
        "stale data",
        "Age of the book, and a feed that says it is stale.",
        ("limits.max_book_age_s",),
        (R.PULL_STALE,),
        f"{LINK}::test_fault_02_data_lost_while_the_order_path_works",
    ),
    Control(
        "unsound book",
        "One-sided, empty, crossed or locked books.",
        ("limits.one_sided",),
        (R.PULL_ONE_SIDED, R.PULL_CROSSED),
        f"{ENGINE}::test_a_book_that_is_none_leaves_nothing_quoted",
    ),
    Control(
        "numbers that are none",
        "NaN, infinities, unset values, prices and sizes off their grid.",
        (),
        (R.PULL_BAD_NUMBER, R.BAD_QUOTE),
        "tests/core/test_bad_numbers.py::test_what_comes_from_outside",
    ),
    Control(
        "lifetime",
        "Quotes end by themselves; none is good till cancelled.",
        ("orders.tif", "orders.lifetime_s"),
        (R.LIFETIME,),
        "tests/core/test_expiry.py",
    ),
    Control(
        "halt",
        "A person pulls all orders; a resume lets quotes out again.",
        (),
        (R.PULL_HALTED,),
        f"{ORDERS}::test_the_guard_halts_resumes_and_kills_and_shows_what_is_used",
    ),
    Control(
        "kill switch",
        "By call, signal, file or command; cancels first, verifies, survives a restart.",
        (),
        (R.PULL_KILLED,),
        f"{ORDERS}::test_the_guard_halts_resumes_and_kills_and_shows_what_is_used",
    ),
    Control(
        "pace of a side",
        "Shortest time between two new orders or prices of a side; cancels do not wait.",
        ("orders.min_requote_interval_s",),
        (R.TOO_SOON,),
        f"{MANUAL}::test_the_order_checks_hold_for_orders_by_hand",
    ),
    Control(
        "messages a day",
        "By instrument and in all: slow from 80 %, no quotes at 100 %; cancels still leave.",
        ("limits.max_messages_day", "limits.max_instrument_messages_day"),
        (R.QUOTA_SLOW, R.PULL_QUOTA),
        f"{MANUAL}::test_the_day_s_messages_run_out_for_orders_by_hand",
    ),
    Control(
        "order-efficiency ratio",
        "Messages of a day for each executed order and one more.",
        ("limits.max_order_ratio", "limits.order_ratio_from"),
        (R.PULL_ORDER_RATIO,),
        f"{MANUAL}::test_the_day_s_messages_run_out_for_orders_by_hand",
    ),
    Control(
        "option orders a day",
        "390 and more make a professional customer.",
        ("limits.max_option_orders_day",),
        (R.PULL_QUOTA,),
        f"{MANUAL}::test_one_side_of_an_option_and_its_orders_of_a_day",
    ),
    Control(
        "one side of an option",
        "Interactive Brokers rejects a second working side of an option series.",
        ("limits.one_side_per_option",),
        (R.PULL_OTHER_SIDE,),
        f"{MANUAL}::test_one_side_of_an_option_and_its_orders_of_a_day",
    ),
    Control(
        "position of a scope",
        "By instrument, underlying, option type or account, at the worst of what may still fill.",
        ("risk.limits",),
        (R.PULL_LIMIT,),
        f"{ROOM}::test_no_order_of_fills_breaches_a_limit",
    ),
    Control(
        "exposure of a scope",
        "Gross and net value, and the same by delta.",
        ("risk.limits",),
        (R.PULL_EXPOSURE,),
        f"{ROOM}::test_a_size_is_cut_to_what_fits_and_else_denied_with_the_reason",
    ),
    Control(
        "greeks of a scope",
        "Delta, gamma, vega; one that is not known counts as beyond its limit.",
        ("risk.limits",),
        (R.PULL_GREEKS,),
        f"{ROOM}::test_without_greeks_an_option_is_not_quoted_under_a_limit_of_them",
    ),
    Control(
        "loss and drawdown of a scope",
        "Realized and unrealized, at the price to close at; latched until a person resumes.",
        ("risk.limits", "risk.loss_confirm_s"),
        (R.PULL_LOSS, R.PULL_DRAWDOWN),
        f"{SCOPES}::test_it_stays_until_a_human_resumes_and_comes_back_if_it_still_stands",
    ),
    Control(
        "spread captured",
        "What the fills of a window earned against the mid.",
        ("risk.limits", "risk.capture_window_s", "risk.capture_fills"),
        (R.PULL_CAPTURE,),
        f"{SCOPES}::test_fills_that_capture_too_little_pull_until_they_leave_the_window",
    ),
    Control(
        "soft limits",
        "Near a limit the side that leads to it is smaller and wider.",
        ("risk.soft_fraction", "risk.soft_size_factor", "risk.soft_widen_ticks"),
        (R.SOFT_LIMIT,),
        f"{SCOPES}::test_near_a_limit_the_side_that_leads_there_is_smaller_and_wider",
    ),
    Control(
        "flatten",
        "Cancel, hedge the delta, then work what is left out by limits; never a market order.",
        ("risk.on_breach", "risk.flatten.max_slippage_ticks", "risk.flatten.order_life_s"),
        (R.PULL_FLATTEN, R.FLATTEN),
        f"{HEDGING}::test_flatten_cancels_then_hedges_then_works_out_of_options_then_of_the_stock",
    ),
    Control(
        "hedging trigger",
        "Delta outside its band is hedged in the underlying.",
        (
            "risk.hedge.min_delta",
            "risk.hedge.max_delta",
            "risk.hedge.min_interval_s",
            "risk.hedge.max_tries",
        ),
        (R.HEDGE,),
        f"{HEDGING}::test_delta_outside_its_band_is_hedged_by_a_collared_immediate_limit",
    ),
    Control(
        "market-maker protection",
        "Fills, lots, share, delta or vega in a rolling window pull an underlying.",
        (
            "risk.protection.window_s",
            "risk.protection.max_fills",
            "risk.protection.max_lots",
            "risk.protection.max_share",
            "risk.protection.max_delta",
            "risk.protection.max_vega",
            "risk.protection.cooldown_s",
        ),
        (R.PULL_PROTECTION,),
        f"{PROTECTION}::test_each_bound_pulls_the_whole_underlying_at_once",
    ),
    Control(
        "repeated executions",
        "Fills of one side in a window latch an instrument off until a person resumes.",
        ("risk.repeated.max_fills", "risk.repeated.window_s"),
        (R.PULL_REPEATED,),
        f"{PROTECTION}::test_a_latched_side_waits_for_a_human_and_leaves_other_instruments_alone",
    ),
    Control(
        "breaker: market",
        "After a market that could not be quoted, so many clean decisions before quotes leave.",
        ("risk.breakers.market.on", "risk.breakers.market.clean_decisions"),
        (),
        f"{BREAKERS}::test_a_market_that_could_not_be_quoted_must_be_clean_for_a_while",
    ),
    Control(
        "breaker: spread",
        "An abnormal spread.",
        ("risk.breakers.spread.max_ticks", "risk.breakers.spread.max_bps"),
        (R.PULL_SPREAD,),
        f"{BREAKERS}::test_a_wide_spread",
    ),
    Control(
        "breaker: jump",
        "A mid that jumps between two decisions.",
        ("risk.breakers.jump.max_ticks", "risk.breakers.jump.max_bps"),
        (R.PULL_JUMP,),
        f"{BREAKERS}::test_one_bad_tick_trips_the_data_breaker_and_not_the_loss",
    ),
    Control(
        "breaker: volatility",
        "Volatility that is high or surges.",
        ("risk.breakers.volatility.max_volatility_ticks", "risk.breakers.volatility.max_surge"),
        (R.PULL_VOLATILITY,),
        f"{BREAKERS}::test_volatility_that_surges_over_its_slow_average",
    ),
    Control(
        "hard limits are set",
        "Live trading does not start while one of the limits marked hard is unset.",
        (),
        (),
        "tests/trading/test_hard_limits.py::test_the_live_loop_refuses_before_it_touches_anything",
    ),
    Control(
        "record",
        "Each message and action is journalled before it is sent, and replayed exactly.",
        ("journal.sync_ms",),
        (),
        "tests/test_guarded_parity.py::test_the_demo_tape",
    ),
)


def controls() -> str:
    """Each control with its keys, units, defaults, reasons and test."""
    fields = dict(config_keys(Config))
    hard = {key for keys in HARD_LIMITS.values() for key in keys}
    rows = []
    for one in CONTROLS:
        defaults = [shown(fields[key].get_default(call_default_factory=True)) for key in one.keys]
        rows.append(
            (
                f"**{one.name}**: {one.text}",
                "<br>".join(f"`{key}`" + (" (hard)" if key in hard else "") for key in one.keys)
                or "always on",
                "<br>".join(unit_of(key, fields[key].description or "") or "—" for key in one.keys),
                "<br>".join(f"`{value}`" for value in defaults),
                "<br>".join(f"`{reason.name}`" for reason in one.reasons),
                f"`{one.test.removeprefix('tests/')}`",
            )
        )
    head = ("control", "limit", "unit", "default", "reason", "test, in `tests/`")
    return table(head, rows)


def default_of(key: str) -> object:
    """What a key holds where nobody sets it."""
    return reduce(getattr, key.split("."), Config())


TABLES: dict[str, Callable[[], str]] = {"controls": controls}
