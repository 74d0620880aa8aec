# What all rules share: the experiment, wildcard constraints, code fingerprints and adaptors to the look-ups in
# vfm_fusion/study.
import functools
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import Quietness

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))

from vfm_fusion.config.base import canonical
from vfm_fusion.config.merge import deep_merge
from vfm_fusion.errors import VfmFusionError
from vfm_fusion.study.loaded import loaded_by_name
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import from_command_line, resolve
from vfm_fusion.study.settings import Settings
from vfm_fusion.study.study import SCENES, Study
from vfm_fusion.study.upsamplers import shipped_pairs
from vfm_fusion.study.upsampled_runs import trained_weights, upsamplers_of
from vfm_fusion.workflow import fingerprint as fingerprints
from vfm_fusion.workflow.console import JobsOnce, OutcomeToo
from vfm_fusion.workflow.environment import check_place, prepare_environment
from vfm_fusion.workflow.rule_log import QUIET
from vfm_fusion.workflow.scheduling import let_no_timers_pile_up

prepare_environment(ROOT)
if {Quietness.ALL, Quietness.PROGRESS} & set(workflow.output_settings.quiet or ()):
    os.environ[QUIET] = "yes"
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

try:
    check_place(ROOT)
    typed = from_command_line(workflow.config_settings.config)
    CONFIG = resolve(deep_merge(config, typed), ROOT / "experiments")
    STUDY = Study(CONFIG)
    OWNED = Owned(STUDY)
    LOADED = loaded_by_name(STUDY)
    if workflow.is_main_process:  # the jobs check the weights that they use themselves
        OWNED.check_weights()
except VfmFusionError as error:
    raise WorkflowError(f"{type(error).__name__}: {error}") from None

if OWNED.absent and PLANNING:
    logger.warning(
        "\n".join(["Needed before a run, planned as if found:", *OWNED.absent])
    )

SETTINGS = Settings(STUDY)
FILES = STUDY.files
RESULTS = FILES.results
DATASET = STUDY.dataset
SEEDS = STUDY.seeds
SOURCES = fingerprints.Sources(Path(".snakemake", "fingerprints.json"))


def one_of(names):
    """A wildcard's constraint: one of these names, and nothing where there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    comparison=one_of(STUDY.comparisons),
    dataset=one_of(STUDY.datasets),
    encoder=one_of(CONFIG.encoders),
    model=one_of(CONFIG.pretraining.models),
    run=one_of(CONFIG.runs),
    seed=r"\d+",
    target=one_of(CONFIG.datasets),
    upsampler=one_of(CONFIG.upsamplers),
    part=r"\d+",
    parts=r"\d+",
    split="train|val",
    views=one_of(name for _, name in STUDY.views),


def refuse_absent():
    """Ends a run whose data or weights are not there before its first job; a dry run never comes here.

    The pre-training of the mini encoders needs neither.
    """
    rules_to_run = {job.rule.name for job in workflow.dag.needrun_jobs()}
    if OWNED.absent and not rules_to_run <= PRETRAINING:
        raise WorkflowError("\n".join(OWNED.absent))


def fingerprint(script, loaded=LOADED):
    """Hash of what a script in workflow_scripts/ and the project's modules behind it do."""
    path = ROOT / "workflow_scripts" / script
    try:
        return fingerprints.fingerprint(path, ROOT, loaded, SOURCES)
    except (VfmFusionError, SyntaxError) as error:
        raise WorkflowError(f"{type(error).__name__}: {error}") from None


def rules_of(system):
    """The file that has the rules of another system."""
    path = ROOT / "rules" / f"{system}.smk"
    if not path.is_file():
        raise WorkflowError(
            f"the experiment has a section {system!r}, whose rules would be in {path}, which is not there; "
            f"write it, with a rule {system!r} that asks for the system's results, or leave out the section"
        )
    return str(path)


def of(look_up, *names):
    """What a look-up says of a job: a function of its wildcards, which hands on those of these names.

    The settings of a data set are always given by a function: Snakemake would take the {split} in a path of theirs for a
    wildcard. Answers are kept, for Snakemake asks again for every job that is ready, whenever one has finished.
    """
    look_up = functools.cache(look_up)

    def found(wildcards):
        return look_up(*(getattr(wildcards, name) for name in names))

    return found


def growing(amount):
    """A resource that grows with every attempt."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


def weights(wildcards):
    """The weight file of the encoder, if it has one."""
    return OWNED.weights[wildcards.encoder] or []


def weights_of_run(wildcards):
    """Weight files of the encoders and upsamplers that a run may come to use."""
    upsamplers = OWNED.upsampler_files(upsamplers_of(CONFIG, wildcards.run))
    return OWNED.weight_files(STUDY.encoders_of(wildcards.run)) + upsamplers


def training_setting(name):
    """One of the settings that say how training is done: results do not depend on them."""

    def setting(wildcards):
        return getattr(CONFIG.training_of(wildcards.run), name)

    return setting


def weights_for(upsampler, encoder):
    """The weight file of an upsampler for an encoder, a list of one or none: the user's, or what the workflow trains."""
    if upsampler in trained_weights(CONFIG):
        return FILES.every("upsampler", upsampler=upsampler, encoder=encoder)
    return OWNED.upsampler_files([(upsampler, encoder)])


upsampler_weights = of(weights_for, "upsampler", "encoder")


def shipped(kind):
    """Files of a kind of all upsamplers that are shipped."""

    def found(wildcards):
        pairs = shipped_pairs(CONFIG)
        if not pairs:
            raise WorkflowError(
                "pretrain_upsamplers: no upsampler of this experiment is `shipped_for` an encoder; those that the project "
                "ships are trained with --config experiment=upsamplers"
            )
        return [
            FILES.pattern(kind, upsampler=name, encoder=encoder)
            for name, encoder in pairs
        ]

    return found
