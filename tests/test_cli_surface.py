"""The command that fits a surface: what it refuses before the fit, and what it names after it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmquant as mm
from mmquant.cli import main


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs ``surface`` on a made-up chain: exit code, lines of stdout, text of stderr."""
    monkeypatch.chdir(tmp_path)
    mm.write_option_quotes(mm.make_demo_chain().isel(time=slice(0, 1)), "chain.parquet")

    def run(*arguments: str) -> tuple[int, list[str], str]:
        code = main(["surface", "chain.parquet", *arguments])
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "nan"], "--rate is nan"),
        (["--rate", "inf"], "--rate is inf"),
        (["--out", "surface.parquet"], "ends in .zarr"),
        (["--out", "chain.parquet/x.zarr"], "this is a file"),
        (["--figures", "chain.parquet/x.html"], "this is a file"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_fit(
    arguments: list[str], words: str, command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mmquant.options.surface.fit_surface", lambda *_a, **_k: pytest.fail("it was fitted")
    )
    code, lines, err = command(*arguments)
    assert (code, lines) == (2, []) and words in err and "internal error" not in err


def test_it_ends_with_the_paths_it_wrote(command) -> None:
    code, lines, _ = command("--figures", "page.html")
    assert code == 0 and lines[-1] == "page.html"
    assert "<html" in Path("page.html").read_text()[:500]
