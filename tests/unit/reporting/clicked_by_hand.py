"""Clicks by hand: scores and objects with given numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.reporting.click_results import ClickResults, Key, Names, collect_clicks
from vfm_fusion.reporting.upsampled_quality import Qualities

ENCODERS = {name: {"label": name.upper(), "pretraining": "untrained"} for name in ("dino", "sam")}
UPSAMPLERS = {
    "low": {"label": "low-res", "architecture": "none"},
    "flat": {"label": "bilinear", "architecture": "bilinear"},
    "loft": {"label": "LoftUp", "architecture": "loftup"},
}
CLICK_MODELS = {
    "early": {"click_encoder": "patch_embed", "inject": "early"},
    "late": {"click_encoder": "simple_vit", "inject": "late_hr"},
}
PROTOCOL = ClickProtocolConfig(max_clicks=5, targets=(0.8, 0.9)).model_dump(mode="json")


def names(seeds: Sequence[int] = (0,), datasets: Sequence[str] = ("photos",)) -> Names:
    kinds = dict.fromkeys(datasets, "grabcut")
    return Names(ENCODERS, UPSAMPLERS, CLICK_MODELS, kinds, tuple(seeds))


def scored(upsampler: str, noc: float | None = 4.0, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """One ``scores.json``; keys of ``scores`` may be given too."""
    scores: dict[str, Any] = {"objects": 4, "undefined": 0, "NoC@80": 2.0, "NoC@90": noc}
    for target in (80, 90):
        scores |= {f"NoF@{target}": 2, f"strict_NoF@{target}": 1}
    scores |= {f"mIoU@{click}": 50.0 + 8 * click for click in range(1, 6)}
    scores |= {"IoU@1": 58.0, "boundary_IoU": 70.0}
    scores |= dict.fromkeys(("carried", "equal_errors", "no_error_left", "all_clicked"), 0)
    told = {"encoder": "dino", "upsampler": upsampler, "clicks": "late", "seed": seed, "dataset": "photos"}
    told |= {"trained_on": "scenes", "images": 4, "objects": 4, "protocol": PROTOCOL, "robustness": None}
    told |= {"parameters": {"upsampler": 4_303_894 if upsampler == "loft" else 0, "trained": 1000}}
    inner = {name: changes.pop(name) for name in list(changes) if name in scores}
    return told | {"scores": scores | inner} | changes


def results(found: Sequence[Mapping[str, Any]], **of: Any) -> ClickResults:
    return collect_clicks(found, names(**of))


def objects(clicks: Sequence[float], per_image: int = 1, final: float = 0.95) -> pd.DataFrame:
    """Objects with so many clicks to the target, some per image; NaN for an undefined one."""
    count = len(clicks)
    frame = pd.DataFrame({"clicks": pd.Series(clicks, dtype="float64")})
    frame["image_id"] = [f"photo-{index // per_image:02d}" for index in range(count)]
    frame["object"] = [index % per_image + 1 for index in range(count)]
    defined = frame["clicks"].notna()
    frame["area"], frame["first"], frame["final"] = 100, 0.5, final
    frame["reached"] = (frame["clicks"] < 5).astype("boolean").where(defined)
    frame["undefined"] = defined.map({True: "", False: "the object has no labelled pixel"})
    return frame


def key(upsampler: str, clicks: str = "late", encoder: str = "dino", dataset: str = "photos") -> Key:
    return Key(dataset, encoder, clicks, upsampler)


def qualities(scores: Mapping[str, Mapping[str, Any]], **of: Any) -> Qualities:
    """Scores of maps by upsampler; ``peak_bytes`` and ``seconds`` may be given, the same for all."""
    found = {
        ("dino", upsampler): {
            **{"dataset": "photos", "images": 8, "definition": "paper", "stride": 4, "size": [16, 16]},
            **{"scores": told, "probe": {"reason": "no labels"}, "peak_bytes": of.get("peak_bytes", 2e6)},
        }
        for upsampler, told in scores.items()
    }
    cost = {"device": "cpu", "threads": 2, "seconds": of.get("seconds", 0.25)}
    return Qualities(found, dict.fromkeys(found, cost))
