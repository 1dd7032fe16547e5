"""Names of accounts stay out of all logs, ours and ib_async's."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

LOGGERS = (
    "ib_async.client", "ib_async.ib", "ib_async.wrapper", "mmquant.brokers.ibkr_link",
    "mmquant.brokers.ibkr_requests", "mmquant.brokers.ibkr_router",
)  # fmt: skip
HIDDEN = "(account)"


class HideAccounts(logging.Filter):
    """Writes HIDDEN in place of every name that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self._names: set[str] = set()
        self._found = re.compile(r"(?!)")

    def learn(self, names: Iterable[str]) -> None:
        """Hide these names too."""
        self._names |= {name for name in names if name}
        ordered = sorted(self._names, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record that names an account; lets all pass."""
        text = record.getMessage()
        hidden = self._found.sub(HIDDEN, text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


HIDE = HideAccounts()


def hide_in_logs(names: Iterable[str]) -> None:
    """Hide these accounts in all that is logged from now on."""
    HIDE.learn(names)
    for name in LOGGERS:
        logging.getLogger(name).addFilter(HIDE)
