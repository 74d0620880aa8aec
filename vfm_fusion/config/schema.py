"""One experiment: its sections, and what its runs take from them."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.controls import ControlsConfig
from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.features import FeaturesConfig, ProfiledConfig
from vfm_fusion.config.interactive import InteractiveConfig
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pairs import PairsConfig
from vfm_fusion.config.pretraining import PretrainingConfig
from vfm_fusion.config.recipes import RecipeConfig, overlaid
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.config.sensitivity import SensitivityConfig
from vfm_fusion.config.systems import SystemConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.config.upsampling import UpsamplerConfig


class ComputeConfig(Section):
    """Whether the experiment is made for GPUs; results on a CPU are the same but for rounding."""

    gpu: bool = Field(
        False,
        description="Whether feature extraction, training (on `training.devices` of them), prediction and "
        "the measurement of cost ask for a GPU. A real run on a machine or a cluster without one is then "
        "refused before its first job; false computes on a GPU only where one happens to be there.",
    )


class ReportingConfig(Section):
    """What the figures show."""

    images: int = Field(3, ge=1, description="Images in the qualitative and PCA figures.")
    shown: tuple[str, ...] | None = Field(
        None,
        strict=False,
        examples=[["master", "fused"]],
        description="Runs that the figures of masks and of training losses show, of many; null: all. Tables "
        "hold every run.",
    )
    leading_metric: Literal["AP", "mIoU", "PQ"] = Field(
        "AP",
        description="The metric that strides are judged by, hits counted, gains correlated and classes "
        "compared, where the runs have it: else the first that they have of AP, mIoU and PQ. Choose one that "
        "differs between runs by more than between seeds.",
    )
    dpi: int = Field(200, ge=50, description="Resolution of PNG figures.")
    more_points: tuple[str, ...] = Field(
        (),
        strict=False,
        examples=[["results/study/tables/predictor_points.csv"]],
        description="Points of other experiments (their `tables/predictor_points.csv`, paths relative to the "
        "project) that the comparison of predictors of the best stride pools with its own.",
    )
    published: bool = Field(
        True,
        description="Show the paper's published values (Tables 2, 5, 7 and 8) beneath the measured ones.",
    )


class PathsConfig(Section):
    """Where results go."""

    results: str = Field("results", description="Folder for everything that is produced.")


class Config(Section):
    """One experiment: a data set, its encoders, the runs trained on it and how they are reported."""

    experiment: str = Field(
        "miniature", description="Name of the overlay in experiments/ that says what to run."
    )
    paths: PathsConfig = Field(default_factory=PathsConfig, description="Where results go.")
    datasets: dict[str, DatasetConfig] = Field(min_length=1, description="Data sets by name.")
    dataset: str = Field(
        "",
        description="The data set that is profiled, and that runs are trained and evaluated on unless they "
        "name another. Left out: the first of `datasets`.",
    )
    also_profiled: dict[str, ProfiledConfig] = Field(
        default_factory=dict,
        description="Data sets that the encoders are profiled on besides `dataset`: SC and EF only. "
        "Everything that is not said there is as in `features`.",
    )
    encoders: dict[str, EncoderConfig] = Field(
        default_factory=dict,
        description="Encoders by name. All are profiled; where there are two or more, a pair is chosen.",
    )
    features: FeaturesConfig = Field(default_factory=FeaturesConfig, description="Feature extraction.")
    metrics: ProfileConfig = Field(default_factory=ProfileConfig, description="Encoder profiles.")
    controls: ControlsConfig = Field(
        default_factory=ControlsConfig, description="Check of the metric definitions on known maps."
    )
    pairs: PairsConfig = Field(
        default_factory=PairsConfig,
        description="Comparison of every pair of encoders.",
    )
    selection: SelectionConfig = Field(
        default_factory=SelectionConfig, description="Pair and stride selection."
    )
    sensitivity: SensitivityConfig = Field(
        default_factory=SensitivityConfig, description="Sensitivity of the profiles to metric settings."
    )
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="The training recipe.")
    recipes: dict[str, RecipeConfig] = Field(
        default_factory=dict,
        description="Recipes by name, for runs on other data sets or for other tasks. Each says only what is "
        "otherwise than in `training` and `evaluation`.",
    )
    upsamplers: dict[str, UpsamplerConfig] = Field(
        default_factory=dict,
        description="Upsamplers of maps by name (docs/upsampling.md), for `upsampling` of runs and for "
        "`interactive`.",
    )
    runs: dict[str, RunConfig] = Field(
        default_factory=dict,
        description="Training runs by name, of two encoders or more; none where the experiment is about "
        "profiles or another system alone.",
    )
    evaluation: EvaluationConfig = Field(
        default_factory=EvaluationConfig, description="Inference and evaluation."
    )
    cost: CostConfig = Field(default_factory=CostConfig, description="What every run's model costs.")
    compute: ComputeConfig = Field(
        default_factory=ComputeConfig, description="What the heavy stages are computed on."
    )
    reporting: ReportingConfig = Field(default_factory=ReportingConfig, description="Tables and figures.")
    interactive: InteractiveConfig | None = Field(
        None,
        description="Feature upsamplers, probed with interactive segmentation (docs/interactive.md).",
    )
    pretraining: PretrainingConfig = Field(
        default_factory=PretrainingConfig,
        description="Training of the mini encoders in resources/encoders/ (target pretrain_mini).",
    )

    @model_validator(mode="before")
    @classmethod
    def _first_data_set(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("dataset") and isinstance(data.get("datasets"), dict):
            return {**data, "dataset": next(iter(data["datasets"]), "")}
        return data

    def features_of(self, dataset: str) -> FeaturesConfig:
        """How features of a data set are extracted: ``features``, but for what ``also_profiled`` has."""
        if dataset not in self.also_profiled:
            return self.features
        return self.features.model_copy(update=dict(self.also_profiled[dataset]))

    def dataset_of(self, run: str) -> str:
        """The data set that a run is trained on."""
        return self.runs[run].dataset or self.dataset

    def targets_of(self, run: str) -> tuple[str, ...]:
        """The data sets that a run is evaluated on, in the order of ``datasets``."""
        named = self.runs[run].evaluated_on or self.dataset_of(run)
        return (named,) if isinstance(named, str) else tuple(sorted(named, key=list(self.datasets).index))

    def chosen_on(self, run: str) -> str:
        """The data set whose profiles give a run its roles and its stride: its own where that is profiled."""
        own = self.dataset_of(run)
        return own if own in self.also_profiled else self.dataset

    def training_of(self, run: str) -> TrainingConfig:
        """The recipe that a run is trained by: ``training``, but for what its recipe has."""
        recipe = self.runs[run].recipe
        return self.training if recipe is None else overlaid(self.training, self.recipes[recipe].training)

    def evaluation_of(self, run: str) -> EvaluationConfig:
        """How a run is evaluated: ``evaluation``, but for what its recipe has."""
        recipe = self.runs[run].recipe
        if recipe is None:
            return self.evaluation
        return overlaid(self.evaluation, self.recipes[recipe].evaluation)

    @classmethod
    def possible_systems(cls) -> dict[str, type[SystemConfig]]:
        """The sections of other systems that an experiment may have, by name."""
        return {
            name: kind
            for name, field in cls.model_fields.items()
            for kind in get_args(field.annotation)
            if isinstance(kind, type) and issubclass(kind, SystemConfig)
        }

    @property
    def systems(self) -> dict[str, SystemConfig]:
        """The sections of other systems that the experiment has, by name."""
        found = {name: getattr(self, name) for name in self.possible_systems()}
        return {name: section for name, section in found.items() if section is not None}

    @classmethod
    def optional(cls) -> set[str]:
        """The sections of which a resolved configuration says nothing where the experiment has none."""
        return {*cls.possible_systems(), "upsamplers"}

    @model_serializer(mode="wrap")
    def _without_absent_sections(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value or key not in self.optional()}
