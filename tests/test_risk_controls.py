"""Each control of the page is there: its keys, its reasons, its test; and none claims too much."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from mmquant.config import Config
from mmquant.core.dtypes import Reason
from mmquant.trading.hard_limits import HARD_LIMITS
from tests.docs_controls import CONTROLS, Control
from tests.docs_tables import config_keys

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "market_making" / "risk_controls.md"


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_control_names_what_exists(control: Control) -> None:
    keys = {key for key, _ in config_keys(Config)}
    assert set(control.keys) <= keys
    assert all(isinstance(reason, Reason) for reason in control.reasons)
    file, _, name = control.test.partition("::")
    assert (ROOT / file).is_file()
    assert not name or name in names_in(file)


def test_names_are_unique_and_hard_limits_are_all_on_the_page() -> None:
    names = [control.name for control in CONTROLS]
    assert len(names) == len(set(names))
    shown = {key for control in CONTROLS for key in control.keys}
    assert {key for keys in HARD_LIMITS.values() for key in keys} <= shown


def test_each_reason_to_pull_or_deny_has_a_control() -> None:
    """But those of a strategy's own, which are no controls."""
    own = {"PULL_STRATEGY", "PULL_NO_THEO", "PULL_WINDOW", "PULL_SIDE", "PULL_AFTER_FILL",
           "PULL_PRICE_BOUND", "PULL_INVENTORY", "PULL_NO_SIGNAL"}  # fmt: skip
    known = {reason.name for control in CONTROLS for reason in control.reasons}
    pulls = {name for name in Reason.__members__ if name.startswith("PULL_")}
    assert pulls - own - known == set()


def test_the_page_claims_no_compliance() -> None:
    text = PAGE.read_text(encoding="utf-8").lower()
    assert "aligned with" in text
    assert "compliant with" not in text.replace("never “compliant with”", "")
