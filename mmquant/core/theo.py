"""Theoretical mid: mid, imbalance-weighted mid, micro-price, or what somebody says. In ticks.

Micro-price: Stoikov (2018), "The micro-price: a high-frequency estimator of future prices". It is
the mid plus an adjustment looked up by the imbalance of the best sizes and the spread;
``mmquant.research.micro_price`` estimates them. A table is a row of float64:

    0            n, imbalance buckets of equal width
    1            m, spreads
    2            m rows of n adjustments [ticks], for a spread of 1 tick, 2 ticks, ... m and more
"""

from __future__ import annotations

import math

from mmquant.core.dtypes import NO_ASK, NO_BID, THEO
from mmquant.core.jit import kernel

BUCKETS, SPREADS, FIRST = 0, 1, 2
"""Places in a table."""


@kernel
def mid_ticks(best_bid, best_ask):
    """Middle of the best prices; NaN where a side is empty or the book is locked or crossed."""
    if not (best_bid > NO_BID and best_ask < NO_ASK and best_bid < best_ask):
        return math.nan
    return 0.5 * (best_bid + best_ask)


@kernel
def bid_share(bid_lots, ask_lots):
    """Imbalance of the best sizes as Stoikov writes it: the bid's part, 0 to 1."""
    if not (bid_lots > 0.0 and ask_lots > 0.0):
        return math.nan
    return bid_lots / (bid_lots + ask_lots)


@kernel
def weighted_mid(best_bid, best_ask, bid_lots, ask_lots):
    """Best prices, each weighted by the size on the other side."""
    share = bid_share(bid_lots, ask_lots)
    middle = mid_ticks(best_bid, best_ask)
    return middle + (share - 0.5) * (best_ask - best_bid)


@kernel
def imbalance_bucket(bid_lots, ask_lots, buckets):
    """Bucket of the imbalance, 0 where nearly all is on the ask; -1 where it is not known.

    Buckets mirror each other: swapping the sizes gives the bucket from the other end. Only equal
    sizes with an even number of buckets lie between two, and go to the upper one.
    """
    if not (bid_lots > 0.0 and ask_lots > 0.0 and bid_lots + ask_lots < math.inf):
        return -1
    place = int(math.floor(min(bid_lots, ask_lots) * buckets / (bid_lots + ask_lots)))
    return place if bid_lots <= ask_lots else int(buckets) - 1 - place


@kernel
def adjustment_at(table, spread_ticks, bid_lots, ask_lots):
    """Micro-price less mid, from a table. [ticks]

    Nothing is interpolated, as in the paper. A spread beyond the table counts as its last, equal
    sizes have no adjustment. NaN without a table, and in states that it does not know.
    """
    if table.shape[0] <= FIRST or not spread_ticks >= 1.0:
        return math.nan
    buckets, spreads = table[BUCKETS], table[SPREADS]
    if not (buckets >= 1.0 and spreads >= 1.0 and spreads <= (table.shape[0] - FIRST) / buckets):
        return math.nan
    bucket = imbalance_bucket(bid_lots, ask_lots, buckets)
    if bucket < 0:
        return math.nan
    row = int(min(spread_ticks, spreads)) - 1
    found = table[FIRST + row * int(buckets) + bucket]
    return 0.0 * found if bid_lots == ask_lots else found


@kernel
def micro_price(best_bid, best_ask, bid_lots, ask_lots, table):
    """Where the mid is expected to settle, given imbalance and spread."""
    middle = mid_ticks(best_bid, best_ask)
    return middle + adjustment_at(table, best_ask - best_bid, bid_lots, ask_lots)


@kernel
def fair_value(kind, best_bid, best_ask, bid_lots, ask_lots, external, manual, table):
    """Theoretical mid of a kind (a Theo). [ticks] NaN where it is not known.

    ``external`` is the value that messages gave, NaN where there is none or it has expired;
    ``manual`` the one that was set; ``table`` that of the micro-price, empty without one.
    """
    value = math.nan
    if kind == THEO.MID:
        value = mid_ticks(best_bid, best_ask)
    elif kind == THEO.WEIGHTED_MID:
        value = weighted_mid(best_bid, best_ask, bid_lots, ask_lots)
    elif kind == THEO.MICRO_PRICE:
        value = micro_price(best_bid, best_ask, bid_lots, ask_lots, table)
    elif kind == THEO.EXTERNAL:
        value = external
    elif kind == THEO.MANUAL:
        value = manual
    return value if math.isfinite(value) else math.nan
