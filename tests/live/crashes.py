"""A live run in a child process that dies where it is told to."""

from __future__ import annotations

import os
import signal
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmquant.core.dtypes import ACTION, ActionKind, MsgKind, OrderEvent
from mmquant.data.store import journal as journal_module
from mmquant.data.store.run_folder import RunFolder
from mmquant.live.loop import LiveLoop
from mmquant.live.recovery import open_live
from mmquant.trading.halves import Session
from tests.live.exchange_server import ExchangeServer, SocketBroker

POINTS = (
    "before the journal",
    "half a frame",
    "after the journal",
    "after the send",
    "while a fill is booked",
    "among the cancels of a kill",
    "at a checkpoint",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingJournal:
    """A journal in front of the true one."""

    def __init__(self, journal: Any, point: str, count: int) -> None:
        self._journal, self._point, self._left = journal, point, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def _now(self) -> bool:
        self._left -= 1
        return self._left == 0

    def step(self, messages: np.ndarray, actions: memoryview, n: int, ts: int) -> None:
        point = self._point
        kinds = messages["kind"] == int(MsgKind.ORDER)
        filled = bool((messages["event"][kinds] == int(OrderEvent.EXECUTION)).any())
        sends = n > 0 and _places(actions, n) > 0
        if point == "before the journal" and sends and self._now():
            die()
        if point == "while a fill is booked" and filled and self._now():
            die()
        if point == "half a frame" and sends and self._now():
            real = os.write
            journal_module.os.write = lambda fd, data: (real(fd, data[: len(data) // 2]), die())  # type: ignore[assignment]
        self._journal.step(messages, actions, n, ts)
        if point == "after the journal" and sends and self._now():
            die()

    def checkpoint(self, state: list, ts: int) -> None:
        if self._point == "at a checkpoint" and self._now():
            journal_module.os.writev = (
                lambda fd, parts: (  # type: ignore[assignment]
                    os.write(fd, b"".join(parts)[:1000]),
                    die(),
                )
            )
        self._journal.checkpoint(state, ts)


class DyingBroker(SocketBroker):
    """A broker that dies after, or within, a send."""

    point, left, killing = "", 0, False

    def send(self, actions: np.ndarray, n: int, ts: int) -> None:
        kinds = actions["kind"][:n]
        cancels = int((kinds == int(ActionKind.CANCEL)).sum())
        if self.point == "among the cancels of a kill" and self.killing and cancels > 1:
            super().send(actions, int(np.flatnonzero(kinds == int(ActionKind.CANCEL))[0]) + 1, ts)
            die()
        super().send(actions, n, ts)
        if self.point == "after the send" and (kinds == int(ActionKind.PLACE)).any():
            self.left -= 1
            if self.left == 0:
                die()


def _places(actions: memoryview, n: int) -> int:
    rows = np.frombuffer(actions[: n * ACTION.itemsize], ACTION)
    return int((rows["kind"] == int(ActionKind.PLACE)).sum())


def run_child(
    server: ExchangeServer,
    folder: Path,
    session: Session,
    *,
    point: str = "",
    count: int = 1,
    kill_after: int = 0,
    prepare: Callable[[LiveLoop], None] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Run until the market ends or death; returns the wait status, and what the child found.

    ``kill_after``: killed by the exchange after so many requests.
    """
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(read)
        _child(theirs, write, folder, session, point, count, prepare)
    theirs.close()
    os.close(write)
    last = server.requests + kill_after
    server.serve(ours, (lambda at: pid if at == last else 0) if kill_after else None)
    ours.close()
    with os.fdopen(read, "rb") as pipe:
        report = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return status, (eval(report.decode()) if report else {})


def _child(
    line: socket.socket,
    write: int,
    folder: Path,
    session: Session,
    point: str,
    count: int,
    prepare: Callable[[LiveLoop], None] | None,
) -> None:
    """What the child does; it never returns."""
    code = 1
    try:
        broker = DyingBroker(line)
        broker.point, broker.left = point, count
        loop, found = open_live(RunFolder(folder), session, broker)
        loop.journal = DyingJournal(loop.journal, point, count)  # type: ignore[assignment]
        if prepare is not None:
            prepare(loop)
        loop.run()
        os.write(write, repr(state_of(loop, found)).encode())
        code = 0
    except BaseException as error:
        os.write(write, repr({"error": repr(error)}).encode())
    finally:
        os._exit(code)


def state_of(loop: LiveLoop, found: Any) -> dict[str, Any]:
    """What the local half holds at the end."""
    local = loop.step.local
    live = local.order[local.live[0, : int(local.set[0]["live"])]]
    return {
        "lots": [int(x) for x in local.position["lots"]],
        "cash": [float(x) for x in local.position["cash"]],
        "fees": [float(x) for x in local.position["fees"]],
        "live": {
            int(o["order_id"]): (
                int(o["side"]), int(o["tick"]), int(o["lots"]), int(o["lots"] - o["filled"])
            )
            for o in live
        },
        "states": sorted({int(o["state"]) for o in live}),
        "blocked": int(local.set[0]["blocked"]),
        "link": int(local.set[0]["link"]),
        "verified": loop.switch.verified,
        "escalated": loop.switch.escalated,
        "put_aside": found.put_aside if found else [],
        "replayed": found.frames if found else 0,
    }  # fmt: skip
