"""The Mask2Former head on a feature pyramid (Cheng et al., CVPR 2022), from transformers' parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.segmentation.attention import DeformableAttention, MaskedAttention

ensure_torchvision()

from transformers import Mask2FormerConfig  # noqa: E402  (torchvision must be importable first)
from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402
    Mask2FormerMaskedAttentionDecoderOutput,
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


class QueryDecoder(Mask2FormerTransformerModule):
    """transformers' masked-attention decoder, with its parameters, and contents of queries as an argument."""

    def forward(
        self, levels: Sequence[Tensor], mask_features: Tensor, contents: Tensor | None = None
    ) -> Mask2FormerMaskedAttentionDecoderOutput:
        """Decodes the queries.

        Args:
            levels: ``(B, D, h, w)`` each, coarsest first.
            mask_features: ``(B, D, H/4, W/4)``.
            contents: ``(Q, B, D)``; the learned ones when left out.
        """
        features, positions = [], []
        for level, projection, embedding in zip(
            levels, self.input_projections, self.level_embed.weight, strict=True
        ):
            position = self.position_embedder(level.shape, level.device, level.dtype, None)
            positions.append(position.flatten(2).permute(2, 0, 1))  # (h * w, B, D)
            features.append((projection(level).flatten(2) + embedding[None, :, None]).permute(2, 0, 1))
        batch = mask_features.shape[0]
        if contents is None:
            contents = self.queries_features.weight.unsqueeze(1).repeat(1, batch, 1)
        return self.decoder(
            inputs_embeds=contents,
            multi_stage_positional_embeddings=positions,
            pixel_embeddings=mask_features,
            encoder_hidden_states=features,
            query_position_embeddings=self.queries_embedder.weight.unsqueeze(1).repeat(1, batch, 1),
            feature_size_list=[level.shape[-2:] for level in levels],
            return_dict=True,
        )


class TextClassifier(nn.Module):
    """Class logits by the similarity of what a query has become with the text embedding of each class.

    The logit of class k is ``cos(W q, t_k) / temperature``, that of 'no object' a linear function of q. The
    temperature is learned.
    """

    def __init__(self, width: int, text_width: int, temperature: float) -> None:
        """Builds the classifier.

        Args:
            width: of queries, D.
            text_width: of text embeddings, D_t.
            temperature: at first.
        """
        super().__init__()
        self.text_width = text_width
        self.projection = nn.Linear(width, text_width)
        self.no_object = nn.Linear(width, 1)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    def reset_parameters(self) -> None:
        """Draws the linear maps anew, as torch does."""
        self.projection.reset_parameters()
        self.no_object.reset_parameters()

    def forward(self, queries: Tensor, texts: Tensor) -> Tensor:
        """Returns ``(B, Q, K + 1)`` logits.

        Args:
            queries: ``(B, Q, D)``.
            texts: ``(K, D_t)`` or ``(B, K, D_t)``.
        """
        found, wanted = (functional.normalize(x, dim=-1) for x in (self.projection(queries), texts))
        similar = found @ wanted.transpose(-1, -2)  # (B, Q, K)
        return torch.cat([self.log_scale.exp() * similar, self.no_object(queries)], dim=-1)


def _projection(width: int, hidden: int) -> nn.Sequential:
    """Brings queries to the head's width, as MFuser does (Zhang and Tan, CVPR 2025)."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden))


class MaskHead(nn.Module):
    """Pixel decoder, masked-attention decoder and class predictor, initialised from scratch."""

    def __init__(
        self,
        channels: Mapping[int, int],
        categories: int,
        config: HeadConfig,
        *,
        query_width: int | None = None,
        text_width: int | None = None,
    ) -> None:
        """Builds the head.

        Args:
            channels: stride -> channels of the pyramid; strides 4, 8, 16, 32.
            categories: number of classes K.
            config: widths, layers and queries.
            query_width: width of the queries that are passed in, for which a projection to the head's width
                is trained; None: they have the head's width already, or are the head's own.
            text_width: width of the text embeddings that the classes are given as; None: the head learns a
                fixed set of classes.
        """
        super().__init__()
        self.strides = sorted(channels)
        settings = mask2former_config(config, categories)
        self.pixel_decoder = Mask2FormerPixelDecoder(settings, [channels[s] for s in self.strides])
        self.decoder = QueryDecoder(settings.feature_size, settings)
        self.class_predictor = (
            nn.Linear(settings.hidden_dim, categories + 1)
            if text_width is None
            else TextClassifier(settings.hidden_dim, text_width, config.text_temperature)
        )
        # transformers leaves parts of the decoder uninitialised until the model's own initialiser has run
        self.apply(Mask2FormerPreTrainedModel(settings)._init_weights)
        self._restore_released_initialisation()
        self._take_fused_attention()
        self.query_projection = None if query_width is None else _projection(query_width, config.hidden_dim)

    def train(self, mode: bool = True) -> MaskHead:
        """Sets the mode; the pixel decoder's layers stay in evaluation mode.

        Without dropout they do the same in both, but for a check of transformers' for infinite values, which
        makes a GPU wait six times a step. The loss is checked instead.
        """
        super().train(mode)
        for layer in self.pixel_decoder.encoder.layers:
            layer.eval()
        return self

    def forward(
        self, pyramid: dict[int, Tensor], queries: Tensor | None = None, texts: Tensor | None = None
    ) -> MaskPrediction:
        """Predicts classes and masks.

        Args:
            pyramid: ``{stride: (B, C, H/stride, W/stride)}`` for OS 4, 8, 16, 32; H and W multiples of 32.
            queries: ``(Q, D)`` or ``(B, Q, D)`` contents of the queries, of ``query_width``; their positions
                stay the learned ones. The learned contents when left out.
            texts: ``(K, D_t)`` or ``(B, K, D_t)`` embeddings of the classes, of ``text_width``; any number K.

        Raises:
            ShapeError: the maps are not on the grids of one image size, queries or texts are not of the
                shapes that the head was built for, or it was built for texts and gets none.
        """
        self._check(pyramid)
        batch = pyramid[self.strides[0]].shape[0]
        contents = self._contents(queries, batch)
        self._check_texts(texts, batch)
        maps = [pyramid[stride].float() for stride in self.strides]
        with torch.autocast(maps[0].device.type, enabled=False):  # float32, as in the released code
            pixels = self.pixel_decoder(maps, output_hidden_states=False)
        decoded = self.decoder(
            pixels.multi_scale_features, mask_features=pixels.mask_features, contents=contents
        )
        given = () if texts is None else (texts,)
        classes = [
            self.class_predictor(hidden.transpose(0, 1), *given)  # (Q, B, D) -> (B, Q, K + 1)
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

    def _contents(self, queries: Tensor | None, batch: int) -> Tensor | None:
        """Brings the queries that were passed in to ``(Q, B, D)``, D the head's width."""
        if queries is None:
            return None
        count, width = self.decoder.queries_features.weight.shape
        expected = width if self.query_projection is None else self.query_projection[0].in_features
        if queries.shape not in ((count, expected), (batch, count, expected)):
            raise ShapeError(
                f"expected queries ({count}, {expected}) or ({batch}, {count}, {expected}), found "
                f"{tuple(queries.shape)}; build the head with query_width for another width, and set "
                "training.head.queries to their number"
            )
        projected = queries if self.query_projection is None else self.query_projection(queries)
        return projected.expand(batch, -1, -1).transpose(0, 1)

    def _check_texts(self, texts: Tensor | None, batch: int) -> None:
        width = getattr(self.class_predictor, "text_width", None)
        if width is None and texts is not None:
            raise ShapeError(
                f"found texts {tuple(texts.shape)}, but the head learns its own classes; build it with "
                f"text_width {texts.shape[-1]}"
            )
        fits = (
            width is None
            if texts is None
            else texts.shape[1:] == (width,) or (texts.ndim == 3 and texts.shape[::2] == (batch, width))
        )
        if not fits:
            found = None if texts is None else tuple(texts.shape)
            raise ShapeError(f"expected texts (K, {width}) or ({batch}, K, {width}), found {found}")

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
