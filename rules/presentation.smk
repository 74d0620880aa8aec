# How results are shown: names, files and captions of tables and figures, and the report.
import subprocess

from snakemake.logging import logger


def encoder_names():
    """How encoders are called in tables and figures, as pairs: their order is the order of rows and colours."""
    return {
        "encoders": [
            (
                name,
                {
                    "label": encoder.label or name,
                    "pretraining": describe_pretraining(encoder),
                },
            )
            for name, encoder in CONFIG.encoders.items()
        ]
    }


def compared(wildcards):
    """The comparison that a table or figure shows, with its runs: the main one where its name says none."""
    return COMPARISONS[getattr(wildcards, "comparison", MAIN)]


def evaluations(wildcards):
    """Evaluations of the runs that a table compares."""
    runs = compared(wildcards)[1]
    return collect(rules.evaluate.output.evaluation, run=runs, seed=SEEDS)


def profiles_behind(wildcards):
    """Profiles that the strides of the compared runs were chosen by."""
    chosen_on = CONFIG.chosen_on(compared(wildcards)[1][0])
    return collect(
        rules.profile_encoder.output.scores, encoder=CONFIG.encoders, dataset=chosen_on
    )


def compared_index(wildcards):
    """The index of the images that the compared runs are evaluated on."""
    return f"{RESULTS}/datasets/{compared(wildcards)[0].evaluated_on}/val.parquet"


def compared_data(wildcards):
    """Folder of the generated images that the compared runs are evaluated on."""
    return f"{RESULTS}/data/{compared(wildcards)[0].evaluated_on}"


def names(runs):
    """How encoders and these runs are called in tables and figures, in their order."""
    labels = [(name, CONFIG.runs[name].label or name) for name in runs]
    return {**encoder_names(), "runs": labels}


def shown_runs(wildcards):
    """The compared runs that figures show: those of reporting.runs, or all where it names none of them."""
    runs = compared(wildcards)[1]
    chosen = [run for run in runs if run in (CONFIG.reporting.runs or runs)]
    return chosen or runs


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


def fused_elsewhere():
    """Comparisons besides the main one in which an auxiliary is injected."""
    return [
        name
        for name in ELSEWHERE
        if any(CONFIG.runs[run].auxiliary for run in COMPARISONS[name][1])
    ]


def published_results(wildcards):
    """Whose published results stand below those of the compared runs: kinds of data, and the task.

    The main comparison shows Cityscapes where nothing is published of its own data set.
    """
    group = compared(wildcards)[0]
    trained, evaluated = (
        CONFIG.datasets[name].kind for name in (group.dataset, group.evaluated_on)
    )
    return {
        "of": {"trained_on": trained, "evaluated_on": evaluated, "task": group.task},
        "otherwise": "2" if group.name == MAIN else None,
    }


def interval():
    """The metric definition that tables show, and how their intervals over images are drawn."""
    return {
        "definition": CONFIG.selection.definition,
        "bootstrap": [CONFIG.metrics.bootstrap, CONFIG.metrics.seed],
    }


def table(name):
    """Files of one table: for programs, for papers, for READMEs, for browsers."""
    return {kind: f"{RESULTS}/tables/{name}.{kind}" for kind in ("csv", "tex", "md")}


def figure(name):
    """Files of one figure that the report does not show."""
    return f"{RESULTS}/figures/{name}.pdf"


def reported(path, caption, category, label):
    """An output that the HTML report shows, with its caption."""
    return report(
        path,
        caption=f"../report/captions/{caption}.rst",
        category=category,
        labels={"what": label},
    )


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
