"""Small questions: the next order id, the time, the account, and what needs no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

if TYPE_CHECKING:
    from mmquant.gateway.server import Gateway


class BasicDesk:
    """Answers that need no other desk."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def handlers(self) -> dict[int, Handler]:
        """What this desk serves, by message id."""
        silent: dict[int, Handler] = dict.fromkeys((12, 13, 14, 90), _nothing)
        return silent | {
            8: self._next_ids,
            15: self._auto_bind,
            17: self._managed,
            49: self._current_time,
            79: self._soft_dollar_tiers,
            80: self._families,
            85: self._news_providers,
            104: self._user,
        }

    def _next_ids(self, session: Session, fields: Fields) -> None:
        session.send(9, 1, self._gateway.orders.next_id(session.client_id or 0))

    def _current_time(self, session: Session, fields: Fields) -> None:
        session.send(49, 1, self._gateway.now() // 1_000_000_000)

    def _managed(self, session: Session, fields: Fields) -> None:
        session.send(15, 1, self._gateway.settings.account)

    def _families(self, session: Session, fields: Fields) -> None:
        session.send(78, 1, self._gateway.settings.account, "")

    def _user(self, session: Session, fields: Fields) -> None:
        session.send(107, fields.whole(), "")

    def _auto_bind(self, session: Session, fields: Fields) -> None:
        fields.skip(1)
        session.auto_bind = fields.flag()
        if session.auto_bind and session.client_id != 0:
            session.error(-1, 327, "Only the default client (0) can auto bind orders")

    def _soft_dollar_tiers(self, session: Session, fields: Fields) -> None:
        session.send(77, fields.whole(), 0)

    def _news_providers(self, session: Session, fields: Fields) -> None:
        session.send(85, 0)


def _nothing(session: Session, fields: Fields) -> None:
    """Requests that need no answer."""
