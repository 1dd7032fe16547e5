"""What a live run needs before it may send anything, and that accounts stay out of sight."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import mmquant as mm
from mmquant import cli
from mmquant.brokers.ibkr_privacy import HIDDEN, HideAccounts
from mmquant.errors import ConfigError, UsageError
from mmquant.live.modes import CONFIRMATION, Mode, check_account, check_settings
from mmquant.trading.hard_limits import unset_hard_limits

AAPL = Path(__file__).parents[2] / "mmquant" / "strategies" / "live" / "aapl.yaml"


def settings(*sets: str) -> mm.Config:
    return mm.Config.load(AAPL, env={}, sets=sets)


def test_the_example_sets_every_hard_limit() -> None:
    assert unset_hard_limits(settings()) == []


@pytest.mark.parametrize(
    ("mode", "sets", "confirmed", "found"),
    [
        (Mode.DRY_RUN, ["limits.max_loss_ccy=null"], "", "limits.max_loss_ccy"),
        (Mode.PAPER, ["limits.max_messages=null"], "", "limits.max_messages"),
        (Mode.PAPER, ["ibkr.port=7496"], "", "port of live trading"),
        (Mode.PAPER, ["ibkr.port=4001"], "", "port of live trading"),
        (Mode.LIVE, ["ibkr.port=4001"], CONFIRMATION, "needs the account by name"),
        (Mode.LIVE, ["ibkr.port=4001", "ibkr.account=DU7"], CONFIRMATION, "paper trading"),
        (Mode.LIVE, ["ibkr.port=4002", "ibkr.account=U7"], CONFIRMATION, "paper trading"),
        (Mode.LIVE, ["ibkr.port=4001", "ibkr.account=U7"], "", "not confirmed"),
        (Mode.LIVE, ["ibkr.port=4001", "ibkr.account=U7"], "live", "not confirmed"),
    ],
)
def test_what_is_missing_or_of_the_other_kind_is_refused(
    mode: Mode, sets: list[str], confirmed: str, found: str
) -> None:
    with pytest.raises((ConfigError, UsageError), match=found):
        check_settings(settings(*sets), mode, confirmed)


def test_what_is_complete_may_run() -> None:
    check_settings(settings(), Mode.DRY_RUN)
    check_settings(settings("ibkr.port=7497"), Mode.PAPER)
    check_settings(settings("ibkr.port=4001", "ibkr.account=U7"), Mode.LIVE, CONFIRMATION)


@pytest.mark.parametrize(
    ("account", "mode", "fits"),
    [
        ("DU7", Mode.PAPER, True), ("U7", Mode.PAPER, False), ("U7", Mode.LIVE, True),
        ("DU7", Mode.LIVE, False), ("U7", Mode.DRY_RUN, True), ("DU7", Mode.DRY_RUN, True),
    ],
)  # fmt: skip
def test_the_account_that_is_found_must_be_of_the_kind(
    account: str, mode: Mode, fits: bool
) -> None:
    if fits:
        check_account(account, mode)
        return
    with pytest.raises(UsageError) as refused:
        check_account(account, mode)
    assert account not in str(refused.value)


def test_a_configuration_is_never_written_with_its_account() -> None:
    config = settings("ibkr.account=U7654321")
    assert config.ibkr.account == config.replaced({"seed": 3}).ibkr.account == "U7654321"
    for text in (repr(config), config.to_yaml(), str(config.as_dict())):
        assert "U7654321" not in text


def test_accounts_are_hidden_in_logs(caplog: pytest.LogCaptureFixture) -> None:
    hide = HideAccounts()
    hide.learn(["U7", "U7654321", ""])
    log = logging.getLogger("tests.accounts")
    log.addFilter(hide)
    log.warning("201 of %s: no funds in %s", 7, "U7654321 or U7")
    log.warning("nothing in it")
    assert caplog.messages == [f"201 of 7: no funds in {HIDDEN} or {HIDDEN}", "nothing in it"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--paper", "--live"], 2, "give one of"),
        (["--paper", "--set", "ibkr.port=4001"], 2, "port of live trading"),
        (["--live", "--set", "ibkr.port=4001", "--set", "ibkr.account=U7"], 2, "not confirmed"),
        (["--paper", "--set", "ibkr.instruments=[]"], 2, "no instrument is named"),
        (["--set", "limits.price_collar_bps=null"], 2, "hard limits"),
    ],
)
def test_the_command_refuses(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    folder = tmp_path / "run"
    assert cli.main(["live", str(AAPL), "--run", str(folder), *arguments]) == code
    heard = capsys.readouterr().err
    assert said in heard and "U7" not in heard
    assert not folder.exists()
