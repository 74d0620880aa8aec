"""One experiment as the workflow sees it: what there is to be made, and where it lies."""

from __future__ import annotations

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.config.schema import Config
from vfm_fusion.study.comparisons import Comparison, comparisons, main_comparison
from vfm_fusion.study.files import Files

SCENES = "pretraining-scenes"
"""Name of the scenes that the mini encoders are trained on."""


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

    @property
    def elsewhere(self) -> list[str]:
        """Names of the comparisons besides the main one."""
        return [name for name in self.comparisons if name != self.main]

    @property
    def has_runs(self) -> bool:
        """Whether anything is trained."""
        return bool(self.config.runs)

    @property
    def has_pair(self) -> bool:
        """Whether there are two encoders to choose a pair from."""
        return len(self.config.encoders) > 1

    def dataset_section(self, name: str) -> dict:
        """The settings of a data set as plain data."""
        return self.datasets[name].model_dump(mode="json")
