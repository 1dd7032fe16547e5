"""``python -m mmquant``."""

from mmquant.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
