# Configuration look-ups and code fingerprints; those of runs are in runs.smk, of tables and figures in presentation.smk
# and comparisons.smk.
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))

from vfm_fusion.workflow import fingerprint as fingerprints
from vfm_fusion.study.comparisons import comparisons, main_comparison
from vfm_fusion.config.controls import controlled_definitions
from vfm_fusion.config.features import EXECUTION
from vfm_fusion.config.merge import deep_merge
from vfm_fusion.study.resolve import canonical, from_command_line, resolve
from vfm_fusion.config.runs import ARRANGEMENT, OPERATORS
from vfm_fusion.config.training import EXECUTION as EXECUTION_OF_TRAINING
from vfm_fusion.datasets.kinds import reader_module
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.encoders.describe import (
    describe_pretraining,
    encoder_facts,
    provenance_sentences,
)
from vfm_fusion.encoders.files import weight_file, weights_digest
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.workflow.environment import prepare_environment
from vfm_fusion.errors import DatasetLayoutError, VfmFusionError, WeightsError
from vfm_fusion.evaluation.registry import EVALUATORS

prepare_environment(ROOT)
PRETRAINING = {
    "generate_dataset",
    "index_dataset",
    "pretrain_encoder",
    "figure_pretrained",
    "pretrain_mini",
}
PLANNING = bool({"-n", "--dry-run", "--dryrun"} & set(sys.argv))
if PLANNING:  # it fetches nothing
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
ABSENT = []


def found(look_up, *arguments):
    """Returns what a look-up of data or weights finds; where it fails None, and refuse_absent() says why."""
    try:
        return look_up(*arguments)
    except (DatasetLayoutError, WeightsError) as error:
        ABSENT.append(f"{type(error).__name__}: {error}")


def refuse_absent():
    """Ends a run whose data or weights are not there before its first job; a dry run never comes here.

    The pre-training of the mini encoders needs neither.
    """
    rules_to_run = {job.rule.name for job in workflow.dag.needrun_jobs()}
    if ABSENT and not rules_to_run <= PRETRAINING:
        raise WorkflowError("\n".join(ABSENT))


try:
    typed = from_command_line(workflow.config_settings.config)
    CONFIG = resolve(deep_merge(config, typed), ROOT / "experiments")
    SPLITS = CONFIG.used_splits()
    for name in dict(SPLITS):
        found(data_root, CONFIG.datasets[name], Path(), name)
    WEIGHT_FILES = {
        name: found(weight_file, name, encoder)
        for name, encoder in CONFIG.encoders.items()
    }
    if workflow.is_main_process:  # the jobs check the weights that they use themselves
        for name in filter(WEIGHT_FILES.get, WEIGHT_FILES):
            weights_digest(CONFIG.encoders[name])
except VfmFusionError as error:
    raise WorkflowError(f"{type(error).__name__}: {error}") from None

if ABSENT and PLANNING:
    logger.warning("\n".join(["Needed before a run, planned as if found:", *ABSENT]))

RESULTS = CONFIG.paths.results
SCENES = "pretraining-scenes"
DATASETS = {**CONFIG.datasets, SCENES: CONFIG.pretraining.scenes}
DATASET = CONFIG.dataset
SEEDS = CONFIG.training.seeds
PROFILED = [DATASET, *CONFIG.also_profiled]
COMPARISONS = {group.name: (group, runs) for group, runs in comparisons(CONFIG).items()}
MAIN = main_comparison(CONFIG).name
ELSEWHERE = [name for name in COMPARISONS if name != MAIN]


wildcard_constraints:
    comparison="|".join(COMPARISONS),
    dataset="|".join(DATASETS),
    encoder="|".join(CONFIG.encoders),
    model="|".join(CONFIG.pretraining.models),
    run="|".join(CONFIG.runs),
    seed=r"\d+",
    part=r"\d+",
    parts=r"\d+",
    split="train|val",


SOURCES = fingerprints.Sources(Path(".snakemake", "fingerprints.json"))
LOADED = {
    "vfm_fusion.datasets.kinds": [
        reader_module(dataset.kind) for dataset in CONFIG.datasets.values()
    ],
    "vfm_fusion.fusion.operators": [
        OPERATORS[run.fusion.operator].partition(":")[0] for run in CONFIG.runs.values()
    ],
    "vfm_fusion.evaluation.registry": [
        evaluator.module for evaluator in EVALUATORS.values()
    ],
}


def fingerprint(script):
    """Hash of what a script in workflow_scripts/ and the project's modules behind it do."""
    path = ROOT / "workflow_scripts" / script
    return fingerprints.fingerprint(path, ROOT, LOADED, SOURCES)


def growing(amount):
    """A resource that grows with every attempt."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


def encoder_settings(name):
    """What an encoder's features depend on: everything but its label."""
    return CONFIG.encoders[name].model_dump(mode="json", exclude={"label"})


def encoder_spec(name):
    """What the registry says of an encoder that its features depend on."""
    return ARCHITECTURES[CONFIG.encoders[name].architecture].facts()


def weights(wildcards):
    """The weight file of the encoder, if it has one."""
    return WEIGHT_FILES[wildcards.encoder] or []


def dataset_section(name):
    return DATASETS[name].model_dump(mode="json")


def dataset_settings(wildcards):
    return canonical(DATASETS[wildcards.dataset])


def is_generated(dataset):
    return DATASETS[dataset].generated


def data_manifest(wildcards):
    """The manifest of a generated data set; nothing for one that the user owns."""
    generated = is_generated(wildcards.dataset)
    return rules.generate_dataset.output.manifest if generated else []


def profiled_index(wildcards):
    """The index of the images that a data set is profiled on."""
    split = CONFIG.features_of(wildcards.dataset).split
    return f"{RESULTS}/datasets/{wildcards.dataset}/{split}.parquet"


def features_settings(dataset):
    """What stored features depend on: everything but how the work is done."""
    return CONFIG.features_of(dataset).model_dump(mode="json", exclude=set(EXECUTION))


def feature_parts(wildcards):
    """Marks of the jobs that extract a part each; nothing where one job does it all."""
    parts = CONFIG.features.parts
    if parts == 1:
        return []
    return collect(
        rules.extract_part.output[0],
        dataset=wildcards.dataset,
        encoder=wildcards.encoder,
        part=range(1, parts + 1),
        parts=parts,
    )


def planned_features():
    """Every store of an encoder's own features: its manifest, and what its size follows from."""
    return canonical(
        [
            {
                "manifest": f"{RESULTS}/features/{dataset}/{name}.zarr.manifest.json",
                "index": f"{RESULTS}/datasets/{dataset}/{CONFIG.features_of(dataset).split}.parquet",
                "architecture": encoder.architecture,
                "features": features_settings(dataset),
            }
            for dataset in PROFILED
            for name, encoder in CONFIG.encoders.items()
        ]
    )


def feature_manifests():
    """Manifests of all feature stores that this configuration uses."""
    own = collect(
        f"{RESULTS}/features/{{dataset}}/{{encoder}}.zarr.manifest.json",
        dataset=PROFILED,
        encoder=CONFIG.encoders,
    )
    tuned = f"{RESULTS}/features/{DATASET}/finetuned/{{run}}.seed{{seed}}.zarr.manifest.json"
    return [*own, *collect(tuned, run=finetuned_runs(), seed=SEEDS)]


def pretraining_config(wildcards):
    """What the training of a mini encoder depends on."""
    return canonical(
        {
            "scenes": dataset_section(SCENES),
            "recipe": CONFIG.pretraining.models[wildcards.model].model_dump(
                mode="json"
            ),
        }
    )


def features_config(wildcards):
    return canonical(
        {
            "dataset": dataset_section(wildcards.dataset),
            "encoder": encoder_settings(wildcards.encoder),
            "spec": encoder_spec(wildcards.encoder),
            "features": features_settings(wildcards.dataset),
        }
    )


def profile_config(wildcards):
    return canonical(
        {
            "dataset": dataset_section(wildcards.dataset),
            "metrics": CONFIG.metrics.model_dump(mode="json"),
        }
    )


def sweep_config(wildcards):
    """What a sweep depends on: the definition that is varied, the maps, and the settings tried."""
    definition = CONFIG.metrics.definitions[CONFIG.selection.definition]
    maps = CONFIG.metrics.model_dump(mode="json", include={"strides", "interpolation"})
    return canonical(
        {
            "dataset": dataset_section(wildcards.dataset),
            "maps": maps,
            "definition": definition.model_dump(mode="json", exclude={"null_draws"}),
            "sensitivity": {
                "images": CONFIG.sensitivity.images,
                "sweeps": list(CONFIG.sensitivity.sweeps.items()),
            },
        }
    )


def supervised_config(wildcards):
    """What SC_GT depends on: the definition that pairs encoders, and the maps it looks at."""
    definition = CONFIG.selection.definition
    metrics = CONFIG.metrics.model_dump(
        mode="json", include={"strides", "interpolation"}
    )
    settings = CONFIG.metrics.definitions[definition].model_dump(mode="json")
    return canonical(
        {
            "dataset": dataset_section(wildcards.dataset),
            "definition": definition,
            "metrics": {**metrics, "definitions": {definition: settings}},
        }
    )


def controls_config(wildcards):
    """What the scores of the controls depend on."""
    definitions = controlled_definitions(
        CONFIG.metrics.definitions, CONFIG.selection.definition
    )
    return canonical(
        {
            "dataset": dataset_section(wildcards.dataset),
            "images": CONFIG.controls.images,
            "strides": CONFIG.metrics.strides,
            "definitions": [
                (name, definition.model_dump(mode="json"))
                for name, definition in definitions.items()
            ],
        }
    )
