"""Pairs of encoders: maps with a planted answer, and real stores of images of mixed sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from stores import Photos, run

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pairs import PairsConfig
from vfm_fusion.datasets.base import VOID, Category, Instances
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.fusion.align import resize_to_grid
from vfm_fusion.fusion.operators import Replace
from vfm_fusion.profiles.encoder_pairs import compare_pairs
from vfm_fusion.profiles.labelled_pixels import Labelled, class_map
from vfm_fusion.profiles.pair_probe import Pyramids
from vfm_fusion.profiles.paired_maps import PairedMaps

STRIDES = (4, 8, 16, 32)
SIZE = (64, 96)
CLASSES, IMAGES = 3, 8
MAPS = ProfileConfig(bootstrap=100)
SETTINGS = PairsConfig(labelled=4)

Maps = dict[int, np.ndarray]


class Streets(Photos):
    """Images whose labels are random blocks of eight pixels, void along the top."""

    def __init__(self, labelled: int = IMAGES, objects: bool = False) -> None:
        super().__init__(IMAGES, SIZE)
        self.labelled, self.objects = labelled, objects
        self.categories = tuple(
            Category(i, f"class {i}", objects, (i, i, i)) for i in range(1 if objects else CLASSES)
        )

    def classes(self, position: int) -> np.ndarray:
        blocks = np.random.default_rng(position).integers(CLASSES, size=(SIZE[0] // 8, SIZE[1] // 8))
        return np.kron(blocks, np.ones((8, 8), np.uint8)).astype(np.uint8)

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        if position >= self.labelled:
            return None, None
        semantic = self.classes(position)
        if not self.objects:
            semantic[:8] = VOID
            return semantic, None
        ids = (semantic == 0).astype(np.int32)
        return np.where(ids > 0, 0, VOID).astype(np.uint8), Instances(
            ids, np.zeros(1, np.int64), np.zeros(1, bool)
        )


class Planted:
    """A store of maps that a function of the image's position makes."""

    def __init__(self, name: str, maps: Callable[[int], Maps]) -> None:
        self._maps, self.image_ids = maps, Photos(IMAGES, SIZE).ids
        shapes = {stride: feature.shape for stride, feature in maps(0).items()}
        self.manifest = SimpleNamespace(encoder=name, shapes=shapes, fit=None)

    def read(self, index: int) -> Maps:
        return self._maps(index)


def noise(position: int, strides: tuple[int, ...] = STRIDES, channels: int = CLASSES, seed: int = 0) -> Maps:
    rng = np.random.default_rng([seed, position])
    return {s: rng.normal(size=(channels, SIZE[0] // s, SIZE[1] // s)).astype(np.float32) for s in strides}


def telling(position: int) -> Maps:
    """Noise, but at OS 8 the one-hot class of every block."""
    blocks = Streets().classes(position)[::8, ::8]
    return noise(position, seed=1) | {8: np.eye(CLASSES, dtype=np.float32)[blocks].transpose(2, 0, 1)}


def compare(dataset: Streets | None = None, **maps: Callable[[int], Maps]) -> pd.DataFrame:
    stores = {name: Planted(name, of) for name, of in maps.items()}
    frame = compare_pairs(stores, dataset or Streets(), MAPS, SETTINGS)
    return frame.set_index(["measure", "master", "auxiliary", "stride"]).sort_index()


@pytest.fixture(scope="module")
def planted() -> pd.DataFrame:
    return compare(noisy=noise, telling=telling)


def test_there_is_a_row_for_every_ordered_pair_stride_and_measure(planted: pd.DataFrame) -> None:
    assert planted.groupby("measure").size().to_dict() == {"cka": 8, "probe": 10, "probe_gain": 8}
    assert planted["value"].notna().all()
    assert planted["reason"].isna().all()
    assert (planted["low"] <= planted["value"] + 1e-9).all()
    assert (planted["value"] <= planted["high"] + 1e-9).all()


def test_the_stride_that_tells_the_classes_gains_everything(planted: pd.DataFrame) -> None:
    probe, gain = planted.loc["probe"], planted.loc["probe_gain"]
    alone = planted.reset_index().query("measure == 'probe' and stride == 0").set_index("master")["value"]
    assert alone["noisy"] < 40
    assert probe.loc[("noisy", "telling", 8), "value"] > 95
    assert gain.loc[("noisy", "telling", 8), "low"] > 50
    for stride in (4, 16, 32):
        assert abs(gain.loc[("noisy", "telling", stride), "value"]) < 15
    assert alone["telling"] > 95
    assert gain.loc[("telling", "noisy", 8), "high"] < -50
    assert gain.loc[("noisy", "telling", 8), "value"] == pytest.approx(
        probe.loc[("noisy", "telling", 8), "value"] - alone["noisy"]
    )


def test_cka_knows_a_rotated_map_and_an_independent_one() -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(CLASSES, CLASSES)))[0].astype(np.float32)
    rotated = {8: lambda p: np.einsum("cd,dhw->chw", rotation, noise(p)[8])}
    cka = compare(one=noise, other=lambda p: noise(p, seed=1) | {s: of(p) for s, of in rotated.items()})
    cka = cka.loc["cka", "value"]
    assert cka[("one", "other", 8)] == pytest.approx(1.0, abs=1e-4)
    assert cka[("one", "other", 4)] == pytest.approx(0.0, abs=0.02)
    assert (cka["one", "other"] == cka["other", "one"]).all()


def test_repeated_pixels_are_no_further_evidence() -> None:
    single = {name: lambda p, s=seed: noise(p, (16,), 40, s) for seed, name in enumerate(("one", "other"))}
    cka = compare(**single).loc["cka", "value"]["one", "other"]
    assert cka[4] == cka[8] == cka[16]


@pytest.mark.parametrize(("labelled", "reason"), [(0, "not_annotated"), (1, "too_few_images")])
def test_without_labels_there_is_cka_and_a_reason(labelled: int, reason: str) -> None:
    frame = compare(Streets(labelled), noisy=noise, telling=telling)
    assert frame.loc["cka", "value"].notna().all()
    for measure in ("probe", "probe_gain"):
        assert frame.loc[measure, ["value", "low", "high"]].isna().all(axis=None)
        assert set(frame.loc[measure, "reason"]) == {reason}


def test_labels_of_objects_alone_leave_a_background() -> None:
    truth, classes = class_map(Streets(objects=True), 2)
    assert classes == 2
    np.testing.assert_array_equal(truth, np.where(Streets().classes(2) == 0, 0, 1))


def test_a_map_that_is_not_finite_spoils_its_own_pyramids_alone() -> None:
    def broken(position: int) -> Maps:
        maps = telling(position)
        if position == 3:
            maps[32][0, 0, 0] = np.nan
        return maps

    frame = compare(noisy=noise, broken=broken)
    undefined = frame[frame["value"].isna()]
    assert set(undefined["reason"]) == {"nan_features"}
    assert set(undefined.index) == {
        ("probe", "noisy", "broken", 32),
        ("probe_gain", "noisy", "broken", 32),
        *(("probe_gain", "broken", "noisy", stride) for stride in STRIDES),
        *(("probe", "broken", "noisy", stride) for stride in (4, 8, 16)),
        *(key for key in frame.index if key[0] == "probe" and key[1] == "broken" and key[3] == 0),
    }


def test_the_probe_sees_what_fusion_by_replacement_makes() -> None:
    stores = {"one": Planted("one", lambda p: noise(p, (8, 16))), "other": Planted("other", telling)}
    paired = PairedMaps(stores, Streets(), MAPS, 4096)
    pyramids, grid = Pyramids(paired), (16, 24)
    at = torch.arange(grid[0] * grid[1])
    tokens = pyramids.tokens(Labelled(5, at, at))
    one, other = (
        derive_pyramid({s: torch.from_numpy(m)[None] for s, m in store.read(5).items()}, STRIDES)
        for store in stores.values()
    )
    channels = dict.fromkeys(STRIDES, CLASSES)
    for injected in STRIDES:
        fused = Replace(channels, channels, [injected], "sample")(one, other)
        expected = torch.cat([resize_to_grid(feature, grid)[0].flatten(1) for feature in fused.values()])
        rows = pyramids.channels_of(("one", "other", injected))
        torch.testing.assert_close(torch.cat([tokens[part] for part in rows]), expected)


def test_stores_of_other_images_are_refused() -> None:
    other = Planted("other", noise)
    other.image_ids = other.image_ids[:-1]
    with pytest.raises(FeatureStoreError, match=r"of other hold other images than those of noisy"):
        PairedMaps({"noisy": Planted("noisy", noise), "other": other}, Streets(), MAPS, 4096)


class MixedStreets(Streets):
    """The same on images whose sizes differ, and are no multiples of what encoders take."""

    def __init__(self) -> None:
        super().__init__()
        Photos.__init__(self, IMAGES, SIZE, (80, 100), (100, 70))

    def labels(self, position: int) -> tuple[np.ndarray, None]:
        height, width = self.size_of(position)
        classes = torch.from_numpy(self.classes(position))[None, None]
        return F.interpolate(classes, size=(height, width), mode="nearest-exact")[0, 0].numpy(), None


def test_stored_maps_of_mixed_sizes(tmp_path: Path) -> None:
    stores = {
        f"seed {seed}": FeatureStore(run(tmp_path / str(seed), MixedStreets(), weights_seed=seed))
        for seed in (1, 2)
    }
    settings = SETTINGS.model_copy(update={"pixels": 200, "images": 6})
    frame, again = (compare_pairs(stores, MixedStreets(), MAPS, settings) for _ in range(2))
    pd.testing.assert_frame_equal(frame, again)
    assert frame["value"].notna().all()
    fine = frame[(frame["measure"] == "cka") & (frame["stride"] == 4)]
    assert fine["value"].between(0.05, 0.9).all(), fine
    assert frame.loc[frame["measure"] == "probe", "value"].between(0, 100).all()
