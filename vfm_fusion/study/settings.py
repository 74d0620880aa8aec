"""What each stage depends on: exactly the settings that it uses, as one canonical JSON string.

A stage runs again when its string changes, so what only names or arranges things is left out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vfm_fusion.config.base import canonical
from vfm_fusion.config.controls import controlled_definitions
from vfm_fusion.config.cost import FREE_OF_COST
from vfm_fusion.config.runs import ARRANGEMENT
from vfm_fusion.config.training import EXECUTION
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.study.study import SCENES, Study
from vfm_fusion.study.upsampled_runs import trained_for, upsampled_encoders
from vfm_fusion.study.views import ViewSet, segmented_images, training_views

_COSTED_WEIGHTS = {
    "file": {"source": "file", "path": ""},
    "trained": {"source": "trained", "dataset": "", "recipe": {"steps": 1}},
}
"""What the cost of an upsampler depends on of its weights: where they are from, no more."""

_MAPS = {"strides", "interpolation"}
"""Settings of profiles that say which maps are looked at."""


class Settings:
    """The settings of every stage of an experiment.

    Args:
        study: the experiment.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._config = study.config

    def dataset(self, dataset: str) -> str:
        """Generating, indexing or listing the classes of a data set."""
        return canonical(self._study.dataset_section(dataset))

    def features(self, dataset: str, encoder: str) -> str:
        """Extracting the features of an encoder."""
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "encoder": self._study.encoder_section(encoder),
                "spec": self._study.encoder_spec(encoder),
                "features": self._study.features_section(dataset),
            }
        )

    def views(self, dataset: str, views: str, encoder: str) -> str:
        """Extracting what an encoder makes of the views that runs see."""
        seen = self._study.views[dataset, views]
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "encoder": self._study.encoder_section(encoder),
                "spec": self._study.encoder_spec(encoder),
                "views": seen.views,
                "features": seen.features,
            }
        )

    def planned_features(self) -> str:
        """Every store of an encoder's own features: its manifest, and what its size follows from."""
        profiled = [
            {
                "manifest": self._study.files.pattern("features", dataset=dataset, encoder=name),
                "index": self._study.profiled_index(dataset),
                "architecture": encoder.architecture,
                "features": self._study.features_section(dataset),
                "views": None,
            }
            for dataset in self._study.profiled
            for name, encoder in self._config.encoders.items()
        ]
        seen = [
            {
                "manifest": manifest,
                "index": self._study.views_index(views.dataset, views.name),
                "architecture": self._config.encoders[encoder].architecture,
                "features": views.features,
                "views": views.views,
            }
            for manifest, (views, encoder) in self._study.maps_of_views().items()
        ]
        return canonical(profiled + seen)

    def profile(self, dataset: str) -> str:
        """Profiling an encoder, fine-tuned or not."""
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "metrics": self._config.metrics.model_dump(mode="json"),
            }
        )

    def sweep(self, dataset: str) -> str:
        """A sweep: the definition that is varied, the maps, and the settings tried."""
        definition = self._config.metrics.definitions[self._config.selection.definition]
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "maps": self._config.metrics.model_dump(mode="json", include=_MAPS),
                "definition": definition.model_dump(mode="json", exclude={"null_draws"}),
                "sensitivity": {
                    "images": self._config.sensitivity.images,
                    "sweeps": list(self._config.sensitivity.sweeps.items()),
                },
            }
        )

    def supervised(self, dataset: str) -> str:
        """SC_GT: the definition that pairs encoders, and the maps it looks at."""
        name = self._config.selection.definition
        definition = self._config.metrics.definitions[name].model_dump(mode="json")
        maps = self._config.metrics.model_dump(mode="json", include=_MAPS)
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "definition": name,
                "metrics": {**maps, "definitions": {name: definition}},
            }
        )

    def controls(self, dataset: str) -> str:
        """The scores of the controls."""
        definitions = controlled_definitions(
            self._config.metrics.definitions, self._config.selection.definition
        )
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "images": self._config.controls.images,
                "image_size": self._study.image_size(dataset),
                "strides": self._config.metrics.strides,
                "definitions": [
                    (name, definition.model_dump(mode="json")) for name, definition in definitions.items()
                ],
            }
        )

    def pairs(self, dataset: str) -> str:
        """Comparing every pair of encoders."""
        return canonical(
            {
                "dataset": self._study.dataset_section(dataset),
                "encoders": list(self._config.encoders),
                "maps": self._config.metrics.model_dump(mode="json", include={*_MAPS, "bootstrap", "seed"}),
                "pairs": self._config.pairs.model_dump(mode="json"),
            }
        )

    def selection(self) -> str:
        """The choice of a pair and a stride."""
        return canonical(
            {
                "encoders": list(self._config.encoders),
                "selection": self._config.selection.model_dump(mode="json"),
            }
        )

    def stability(self) -> str:
        """How stable that choice is."""
        metrics = self._config.metrics
        return canonical(
            {
                "encoders": list(self._config.encoders),
                "draws": metrics.bootstrap,
                "seed": metrics.seed,
                "metric_seed": metrics.definitions[self._config.selection.definition].seed,
            }
        )

    def training(self, run: str) -> str:
        """Training a run."""
        return canonical(
            {
                "dataset": self._study.dataset_section(self._config.dataset_of(run)),
                "maps": _name(training_views(self._config, run)),
                **self._recipe(run),
                **self._encoders(run),
            }
        )

    def cost(self) -> str:
        """Measuring what the models of all runs cost: not the values of weights, nor how long is trained."""
        names = sorted({name for run in self._config.runs for name in self._study.encoders_of(run)})
        seeded = {"weights": {"source": "seeded"}}
        return canonical(
            {
                "runs": [(run, self._costed(run)) for run in self._config.runs],
                "encoders": {name: {**self._study.encoder_section(name), **seeded} for name in names},
                "specs": {name: self._study.encoder_spec(name) for name in names},
                "cost": self._config.cost.model_dump(mode="json"),
            }
        )

    def finetuned(self, dataset: str, run: str) -> str:
        """Extracting the features of the encoder that a run has fine-tuned, from the images of a data set."""
        return canonical(
            {
                "name": dataset,
                "dataset": self._study.dataset_section(dataset),
                **self._encoders(run),
                "features": self._study.features_section(dataset),
            }
        )

    def prediction(self, run: str, target: str) -> str:
        """Segmenting a data set with a run."""
        inference = self._config.evaluation_of(run).model_dump(mode="json", exclude={"instance_protocol"})
        return canonical(
            {
                "dataset": self._study.dataset_section(target),
                "maps": _name(segmented_images(self._config, run, target)),
                **self._encoders(run),
                "inference": inference,
            }
        )

    def evaluation(self, run: str, target: str) -> str:
        """Scoring what a run predicted for a data set."""
        return canonical(
            {
                "name": target,
                "trained_on": self._config.dataset_of(run),
                "dataset": self._study.dataset_section(target),
                "protocol": self._config.evaluation_of(run).instance_protocol,
                "evaluators": {
                    name: asdict(entry) for name, entry in self._study.evaluators(run, target).items()
                },
            }
        )

    def pretraining(self, model: str) -> str:
        """Training a mini encoder."""
        recipe = self._config.pretraining.models[model]
        return canonical(
            {
                "scenes": self._study.dataset_section(SCENES),
                "recipe": recipe.model_dump(mode="json"),
                "spec": spec_of(recipe.architecture).facts(),
            }
        )

    def pretrained_figure(self) -> str:
        """The figure of the mini encoders' maps."""
        models = self._config.pretraining.models
        return canonical(
            {
                "scenes": self._study.dataset_section(SCENES),
                "models": [(name, model.model_dump(mode="json")) for name, model in models.items()],
                "images": 2,
                "dpi": 110,
            }
        )

    def _recipe(self, run: str) -> dict[str, Any]:
        """How a run is built and trained, but for its encoders."""
        return {
            "run": self._config.runs[run].model_dump(mode="json", exclude=set(ARRANGEMENT)),
            "training": self._config.training_of(run).model_dump(mode="json", exclude={"seeds", *EXECUTION}),
        }

    def _costed(self, run: str) -> dict[str, Any]:
        """How a run is built and trained, as far as a step costs something."""
        training = self._config.training_of(run)
        used = self._upsamplers(run)
        for upsampler in used.get("upsamplers", {}).values():
            weights = upsampler["config"]["weights"]
            upsampler["config"]["weights"] = weights and _COSTED_WEIGHTS[weights["source"]]
        return used | {
            "run": self._config.runs[run].model_dump(mode="json", exclude=set(ARRANGEMENT)),
            "training": training.model_dump(mode="json", exclude=set(FREE_OF_COST))
            | {"augmentation": training.augmentation.model_dump(mode="json", include={"crop"})},
        }

    def _encoders(self, run: str) -> dict[str, Any]:
        """What a run depends on of the encoders that it may come to use."""
        used = self._study.encoders_of(run)
        return {
            "encoders": {name: self._study.encoder_section(name) for name in used},
            "specs": {name: self._study.encoder_spec(name) for name in used},
            **self._upsamplers(run),
        }

    def _upsamplers(self, run: str) -> dict[str, Any]:
        """What a run depends on of the upsamplers that it uses; no key where it uses none."""
        trained = trained_for(self._config, run)
        used = {
            name: {
                "config": self._config.upsamplers[name].model_dump(mode="json", exclude={"label"}),
                "trained": [encoder for upsampler, encoder in trained if upsampler == name],
            }
            for name in upsampled_encoders(self._config, run)
        }
        return {"upsamplers": used} if used else {}


def _name(views: ViewSet | None) -> str | None:
    return None if views is None else views.name
