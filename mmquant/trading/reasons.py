"""Why some numbers of a summary are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from mmquant.trading.inventory import inventory_half_life
from mmquant.trading.markouts import HORIZONS_S, markout_table
from mmquant.trading.measures import at


def reasons(*, path: xr.Dataset, fills: pd.DataFrame, summary: Mapping[str, Any]) -> list[str]:
    """A sentence for a half-life and for each horizon's intervals that a summary leaves out.

    Nothing is said of a run without fills: it has no inventory and no markouts.
    """
    if not len(fills):
        return []
    out = []
    if summary["half_life_s"] is None:
        out.append(f"The inventory has no half-life: {inventory_half_life(path=path).why}.")
    bare = [h for h in HORIZONS_S if summary[at("markout_<h>s_low", h)] is None]
    for row in markout_table(path=path, fills=fills, horizons_s=bare).to_dict("records"):
        if row["used"]:
            after = f"{row['horizon_s']:g} s"
            out.append(f"The markout after {after} has no interval: {row['why']}.")
    return out
