"""Orders by hand on a running loop: the verbs of `OrderManager`, put to it from another thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from threading import get_ident
from typing import TYPE_CHECKING

import numpy as np

from mmquant.core.local import Local
from mmquant.data.tape import contracts_of
from mmquant.errors import UsageError
from mmquant.live.inbox import Request
from mmquant.trading.local_port import After, Before, Port
from mmquant.trading.order_manager import OrderManager

if TYPE_CHECKING:
    from mmquant.live.loop import LiveLoop
    from mmquant.trading.halves import Session

WAIT_S = 10.0
"""A request that the loop has not taken by then is withdrawn."""


class LivePort(Port):
    """The local half of a running loop. It takes what is asked after its next decision."""

    def __init__(self, loop: LiveLoop, session: Session, wait_s: float = WAIT_S) -> None:
        super().__init__(session.config, contracts_of(session.tape), session.tape.attrs["date"])
        self._loop, self._wait_s = loop, wait_s

    @property
    def local(self) -> Local:
        """The state of the local half, which goes on changing."""
        return self._loop.step.local

    @property
    def now(self) -> int:
        """Time of what the loop did last. [ns]"""
        return self._loop.now

    def ask(
        self,
        message: np.ndarray,
        before: Callable[[], Before],
        after: Callable[[Before, int, np.ndarray], After],
    ) -> After:
        """As `Port.ask`, by the loop, in its own thread and in its journal; waits for that.

        Raises UsageError where the loop is over, does not take the request in time (it is then
        withdrawn), or would have to wait for itself.
        """
        if self._loop.inbox.thread == get_ident() and not self._loop.inbox.closed:
            raise UsageError(
                "the loop cannot wait for itself", fix="ask from another thread than the loop's"
            )
        request = Request(before, after)
        self._loop.inbox.post(message, request)
        try:
            return request.future.result(self._wait_s)
        except TimeoutError:
            if not request.future.cancel():
                return request.future.result()
            raise UsageError(
                f"the loop took no request in {self._wait_s:g} s: this one is withdrawn",
                fix="start the loop, in a thread of its own",
            ) from None
        except CancelledError:
            raise UsageError("the request is withdrawn", fix="ask again") from None


def live_orders(loop: LiveLoop, session: Session) -> OrderManager:
    """Orders by hand on a loop that runs in another thread: `OrderManager`, all but ``pump``.

    A request passes the same checks as a quote, and is in the loop's journal.
    """
    return OrderManager.of(LivePort(loop, session))
