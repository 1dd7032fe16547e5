"""Write the tables of the documentation that come from the code: ``python -m tests.docs_pages``.

A page holds markers, ``<!-- table NAME: python -m tests.docs_pages -->`` and ``<!-- end -->``;
what stands between them is written here, and ``tests/test_docs.py`` fails where it is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests import docs_controls, docs_models, docs_options, docs_results, docs_tables

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?P<head><!-- table (?P<name>[\w.-]+): python -m tests\.docs_pages -->\n)"
    r".*?(?P<tail><!-- end -->)",
    re.DOTALL,
)
TABLES: dict[str, Callable[[], str]] = (
    docs_tables.TABLES
    | docs_results.TABLES
    | docs_models.TABLES
    | docs_controls.TABLES
    | docs_options.TABLES
)


def filled(text: str) -> str:
    """The text of a page with all its tables written anew. Raises KeyError on an unknown one."""
    return BLOCK.sub(lambda found: found["head"] + TABLES[found["name"]]() + found["tail"], text)


def tables_in(text: str) -> list[str]:
    """Names of the tables that a page holds."""
    return [found["name"] for found in BLOCK.finditer(text)]


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--check", action="store_true", help="write nothing; exit code 4 where stale")
    a = p.parse_args(argv)
    stale = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            stale += 1
            if not a.check:
                page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}: {'stale' if a.check else 'written'}\n")
    return 4 if a.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
