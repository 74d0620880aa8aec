"""What the heavy stages of an experiment are computed on."""

from __future__ import annotations

from pydantic import Field, model_validator

from vfm_fusion.config.base import STRIDES, Section
from vfm_fusion.config.controls import ControlsConfig
from vfm_fusion.config.cost import CostConfig
from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.features import FeaturesConfig, ProfiledConfig
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pretraining import PretrainingConfig
from vfm_fusion.config.recipes import RecipeConfig, overlaid
from vfm_fusion.config.runs import ROLES, RunConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.config.sensitivity import SensitivityConfig
from vfm_fusion.config.training import TrainingConfig


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
        description="Runs that the figures of masks and of training losses show, of many; null: all. Tables "
        "hold every run.",
    )
    dpi: int = Field(200, ge=50, description="Resolution of PNG figures.")
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
        description="The data set that is profiled, and that runs are trained and evaluated on unless they "
        "name another."
    )
    also_profiled: dict[str, ProfiledConfig] = Field(
        default_factory=dict,
        description="Data sets that the encoders are profiled on besides `dataset`: SC and EF only. "
        "Everything that is not said there is as in `features`.",
    )
    encoders: dict[str, EncoderConfig] = Field(min_length=2, description="Encoders by name.")
    features: FeaturesConfig = Field(default_factory=FeaturesConfig, description="Feature extraction.")
    metrics: ProfileConfig = Field(default_factory=ProfileConfig, description="Encoder profiles.")
    controls: ControlsConfig = Field(
        default_factory=ControlsConfig, description="Check of the metric definitions on known maps."
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
    runs: dict[str, RunConfig] = Field(min_length=1, description="Training runs by name.")
    evaluation: EvaluationConfig = Field(
        default_factory=EvaluationConfig, description="Inference and evaluation."
    )
    cost: CostConfig = Field(default_factory=CostConfig, description="What every run's model costs.")
    compute: ComputeConfig = Field(
        default_factory=ComputeConfig, description="What the heavy stages are computed on."
    )
    reporting: ReportingConfig = Field(default_factory=ReportingConfig, description="Tables and figures.")
    pretraining: PretrainingConfig = Field(
        default_factory=PretrainingConfig,
        description="Training of the mini encoders in resources/encoders/ (target pretrain_mini).",
    )

    def features_of(self, dataset: str) -> FeaturesConfig:
        """How features of a data set are extracted: ``features``, but for what ``also_profiled`` has."""
        if dataset not in self.also_profiled:
            return self.features
        return self.features.model_copy(update=self.also_profiled[dataset].model_dump())

    def dataset_of(self, run: str) -> str:
        """The data set that a run is trained on."""
        return self.runs[run].dataset or self.dataset

    def evaluated_on(self, run: str) -> str:
        """The data set that a run is evaluated on."""
        return self.runs[run].evaluated_on or self.dataset_of(run)

    def chosen_on(self, run: str) -> str:
        """The data set whose profiles give a run its roles and its stride: its own where that is profiled."""
        own = self.dataset_of(run)
        return own if own in self.also_profiled else self.dataset

    def used_splits(self) -> list[tuple[str, str]]:
        """The splits that are read, as (data set, split), each once."""
        splits = [(self.dataset, "train"), (self.dataset, "val")]
        splits += [(name, self.features_of(name).split) for name in self.also_profiled]
        for run in self.runs:
            splits += [(self.dataset_of(run), "train"), (self.evaluated_on(run), "val")]
        return list(dict.fromkeys(splits))

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

    @model_validator(mode="after")
    def _names(self) -> Config:
        if self.dataset not in self.datasets:
            raise ValueError(
                f"dataset: {self.dataset!r} is not defined; datasets has: {', '.join(self.datasets)}"
            )
        for name in self.also_profiled:
            if name not in self.datasets or name == self.dataset:
                raise ValueError(
                    f"also_profiled.{name}: choose from the other data sets that datasets defines: "
                    f"{', '.join(set(self.datasets) - {self.dataset}) or 'none'}"
                )
        for name in [*self.datasets, *self.encoders, *self.recipes, *self.runs]:
            if not name or not all(c.isalnum() or c in "-_" for c in name):
                raise ValueError(f"name {name!r}: use letters, digits, '-' and '_' (it becomes a file name)")
        for section, entries in (("encoders", self.encoders), ("runs", self.runs)):
            labels = [entry.label or name for name, entry in entries.items()]
            twice = sorted({label for label in labels if labels.count(label) > 1})
            if twice:
                raise ValueError(
                    f"{section}: two are labelled {twice[0]!r}; tables could not tell them apart"
                )
        if "pretraining-scenes" in self.datasets:
            raise ValueError(
                "datasets.pretraining-scenes: that is what the scenes of `pretraining` are called; call "
                "the data set something else"
            )
        for role in ROLES:
            if role in self.encoders:
                raise ValueError(
                    f"encoders.{role}: that is the name of a role; call the encoder something else"
                )
        if "controls" in self.encoders:
            raise ValueError(
                "encoders.controls: that is what the scores of the controls are called; "
                "call the encoder something else"
            )
        known = [*ROLES, *self.encoders]
        for name, run in self.runs.items():
            for key, value in (("master", run.master), ("auxiliary", run.auxiliary)):
                if value is not None and value not in known:
                    raise ValueError(
                        f"runs.{name}.{key}: {value!r} is neither a role nor an encoder; "
                        f"choose from: {', '.join(known)}"
                    )
            for key, value, defined in (
                ("dataset", run.dataset, self.datasets),
                ("evaluated_on", run.evaluated_on, self.datasets),
                ("recipe", run.recipe, self.recipes),
            ):
                if value is not None and value not in defined:
                    raise ValueError(
                        f"runs.{name}.{key}: {value!r} is not defined; "
                        f"{'recipes' if key == 'recipe' else 'datasets'} has: {', '.join(defined) or 'none'}"
                    )
        among = self.selection.among
        if among is not None and (len(set(among)) < 2 or not set(among) <= set(self.encoders)):
            raise ValueError(
                f"selection.among: {list(among)}: name two encoders or more, of: {', '.join(self.encoders)}"
            )
        unknown = [name for name in self.reporting.shown or () if name not in self.runs]
        if unknown:
            raise ValueError(
                f"reporting.shown: {unknown[0]!r} is no run; choose from: {', '.join(self.runs)}"
            )
        impossible = [s for s in self.metrics.strides if s not in STRIDES]
        if impossible:
            raise ValueError(f"metrics.strides: {impossible} impossible; choose from: {list(STRIDES)}")
        if self.selection.definition not in self.metrics.definitions:
            raise ValueError(
                f"selection.definition: {self.selection.definition!r} is not computed; "
                f"metrics.definitions has: {', '.join(self.metrics.definitions)}"
            )
        self.sensitivity.variants(self.metrics.definitions[self.selection.definition])
        return self

    @model_validator(mode="after")
    def _windows_show_no_objects(self) -> Config:
        for run in self.runs:
            task = self.training_of(run).task
            if task != "semantic" and self.evaluation_of(run).window is not None:
                raise ValueError(
                    f"evaluation.window: objects cannot be merged over windows, and runs.{run} is trained "
                    f"for task {task}; leave the window null there (a recipe can), or train the task semantic"
                )
        return self
