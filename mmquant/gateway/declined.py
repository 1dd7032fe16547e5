"""Requests that are known and not simulated: each is answered by an error of its own request."""

from __future__ import annotations

from dataclasses import dataclass

from mmquant.gateway.session import Handler, Session
from mmquant.gateway.wire import Fields

NO_GROUP = "Error validating request: there are no display groups"
NO_HISTORY = "Historical Market Data Service error message:"
FA_ONLY = (
    "Error validating request.-'cG' : cause - FA data operations ignored for non FA customers."
)


@dataclass(frozen=True)
class Decline:
    """Answers a request by an error; ``before``: fields in front of its request id."""

    code: int
    message: str
    before: int = 0
    has_id: bool = True

    def __call__(self, session: Session, fields: Fields) -> None:
        """Send the error."""
        fields.skip(self.before)
        session.error(fields.whole() if self.has_id else -1, self.code, self.message)


def handlers() -> dict[int, Handler]:
    """What is declined, or answered by an empty list, by message id."""
    cancels: dict[int, Handler] = dict.fromkeys((23, 53, 70, 89, 101, 103), _nothing)
    return cancels | {
        18: Decline(321, FA_ONLY, has_id=False),
        19: Decline(321, FA_ONLY, before=3),
        21: Decline(321, "Error validating request: exercise is not simulated", before=1),
        22: Decline(162, f"{NO_HISTORY}scanners are not simulated"),
        24: _scanner_parameters,
        52: Decline(
            430, "We are sorry, but fundamentals data for the security specified is not available.",
            before=1,
        ),
        67: _no_groups,
        68: Decline(321, NO_GROUP, before=1),
        69: Decline(321, NO_GROUP, before=1),
        84: Decline(10172, "Failed to request news article:No data available"),
        86: Decline(10276, "News feed is not allowed"),
        88: Decline(162, f"{NO_HISTORY}histograms are not simulated"),
        100: Decline(10276, "News feed is not allowed"),
        102: Decline(10276, "News feed is not allowed"),
    }  # fmt: skip


def _scanner_parameters(session: Session, fields: Fields) -> None:
    session.send(19, 1, '<?xml version="1.0" encoding="UTF-8"?><ScanParameterResponse/>')


def _no_groups(session: Session, fields: Fields) -> None:
    fields.skip(1)
    session.send(67, 1, fields.whole(), "")


def _nothing(session: Session, fields: Fields) -> None:
    """What was declined needs no cancel."""
