"""Own orders at the levels where they rest, and which of them stand at one place of the queue.

A level has a list of lines in order of time, a line a list of nodes. Orders that joined a level
with the same quantity ahead of them, and nothing traded there since, stay alike until one of them
alone is filled: what moves the queue is worked out once for their line, however many they are.
A node is an own order, or a note of how much of a level's displayed size one strategy set has taken
since the level's last row; notes have a line of their own.
"""

from __future__ import annotations

import numpy as np

from mmquant.core.jit import inner_kernel

FREE = 0
RESTING = 1
TAKEN = 2
QUEUED = 0
HIDDEN = 1
NOTES = 2

NODE = np.dtype(
    [
        ("order_id", np.int64),
        ("expire_ts", np.int64),
        ("tick", np.int32),
        ("lots", np.int32),
        ("leaves", np.int32),
        ("prev", np.int32),
        ("next", np.int32),
        ("line", np.int32),
        ("set", np.int32),
        ("inst", np.int16),
        ("side", np.int8),
        ("order_type", np.int8),
        ("state", np.int8),
    ],
    align=True,
)
"""An own order, or a note of lots taken (in ``leaves``)."""

LINE = np.dtype(
    [
        ("front", np.float64),
        ("traded", np.float64),
        ("first", np.int32),
        ("last", np.int32),
        ("prev", np.int32),
        ("next", np.int32),
        ("kind", np.int32),
    ],
    align=True,
)
"""Nodes that share a place in a level's queue: units ``front`` ahead of them, and ``traded`` at the
level since its last row. ``prev`` of a level's first line is its last."""


def make_lines(count: int) -> np.ndarray:
    """So many free lines, each chained to the next."""
    line = np.zeros(count, LINE)
    line["next"] = np.arange(1, count + 1)
    line["next"][-1] = -1
    return line


@inner_kernel
def new_line(exchange, kind, front, traded):
    """A line that belongs to no level yet. There are as many as nodes."""
    clock = exchange.state[0]
    at = clock["spare_line"]
    line = exchange.line[at]
    clock["spare_line"] = line["next"]
    line["front"] = front
    line["traded"] = traded
    line["first"] = -1
    line["last"] = -1
    line["next"] = -1
    line["kind"] = kind
    return at


@inner_kernel
def free_line(exchange, at):
    """Give an empty line back."""
    clock = exchange.state[0]
    exchange.line[at]["next"] = clock["spare_line"]
    clock["spare_line"] = at


@inner_kernel
def add_line(exchange, cell, at):
    """Add a line behind all others of a level."""
    level = exchange.book.level[cell]
    line = exchange.line
    if level["head"] == 0:
        line[at]["prev"] = at
        level["head"] = at + 1
        return
    head = np.int64(level["head"]) - 1
    tail = np.int64(line[head]["prev"])
    line[tail]["next"] = at
    line[at]["prev"] = tail
    line[head]["prev"] = at


@inner_kernel
def drop_line(exchange, cell, at):
    """Take an empty line out of a level's list and free it."""
    level = exchange.book.level[cell]
    line = exchange.line
    head = np.int64(level["head"]) - 1
    after = np.int64(line[at]["next"])
    before = np.int64(line[at]["prev"])
    if head == at:
        level["head"] = after + 1
        if after >= 0:
            line[after]["prev"] = before
    else:
        line[before]["next"] = after
        line[after if after >= 0 else head]["prev"] = before
    free_line(exchange, at)


@inner_kernel
def add_node(exchange, at, n):
    """Add a node behind all others of a line."""
    line = exchange.line[at]
    node = exchange.node
    last = np.int64(line["last"])
    node[n]["line"] = at
    node[n]["prev"] = last
    node[n]["next"] = -1
    if last < 0:
        line["first"] = n
    else:
        node[last]["next"] = n
    line["last"] = n


@inner_kernel
def append_node(exchange, cell, n, kind, front):
    """Let a node stand behind all others of its level, with ``front`` units ahead of it."""
    head = np.int64(exchange.book.level[cell]["head"]) - 1
    at = np.int64(-1)
    if head >= 0:
        tail = np.int64(exchange.line[head]["prev"])
        line = exchange.line[tail]
        if line["kind"] == kind and line["front"] == front and line["traded"] == 0.0:
            at = tail
    if at < 0:
        at = new_line(exchange, kind, front, 0.0)
        add_line(exchange, cell, at)
    add_node(exchange, at, n)


@inner_kernel
def remove_node(exchange, cell, n):
    """Take a node out of its line, and an emptied line out of its level."""
    node = exchange.node
    at = np.int64(node[n]["line"])
    line = exchange.line[at]
    before, after = np.int64(node[n]["prev"]), np.int64(node[n]["next"])
    if before >= 0:
        node[before]["next"] = after
    else:
        line["first"] = after
    if after >= 0:
        node[after]["prev"] = before
    else:
        line["last"] = before
    if line["first"] < 0:
        drop_line(exchange, cell, at)


@inner_kernel
def split_line(exchange, cell, at, n, front, traded):
    """Let a node and all behind it in its line stand in a line of their own; returns that."""
    line = exchange.line
    node = exchange.node
    before = np.int64(node[n]["prev"])
    if before < 0:
        line[at]["front"] = front
        line[at]["traded"] = traded
        return at
    new = new_line(exchange, np.int64(line[at]["kind"]), front, traded)
    after = np.int64(line[at]["next"])
    line[new]["prev"] = at
    line[new]["next"] = after
    line[at]["next"] = new
    head = np.int64(exchange.book.level[cell]["head"]) - 1
    line[after if after >= 0 else head]["prev"] = new
    line[new]["first"] = n
    line[new]["last"] = line[at]["last"]
    line[at]["last"] = before
    node[before]["next"] = -1
    node[n]["prev"] = -1
    while n >= 0:
        node[n]["line"] = new
        n = np.int64(node[n]["next"])
    return new


@inner_kernel
def notes_of(exchange, cell):
    """Line of a level that has its notes, or -1."""
    at = np.int64(exchange.book.level[cell]["head"]) - 1
    while at >= 0 and exchange.line[at]["kind"] != NOTES:
        at = np.int64(exchange.line[at]["next"])
    return at


@inner_kernel
def free_notes(exchange, cell, at):
    """Forget what was taken of a level."""
    clock = exchange.state[0]
    node = exchange.node
    n = np.int64(exchange.line[at]["first"])
    while n >= 0:
        following = np.int64(node[n]["next"])
        node[n]["state"] = FREE
        node[n]["next"] = clock["spare_note"]
        clock["spare_note"] = n
        n = following
    drop_line(exchange, cell, at)
