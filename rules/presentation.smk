# What the rules of tables, figures and texts are made of, and the HTML report that shows them.
import subprocess
from functools import partial

from vfm_fusion.reporting.entry import KINDS, report_rules
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.reporting.render.undrawn import undrawn
from vfm_fusion.study import reported

REPORT = Path(RESULTS, "report.html")
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
        labels=partial(called, output.label),
    )


def called(label, wildcards, output):
    """How the HTML report calls a file of a report, with what is wrong with it."""
    return {"what": f"{label} (not drawn)" if undrawn(output) else label}


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
    return made_of(*(e.report.name for e in REPORT_RULES if e.report.kind in kinds))


def made_of(*names):
    """Files of the reports of these names, as far as the experiment has them."""
    return [
        collect(getattr(rules, entry.name).output, **entry.items(STUDY))
        for entry in REPORT_RULES
        if entry.report.name in names
    ]


def write_report():
    """Turns a finished run into one HTML page that a browser opens offline, and returns its path."""
    if not all(Path(path).exists() for path in rules.all.input):
        return None
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        workflow.main_snakefile,
    ]
    command += ["--configfile", *rules.resolved_config.output]
    command += ["--report", str(REPORT), "--nolock"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        logger.error(f"{REPORT} could not be written:\n{done.stderr}")
        return None
    return REPORT


def outcome(page):
    """What this call was for: the choice after `select`, the answers too after `all`, and the page if there is one."""
    from vfm_fusion.reporting import outcome as told

    parts, targets = {}, set(workflow.dag_settings.targets or {"all"})
    if "profiles" in targets and STUDY.has_profiles:
        parts["the profiles"] = lambda: [
            f"Profiles: {FILES.pattern('table', name='profiles', format='md')}",
            f"  Figure: {FILES.pattern('figure', name='profiles', format='png')}",
        ]
    if STUDY.has_pair and {"select", "all"} & targets:
        for dataset in STUDY.studied_on if "all" in targets else [DATASET]:
            parts[f"the selection on {dataset}"] = partial(
                told.selection_lines,
                Path(FILES.pattern("selection", dataset=dataset)),
                {
                    encoder: FILES.pattern(
                        "profile_summary", encoder=encoder, dataset=dataset
                    )
                    for encoder in CONFIG.encoders
                },
                Path(reported.table_of(STUDY, "selection", dataset, "md")),
            )
    for comparison in STUDY.studied if "all" in targets else []:
        answers = reported.table_of(STUDY, "questions", comparison, "md")
        if answers in rules.all.input:
            parts[f"the answers for {comparison}"] = partial(
                told.answer_lines, Path(answers)
            )
    if page:
        parts["the report"] = lambda: [f"Report: {page}"]
    return told.outcome(parts)


def outcome_again():
    """The same where there was nothing to do, with the page that is there."""
    return outcome(REPORT if REPORT.exists() else None)


def refuse_undrawn():
    """Ends a run with an error where figures could not be drawn and state the reason, as the HTML report shows.

    Their files are removed, so that they do not count as made: the same command tries again.
    """
    reasons = undrawn(rules.figures.input)
    if not reasons:
        return
    for path in reasons:
        for suffix in KINDS["figure"].formats:
            path.with_suffix(f".{suffix}").unlink(missing_ok=True)
    said = [f"{path} could not be drawn: {reason}" for path, reason in reasons.items()]
    said.append(f"(logs: {RESULTS}/logs/figure_*; the same command tries again)")
    raise WorkflowError("\n".join(said))
