# What a table or figure of one comparison is made of; the main comparison's files carry no name.


def compared(wildcards):
    """The comparison that a table or figure shows, with its runs: the main one where its name says none."""
    return STUDY.comparisons[getattr(wildcards, "comparison", STUDY.main)]


def fused_elsewhere():
    """Comparisons besides the main one in which an auxiliary is injected."""
    return [
        name
        for name in STUDY.elsewhere
        if any(CONFIG.runs[run].auxiliary for run in STUDY.comparisons[name][1])
    ]


def swept_elsewhere():
    """Those of them in which an auxiliary is injected at several single strides."""
    found = []
    for name in fused_elsewhere():
        fused = [CONFIG.runs[run] for run in STUDY.comparisons[name][1]]
        strides = {run.fusion.strides for run in fused if run.auxiliary}
        if sum(len(injected) == 1 for injected in strides) > 1:
            found.append(name)
    return found


def first_target(wildcards):
    """The data set whose results a table or figure shows: the first that the compared runs are evaluated on."""
    return compared(wildcards)[0].targets[0]


def evaluations(wildcards):
    """Evaluations of the runs that a table compares."""
    runs = compared(wildcards)[1]
    return STUDY.evaluations(runs, target=first_target(wildcards))


def profiles_behind(wildcards):
    """Profiles that the strides of the compared runs were chosen by."""
    chosen_on = CONFIG.chosen_on(compared(wildcards)[1][0])
    return collect(
        rules.profile_encoder.output.scores, encoder=CONFIG.encoders, dataset=chosen_on
    )


def summaries_behind(wildcards):
    """Summaries of the profiles that the strides of the compared runs were chosen by."""
    chosen_on = CONFIG.chosen_on(compared(wildcards)[1][0])
    return collect(
        rules.profile_encoder.output.summary,
        encoder=CONFIG.encoders,
        dataset=chosen_on,
    )


def selection_behind(wildcards):
    """The selection that the compared runs take their roles from."""
    chosen_on = CONFIG.chosen_on(compared(wildcards)[1][0])
    return collect(rules.select_pair.output.selection, dataset=chosen_on)


def compared_index(wildcards):
    """The index of the images that the compared runs are evaluated on."""
    return FILES.pattern("index", dataset=first_target(wildcards), split="val")


def compared_data(wildcards):
    """Folder of the generated images that the compared runs are evaluated on."""
    return FILES.pattern("data", dataset=first_target(wildcards))


def shown_runs(wildcards):
    """The compared runs that figures show: those of reporting.shown, or all where it names none of them."""
    runs = compared(wildcards)[1]
    chosen = [run for run in runs if run in (CONFIG.reporting.shown or runs)]
    return chosen or runs


def shown_evaluations(wildcards):
    """Evaluations of the runs that figures show."""
    return STUDY.evaluations(shown_runs(wildcards), target=first_target(wildcards))


def shown_losses(wildcards):
    """Training logs of the runs that figures show."""
    return collect(rules.train.output.metrics, run=shown_runs(wildcards), seed=SEEDS)


def first_evaluations(wildcards):
    """Evaluations of the shown runs with the first seed."""
    return STUDY.evaluations(shown_runs(wildcards), SEEDS[:1], first_target(wildcards))


def first_predictions(wildcards):
    """Predictions of the shown runs with the first seed."""
    return STUDY.predictions(shown_runs(wildcards), SEEDS[:1], first_target(wildcards))


def fusions(runs):
    """How each run fuses, but for the stride; runs that differ in the stride alone have the same."""
    said = []
    for name in runs:
        run = CONFIG.runs[name]
        settings = run.fusion.model_dump(mode="json", exclude={"stride"})
        if run.auxiliary_precision != "same":
            settings["auxiliary in"] = run.auxiliary_precision
        said.append(
            (name, ", ".join(f"{key} {value}" for key, value in settings.items()))
        )
    return said


def published_results(wildcards):
    """Whose published results stand below those of the compared runs: kinds of data, and the task.

    The main comparison shows Cityscapes where nothing is published of its own data set.
    """
    group = compared(wildcards)[0]
    trained, evaluated = (
        CONFIG.datasets[name].kind for name in (group.dataset, group.targets[0])
    )
    return {
        "of": {"trained_on": trained, "evaluated_on": evaluated, "task": group.task},
        "otherwise": "2" if group.name == STUDY.main else None,
    }


def main_results_config(wildcards):
    return canonical(
        {
            **names(compared(wildcards)[1]),
            "seeds": SEEDS,
            "published": published_results(wildcards),
        }
    )


def per_class_config(wildcards):
    group, runs = compared(wildcards)
    return canonical(
        {
            **names(runs),
            "seeds": SEEDS,
            "dataset": STUDY.dataset_section(group.targets[0]),
        }
    )


def stride_gain_config(wildcards):
    runs = compared(wildcards)[1]
    return canonical(
        {**names(runs), **interval(), "seeds": SEEDS, "fusions": fusions(runs)}
    )


def settings_config(wildcards):
    """How the runs are called and what tells apart those that inject at several strides."""
    runs = compared(wildcards)[1]
    return canonical({**names(runs), "seeds": SEEDS, "fusions": fusions(runs)})


def qualitative_config(wildcards):
    return canonical(
        {
            **names(shown_runs(wildcards)),
            "dataset": STUDY.dataset_section(first_target(wildcards)),
            "reporting": CONFIG.reporting.model_dump(
                mode="json", include={"images", "dpi"}
            ),
        }
    )


def training_curves_config(wildcards):
    return canonical({**names(shown_runs(wildcards)), "dpi": CONFIG.reporting.dpi})
