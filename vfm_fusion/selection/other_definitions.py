"""What the other metric definitions would choose, where the chosen peak does not clear its null floor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.errors import SelectionError
from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.selection.select import select


def other_choices(selection: Mapping[str, Any], summaries: Mapping[str, pd.DataFrame]) -> list[str]:
    """Says what every other profiled definition would choose by the same rule.

    Args:
        selection: content of ``selection.json``.
        summaries: encoder -> its profile summary, by all definitions; see
            :func:`vfm_fusion.selection.select.select`.

    Returns:
        A sentence per definition; none where the peak that sets the stride clears its null, where no null was
        computed, or where another rule than the peak sets the stride.
    """
    if "rule" in selection or _clears(selection) is not False:
        return []
    candidates = {ranked["encoder"]: summaries[ranked["encoder"]] for ranked in selection["ranks"]["sc"]}
    computed = dict.fromkeys(name for table in candidates.values() for name in table["definition"])
    others = [str(name) for name in computed if name != selection["definition"]]
    return [_choice(name, selection, candidates) for name in others]


def _choice(definition: str, selection: Mapping[str, Any], candidates: Mapping[str, pd.DataFrame]) -> str:
    settings = SelectionConfig(
        definition=definition, task=selection["task"], stride_by=selection["stride_by"]
    )
    try:
        other = select(candidates, selection["dataset"], settings)
    except SelectionError as error:
        return f"Definition '{definition}' can choose nothing: {error}."
    same = all(other[role] == selection[role] for role in ("master", "auxiliary"))
    pair = "the same pair" if same else f"{other['master']} as master and {other['auxiliary']} as auxiliary"
    at = f"injected at OS {other['stride']}: {_beside_null(other)}"
    return f"Definition '{definition}' would choose {pair}, {at}."


def _beside_null(selection: Mapping[str, Any]) -> str:
    score = selection["stride_by"]
    at_peak = _at_peak(selection)
    text = f"{score.upper()} peaks there with {at_peak[score]:.3g}"
    clears = _clears(selection)
    if clears is None:
        return f"{text}, and no null floor is known"
    verb = "clears" if clears else "does not clear"
    return f"{text}, which {verb} the null floor of {at_peak[f'{score}_null']:.3g}"


def _clears(selection: Mapping[str, Any]) -> bool | None:
    """Whether the peak that sets the stride clears its null floor; None where no null is known."""
    low = _at_peak(selection).get(f"{EXCESS[selection['stride_by']]}_low")
    return None if low is None else low > 0


def _at_peak(selection: Mapping[str, Any]) -> Mapping[str, Any]:
    return selection["strides"][selection["auxiliary"]][str(selection["stride"])]
