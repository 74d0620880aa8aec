# What a run is trained on, by which recipe and with which encoders, and what its stages depend on.


def encoders_of(run):
    """Encoders that a run may come to use: the named ones, or all where it uses a role."""
    named = {CONFIG.runs[run].master, CONFIG.runs[run].auxiliary} - {None}
    return sorted(named if named <= set(CONFIG.encoders) else CONFIG.encoders)


def run_encoders(run):
    """What a run depends on of the encoders that it may come to use."""
    used = encoders_of(run)
    return {
        "encoders": {name: encoder_settings(name) for name in used},
        "specs": {name: encoder_spec(name) for name in used},
    }


def weights_of_run(wildcards):
    """Weight files of the encoders that a run may come to use."""
    return [
        WEIGHT_FILES[name] for name in encoders_of(wildcards.run) if WEIGHT_FILES[name]
    ]


def training_index(wildcards):
    """The index of the images that a run is trained on."""
    return f"{RESULTS}/datasets/{CONFIG.dataset_of(wildcards.run)}/train.parquet"


def evaluation_index(wildcards):
    """The index of the images that a run is evaluated on."""
    return f"{RESULTS}/datasets/{CONFIG.evaluated_on(wildcards.run)}/val.parquet"


def training_categories(wildcards):
    """The classes of the data set that a run is trained on."""
    return f"{RESULTS}/datasets/{CONFIG.dataset_of(wildcards.run)}/categories.json"


def run_selection(wildcards):
    """The selection that a run takes its roles and its stride from."""
    return f"{RESULTS}/selection/{CONFIG.chosen_on(wildcards.run)}/selection.json"


def training_data(wildcards):
    """Folder of the generated images that a run is trained on, where they are generated."""
    return f"{RESULTS}/data/{CONFIG.dataset_of(wildcards.run)}"


def evaluation_data(wildcards):
    """Folder of the generated images that a run is evaluated on, where they are generated."""
    return f"{RESULTS}/data/{CONFIG.evaluated_on(wildcards.run)}"


def recipe(run):
    """How a run is built and trained, but for its encoders."""
    return {
        "run": CONFIG.runs[run].model_dump(mode="json", exclude=set(ARRANGEMENT)),
        "training": CONFIG.training_of(run).model_dump(
            mode="json", exclude={"seeds", *EXECUTION_OF_TRAINING}
        ),
    }


def training_setting(name):
    """One of the settings that say how training is done: results do not depend on them."""

    def setting(wildcards):
        return getattr(CONFIG.training_of(wildcards.run), name)

    return setting


def training_threads(wildcards):
    """A thread for each device and for each of its loader processes."""
    training = CONFIG.training_of(wildcards.run)
    return training.devices * (1 + training.workers)


def training_config(wildcards):
    return canonical(
        {
            "dataset": dataset_section(CONFIG.dataset_of(wildcards.run)),
            **recipe(wildcards.run),
            **run_encoders(wildcards.run),
        }
    )


def cost_config(wildcards):
    """What the cost of a run's model depends on: not on the values of weights."""
    used = run_encoders(wildcards.run)
    seeded = {"weights": {"source": "seeded"}}
    return canonical(
        {
            **recipe(wildcards.run),
            "encoders": {
                name: {**settings, **seeded}
                for name, settings in used["encoders"].items()
            },
            "specs": used["specs"],
            "cost": CONFIG.cost.model_dump(mode="json"),
        }
    )


def finetuned_runs():
    """Runs of the main comparison that train an encoder alone, as in the paper's Table 8."""
    runs = {name: CONFIG.runs[name] for name in COMPARISONS[MAIN][1]}
    return [
        name for name, run in runs.items() if run.train_master and not run.auxiliary
    ]


def finetuned_config(wildcards):
    return canonical(
        {
            "name": DATASET,
            "dataset": dataset_section(DATASET),
            **run_encoders(wildcards.run),
            "features": features_settings(DATASET),
        }
    )


def prediction_config(wildcards):
    return canonical(
        {
            "dataset": dataset_section(CONFIG.evaluated_on(wildcards.run)),
            **run_encoders(wildcards.run),
            "inference": CONFIG.evaluation_of(wildcards.run).model_dump(
                mode="json", exclude={"instance_protocol"}
            ),
        }
    )


def evaluation_config(wildcards):
    name = CONFIG.evaluated_on(wildcards.run)
    return canonical(
        {
            "name": name,
            "trained_on": CONFIG.dataset_of(wildcards.run),
            "dataset": dataset_section(name),
            "protocol": CONFIG.evaluation_of(wildcards.run).instance_protocol,
        }
    )
