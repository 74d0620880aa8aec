"""What click models reach: their scores by data set, encoder, click model and upsampler."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, label
from vfm_fusion.reporting.result_files import check_columns, read_keys

CLICKED_KEYS = (
    *("encoder", "upsampler", "clicks", "seed", "dataset", "trained_on", "images", "objects"),
    *("parameters", "protocol", "scores", "robustness"),
)
NOC = "NoC@"
LEADING = NOC + "90"
"""What upsamplers are ranked by, where the protocol counts clicks to it."""
NO_OBJECT = "no object has a labelled pixel"

Clicked = Mapping[str, Any]
"""One parsed ``scores.json``: what a click model, trained with one seed, reaches on one data set."""


class Key(NamedTuple):
    """A cell on a data set; what is compared differs in one of these."""

    dataset: str
    encoder: str
    clicks: str
    upsampler: str


@dataclass(frozen=True)
class Names:
    """Names in print; their order is the order of rows, panels and colours.

    Attributes:
        encoders: see :data:`~vfm_fusion.reporting.labels.EncoderLabels`.
        upsamplers: name to ``label`` and ``architecture``.
        click_models: name to ``click_encoder`` and ``inject``.
        datasets: name to kind.
        seeds: seeds of every cell.
    """

    encoders: EncoderLabels
    upsamplers: Mapping[str, Mapping[str, str]]
    click_models: Mapping[str, Mapping[str, str]]
    datasets: Mapping[str, str]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Names:
        """Takes them from a report's settings, see :mod:`vfm_fusion.study.reported_clicks`."""
        parts = ("encoders", "upsamplers", "click_models", "datasets")
        return cls(*(dict(settings[part]) for part in parts), tuple(settings["seeds"]))

    def upsampler(self, name: str) -> str:
        """An upsampler's name."""
        return self.upsamplers[name]["label"]

    def arrangement(self, encoder: str, clicks: str) -> str:
        """What is around the upsampler: encoder and click model."""
        return f"{label(self.encoders, encoder)}, {clicks}"

    def first_of(self, architecture: str) -> str | None:
        """The first upsampler of an architecture; None without one."""
        return next(
            (name for name, told in self.upsamplers.items() if told["architecture"] == architecture), None
        )


@dataclass(frozen=True)
class Tested:
    """What the models of one cell reach on one data set.

    Attributes:
        key: data set and cell.
        seeds: what was read of each seed, in their order.
    """

    key: Key
    seeds: Mapping[int, Clicked]

    @property
    def facts(self) -> Clicked:
        """What does not differ between seeds."""
        return next(iter(self.seeds.values()))

    def score(self, name: str) -> Value:
        """One of the scores, averaged over seeds; NaN with a reason where undefined."""
        return self._over_seeds(lambda clicked: clicked["scores"][name], NO_OBJECT)

    def robustness(self, name: str) -> Value:
        """The same of clicks beside the best ones."""
        reason = "clicks beside the best were not made"
        return self._over_seeds(lambda clicked: (clicked["robustness"] or {}).get(name), reason)

    def _over_seeds(self, of: Callable[[Clicked], float | None], reason: str) -> Value:
        found = {seed: of(clicked) for seed, clicked in self.seeds.items()}
        return Value.over_seeds(
            {seed: (math.nan if value is None else float(value), reason) for seed, value in found.items()}
        )


@dataclass(frozen=True)
class ClickResults:
    """All cells on all data sets.

    Attributes:
        names: names in print.
        tested: in the order of the names: data sets, then encoders, click models and upsamplers.
    """

    names: Names
    tested: Mapping[Key, Tested]

    @cached_property
    def targets(self) -> list[str]:
        """Names of the numbers of clicks, by rising IoU: ``NoC@80``, ``NoC@90``."""
        found = [name for name in next(iter(self.tested.values())).facts["scores"] if name.startswith(NOC)]
        return sorted(found, key=lambda name: float(name.removeprefix(NOC)))

    @property
    def leading(self) -> str:
        """The one that upsamplers are ranked by: :data:`LEADING`, or that of the highest IoU."""
        return LEADING if LEADING in self.targets else self.targets[-1]

    @property
    def percent(self) -> str:
        """Its IoU in percent."""
        return self.leading.removeprefix(NOC)

    @property
    def max_clicks(self) -> int:
        """The most clicks for an object."""
        return int(next(iter(self.tested.values())).facts["protocol"]["max_clicks"])

    @property
    def datasets(self) -> list[str]:
        """Data sets that were clicked."""
        return list(dict.fromkeys(key.dataset for key in self.tested))

    @property
    def arrangements(self) -> list[tuple[str, str]]:
        """Pairs of encoder and click model."""
        return list(dict.fromkeys((key.encoder, key.clicks) for key in self.tested))

    @property
    def upsamplers(self) -> list[str]:
        """Upsamplers of some cell."""
        used = {key.upsampler for key in self.tested}
        return [name for name in self.names.upsamplers if name in used]

    def on(self, dataset: str) -> list[Tested]:
        """All cells on one data set."""
        return [tested for key, tested in self.tested.items() if key.dataset == dataset]

    def mean_clicks(self, encoder: str, clicks: str, upsampler: str) -> Value:
        """The leading number of clicks of a cell, averaged over the data sets and then over seeds."""
        keys = [Key(dataset, encoder, clicks, upsampler) for dataset in self.datasets]
        found = {}
        for seed in self.names.seeds:
            values = [self.tested[key].seeds[seed]["scores"][self.leading] for key in keys]
            known = not any(value is None or math.isnan(value) for value in values)
            found[seed] = (math.fsum(values) / len(values) if known else math.nan, NO_OBJECT)
        return Value.over_seeds(found)


def read_clicked(path: Path) -> dict[str, Any]:
    """Reads one ``scores.json``.

    Raises:
        ReportingError: the file is not a JSON object with the keys of clicked scores.
    """
    return read_keys(path, CLICKED_KEYS)


def read_clicks(paths: Iterable[Path], settings: Mapping[str, Any]) -> ClickResults:
    """Reads the scores of all cells; see :func:`collect_clicks`."""
    return collect_clicks([read_clicked(path) for path in paths], Names.of(settings))


def collect_clicks(found: Sequence[Clicked], names: Names) -> ClickResults:
    """Sorts scores by cell, data set and seed.

    Raises:
        ReportingError: none at all, one of something that was not asked for, the same twice, a seed that is
            missing, a cell that was not clicked on every data set, or cells that were not clicked alike.
    """
    by_key: dict[Key, dict[int, Clicked]] = {}
    for clicked in found:
        key, seed = Key(*(clicked[part] for part in Key._fields)), clicked["seed"]
        known = (names.datasets, names.encoders, names.click_models, names.upsamplers)
        if seed not in names.seeds or not all(part in of for part, of in zip(key, known, strict=True)):
            raise ReportingError(f"scores of {key}, seed {seed} were not asked for; evaluate what is planned")
        if seed in by_key.setdefault(key, {}):
            raise ReportingError(f"scores of {key}, seed {seed} were given twice")
        by_key[key][seed] = clicked
    if not by_key:
        raise ReportingError("no scores of click models were given; at least one cell must be evaluated")
    _check_complete(by_key, names)
    for dataset in names.datasets:
        _check_alike(
            [clicked for key, of in by_key.items() if key.dataset == dataset for clicked in of.values()]
        )
    order = product(names.datasets, names.encoders, names.click_models, names.upsamplers)
    keys = [key for key in map(Key._make, order) if key in by_key]
    return ClickResults(names, {key: Tested(key, _in_order(by_key[key], names.seeds)) for key in keys})


def _in_order(of: Mapping[int, Clicked], seeds: Sequence[int]) -> dict[int, Clicked]:
    return {seed: of[seed] for seed in seeds}


def _check_complete(by_key: Mapping[Key, Mapping[int, Clicked]], names: Names) -> None:
    cells = dict.fromkeys(key[1:] for key in by_key)
    for dataset, cell, seed in product(names.datasets, cells, names.seeds):
        if seed not in by_key.get(Key(dataset, *cell), {}):
            raise ReportingError(f"{Key(dataset, *cell)} has no scores of seed {seed}; evaluate it")


def _check_alike(found: Sequence[Clicked]) -> None:
    for clicked in found[1:]:
        for part in ("images", "objects", "protocol", "trained_on"):
            if clicked[part] != found[0][part]:
                who = [f"{Key(*(one[name] for name in Key._fields))}" for one in (found[0], clicked)]
                raise ReportingError(
                    f"the models of one data set differ in {part!r}: {found[0][part]!r} ({who[0]}) and "
                    f"{clicked[part]!r} ({who[1]}); evaluate them alike"
                )


def read_objects(
    results: ClickResults, scores: Sequence[Path], objects: Sequence[Path]
) -> dict[Key, dict[int, pd.DataFrame]]:
    """Reads the tables of objects that belong to scores, path by path.

    Returns:
        By data set and cell, by seed: one row an object, ``image_id``, ``object``, ``area``, the leading
        number of clicks as ``clicks`` (float64, NaN where undefined), ``reached`` (boolean), ``first`` and
        ``final`` IoU in [0, 1] and ``undefined``, sorted by image and object.

    Raises:
        ReportingError: a column is missing, or an object occurs twice.
    """
    taken = {
        results.leading: "clicks",
        f"reached@{results.percent}": "reached",
        **{"IoU@1": "first", "final_IoU": "final"},
    }
    columns = ["image_id", "object", "area", *taken, "undefined"]
    found: dict[Key, dict[int, pd.DataFrame]] = {}
    for of, path in zip(scores, objects, strict=True):
        clicked, frame = read_clicked(of), pd.read_parquet(path)
        check_columns(frame, columns, path)
        if frame.duplicated(["image_id", "object"]).any():
            raise ReportingError(f"{path}: an object occurs twice; evaluate the model again")
        key = Key(*(clicked[part] for part in Key._fields))
        table = frame[columns].rename(columns=taken).sort_values(["image_id", "object"], ignore_index=True)
        found.setdefault(key, {})[clicked["seed"]] = table.astype({"clicks": "float64"})
    return {key: _in_order(found[key], results.names.seeds) for key in results.tested}


def counted(count: float, what: str) -> str:
    """Writes a count with its noun.

    >>> counted(1, "object"), counted(3, "object")
    ('1 object', '3 objects')
    """
    return f"{count:g} {what}{'' if count == 1 else 's'}"
