"""What all tests share: the real data folder, and the mark for plain-Python runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CORE = Path(__file__).parent / "core"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of kernels also run as plain Python, unless marked ``compiled``."""
    for item in items:
        if CORE in item.path.parents and item.get_closest_marker("compiled") is None:
            item.add_marker(pytest.mark.plain)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """``real_data("folder/file")`` is that file of MMQUANT_REAL_DATA; skips where it is missing."""

    def find(name: str) -> Path:
        folder = os.environ.get("MMQUANT_REAL_DATA", "")
        if not folder:
            pytest.skip(f"MMQUANT_REAL_DATA is unset: {name} not tested")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"MMQUANT_REAL_DATA has no {name}")
        return path

    return find
