"""What reports show of an experiment: their inputs, and how things are called in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vfm_fusion.config.controls import controlled_definitions
from vfm_fusion.encoders.describe import describe_pretraining, encoder_facts, provenance_sentences
from vfm_fusion.study.study import Study

PUBLISHED = "resources/published/metric_guided_fusion.csv"


def of_encoders(study: Study, kind: str, dataset: str | None = None) -> list[str]:
    """Files of a kind, of every encoder on a data set: on the experiment's own where none is named."""
    return study.files.every(kind, encoder=study.config.encoders, dataset=dataset or study.dataset)


def of_dataset(study: Study, kind: str, dataset: str | None = None) -> list[str]:
    """The one file of a kind of a data set: of the experiment's own where none is named."""
    return study.files.every(kind, dataset=dataset or study.dataset)


def profiled(study: Study, dataset: str | None = None) -> dict[str, list[str]]:
    """The encoders' profiles on a data set, and the choice that is made of them where there are several."""
    return {
        "summaries": of_encoders(study, "profile_summary", dataset),
        "selection": of_dataset(study, "selection", dataset) if study.has_pair else [],
    }


def swept(study: Study) -> dict[str, list[str]]:
    """The encoders' levels under other metric settings, and the choice under the configured ones."""
    return {"sweeps": of_encoders(study, "sweep"), "selection": of_dataset(study, "selection")}


def chosen_strides(study: Study, comparison: str) -> dict[str, list[str]]:
    """What the runs of a comparison reach, and the profiles and the choice that their strides come from."""
    dataset = chosen_on(study, comparison)
    return {
        "evaluations": evaluations(study, comparison),
        "profiles": of_encoders(study, "profile_summary", dataset),
        "selection": of_dataset(study, "selection", dataset),
    }


def profiled_index(study: Study) -> str:
    """The index of the images that the encoders are profiled on."""
    return study.files.pattern("index", dataset=study.dataset, split=study.config.features.split)


def profiled_sizes(study: Study, dataset: str | None = None) -> str:
    """The summary of the images that the encoders are profiled on, with their sizes."""
    name = dataset or study.dataset
    return study.files.pattern("index_summary", dataset=name, split=study.config.features_of(name).split)


def remedies(study: Study, dataset: str | None = None) -> dict[str, Any]:
    """What scores and controls are defined by, and the setting of the size of the images behind them."""
    name = dataset or study.dataset
    metrics = study.config.metrics
    definitions = controlled_definitions(metrics.definitions, study.config.selection.definition)
    return {
        "definitions": [(key, definition.model_dump(mode="json")) for key, definition in definitions.items()],
        "image_size": study.image_size(name),
        "setting": "features.image_size" if name == study.dataset else f"also_profiled.{name}.image_size",
    }


def published(study: Study, item: str | None = None) -> list[str]:
    """The published values, where they are shown: beneath those of the main comparison or data set.

    Args:
        study: the experiment.
        item: the comparison or data set that is reported, None for the main one.
    """
    return (
        [PUBLISHED] if study.config.reporting.published and item in (None, study.main, study.dataset) else []
    )


def runs_of(study: Study, comparison: str) -> tuple[str, ...]:
    """The runs of a comparison."""
    return study.comparisons[comparison][1]


def targets_of(study: Study, comparison: str) -> tuple[str, ...]:
    """The data sets that a comparison is about; its runs may be evaluated on others too."""
    return study.comparisons[comparison][0].targets


def chosen_on(study: Study, comparison: str) -> str:
    """The data set whose profiles the runs of a comparison take roles and strides from."""
    return study.config.chosen_on(runs_of(study, comparison)[0])


def first_target(study: Study, comparison: str) -> str:
    """The data set that a report of a comparison shows which shows one: the first of its targets."""
    return targets_of(study, comparison)[0]


def evaluations(study: Study, comparison: str) -> list[str]:
    """Evaluations of the runs of a comparison, on each of its targets."""
    runs, targets = runs_of(study, comparison), targets_of(study, comparison)
    return study.files.every("evaluation", run=runs, seed=study.seeds, target=targets)


def shown_evaluations(study: Study, comparison: str, seeds: Sequence[int] | None = None) -> list[str]:
    """Evaluations, on the first target, of the runs that figures show: with these seeds, or with all."""
    runs, target = shown_runs(study, comparison), first_target(study, comparison)
    return study.files.every("evaluation", run=runs, seed=seeds or study.seeds, target=target)


def predictions(study: Study, comparison: str) -> list[str]:
    """Predictions for the first target, by the runs that figures show, with the first seed."""
    runs, target = shown_runs(study, comparison), first_target(study, comparison)
    return study.files.every("predictions", run=runs, seed=study.seeds[:1], target=target)


def evaluated_indices(study: Study, comparison: str) -> list[str]:
    """The indices of the evaluated images of a comparison, target by target."""
    return study.files.every("index", dataset=targets_of(study, comparison), split="val")


def evaluated_images(study: Study, comparison: str) -> list[dict[str, Any]]:
    """The targets of a comparison, and where each lies if it is generated."""
    return [images_of(study, target) for target in targets_of(study, comparison)]


def images_of(study: Study, dataset: str) -> dict[str, Any]:
    """The settings of a data set, and where it lies if it is generated."""
    return {
        "dataset": study.dataset_section(dataset),
        "generated": study.files.pattern("data", dataset=dataset),
    }


def shown_runs(study: Study, comparison: str) -> list[str]:
    """The runs of a comparison that figures show: those of ``reporting.shown``, or all if it has none."""
    runs = runs_of(study, comparison)
    return [run for run in runs if run in (study.config.reporting.shown or runs)] or list(runs)


def fused_elsewhere(study: Study) -> list[str]:
    """Comparisons besides the main one in which an auxiliary is injected."""
    return [
        name
        for name in study.elsewhere
        if any(study.config.runs[run].auxiliary for run in runs_of(study, name))
    ]


def studied_elsewhere(study: Study) -> list[str]:
    """Comparisons besides the main one that the research questions are answered for."""
    return [name for name in study.studied if name != study.main]


def chosen_elsewhere(study: Study) -> list[str]:
    """The data sets of those, by whose own profiles the pair of their runs is chosen."""
    return [name for name in study.studied_on if name != study.dataset]


def table_of(study: Study, name: str, item: str, suffix: str = "csv") -> str:
    """A file of a table or text that is made for a comparison or a data set: its data, or as it is read."""
    own = item in (study.main, study.dataset)
    return study.files.pattern("table", name=name if own else f"{name}-{item}", format=suffix)


def swept_elsewhere(study: Study) -> list[str]:
    """Those of them in which an auxiliary is injected at several single strides."""
    return [name for name in study.swept if name != study.main]


def encoder_names(study: Study) -> dict[str, Any]:
    """How encoders are called, as pairs: their order is the order of rows and colours."""
    return {
        "encoders": [
            (name, {"label": encoder.label or name, "pretraining": describe_pretraining(encoder)})
            for name, encoder in study.config.encoders.items()
        ]
    }


def profiles_named(study: Study, dataset: str) -> dict[str, Any]:
    """How encoders are called, what they are profiled on, and the definition that comes first."""
    return {
        **encoder_names(study),
        "dataset": dataset,
        "definition": study.config.selection.definition,
    }


def names(study: Study, runs: Iterable[str]) -> dict[str, Any]:
    """How encoders and these runs are called, in their order."""
    labels = [(name, study.config.runs[name].label or name) for name in runs]
    return {**encoder_names(study), "runs": labels}


def encoders_described(study: Study) -> dict[str, Any]:
    """What the table of encoders says of each, and of where their weights come from."""
    encoders = study.config.encoders
    facts = [(name, encoder_facts(name, encoder)) for name, encoder in encoders.items()]
    return {"encoders": facts, "provenance": provenance_sentences(encoders)}


def interval(study: Study) -> dict[str, Any]:
    """The metric definition that tables show, and how their intervals over images are drawn."""
    metrics = study.config.metrics
    return {"definition": study.config.selection.definition, "bootstrap": [metrics.bootstrap, metrics.seed]}


def compared(study: Study, comparison: str) -> dict[str, Any]:
    """How the runs of a comparison are called, their seeds, what they are evaluated on, and by what first."""
    return {
        **names(study, runs_of(study, comparison)),
        "seeds": study.seeds,
        "targets": targets_of(study, comparison),
        "leading": study.config.reporting.leading_metric,
    }


def compared_fusions(study: Study, comparison: str) -> dict[str, Any]:
    """The same, and how each run fuses but for the stride: equal for runs that differ in it alone."""
    said = []
    for name in runs_of(study, comparison):
        run = study.config.runs[name]
        settings = run.fusion.model_dump(mode="json", exclude={"stride"})
        if run.auxiliary_precision != "same":
            settings["auxiliary in"] = run.auxiliary_precision
        settings |= {f"{role} upsampled by": upsampler for role, upsampler in run.upsampling.used.items()}
        said.append((name, ", ".join(f"{key} {value}" for key, value in settings.items())))
    return {**compared(study, comparison), "fusions": said}


def published_results(study: Study, comparison: str) -> dict[str, Any]:
    """Whose published results stand below those of a comparison: kinds of data, and the task, by target.

    The main comparison shows Cityscapes where nothing is published of its own data set.
    """
    group = study.comparisons[comparison][0]
    kinds = {name: study.config.datasets[name].kind for name in (group.dataset, *group.targets)}
    return {
        "of": [
            {"trained_on": kinds[group.dataset], "evaluated_on": kinds[target], "task": group.task}
            for target in group.targets
        ],
        "otherwise": "2" if comparison == study.main else None,
    }


def points_of_sweeps(study: Study) -> dict[str, list[str]]:
    """What the runs of every sweep over strides reach, and what was measured of their encoders before."""
    profiled, encoders = _profiled_for_sweeps(study), study.config.encoders
    return {
        "evaluations": [path for name in study.stride_sweeps for path in evaluations(study, name)],
        "summaries": study.files.every("profile_summary", dataset=profiled, encoder=encoders),
        "pairs": study.files.every("pairs", dataset=profiled),
    }


def sweeps_described(study: Study) -> dict[str, Any]:
    """Which runs make up each sweep over strides, and whose profiles say something of them."""
    return {
        **encoder_names(study),
        "study": study.config.experiment,
        "definitions": list(study.config.metrics.definitions),
        "profiled": _profiled_for_sweeps(study),
        "seeds": study.seeds,
        "leading": study.config.reporting.leading_metric,
        "sweeps": [
            {
                "dataset": study.comparisons[name][0].dataset,
                "profiled": chosen_on(study, name),
                **{key: compared_fusions(study, name)[key] for key in ("runs", "fusions")},
            }
            for name in study.stride_sweeps
        ],
    }


def all_points(study: Study) -> dict[str, list[str]]:
    """The points of this experiment's sweeps, and those of others that are pooled with them."""
    own = study.files.pattern("table", name="predictor_points", format="csv")
    return {"points": [own, *study.config.reporting.more_points]}


def predicted(study: Study) -> dict[str, Any]:
    """How intervals over settings are drawn, and the metric definitions in their order."""
    metrics = study.config.metrics
    return {"definitions": list(metrics.definitions), "bootstrap": [metrics.bootstrap, metrics.seed]}


def _profiled_for_sweeps(study: Study) -> list[str]:
    return list(dict.fromkeys(chosen_on(study, name) for name in study.stride_sweeps))
