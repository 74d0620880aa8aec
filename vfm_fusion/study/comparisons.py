"""Which runs may stand in one table."""

from __future__ import annotations

from dataclasses import dataclass

from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError


def stated_classes(config: Config, dataset: str) -> dict[str, bool | None]:
    """Name of every class of a data set to whether it is a thing; None where only its files say so.

    Raises:
        ConfigError: only its files say which there are.
    """
    from vfm_fusion.datasets.registry import categories  # only here: it takes pandas along

    data = config.datasets[dataset]
    if data.kind != "coco":
        return {category.name: category.isthing for category in categories(data)}
    if data.classes is None:
        raise ConfigError(
            f"datasets.{dataset}.classes: name those of its JSON; they have to be known beforehand where "
            "runs are evaluated on another data set than they are trained on, or each class has a query"
        )
    return dict.fromkeys(data.classes)


@dataclass(frozen=True)
class Comparison:
    """What the runs of one table have in common.

    Attributes:
        dataset: the data set that they are trained on.
        targets: the data sets that they are evaluated on.
        task: what they are trained for.
    """

    dataset: str
    targets: tuple[str, ...]
    task: str

    @property
    def name(self) -> str:
        """How its files are called: ``cityscapes-instance``, ``urbansyn-to-cityscapes-instance``.

        Several targets are joined: ``gta5-to-cityscapes-and-bdd100k-semantic``.
        """
        transfer = "" if self.targets == (self.dataset,) else f"-to-{'-and-'.join(self.targets)}"
        return f"{self.dataset}{transfer}-{self.task}"

    def includes(self, other: Comparison) -> bool:
        """Whether the other one has the same data set and task, and no target that this one has not."""
        same = (self.dataset, self.task) == (other.dataset, other.task)
        return same and set(other.targets) <= set(self.targets)


def comparison_of(config: Config, run: str) -> Comparison:
    """Returns the comparison of all that a run is evaluated on; it may stand in others too."""
    return Comparison(config.dataset_of(run), config.targets_of(run), config.training_of(run).task)


def main_comparison(config: Config) -> Comparison:
    """Returns the comparison on the experiment's own data set and for its task, which is reported in full."""
    return Comparison(config.dataset, (config.dataset,), config.training.task)


def comparisons(config: Config) -> dict[Comparison, tuple[str, ...]]:
    """Groups the runs by what may be compared: the main comparison first, then in the order of the runs.

    There is one for all that some run is evaluated on, and the main one. A run stands in every comparison of
    its data set and task all of whose targets it is evaluated on, so one with a further target stands beside
    the others too. The main comparison stays where all its runs have a further target and stand together in
    another one: it alone is reported in full.
    """
    own = {run: comparison_of(config, run) for run in config.runs}
    return {
        group: tuple(run for run, wider in own.items() if wider.includes(group))
        for group in dict.fromkeys([main_comparison(config), *own.values()])
    }


def check_comparisons(config: Config) -> None:
    """Checks that the experiment's own data set has a run, and that transfers keep the classes.

    Raises:
        ConfigError: it has none, a run is evaluated on a data set of other classes than its own, or the files
            of two comparisons would have one name.
    """
    groups = comparisons(config)
    if not groups[main_comparison(config)]:
        found = ", ".join(group.name for group in groups if groups[group])
        raise ConfigError(
            f"runs: none is trained and evaluated on `dataset` {config.dataset!r} for `training.task` "
            f"{config.training.task!r}, whose results are reported in full; the runs are: {found}"
        )
    named: dict[str, Comparison] = {}
    for group, runs in groups.items():
        if named.setdefault(group.name, group) != group:
            raise ConfigError(
                f"runs.{runs[0]} and runs.{groups[named[group.name]][0]} would share the tables "
                f"{group.name}, but not their data sets; call one of the data sets otherwise"
            )
        for target in group.targets:
            if target != group.dataset:
                _check_same_classes(config, group.dataset, target, runs[0])


def _check_same_classes(config: Config, dataset: str, target: str, run: str) -> None:
    trained, evaluated = (stated_classes(config, name) for name in (dataset, target))
    differing = sorted(
        name
        for name in {**trained, **evaluated}
        if name not in trained or name not in evaluated or {trained[name], evaluated[name]} == {True, False}
    )
    if differing or list(trained) != list(evaluated):
        raise ConfigError(
            f"runs.{run}.evaluated_on: {target!r} has other classes than {dataset!r}, on "
            f"which it is trained ({', '.join(differing[:5]) or 'another order'}); evaluate it on a data "
            "set of the same classes"
        )
