"""Training a run, in one process or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.stored_maps import StoredMaps
from vfm_fusion.segmentation.task import SegmentationTask
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.segmentation.trained import describe_run
from vfm_fusion.training.job import Job
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import Processes, single_process
from vfm_fusion.training.views import Views


class SegmentationJob(Job):
    """Everything that :func:`train_run` needs.

    Attributes:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides.
        training: the recipe.
        seed: seed of initial weights, sampling and augmentation.
        dataset: settings of the data set.
        index: index of the images to train on (Parquet).
        generated: folder of the data set if it is a generated one.
        maps: encoder to the manifest of its maps of the fixed views; empty where encoders run.
        upsamplers: upsamplers by name; empty where the run uses none.
    """

    run: RunConfig
    encoders: dict[str, EncoderConfig]
    strides: tuple[int, ...]
    training: TrainingConfig
    seed: int
    dataset: dict[str, Any]
    index: str
    generated: str
    maps: dict[str, str]
    upsamplers: dict[str, UsedUpsampler]

    def train(self, processes: Processes) -> None:
        """See :meth:`Job.train`."""
        train_run(
            run=self.run,
            encoders=self.encoders,
            strides=self.strides,
            training=self.training,
            seed=self.seed,
            dataset=open_indexed(self.dataset, Path(self.index), Path(self.generated)),
            out_dir=Path(self.out_dir),
            state_dir=Path(self.state_dir),
            token=self.token,
            maps={encoder: Path(manifest) for encoder, manifest in self.maps.items()},
            upsamplers=self.upsamplers,
            processes=processes,
        )


def train_run(
    *,
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    training: TrainingConfig,
    seed: int,
    dataset: Dataset,
    out_dir: Path,
    state_dir: Path,
    token: str,
    maps: Mapping[str, Path] | None = None,
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
    processes: Processes | None = None,
) -> SegmentationTask:
    """Trains one run and writes ``model.safetensors``, ``metrics.csv``, ``run.json`` and TensorBoard logs.

    Args:
        run: the run, with encoder names in place of roles.
        encoders: encoders by name.
        strides: injection strides; none without an auxiliary.
        training: the recipe.
        seed: seed of initial weights, sampling and augmentation.
        dataset: training images and labels.
        out_dir: folder of the results, ``.../{run}/seed{seed}``; its parent names the run.
        state_dir: folder of the checkpoints; belongs to this job alone.
        token: identifies the job's settings; checkpoints of another token are not used.
        maps: encoder to the manifest of its maps of the recipe's views, for a run whose encoders are frozen;
            they are then not run. The encoders run when left out.
        upsamplers: upsamplers by name; left out where the run uses none.
        processes: this process among the ``training.devices`` that train together; alone when left out.

    Returns:
        The trained task.

    Raises:
        TrainingError: missing labels, an unresolved encoder name, or see
            :func:`~vfm_fusion.training.loop.train`.
        WeightsError: the weights of an encoder or an upsampler are missing or do not fit.
    """
    processes = processes or single_process()
    if processes.count != training.devices:
        raise TrainingError(
            f"training.devices is {training.devices}, but {processes.count} came to train; "
            "start the processes with vfm_fusion.training.job, or set training.devices to 1"
        )
    name = out_dir.resolve().parent.name
    execution = Execution(training.precision, training.deterministic, training.accumulate, training.workers)
    return train(
        lambda: _task(name, run, encoders, strides, training, seed, dataset, maps, upsamplers),
        out_dir=out_dir,
        state_dir=state_dir,
        token=token,
        execution=execution,
        processes=processes,
    )


def _task(
    name: str,
    run: RunConfig,
    encoders: Mapping[str, EncoderConfig],
    strides: Sequence[int],
    training: TrainingConfig,
    seed: int,
    dataset: Dataset,
    manifests: Mapping[str, Path] | None,
    upsamplers: Mapping[str, UsedUpsampler] | None,
) -> SegmentationTask:
    """Builds the untrained model of a run, and what ``run.json`` will say."""
    categories = len(TaskClasses.of(training.task, dataset.categories))
    model = build_segmenter(run, encoders, strides, training.head, categories, seed, upsamplers)
    description = describe_run(
        name=name,
        run=run,
        encoders=encoders,
        strides=strides,
        training=training,
        seed=seed,
        categories=dataset.categories,
        model=model,
        upsamplers=upsamplers,
    )
    if training.cached_views is not None:
        dataset = Views(dataset, training.augmentation, training.cached_views)
    maps = None
    if manifests:
        maps = StoredMaps(dataset.ids, run, manifests, model.read_strides, model.reads_images)
    return SegmentationTask(model, categories, training, seed, dataset, description, maps)
