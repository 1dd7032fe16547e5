"""How american options and cash dividends are valued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mmquant.core.american import ACCURATE, FAST, HIGH
from mmquant.core.american_dividends import ESCROWED, SPOT
from mmquant.errors import UsageError

Accuracy = Literal["fast", "accurate", "high"]
DividendModel = Literal["escrowed", "spot"]

ACCURACIES = {"fast": FAST, "accurate": ACCURATE, "high": HIGH}
DIVIDEND_MODELS = {"escrowed": ESCROWED, "spot": SPOT}


@dataclass(frozen=True)
class Settings:
    """What `price` and its like were asked for. Raises UsageError on an unknown name."""

    accuracy: Accuracy = "fast"
    dividends: DividendModel = "escrowed"

    def __post_init__(self) -> None:
        for name, kind in (("accuracy", Accuracy), ("dividends", DividendModel)):
            said, known = getattr(self, name), get_args(kind)
            if said not in known:
                raise UsageError(f"unknown {name} {said!r}", fix=f"use one of {', '.join(known)}")

    @property
    def accuracy_code(self) -> int:
        return ACCURACIES[self.accuracy]

    @property
    def dividend_code(self) -> int:
        return DIVIDEND_MODELS[self.dividends]

    @property
    def spans(self) -> bool:
        """Whether american options with cash dividends go the fast way, where it applies."""
        return self.accuracy == "fast" and self.dividends == "escrowed"
