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
        evaluated_on: the data set that they are evaluated on.
        task: what they are trained for.
    """

    dataset: str
    evaluated_on: str
    task: str

    @property
    def name(self) -> str:
        """How its files are called: ``cityscapes-instance``, ``urbansyn-to-cityscapes-instance``."""
        transfer = "" if self.evaluated_on == self.dataset else f"-to-{self.evaluated_on}"
        return f"{self.dataset}{transfer}-{self.task}"


def comparison_of(config: Config, run: str) -> Comparison:
    """Returns the comparison that a run belongs to."""
    return Comparison(config.dataset_of(run), config.evaluated_on(run), config.training_of(run).task)


def main_comparison(config: Config) -> Comparison:
    """Returns the comparison of the experiment's own data set and task, which is reported in full."""
    return Comparison(config.dataset, config.dataset, config.training.task)


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
        ConfigError: it has none, or a run is evaluated on a data set of other classes than its own.
    """
    groups = comparisons(config)
    if not groups[main_comparison(config)]:
        found = ", ".join(group.name for group in groups if groups[group])
        raise ConfigError(
            f"runs: none is trained and evaluated on `dataset` {config.dataset!r} for `training.task` "
            f"{config.training.task!r}, whose results are reported in full; the runs are: {found}"
        )
    for group, runs in groups.items():
        if group.dataset != group.evaluated_on:
            _check_same_classes(config, group, runs[0])


def _check_same_classes(config: Config, group: Comparison, run: str) -> None:
    from vfm_fusion.datasets.registry import categories

    trained, evaluated = (
        [(category.name, category.isthing) for category in categories(config.datasets[name])]
        for name in (group.dataset, group.evaluated_on)
    )
    if trained != evaluated:
        differing = sorted(name for name, _ in set(trained) ^ set(evaluated))
        raise ConfigError(
            f"runs.{run}.evaluated_on: {group.evaluated_on!r} has other classes than {group.dataset!r}, on "
            f"which it is trained ({', '.join(differing[:5]) or 'another order'}); evaluate it on a data "
            "set of the same classes"
        )
