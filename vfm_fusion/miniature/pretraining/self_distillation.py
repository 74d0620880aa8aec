"""Self-distillation without labels (the mini counterpart of DINO, with iBOT's patch term)."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.pretraining import SelfDistillationConfig
from vfm_fusion.datasets.base import Category, Dataset, Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.tokens import TokenEncoder, TokenState
from vfm_fusion.errors import ConfigError
from vfm_fusion.miniature.pretraining.crops import draw_mask, draw_views
from vfm_fusion.miniature.pretraining.objective import Objective
from vfm_fusion.miniature.pretraining.probing import probe
from vfm_fusion.training.samples import TensorBatch


def hide_patches(patches: TokenState, masks: Tensor, token: Tensor) -> TokenState:
    """Replaces the embeddings of hidden patches, before positions are added.

    Args:
        patches: a ViT's embedded patches, ``h w`` tokens of C channels.
        masks: ``(B, h, w)`` bool, True where hidden.
        token: ``(C,)``, what stands in their place.
    """
    tokens = patches.tokens
    return patches.with_tokens(torch.where(masks.flatten(1)[..., None], token.to(tokens.dtype), tokens))


class ProjectionHead(nn.Module):
    """An MLP, a normalised bottleneck, and the cosine to each of a number of learned prototypes.

    Before the bottleneck's tokens are brought to length 1, every channel is standardised over the batch: what
    all tokens share would otherwise hide, for the length of a short training, how they differ.
    """

    def __init__(self, channels: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.spread = nn.BatchNorm1d(bottleneck, affine=False, track_running_stats=False)
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, *, frozen: bool = False) -> Tensor:
        """Scores tokens.

        Args:
            tokens: ``(N, channels)``, N > 1.
            frozen: True if the prototypes shall not learn.

        Returns:
            ``(N, prototypes)`` cosines in [-1, 1].
        """
        prototypes = self.prototypes.detach() if frozen else self.prototypes
        return F.linear(F.normalize(self.spread(self.mlp(tokens)), dim=-1), F.normalize(prototypes, dim=-1))


class SelfDistillation(Objective):
    """A student says of one view, or of a hidden patch, what its moving average says of the whole.

    Attributes:
        encoder: the student's.
        teacher: the moving average of the student's, which is shipped.
        mask_token: ``(C,)``, what the student sees of a hidden patch.
        centers: ``(2, prototypes)``, moving mean of the teacher's scores of class and of patch tokens.
    """

    terms = ("image", "patch")
    centers: Tensor

    def __init__(
        self, encoder: Encoder, settings: SelfDistillationConfig, categories: Sequence[Category], seed: int
    ) -> None:
        """Puts a head on the encoder and copies both for the teacher.

        Raises:
            ConfigError: the encoder is no plain ViT with a class token alone before its patches.
        """
        super().__init__()
        if not isinstance(encoder, TokenEncoder) or encoder.prefix != 1:
            raise ConfigError(
                f"self_distillation trains a plain ViT with one class token (mini_vit), found "
                f"{encoder.spec.architecture!r}; choose another architecture or objective"
            )
        self.encoder = encoder
        self.settings = settings
        self.classes = len(categories)
        self.patch = encoder.spec.seen_divisor
        channels = encoder.spec.channels[encoder.spec.strides[0]]
        sizes = (channels, settings.head_hidden_dim, settings.bottleneck_dim, settings.prototypes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleList([ProjectionHead(*sizes) for _ in range(2)])  # class token, patches
            self.mask_token = nn.Parameter(torch.randn(encoder.width) * 0.02)
        self.teacher = copy.deepcopy(self.encoder).requires_grad_(False)
        self.teacher_heads = copy.deepcopy(self.heads).requires_grad_(False)
        self.register_buffer("centers", torch.zeros(2, settings.prototypes))
        self._scores_mean: Tensor | None = None

    def batch(self, samples: Sequence[Sample], rng: np.random.Generator) -> TensorBatch:
        """See :meth:`Objective.batch`: two global views an image with hidden patches, and local views.

        Returns:
            ``globals`` ``(2 B, 3, S, S)`` and ``locals`` ``(L B, 3, s, s)`` uint8, image by image within a
            view; ``masks`` ``(2 B, S / patch, S / patch)`` bool.
        """
        settings = self.settings
        views = [draw_views(sample.image, settings, rng) for sample in samples]
        large, small = (np.stack(part, axis=1) for part in zip(*views, strict=True))  # (V, B, 3, S, S)
        grid = settings.global_side // self.patch
        masks = [draw_mask(grid, settings.masked_share, rng) for _ in range(2 * len(samples))]
        return TensorBatch(
            globals=torch.from_numpy(large.reshape(-1, *large.shape[2:])),
            locals=torch.from_numpy(small.reshape(-1, *small.shape[2:])),
            masks=torch.from_numpy(np.stack(masks)),
        )

    def losses(self, batch: TensorBatch, progress: float) -> dict[str, Tensor]:
        """See :meth:`Objective.losses`: cross-entropy of the student with the centred, sharpened teacher."""
        masks = batch["masks"].flatten(1)  # (2 B, h w)
        image_targets, patch_targets = self._targets(batch["globals"], masks, progress)
        patches = hide_patches(_patches(self.encoder, batch["globals"]), batch["masks"], self.mask_token)
        tokens = self.encoder.encode(patches).tokens  # (2 B, 1 + h w, C)
        classes = [tokens[:, 0]]
        if len(batch["locals"]):
            local = self.encoder.encode(_patches(self.encoder, batch["locals"]))
            classes.append(local.tokens[:, 0])
        frozen = progress < self.settings.frozen_share
        images = self.heads[0](torch.cat(classes), frozen=frozen)  # (V B, K)
        hidden = self.heads[1](tokens[:, 1:][masks], frozen=frozen)  # (M, K)
        return {
            "image": self._image_term(images, image_targets),
            "patch": self.settings.patch_weight * self._patch_term(hidden, patch_targets, masks),
        }

    @torch.no_grad()
    def _targets(self, images: Tensor, masks: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Returns what the teacher says of whole global views, ``(2 B, K)``, and of patches, ``(M, K)``."""
        tokens = self.teacher.encode(_patches(self.teacher, images)).tokens
        scores = self.teacher_heads[0](tokens[:, 0]), self.teacher_heads[1](tokens[:, 1:][masks])
        self._scores_mean = torch.stack([part.mean(dim=0) for part in scores])
        temperature = self.teacher_temperature(progress)
        image, patch = (
            F.softmax((part - center) / temperature, dim=-1)
            for part, center in zip(scores, self.centers, strict=True)
        )
        return image, patch

    def _image_term(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Mean over pairs of one of the teacher's two views and another one of the student's."""
        first, second = targets.chunk(2)  # (B, K) each
        views = F.log_softmax(scores / self.settings.student_temperature, dim=-1).view(-1, *first.shape)
        others = views[2:].sum(dim=0)
        cross = first * (views[1] + others) + second * (views[0] + others)  # (B, K)
        return -cross.sum(dim=-1).mean() / (2 * (len(views) - 1))

    def _patch_term(self, scores: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
        """Mean over the hidden patches of a view, then over views."""
        logs = F.log_softmax(scores / self.settings.student_temperature, dim=-1)
        hidden = masks.sum(dim=1)  # (2 B,)
        weights = (1 / hidden).repeat_interleave(hidden) / len(hidden)  # (M,)
        return -((targets * logs).sum(dim=-1) * weights).sum()

    def teacher_temperature(self, progress: float) -> float:
        """The teacher's temperature: it rises linearly over the warm-up."""
        first, last = self.settings.teacher_temperature
        done = min(1.0, progress / self.settings.temperature_warmup)
        return first + (last - first) * done

    def teacher_momentum(self, progress: float) -> float:
        """The teacher's momentum: it rises to 1 as a cosine."""
        return 1 - (1 - self.settings.teacher_momentum) * (1 + math.cos(math.pi * progress)) / 2

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        """See :meth:`Objective.after_step`: moves the teacher and the centres."""
        share = 1 - self.teacher_momentum(progress)
        pairs = ((self.teacher, self.encoder), (self.teacher_heads, self.heads))
        for teacher, student in pairs:
            for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
                old.lerp_(new, share)
        if self._scores_mean is not None:
            self.centers.lerp_(self._scores_mean, 1 - self.settings.center_momentum)
            self._scores_mean = None

    def trained(self) -> Encoder:
        """See :meth:`Objective.trained`: the teacher's encoder."""
        return self.teacher

    def measures(self, train: Dataset, val: Dataset) -> Mapping[str, float]:
        """See :func:`vfm_fusion.miniature.pretraining.probing.probe`."""
        return probe(self.teacher, train, val, self.classes)


def _patches(encoder: TokenEncoder, images: Tensor) -> TokenState:
    """Returns the embedded patches of uint8 images ``(N, 3, S, S)``."""
    return encoder.patchify(encoder.normalise(images.float() / 255))
