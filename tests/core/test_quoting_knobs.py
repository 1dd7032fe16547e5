"""Each parameter of the built-in quoting has a table test, and makes a difference in it."""

from __future__ import annotations

from typing import Any

import pytest

from mmquant.core.maker_params import FIELDS
from tests.core import test_layers, test_quoting, test_quoting_models, test_quoting_time
from tests.core.makers import Case

TABLES = (test_quoting, test_layers, test_quoting_models, test_quoting_time)
CASES: list[Case] = [case for table in TABLES for case in table.CASES]
ELSEWHERE = test_quoting_time.LIFETIMES
NAMES = [field.name for field in FIELDS]
OTHERS: dict[str, Any] = {field.name: field.default for field in FIELDS} | {
    "order_lots": 1,
    "half_spread_ticks": 0,
}


def test_each_parameter_has_a_case() -> None:
    assert {case.knob for case in CASES} - {""} | ELSEWHERE == set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ELSEWHERE])
def test_each_parameter_makes_a_difference(name: str) -> None:
    """A case that gave the same without its parameter would not test it."""
    size = next(field.size for field in FIELDS if field.name == name)
    other = [OTHERS[name]] * size if size else OTHERS[name]
    cases = [case for case in CASES if case.knob == name and name in case.params]
    wanted = [[rows for _, rows in case.steps] for case in cases]
    changed = [case.answers(**{name: other}) for case in cases]
    assert cases and changed != wanted
