"""How the simulated exchange fills own orders: every rule by a case that can be checked by hand."""

from __future__ import annotations

import math

import pytest

from mmquant.core.dtypes import MsgKind, QueueModel, Reason, Session
from mmquant.core.dtypes import OrderEvent as E
from tests.core.builders import (
    BUY,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    POST_ONLY,
    SELL,
    Venue,
    cancel,
    clear,
    depth,
    events,
    fills,
    instruments,
    modify,
    place,
    play,
    query,
    status,
    trade,
)

BOOK = [depth(0, BUY, 99, 5), depth(0, SELL, 101, 3), depth(0, SELL, 102, 4)]
BOTH_SIDES = pytest.mark.parametrize("side", [BUY, SELL])


def mirrored(side: int, tick: int) -> int:
    """A tick of the bid side, or its mirror image at 100."""
    return 100 + side * (tick - 100)


# --- passive fills by trades


@BOTH_SIDES
def test_three_one_lot_trades_fill_three_lots(side: int) -> None:
    at = mirrored(side, 100)
    said = play([*BOOK, place(1, 1, side, at, 3), *(trade(t, -side, at, 1) for t in (2, 3, 4))])
    assert events(said, 1) == [E.CONFIRM, E.EXECUTION, E.EXECUTION, E.EXECUTION]
    assert fills(said) == [(t, 1, 1, at) for t in (2, 3, 4)]


def test_what_is_displayed_at_arrival_is_ahead() -> None:
    said = play(
        [*BOOK, place(1, 1, BUY, 99, 4), trade(2, SELL, 99, 5), trade(3, SELL, 99, 1),
         trade(4, SELL, 99, 9)]
    )  # fmt: skip
    assert fills(said) == [(3, 1, 1, 99), (4, 1, 3, 99)]


def test_a_trade_fills_only_what_is_beyond_the_queue_ahead() -> None:
    said = play([*BOOK, place(1, 1, BUY, 99, 4), trade(2, SELL, 99, 7)])
    assert fills(said) == [(2, 1, 2, 99)]


def test_size_that_comes_later_queues_behind() -> None:
    said = play([*BOOK, place(1, 1, BUY, 99, 1), depth(2, BUY, 99, 50), trade(3, SELL, 99, 6)])
    assert fills(said) == [(3, 1, 1, 99)]


def test_a_level_that_shrinks_shortens_the_queue() -> None:
    rows = [depth(2, BUY, 99, 2), trade(3, SELL, 99, 3)]
    assert fills(play([*BOOK, place(1, 1, BUY, 99, 1), *rows])) == [(3, 1, 1, 99)]


def test_a_queue_model_moves_the_order_by_its_share() -> None:
    venue = Venue(
        [depth(0, BUY, 99, 30), depth(0, SELL, 101, 1), depth(2, BUY, 99, 100),
         depth(3, BUY, 99, 90)],
        queue=QueueModel.POWER, power=1.0,
    )  # fmt: skip
    venue.send(place(1, 1, BUY, 99, 1))
    venue.live_until(10)
    assert venue.front(1) == pytest.approx(27.0, abs=1e-12)


def test_a_trade_and_the_row_that_it_causes_move_the_queue_once() -> None:
    rows = [trade(2, SELL, 99, 2), depth(2, BUY, 99, 3), trade(3, SELL, 99, 4)]
    venue = Venue([*BOOK, *rows[:2]], queue=QueueModel.POWER, power=1.0)
    venue.send(place(1, 1, BUY, 99, 1))
    venue.live_until(10)
    assert venue.front(1) == 3.0
    assert fills(play([*BOOK, place(1, 1, BUY, 99, 1), *rows])) == [(3, 1, 1, 99)]


def test_trades_at_worse_prices_or_of_the_same_side_do_not_fill() -> None:
    rows = [trade(2, SELL, 101, 9), trade(3, BUY, 100, 9), trade(4, 0, 100, 9)]
    assert fills(play([*BOOK, place(1, 1, BUY, 100, 1), *rows])) == []


@BOTH_SIDES
def test_a_trade_through_the_price_fills_at_the_own_price_up_to_its_size(side: int) -> None:
    own, beyond = mirrored(side, 98), mirrored(side, 97)
    book = [depth(0, BUY, 98, 50), depth(0, SELL, 102, 50)]
    said = play([*book, place(1, 1, side, own, 5), trade(2, -side, beyond, 3)])
    assert fills(said) == [(2, 1, 3, own)]
    assert [a.maker for a in said if a.event == E.EXECUTION] == [True]


def test_two_own_orders_share_one_trade_best_price_first() -> None:
    said = play([*BOOK, place(1, 1, BUY, 98, 2), place(2, 2, BUY, 100, 2), trade(3, SELL, 98, 3)])
    assert fills(said) == [(3, 2, 2, 100), (3, 1, 1, 98)]


def test_two_own_orders_at_one_price_share_one_trade_first_come_first() -> None:
    orders = [place(1, 2, BUY, 100, 2), place(2, 1, BUY, 100, 2)]
    said = play([*BOOK, *orders, trade(3, SELL, 100, 3), trade(4, SELL, 100, 3)])
    assert fills(said) == [(3, 2, 2, 100), (3, 1, 1, 100), (4, 1, 1, 100)]


def test_in_peer_mode_one_trade_fills_any_number_of_orders_whole() -> None:
    orders = [place(1, 1, BUY, 100, 2), place(2, 2, BUY, 100, 2)]
    said = play([*BOOK, *orders, trade(3, SELL, 100, 1)], peer=True)
    assert fills(said) == [(3, 1, 2, 100), (3, 2, 2, 100)]


def test_strategy_sets_do_not_share_a_trade() -> None:
    orders = [place(1, 1, BUY, 100, 2), place(2, 1, BUY, 100, 2, set=1)]
    said = play([*BOOK, *orders, trade(3, SELL, 100, 2)], sets=2)
    assert [(a.set, a.lots) for a in said if a.event == E.EXECUTION] == [(0, 2), (1, 2)]


def test_a_set_filled_elsewhere_by_a_trade_has_less_of_it_than_others_at_the_same_place() -> None:
    orders = [place(1, 1, BUY, 99, 4), place(1, 1, BUY, 99, 4, set=1)]
    better = place(2, 2, BUY, 100, 3, set=1)
    said = play([*BOOK, *orders, better, trade(3, SELL, 99, 7), trade(4, SELL, 99, 2)], sets=2)
    of = [[(a.ts, a.order_id, a.lots) for a in said if a.event == E.EXECUTION and a.set == s]
          for s in (0, 1)]  # fmt: skip
    assert of == [[(3, 1, 2), (4, 1, 2)], [(3, 2, 3), (4, 1, 1)]]


# --- hidden executions between ticks


@pytest.mark.parametrize(("at", "lots"), [(99, 3), (100, 0)])
def test_a_hidden_buy_print_between_ticks_goes_through_asks_at_and_below_its_floor(
    at: int, lots: int
) -> None:
    book = [depth(0, BUY, 97, 5), depth(0, SELL, 105, 5)]
    said = play([*book, place(1, 1, SELL, at, 5), trade(2, BUY, 99, 3, subtick=0.5)])
    assert sum(x[2] for x in fills(said)) == lots


@pytest.mark.parametrize(("at", "lots"), [(100, 3), (99, 0)])
def test_a_hidden_sell_print_between_ticks_goes_through_bids_above_it(at: int, lots: int) -> None:
    book = [depth(0, BUY, 97, 5), depth(0, SELL, 105, 5)]
    said = play([*book, place(1, 1, BUY, at, 5), trade(2, SELL, 99, 3, subtick=0.5)])
    assert fills(said) == ([(2, 1, lots, at)] if lots else [])


# --- rows that cross resting orders


@BOTH_SIDES
def test_a_book_that_moves_through_an_order_fills_it_at_its_price_up_to_the_size(side: int) -> None:
    own, beyond = mirrored(side, 100), mirrored(side, 99)
    said = play([*BOOK, place(1, 1, side, own, 5), depth(2, -side, beyond, 3)])
    assert fills(said) == [(2, 1, 3, own)]
    assert [a.maker for a in said if a.event == E.EXECUTION] == [True]


def test_crossing_size_fills_own_orders_by_price_and_time() -> None:
    orders = [place(1, 1, BUY, 99, 2), place(2, 2, BUY, 100, 2), place(3, 3, BUY, 100, 2)]
    said = play([*BOOK, *orders, depth(4, SELL, 99, 5)])
    assert fills(said) == [(4, 2, 2, 100), (4, 3, 2, 100), (4, 1, 1, 99)]


def test_crossing_size_is_used_once_until_the_next_row_of_its_level() -> None:
    rows = [depth(2, SELL, 99, 3), depth(3, SELL, 98, 1), depth(4, SELL, 99, 2)]
    said = play([*BOOK, place(1, 1, BUY, 100, 9), *rows])
    assert fills(said) == [(2, 1, 3, 100), (3, 1, 1, 100), (4, 1, 2, 100)]


def test_a_crossed_row_of_no_size_fills_nothing() -> None:
    assert fills(play([*BOOK, place(1, 1, BUY, 100, 9), depth(2, SELL, 99, 0)])) == []


# --- taking


def test_an_ioc_for_five_against_three_fills_three() -> None:
    said = play([*BOOK, place(1, 1, BUY, 101, 5, LIMIT, IOC)])
    assert events(said, 1) == [E.EXECUTION, E.EXPIRE]
    assert fills(said) == [(1, 1, 3, 101)]
    assert (said[-1].lots, said[-1].reason) == (2, Reason.NO_LIQUIDITY)


def test_a_taker_pays_each_levels_price_and_the_mid_is_the_one_before() -> None:
    said = play([*BOOK, place(1, 1, BUY, 102, 5, LIMIT, IOC)])
    assert fills(said) == [(1, 1, 3, 101), (1, 1, 2, 102)]
    taken = [a for a in said if a.event == E.EXECUTION]
    assert [a.maker for a in taken] == [False, False]
    assert [(a.price, a.mid) for a in taken] == [(1.01, 1.0), (1.02, 1.0)]


def test_a_market_order_takes_all_it_needs_and_what_is_left_expires() -> None:
    said = play([*BOOK, place(1, 1, BUY, 0, 9, MARKET)])
    assert fills(said) == [(1, 1, 3, 101), (1, 1, 4, 102)]
    assert (said[-1].event, said[-1].lots) == (E.EXPIRE, 2)
    assert fills(play([*BOOK, place(1, 1, SELL, 0, 2, MARKET)])) == [(1, 1, 2, 99)]


def test_a_market_order_against_nothing_expires() -> None:
    said = play([depth(0, BUY, 99, 5), place(1, 1, BUY, 0, 9, MARKET)])
    assert [(a.event, a.reason) for a in said] == [(E.EXPIRE, Reason.NO_LIQUIDITY)]


@pytest.mark.parametrize(("lots", "limit", "filled"), [(7, 102, 7), (8, 102, 0), (4, 101, 0)])
def test_a_fok_fills_whole_or_not_at_all(lots: int, limit: int, filled: int) -> None:
    said = play([*BOOK, place(1, 1, BUY, limit, lots, LIMIT, FOK)])
    assert sum(x[2] for x in fills(said)) == filled
    if not filled:
        assert [(a.event, a.lots, a.reason) for a in said] == [
            (E.EXPIRE, lots, Reason.NOT_ALL_AVAILABLE)
        ]


def test_a_fok_does_not_count_what_was_taken_already() -> None:
    said = play(
        [*BOOK, place(1, 1, BUY, 101, 2, LIMIT, IOC), place(2, 2, BUY, 101, 2, LIMIT, FOK),
         place(3, 3, BUY, 101, 1, LIMIT, FOK)]
    )  # fmt: skip
    assert fills(said) == [(1, 1, 2, 101), (3, 3, 1, 101)]


def test_displayed_size_is_taken_once_until_the_next_row_of_its_level() -> None:
    takes = [place(t, t, BUY, 101, 2, LIMIT, IOC) for t in (1, 2, 3)]
    said = play([*BOOK, *takes, depth(4, SELL, 101, 3), place(5, 5, BUY, 101, 9, LIMIT, IOC)])
    assert fills(said) == [(1, 1, 2, 101), (2, 2, 1, 101), (5, 5, 3, 101)]


def test_strategy_sets_do_not_share_displayed_size() -> None:
    takes = [place(1, 1, BUY, 101, 3, LIMIT, IOC), place(2, 1, BUY, 101, 3, LIMIT, IOC, set=1)]
    assert fills(play([*BOOK, *takes], sets=2)) == [(1, 1, 3, 101), (2, 1, 3, 101)]


def test_a_limit_order_takes_what_it_can_and_rests_with_the_rest() -> None:
    said = play([*BOOK, place(1, 1, BUY, 101, 5), trade(2, SELL, 101, 1)])
    assert events(said, 1) == [E.EXECUTION, E.CONFIRM, E.EXECUTION]
    assert fills(said) == [(1, 1, 3, 101), (2, 1, 1, 101)]
    assert said[1].lots == 5


def test_a_post_only_order_that_would_take_is_rejected() -> None:
    said = play([*BOOK, place(1, 1, BUY, 101, 5, POST_ONLY), place(2, 2, BUY, 100, 5, POST_ONLY)])
    assert [(a.order_id, a.event) for a in said] == [(1, E.REJECT), (2, E.CONFIRM)]
    assert said[0].reason == Reason.POST_ONLY_WOULD_TAKE


def test_the_mid_is_unknown_without_two_sides() -> None:
    said = play([depth(0, SELL, 101, 3), place(1, 1, BUY, 101, 1, LIMIT, IOC)])
    assert math.isnan(said[0].mid)


# --- cancels and what goes wrong


def test_a_cancelled_order_is_not_filled() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 5), cancel(2, 1), trade(3, SELL, 100, 9)])
    assert events(said, 1) == [E.CONFIRM, E.CANCEL_ACK]


def test_a_fill_before_the_cancel_arrives_stands() -> None:
    rows = [trade(2, SELL, 100, 2), trade(3, SELL, 100, 9)]
    said = play([*BOOK, place(1, 1, BUY, 100, 5), cancel(3, 1), *rows])
    assert events(said, 1) == [E.CONFIRM, E.EXECUTION, E.EXECUTION, E.CANCEL_REJECT]
    said = play([*BOOK, place(1, 1, BUY, 100, 5), cancel(3, 1), rows[0], trade(4, SELL, 100, 9)])
    assert events(said, 1) == [E.CONFIRM, E.EXECUTION, E.CANCEL_ACK]
    assert said[-1].lots == 3


def test_requests_for_orders_that_do_not_rest_are_refused() -> None:
    said = play([*BOOK, cancel(1, 7), modify(2, 7, 100, 1)])
    assert [(a.event, a.reason) for a in said] == [
        (E.CANCEL_REJECT, Reason.UNKNOWN_ORDER),
        (E.MODIFY_REJECT, Reason.UNKNOWN_ORDER),
    ]


def test_a_second_order_of_the_same_id_is_rejected_and_the_first_one_stays() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 2), place(2, 1, BUY, 99, 9), trade(3, SELL, 100, 9)])
    assert [(a.event, a.reason) for a in said[:2]] == [
        (E.CONFIRM, Reason.NONE), (E.REJECT, Reason.DUPLICATE_ORDER),
    ]  # fmt: skip
    assert fills(said) == [(3, 1, 2, 100)]


def test_data_come_before_a_request_of_the_same_time() -> None:
    said = play([*BOOK, trade(1, SELL, 100, 9), place(1, 1, BUY, 100, 2)])
    assert fills(said) == []
    said = play([*BOOK, place(1, 1, BUY, 100, 2), trade(2, SELL, 100, 9), cancel(2, 1)])
    assert fills(said) == [(2, 1, 2, 100)]


# --- modifies


def test_fewer_lots_at_the_same_price_keep_the_place_in_the_queue() -> None:
    rows = [depth(2, BUY, 99, 50), trade(4, SELL, 99, 6)]
    said = play([*BOOK, place(1, 1, BUY, 99, 4), rows[0], modify(3, 1, 99, 2), rows[1]])
    assert fills(said) == [(4, 1, 1, 99)]
    assert [(a.event, a.lots) for a in said[:2]] == [(E.CONFIRM, 4), (E.CONFIRM, 2)]


@pytest.mark.parametrize(("tick", "lots"), [(99, 5), (98, 4)])
def test_more_lots_or_another_price_go_to_the_end_of_the_queue(tick: int, lots: int) -> None:
    book = [*BOOK, depth(0, BUY, 98, 7)]
    rows = [depth(2, BUY, 99, 50), depth(2, BUY, 98, 60)]
    venue = Venue([*book, *rows])
    for request in (place(1, 1, BUY, 99, 4), modify(3, 1, tick, lots)):
        venue.send(request)
    said = venue.live_until(10)
    assert venue.front(1) == {99: 50.0, 98: 60.0}[tick]
    assert (said[-1].event, said[-1].tick, said[-1].lots) == (E.CONFIRM, tick, lots)


def test_a_modify_below_what_is_filled_cancels_the_rest() -> None:
    said = play(
        [*BOOK, place(1, 1, BUY, 100, 5), trade(2, SELL, 100, 3), modify(3, 1, 100, 3),
         trade(4, SELL, 100, 9)]
    )  # fmt: skip
    assert events(said, 1) == [E.CONFIRM, E.EXECUTION, E.CANCEL_ACK]
    assert said[-1].lots == 2


def test_a_modify_counts_what_is_filled() -> None:
    said = play(
        [*BOOK, place(1, 1, BUY, 100, 5), trade(2, SELL, 100, 3), modify(3, 1, 100, 4),
         trade(4, SELL, 100, 9)]
    )  # fmt: skip
    assert fills(said) == [(2, 1, 3, 100), (4, 1, 1, 100)]


def test_a_modify_to_a_crossing_price_takes_and_rests_with_the_rest() -> None:
    said = play([*BOOK, place(1, 1, BUY, 100, 5), modify(2, 1, 101, 5), trade(3, SELL, 101, 9)])
    assert [a.lots for a in said if a.event == E.CONFIRM][-1] == 5
    assert fills(said) == [(2, 1, 3, 101), (3, 1, 2, 101)]
    assert [a.maker for a in said if a.event == E.EXECUTION] == [False, True]


def test_a_modify_of_a_post_only_order_to_a_crossing_price_is_rejected_and_changes_nothing() -> (
    None
):
    said = play(
        [*BOOK, place(1, 1, BUY, 100, 5, POST_ONLY), modify(2, 1, 101, 2), trade(3, SELL, 100, 9)]
    )
    assert events(said, 1) == [E.CONFIRM, E.MODIFY_REJECT, E.EXECUTION]
    assert said[1].reason == Reason.POST_ONLY_WOULD_TAKE
    assert fills(said) == [(3, 1, 5, 100)]


# --- lots, levels and windows


def test_decimal_lots_leave_no_residue_in_the_queue() -> None:
    what = instruments(lot="0.001")
    book = [depth(0, BUY, 99, 3), depth(0, SELL, 101, 1)]
    rows = [trade(2, SELL, 99, 1), trade(3, SELL, 99, 2), trade(4, SELL, 99, 1)]
    said = play([*book, place(1, 1, BUY, 99, 1), *rows], what=what, queue=QueueModel.POWER,
                power=1.5)  # fmt: skip
    assert fills(said) == [(4, 1, 1, 99)]


def test_an_order_outside_the_window_is_carried_along_and_filled() -> None:
    drift = [
        row
        for i in range(40)
        for row in (
            depth(2 + i, BUY, 99 - 5 * i, 0),
            depth(2 + i, BUY, 94 - 5 * i, 5),
            depth(2 + i, SELL, 96 - 5 * i, 5),
        )
    ]
    said = play([*BOOK, place(1, 1, SELL, 150, 2), *drift, trade(90, BUY, 150, 1)])
    assert fills(said) == [(90, 1, 1, 150)]
    far = play([*BOOK, place(1, 1, SELL, 10**6, 2), *drift, trade(90, BUY, 10**6 + 1, 1)])
    assert fills(far) == [(90, 1, 1, 10**6)]


def test_many_far_orders_make_the_map_grow() -> None:
    orders = [place(1, i, BUY, -1000 * i, 1) for i in range(1, 15)]
    said = play([*BOOK, *orders, *(depth(2, SELL, 10**6 + i, 1) for i in range(20)),
                 trade(3, SELL, -14_000, 99)])  # fmt: skip
    assert fills(said) == [(3, i, 1, -1000 * i) for i in range(1, 15)]


def test_a_cleared_level_displays_nothing_and_keeps_own_orders() -> None:
    rows = [clear(2, BUY, 98), trade(3, SELL, 97, 4)]
    said = play([*BOOK, place(1, 1, BUY, 99, 2), *rows])
    assert fills(said) == [(3, 1, 2, 99)]
    said = play([*BOOK, clear(1, SELL, 101), place(2, 1, BUY, 102, 9, LIMIT, IOC)])
    assert fills(said) == [(2, 1, 4, 102)]


@pytest.mark.parametrize("model", [QueueModel.POWER, QueueModel.POWER2, QueueModel.POWER3])
def test_an_order_at_a_cleared_level_can_still_be_filled(model: QueueModel) -> None:
    rows = [clear(2, BUY, 99), depth(3, BUY, 99, 0), trade(4, SELL, 99, 1)]
    said = play([*BOOK, place(1, 1, BUY, 99, 2), *rows], queue=model, power=1.5)
    assert fills(said) == [(4, 1, 1, 99)]


def test_a_status_row_and_rows_of_another_instrument_fill_nothing() -> None:
    rows = [status(2, 1), trade(3, SELL, 90, 9, inst=1), depth(4, SELL, 90, 9, inst=1)]
    assert fills(play([*BOOK, place(1, 1, BUY, 100, 1), *rows], what=instruments(2))) == []


# --- questions


def test_a_question_is_answered_with_what_is_true() -> None:
    said = play(
        [*BOOK, place(1, 1, BUY, 99, 4), place(1, 2, BUY, 98, 1), place(1, 3, SELL, 101, 2),
         modify(2, 1, 98, 6), cancel(2, 2), trade(3, BUY, 101, 9),
         *(query(4, order_id) for order_id in (1, 2, 3, 4))]
    )  # fmt: skip
    assert [(a.order_id, a.event, a.tick, a.lots) for a in said if a.ts == 4] == [
        (1, E.FOUND_OPEN, 98, 6),
        (2, E.FOUND_CLOSED, 98, 1),
        (3, E.FOUND_CLOSED, 101, 2),
        (4, E.NOT_FOUND, 0, 0),
    ]


def test_a_question_after_all_lists_what_rests_and_says_when_that_was_all() -> None:
    venue = Venue(BOOK, sets=2)
    for request in (place(1, 1, BUY, 99, 4), place(1, 2, BUY, 98, 1), cancel(2, 1),
                    place(1, 3, BUY, 98, 1, set=1), query(3, 0), query(3, 0, set=1)):  # fmt: skip
        venue.send(request)
    venue.live_until(2)
    ring = venue.exchange.response
    first = int(venue.exchange.state[0]["response_tail"])
    venue.live_until(3)
    said = [ring[i] for i in range(first, int(venue.exchange.state[0]["response_tail"]))]
    assert [(m["kind"], m["set"], m["order_id"]) for m in said] == [
        (MsgKind.ORDER, 0, 2), (MsgKind.SESSION, 0, 0), (MsgKind.ORDER, 1, 3),
        (MsgKind.SESSION, 1, 0),
    ]  # fmt: skip
    assert said[0]["event"] == E.FOUND_OPEN and said[1]["reason"] == Session.RESYNCED
