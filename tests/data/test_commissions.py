"""Commission schedules against Interactive Brokers' own examples and hand-made sums."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmquant.data.commissions import OrderCharge, commission_names, load_commissions
from mmquant.errors import DataError


def own(schedule: str, *fills: tuple[float, float], option: bool = False) -> list[float]:
    """What the broker itself charges each fill of an order, without others' fees."""
    plan = load_commissions(schedule, "2026-06-01")
    for section in (plan.stock, plan.option):
        for key in section:
            if key.endswith(("per_contract", "per_share")) and key not in (
                "per_contract",
                "per_share",
            ):
                section[key] = 0.0
    plan.stock["pass_through"] = 0.0
    order = OrderCharge()
    return [
        plan.charge(
            order, option=option, side=1, quantity=q, price=p, multiplier=100 if option else 1
        )
        for q, p in fills
    ]


@pytest.mark.parametrize(
    ("schedule", "quantity", "price", "expected"),
    [("ibkr_fixed", 100, 25.0, 1.00), ("ibkr_fixed", 1_000, 25.0, 5.00),
     ("ibkr_fixed", 1_000, 0.25, 2.50), ("ibkr_tiered", 100, 25.0, 0.35),
     ("ibkr_tiered", 1_000, 25.0, 3.50), ("ibkr_tiered", 10, 1.0, 0.10)],
)  # fmt: skip
def test_stock_orders(schedule, quantity, price, expected) -> None:
    assert own(schedule, (quantity, price)) == [pytest.approx(expected)]


@pytest.mark.parametrize(("premium", "rate"), [(0.10, 0.65), (0.05, 0.50), (0.04, 0.25)])
def test_options_by_premium(premium, rate) -> None:
    assert own("ibkr_tiered", (10, premium), option=True) == [pytest.approx(10 * rate)]
    assert own("ibkr_tiered", (1, premium), option=True) == [pytest.approx(1.00)]


def test_the_least_charge_is_due_once() -> None:
    charges = own("ibkr_fixed", (50, 25.0), (50, 25.0), (200, 25.0))
    assert charges == [pytest.approx(x) for x in (1.00, 0.0, 0.50)]


def test_tiers_of_the_worked_example() -> None:
    """30 million shares added at NASDAQ: tiers 1050 + 5400 + 25500 + 10000, exchange, clearing."""
    plan = load_commissions("ibkr_tiered", "2026-06-01")
    assert sum(own("ibkr_tiered", (30e6, 50.0))) == pytest.approx(1050 + 5400 + 25500 + 10000)
    plan.stock["pass_through"] = 0.0
    total = plan.charge(OrderCharge(), option=False, side=1, quantity=30e6, price=50.0, maker=True)
    assert total == pytest.approx(1050 + 5400 + 25500 + 10000 - 63000 + 6000)


def test_sales_pay_the_regulators_of_their_date() -> None:
    def of_sale(date: str) -> float:
        plan = load_commissions("ibkr_fixed", date)
        sale = plan.charge(OrderCharge(), option=False, side=-1, quantity=1_000, price=100.0)
        return sale - 5.0

    assert of_sale("2025-02-01") == pytest.approx(100_000 * 27.8e-6 + 0.166)
    assert of_sale("2025-06-01") == pytest.approx(0.166)
    assert of_sale("2026-02-01") == pytest.approx(0.195)
    assert of_sale("2026-06-01") == pytest.approx(100_000 * 20.6e-6 + 0.195)


def test_schedules_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    assert commission_names() == ["ibkr_fixed", "ibkr_tiered"]
    for name in commission_names():
        plan = load_commissions(name, "2026-06-01")
        assert plan.source
        assert plan.applied_from == "2026-04-04"
    assert load_commissions("ibkr_fixed", "2020-01-01").applied_from == "2025-01-01"
    path = tmp_path / "mine.yaml"
    for text in ("{", "name: x", "name: x\nentries: []"):
        path.write_text(text)
        with pytest.raises(DataError):
            load_commissions(path, "2026-06-01")
    with pytest.raises(DataError, match="ibkr_fixed"):
        load_commissions("none", "2026-06-01")
