"""Which class ids of COCO's JSON stand for which evaluated classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfm_fusion.config.names import did_you_mean
from vfm_fusion.datasets.base import VOID, Category
from vfm_fusion.datasets.readers.coco_fields import as_whole
from vfm_fusion.datasets.readers.coco_json import AnnotationFile
from vfm_fusion.datasets.readers.id_tables import voc_color
from vfm_fusion.errors import LabelError


@dataclass(frozen=True)
class CocoClasses:
    """The evaluated classes and the ids that a JSON has for them.

    Attributes:
        categories: the evaluated classes.
        train_ids: id in the JSON to train id, :data:`~vfm_fusion.datasets.base.VOID` where not evaluated.
        otherwise: says of an id that is not among them why that is wrong, and what to do.
    """

    categories: tuple[Category, ...]
    train_ids: Mapping[int, int]
    otherwise: str

    def train_id(self, found: Any, where: str) -> int:
        """The train id of a field ``category_id``.

        Args:
            found: the field.
            where: the file and the entry, the beginning of the message.

        Raises:
            LabelError: it is no id of a class.
        """
        number = as_whole(found)
        if number not in self.train_ids:
            raise LabelError(f"{where} has class id {found!r}, which {self.otherwise}")
        return self.train_ids[number]


def own_classes(
    annotations: AnnotationFile, wanted: Sequence[str] | None, ignored: Sequence[str]
) -> CocoClasses:
    """Reads the classes that a JSON lists; in one of instances, all of them are things.

    Args:
        annotations: the JSON.
        wanted: names of the classes that are evaluated, in their order; None: all but ``ignored``, in the
            order of their ids.
        ignored: names of classes that are not evaluated.

    Raises:
        LabelError: no class is left, two have one name, a name is not listed, or there are more than train
            ids.
    """
    path, listed = annotations.path, annotations.categories
    ids = {category.name: number for number, category in sorted(listed.items())}
    counts = Counter(category.name for category in listed.values())
    for name, count in counts.items():
        if count > 1:
            raise LabelError(f"{path}: {count} classes are called {name!r}. Give each a name of its own.")
    for setting, names in (("classes", wanted or ()), ("ignore", ignored)):
        for name in names:
            if name not in ids:
                raise LabelError(
                    f"{path}: lists no class {name!r}, which {setting} names; it lists: "
                    f"{', '.join(ids) or 'none'}{did_you_mean(name, ids)}"
                )
    evaluated = [name for name in ids if name not in ignored] if wanted is None else list(wanted)
    if not 0 < len(evaluated) <= VOID:
        raise LabelError(
            f"{path}: {len(evaluated)} classes would be evaluated, expected 1 to {VOID}; name those that are "
            "meant in the setting classes of the data set"
        )
    rows = [(name, listed[ids[name]]) for name in evaluated]
    return CocoClasses(
        tuple(
            Category(
                train_id,
                name,
                row.isthing or not annotations.is_panoptic,
                row.color or voc_color(train_id + 1),
            )
            for train_id, (name, row) in enumerate(rows)
        ),
        dict.fromkeys(listed, VOID) | {ids[name]: train_id for train_id, name in enumerate(evaluated)},
        "its categories do not list. Add it there, or correct the entry.",
    )
