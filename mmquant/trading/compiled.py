"""The compiled loop, driven: compiled once for any strategy, given room when it asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from mmquant.core import tape_loop
from mmquant.core.book import grow_book
from mmquant.core.dtypes import NEVER, Reason, Status
from mmquant.core.exchange import grow_rings
from mmquant.core.executions import grow_executions
from mmquant.core.jit import DISABLED, compile_for
from mmquant.core.local import CANARY_ROWS, Local
from mmquant.data.mapping import PIECE_ROWS, give_back, map_of
from mmquant.errors import DataError, MMQuantError, UsageError
from mmquant.trading.halves import Halves
from mmquant.trading.logs import Logs
from mmquant.trading.strategy import QUOTE_FUNCTION, Strategy


def bind(function: Any, arguments: tuple[Any, ...], place: int) -> Any:
    """A kernel compiled for these arguments with a strategy as argument ``place``."""
    if DISABLED:
        return function
    signature = tuple(
        QUOTE_FUNCTION if i == place else numba.typeof(x) for i, x in enumerate(arguments)
    )
    return compile_for(function, signature)


def loop_arguments(halves: Halves) -> tuple[Any, ...]:
    """What the compiled loop takes."""
    return (
        halves.local,
        halves.exchange,
        halves.tape,
        halves.clock,
        halves.ring,
        halves.inbox,
        halves.strategy.quote,
        halves.actions,
        halves.message,
    )


def bind_loop(halves: Halves) -> Any:
    """The loop, compiled or loaded from the cache."""
    return bind(tape_loop.run, loop_arguments(halves), 6)


def run_halves(
    halves: Halves, *, loop: Any = None, progress: Callable[[int, int], None] | None = None
) -> tuple[Halves, Logs]:
    """Run a pairing over its tape to the end, by a loop that is bound already or else bound here.

    Raises
    ------
    MMQuantError
        where the strategy writes past its rows, or more messages are on their way than expected.
    """
    logs = Logs(halves.tape.exch_ts)
    loop = loop or bind_loop(halves)
    pauses = progress is not None or any(map_of(column) is not None for column in halves.tape)
    halves.clock["pause_row"] = PIECE_ROWS if pauses else NEVER
    while True:
        status = int(loop(*loop_arguments(halves)))
        check_sets(halves)
        if status == Status.END:
            halves.local = logs.take_over(halves.local)
            give_back(halves.tape, 0, len(halves.tape.exch_ts))
            return halves, logs
        logs.drain(halves.local)
        make_room(halves, status)
        if progress is not None:
            progress(int(halves.exchange.state[0]["row"]), len(halves.tape.exch_ts))


def make_room(halves: Halves, status: int) -> None:
    """Give the loop what it asks for, or say why it cannot go on."""
    if status == Status.LOG_FULL:
        return
    if status == Status.PAUSED:
        pass_on(halves)
        return
    if status == Status.EXECUTIONS_FULL:
        halves.local = with_more_executions(halves.local)
        return
    if status == Status.BOOK_FULL:
        halves.exchange = halves.exchange._replace(book=grow_book(halves.exchange.book))
        halves.local = halves.local._replace(book=grow_book(halves.local.book))
        return
    if status == Status.RING_FULL and not halves.exchange.state[0]["status"]:
        halves.exchange = grow_rings(halves.exchange)
        return
    row = int(halves.exchange.state[0]["row"])
    if status == Status.BAD_ROW:
        raise DataError("the tape has a row of unknown kind", where=f"row {row}")
    if status in (Status.RING_FULL, Status.NODES_FULL):
        raise no_room(Status(status), row)
    raise MMQuantError(f"the engine stopped with status {status}", where=f"row {row}")


def pass_on(halves: Halves) -> None:
    """Give back the tape's pages that both halves have passed, and move the pause on.

    Rows that come late are looked at once more, hence those of the piece before too.
    """
    at, tape = int(halves.exchange.state[0]["row"]), halves.tape
    passed = min(at, int(halves.clock[0]["local_row"])) if halves.clock[0]["two_books"] else at
    give_back(tape, passed - 2 * PIECE_ROWS, passed)
    halves.clock["pause_row"] = at + PIECE_ROWS


def with_more_executions(local: Local) -> Local:
    """The same local half with room for twice as many executions."""
    return local._replace(executed=grow_executions(local.executed))


def no_room(status: Status, row: int) -> MMQuantError:
    """What to say when an exchange half has no room left."""
    what = {
        Status.RING_FULL: "more order messages are on their way than the engine has room for",
        Status.NODES_FULL: "one strategy has taken size from more price levels than it can note",
    }[status]
    return MMQuantError(what, where=f"row {row}", fix="raise limits.max_open_orders")


def check_sets(halves: Halves) -> None:
    """Raise if a strategy broke its contract."""
    broken = halves.local.set["status"] == int(Status.QUOTES_OVERRUN)
    if broken.any():
        raise overrun(halves.strategy, len(halves.local.quote) - CANARY_ROWS)


def overrun(strategy: Strategy, rows: int) -> UsageError:
    """What to say of a strategy that wrote more quotes than there are rows."""
    return UsageError(
        f"strategy {strategy.name!r} wrote or returned more than {rows} quotes",
        where=f"reason {Reason.BAD_QUOTE.name}",
        fix=f"write quotes[0] to quotes[{rows - 1}] only, and return how many",
    )
