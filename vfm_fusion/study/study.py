"""One experiment as the workflow sees it: what there is to be made, of what, and where it lies."""

from __future__ import annotations

from typing import Any

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.config.features import EXECUTION
from vfm_fusion.config.schema import Config
from vfm_fusion.datasets.kinds import reader
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.evaluation.declared import Entry, serving
from vfm_fusion.evaluation.registry import EVALUATORS
from vfm_fusion.selection.stride_score import rule_named
from vfm_fusion.study.clicking import click_views, maps_of_clicks
from vfm_fusion.study.comparisons import Comparison, comparisons, main_comparison
from vfm_fusion.study.files import Files
from vfm_fusion.study.upsampled_runs import trained_upsamplers, trained_weights
from vfm_fusion.study.views import ViewSet, segmented_images, training_views, views_of_run

SCENES = "pretraining-scenes"
"""Name of the scenes that the mini encoders are trained on."""

LOADER_MB = 2000
"""Memory of a process that loads training images."""


class Study:
    """A resolved experiment.

    Attributes:
        config: the configuration.
        files: where every result lies.
        datasets: every data set by name, the scenes of the pre-training included.
        dataset: the experiment's own data set.
        profiled: data sets that the encoders are profiled on, its own first.
        seeds: seeds of every run.
        comparisons: name to (what the runs have in common, the runs), the main one first.
        main: name of the main comparison.
        views: by data set and name, the views whose stored maps are read in place of running encoders.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.files = Files(config.paths.results)
        self.datasets: dict[str, DatasetConfig] = {**config.datasets, SCENES: config.pretraining.scenes}
        self.dataset = config.dataset
        self.profiled = [config.dataset, *config.also_profiled]
        self.seeds = config.training.seeds
        self.comparisons: dict[str, tuple[Comparison, tuple[str, ...]]] = {
            group.name: (group, runs) for group, runs in comparisons(config).items()
        }
        self.main = main_comparison(config).name
        seen = [views for run in config.runs for views in views_of_run(config, run)]
        if config.interactive is not None:
            clicked = (click_views(config, cell) for cell in config.interactive.cells)
            seen += [views for views in clicked if views is not None]
        self.views = {(views.dataset, views.name): views for views in seen}

    # What the experiment asks for

    @property
    def has_profiles(self) -> bool:
        """Whether there are encoders to profile."""
        return bool(self.config.encoders)

    @property
    def has_pair(self) -> bool:
        """Whether there are encoders to choose a pair from."""
        return len(self.config.encoders) > 1

    @property
    def has_labels(self) -> bool:
        """Whether the experiment's own data set has labels to hold profiles against."""
        return self.datasets[self.dataset].labelled

    @property
    def has_runs(self) -> bool:
        """Whether something is trained."""
        return bool(self.config.runs)

    @property
    def has_clicks(self) -> bool:
        """Whether upsamplers are probed with interactive segmentation."""
        return self.config.interactive is not None

    @property
    def elsewhere(self) -> list[str]:
        """Names of the comparisons besides the main one."""
        return [name for name in self.comparisons if name != self.main]

    @property
    def swept(self) -> list[str]:
        """Comparisons in which an auxiliary is injected at several single strides."""
        found = []
        for name, (_, runs) in self.comparisons.items():
            fused = [self.config.runs[run] for run in runs if self.config.runs[run].auxiliary]
            if sum(len(strides) == 1 for strides in {run.fusion.strides for run in fused}) > 1:
                found.append(name)
        return found

    @property
    def stride_sweeps(self) -> list[str]:
        """Those of them that are evaluated on the data that they are trained on."""
        groups = {name: self.comparisons[name][0] for name in self.swept}
        return [name for name, group in groups.items() if group.targets == (group.dataset,)]

    @property
    def studied(self) -> list[str]:
        """Comparisons that the research questions are answered for, the main one first.

        The others are those on a data set of their own that the encoders are profiled on too, as far as an
        auxiliary is injected in one of their runs.
        """
        found = [self.main]
        for name in self.elsewhere:
            group, runs = self.comparisons[name]
            own = group.dataset in self.config.also_profiled and group.targets == (group.dataset,)
            if own and any(self.config.runs[run].auxiliary for run in runs):
                found.append(name)
        return found

    @property
    def studied_on(self) -> list[str]:
        """The data sets of these comparisons, whose profiles give runs their pair: the own one first."""
        return list(dict.fromkeys(self.comparisons[name][0].dataset for name in self.studied))

    @property
    def splits(self) -> list[tuple[str, str]]:
        """The splits that are read, as (data set, split), each once."""
        config = self.config
        splits = [(self.dataset, "train"), (self.dataset, "val")] if self.has_runs else []
        if self.has_profiles:
            splits += [(name, config.features_of(name).split) for name in self.profiled]
        for run in config.runs:
            splits.append((config.dataset_of(run), "train"))
            splits += [(target, "val") for target in config.targets_of(run)]
        splits += [(weights.dataset, "train") for weights in trained_weights(config).values()]
        for section in config.systems.values():
            splits += section.splits(config)
        return list(dict.fromkeys(splits))

    def encoders_of(self, run: str) -> list[str]:
        """Encoders that a run may come to use: the named ones, or all where it uses a role."""
        named = {self.config.runs[run].master, self.config.runs[run].auxiliary} - {None}
        return sorted(named if named <= set(self.config.encoders) else self.config.encoders)

    def finetuned_runs(self, comparison: str) -> list[str]:
        """Runs of a comparison that train an encoder alone, as in the paper's Table 8."""
        runs = {name: self.config.runs[name] for name in self.comparisons[comparison][1]}
        return [name for name, run in runs.items() if run.train_master and not run.auxiliary]

    def finetuned(self, kind: str) -> list[str]:
        """Files of a kind, of the encoders that runs of the studied comparisons train alone."""
        return [path for name in self.studied for path in self.finetuned_of(kind, name)]

    def finetuned_of(self, kind: str, comparison: str) -> list[str]:
        """Files of a kind, of the encoders that runs of a comparison train alone, run by run."""
        dataset, runs = self.comparisons[comparison][0].dataset, self.finetuned_runs(comparison)
        return self.files.every(kind, dataset=dataset, run=runs, seed=self.seeds)

    # What it is made of

    def is_generated(self, dataset: str) -> bool:
        """Whether a data set is generated, and not the user's own."""
        return self.datasets[dataset].generated

    def dataset_section(self, name: str) -> dict[str, Any]:
        """The settings of a data set as plain data."""
        return self.datasets[name].model_dump(mode="json")

    def encoder_section(self, name: str) -> dict[str, Any]:
        """What an encoder's features depend on: everything but its label."""
        return self.config.encoders[name].model_dump(mode="json", exclude={"label"})

    def encoder_spec(self, name: str) -> dict[str, Any]:
        """What the registry says of an encoder that its features depend on."""
        return spec_of(self.config.encoders[name].architecture).facts()

    def evaluators(self, run: str, target: str) -> dict[str, Entry]:
        """The evaluators that score a run on a data set: those of the protocol that it is evaluated by."""
        protocol = self.config.evaluation_of(run).instance_protocol
        if protocol == "auto":
            protocol = reader(self.datasets[target].kind).protocol
        return serving(EVALUATORS, protocol)

    def features_section(self, dataset: str) -> dict[str, Any]:
        """What stored features depend on: everything but how the work is done."""
        return self.config.features_of(dataset).model_dump(mode="json", exclude=set(EXECUTION))

    def image_size(self, dataset: str) -> Any:
        """The size that images of a data set are profiled at, as plain data."""
        return self.features_section(dataset)["image_size"]

    # Where it lies

    def data_manifest(self, dataset: str) -> list[str]:
        """The manifest of a generated data set; nothing for one that the user owns."""
        return self.files.every("data_manifest", dataset=dataset) if self.is_generated(dataset) else []

    def profiled_index(self, dataset: str) -> str:
        """The index of the images that a data set is profiled on."""
        return self.files.pattern("index", dataset=dataset, split=self.config.features_of(dataset).split)

    def feature_parts(self, dataset: str, encoder: str) -> list[str]:
        """Marks of the jobs that extract a part each; nothing where one job does it all."""
        parts = self.config.features.parts
        if parts == 1:
            return []
        return self.files.every(
            "feature_part", dataset=dataset, encoder=encoder, part=range(1, parts + 1), parts=parts
        )

    def views_index(self, dataset: str, views: str) -> str:
        """The index of the images that views are drawn from."""
        return self.files.pattern("index", dataset=dataset, split=self.views[dataset, views].split)

    def training_maps(self, run: str) -> list[str]:
        """Manifests of the maps that a run learns from, an encoder each; nothing where encoders run."""
        return self._maps(run, training_views(self.config, run))

    def trained_upsamplers(self, run: str) -> list[str]:
        """Weights of the upsamplers that a run uses and the workflow trains, an encoder each."""
        return trained_upsamplers(self.config, self.files, run)

    def segmented_maps(self, run: str, target: str) -> list[str]:
        """Manifests of the maps that a run segments a data set by, likewise."""
        return self._maps(run, segmented_images(self.config, run, target))

    def _maps(self, run: str, views: ViewSet | None) -> list[str]:
        if views is None:
            return []
        return self.files.every(
            "view_features", dataset=views.dataset, views=views.name, encoder=self.encoders_of(run)
        )

    def maps_of_views(self) -> dict[str, tuple[ViewSet, str]]:
        """Every manifest of maps that runs read, with the views and the encoder that they are of."""
        found = {}
        for run in self.config.runs:
            for views in views_of_run(self.config, run):
                manifests = self._maps(run, views)
                found |= {m: (views, name) for m, name in zip(manifests, self.encoders_of(run), strict=True)}
        for cell in self.config.interactive.cells if self.config.interactive else ():
            views = click_views(self.config, cell)
            found |= {manifest: (views, cell.encoder) for manifest in maps_of_clicks(self, cell) if views}
        return found

    def feature_manifests(self) -> list[str]:
        """Manifests of all feature stores that this configuration uses."""
        own = self.files.every("features", dataset=self.profiled, encoder=self.config.encoders)
        return [*own, *self.maps_of_views(), *self.finetuned("finetuned_features")]

    def training_index(self, run: str) -> str:
        """The index of the images that a run is trained on."""
        return self.files.pattern("index", dataset=self.config.dataset_of(run), split="train")

    def training_data(self, run: str) -> str:
        """Folder of the generated images that a run is trained on, where they are generated."""
        return self.files.pattern("data", dataset=self.config.dataset_of(run))

    def training_categories(self, run: str) -> str:
        """The classes of the data set that a run is trained on."""
        return self.files.pattern("categories", dataset=self.config.dataset_of(run))

    def selection_of(self, run: str) -> str:
        """The selection that a run takes its roles and its stride from."""
        return self.files.pattern("selection", dataset=self.config.chosen_on(run))

    def pairs_of_rule(self, dataset: str) -> str | list[str]:
        """The measures of pairs of encoders, where the rule that sets the stride reads some."""
        rule = rule_named(self.config.selection.rule)
        return self.files.pattern("pairs", dataset=dataset) if rule and rule.pair else []

    # What jobs ask of a machine

    def gpus(self) -> int:
        """GPUs of a heavy job: one where the experiment is made for GPUs."""
        return int(self.config.compute.gpu)

    @property
    def heavy_mb(self) -> int:
        """Memory of a heavy job."""
        return 16_000 if self.config.compute.gpu else 4000

    @property
    def pairs_mb(self) -> int:
        """Memory of the comparison of pairs: maps of an image, and products of all channels of all maps."""
        widest = (max(spec_of(e.architecture).channels.values()) for e in self.config.encoders.values())
        channels = len(self.config.metrics.strides) * sum(widest)
        return 3000 + channels * (8 * channels + 16 * self.config.pairs.pixels) // 1_000_000

    def training_gpus(self, run: str) -> int:
        """The GPUs of a training job: all of one task on one node."""
        return self.gpus() * self.config.training_of(run).devices

    def training_mb(self, run: str) -> int:
        """Memory of a training job, for each of its processes and their loaders."""
        training = self.config.training_of(run)
        return training.devices * (self.heavy_mb + training.workers * LOADER_MB)

    def training_threads(self, run: str) -> int:
        """A thread for each device and for each of its loader processes."""
        training = self.config.training_of(run)
        return training.devices * (1 + training.workers)
