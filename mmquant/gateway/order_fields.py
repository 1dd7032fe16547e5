"""All fields of an order: read from placeOrder, and said again in openOrder, at each version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmquant.gateway.reference import ContractQuery
from mmquant.gateway.wire import UNSET_DOUBLE, UNSET_INT, Fields, WireError

UNSET = UNSET_DOUBLE
CONDITION_FIELDS = {1: 6, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5}
"""Fields of a condition by its type, the type itself left out."""
PEG_MID = ("PEG MID", "PEGMID", "MIDPRICE")
PEG_BEST = ("PEG BEST", "PEGBEST")
PEG_BENCH = ("PEG BENCH", "PEGBENCH")
FIRST = (
    "action quantity:f order_type limit:f aux:f tif oca_group account open_close origin:i ref "
    "transmit:b parent:i block:b sweep:b display:i trigger_method:i outside_rth:b hidden:b"
)
MIDDLE = (
    "short_sale_slot:i designated_location exempt_code:i oca_type:i rule80a settling_firm "
    "all_or_none:b min_qty:u percent_offset:f e_trade_only:b firm_quote_only:b nbbo_cap:f "
    "auction_strategy:i starting_price:f stock_ref_price:f delta:f range_lower:f range_upper:f "
    "override:b volatility:f volatility_type:u dn_type dn_aux:f"
)
NEUTRAL = "dn_con dn_firm dn_account dn_intent dn_open_close dn_short dn_slot dn_location"
TRAILING = "continuous:b reference_type:u trail_stop:f trailing_percent:f scale_init:u scale_subs:u"
SCALE = (
    "scale_adjust scale_interval scale_profit scale_reset scale_position scale_fill scale_random"
)
BENCH = "bench_con bench_decrease bench_change bench_reference bench_exchange"
LAST = (
    "adjusted_type trigger_price:f limit_offset:f adjusted_stop:f adjusted_stop_limit:f "
    "adjusted_trailing:f adjusted_unit:i ext_operator tier_name tier_value cash_qty:f mifid_maker "
    "mifid_algo mifid_trader mifid_trader_algo no_auto_hedge:b oms:b discretionary_to_limit:b "
    "price_algo"
)


@dataclass
class Leg:
    """One leg of a combination."""

    con_id: int
    ratio: int
    action: str
    exchange: str
    rest: tuple[str, ...] = ("0", "0", "", "-1")


@dataclass
class OrderSpec:
    """An order as a client sent it; ``more`` holds what only comes back in openOrder."""

    order_id: int
    query: ContractQuery
    legs: list[Leg] = field(default_factory=list)
    leg_prices: list[str] = field(default_factory=list)
    smart_params: list[str] = field(default_factory=list)
    algo: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    scale_increment: float = UNSET
    good_till: str = ""
    good_after: str = ""
    what_if: bool = False
    min_trade: int = UNSET_INT
    compete_size: int = UNSET_INT
    compete_offset: float = UNSET
    mid_whole: float = UNSET
    mid_half: float = UNSET
    more: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        more = self.__dict__.get("more", {})
        if name in more:
            return more[name]
        raise AttributeError(name)

    @property
    def side(self) -> int:
        """+1 for a buyer, -1 for a seller."""
        return 1 if self.action == "BUY" else -1


def read_named(fields: Fields, names: str, into: dict[str, Any]) -> None:
    """Read by name: ``:f`` a decimal, ``:i`` whole, ``:u`` whole or not set, ``:b`` a flag."""
    for name in names.split():
        name, _, kind = name.partition(":")
        if kind == "f":
            into[name] = fields.decimal()
        elif kind == "i":
            into[name] = fields.whole()
        elif kind == "u":
            into[name] = fields.whole(UNSET_INT)
        elif kind == "b":
            into[name] = fields.flag()
        else:
            into[name] = fields.text()


def read_order(fields: Fields, version: int) -> OrderSpec:
    """An order from the fields behind the message id. Raises WireError."""
    spec = OrderSpec(fields.whole(), ContractQuery.read(fields))
    more = spec.more
    fields.skip(2)
    read_named(fields, FIRST, more)
    if spec.query.sec_type == "BAG":
        _read_legs(fields, spec)
    fields.skip(1)
    more["discretionary"] = fields.decimal(0.0)
    spec.good_after, spec.good_till = fields.text(), fields.text()
    read_named(fields, "fa_group fa_method fa_percentage", more)
    more["fa_profile"] = fields.text() if version < 177 else ""
    more["model"] = fields.text()
    read_named(fields, MIDDLE, more)
    if more["dn_type"]:
        read_named(fields, NEUTRAL, more)
    _read_second_half(fields, spec, version)
    return spec


def _read_legs(fields: Fields, spec: OrderSpec) -> None:
    for _ in range(fields.count(20)):
        leg = Leg(fields.whole(), fields.whole(), fields.text(), fields.text())
        leg.rest = (fields.text(), fields.text(), fields.text(), fields.text())
        spec.legs.append(leg)
    spec.leg_prices = [fields.text() for _ in range(fields.count(20))]
    spec.smart_params = [fields.text() for _ in range(2 * fields.count(20))]


def _read_second_half(fields: Fields, spec: OrderSpec, version: int) -> None:
    more = spec.more
    read_named(fields, TRAILING, more)
    spec.scale_increment = fields.decimal()
    if 0.0 < spec.scale_increment < UNSET:
        read_named(fields, SCALE, more)
    read_named(fields, "scale_table active_start active_stop hedge_type", more)
    more["hedge_param"] = fields.text() if more["hedge_type"] else ""
    read_named(fields, "opt_out:b clearing_account clearing_intent not_held:b", more)
    if fields.flag():
        fields.skip(3)
    more["algo_strategy"] = fields.text()
    if more["algo_strategy"]:
        spec.algo = [fields.text() for _ in range(2 * fields.count())]
    more["algo_id"] = fields.text()
    spec.what_if = fields.flag()
    read_named(fields, "misc solicited:b random_size:b random_price:b", more)
    if more["order_type"] in PEG_BENCH:
        read_named(fields, BENCH, more)
    _read_conditions(fields, spec)
    read_named(fields, LAST, more)
    more["duration"] = fields.whole(UNSET_INT) if version >= 158 else UNSET_INT
    more["post_to_ats"] = fields.whole(UNSET_INT) if version >= 160 else UNSET_INT
    more["cancel_parent"] = fields.flag() if version >= 162 else False
    more["error_override"] = fields.text() if version >= 166 else ""
    more["manual_time"] = fields.text() if version >= 169 else ""
    if version >= 170:
        _read_pegs(fields, spec)


def _read_conditions(fields: Fields, spec: OrderSpec) -> None:
    for _ in range(fields.count(20)):
        kind = fields.whole()
        if kind not in CONDITION_FIELDS:
            raise WireError(f"condition type {kind}", fix=f"use one of {list(CONDITION_FIELDS)}")
        spec.conditions += [str(kind), *(fields.text() for _ in range(CONDITION_FIELDS[kind]))]
        spec.more["conditions"] = spec.more.get("conditions", 0) + 1
    if spec.conditions:
        read_named(fields, "conditions_ignore_rth:b conditions_cancel:b", spec.more)


def _read_pegs(fields: Fields, spec: OrderSpec) -> None:
    if spec.query.exchange == "IBKRATS":
        spec.min_trade = fields.whole(UNSET_INT)
    if spec.order_type in PEG_BEST:
        spec.compete_size, spec.compete_offset = fields.whole(UNSET_INT), fields.decimal()
        if spec.compete_offset == float("inf"):
            spec.mid_whole, spec.mid_half = fields.decimal(), fields.decimal()
    elif spec.order_type in ("PEG MID", "PEGMID"):
        spec.mid_whole, spec.mid_half = fields.decimal(), fields.decimal()
