"""How far SC and EF of an image exceed their null floors."""

from __future__ import annotations

import pandas as pd

EXCESS = {"sc": "sc_excess", "ef": "ef_excess"}
"""Score to the name of its excess over ``sc_null`` or ``ef_null``."""

_KEY = ["image_id", "definition", "stride"]


def with_excess(scores: pd.DataFrame) -> pd.DataFrame:
    """Appends the difference of each score and its null, image by image.

    A score and its null share what varies between images, above all how many edges an image has. So whether a
    score clears its null is asked of the differences; the interval of the scores alone would hide it.

    Args:
        scores: one row per image, definition, stride and score (``image_id, definition, stride, score, value,
            reason``), see :func:`vfm_fusion.profiles.encoder_profile.profile_store`.

    Returns:
        The same rows and, where there are nulls, those of ``sc_excess`` and ``ef_excess``: NaN, with the
        reason, where the score or its null is.
    """
    rows = [scores]
    for score, excess in EXCESS.items():
        pairs = scores[scores["score"] == score].merge(
            scores[scores["score"] == f"{score}_null"], on=_KEY, suffixes=("", "_null")
        )
        rows.append(
            pairs.assign(
                score=excess,
                value=pairs["value"] - pairs["value_null"],
                reason=pairs["reason"].fillna(pairs["reason_null"]),
            )[list(scores.columns)]
        )
    return pd.concat(rows, ignore_index=True).astype(scores.dtypes.to_dict())
