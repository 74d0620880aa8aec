"""Scores perturbed predictions with the field's own tools; README.md says how to run it.

    python references.py FRAMES                 # the folder that perturbed_scenes.save_all wrote

Prints JSON. Needs cityscapesscripts (with numpy < 2.3), panopticapi, boundary_iou and pycocotools, nothing of
this project.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

vars(np)["float"] = float  # boundary_iou uses a name that numpy has dropped

from cityscapesscripts.helpers.labels import id2label, labels, trainId2label  # noqa: E402


def main(folder: Path) -> dict:
    frames = [dict(np.load(path)) for path in sorted(folder.glob("*.npz"))]
    scores = {"digest": (folder / "digest").read_text(encoding="ascii")}
    for function in (cityscapes_instances, cityscapes_pixels, panoptic, coco_instances):
        with tempfile.TemporaryDirectory() as work, contextlib.redirect_stdout(io.StringIO()):
            os.chdir(work)
            scores |= function(frames, Path(work))
            os.chdir("/")
    return scores


def label_id(train_id: int) -> int:
    return trainId2label[int(train_id)].id


def cityscapes_instances(frames: list[dict], work: Path) -> dict:
    truths, predictions = [], []
    for frame in frames:
        name = str(frame["name"])
        truths.append(str(work / f"{name}_gtFine_instanceIds.png"))
        Image.fromarray(frame["instance_ids"].astype(np.uint16)).save(truths[-1])
        lines = []
        for k, mask in enumerate(frame["masks"]):
            Image.fromarray(mask.astype(np.uint8) * 255).save(work / f"{name}_{k}.png")
            lines.append(f"{name}_{k}.png {label_id(frame['categories'][k])} {float(frame['scores'][k])!r}\n")
        predictions.append(str(work / f"{name}.txt"))
        Path(predictions[-1]).write_text("".join(lines))
    scores = {}
    for kind, package in (
        ("AP", "cityscapesscripts.evaluation"),
        ("boundary_AP", "boundary_iou.cityscapes_instance_api"),
    ):
        os.environ["IOU_TYPE"] = "boundary"  # read by the authors' version at import
        module = importlib.import_module(f"{package}.evalInstanceLevelSemanticLabeling")
        options = module.args
        options.predictionPath, options.gtInstancesFile = str(work), str(work / f"{kind}.json")
        options.JSONOutput, options.quiet = False, True
        found = module.evaluateImgLists(predictions, truths, options)
        per_class = found["averages"]["classes"]
        scores[kind] = found["averages"]["allAp"]
        scores[f"{kind} per class"] = {name: values["ap"] for name, values in per_class.items()}
        if kind == "AP":
            scores["AP50"] = found["averages"]["allAp50%"]
            scores["AP50 per class"] = {name: float(values["ap50%"]) for name, values in per_class.items()}
    return {f"cityscapes {name}": value for name, value in scores.items()}


def cityscapes_pixels(frames: list[dict], work: Path) -> dict:
    module = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    official = np.array([label_id(k) for k in range(19)], np.uint8)
    truths, predictions = [], []
    for frame in frames:
        truths.append(str(work / f"{frame['name']}_gtFine_labelIds.png"))
        Image.fromarray(frame["label_ids"]).save(truths[-1])
        predictions.append(str(work / f"{frame['name']}_pred.png"))
        Image.fromarray(official[frame["semantic"]]).save(predictions[-1])
    module.args.evalInstLevelScore = module.args.JSONOutput = False
    module.args.quiet = True
    found = module.evaluateImgLists(predictions, truths, module.args)
    per_class = {trainId2label[k].name: found["classScores"][trainId2label[k].name] for k in range(19)}
    return {"mIoU": found["averageScoreClasses"], "IoU per class": per_class}


def panoptic(frames: list[dict], work: Path) -> dict:
    from panopticapi.evaluation import pq_compute_single_core
    from panopticapi.utils import id2rgb

    categories = {
        label.id: {"id": label.id, "isthing": int(label.hasInstances)}
        for label in labels
        if label.id >= 0 and not label.ignoreInEval
    }
    pairs = []
    for folder in ("truth", "predicted"):
        (work / folder).mkdir()
    for frame in frames:
        file = f"{frame['name']}.png"
        ids = np.zeros(frame["instance_ids"].shape, np.uint32)
        truth = {"image_id": str(frame["name"]), "file_name": file, "segments_info": []}
        for number in np.unique(frame["instance_ids"]).tolist():
            of_class = number // 1000 if number >= 1000 else number
            if of_class not in categories:
                continue
            where = frame["instance_ids"] == number
            ids[where] = number
            crowd = int(number < 1000 and id2label[of_class].hasInstances)
            truth["segments_info"].append(
                {"id": number, "category_id": of_class, "iscrowd": crowd, "area": int(where.sum())}
            )
        Image.fromarray(id2rgb(ids)).save(work / "truth" / file)
        Image.fromarray(id2rgb(frame["panoptic"].astype(np.uint32))).save(work / "predicted" / file)
        segments = [
            {"id": number, "category_id": label_id(train_id)}
            for number, train_id in enumerate(frame["segments"], 1)
            if (frame["panoptic"] == number).any()
        ]
        pairs.append((truth, {"image_id": str(frame["name"]), "file_name": file, "segments_info": segments}))
    statistics = pq_compute_single_core(0, pairs, str(work / "truth"), str(work / "predicted"), categories)
    found, per_class = statistics.pq_average(categories, isthing=None)
    return {
        **{name: found[name.lower()] for name in ("PQ", "SQ", "RQ")},
        "PQ per class": {id2label[of_class].name: values["pq"] for of_class, values in per_class.items()},
    }


def coco_instances(frames: list[dict], work: Path) -> dict:
    import pycocotools.coco
    import pycocotools.cocoeval
    from boundary_iou.coco_instance_api import coco as boundary_coco
    from boundary_iou.coco_instance_api import cocoeval as boundary_cocoeval
    from pycocotools import mask as coco_mask

    things = [label.id for label in labels if label.hasInstances and not label.ignoreInEval]
    data: dict[str, list] = {"images": [], "annotations": [], "info": []}
    data["categories"] = [{"id": number, "name": id2label[number].name} for number in things]
    results: list[dict] = []

    def encode(mask: np.ndarray) -> dict:
        code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": list(code["size"]), "counts": code["counts"].decode()}

    for image, frame in enumerate(frames, 1):
        height, width = frame["label_ids"].shape
        data["images"].append({"id": image, "height": height, "width": width})
        for number in np.unique(frame["instance_ids"]).tolist():
            of_class = number // 1000 if number >= 1000 else number
            if of_class in things:
                mask = frame["instance_ids"] == number
                entry = {"id": len(data["annotations"]) + 1, "image_id": image, "category_id": of_class}
                entry |= {
                    "segmentation": encode(mask),
                    "area": int(mask.sum()),
                    "iscrowd": int(number < 1000),
                }
                data["annotations"].append(entry | {"bbox": [0, 0, 1, 1]})
        for mask, train_id, score in zip(frame["masks"], frame["categories"], frame["scores"], strict=True):
            entry = {"image_id": image, "category_id": label_id(train_id)}
            results.append(entry | {"segmentation": encode(mask), "score": float(score)})
    (work / "truth.json").write_text(json.dumps(data))
    (work / "results.json").write_text(json.dumps(results))
    scores = {}
    for kind, coco, cocoeval in (
        ("segm", pycocotools.coco, pycocotools.cocoeval),
        ("boundary", boundary_coco, boundary_cocoeval),
    ):
        truth = coco.COCO(str(work / "truth.json"), **({"get_boundary": True} if kind == "boundary" else {}))
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(str(work / "results.json")), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        prefix = "boundary_" if kind == "boundary" else ""
        names = ("AP", "AP50", "AP75", "APs", "APm", "APl")
        scores |= {
            f"coco {prefix}{name}": float(v) for name, v in zip(names, evaluation.stats[:6], strict=True)
        }
        precision = evaluation.eval["precision"][:, :, :, 0, -1]
        per_class = {id2label[n].name: precision[:, :, k] for k, n in enumerate(things)}
        scores[f"coco {prefix}AP per class"] = {
            name: float(values.mean()) if (values > -1).all() else float("nan")
            for name, values in per_class.items()
        }
    return scores


def without_nan(value):
    """Undefined scores become null."""
    if isinstance(value, dict):
        return {key: without_nan(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value


if __name__ == "__main__":
    sets = {folder.name: main(folder) for folder in sorted(Path(sys.argv[1]).resolve().iterdir())}
    print(json.dumps(without_nan(sets), indent=1, sort_keys=True, allow_nan=False))
