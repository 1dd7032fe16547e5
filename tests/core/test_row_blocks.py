"""What vectors tell of a block of rows is what each row says of itself."""

from __future__ import annotations

import numpy as np
import pytest

from mmquant.core.bits import trailing_zeros
from mmquant.core.dtypes import NO_ASK, NO_BID, RowKind
from mmquant.core.jit import kernel
from mmquant.core.plain_rows import LANES, NARROW, block_bits
from mmquant.core.records import copy_record
from tests.core.builders import examples

EXTREMES = (NO_BID + 1, -NARROW, -1, 0, 1, NARROW, NO_ASK - 1)


@kernel
def bits_of_block(tick, side, size, kind, row, base, window, reach_bid, reach_ask):
    return block_bits(tick, side, size, kind, row, base, window, reach_bid, reach_ask)


@kernel
def zeros_of(bits):
    return trailing_zeros(bits)


@kernel
def copy_first(rows):
    copy_record(rows[1], rows[0])


def is_plain(tick, side, size, kind, base, window, reach_bid, reach_ask) -> bool:
    """The rule in Python's own integers."""
    if kind != RowKind.DEPTH or not base <= tick < base + window:
        return False
    key, reach = (tick, reach_bid) if side >= 0 else (-tick, reach_ask)
    return key < reach or (key == reach and size != 0)


@pytest.mark.parametrize("seed", range(examples(60, 6)))
def test_blocks_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, window = LANES + 5, int(rng.choice([64, 1 << 15]))
    middle = int(rng.choice([0, 1000, -500, NARROW - 100, -NARROW + 100]))
    base = middle - window // 2
    tick = middle + rng.integers(-6, 7, rows)
    edges = np.array([base - 1, base, base + window - 1, base + window])
    odd = rng.random(rows) < 0.3
    tick[odd] = rng.choice(np.concatenate([edges, EXTREMES]), int(odd.sum()))
    side = rng.choice([-1, 0, 1], rows).astype(np.int8)
    size = rng.integers(0, 3, rows).astype(np.int32)
    kind = rng.choice([1, 1, 1, 1, 1, 2, 4, -1], rows).astype(np.int8)
    best_bid, best_ask = middle + int(rng.integers(-3, 1)), middle + int(rng.integers(1, 4))
    if seed % 5 == 0:
        best_bid, best_ask = NO_BID, NO_ASK
    rule = (base, window, best_bid, -best_ask)
    for row in range(rows - LANES + 1):
        found = int(bits_of_block(tick.astype(np.int32), side, size, kind, row, *rule))
        for i in range(LANES):
            at = row + i
            asked = (int(tick[at]), int(side[at]), int(size[at]), int(kind[at]))
            assert bool(found >> i & 1) == is_plain(*asked, *rule), (row, i, asked, rule)
        assert found >> LANES == 0


@pytest.mark.parametrize(
    ("bits", "zeros"), [(0, 64), (1, 0), (8, 3), (-1, 0), (-(2**63), 63), (~0xFFFF, 16)]
)
def test_zeros_at_the_end(bits: int, zeros: int) -> None:
    assert zeros_of(bits) == zeros


def test_a_record_is_copied_whole() -> None:
    kind = np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2", (3,)), ("d", "i4")], align=True)
    rows = np.zeros(3, kind)
    rows[0] = (7, -0.0, (1, 2, 3), -5)
    rows[2] = (1, 1.0, (9, 9, 9), 9)
    before = rows.copy()
    copy_first(rows)
    for name in kind.names or ():
        assert rows[name][1].tobytes() == before[name][0].tobytes()
        assert rows[name][[0, 2]].tobytes() == before[name][[0, 2]].tobytes()
