"""``vfm_fusion.profile``: the stages of the workflow, from pictures to a profile, in one call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pandas as pd

from vfm_fusion.atomic import write_parquet
from vfm_fusion.config.base import STRIDES
from vfm_fusion.config.features import EXECUTION, FeaturesConfig
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.config.registries import FAMILIES
from vfm_fusion.errors import ConfigError
from vfm_fusion.features import extract
from vfm_fusion.features.extract import Extraction
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles import encoder_profile, supervised_scores
from vfm_fusion.profiling.bar import Bar, Silence
from vfm_fusion.profiling.given_encoders import Given, GivenEncoder, given_encoders
from vfm_fusion.profiling.given_images import GivenImages, Mask, Picture, given_images
from vfm_fusion.profiling.options import results_folder, validated
from vfm_fusion.profiling.profile_result import Profile
from vfm_fusion.reporting.remedies import Remedies
from vfm_fusion.workflow.fingerprint import Sources, fingerprint
from vfm_fusion.workflow.progress import watched_by
from vfm_fusion.workflow.provenance import token

Definition = str | Sequence[str] | Mapping[str, MetricConfig]


def profile(
    encoders: Given | Iterable[Given] | Mapping[str, Given],
    images: Picture | Iterable[Picture],
    labels: Mask | Iterable[Mask] | None = None,
    definition: Definition = "paper",
    strides: Sequence[int] = STRIDES,
    *,
    image_size: Any = None,
    max_images: int | None = None,
    damaged: Literal["refuse", "skip"] = "refuse",
    device: str | None = None,
    batch_size: int = 4,
    precision: Literal["float32", "bfloat16"] = "float32",
    dtype: Literal["float16", "bfloat16", "float32"] = "float16",
    bootstrap: int = 1000,
    seed: int = 0,
    cache: str | Path | None = None,
    progress: bool = True,
    name: str | None = None,
) -> Profile:
    """Profiles encoders on pictures: Structural Coherence and Edge Fidelity per stride, without labels.

    The stages are the workflow's own, so the numbers are those of an experiment with the same settings.

    >>> import numpy as np
    >>> pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    >>> result = profile(["mini-dino", "mini-sam"], pictures, strides=(4, 8), progress=False)
    >>> sorted(result.frame["encoder"].unique())
    ['mini-dino', 'mini-sam']
    >>> result.best_pair().stride in (4, 8)
    True

    Args:
        encoders: one, several, or several by the name that tables are to have. Each is a name of the registry
            (``dinov2_vits14``) or ``timm:NAME``, with its published weights from the hub; a mini encoder that
            comes with this project (``mini-dino``, ``mini-sam``, ``mini-swin``); an
            :class:`~vfm_fusion.config.encoders.EncoderConfig` for other weights or a fixed resolution; or a
            model or function of one's own from images ``(B, 3, H, W)`` float32 in [0, 1] to maps
            ``(B, C, h, w)``, in an :class:`~vfm_fusion.profiling.own_encoder.OwnEncoder` where there is more
            to say of it.
        images: a folder, searched at any depth; or paths, PIL images or arrays ``(H, W, 3)`` uint8.
        labels: masks of classes, for SC_GT beside SC: a folder in which each has the path of its picture up
            to the extension, or one path, PIL image or array ``(H, W)`` of ids (255: void) per picture.
        definition: metric definition that pairs the encoders; of several names, or definitions by name, the
            first.
        strides: output strides, of 4, 8, 16 and 32.
        image_size: the size that pictures are profiled at, as ``features.image_size`` of an experiment:
            ``(480, 640)``, ``{"short_side": 512}``, ... None for their own.
        max_images: only so many of the pictures, evenly spaced.
        damaged: whether pictures that cannot be decoded are refused or left out (``result.skipped``).
        device: where encoders compute, ``cpu`` or ``cuda:1``; None for the GPU where there is one.
        batch_size: pictures of one size per encoder call.
        precision: arithmetic of the encoders; ``bfloat16`` under automatic mixed precision.
        dtype: type in which features are kept until they are scored, as in an experiment.
        bootstrap: resamples of the pictures behind each 95 % interval.
        seed: seed of the resamples.
        cache: folder where features and scores are kept, so that the next call computes only what is new;
            None to keep nothing.
        progress: whether to show how far it is, on stderr.
        name: what tables call the pictures; the folder's name when left out.

    Returns:
        The profile: ``frame``, ``best_pair()``, ``best_stride()``, ``plot()``, ``save()``.

    Raises:
        VfmFusionError: what was given cannot be used; the message says what to give instead.
    """
    metrics = validated(
        "metrics",
        ProfileConfig,
        definitions=_definitions(definition),
        strides=strides,
        bootstrap=bootstrap,
        seed=seed,
    )
    features = validated(
        "features",
        FeaturesConfig,
        image_size=image_size,
        max_images=max_images,
        batch_size=batch_size,
        precision=precision,
        dtype=dtype,
        threads=min(4, os.cpu_count() or 1),
    )
    impossible = [stride for stride in metrics.strides if stride not in STRIDES]
    if impossible:
        raise ConfigError(f"strides: {impossible} impossible; choose from: {list(STRIDES)}")
    name = name or (Path(images).resolve().name if isinstance(images, str | Path) else "the given images")
    with ExitStack() as stack:
        stack.enter_context(watched_by(stack.enter_context(Bar()) if progress else Silence()))
        candidates = given_encoders(encoders, metrics.strides, name, device, stack)
        pictures = given_images(images, labels, damaged)
        place = cache or stack.enter_context(TemporaryDirectory(prefix="vfm-fusion-"))
        stages = _Stages(pictures, features, metrics, results_folder(place, "cache"), cache is not None)
        scores, supervised = {}, {}
        for one in candidates:
            scores[one.name] = stages.scores(one)
            if pictures.labelled:
                supervised[one.name] = stages.supervised(one)
            stages.tidy_up()
    return Profile(
        name=name,
        labels={one.name: {"label": one.name, "pretraining": one.pretraining} for one in candidates},
        config=metrics,
        scores=scores,
        supervised=supervised,
        skipped=pictures.skipped,
        remedies=Remedies.at(metrics.definitions, pictures.smallest, features.image_size, "image_size"),
    )


@dataclass
class _Stages:
    """The workflow's stages on some pictures.

    Attributes:
        pictures: the pictures.
        features: settings of the features.
        metrics: settings of the profiles.
        folder: where features and scores are written.
        kept: whether they are still there at the next call.
    """

    pictures: GivenImages
    features: FeaturesConfig
    metrics: ProfileConfig
    folder: Path
    kept: bool

    def __post_init__(self) -> None:
        self._code = _code(self.folder) if self.kept else ""

    def scores(self, encoder: GivenEncoder) -> pd.DataFrame:
        """Scores every picture; see :func:`vfm_fusion.profiles.encoder_profile.profile_store`."""
        what = self.metrics.model_dump_json(include={"definitions", "strides", "interpolation"})
        return self._once(
            encoder,
            what,
            lambda store: encoder_profile.profile_store(store, self.pictures, self.metrics),
        )

    def supervised(self, encoder: GivenEncoder) -> pd.DataFrame:
        """Scores every picture by its mask; see :mod:`vfm_fusion.profiles.supervised_scores`."""
        first = next(iter(self.metrics.definitions))
        what = f"supervised {first} {self.metrics.model_dump_json()}"
        return self._once(
            encoder,
            what,
            lambda store: supervised_scores.supervised_store(store, self.pictures, self.metrics, first),
        )

    def tidy_up(self) -> None:
        """Removes features that the next call will not find anyway."""
        if not self.kept:
            shutil.rmtree(self.folder / "features", ignore_errors=True)

    def _once(
        self, encoder: GivenEncoder, what: str, score: Callable[[FeatureStore], pd.DataFrame]
    ) -> pd.DataFrame:
        path = self.folder / "scores" / f"{token(self._features(encoder), what)}.parquet"
        if not path.is_file():
            write_parquet(path, score(self._store(encoder)))
        return pd.read_parquet(path)

    def _features(self, encoder: GivenEncoder) -> str:
        """Stands for all that an encoder's features depend on."""
        settings = self.features.model_dump_json(exclude=set(EXECUTION))
        return token(self._code, self.pictures.digest, encoder.settings, encoder.source.weights, settings)

    def _store(self, encoder: GivenEncoder) -> FeatureStore:
        """Extracts the features that are not there yet."""
        key = self._features(encoder)
        manifest = self.folder / "features" / f"{key}.zarr.manifest.json"
        if not manifest.is_file():
            Extraction(
                dataset=self.pictures,
                encoder=encoder.build(),
                source=encoder.source,
                settings=self.features,
                token=key,
                manifest_path=manifest,
                state_dir=self.folder / "state" / key,
                device=encoder.device,
            ).run()
        return FeatureStore(manifest)


def _definitions(definition: Definition) -> dict[str, Any]:
    if isinstance(definition, Mapping):
        return {
            name: config.model_dump() if isinstance(config, MetricConfig) else config
            for name, config in definition.items()
        }
    names = [definition] if isinstance(definition, str) else definition
    if isinstance(names, MetricConfig) or not isinstance(names, Iterable):
        raise ConfigError(
            f"definition: expected a preset, several, or definitions by name, as in {{'fine': "
            f"MetricConfig(grid=3)}}; found {type(definition).__name__}"
        )
    return {name: {"preset": name} for name in names}


def _code(folder: Path) -> str:
    """Fingerprint of the code behind features and scores."""
    sources = Sources(folder / "code.json")
    modules = [Path(module.__file__) for module in (extract, encoder_profile, supervised_scores)]
    root = modules[0].parents[2]
    loaded = {"vfm_fusion.encoders.build": tuple(FAMILIES.values())}
    found = [fingerprint(module, root, loaded, sources) for module in modules]
    sources.save()
    return " ".join(found)
