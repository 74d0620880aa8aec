"""Which query answers for which target: an argument of the loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.registries import MATCHERS
from vfm_fusion.errors import TrainingError
from vfm_fusion.loading import load

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    pair_wise_dice_loss,
    pair_wise_sigmoid_cross_entropy_loss,
    sample_point,
)


class Matcher(ABC):
    """Chooses a query for every target, in every layer that is supervised.

    It is made of the settings of the head and the number of classes. A new one is a class in a module of its
    own, and a line of ``MATCHERS`` in ``config.registries``.
    """

    @abstractmethod
    def match(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        targets: Tensor,
        labels: Sequence[Tensor],
        draws: Sequence[Generator | None],
    ) -> tuple[Tensor, Tensor]:
        """Matches every layer: which query, of all images' (B * Q), is for which of the M targets.

        Args:
            layers: L pairs of class logits ``(B, Q, K + 1)`` and mask logits ``(B, Q, h, w)``, float32.
            targets: ``(M, H, W)`` float32, 0 or 1; those of an image one after another.
            labels: per image ``(N,)`` int64 classes of its targets; M is the sum of N.
            draws: per image the generator of what is drawn at random; None for torch's own.

        Returns:
            Queries and targets, ``(L, M')`` int64 each, in the order of the targets; M' of the M are matched.
        """


class HungarianMatcher(Matcher):
    """The cheapest assignment, as in Mask2Former: costs of class, mask and dice at random points.

    An image with more targets than queries leaves the dearest without one.
    """

    def __init__(self, config: HeadConfig, categories: int) -> None:
        """Takes the number of points and the weights of the three costs."""
        self._config = config

    def match(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        targets: Tensor,
        labels: Sequence[Tensor],
        draws: Sequence[Generator | None],
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`Matcher.match`."""
        split = targets.split([len(label) for label in labels])
        costs = [
            matching_cost(classes[i], logits[i], split[i], labels[i], self._config, draws[i])
            for classes, logits in layers
            for i in range(len(labels))
        ]
        starts = np.cumsum([0, *(len(label) for label in labels)])[:-1]
        pairs = assign(costs)
        per_layer = [pairs[i : i + len(labels)] for i in range(0, len(pairs), len(labels))]
        found = np.stack(
            [
                (
                    np.concatenate([q + i * layers[0][0].shape[1] for i, (q, _) in enumerate(layer)]),
                    np.concatenate([t + start for start, (_, t) in zip(starts, layer, strict=True)]),
                )
                for layer in per_layer
            ],
            axis=1,
        )  # (2, L, M')
        queries, rows = torch.from_numpy(found.astype(np.int64)).to(targets.device)
        return queries, rows


class IdentityMatcher(Matcher):
    """Query k answers for class k and for nothing else, whatever was predicted.

    So each query can be made of its class's text embedding. An image has at most one target of a class, as in
    semantic segmentation.
    """

    def __init__(self, config: HeadConfig, categories: int) -> None:
        """See :class:`Matcher`.

        Raises:
            TrainingError: there are fewer queries than classes.
        """
        if config.queries < categories:
            raise TrainingError(
                f"training.head.matcher: identity needs a query for each of the {categories} classes; "
                f"training.head.queries is {config.queries}"
            )

    def match(
        self,
        layers: Sequence[tuple[Tensor, Tensor]],
        targets: Tensor,
        labels: Sequence[Tensor],
        draws: Sequence[Generator | None],
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`Matcher.match`.

        Raises:
            TrainingError: an image has two targets of one class, or a class has no query.
        """
        count = layers[0][0].shape[1]
        highest = max((int(label.max()) for label in labels if len(label)), default=-1)
        if highest >= count:
            raise TrainingError(
                f"class {highest} has no query: there are {count}, and matcher identity gives each class its "
                "own; set training.head.queries to the number of classes or more"
            )
        queries = torch.cat([label + image * count for image, label in enumerate(labels)])  # (M,)
        if len(queries.unique()) < len(queries):
            raise TrainingError(
                "an image has two targets of one class, but matcher identity gives each class one query; "
                "train the task semantic, or take matcher hungarian"
            )
        rows = torch.arange(len(queries), device=queries.device)
        return queries.expand(len(layers), -1), rows.expand(len(layers), -1)


def build_matcher(config: HeadConfig, categories: int) -> Matcher:
    """Builds the matcher that ``config.matcher`` names.

    Raises:
        TrainingError: it cannot match so many classes with so many queries.
    """
    return load(MATCHERS[config.matcher])(config, categories)


@torch.no_grad()
def matching_cost(
    classes: Tensor,
    masks: Tensor,
    target: Tensor,
    labels: Tensor,
    config: HeadConfig,
    generator: Generator | None,
) -> Tensor:
    """Returns what it would cost that each query answered for each target of one image, ``(Q, N)``.

    Args:
        classes: ``(Q, K + 1)`` float32 logits.
        masks: ``(Q, h, w)`` float32 logits.
        target: ``(N, H, W)`` float32, 0 or 1.
        labels: ``(N,)`` int64 classes.
        config: number of points, weights of the three costs.
        generator: draws the points, the same for all queries and targets; None for torch's own.
    """
    points = torch.rand(1, config.points, 2, device=masks.device, generator=generator)
    found = sample_point(masks[:, None], points.expand(len(masks), -1, -1), align_corners=False).squeeze(1)
    wanted = sample_point(target[:, None], points.expand(len(target), -1, -1), align_corners=False).squeeze(1)
    cost = (
        config.mask_weight * pair_wise_sigmoid_cross_entropy_loss(found, wanted)
        - config.class_weight * classes.softmax(-1)[:, labels]
        + config.dice_weight * pair_wise_dice_loss(found, wanted)
    )
    worst = torch.finfo(cost.dtype).max  # a prediction that is no number is the last to be matched
    return torch.nan_to_num(cost, nan=worst, posinf=worst, neginf=worst)


def assign(costs: Sequence[Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Finds the cheapest assignment of queries to targets for each of several ``(Q, N)`` costs.

    All costs travel from the GPU together, which waits for it once.

    Returns:
        For each cost the queries and the targets that belong together, ``(min(Q, N),)`` int64 each, in the
        order of the targets.
    """
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy()
    ends = np.cumsum([cost.numel() for cost in costs])
    pairs = []
    for cost, end in zip(costs, ends, strict=True):
        queries, targets = linear_sum_assignment(flat[end - cost.numel() : end].reshape(cost.shape))
        order = targets.argsort()
        pairs.append((queries[order], targets[order]))
    return pairs
