"""The pages of the documentation: their tables are fresh, their links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import mmquant as mm
from mmquant import cli
from mmquant.core.dtypes import QUOTE, VIEW, OrderEvent, OrderState, Reason
from mmquant.data.hand_fields import WHAT
from tests import docs_pages
from tests.docs_words import EVENT_WORDS, QUOTE_WORDS, REASON_WORDS, STATE_WORDS, VIEW_WORDS

ROOT = Path(__file__).parents[1]
TEXT_PAGES = [*docs_pages.PAGES, *ROOT.glob("*/README.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(?:    )?```(\w*)\n(.*?)^(?:    )?```", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", docs_pages.PAGES, ids=name_of)
def test_tables_are_fresh(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert docs_pages.filled(text) == text, "run: python -m tests.docs_pages"


def test_every_table_stands_on_a_page() -> None:
    shown = {name for page in docs_pages.PAGES for name in docs_pages.tables_in(page.read_text())}
    assert shown == set(docs_pages.TABLES)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (VIEW_WORDS, VIEW.names),
        (QUOTE_WORDS, QUOTE.names),
        (REASON_WORDS, tuple(Reason.__members__)),
        (STATE_WORDS, tuple(OrderState.__members__)),
        (EVENT_WORDS, tuple(OrderEvent.__members__)),
    ],
)
def test_words_are_of_names_that_exist(words: dict, names: tuple[str, ...]) -> None:
    assert tuple(words) == names


@pytest.mark.parametrize("page", TEXT_PAGES, ids=name_of)
def test_links_lead_to_files(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
    missing = [x for x in targets if x and "://" not in x and not (page.parent / x).exists()]
    assert missing == []


@pytest.mark.parametrize("page", TEXT_PAGES, ids=name_of)
def test_yaml_on_a_page_is_a_configuration(page: Path) -> None:
    for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == "yaml" and "entries:" not in text:
            mm.Config.from_dict(yaml.safe_load(text.replace("\n  on:", "\n  'on':")))


@pytest.mark.parametrize("page", TEXT_PAGES, ids=name_of)
def test_python_on_a_page_compiles(page: Path) -> None:
    for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            compile(text, name_of(page), "exec")


def test_the_readmes_strategy_runs(tmp_path: Path) -> None:
    blocks = [text for kind, text in FENCE.findall((ROOT / "README.md").read_text())
              if kind == "python" and "@mm.strategy" in text]  # fmt: skip
    assert blocks
    tape = mm.make_demo_tape(minutes=2)
    for text in blocks:
        file = tmp_path / "my_quotes.py"
        file.write_text(text)
        name = re.search(r"^def (\w+)\(view", text, re.MULTILINE)[1]  # type: ignore[index]
        config = mm.Config.from_dict({"strategy": {"file": str(file), "function": name}})
        assert len(mm.backtest(config, tape).fills) > 0


def names_of(group: Any, *before: str) -> list[tuple[str, ...]]:
    """All commands of a group, with the groups that they are in."""
    found = []
    for name, command in group.commands.items():
        below = hasattr(command, "commands")
        found += names_of(command, *before, name) if below else [(*before, name)]
    return found


def test_the_readme_lists_every_command() -> None:
    """``mmquant config check`` as ``config`` and ``check`` on one row of the table."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| command | what it does |")
    rows = [row for row in table[2].splitlines() if row.startswith("| `mmquant")]
    shown = [re.findall(r"[a-z][a-z-]*", " ".join(re.findall("`([^`]*)`", row))) for row in rows]
    commands = names_of(typer.main.get_command(cli.app))
    assert ("journal", "replay") in commands and ("backtest",) in commands
    missing = [one for one in commands if not any(set(one) <= set(words) for words in shown)]
    assert missing == []


def test_the_help_of_hand_names_all_that_can_be_set() -> None:
    hand = typer.main.get_command(cli.app).commands["hand"]  # type: ignore[attr-defined]
    text = next(one.help for one in hand.params if one.name == "what")
    assert re.findall(r"\w+", text.replace(" or ", " ")) == list(WHAT)


@pytest.mark.parametrize("page", ["options", "quoting_models", "strategies"])
def test_python_on_a_page_runs_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "market_making" / f"{page}.md").read_text(encoding="utf-8")
    blocks = [code for kind, code in FENCE.findall(text) if kind == "python"]
    assert blocks
    file = tmp_path / f"{page}.py"  # strategies ask for the file that they are in
    file.write_text("\n".join(blocks))
    runpy.run_path(str(file))
