"""Executions by their id: told once however often they are said, and replaced when revised.

An open-addressing table that only grows: a broker repeats the executions of days after a reconnect,
and one that had been dropped from the table would be booked twice.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.dtypes import EXECUTED
from mmquant.core.exchange import units_of
from mmquant.core.jit import inner_kernel, kernel
from mmquant.core.portfolio import fee_of

FIRST_ROWS = 1 << 12


def make_executions(rows: int) -> np.ndarray:
    """An empty table of ``rows`` (a power of two, or 0 for none), all of it in memory at once."""
    table = np.zeros(rows, EXECUTED)
    table.view(np.uint8).fill(0)
    return table


def rows_for(executions: int) -> int:
    """Rows of a table that has room for so many executions."""
    return 1 << (2 * executions + 1).bit_length()


@inner_kernel
def find_execution(table, number):
    """Row of an execution, or the free one that it would take. The table must not be full."""
    mask = table.shape[0] - 1
    mixed = number ^ ((number >> 32) & 0xFFFFFFFF)
    at = (mixed ^ ((mixed >> 15) & 0x1FFFF)) & mask
    while table[at]["used"] != 0 and table[at]["id"] != number:
        at = (at + 1) & mask
    return at


@inner_kernel
def executions_have_room(table, count):
    """Whether one more execution keeps the table at most half full; one of length 0 takes all."""
    return table.shape[0] == 0 or 2 * (count + 1) <= table.shape[0]


@kernel
def copy_executions(table, new):
    """Put all rows of a table into a larger, empty one."""
    for i in range(table.shape[0]):
        if table[i]["used"] != 0:
            new[find_execution(new, np.int64(table[i]["id"]))] = table[i]


def grow_executions(table: np.ndarray) -> np.ndarray:
    """The same executions in a table of twice the size."""
    new = make_executions(max(FIRST_ROWS, 2 * len(table)))
    copy_executions(table, new)
    return new


@inner_kernel
def execution_fee(row, instrument):
    """Fee of an execution as it stands: the given one, or by the rates; none of a bust."""
    lots = np.int64(row["lots"])
    if lots == 0:
        return 0.0
    if row["fee_revision"] >= 0:
        return np.float64(row["given_fee"])
    return fee_of(instrument, row["price"], units_of(instrument, lots), row["liquidity"] > 0)


@inner_kernel
def replace_execution(position, instrument, row, side, lots, price, peer_arithmetic):
    """Let an execution have been another one from the start. Returns the change in spread captured.

    The inventory's gain since then, from ``reference`` to the mark, changes with it, so that equity
    still is spread plus inventory less fees.
    """
    before = np.int64(row["side"]) * np.int64(row["lots"])
    after = side * lots
    per_unit = np.float64(instrument["multiplier"])
    old_units = units_of(instrument, before)
    new_units = units_of(instrument, after)
    reference = np.float64(row["reference"])
    old_price = np.float64(row["price"])
    captured = (reference - price) * new_units * per_unit
    captured -= (reference - old_price) * old_units * per_unit
    gain = (position["mark"] - reference) * (new_units - old_units) * per_unit
    position["lots"] += after - before
    if peer_arithmetic:
        position["units"] += (after - before) * (instrument["lot_num"] / instrument["lot_den"])
    else:
        position["units"] = units_of(instrument, np.int64(position["lots"]))
    position["cash"] += old_price * old_units * per_unit
    position["cash"] -= price * new_units * per_unit
    position["spread_pnl"] += captured
    position["inventory_pnl"] += gain
    position["gross_value"] += abs(price * new_units * per_unit)
    position["gross_value"] -= abs(old_price * old_units * per_unit)
    position["volume"] += abs(new_units) - abs(old_units)
    position["fills"] += (1 if lots > 0 else 0) - (1 if row["lots"] > 0 else 0)
    return captured


@inner_kernel
def patch_fee(position, row, fee):
    """Book another fee for an execution. Returns the change."""
    change = fee - np.float64(row["fee"])
    position["fees"] += change
    row["fee"] = fee
    return change
