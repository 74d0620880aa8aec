"""What the one call returns: the scores, the choice that follows from them, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from rich.console import RenderableType

from vfm_fusion.atomic import write_text
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.datasets.index import Skipped
from vfm_fusion.errors import SelectionError
from vfm_fusion.profiles.encoder_profile import summarise_profile
from vfm_fusion.profiling import profile_page
from vfm_fusion.profiling.options import results_folder, validated
from vfm_fusion.profiling.profile_plots import ProfilePlots
from vfm_fusion.reporting.figures.profiles import profiles_figure
from vfm_fusion.reporting.figures.sc_ef_plane import sc_ef_plane_figure
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.labels import EncoderLabels
from vfm_fusion.reporting.remedies import Remedies
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.render.table_files import to_csv
from vfm_fusion.reporting.result_files import joined_profiles, read_choice
from vfm_fusion.reporting.table import Table
from vfm_fusion.reporting.tables.measures import measures_table
from vfm_fusion.reporting.tables.profiles import profiles_table
from vfm_fusion.reporting.tables.supervised import supervised_table
from vfm_fusion.selection.candidates import Pair, encoder_profiles
from vfm_fusion.selection.select import peak, select
from vfm_fusion.selection.stability import assess_stability


@dataclass(frozen=True, eq=False)
class Profile:
    """SC and EF of encoders on some pictures; a notebook shows it as tables and figures.

    Attributes:
        name: what the pictures are called.
        labels: encoder -> its name and pre-training in print.
        config: strides, definitions (the first pairs the encoders) and bootstrap.
        scores: encoder -> one row per picture, definition, stride and score; see
            :func:`vfm_fusion.profiles.encoder_profile.profile_store`.
        supervised: encoder -> SC_GT of every picture; see
            :func:`vfm_fusion.profiles.supervised_scores.supervised_store`. Empty without masks.
        skipped: pictures that were left out as damaged, and why.
        remedies: says what would give a score that is undefined.
    """

    name: str
    labels: EncoderLabels
    config: ProfileConfig
    scores: Mapping[str, pd.DataFrame]
    supervised: Mapping[str, pd.DataFrame]
    skipped: Sequence[Skipped]
    remedies: Remedies

    @property
    def definition(self) -> str:
        """The definition that pairs the encoders."""
        return next(iter(self.config.definitions))

    @property
    def frame(self) -> pd.DataFrame:
        """Tidy means over pictures: one row per encoder, definition, stride and score.

        Columns: ``encoder, label, pretraining, definition, stride, score, mean, ci_low, ci_high, images,
        undefined, reason``. Scores: ``sc`` of ``sfc, scs``; ``ef`` of ``ec, nc, fc, sp``; the null floors
        ``sc_null, ef_null``; ``sc_excess, ef_excess`` over these, picture by picture; and ``rankme``, the
        same by every definition.
        """
        return self.table.data

    @cached_property
    def table(self) -> Table:
        """The workflow's table of profiles."""
        return profiles_table(self._profiles, self.labels, self._choice, words=self.remedies.words)

    @cached_property
    def measures_table(self) -> Table:
        """The workflow's table of RankMe."""
        return measures_table(self._profiles, self.labels, self.name)

    @cached_property
    def supervised_table(self) -> Table | None:
        """The workflow's table of SC beside SC_GT; None without masks."""
        if not self.supervised:
            return None
        bootstrap = Bootstrap(self.config.bootstrap, self.config.seed)
        return supervised_table(
            self.scores, self.supervised, self.labels, self.name, self.definition, bootstrap
        )

    @property
    def tables(self) -> list[Table]:
        """Every table that there is."""
        return [table for table in (self.table, self.measures_table, self.supervised_table) if table]

    def selection(
        self, task: Literal["semantic", "edge"] = "semantic", stride_by: Literal["ef", "sc"] = "ef"
    ) -> dict[str, Any]:
        """Chooses master, auxiliary and stride, with ranks, margins and reasons.

        Args:
            task: ``semantic``: the master has the highest SC and the auxiliary the highest EF; ``edge``: the
                other way round.
            stride_by: score of the auxiliary whose peak is the stride.

        Returns:
            See :func:`vfm_fusion.selection.select.select`.

        Raises:
            ConfigError: ``task`` or ``stride_by`` is something else.
            SelectionError: there is one encoder, or a score is undefined throughout.
        """
        settings = validated(
            "selection", SelectionConfig, definition=self.definition, task=task, stride_by=stride_by
        )
        return select(self._summaries, self.name, settings)

    def best_pair(self, task: Literal["semantic", "edge"] = "semantic") -> Pair:
        """Returns ``master``, ``auxiliary`` and the injection ``stride``; see :meth:`selection`.

        Raises:
            SelectionError: see :meth:`selection`.
        """
        chosen = self.selection(task)
        return Pair(chosen["master"], chosen["auxiliary"], chosen["stride"])

    def best_stride(self, encoder: str | None = None, by: Literal["ef", "sc"] = "ef") -> int:
        """Returns the stride at which an encoder's score peaks.

        Args:
            encoder: its name; left out: the only one, or the auxiliary of :meth:`best_pair`.
            by: the score.

        Raises:
            ConfigError: there is no such score.
            SelectionError: no such encoder was profiled, or its score is undefined throughout.
        """
        if encoder is None:
            encoder = next(iter(self.scores)) if len(self.scores) == 1 else self.best_pair().auxiliary
        if encoder not in self.scores:
            known = ", ".join(self.scores)
            raise SelectionError(f"encoder {encoder!r} was not profiled; choose from: {known}")
        score = validated("selection", SelectionConfig, stride_by=by).stride_by
        return peak(encoder_profiles({encoder: self._summaries[encoder]}, self.definition), encoder, score)

    def plot(self) -> ProfilePlots:
        """Draws SC and EF against stride, and the encoders in the SC-EF plane.

        Returns:
            The two Matplotlib figures ``profiles`` and ``plane``; a notebook shows both, and ``save(folder)``
            writes both.
        """
        arguments = (self._profiles, self.labels, self._choice)
        return ProfilePlots(profiles_figure(*arguments), sc_ef_plane_figure(*arguments))

    def save(self, folder: str | Path) -> Path:
        """Writes tables (CSV, Markdown), figures (PDF, PNG) and one page, ``profile.html``.

        Args:
            folder: where to; it is made.

        Returns:
            The page, which needs no other file and no network.
        """
        folder = results_folder(folder, "folder")
        for table in self.tables:
            write_text(folder / f"{table.name}.csv", to_csv(table))
            write_text(folder / f"{table.name}.md", to_markdown(table))
        self.plot().save(folder)
        write_text(folder / "profile.html", profile_page.whole_page(self))
        return folder / "profile.html"

    @cached_property
    def stability(self) -> dict[str, Any] | None:
        """How often resampled pictures give the same pair; None where none is chosen."""
        if self._choice["master"] is None:
            return None
        return assess_stability(self.scores, self._choice, draws=self.config.bootstrap, seed=self.config.seed)

    @cached_property
    def chosen(self) -> tuple[dict[str, Any] | None, str]:
        """The selection, and why there is none."""
        try:
            return self.selection(), ""
        except SelectionError as error:
            return None, str(error)

    @property
    def _choice(self) -> Mapping[str, Any]:
        return self.chosen[0] or read_choice([], self.name, self.definition)

    @cached_property
    def _summaries(self) -> dict[str, pd.DataFrame]:
        return {name: summarise_profile(scores, self.config) for name, scores in self.scores.items()}

    @cached_property
    def _profiles(self) -> pd.DataFrame:
        return joined_profiles(self._summaries)

    def _repr_html_(self) -> str:
        return profile_page.notebook_part(self)

    def __rich__(self) -> RenderableType:
        return profile_page.terminal(self)

    def __str__(self) -> str:
        return profile_page.plain(self)

    def __repr__(self) -> str:
        return f"<Profile: {profile_page.headline(self)}>"
