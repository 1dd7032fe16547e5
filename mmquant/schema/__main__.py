"""Write the page of all tables: ``python -m mmquant.schema [PATH]``."""

from __future__ import annotations

import sys
from pathlib import Path

from mmquant.schema.page import PAGE, render

if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(PAGE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{path}\n")
