"""Checkpoints: what is packed comes back bit for bit, and of executions only those in use are."""

from __future__ import annotations

import numpy as np
import pytest

import mmquant as mm
from mmquant.core.dtypes import EXECUTED
from mmquant.core.executions import grow_executions, make_executions
from mmquant.data.store.state import pack_state, unpack_state
from mmquant.errors import DataError
from mmquant.live.recovery import fresh_step
from mmquant.trading.halves import open_session


def local_half(max_executions: int):
    config = mm.Config.from_dict({"journal": {"max_executions": max_executions}})
    tape = mm.make_demo_tape(seed=1, minutes=0.05)
    return fresh_step(open_session(config, tape), keep_logs=False).local


def filled(rows: int, used: int, seed: int) -> np.ndarray:
    """A table with random rows in use, those at both ends among them, padding and all."""
    rng = np.random.default_rng(seed)
    raw = np.zeros((rows, EXECUTED.itemsize), np.uint8)
    places = rng.choice(np.arange(1, rows - 1), used - 2, replace=False)
    places = np.concatenate([[0, rows - 1], places])
    raw[places] = rng.integers(0, 256, (used, EXECUTED.itemsize))
    table = raw.reshape(-1).view(EXECUTED)
    table["used"][places] = 1
    return table


@pytest.mark.parametrize(("rows", "used"), [(8, 2), (64, 20), (4096, 2048)])
def test_a_table_comes_back_row_by_row(rows, used):
    like = local_half(4)
    state = like._replace(executed=filled(rows, used, seed=rows))
    data = pack_state(state)
    back = unpack_state(data, like)
    assert back.executed.tobytes() == state.executed.tobytes()
    assert pack_state(back) == data
    back.executed["lots"] = 1
    assert back.executed.flags.writeable


def test_an_empty_table_and_a_grown_one():
    like = local_half(4)
    for table in (make_executions(16), grow_executions(filled(4096, 2000, seed=3))):
        state = like._replace(executed=table)
        assert unpack_state(pack_state(state), like).executed.tobytes() == table.tobytes()


def test_a_checkpoint_is_as_long_as_the_executions_in_use():
    like = local_half(4)
    sizes = {}
    for rows, used in ((1 << 12, 100), (1 << 18, 100), (1 << 18, 1100)):
        sizes[rows, used] = len(pack_state(like._replace(executed=filled(rows, used, seed=1))))
    assert abs(sizes[1 << 18, 100] - sizes[1 << 12, 100]) < 10, "free rows cost nothing"
    grown = sizes[1 << 18, 1100] - sizes[1 << 18, 100]
    assert abs(grown - 1000 * (EXECUTED.itemsize + 8)) < 10


def test_another_layout_is_refused():
    like = local_half(4)
    other = like._replace(executed=np.zeros(8, [("used", np.int8), ("id", np.int64)]))
    with pytest.raises(DataError, match="executed"):
        unpack_state(pack_state(other), like)
