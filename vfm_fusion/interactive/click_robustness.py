"""How much the masks depend on where users click (after Antonov et al., "RClicks", NeurIPS 2024)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from vfm_fusion.config.clicks import ClickProtocolConfig, RobustnessConfig
from vfm_fusion.interactive.click_predictor import Predictor
from vfm_fusion.interactive.click_protocol import ClickedObject, play
from vfm_fusion.interactive.click_robot import RandomRobot
from vfm_fusion.interactive.click_scores import iou_auc

COLUMNS = ("image_id", "object", "law", "group", "IoU_AUC")


def play_groups(
    predictor: Predictor, target: ClickedObject, protocol: ClickProtocolConfig, config: RobustnessConfig
) -> pd.DataFrame:
    """Plays the protocol for an object with clicks of each law and each group of probability.

    The clicks depend on the seed, the object, the law and the group alone, not on what was played before.

    Args:
        predictor: turned to the object's image.
        target: the object.
        protocol: the protocol.
        config: laws, groups and seed.

    Returns:
        One row a law and group: ``image_id``, ``object``, ``law``, ``group`` from 0 (the deepest pixels) and
        ``IoU_AUC`` in [0, 1], NaN for an undefined object.

    Raises:
        ConfigError: the protocol has one click only.
    """
    image = zlib.crc32(target.image_id.encode())
    rows = []
    for number, law in enumerate(("distance", "uniform")):
        for group in range(config.groups) if law in config.laws else ():
            rng = np.random.default_rng([config.seed, image, target.number, number, group])
            robot = RandomRobot(protocol, law, group, config.groups, rng)
            result = play(predictor, target, protocol, robot)
            rows.append((target.image_id, target.number, law, group, iou_auc(result.ious)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def robustness_scores(tables: Sequence[pd.DataFrame]) -> dict[str, float]:
    """Sums up the objects of a data set.

    Args:
        tables: those of :func:`play_groups`.

    Returns:
        For each law, in percent: ``IoU_AUC_law``, the mean over groups of the mean over objects, and
        ``IoU_AUC_spread_law``, the best group's mean minus the worst one's. Undefined objects are left out.
    """
    rows = pd.concat(tables).dropna(subset="IoU_AUC")
    scores = {}
    for law, means in rows.groupby(["law", "group"])["IoU_AUC"].mean().groupby("law"):
        scores[f"IoU_AUC_{law}"] = float(100 * means.mean())
        scores[f"IoU_AUC_spread_{law}"] = float(100 * (means.max() - means.min()))
    return scores
