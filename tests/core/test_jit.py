"""The decorator: caches that cannot be stale, bounds checks, and no call that would crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmquant.core import jit
from mmquant.core.exchange import book_mid

READ_PAST_THE_END = """
from mmquant.core.book import make_book, lots_at
book = make_book(2, window=64, far=16)
one = book._replace(side=book.side[:1])
print(lots_at(one, 1, 0, 5))
"""
"""The second instrument is there in memory, but not in the array."""


def run(code: str, cache: Path, **flags: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    env = clean | {"MMQUANT_CACHE_DIR": str(cache)} | flags
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300
    )


@pytest.mark.compiled
def test_bounds_are_checked_when_asked_even_with_unchecked_code_in_the_cache(
    tmp_path: Path,
) -> None:
    unchecked = run(READ_PAST_THE_END, tmp_path)
    assert unchecked.stdout.strip() == "0", unchecked.stderr
    checked = run(READ_PAST_THE_END, tmp_path, NUMBA_BOUNDSCHECK="1")
    assert checked.returncode != 0
    assert "IndexError" in checked.stderr
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("flag", ["NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_DEBUGINFO"])
def test_the_digest_depends_on_the_flags(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(flag, "0")
    before = jit.code_digest()
    monkeypatch.setenv(flag, "1")
    assert jit.code_digest() != before
    monkeypatch.setenv(flag, "0")
    assert jit.code_digest() == before


def test_the_digest_depends_on_every_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    before = jit.code_digest()
    (tmp_path / "a.py").write_text("x = 2\n")
    assert jit.code_digest() != before


def test_the_cache_goes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMQUANT_CACHE_DIR", str(tmp_path / "here"))
    assert jit.cache_root() == tmp_path / "here"
    monkeypatch.delenv("MMQUANT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jit.cache_root() == tmp_path / "mmquant"


@pytest.mark.compiled
@pytest.mark.skipif(jit.DISABLED, reason="plain Python kernels can all be called")
def test_a_kernel_for_kernels_refuses_a_call_from_python() -> None:
    with pytest.raises(TypeError, match="book_mid is called by kernels only"):
        book_mid(None, 0)


COUNTS_FROM_THE_END = """
import numba
import numpy as np
from mmquant.core.jit import kernel

@kernel
def last(x, i):
    return x[i]

@kernel
def fixed(x):
    return x[-1]

@numba.njit
def of_a_user(x, i):
    return x[i] + x[-1]

x = np.arange(4.0)
print(last(x, 3), of_a_user(x, -2))
try:
    fixed(x)
except Exception as error:
    print("must not count from the end" in str(error))
print(last(x, -1))
"""


@pytest.mark.compiled
def test_kernels_count_from_the_start_alone_and_others_as_always(tmp_path: Path) -> None:
    """With bounds checks, an index below 0 is told."""
    script = tmp_path / "counts.py"
    script.write_text(COUNTS_FROM_THE_END)
    code = f"import runpy; runpy.run_path({str(script)!r})"
    checked = run(code, tmp_path / "cache", NUMBA_BOUNDSCHECK="1")
    assert checked.stdout.splitlines() == ["3.0 5.0", "True"], checked.stderr
    assert "IndexError" in checked.stderr
