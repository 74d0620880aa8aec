# Tables, figures and texts, from result files alone: a rule for each entry of vfm_fusion/reporting/registry.py. The resolved
# configuration beside them, and the HTML report.
import subprocess
from functools import partial

from vfm_fusion.reporting.entry import report_rules
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.study.study import Study

STUDY = Study(CONFIG)
REPORT_RULES = report_rules(REPORTS, STUDY)


def measured(jobs):
    """What Snakemake measured of jobs, at the rule that they are of."""
    return collect(getattr(rules, jobs.rule).benchmark, **jobs.wildcards)


def shown(output, category):
    """A file of a report; with its caption where the HTML report shows it."""
    if output.caption is None:
        return output.path
    return report(
        output.path,
        caption=f"../report/captions/{output.caption}.rst",
        category=category,
        labels={"what": output.label},
    )


def report_fingerprint(modules):
    """Hash of what the script does with the modules that it loads for one report."""
    loaded = {**LOADED, "vfm_fusion.reporting.make": modules}
    script = ROOT / "workflow_scripts" / "report.py"
    return fingerprints.fingerprint(script, ROOT, loaded, SOURCES)


def group_of(entry, wildcards):
    """The group that a report is submitted with, where this call has groups, as slurm/config.yaml does."""
    return entry.group if workflow.group_settings.overwrite_groups else None


def made(*kinds):
    """Files of all reports of these kinds."""
    return [
        collect(getattr(rules, entry.name).output, **entry.items(STUDY))
        for entry in REPORT_RULES
        if entry.report.kind in kinds
    ]


def write_report():
    """Turns a finished run into one HTML page that a browser opens offline."""
    if not all(Path(path).exists() for path in rules.all.input):
        return
    target = Path(RESULTS, "report.html")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        workflow.main_snakefile,
    ]
    command += ["--configfile", *rules.resolved_config.output]
    command += ["--report", str(target), "--nolock"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        logger.error(f"{target} could not be written:\n{done.stderr}")
    else:
        logger.info(f"Report: {target}")


rule resolved_config:
    output:
        f"{RESULTS}/config.resolved.yaml",
    log:
        f"{RESULTS}/logs/resolved_config.log",
    benchmark:
        f"{RESULTS}/benchmarks/resolved_config.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(500),
        runtime=lasting(5),
    params:
        config=CONFIG.model_dump_json(),
        code=fingerprint("resolved_config.py"),
    message:
        "Write the resolved configuration beside the results"
    script:
        "../workflow_scripts/resolved_config.py"


for entry in REPORT_RULES:

    rule:
        name:
            entry.name
        input:
            unpack(partial(entry.inputs, STUDY, measured)),
        output:
            **{
                name: shown(output, entry.report.category)
                for name, output in entry.outputs(STUDY)
            },
        log:
            f"{RESULTS}/logs/{entry.path}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{entry.path}.jsonl"
        group:
            partial(group_of, entry.report)
        conda:
            f"../envs/{entry.report.environment}"
        resources:
            mem_mb=growing(entry.report.memory),
            runtime=lasting(entry.report.minutes),
        params:
            modules=entry.report.modules,
            config=partial(entry.config, STUDY),
            code=report_fingerprint(entry.report.modules),
        message:
            entry.message
        script:
            "../workflow_scripts/report.py"


rule tables:
    input:
        made("table", "text"),
    message:
        "All tables are made"


rule figures:
    input:
        made("figure"),
    message:
        "All figures are made"
