"""Places to write to: what cannot be written is refused in words, and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmquant.data import files
from mmquant.data.files import check_file_target, check_writable, written_whole
from mmquant.errors import UsageError


def test_a_new_folder_of_any_depth_can_be_written(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "c.csv")
    with written_whole(tmp_path / "a" / "b" / "c.csv") as temporary:
        temporary.write_text("1")
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["c.csv"]


@pytest.mark.parametrize("below", ["x", "deep/x"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match=r"this is a file, and no folder can be in it — .*file —"):
        check_writable(tmp_path / "file" / below)
    with pytest.raises(UsageError, match="this is a file"), written_whole(tmp_path / "file/x"):
        pytest.fail("there is nowhere to write")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this is a folder, not a file"):
        check_file_target(tmp_path)
    with pytest.raises(UsageError, match="this is a folder"), written_whole(tmp_path):
        pytest.fail("there is nothing to write")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match="this folder cannot be written"):
        check_writable(tmp_path / "x")


def test_what_the_system_refuses_is_told_without_the_temporary_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**names: object) -> tuple[int, str]:
        raise FileNotFoundError(2, "No such file or directory", f"{names['dir']}/.x.a1b2c3")

    monkeypatch.setattr(files.tempfile, "mkstemp", refused)
    with pytest.raises(UsageError) as told, written_whole(tmp_path / "x"):
        pytest.fail("there is nowhere to write")
    assert "nothing can be written here (No such file or directory)" in str(told.value)
    assert "a1b2c3" not in str(told.value)
