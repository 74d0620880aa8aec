"""Which runs may stand in one table."""

from __future__ import annotations

from dataclasses import dataclass

from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError


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


def comparison_of(config: Config, run: str) -> Comparison:
    """Returns the comparison that a run belongs to."""
    return Comparison(config.dataset_of(run), config.targets_of(run), config.training_of(run).task)


def main_comparison(config: Config) -> Comparison:
    """Returns the comparison of the experiment's own data set and task, which is reported in full.

    Its runs are evaluated on that data set alone; where there are none, on others too.
    """
    own = Comparison(config.dataset, (config.dataset,), config.training.task)
    found = [comparison_of(config, run) for run in config.runs]
    wider = [
        group
        for group in found
        if (group.dataset, group.task) == (own.dataset, own.task) and own.dataset in group.targets
    ]
    return own if own in found or not wider else wider[0]


def comparisons(config: Config) -> dict[Comparison, tuple[str, ...]]:
    """Groups the runs by what may be compared: the main comparison first, then in the order of the runs."""
    groups: dict[Comparison, tuple[str, ...]] = {main_comparison(config): ()}
    for run in config.runs:
        group = comparison_of(config, run)
        groups[group] = (*groups.get(group, ()), run)
    return groups


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
    from vfm_fusion.datasets.registry import categories

    trained, evaluated = (
        [(category.name, category.isthing) for category in categories(config.datasets[name])]
        for name in (dataset, target)
    )
    if trained != evaluated:
        differing = sorted(name for name, _ in set(trained) ^ set(evaluated))
        raise ConfigError(
            f"runs.{run}.evaluated_on: {target!r} has other classes than {dataset!r}, on "
            f"which it is trained ({', '.join(differing[:5]) or 'another order'}); evaluate it on a data "
            "set of the same classes"
        )
