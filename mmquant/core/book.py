"""The displayed market, by price: a dense window of levels and an exact map for the rest.

A level is a cell (displayed lots, head of the own-order list). The first cell is spare: no level
has it, and it stays empty. Cells of one instrument are
``window`` bids, then ``window`` asks, indexed by ``tick - base``; levels outside the window live in
an open-addressing map whose slot i is cell ``far_start + i``. The window follows the market.

A row that crosses the other side wins: the other side's best retreats behind it, because the newer
row knows more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmquant.core.dtypes import NO_ASK, NO_BID
from mmquant.core.jit import inner_apart_kernel, kernel, rare_kernel

LEVEL = np.dtype([("lots", np.int32), ("head", np.int32)], align=True)
"""Displayed lots, and 1 + the first own node at this level (0: none)."""

SIDE_BOOK = np.dtype(
    [
        ("base", np.int64),
        ("start", np.int64),
        ("window", np.int64),
        ("best_bid", np.int64),
        ("best_ask", np.int64),
        ("own_bid_max", np.int64),
        ("own_ask_min", np.int64),
        ("row", np.int64),
        ("ts", np.int64),
        ("exch_ts", np.int64),
        ("trade_ts", np.int64),
        ("buy_lots", np.int64),
        ("sell_lots", np.int64),
        ("trade_subtick", np.float64),
        ("trade_tick", np.int64),
        ("trade_side", np.int64),
        ("halted", np.int64),
        ("bad", np.int64),
        ("far_count", np.int64),
    ],
    align=True,
)
"""State of one instrument's book; ``bad``: its last row held numbers that are none;
``far_count`` counts the far map's keys, in the first one."""

FAR = np.dtype(
    [
        ("key", np.int64),
        ("spare_key", np.int64),
        ("spare_lots", np.int32),
        ("spare_head", np.int32),
    ],
    align=True,
)
"""Key of a far level (FAR_EMPTY: none), and room to rebuild the map in place."""

FAR_EMPTY = 0
SPARE = 1
"""Cells in front of all levels."""
BETWEEN = 576
"""Cells between two instruments. Markets are in the middle of their windows: without these, 4,608
bytes, their levels were all at one place of each way of a cache, and drove each other out."""
EDGE = 3
"""A new best price within window >> EDGE ticks of the window's end moves it."""
BID = 0
ASK = 1


class Book(NamedTuple):
    """Displayed market of all instruments: cells, one SIDE_BOOK each, and the far map's keys."""

    level: np.ndarray
    side: np.ndarray
    far: np.ndarray


def make_book(instruments: int, *, window: int = 1 << 15, far: int = 1 << 13) -> Book:
    """Empty book. ``window`` and ``far`` are powers of two: dense ticks a side, map slots."""
    room = 2 * window + BETWEEN
    level = np.zeros(SPARE + room * instruments + far, LEVEL)
    side = np.zeros(instruments, SIDE_BOOK)
    side["window"] = window
    side["start"] = SPARE + np.arange(instruments) * room
    side["best_bid"] = NO_BID
    side["best_ask"] = NO_ASK
    side["own_bid_max"] = NO_BID
    side["own_ask_min"] = NO_ASK
    side["base"] = NO_ASK
    side["row"] = -1
    return Book(level, side, np.zeros(far, FAR))


def grow_book(book: Book) -> Book:
    """The same book with a far map of twice the size."""
    far = book.far.shape[0]
    level = np.concatenate([book.level[:-far], np.zeros(2 * far, LEVEL)])
    grown = Book(level, book.side, np.zeros(2 * far, FAR))
    grown.side[0]["far_count"] = 0
    for slot in np.flatnonzero(book.far["key"]):
        level = book.level[book.level.shape[0] - far + slot]
        key = int(book.far[slot]["key"])
        new = int(far_slot(grown.far, key))
        grown.far[new]["key"] = key
        grown.level[grown.level.shape[0] - 2 * far + new] = level
        grown.side[0]["far_count"] += 1
    return grown


@kernel
def far_key_of(inst, k, tick):
    """Key of a level in the far map; never FAR_EMPTY."""
    return ((inst * 2 + k + 1) << 34) + (tick + (1 << 32))


@kernel
def far_slot(far, key):
    """Slot that holds ``key``, or the empty slot where it would go (a quarter is always empty)."""
    mask = far.shape[0] - 1
    slot = (key ^ (key >> 13) ^ (key >> 27)) & mask
    while far[slot]["key"] != key and far[slot]["key"] != FAR_EMPTY:
        slot = (slot + 1) & mask
    return slot


@kernel
def near_cell(book, inst, k, tick):
    """Cell of a level within the window, or -1."""
    side = book.side[inst]
    i = tick - side["base"]
    if i >= 0 and i < side["window"]:
        return side["start"] + k * side["window"] + i
    return np.int64(-1)


@inner_apart_kernel
def far_cell(book, inst, k, tick):
    """Cell of a level outside the window, or -1 if it is not in the far map."""
    key = far_key_of(inst, k, tick)
    slot = far_slot(book.far, key)
    if book.far[slot]["key"] != key:
        return np.int64(-1)
    return book.level.shape[0] - book.far.shape[0] + slot


@kernel
def find_cell(book, inst, k, tick):
    """Cell of a level, or -1 if the level is outside the window and not in the far map."""
    cell = near_cell(book, inst, k, tick)
    return cell if cell >= 0 else far_cell(book, inst, k, tick)


@kernel
def make_cell(book, inst, k, tick):
    """Cell of a level, entered into the far map if need be; -1 if the map must grow."""
    cell = near_cell(book, inst, k, tick)
    return cell if cell >= 0 else make_far_cell(book, inst, k, tick)


@inner_apart_kernel
def make_far_cell(book, inst, k, tick):
    """As ``make_cell``, for a level outside the window."""
    cell = far_cell(book, inst, k, tick)
    if cell >= 0:
        return cell
    size = book.far.shape[0]
    if 4 * (book.side[0]["far_count"] + 1) > 3 * size:
        purge_far(book)
        if 2 * (book.side[0]["far_count"] + 1) > size:
            return -1
    key = far_key_of(inst, k, tick)
    slot = far_slot(book.far, key)
    book.far[slot]["key"] = key
    book.side[0]["far_count"] += 1
    cell = book.level.shape[0] - size + slot
    book.level[cell]["lots"] = 0
    book.level[cell]["head"] = 0
    return cell


@rare_kernel
def purge_far(book):
    """Rebuild the far map without its empty levels."""
    size = book.far.shape[0]
    start = book.level.shape[0] - size
    kept = 0
    for slot in range(size):
        level = book.level[start + slot]
        if book.far[slot]["key"] != FAR_EMPTY and (level["lots"] != 0 or level["head"] != 0):
            spare = book.far[kept]
            spare["spare_key"] = book.far[slot]["key"]
            spare["spare_lots"] = level["lots"]
            spare["spare_head"] = level["head"]
            kept += 1
        book.far[slot]["key"] = FAR_EMPTY
    book.side[0]["far_count"] = kept
    for i in range(kept):
        spare = book.far[i]
        slot = far_slot(book.far, spare["spare_key"])
        book.far[slot]["key"] = spare["spare_key"]
        book.level[start + slot]["lots"] = spare["spare_lots"]
        book.level[start + slot]["head"] = spare["spare_head"]


@kernel
def lots_at(book, inst, k, tick):
    """Displayed lots of a level. [lots]"""
    cell = find_cell(book, inst, k, tick)
    if cell < 0:
        return 0
    return np.int64(book.level[cell]["lots"])


@rare_kernel
def far_best(book, inst, k, low, high):
    """Best far level with lots whose tick is in [low, high]: highest bid or lowest ask."""
    size = book.far.shape[0]
    start = book.level.shape[0] - size
    best = NO_ASK if k == ASK else NO_BID
    for slot in range(size):
        key = book.far[slot]["key"]
        if key == FAR_EMPTY or (key >> 34) != inst * 2 + k + 1:
            continue
        tick = (key & ((1 << 34) - 1)) - (1 << 32)
        if tick < low or tick > high or book.level[start + slot]["lots"] == 0:
            continue
        if (k == ASK and tick < best) or (k == BID and tick > best):
            best = tick
    return best


@kernel
def next_bid(book, inst, below):
    """Highest bid tick with lots that is lower than ``below``, or NO_BID."""
    side = book.side[inst]
    base = side["base"]
    top = base + side["window"]
    if below > top:
        best = far_best(book, inst, BID, top, below - 1)
        if best != NO_BID:
            return best
        below = top
    first = side["start"] - base
    tick = below - 1
    while tick >= base:
        if book.level[first + tick]["lots"] != 0:
            return tick
        tick -= 1
    return far_best(book, inst, BID, NO_BID, min(below, base) - 1)


@kernel
def next_ask(book, inst, above):
    """Lowest ask tick with lots that is higher than ``above``, or NO_ASK."""
    side = book.side[inst]
    base = side["base"]
    top = base + side["window"]
    if above < base - 1:
        best = far_best(book, inst, ASK, above + 1, base - 1)
        if best != NO_ASK:
            return best
        above = base - 1
    first = side["start"] + side["window"] - base
    tick = above + 1
    while tick < top:
        if book.level[first + tick]["lots"] != 0:
            return tick
        tick += 1
    return far_best(book, inst, ASK, max(above, top - 1) + 1, NO_ASK)


@rare_kernel
def recentre(book, inst, tick):
    """Move the window so that ``tick`` is in its middle, if the far map has room for that."""
    side = book.side[inst]
    window = side["window"]
    old = side["base"]
    new = tick - window // 2
    if old != NO_ASK:
        if not room_for_leavers(book, inst, new - old):
            return
        for k in range(2):
            first = side["start"] + k * window
            for i in range(window):
                level = book.level[first + i]
                if (level["lots"] != 0 or level["head"] != 0) and (
                    old + i < new or old + i >= new + window
                ):
                    side["base"] = NO_ASK
                    cell = make_cell(book, inst, k, old + i)
                    side["base"] = old
                    book.level[cell]["lots"] = level["lots"]
                    book.level[cell]["head"] = level["head"]
            shift_cells(book.level, first, window, new - old)
    side["base"] = new
    pull_far(book, inst)


@kernel
def room_for_leavers(book, inst, by):
    """Whether the far map can take the levels that leave when the window moves ``by`` ticks."""
    side = book.side[inst]
    window = side["window"]
    leavers = 0
    for k in range(2):
        first = side["start"] + k * window
        for i in range(window):
            level = book.level[first + i]
            if (level["lots"] != 0 or level["head"] != 0) and (i < by or i >= window + by):
                leavers += 1
    size = book.far.shape[0]
    if 4 * (book.side[0]["far_count"] + leavers) > 3 * size:
        purge_far(book)
    return 4 * (book.side[0]["far_count"] + leavers) <= 3 * size


@kernel
def shift_cells(level, first, window, by):
    """Shift a window's cells by ``by`` ticks towards index 0 (or away, if negative)."""
    for j in range(window):
        i = j if by >= 0 else window - 1 - j
        source = i + by
        if source >= 0 and source < window:
            level[first + i]["lots"] = level[first + source]["lots"]
            level[first + i]["head"] = level[first + source]["head"]
        else:
            level[first + i]["lots"] = 0
            level[first + i]["head"] = 0


@kernel
def pull_far(book, inst):
    """Move far levels that the window now covers into it."""
    side = book.side[inst]
    size = book.far.shape[0]
    start = book.level.shape[0] - size
    for slot in range(size):
        key = book.far[slot]["key"]
        if key == FAR_EMPTY or ((key >> 34) - 1) // 2 != inst:
            continue
        k = ((key >> 34) - 1) % 2
        i = (key & ((1 << 34) - 1)) - (1 << 32) - side["base"]
        if i >= 0 and i < side["window"]:
            cell = side["start"] + k * side["window"] + i
            book.level[cell]["lots"] = book.level[start + slot]["lots"]
            book.level[cell]["head"] = book.level[start + slot]["head"]
            book.level[start + slot]["lots"] = 0
            book.level[start + slot]["head"] = 0
    purge_far(book)


@kernel
def keep_centred(book, inst, tick):
    """Re-centre the window when a new best comes near its edge.

    A market too wide for the window, or a far map without room for the levels that would leave it,
    is left as it is: all stays exact, only slower, and the next far level asks for a larger map.
    """
    side = book.side[inst]
    window = side["window"]
    margin = window >> EDGE
    i = tick - side["base"]
    if i >= margin and i < window - margin:
        return
    if side["base"] != NO_ASK and side["best_bid"] != NO_BID and side["best_ask"] != NO_ASK:
        if side["best_ask"] - side["best_bid"] >= window >> 1:
            return
    recentre(book, inst, tick)


@kernel
def set_cell(book, inst, k, tick, cell, lots):
    """Set a level whose cell is known, and keep the bests."""
    book.level[cell]["lots"] = lots
    side = book.side[inst]
    if k == BID:
        if lots == 0:
            if tick == side["best_bid"]:
                side["best_bid"] = next_bid(book, inst, tick)
        elif tick > side["best_bid"]:
            side["best_bid"] = tick
            if tick >= side["best_ask"]:
                side["best_ask"] = next_ask(book, inst, tick)
            keep_centred(book, inst, tick)
    elif lots == 0:
        if tick == side["best_ask"]:
            side["best_ask"] = next_ask(book, inst, tick)
    elif tick < side["best_ask"]:
        side["best_ask"] = tick
        if tick <= side["best_bid"]:
            side["best_bid"] = next_bid(book, inst, tick)
        keep_centred(book, inst, tick)


@kernel
def set_level(book, inst, k, tick, lots):
    """Apply one absolute size. False if the far map must grow first: nothing has changed then."""
    cell = make_cell(book, inst, k, tick)
    if cell < 0:
        return False
    set_cell(book, inst, k, tick, cell, lots)
    return True


@kernel
def clear_side(book, inst, k, tick):
    """Clear a side from its best up to ``tick``, that tick included."""
    side = book.side[inst]
    window = side["window"]
    base = side["base"]
    first = side["start"] + k * window
    low, high = (tick, NO_ASK) if k == BID else (NO_BID, tick)
    for i in range(max(low - base, 0), min(high - base + 1, window)):
        book.level[first + i]["lots"] = 0
    size = book.far.shape[0]
    start = book.level.shape[0] - size
    for slot in range(size):
        key = book.far[slot]["key"]
        if key != FAR_EMPTY and (key >> 34) == inst * 2 + k + 1:
            at = (key & ((1 << 34) - 1)) - (1 << 32)
            if at >= low and at <= high:
                book.level[start + slot]["lots"] = 0
    if k == BID:
        side["best_bid"] = next_bid(book, inst, min(side["best_bid"] + 1, tick))
    else:
        side["best_ask"] = next_ask(book, inst, max(side["best_ask"] - 1, tick))


@kernel
def clear_as_peer(book, inst, side, tick):
    """Clear one side the way of hftbacktest 2.4.4, so that runs can be compared with it."""
    state = book.side[inst]
    if side < 0:
        state["best_ask"] = next_ask(book, inst, tick + 1)
        return
    best = state["best_bid"]
    at = best
    while at != NO_BID and at >= tick:
        cell = find_cell(book, inst, BID, at)
        book.level[cell]["lots"] = 0
        at = next_bid(book, inst, at)
    state["best_bid"] = next_bid(book, inst, tick - 1)


@kernel
def clear_row(book, inst, side, tick, as_peer):
    """Apply a CLEAR row; side 0 clears both sides whole.

    ``as_peer`` clears one side as hftbacktest's range-of-interest book does: it leaves the asks'
    sizes in place, and looks for the new best from two levels beyond ``tick``.
    """
    if as_peer and side != 0:
        clear_as_peer(book, inst, side, tick)
        return
    if side >= 0:
        clear_side(book, inst, BID, tick if side > 0 else np.int64(NO_BID))
    if side <= 0:
        clear_side(book, inst, ASK, tick if side < 0 else np.int64(NO_ASK))


@kernel
def note_trade(book, inst, ts, side, tick, subtick, lots):
    """Remember a trade. Trades never change the displayed book."""
    state = book.side[inst]
    state["trade_ts"] = ts
    state["trade_tick"] = tick
    state["trade_subtick"] = subtick
    state["trade_side"] = side
    if side > 0:
        state["buy_lots"] += lots
    elif side < 0:
        state["sell_lots"] += lots


@kernel
def top_levels(book, inst, levels, bid_tick, bid_lots, ask_tick, ask_lots):
    """Fill the best ``levels`` of both sides; the rest, and absent ones: NO_BID, NO_ASK, 0 lots."""
    bid, ask = book.side[inst]["best_bid"], book.side[inst]["best_ask"]
    for i in range(bid_tick.shape[0]):
        bid_tick[i] = NO_BID
        bid_lots[i] = 0
        ask_tick[i] = NO_ASK
        ask_lots[i] = 0
    for i in range(levels):
        if bid == NO_BID:
            break
        bid_tick[i] = bid
        bid_lots[i] = lots_at(book, inst, BID, bid)
        if i + 1 < levels:
            bid = next_bid(book, inst, bid)
    for i in range(levels):
        if ask == NO_ASK:
            break
        ask_tick[i] = ask
        ask_lots[i] = lots_at(book, inst, ASK, ask)
        if i + 1 < levels:
            ask = next_ask(book, inst, ask)
