"""Historical bars and ticks: not built yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmquant.gateway.session import Handler, Session

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway


class History:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def handlers(self) -> dict[int, Handler]:
        return {}

    def note(self, rows: np.ndarray) -> None:
        pass

    def close_before(self, inst: int) -> float:
        return 0.0

    def forget(self, session: Session) -> None:
        pass
