"""An order's fields as they are said again in openOrder and completedOrder, at each version."""

from __future__ import annotations

from mmquant.gateway.order_fields import BENCH, PEG_BENCH, SCALE, UNSET, OrderSpec
from mmquant.gateway.wire import UNSET_INT


def open_order_fields(
    contract: tuple[object, ...],
    spec: OrderSpec,
    version: int,
    *,
    order_id: int,
    client_id: int,
    perm_id: int,
    status: str,
    margins: tuple[float, ...] = (UNSET,) * 9,
    commission: float = UNSET,
    warning: str = "",
) -> list[object]:
    """Fields of openOrder at a server version."""
    m = spec.more
    limit = 0.0 if m["limit"] == UNSET else m["limit"]
    aux = 0.0 if m["aux"] == UNSET else m["aux"]
    out: list[object] = [5, order_id, *contract, m["action"], m["quantity"], m["order_type"]]
    out += [limit, aux, m["tif"] or "DAY", m["oca_group"], m["account"], m["open_close"]]
    out += [m["origin"], m["ref"], client_id, perm_id, m["outside_rth"], m["hidden"]]
    out += [m["discretionary"], spec.good_after]
    out += [f"{perm_id}.0/{m['account']}/{m['quantity']:g}"]
    out += [m["fa_group"], m["fa_method"], m["fa_percentage"]]
    out += [m["fa_profile"]] if version < 177 else []
    out += [m["model"], spec.good_till, m["rule80a"], _blank(m["percent_offset"])]
    out += [m["settling_firm"], m["short_sale_slot"], m["designated_location"], m["exempt_code"]]
    out += [m["auction_strategy"]]
    out += [_blank(m[x]) for x in ("starting_price", "stock_ref_price", "delta")]
    out += [_blank(m["range_lower"]), _blank(m["range_upper"])]
    out += [m["display"] or UNSET_INT, m["block"], m["sweep"], m["all_or_none"]]
    out += [_unset(m["min_qty"])]
    out += [m["oca_type"] or 3, False, False, _blank(m["nbbo_cap"]), m["parent"]]
    out += [m["trigger_method"], _blank(m["volatility"])]
    out += [0 if m["volatility_type"] == UNSET_INT else m["volatility_type"]]
    out += ["None", "", "0", "", "", "", "?", "0", "0", ""]
    out += [m["continuous"], 0 if m["reference_type"] == UNSET_INT else m["reference_type"]]
    out += [_blank(m["trail_stop"]), _blank(m["trailing_percent"]), "", "", ""]
    out += [len(spec.legs)]
    for leg in spec.legs:
        out += [leg.con_id, leg.ratio, leg.action, leg.exchange, *leg.rest]
    out += [len(spec.leg_prices), *spec.leg_prices]
    out += [len(spec.smart_params) // 2, *spec.smart_params]
    out += [m["scale_init"], m["scale_subs"], *_scale(spec)]
    out += [m["hedge_type"], *([m["hedge_param"]] if m["hedge_type"] else [])]
    out += [m["opt_out"], m["clearing_account"], m["clearing_intent"] or "IB", m["not_held"]]
    out += [False, m["algo_strategy"]]
    out += [len(spec.algo) // 2, *spec.algo] if m["algo_strategy"] else []
    out += [m["solicited"], spec.what_if, status, *margins, _blank(commission), "", ""]
    out += ["USD" if commission < UNSET else "", warning, m["random_size"], m["random_price"]]
    if m["order_type"] in PEG_BENCH:
        out += [m[name] for name in BENCH.split()]
    out += [m.get("conditions", 0), *spec.conditions]
    out += [m["conditions_ignore_rth"], m["conditions_cancel"]] if spec.conditions else []
    return out + _open_order_end(spec, version)


def _open_order_end(spec: OrderSpec, version: int) -> list[object]:
    m = spec.more
    out: list[object] = [m["adjusted_type"] or "None"]
    out += [m["trigger_price"], m["trail_stop"], m["limit_offset"], m["adjusted_stop"]]
    out += [m["adjusted_stop_limit"], m["adjusted_trailing"], m["adjusted_unit"]]
    out += [
        m["tier_name"],
        m["tier_value"],
        "",
        0 if m["cash_qty"] == UNSET else m["cash_qty"],
        m["no_auto_hedge"],
    ]
    out += [m["oms"], m["discretionary_to_limit"], m["price_algo"] or "0"]
    out += [_unset(m["duration"])] if version >= 159 else []
    out += [_unset(m["post_to_ats"])] if version >= 160 else []
    out += [m["cancel_parent"]] if version >= 162 else []
    if version >= 170:
        out += [_unset(spec.min_trade), _unset(spec.compete_size)]
        out += ["Infinity" if spec.compete_offset == float("inf") else _blank(spec.compete_offset)]
        out += [_blank(spec.mid_whole), _blank(spec.mid_half)]
    return out


def _scale(spec: OrderSpec) -> list[object]:
    if not 0.0 < spec.scale_increment < UNSET:
        return [""]
    return [spec.scale_increment, *(spec.more[name] for name in SCALE.split())]


def _blank(value: float) -> object:
    return "" if value == UNSET else value


def _unset(value: int) -> object:
    return "" if value == UNSET_INT else value


def completed_order_fields(
    contract: tuple[object, ...],
    spec: OrderSpec,
    version: int,
    *,
    perm_id: int,
    status: str,
    filled: float,
    time: str,
) -> list[object]:
    """Fields of completedOrder at a server version."""
    m = spec.more
    limit = 0.0 if m["limit"] == UNSET else m["limit"]
    aux = 0.0 if m["aux"] == UNSET else m["aux"]
    out: list[object] = [101, *contract, m["action"], m["quantity"], m["order_type"]]
    out += [limit, aux, m["tif"] or "DAY", m["oca_group"], m["account"], m["open_close"]]
    out += [m["origin"], m["ref"], perm_id, m["outside_rth"], m["hidden"]]
    out += [m["discretionary"], spec.good_after, m["fa_group"], m["fa_method"], m["fa_percentage"]]
    out += [m["fa_profile"]] if version < 177 else []
    out += [m["model"], spec.good_till, m["rule80a"], _blank(m["percent_offset"])]
    out += [m["settling_firm"], m["short_sale_slot"], m["designated_location"], m["exempt_code"]]
    out += [_blank(m[x]) for x in ("starting_price", "stock_ref_price", "delta")]
    out += [_blank(m["range_lower"]), _blank(m["range_upper"]), m["display"] or "", m["sweep"]]
    out += [m["all_or_none"], m["min_qty"], m["oca_type"] or 3, m["trigger_method"]]
    out += [_blank(m["volatility"])]
    out += [0 if m["volatility_type"] == UNSET_INT else m["volatility_type"]]
    out += ["None", "", "0", False, "0", "", m["continuous"], 0]
    out += [_blank(m["trail_stop"]), _blank(m["trailing_percent"]), "", 0, 0, 0]
    out += [_unset(m["scale_init"]), _unset(m["scale_subs"]), *_scale(spec)]
    out += [m["hedge_type"], *([m["hedge_param"]] if m["hedge_type"] else [])]
    out += [m["clearing_account"], m["clearing_intent"] or "IB", m["not_held"], False]
    out += [m["algo_strategy"]]
    out += [len(spec.algo) // 2, *spec.algo] if m["algo_strategy"] else []
    out += [m["solicited"], status, m["random_size"], m["random_price"]]
    if m["order_type"] in PEG_BENCH:
        out += [m[name] for name in BENCH.split()]
    out += [m.get("conditions", 0), *spec.conditions]
    out += [m["conditions_ignore_rth"], m["conditions_cancel"]] if spec.conditions else []
    out += [m["trail_stop"], m["limit_offset"], _blank(m["cash_qty"]), m["no_auto_hedge"]]
    out += [m["oms"], "", filled, UNSET_INT, m["cancel_parent"], "", False, False, 2**63 - 1]
    out += [time, f"{status}"]
    if version >= 170:
        out += [_unset(spec.min_trade), _unset(spec.compete_size)]
        out += ["Infinity" if spec.compete_offset == float("inf") else _blank(spec.compete_offset)]
        out += [_blank(spec.mid_whole), _blank(spec.mid_half)]
    return out
