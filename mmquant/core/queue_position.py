"""Quantity ahead of an own order, estimated from a tape without order ids.

All models take the quantity ahead (``front``), the level's displayed quantity before and after a
depth row, and the quantity traded at the level since the last depth row, in units.
Formulas: Rigtorp (2013), "Estimating order queue position", and hftbacktest's queue models.
"""

from __future__ import annotations

import math

from mmquant.core.dtypes import QUEUE_MODEL
from mmquant.core.jit import kernel
from mmquant.core.mathfn import log
from mmquant.core.power import power

RISK_AVERSE = QUEUE_MODEL.RISK_AVERSE
POWER = QUEUE_MODEL.POWER
POWER2 = QUEUE_MODEL.POWER2
POWER3 = QUEUE_MODEL.POWER3
LOG = QUEUE_MODEL.LOG


@kernel
def share_behind(model, n, front, back):
    """Probability that a decrease of the level happened behind the own order.

    A level that is all behind, or whose parts leave the formula's domain, gives 1.
    """
    if n != math.floor(n):
        front = max(front, 0.0)
        back = max(back, 0.0)
    if model == POWER:
        behind = power(back, n)
        total = behind + power(front, n)
    elif model == POWER2:
        behind = power(back, n)
        total = power(back + front, n)
    elif model == POWER3:
        if front + back == 0.0:
            return 1.0
        return 1.0 - power(front / (front + back), n)
    elif front <= -1.0 or back <= -1.0 or front + back <= -1.0:
        return 1.0
    elif model == LOG:
        behind = log(1.0 + back)
        total = behind + log(1.0 + front)
    else:
        behind = log(1.0 + back)
        total = log(1.0 + back + front)
    if total == 0.0:
        return 1.0
    return behind / total


@kernel
def front_after_depth(model, n, front, before, after, traded):
    """Quantity ahead after a depth row changed the level from ``before`` to ``after``. [units]

    Trades since the last depth row have moved the queue already and are taken out of the change.
    """
    if model == RISK_AVERSE:
        return min(front, after)
    change = before - after - traded
    if change < 0.0:
        return min(front, after)
    back = before - front
    if change == 0.0:
        return min(front + min(back, 0.0), after)
    share = share_behind(model, n, front, back)
    ahead = front - (1.0 - share) * change + min(back - share * change, 0.0)
    return min(ahead, after)


@kernel
def lots_reached(front, lot):
    """Whole lots by which trades have gone past the queue ahead, rounded half away from zero."""
    if front < 0.0:
        return int(math.floor(-front / lot + 0.5))
    return 0
