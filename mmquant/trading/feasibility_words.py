"""What the numbers of feasibility say, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmquant.trading.markouts import HORIZONS_S

YES, NO, FRONT, UNKNOWN = "yes", "no", "in front only", "cannot tell"
PLACES = {"": "in front", "_back": "at the end"}
"""Suffix of a key and the place in the queue that it is about."""
QUEUE_BOUND = 0.5
"""Share of time with a spread of one tick from which place in the queue decides."""


def verdicts(found: Mapping[str, Any]) -> dict[str, str]:
    """An answer and a sentence for each question, from the numbers of one instrument."""
    out: dict[str, str] = {}
    for horizon_s in HORIZONS_S:
        at = f"{horizon_s:g}s"
        answer = pays(found, at)
        after = f"{horizon_s / 60:g} min" if horizon_s >= 60.0 else f"{horizon_s:g} s"
        out[f"pays_{at}"] = answer
        out[f"verdict_{at}"] = f"{answer}: {after} after its fill, {_kept(found, at)}"
    return out | _messages(found) | _efficiency(found) | _queue(found)


def answer_of(found: Mapping[str, Any], suffix: str, at: str) -> str:
    """Whether a margin is above 0, from its interval."""
    low, high = found[f"margin_low{suffix}_{at}"], found[f"margin_high{suffix}_{at}"]
    if low is None or high is None or low <= 0.0 <= high:
        return UNKNOWN
    return YES if low > 0.0 else NO


def pays(found: Mapping[str, Any], at: str) -> str:
    """Whether joining the best would have paid, whatever the place in the queue."""
    front, back = answer_of(found, "", at), answer_of(found, "_back", at)
    if front == back:
        return front
    if front == YES:
        return FRONT
    return NO if front == NO and back == UNKNOWN else UNKNOWN


def _kept(found: Mapping[str, Any], at: str) -> str:
    margins, unit = [], f" {found['currency']} after fees"
    for suffix in PLACES:
        margin = _margin(found, suffix, at)
        margins.append("an unknown amount" if margin is None else margin + unit)
        unit = unit if margin is None else ""
    text = f"a unit had made {margins[0]} in front of the queue, {margins[1]} at its end"
    whys = dict.fromkeys(found[f"margin_why{suffix}_{at}"] for suffix in PLACES)
    said = "; ".join(why for why in whys if why)
    return f"{text} (no interval: {said})" if said else text


def _margin(found: Mapping[str, Any], suffix: str, at: str) -> str | None:
    margin, low = found[f"margin{suffix}_{at}"], found[f"margin_low{suffix}_{at}"]
    if margin is None:
        return None
    if low is None:
        return f"{margin:.4g}"
    return f"{margin:.4g} (95 %: {low:.4g} to {found[f'margin_high{suffix}_{at}']:.4g})"


def _messages(found: Mapping[str, Any]) -> dict[str, str]:
    most, plan = found["messages_max"], found["messages_plan"]
    if most is None:
        return {"fits": UNKNOWN, "verdict_messages": f"{UNKNOWN}: there are no best prices"}
    fits = YES if most <= plan else NO
    share = found["messages_over_plan"] or 0.0
    text = f"an order at both best prices needs at most {most} messages in a second"
    if most > plan:
        text += f", and more than {plan} in {share:.2%} of the time"
    text += f" (limit {found['messages_limit']}, planned with {plan})"
    return {"fits": fits, "verdict_messages": f"{fits}: {text}"}


def _efficiency(found: Mapping[str, Any]) -> dict[str, str]:
    front, back, limit = found["efficiency"], found["efficiency_back"], found["efficiency_limit"]
    answer = YES if max(front, back) <= limit else FRONT if front <= limit else NO
    if answer == YES and not found["fills"]:
        return {"efficient": UNKNOWN, "verdict_efficiency": f"{UNKNOWN}: there are no fills"}
    text = (
        f"{front:.3g} messages a fill in front of the queue, {back:.3g} at its end; "
        f"above {limit:g} is called excessive"
    )
    return {"efficient": answer, "verdict_efficiency": f"{answer}: {text}"}


def _queue(found: Mapping[str, Any]) -> dict[str, str]:
    share = found["one_tick"]
    if share is None:
        return {"queue_bound": UNKNOWN, "verdict_queue": f"{UNKNOWN}: there is no spread"}
    bound = share > QUEUE_BOUND
    text = (
        "the price cannot be bettered, and place in the queue decides"
        if bound
        else "there is room for better prices"
    )
    answer = YES if bound else NO
    said = f"{answer}: the spread is one tick in {share:.1%} of the time, {text}"
    return {"queue_bound": answer, "verdict_queue": said}
