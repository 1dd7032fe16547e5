"""How much a live run may do: a dry run sends nothing, paper has play money, live is real."""

from __future__ import annotations

from enum import StrEnum

from mmquant.config import Config
from mmquant.errors import ConfigError, UsageError
from mmquant.trading.hard_limits import check_hard_limits

LIVE_PORTS = (4001, 7496)
PAPER_PORTS = (4002, 7497)
PAPER_PREFIX = "DU"
CONFIRMATION = "LIVE"


class Mode(StrEnum):
    """How much a live run may do."""

    DRY_RUN = "dry-run"
    PAPER = "paper"
    LIVE = "live"


def check_settings(config: Config, mode: Mode, confirmed: str = "") -> None:
    """Before anything is connected.

    Raises
    ------
    ConfigError
        where a hard limit is unset, or port or account are of the other kind.
    UsageError
        where real money was not confirmed.
    """
    check_hard_limits(config)
    settings = config.ibkr
    if mode is Mode.PAPER and settings.port in LIVE_PORTS:
        raise ConfigError(
            f"{settings.port} is the port of live trading",
            where="ibkr.port",
            fix="paper trading has 4002 (IB Gateway) and 7497 (TWS)",
        )
    if mode is not Mode.LIVE:
        return
    if not settings.account:
        raise ConfigError(
            "live trading needs the account by name",
            where="ibkr.account",
            fix="write it in the configuration, or in MMQUANT__IBKR__ACCOUNT",
        )
    if settings.account.startswith(PAPER_PREFIX) or settings.port in PAPER_PORTS:
        raise ConfigError(
            "account or port are those of paper trading",
            where="ibkr",
            fix="use --paper, or the live account and its port (4001, 7496)",
        )
    if confirmed != CONFIRMATION:
        raise UsageError(
            "live trading was not confirmed, and nothing was sent", fix=f"type {CONFIRMATION}"
        )


def check_account(account: str, mode: Mode) -> None:
    """Raise UsageError where the account that was found is of the other kind. Does not name it."""
    paper = account.startswith(PAPER_PREFIX)
    if mode is Mode.PAPER and not paper:
        raise UsageError(
            "this login has no paper account: its name does not begin with DU",
            fix="log in to TWS or IB Gateway with the paper user",
        )
    if mode is Mode.LIVE and paper:
        raise UsageError("this login has a paper account", fix="use --paper")
