"""The segmentation model: encoders -> upsampling -> fusion -> pyramid -> mask head."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.fusion.injection import FusionOperator
from vfm_fusion.segmentation.encoded import Encoded, Maps
from vfm_fusion.segmentation.encoder_pyramid import PyramidProjection, encode_native, native_strides
from vfm_fusion.segmentation.finer_maps import FinerMaps
from vfm_fusion.segmentation.head import MaskHead, MaskPrediction

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class FusedSegmenter(nn.Module):
    """A master encoder, an optional auxiliary, one fusion slot and a mask head.

    A frozen encoder stays in evaluation mode and outside the graph. A fine-tuned encoder keeps the running
    statistics of its batch norms, as is usual for batches of a few images; their affine weights train. Either
    runs no further than the strides that are read of it. An upsampler is frozen always.
    """

    def __init__(
        self,
        master: Encoder,
        projection: PyramidProjection,
        head: MaskHead,
        *,
        train_master: bool,
        auxiliary: Encoder | None = None,
        fusion: FusionOperator | None = None,
        train_auxiliary: bool = False,
        auxiliary_bfloat16: bool = False,
        master_upsampling: FinerMaps | None = None,
        auxiliary_upsampling: FinerMaps | None = None,
    ) -> None:
        """Assembles the model.

        Args:
            master: encoder of the primary pyramid.
            projection: brings the master's pyramid to the head's channels.
            head: the mask head.
            train_master: fine-tune the master; otherwise it is frozen.
            auxiliary: encoder that is fused in.
            fusion: how; given exactly when ``auxiliary`` is.
            train_auxiliary: fine-tune the auxiliary; otherwise it is frozen.
            auxiliary_bfloat16: run the frozen auxiliary under autocast to bfloat16, whatever the model's
                precision. The weights that autocast would round in every pass are rounded once, here.
            master_upsampling: makes the master's maps at strides finer than its own; None for nearest
                neighbour.
            auxiliary_upsampling: likewise of the auxiliary.
        """
        super().__init__()
        if (auxiliary is None) != (fusion is None):
            raise ValueError("an auxiliary encoder and a fusion operator come together")
        self.master = master.requires_grad_(train_master)
        self.auxiliary = None if auxiliary is None else auxiliary.requires_grad_(train_auxiliary)
        self.projection = projection
        self.fusion = fusion
        self.master_upsampling = master_upsampling
        self.auxiliary_upsampling = auxiliary_upsampling
        self.head = head
        self.train_master = train_master
        self.train_auxiliary = train_auxiliary
        self.auxiliary_bfloat16 = auxiliary_bfloat16
        if auxiliary_bfloat16:
            _round_matrices(self.auxiliary)
        self.train(self.training)

    def train(self, mode: bool = True) -> FusedSegmenter:
        """Sets the mode of what is trained; frozen encoders and batch-norm statistics stay as they are."""
        super().train(mode)
        for encoder, trained in ((self.master, self.train_master), (self.auxiliary, self.train_auxiliary)):
            if encoder is None:
                continue
            if not trained:
                encoder.eval()
            for module in encoder.modules():
                if isinstance(module, _BATCH_NORMS):
                    module.eval()
        return self

    @property
    def read_strides(self) -> tuple[frozenset[int], frozenset[int]]:
        """Native output strides that are read of the master and of the auxiliary (none without one)."""
        master = native_strides(self.master.spec, self.projection.strides)
        if self.fusion is None:
            return master, frozenset()
        return master, native_strides(self.auxiliary.spec, self.fusion.strides)

    @property
    def upsampling(self) -> dict[str, FinerMaps]:
        """Role to what upsamples its maps, where something does."""
        both = {"master": self.master_upsampling, "auxiliary": self.auxiliary_upsampling}
        return {role: finer for role, finer in both.items() if finer is not None}

    @property
    def reads_images(self) -> bool:
        """Whether the images are needed beside what the encoders make of them: an upsampler reads them."""
        return any(finer.reads_images for finer in self.upsampling.values())

    def encode(self, images: Tensor) -> Encoded:
        """Runs the encoders, no further than the strides that are read of them.

        Args:
            images: ``(B, 3, H, W)`` float RGB in [0, 1]; H and W multiples of 32.
        """
        with torch.set_grad_enabled(self.train_master and torch.is_grad_enabled()):
            master = encode_native(self.master, images, self.projection.strides)
        auxiliary = None if self.fusion is None else self._auxiliary_maps(images)
        # Stored maps lie contiguously; kernels round otherwise where a map does not.
        pixels = images if self.reads_images else None
        return Encoded(tuple(images.shape[-2:]), master, auxiliary, pixels).contiguous()

    def pyramid(self, images: Tensor | Encoded) -> dict[int, Tensor]:
        """Returns the fused pyramid ``{stride: (B, C, H/stride, W/stride)}`` that the head reads."""
        encoded = images if isinstance(images, Encoded) else self.encode(images)
        master = _with_finer(self.master_upsampling, encoded.master, encoded)
        pyramid = self.projection(master, encoded.size)
        if self.fusion is None:
            return pyramid
        auxiliary = _with_finer(self.auxiliary_upsampling, encoded.auxiliary, encoded)
        return self.fusion(pyramid, derive_pyramid(auxiliary, sorted(self.fusion.strides)))

    def _auxiliary_maps(self, images: Tensor) -> dict[int, Tensor]:
        """Returns the native maps of the auxiliary that the injection strides are derived from."""
        trains = self.train_auxiliary and torch.is_grad_enabled()
        with torch.set_grad_enabled(trains), self._auxiliary_precision(images.device):
            maps = encode_native(self.auxiliary, images, self.fusion.strides)
        if self.auxiliary_bfloat16:
            return {stride: feature.float() for stride, feature in maps.items()}
        return maps

    def _auxiliary_precision(self, device: torch.device) -> AbstractContextManager[None]:
        return torch.autocast(device.type, torch.bfloat16) if self.auxiliary_bfloat16 else nullcontext()

    def forward(
        self, images: Tensor | Encoded, queries: Tensor | None = None, texts: Tensor | None = None
    ) -> MaskPrediction:
        """Predicts classes and masks.

        Args:
            images: ``(B, 3, H, W)`` float RGB in [0, 1]; H and W multiples of 32. Or what the encoders have
                made of them, which then do not run.
            queries: contents of the queries, see :meth:`vfm_fusion.segmentation.head.MaskHead.forward`.
            texts: text embeddings of the classes, see there.
        """
        return self.head(self.pyramid(images), queries, texts)

    def trained_names(self) -> set[str]:
        """Returns the names of the parameters that training changes: the only ones worth saving."""
        return {name for name, parameter in self.named_parameters() if parameter.requires_grad}

    def count_parameters(self) -> dict[str, int]:
        """Returns the number of parameters, ``total`` and ``trainable``."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.parameters()]
        return {"total": sum(n for n, _ in sizes), "trainable": sum(n for n, trained in sizes if trained)}


def _with_finer(finer: FinerMaps | None, native: Maps, encoded: Encoded) -> Maps:
    return native if finer is None else finer(native, encoded.images, encoded.size)


def _round_matrices(encoder: Encoder) -> None:
    """Holds the weights of matrix products and convolutions in bfloat16, all others as they are."""
    for module in encoder.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.to(torch.bfloat16)
