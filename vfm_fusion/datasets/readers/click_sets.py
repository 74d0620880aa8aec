"""The layouts of the data sets that interactive segmentation is evaluated on; they have one split, ``val``.

Folders and the meaning of mask values are those of the public benchmarks
(``SamsungLabs/ritm_interactive_segmentation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vfm_fusion.datasets.index import Files
from vfm_fusion.datasets.listing import list_by_stem, require_split
from vfm_fusion.datasets.reader import Reader
from vfm_fusion.datasets.readers.object_masks import CATEGORIES, PaintedMasks, TrimapMasks


@dataclass(frozen=True)
class MaskFolders:
    """Where a data set keeps its photos and their masks.

    Attributes:
        layout: name of the data set, for messages.
        folders: the folders of photos and of masks, below the root; of several layouts in use, the first
            that is there.
    """

    layout: str
    folders: tuple[tuple[str, str], ...]

    def list_files(self, root: Path, split: str) -> list[Files]:
        """Lists the photos and masks.

        Raises:
            DatasetLayoutError: not the split ``val``, a folder is missing, two files have one name, a photo
                lacks its mask, or a mask its photo.
        """
        require_split(root, split, ("val",), self.layout)
        photos, masks = next((pair for pair in self.folders if (root / pair[0]).is_dir()), self.folders[0])
        return list_by_stem(root, self.layout, photos, masks)


GRABCUT = Reader(
    CATEGORIES,
    MaskFolders("GrabCut", (("data_GT", "boundary_GT"), ("images", "masks"))).list_files,
    TrimapMasks,
)
"""50 photos; the original release, or the folders of later copies."""

BERKELEY = Reader(CATEGORIES, MaskFolders("Berkeley", (("images", "masks"),)).list_files, TrimapMasks)
"""100 objects; a photo with several lies there once for each, such as ``189011`` and ``189011a``."""

COCO_MVAL = Reader(CATEGORIES, MaskFolders("COCO-MVal", (("img", "gt"),)).list_files, TrimapMasks)
"""800 objects of COCO's validation images, ten of each class (``XavierCHEN34/ClickSEG`` reads it)."""

DAVIS = Reader(CATEGORIES, MaskFolders("DAVIS (345 frames)", (("img", "gt"),)).list_files, PaintedMasks)
"""345 video frames; their masks number up to three objects, which count as one."""
