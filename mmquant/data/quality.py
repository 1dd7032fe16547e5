"""Quality of data files: strict and lenient reading, and a check of a file as one flat summary."""

from __future__ import annotations

from mmquant.data.quarantine import Quarantine, quarantine_of

__all__ = ["Quarantine", "quarantine_of"]
