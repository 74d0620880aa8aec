"""Data and weights that the user has to have: what of them is here, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.encoders.weight_files import weight_file, weights_digest
from vfm_fusion.errors import DatasetLayoutError, WeightsError
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsampled_runs import filed_for
from vfm_fusion.upsampling.weight_files import upsampler_file

Found = TypeVar("Found")


class Owned:
    """What of the data and weights of an experiment is here.

    Nothing is said of what is not until it is needed, so that an experiment can be planned without it.

    Args:
        study: the experiment.

    Attributes:
        weights: weight file of every encoder; None for one that has none, or whose file is not here.
        upsamplers: by run, the weight files of upsamplers that it may come to use, as far as they are here.
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
        self.upsamplers: dict[str, list[Path]] = {
            run: self._upsamplers(study, run) for run in study.config.runs
        }

    def weight_files(self, encoders: Iterable[str]) -> list[Path]:
        """The weight files of those of the encoders that have one."""
        return [path for path in map(self.weights.get, encoders) if path is not None]

    def check_weights(self) -> None:
        """Checks that the weight files are those that the configuration and the registry expect.

        Raises:
            WeightsError: one has another checksum.
        """
        for name, path in self.weights.items():
            if path is not None:
                weights_digest(self._encoders[name])

    def _upsamplers(self, study: Study, run: str) -> list[Path]:
        found = [
            self._look_up(
                upsampler_file, f"upsamplers.{name}.weights", study.config.upsamplers[name].weights, e
            )
            for name, e in filed_for(study.config, run)
        ]
        return [path for path in found if path is not None]

    def _look_up(self, look_up: Callable[..., Found], *arguments: object) -> Found | None:
        try:
            return look_up(*arguments)
        except (DatasetLayoutError, WeightsError) as error:
            said = f"{type(error).__name__}: {error}"
            if said not in self.absent:
                self.absent.append(said)
            return None
