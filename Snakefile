# Encoder features -> SC / EF profiles -> pair and stride -> fused training -> evaluation -> tables and figures.
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/compute.smk"
include: "rules/datasets.smk"
include: "rules/features.smk"
include: "rules/metrics.smk"
include: "rules/selection.smk"
include: "rules/training.smk"
include: "rules/finetuned.smk"
include: "rules/evaluation.smk"
include: "rules/cost.smk"
include: "rules/presentation.smk"
include: "rules/reporting.smk"
include: "rules/pretraining.smk"
include: "rules/upsampling.smk"


for system in CONFIG.systems:  # each has a target rule of its own name

    include: rules_of(system)


SOURCES.save()


rule all:
    default_target: True
    input:
        rules.resolved_config.output,
        rules.profiles.input,
        rules.tables.input,
        rules.figures.input,
        [getattr(rules, system).input for system in CONFIG.systems],
    message:
        "Everything is up to date: tables, figures and the report's parts"


if PLANNING:
    if Quietness.RULES in (workflow.output_settings.quiet or ()):
        logger.addFilter(JobsOnce())
elif workflow.is_main_process:
    logger.addFilter(OutcomeToo(outcome_again))


onstart:
    let_no_timers_pile_up(workflow)
    refuse_absent()
    refuse_unfit()


onsuccess:
    said = outcome(write_report())
    if said:
        logger.info(said)
    refuse_undrawn()


onerror:
    refuse_undrawn()
