"""From the section ``risk`` and the contracts to the guard's arrays: translation only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mmquant.config import Config
from mmquant.config_risk import ResumeRule, RiskConfig, RiskLimit
from mmquant.core.guard_state import (
    DELTA,
    GAMMA,
    GROSS,
    GROSS_DELTA,
    GUARD_PARAM,
    JUMP,
    MARKET,
    NET,
    NET_DELTA,
    POSITION,
    RISK_INST,
    SCOPE,
    SHARES,
    SPREAD,
    VEGA,
    VOLATILITY,
    Guard,
    make_guard,
)
from mmquant.data.contracts import OPTION_KINDS, Contract
from mmquant.errors import ConfigError

TWO_SIDED = {
    NET: "max_net_ccy",
    NET_DELTA: "max_net_delta_ccy",
    DELTA: "max_delta",
    GAMMA: "max_gamma",
    VEGA: "max_vega",
}
GROSS_ONES = {GROSS: "max_gross_ccy", GROSS_DELTA: "max_gross_delta_ccy"}


def is_guarded(risk: RiskConfig) -> bool:
    """Whether anything in the section asks for the guard."""
    return risk != RiskConfig()


def guard_of(config: Config, contracts: Sequence[Contract], sets: int) -> Guard:
    """The guard of a run, without rows where it is off.

    Raises
    ------
    ConfigError
        where a limit names nothing on the tape, or something that it needs is missing.
    """
    risk = config.risk
    if not is_guarded(risk):
        return make_guard()
    _check_signals(config)
    inst = inst_rows(contracts)
    _check_hedge(risk, contracts, inst)
    found = [(limit, *scope) for limit in risk.limits for scope in scopes_of(limit, contracts)]
    scope = np.zeros(len(found), SCOPE)
    member = np.zeros((len(found), len(contracts)), np.int8)
    for i, (limit, _, members) in enumerate(found):
        fill_scope(scope[i], limit, risk)
        scope[i]["first"] = members[0]
        member[i, members] = 1
    return make_guard(param_row(risk), scope, member, inst, sets=sets)


def underlying_of(contract: Contract) -> str:
    """Name of what a contract is written on: the first word of an option's symbol, else its own."""
    return contract.symbol.split()[0] if contract.kind in OPTION_KINDS else contract.symbol


def inst_rows(contracts: Sequence[Contract]) -> np.ndarray:
    """RISK_INST rows: instruments of one underlying share a number, its stock hedges them."""
    names = list(dict.fromkeys(underlying_of(c) for c in contracts))
    out = np.zeros(len(contracts), RISK_INST)
    for row, contract in zip(out, contracts, strict=True):
        name = underlying_of(contract)
        plain = [c.id for c in contracts if c.kind not in OPTION_KINDS and c.symbol == name]
        row["underlying"] = names.index(name)
        row["stock"] = plain[0] if plain else -1
        row["option"] = contract.kind in OPTION_KINDS
    return out


def scopes_of(limit: RiskLimit, contracts: Sequence[Contract]) -> Iterator[tuple[str, list[int]]]:
    """Names and instruments of the scopes that a limit means. Raises ConfigError for none."""
    groups: dict[str, list[int]] = {}
    for contract in contracts:
        for name in _names(limit.scope, contract):
            groups.setdefault(name, []).append(contract.id)
    if limit.name is None:
        chosen = {"account": list(range(len(contracts)))} if limit.scope == "account" else groups
    elif limit.scope == "instrument":
        same = [c.id for c in contracts if limit.name in (c.symbol, str(c.id))]
        chosen = {str(i): [i] for i in same}
    else:
        chosen = {name: ids for name, ids in groups.items() if name == limit.name}
    if not chosen:
        known = ", ".join(groups) or "none"
        raise ConfigError(
            f"a limit of scope {limit.scope} fits nothing on the tape: {limit.name or 'each'}",
            where="risk.limits",
            fix=f"known are: {known}",
        )
    yield from chosen.items()


def _names(scope: str, contract: Contract) -> list[str]:
    if scope == "underlying":
        return [underlying_of(contract)]
    if scope == "option_type":
        return [f"{underlying_of(contract)} {contract.right}"] if contract.right else []
    return [str(contract.id)]


def position_measure(limit: RiskLimit) -> int:
    """What a position counts in: shares that contracts stand for, where both are added up."""
    return SHARES if limit.scope in ("account", "underlying") else POSITION


def fill_scope(row: np.void, limit: RiskLimit, risk: RiskConfig) -> None:
    """Write a limit as a SCOPE row."""
    row["low"], row["high"] = -math.inf, math.inf
    low, high = limit.min_position_units, limit.max_position_units
    position = position_measure(limit)
    if high is not None:
        row["low"][position] = -high if low is None else low
        row["high"][position] = high
    elif low is not None:
        row["low"][position] = low
    row["target_low"] = _or(limit.min_target_units, -math.inf)
    row["target_high"] = _or(limit.max_target_units, math.inf)
    targets = (limit.min_target_units, limit.max_target_units)
    row["used"][position] = (low, high, *targets) != (None,) * 4
    for measure, name in TWO_SIDED.items():
        if (most := getattr(limit, name)) is not None:
            row["low"][measure], row["high"][measure] = -most, most
            row["used"][measure] = 1
    for measure, name in GROSS_ONES.items():
        if (most := getattr(limit, name)) is not None:
            row["high"][measure] = most
            row["used"][measure] = 1
    row["max_loss"] = _or(limit.max_loss_ccy, math.inf)
    row["max_drawdown"] = _or(limit.max_drawdown_ccy, math.inf)
    row["money"] = limit.max_loss_ccy is not None or limit.max_drawdown_ccy is not None
    capture = limit.min_capture_bps
    row["min_capture"] = -math.inf if capture is None else capture / 1e4
    row["soft_fraction"] = _or(limit.soft_fraction, risk.soft_fraction)
    row["flattens"] = (limit.on_breach or risk.on_breach) == "flatten"


def param_row(risk: RiskConfig) -> np.ndarray:
    """The GUARD_PARAM record of the section."""
    out = np.zeros(1, GUARD_PARAM)
    row = out[0]
    row["loss_confirm_ns"] = _ns(risk.loss_confirm_s)
    row["capture_window_ns"] = _ns(risk.capture_window_s)
    row["capture_fills"] = risk.capture_fills
    row["soft_widen_ticks"] = risk.soft_widen_ticks
    row["soft_size_factor"] = risk.soft_size_factor
    guard = risk.protection
    row["protection_window_ns"] = _ns(guard.window_s)
    row["protection_cooldown_ns"] = 0 if guard.cooldown_s is None else _ns(guard.cooldown_s)
    row["protection_fills"] = guard.max_fills or 0
    row["protection_lots"] = guard.max_lots or 0
    row["protection_share"] = _or(guard.max_share, math.inf)
    row["protection_delta"] = _or(guard.max_delta, math.inf)
    row["protection_vega"] = _or(guard.max_vega, math.inf)
    bounds = ("max_fills", "max_lots", "max_share", "max_delta", "max_vega")
    row["protects"] = any(getattr(guard, name) is not None for name in bounds)
    row["repeated_fills"] = risk.repeated.max_fills or 0
    row["repeated_window_ns"] = _ns(risk.repeated.window_s)
    _breaker_row(row, risk)
    hedge = risk.hedge
    row["hedges"] = hedge.max_delta is not None
    row["hedge_high"] = _or(hedge.max_delta, math.inf)
    row["hedge_low"] = _or(hedge.min_delta, -row["hedge_high"])
    row["hedge_target"] = hedge.target_delta
    row["hedge_to_target"] = hedge.to == "target"
    row["hedge_slippage_ticks"] = hedge.max_slippage_ticks
    row["hedge_interval_ns"] = _ns(hedge.min_interval_s)
    row["hedge_tries"] = hedge.max_tries
    row["flatten_slippage_ticks"] = risk.flatten.max_slippage_ticks
    row["flatten_life_ns"] = _ns(risk.flatten.order_life_s)
    return out


def _breaker_row(row: np.void, risk: RiskConfig) -> None:
    breakers = risk.breakers
    spread, jump, wild = breakers.spread, breakers.jump, breakers.volatility
    row["max_spread_ticks"] = _or(spread.max_ticks, math.inf)
    row["max_spread"] = math.inf if spread.max_bps is None else spread.max_bps / 1e4
    row["max_jump_ticks"] = _or(jump.max_ticks, math.inf)
    row["max_jump"] = math.inf if jump.max_bps is None else jump.max_bps / 1e4
    row["max_volatility"] = _or(wild.max_volatility_ticks, math.inf)
    row["max_surge"] = _or(wild.max_surge, math.inf)
    row["slow_halflife_s"] = wild.slow_halflife_s
    on = {
        MARKET: breakers.market.on,
        SPREAD: (spread.max_ticks, spread.max_bps) != (None, None),
        JUMP: (jump.max_ticks, jump.max_bps) != (None, None),
        VOLATILITY: (wild.max_volatility_ticks, wild.max_surge) != (None, None),
    }
    rules: dict[int, ResumeRule] = {
        MARKET: breakers.market,
        SPREAD: spread,
        JUMP: jump,
        VOLATILITY: wild,
    }
    for which, rule in rules.items():
        row["breaks"][which] = on[which]
        row["clean"][which] = rule.clean_decisions
        row["cooldown_ns"][which] = _ns(rule.cooldown_s)
        row["human"][which] = rule.human


def _check_signals(config: Config) -> None:
    wild = config.risk.breakers.volatility
    on = wild.max_volatility_ticks is not None or wild.max_surge is not None
    if on and config.signals.volatility_halflife_s is None:
        raise ConfigError(
            "the volatility breaker has no volatility to look at",
            where="risk.breakers.volatility",
            fix="set signals.volatility_halflife_s",
        )


def _check_hedge(risk: RiskConfig, contracts: Sequence[Contract], inst: np.ndarray) -> None:
    if risk.hedge.max_delta is None:
        return
    bare = [c.symbol for c, row in zip(contracts, inst, strict=True) if row["stock"] < 0]
    if bare:
        raise ConfigError(
            f"nothing on the tape hedges the delta of {', '.join(dict.fromkeys(bare))}",
            where="risk.hedge",
            fix="add the underlying to the tape, or leave risk.hedge out",
        )


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
