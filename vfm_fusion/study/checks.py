"""What the sections of an experiment say of one another, checked one subject at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from vfm_fusion.config.base import STRIDES
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.recipes import overlaid
from vfm_fusion.config.runs import ROLES
from vfm_fusion.config.schema import Config
from vfm_fusion.encoders.describe import check_architecture, check_encoder
from vfm_fusion.errors import ConfigError
from vfm_fusion.selection.stride_score import rule_named
from vfm_fusion.study.clicking import check_clicks
from vfm_fusion.study.comparisons import check_comparisons, stated_classes
from vfm_fusion.study.files import Files
from vfm_fusion.study.messages import explain
from vfm_fusion.study.study import SCENES, Study
from vfm_fusion.study.upsampled_runs import check_upsamplers
from vfm_fusion.study.upsamplers import check_trained_upsamplers

_TAKEN = {
    **dict.fromkeys(ROLES, "the name of a role"),
    "controls": "what the scores of the controls are called",
    "pairs": "what the comparison of pairs is called",
}


def check(config: Config) -> None:
    """Holds the sections of an experiment against each other; the first problem ends it.

    Raises:
        ConfigError: it names the key, what was found there and what may stand there.
    """
    check_contents(config)
    check_data_sets(config)
    check_file_names(config)
    check_labels(config)
    check_encoder_names(config)
    check_runs(config)
    check_upsamplers(config)
    check_selection(config)
    check_reporting(config)
    check_metrics(config)
    for name, encoder in config.encoders.items():
        check_encoder(name, encoder)
    for name, model in config.pretraining.models.items():
        check_architecture(f"pretraining.models.{name}", model.architecture)
    check_recipes(config)
    check_windows(config)
    check_own_data(config)
    check_matchers(config)
    if config.runs:
        check_comparisons(config)
    for section in config.systems.values():
        section.check(config)
    check_clicks(config)
    check_trained_upsamplers(config)


def check_contents(config: Config) -> None:
    """An experiment asks for something, and its runs have encoders to choose from."""
    if not config.encoders and not config.systems:
        others = ", ".join(config.possible_systems())
        raise ConfigError(
            "encoders: none, so there is nothing to do; name one to profile it, or two and some runs"
            + (f", or give a section of another system: {others}" if others else "")
        )
    if config.runs and len(config.encoders) < 2:
        raise ConfigError(
            f"encoders: {', '.join(config.encoders) or 'none'} is too few for runs, which take a master and "
            "an auxiliary from a choice of two encoders or more; name another, or leave out the runs"
        )


def check_data_sets(config: Config) -> None:
    """The data sets that the experiment and its profiles name are defined."""
    if config.dataset not in config.datasets:
        raise ConfigError(
            f"dataset: {config.dataset!r} is not defined; datasets has: {', '.join(config.datasets)}"
            f"{did_you_mean(config.dataset, config.datasets)}"
        )
    for name in config.also_profiled:
        others = [other for other in config.datasets if other != config.dataset]
        if name not in others:
            raise ConfigError(
                f"also_profiled.{name}: choose from the other data sets that datasets defines: "
                f"{', '.join(others) or 'none'}{did_you_mean(name, others)}"
            )
    if SCENES in config.datasets:
        raise ConfigError(
            f"datasets.{SCENES}: that is what the scenes of `pretraining` are called; call "
            "the data set something else"
        )


def check_file_names(config: Config) -> None:
    """What the user names can be part of a file's name."""
    names = [*config.datasets, *config.encoders, *config.recipes, *config.upsamplers, *config.runs]
    if config.interactive is not None:
        names += config.interactive.click_models
    for name in names:
        if not name or not all(c.isalnum() or c in "-_" for c in name):
            raise ConfigError(f"name {name!r}: use letters, digits, '-' and '_' (it becomes a file name)")


def check_labels(config: Config) -> None:
    """No two encoders, and no two runs, are called the same in tables."""
    for section, entries in (("encoders", config.encoders), ("runs", config.runs)):
        labels = [entry.label or name for name, entry in entries.items()]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ConfigError(f"{section}: two are labelled {twice[0]!r}; tables could not tell them apart")


def check_encoder_names(config: Config) -> None:
    """No encoder has a name that means something else."""
    for name, meaning in _TAKEN.items():
        if name in config.encoders:
            raise ConfigError(f"encoders.{name}: that is {meaning}; call the encoder something else")


def check_runs(config: Config) -> None:
    """The encoders, data sets and recipes that runs name are defined."""
    known = [*ROLES, *config.encoders]
    for name, run in config.runs.items():
        for key, value in (("master", run.master), ("auxiliary", run.auxiliary)):
            if value is not None and value not in known:
                raise ConfigError(
                    f"runs.{name}.{key}: {value!r} is neither a role nor an encoder; "
                    f"choose from: {', '.join(known)}{did_you_mean(value, known)}"
                )
        targets = (run.evaluated_on,) if isinstance(run.evaluated_on, str) else run.evaluated_on or ()
        for key, values, section in (
            ("dataset", (run.dataset,), "datasets"),
            ("evaluated_on", targets, "datasets"),
            ("recipe", (run.recipe,), "recipes"),
        ):
            defined = getattr(config, section)
            for value in values:
                if value is not None and value not in defined:
                    raise ConfigError(
                        f"runs.{name}.{key}: {value!r} is not defined; "
                        f"{section} has: {', '.join(defined) or 'none'}{did_you_mean(value, defined)}"
                    )


def check_selection(config: Config) -> None:
    """A pair is chosen among encoders that there are."""
    among = config.selection.among
    unknown = [name for name in among or () if name not in config.encoders]
    if among is not None and (len(set(among)) < 2 or unknown):
        hint = did_you_mean(unknown[0], config.encoders) if unknown else ""
        raise ConfigError(
            f"selection.among: {list(among)}: name two encoders or more, of: "
            f"{', '.join(config.encoders)}{hint}"
        )
    rule, definition = rule_named(config.selection.rule), config.selection.definition
    computed = config.metrics.definitions.get(definition)
    if rule and computed and not computed.null_draws and {"sc_excess", "ef_excess"} & {*rule.profiled}:
        raise ConfigError(
            f"selection.rule: {config.selection.rule} reads the null floor, of which metrics.definitions."
            f"{definition}.null_draws: 0 computes nothing; draw some, or choose another rule"
        )


def check_reporting(config: Config) -> None:
    """Figures show runs that there are."""
    unknown = [name for name in config.reporting.shown or () if name not in config.runs]
    if unknown:
        known = f"choose from: {', '.join(config.runs)}" if config.runs else "there are no runs; leave it out"
        hint = did_you_mean(unknown[0], config.runs)
        raise ConfigError(f"reporting.shown: {unknown[0]!r} is no run; {known}{hint}")
    check_more_points(config)


def check_more_points(config: Config) -> None:
    """Points of other experiments are there, and there are own ones to pool them with."""
    points = config.reporting.more_points
    if not points:
        return
    if not Study(config).stride_sweeps:
        raise ConfigError(
            "reporting.more_points: no run of this experiment sweeps the injection stride, so it compares no "
            "predictors; leave it out"
        )
    own = Files(config.paths.results).pattern("table", name="predictor_points", format="csv")
    for path in points:
        if PurePath(path) == PurePath(own) or points.count(path) > 1:
            raise ConfigError(f"reporting.more_points: {path!r} would count twice; name each other file once")
        if not Path(path).is_file():
            raise ConfigError(
                f"reporting.more_points: {path!r} is not there; finish the experiment that writes it (its "
                "tables/predictor_points.csv), or leave it out"
            )


def check_metrics(config: Config) -> None:
    """Strides are possible, and the definition that pairs encoders is computed and can be varied."""
    impossible = [stride for stride in config.metrics.strides if stride not in STRIDES]
    if impossible:
        raise ConfigError(f"metrics.strides: {impossible} impossible; choose from: {list(STRIDES)}")
    definition = config.selection.definition
    if definition not in config.metrics.definitions:
        raise ConfigError(
            f"selection.definition: {definition!r} is not computed; "
            f"metrics.definitions has: {', '.join(config.metrics.definitions)}"
            f"{did_you_mean(definition, config.metrics.definitions)}"
        )
    try:
        config.sensitivity.variants(config.metrics.definitions[definition])
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_recipes(config: Config) -> None:
    """Recipes change keys that there are to values that are possible."""
    for name, recipe in config.recipes.items():
        for key, changes in recipe:
            _check_changes(config, f"recipes.{name}", key, changes)


def check_windows(config: Config) -> None:
    """Runs that are evaluated in windows predict no objects."""
    for run in config.runs:
        task = config.training_of(run).task
        if task != "semantic" and config.evaluation_of(run).window is not None:
            raise ConfigError(
                f"evaluation.window: objects cannot be merged over windows, and runs.{run} is trained for "
                f"task {task}; leave the window null there (a recipe can), or train the task semantic"
            )


def check_own_data(config: Config) -> None:
    """What is read of data in a layout of the user's own is there: a training split, labels, objects."""
    for name, split in Study(config).splits:
        if split == "train" and not config.datasets[name].has_training_split:
            raise ConfigError(
                f"datasets.{name}.split: without it every image is for validation, but the training split is "
                "asked for; set it, as in {kind: fraction, val: 0.2}"
            )
    for run in config.runs:
        for name in dict.fromkeys([config.dataset_of(run), *config.targets_of(run)]):
            data, task = config.datasets[name], config.training_of(run).task
            if not data.labelled:
                raise ConfigError(
                    f"datasets.{name}.masks: without them there are no labels for runs.{run}; say where the "
                    "masks are, or rasters of objects (objects.path), or leave out the runs: profiles "
                    "need no labels"
                )
            if data.kind == "folder" and data.objects is None and task != "semantic":
                raise ConfigError(
                    f"runs.{run}: is trained for task {task}, but the masks of datasets.{name} tell no "
                    "objects apart; say where rasters of objects are (objects.path), or train it for task "
                    "semantic"
                )


def check_matchers(config: Config) -> None:
    """Runs whose queries stand for a class each have one for every class."""
    for run in config.runs:
        head, dataset = config.training_of(run).head, config.dataset_of(run)
        if head.matcher != "identity":
            continue
        classes = len(stated_classes(config, dataset))
        if head.queries < classes:
            raise ConfigError(
                f"training.head.queries: {head.queries} are too few for runs.{run}: matcher identity gives "
                f"each of the {classes} classes of {dataset} a query; set more, or take matcher hungarian"
            )


def _check_changes(config: Config, recipe: str, key: str, changes: Mapping[str, Any]) -> None:
    section = getattr(config, key)
    try:
        overlaid(section, changes)
    except ValidationError as error:
        found = explain([{**item, "loc": (key, *item["loc"])} for item in error.errors()])
        raise ConfigError("\n".join(f"{recipe}.{line}" for line in found)) from None
