# What the rules of tables, figures and texts are made of, and the HTML report that shows them.
import subprocess
from functools import partial

from vfm_fusion.reporting.entry import report_rules
from vfm_fusion.reporting.registry import REPORTS

REPORT_RULES = report_rules(REPORTS, STUDY)


def measured(jobs):
    """What Snakemake measured of jobs, at the rule that they are of."""
    return collect(getattr(rules, jobs.rule).benchmark, **jobs.wildcards)


def shown(output, category):
    """A file of a report; where the HTML report shows it, with the caption that report/captions has for it."""
    if output.caption is None:
        return output.path
    caption = f"../report/captions/{output.caption}.rst"
    return report(
        output.path,
        caption=caption if (ROOT / "rules" / caption).exists() else None,
        category=category,
        labels={"what": output.label},
    )


def report_fingerprint(modules):
    """Hash of what the script does with the modules that it loads for one report."""
    build, writer = modules
    loaded = [f"{build}:build", f"{writer}:write"]
    return fingerprint("report.py", {**LOADED, "vfm_fusion.reporting.make": loaded})


def group_of(entry, wildcards):
    """The group that a report is submitted with, where this call has groups, as slurm/config.yaml does."""
    return entry.report.group if workflow.group_settings.overwrite_groups else None


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
