"""Data and weights that the user has to have: what of them is here, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from vfm_fusion.config.upsampling import UpsamplerFile
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.encoders.weight_files import weight_file, weights_digest
from vfm_fusion.errors import DatasetLayoutError, TrainingError, WeightsError
from vfm_fusion.interactive.image_scores import scores_file
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsamplers import used_upsamplers
from vfm_fusion.upsampling.weight_files import upsampler_file

Found = TypeVar("Found")


class Owned:
    """What of the data and weights of an experiment is here.

    Nothing is said of what is not until it is needed, so that an experiment can be planned without it.

    Args:
        study: the experiment.

    Attributes:
        weights: weight file of every encoder; None for one that has none, or whose file is not here.
        upsamplers: by (upsampler, encoder), likewise the weight file of every upsampler that is used and has
            one of the user's.
        scores: the table by which click models draw hard images more often; None without one, or where it is
            not here.
        absent: one line for everything that is not here: the key, the path, and where to get it.

    Raises:
        ConfigError: hub weights without a repository or revision.
    """

    def __init__(self, study: Study) -> None:
        self.absent: list[str] = []
        self._encoders = study.config.encoders
        for name in dict(study.splits):
            self._look_up(data_root, study.config.datasets[name], Path(), name)
        self.weights: dict[str, Path | None] = {
            name: self._look_up(weight_file, name, encoder) for name, encoder in self._encoders.items()
        }
        self.upsamplers: dict[tuple[str, str], Path | None] = {
            (name, encoder): self._look_up(upsampler_file, f"upsamplers.{name}.weights", weights, encoder)
            for name, encoder in used_upsamplers(study.config)
            if isinstance(weights := study.config.upsamplers[name].weights, UpsamplerFile)
        }
        scores = study.config.interactive and study.config.interactive.training.scores
        self.scores: Path | None = scores and self._look_up(
            scores_file, "interactive.training.scores", scores
        )

    def weight_files(self, encoders: Iterable[str]) -> list[Path]:
        """The weight files of those of the encoders that have one."""
        return [path for path in map(self.weights.get, encoders) if path is not None]

    def upsampler_files(self, used: Iterable[tuple[str, str]]) -> list[Path]:
        """The weight files of those (upsampler, encoder) of them that have one of the user's."""
        return [path for path in map(self.upsamplers.get, used) if path is not None]

    def check_weights(self) -> None:
        """Checks that the weight files are those that the configuration and the registry expect.

        Raises:
            WeightsError: one has another checksum.
        """
        for name, path in self.weights.items():
            if path is not None:
                weights_digest(self._encoders[name])

    def _look_up(self, look_up: Callable[..., Found], *arguments: object) -> Found | None:
        try:
            return look_up(*arguments)
        except (DatasetLayoutError, TrainingError, WeightsError) as error:
            self.absent.append(f"{type(error).__name__}: {error}")
            return None
