"""Every notebook runs from its first cell to its last, and is stored without outputs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL_S = 120
"""A guard against a cell that hangs; on a cold cache the first run compiles the engine."""


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_notebooks_are_numbered_without_gaps() -> None:
    numbers = [int(re.fullmatch(r"(\d\d)_[a-z0-9_]+", path.stem)[1]) for path in NOTEBOOKS]  # type: ignore[index]
    assert numbers == list(range(1, len(NOTEBOOKS) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_has_no_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[] for _ in code]
    assert [cell.execution_count for cell in code] == [None for _ in code]
    assert notebook.cells[0].source.startswith(f"# {int(path.name[:2])}. ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_in_the_list(path: Path) -> None:
    assert f"({path.name})" in (path.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMQUANT_FAST", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read(path)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(
        notebook, timeout=LONGEST_CELL_S, kernel_name="python3", resources=where
    ).execute()
    said = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.text for output in said if output.get("name") == "stderr"]
