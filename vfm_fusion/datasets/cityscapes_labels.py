"""The evaluated part of the official Cityscapes label table (``cityscapesscripts/helpers/labels.py``)."""

from __future__ import annotations

EVALUATED: tuple[tuple[int, str, bool, tuple[int, int, int]], ...] = (
    (7, "road", False, (128, 64, 128)),
    (8, "sidewalk", False, (244, 35, 232)),
    (11, "building", False, (70, 70, 70)),
    (12, "wall", False, (102, 102, 156)),
    (13, "fence", False, (190, 153, 153)),
    (17, "pole", False, (153, 153, 153)),
    (19, "traffic light", False, (250, 170, 30)),
    (20, "traffic sign", False, (220, 220, 0)),
    (21, "vegetation", False, (107, 142, 35)),
    (22, "terrain", False, (152, 251, 152)),
    (23, "sky", False, (70, 130, 180)),
    (24, "person", True, (220, 20, 60)),
    (25, "rider", True, (255, 0, 0)),
    (26, "car", True, (0, 0, 142)),
    (27, "truck", True, (0, 0, 70)),
    (28, "bus", True, (0, 60, 100)),
    (31, "train", True, (0, 80, 100)),
    (32, "motorcycle", True, (0, 0, 230)),
    (33, "bicycle", True, (119, 11, 32)),
)
"""(label id, name, is a thing, colour) in the order of the train ids."""

LABEL_IDS: dict[str, int] = {name: label_id for label_id, name, _, _ in EVALUATED}
"""Label id of each evaluated class."""

LAST_LABEL_ID = 33
"""Label ids run from 0 to this, and there is -1 (license plate)."""

INSTANCE_FACTOR = 1000
"""An object's id in an ``instanceIds`` raster is label id * factor + a running number."""

IMAGE_SUFFIX = "_leftImg8bit.png"
LABEL_SUFFIX = "_gtFine_labelIds.png"
INSTANCE_SUFFIX = "_gtFine_instanceIds.png"
