"""What the workflow knows of a table, figure or text before any is made; nothing here draws or reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from vfm_fusion.config.base import canonical
from vfm_fusion.errors import ReportingError
from vfm_fusion.study.study import Study

CATEGORIES = {
    "0. Answers": "results",
    "0. Data and encoders": "profiles",
    "1. Profiles": "profiles",
    "2. Selection": "profiles",
    "3. Results": "results",
    "4. Cost": "results",
    "5. Interactive segmentation": "clicks",
}
"""Category of the HTML report to the group of jobs that share a submission to a cluster."""


ITEMS = ("comparison", "dataset")
"""What a report may be made for each of."""

NEEDS = ("data", "labels", "profiles", "pair", "runs", "sweep", "clicks")
"""What a report may need of an experiment."""


class Benchmarks(NamedTuple):
    """An input: what Snakemake measured of the jobs of a rule.

    Attributes:
        rule: name of the rule.
        wildcards: values of its wildcards; all combinations are taken.
    """

    rule: str
    wildcards: Mapping[str, Any]


Inputs = Mapping[str, str | Sequence[str | Benchmarks]]


class Kind(NamedTuple):
    """How reports of a kind are written.

    Attributes:
        files: kind of file in ``study.files``.
        formats: suffixes of its files; the HTML report shows the last.
        writer: module with a function ``write(built, files, settings)``.
    """

    files: str
    formats: tuple[str, ...]
    writer: str


KINDS = {
    "table": Kind("table", ("csv", "tex", "md", "html"), "vfm_fusion.reporting.render.table_files"),
    "text": Kind("table", ("md", "html"), "vfm_fusion.reporting.render.text_files"),
    "figure": Kind("figure", ("pdf", "png"), "vfm_fusion.reporting.render.figure_files"),
}


class Output(NamedTuple):
    """A file of a report.

    Attributes:
        path: where it is written, with the wildcard of its rule.
        caption: name of its caption in report/captions/, None for a file that the HTML report does not show.
        label: how the HTML report calls it.
    """

    path: str
    caption: str | None
    label: str


def nothing(study: Study, item: str | None) -> dict[str, Any]:
    """Settings of a report that depends on its inputs alone."""
    return {}


@dataclass(frozen=True)
class Report:
    """A table, figure or text.

    Attributes:
        name: name of its rule: ``table_``, ``figure_`` or ``text_`` and that of its files.
        build: module with a function ``build(inputs, settings)``. It gets lists of paths by name, and the
            settings as JSON gives them back, and returns a :class:`~vfm_fusion.reporting.table.Table`, a
            :class:`~vfm_fusion.reporting.render.text_files.Text` or a figure (a dict where it has parts).
        category: one of :data:`CATEGORIES`.
        label: how the HTML report calls it; of a figure of several parts, by the name of the part.
        message: what its job says.
        inputs: files by name, from the study and the item that is reported.
        settings: what else it depends on, from the same; a figure's resolution is added.
        per: what it is made for each of, the item; the files of the main one carry no name.
        elsewhere: which items besides the main one it is made for, all if left out.
        needs: what the experiment must have: ``data``, ``labels`` of its own data set, encoders to profile
            (``profiles``), a ``pair`` of them, ``runs``, a ``sweep`` over injection strides, ``clicks``: the
            section ``interactive``.
        environment: file in envs/.
        memory: MB of its job.
        minutes: time of its job.

    Raises:
        ReportingError: its kind or its category is none of those that there are.
    """

    name: str
    build: str
    category: str
    label: str | Mapping[str, str]
    message: str
    inputs: Callable[[Study, Any], Inputs]
    settings: Callable[[Study, Any], dict[str, Any]] = nothing
    per: Literal["comparison", "dataset"] | None = None
    elsewhere: Callable[[Study], list[str]] | None = None
    needs: tuple[Literal["data", "labels", "profiles", "pair", "runs", "sweep", "clicks"], ...] = ()
    environment: str = "workflow.yaml"
    memory: int = 1000
    minutes: int = 10

    def __post_init__(self) -> None:
        named = [(self.kind, KINDS), (self.category, CATEGORIES), *((need, NEEDS) for need in self.needs)]
        if self.per is not None:
            named.append((self.per, ITEMS))
        for found, known in named:
            if found not in known:
                raise ReportingError(f"report {self.name!r}: {found!r} is none of: {', '.join(known)}")

    @property
    def kind(self) -> str:
        """Its kind, one of :data:`KINDS`."""
        return self.name.partition("_")[0]

    @property
    def modules(self) -> list[str]:
        """The modules that build and write it."""
        return [self.build, KINDS[self.kind].writer]

    @property
    def group(self) -> str:
        """The group that its jobs are submitted with."""
        return CATEGORIES[self.category]

    def applies(self, study: Study) -> bool:
        """Whether the experiment has what it needs."""
        has = {
            "data": bool(study.splits),
            "labels": study.has_labels,
            "profiles": study.has_profiles,
            "pair": study.has_pair,
            "runs": study.has_runs,
            "sweep": bool(study.stride_sweeps),
            "clicks": study.has_clicks,
        }
        return all(has[need] for need in self.needs)

    def rules(self) -> list[ReportRule]:
        """Its rules: that of the main item, and that of all others."""
        return [ReportRule(self, False), ReportRule(self, True)] if self.per else [ReportRule(self, False)]


@dataclass(frozen=True)
class ReportRule:
    """A rule of the workflow that makes a report.

    Attributes:
        report: the report.
        elsewhere: whether it makes it for all items but the main one, by a wildcard.
    """

    report: Report
    elsewhere: bool

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.report.name}_elsewhere" if self.elsewhere else self.report.name

    @property
    def path(self) -> str:
        """Path of its log and of its benchmark, without folder and suffix."""
        return f"{self.report.name}/{{{self.report.per}}}" if self.elsewhere else self.report.name

    @property
    def message(self) -> str:
        """What its jobs say."""
        return self.report.message + self._ending(f"{{wildcards.{self.report.per}}}")

    def items(self, study: Study) -> dict[str, list[str]]:
        """What it is made for: values of its wildcard, none where it has no wildcard."""
        if not self.elsewhere:
            return {}
        others = {"comparison": study.elsewhere, "dataset": list(study.config.also_profiled)}[self.report.per]
        return {self.report.per: self.report.elsewhere(study) if self.report.elsewhere else others}

    def item(self, study: Study, wildcards: Any) -> str | None:
        """The comparison or data set that a job of it reports; None where the report is of neither."""
        if self.elsewhere:
            return getattr(wildcards, self.report.per)
        return {"comparison": study.main, "dataset": study.dataset, None: None}[self.report.per]

    def inputs(
        self, study: Study, measured: Callable[[Benchmarks], list[str]], wildcards: Any
    ) -> dict[str, str | list[str]]:
        """Returns the files that a job is made of.

        Args:
            study: the experiment.
            measured: finds the benchmark files of jobs.
            wildcards: those of the job.
        """
        return {
            name: given if isinstance(given, str) else _flat(given, measured)
            for name, given in self.report.inputs(study, self.item(study, wildcards)).items()
        }

    def config(self, study: Study, wildcards: Any) -> str:
        """Returns what a job depends on besides its inputs, as JSON."""
        settings = self.report.settings(study, self.item(study, wildcards))
        dpi = {"dpi": study.config.reporting.dpi} if self.report.kind == "figure" else {}
        return canonical({**settings, **dpi})

    def outputs(self, study: Study) -> Iterator[tuple[str, Output]]:
        """Yields its files by name: a format, or part and format of a figure of several parts."""
        kind = KINDS[self.report.kind]
        labels, one = self.report.label, isinstance(self.report.label, str)
        if one:
            labels = {self.report.name.removeprefix(f"{self.report.kind}_"): labels}
        for part, label in labels.items():
            file = f"{part}-{{{self.report.per}}}" if self.elsewhere else part
            for suffix in kind.formats:
                yield (
                    suffix if one else f"{part}_{suffix}",
                    Output(
                        study.files.pattern(kind.files, name=file, format=suffix),
                        f"{self.report.kind}_{part}" if suffix == kind.formats[-1] else None,
                        label + self._ending(f"{{{self.report.per}}}"),
                    ),
                )

    def _ending(self, item: str) -> str:
        if not self.elsewhere:
            return ""
        return f" on {item}" if self.report.per == "dataset" else f", {item}"


def _flat(given: Sequence[str | Benchmarks], measured: Callable[[Benchmarks], list[str]]) -> list[str]:
    return [path for one in given for path in ([one] if isinstance(one, str) else measured(one))]


def report_rules(reports: Iterable[Report], study: Study) -> list[ReportRule]:
    """Returns the rules of the reports that an experiment has what they need for."""
    return [rule for report in reports if report.applies(study) for rule in report.rules()]
