"""The Mask2Former head on a feature pyramid (Cheng et al., CVPR 2022), from transformers' parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.segmentation.attention import DeformableAttention, MaskedAttention

ensure_torchvision()

from transformers import Mask2FormerConfig  # noqa: E402  (torchvision must be importable first)
from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402
    Mask2FormerPixelDecoder,
    Mask2FormerPreTrainedModel,
    Mask2FormerTransformerModule,
)


@dataclass(frozen=True)
class MaskPrediction:
    """What the head predicts for a batch.

    Attributes:
        class_logits: ``(B, Q, K + 1)``; the last class is 'no object'.
        mask_logits: ``(B, Q, H/4, W/4)``.
        intermediate: the same pair for the initial queries and after every decoder layer but the last, for
            deep supervision.
    """

    class_logits: Tensor
    mask_logits: Tensor
    intermediate: tuple[tuple[Tensor, Tensor], ...]


def mask2former_config(config: HeadConfig, categories: int) -> Mask2FormerConfig:
    """Translates the head's settings into transformers' own.

    transformers counts the initial prediction as a decoder layer, hence one more.
    """
    return Mask2FormerConfig(
        num_labels=categories,
        feature_size=config.hidden_dim,
        mask_feature_size=config.hidden_dim,
        hidden_dim=config.hidden_dim,
        num_attention_heads=config.heads,
        encoder_layers=config.pixel_decoder_layers,
        encoder_feedforward_dim=config.pixel_decoder_feedforward_dim,
        decoder_layers=config.decoder_layers + 1,
        dim_feedforward=config.feedforward_dim,
        num_queries=config.queries,
        train_num_points=config.points,
        oversample_ratio=config.oversample,
        importance_sample_ratio=config.importance,
        no_object_weight=config.no_object_weight,
        class_weight=config.class_weight,
        mask_weight=config.mask_weight,
        dice_weight=config.dice_weight,
        dropout=0.0,
    )


class MaskHead(nn.Module):
    """Pixel decoder, masked-attention decoder and class predictor, initialised from scratch."""

    def __init__(self, channels: Mapping[int, int], categories: int, config: HeadConfig) -> None:
        """Builds the head.

        Args:
            channels: stride -> channels of the pyramid; strides 4, 8, 16, 32.
            categories: number of classes K.
            config: widths, layers and queries.
        """
        super().__init__()
        self.strides = sorted(channels)
        settings = mask2former_config(config, categories)
        self.pixel_decoder = Mask2FormerPixelDecoder(settings, [channels[s] for s in self.strides])
        self.decoder = Mask2FormerTransformerModule(settings.feature_size, settings)
        self.class_predictor = nn.Linear(settings.hidden_dim, categories + 1)
        # transformers leaves parts of the decoder uninitialised until the model's own initialiser has run
        self.apply(Mask2FormerPreTrainedModel(settings)._init_weights)
        self._restore_released_initialisation()
        self._take_fused_attention()

    def train(self, mode: bool = True) -> MaskHead:
        """Sets the mode; the pixel decoder's layers stay in evaluation mode.

        Without dropout they do the same in both, but for a check of transformers' for infinite values, which
        makes a GPU wait six times a step. The loss is checked instead.
        """
        super().train(mode)
        for layer in self.pixel_decoder.encoder.layers:
            layer.eval()
        return self

    def forward(self, pyramid: dict[int, Tensor]) -> MaskPrediction:
        """Predicts classes and masks.

        Args:
            pyramid: ``{stride: (B, C, H/stride, W/stride)}`` for OS 4, 8, 16, 32; H and W multiples of 32.

        Raises:
            ShapeError: the maps are not on the grids of one image size.
        """
        self._check(pyramid)
        maps = [pyramid[stride].float() for stride in self.strides]
        with torch.autocast(maps[0].device.type, enabled=False):  # float32, as in the released code
            pixels = self.pixel_decoder(maps, output_hidden_states=False)
        decoded = self.decoder(
            multi_scale_features=pixels.multi_scale_features, mask_features=pixels.mask_features
        )
        classes = [
            self.class_predictor(hidden.transpose(0, 1))  # (Q, B, D) -> (B, Q, K + 1)
            for hidden in decoded.intermediate_hidden_states
        ]
        masks = decoded.masks_queries_logits
        return MaskPrediction(classes[-1], masks[-1], tuple(zip(classes[:-1], masks[:-1], strict=True)))

    def _restore_released_initialisation(self) -> None:
        """Initialises like Mask2Former's released code what transformers draws otherwise.

        A constant deviation of .02 suits wide models; for a narrow head it is several times too small, and a
        short training ends before the pixel decoder has grown to its size. Queries, keys and values of the
        self-attention are one matrix of three times the height in the released code.
        """
        for layer in self.pixel_decoder.encoder.layers:
            nn.init.xavier_uniform_(layer.fc1.weight)
            nn.init.xavier_uniform_(layer.fc2.weight)
        for projection, _ in self.pixel_decoder.input_projections:
            nn.init.xavier_uniform_(projection.weight)
        lateral = [self.pixel_decoder.adapter_1[0], self.pixel_decoder.layer_1[0]]
        for convolution in (*lateral, self.pixel_decoder.mask_projection):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
        for layer in self.decoder.decoder.layers:
            attention = layer.self_attn
            for part in (attention.q_proj, attention.k_proj, attention.v_proj):
                nn.init.xavier_uniform_(part.weight, gain=0.5**0.5)
        self.class_predictor.reset_parameters()

    def _take_fused_attention(self) -> None:
        for layer in self.pixel_decoder.encoder.layers:
            layer.self_attn = DeformableAttention.of(layer.self_attn)
        for layer in self.decoder.decoder.layers:
            layer.cross_attn = MaskedAttention.of(layer.cross_attn)

    def _check(self, pyramid: dict[int, Tensor]) -> None:
        sizes = {
            (feature.shape[-2] * stride, feature.shape[-1] * stride) for stride, feature in pyramid.items()
        }
        if sorted(pyramid) != self.strides or len(sizes) != 1 or any(side % 32 for side in min(sizes)):
            shapes = {stride: tuple(feature.shape) for stride, feature in pyramid.items()}
            raise ShapeError(
                f"expected maps at strides {self.strides} of one image whose sides are multiples of 32, "
                f"found {shapes}"
            )
