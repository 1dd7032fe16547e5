"""Dated commission schedules: what a broker charges an order, fill by fill.

Unlike the rates of ``fees``, which a backtest charges each fill, these have tiers by the volume of
the month, a least charge an order and a largest part of its value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mmquant.data.ladders import as_date
from mmquant.errors import DataError

FOLDER = Path(__file__).parent / "fee_schedules" / "commissions"
SECTIONS = {
    "stock": {
        "per_share", "min_order", "max_share_of_value", "add_per_share", "remove_per_share",
        "clearing_per_share", "pass_through",
    },
    "option": {
        "per_contract", "min_order", "regulatory_per_contract", "clearing_per_contract",
        "clearing_most",
    },
    "sells": {"of_value", "per_share", "most_per_trade", "per_contract"},
}  # fmt: skip


@dataclass
class OrderCharge:
    """What an order was charged so far."""

    shares: float = 0.0
    value: float = 0.0
    commission: float = 0.0
    charged: float = 0.0


@dataclass
class Commissions:
    """A schedule on a date. ``month`` counts shares and contracts of the month so far."""

    name: str
    source: str
    applied_from: str
    stock: dict[str, Any]
    option: dict[str, Any]
    sells: dict[str, Any]
    month: dict[str, float] = field(default_factory=lambda: {"stock": 0.0, "option": 0.0})

    def charge(
        self, order: OrderCharge, *, option: bool, side: int, quantity: float, price: float,
        multiplier: float = 1.0, maker: bool = False,
    ) -> float:  # fmt: skip
        """Charge of one fill, with which ``order`` goes on. [currency]

        The least charge of an order falls on its first fills, and is no part of later ones.
        """
        kind = "option" if option else "stock"
        rules = self.option if option else self.stock
        value = quantity * price * multiplier
        order.shares += quantity
        order.value += value
        order.commission += self._own(option, quantity, price)
        self.month[kind] += quantity
        due = max(order.commission, rules["min_order"])
        if not option:
            due = min(due, rules["max_share_of_value"] * order.value)
        due -= order.charged
        order.charged += due
        return due + self._others(option, side, quantity, value, maker, due)

    def _own(self, option: bool, quantity: float, price: float) -> float:
        """The broker's own part, by the tiers that the month has reached."""
        if not option:
            return _tiered(self.stock["per_share"], self.month["stock"], quantity)
        tiers = [[start, _by_premium(rates, price)] for start, rates in self.option["per_contract"]]
        return _tiered(tiers, self.month["option"], quantity)

    def _others(
        self, option: bool, side: int, quantity: float, value: float, maker: bool, own: float
    ) -> float:
        """Fees of exchanges, clearing and regulators."""
        sells = self.sells if side < 0 else dict.fromkeys(self.sells, 0.0)
        fees = sells["of_value"] * value
        if option:
            rules = self.option
            fees += rules["regulatory_per_contract"] * quantity
            fees += min(rules["clearing_per_contract"] * quantity, rules["clearing_most"])
            return float(fees + sells["per_contract"] * quantity)
        rules = self.stock
        fees += min(sells["per_share"] * quantity, sells["most_per_trade"])
        fees += rules["add_per_share" if maker else "remove_per_share"] * quantity
        fees += min(rules["clearing_per_share"] * quantity, 0.005 * value)
        return float(fees + rules["pass_through"] * own)


def commission_names() -> list[str]:
    """Names of the schedules that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_commissions(schedule: str | Path, date: str) -> Commissions:
    """A schedule on a trade date (ISO), by name or by the path of a YAML file.

    A date before the first entry takes that entry.

    Raises
    ------
    DataError
        where the schedule is unknown, or its file is not one.
    """
    as_date(date, "date")
    shipped = str(schedule) in commission_names()
    path = FOLDER / f"{schedule}.yaml" if shipped else Path(schedule).expanduser()
    if not path.is_file():
        raise DataError(
            f"there is no commission schedule {str(schedule)!r}",
            fix=f"use {' or '.join(commission_names())}, or the path of a YAML file",
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = [{**entry, "from_date": str(entry["from_date"])} for entry in content["entries"]]
        known = [entry for entry in entries if entry["from_date"] <= date]
        entry = known[-1] if known else entries[0]
        for section, keys in SECTIONS.items():
            if set(entry[section]) != keys:
                raise KeyError(f"{section} has not the keys {', '.join(sorted(keys))}")
        return Commissions(
            str(content["name"]), str(entry["source"]).strip(), entry["from_date"],
            entry["stock"], entry["option"], entry["sells"],
        )  # fmt: skip
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"commission schedule: the file is not one ({error})",
            where=str(path),
            fix=f"write it like {FOLDER / 'ibkr_fixed.yaml'}",
        ) from None


def _tiered(tiers: list[list[float]], done: float, quantity: float) -> float:
    """A quantity at the rates of the tiers that it falls into."""
    total = 0.0
    for i, (start, rate) in enumerate(tiers):
        end = tiers[i + 1][0] if i + 1 < len(tiers) else float("inf")
        total += rate * max(min(done + quantity, end) - max(done, start), 0.0)
    return total


def _by_premium(rates: list[list[float]], price: float) -> float:
    """Rate of the first premium that a price reaches."""
    for least, rate in rates:
        if price >= least:
            return rate
    return rates[-1][1]
