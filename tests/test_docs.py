"""The pages of the documentation: their tables are fresh, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import mmquant as mm
from mmquant.core.dtypes import QUOTE, VIEW, OrderEvent, OrderState, Reason
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
