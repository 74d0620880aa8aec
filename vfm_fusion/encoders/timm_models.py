"""timm's encoders: plain ViTs, which show their tokens, hierarchical transformers, and CNNs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.encoders.tokens import Heads, TokenEncoder, TokenState

ensure_torchvision()

import timm  # noqa: E402  (torchvision must be importable first)
from timm.layers import (  # noqa: E402
    Attention,
    AttentionRope,
    RotaryEmbeddingCat,
    RotaryEmbeddingDinoV3,
    apply_rot_embed_cat,
    resample_abs_pos_embed_nhwc,
)
from timm.models.deit import VisionTransformerDistilled  # noqa: E402
from timm.models.eva import Eva, EvaAttention, EvaBlock  # noqa: E402
from timm.models.vision_transformer import Block, VisionTransformer  # noqa: E402
from timm.models.vision_transformer_sam import VisionTransformerSAM  # noqa: E402

__all__ = [
    "TimmCNN",
    "TimmHierarchical",
    "TimmSam",
    "TimmViT",
    "VisionTransformer",
    "VisionTransformerSAM",
    "offset_positions",
    "shows_tokens",
    "timm",
]

_WALKED = (VisionTransformer, VisionTransformerDistilled, Eva)
_ROTARY = (type(None), RotaryEmbeddingCat, RotaryEmbeddingDinoV3)


class _TimmTokens(TokenEncoder):
    """What timm's plain ViTs have in common: a patch embedding, and blocks that begin with attention."""

    def __init__(self, spec: EncoderSpec, *, final_norm: bool) -> None:
        super().__init__(spec)
        self.model = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, **spec.options)
        self.model.prune_intermediate_layers(1, prune_norm=not final_norm, prune_head=True)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """See :attr:`TokenEncoder.layers`."""
        return self.model.blocks

    def patchify(self, normalised: Tensor) -> TokenState:
        """See :meth:`TokenEncoder.patchify`."""
        embedded = self.model.patch_embed(normalised)  # (B, h, w, C)
        return TokenState(embedded.flatten(1, 2), grid=tuple(embedded.shape[1:3]))

    def heads(self, state: TokenState, block: int, *, rotated: bool) -> Heads:
        """See :meth:`TokenEncoder.heads`."""
        layer = self.layers[block]
        queries, keys, values = (
            part.unflatten(2, (layer.attn.num_heads, -1)).transpose(1, 2)
            for part in _projected(layer.attn, layer.norm1(state.tokens))
        )
        queries, keys = layer.attn.q_norm(queries), layer.attn.k_norm(keys)
        if rotated and state.rotary is not None:
            queries, keys = (_turned(part, state, layer.attn.rotate_half) for part in (queries, keys))
        return Heads(queries, keys, values)

    def value_path(self, state: TokenState, block: int) -> TokenState:
        """See :meth:`TokenEncoder.value_path`."""
        attention = self.layers[block].attn
        values = self.heads(state, block, rotated=False).values.transpose(1, 2).flatten(2)  # (B, N, heads d)
        if hasattr(attention, "norm"):  # EVA-02 has one between its heads and their projection, SAM has none
            values = attention.norm(values)
        return state.with_tokens(attention.proj(values))


class TimmViT(_TimmTokens):
    """timm's ``VisionTransformer`` or ``Eva``: the patch tokens of the last block after the final norm.

    The entry sets ``dynamic_img_size`` where it is not the model's default.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec, final_norm=True)
        self.positions = spec.positions

    @property
    def prefix(self) -> int:
        """See :attr:`TokenEncoder.prefix`."""
        return self.model.num_prefix_tokens

    def position(self, patches: TokenState) -> TokenState:
        """See :meth:`TokenEncoder.position`."""
        if self.positions == "offset":
            tokens = self.model.norm_pre(self._with_offset_positions(patches))
            return TokenState(tokens, patches.grid, self.prefix)
        embedded = self.model._pos_embed(patches.tokens.unflatten(1, patches.grid))
        tokens, rotary = embedded if isinstance(embedded, tuple) else (embedded, None)  # Eva gives both
        return TokenState(self.model.norm_pre(tokens), patches.grid, self.prefix, rotary)

    def step(self, state: TokenState, block: int) -> Tensor:
        """See :meth:`TokenEncoder.step`."""
        rotary = {} if state.rotary is None else {"rope": state.rotary}
        return self.layers[block](state.tokens, **rotary)

    def finish(self, state: TokenState) -> TokenState:
        """See :meth:`TokenEncoder.finish`."""
        return state.with_tokens(self.model.norm(state.tokens))

    def _with_offset_positions(self, patches: TokenState) -> Tensor:
        """What ``VisionTransformer._pos_embed`` does, with the positions of the authors of DINOv2."""
        model, positions = self.model, self.model.pos_embed  # (1, P + N N, C)
        count = 0 if model.no_embed_class else model.num_prefix_tokens
        resized = offset_positions(positions[:, count:], model.patch_embed.grid_size, patches.grid)
        extra = [token for token in (model.cls_token, model.reg_token) if token is not None]
        prefix = [token.expand(len(patches.tokens), -1, -1) for token in extra]
        if not model.no_embed_class:
            positions, prefix = torch.cat((positions[:, :count], resized), dim=1), [*prefix, patches.tokens]
            return model.pos_drop(torch.cat(prefix, dim=1) + positions)
        return model.pos_drop(torch.cat((*prefix, patches.tokens + resized), dim=1))


def shows_tokens(model: nn.Module) -> bool:
    """Whether :class:`TimmViT` walks through a model of timm's as the model itself does.

    Its blocks have a norm before each part, and an attention of queries, keys and values without a gate.
    """
    return (
        type(model) in _WALKED
        and type(getattr(model, "rope", None)) in _ROTARY
        and all(type(block) in (Block, EvaBlock) for block in model.blocks)
        and all(type(block.attn) in (Attention, AttentionRope, EvaAttention) for block in model.blocks)
        and all(block.attn.gate is None for block in model.blocks)
    )


class TimmSam(_TimmTokens):
    """SAM's ViT: the patch tokens of the last block; the norm that follows them is part of the neck.

    Most blocks attend within windows. The grid is padded to whole windows after a block's first norm, so a
    window at the border also attends to tokens of zeros, which the heads do not show.
    """

    prefix = 0

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec, final_norm=False)

    def position(self, patches: TokenState) -> TokenState:
        """See :meth:`TokenEncoder.position`."""
        positions = resample_abs_pos_embed_nhwc(self.model.pos_embed, list(patches.grid)).flatten(1, 2)
        return patches.with_tokens(self.model.norm_pre(self.model.pos_drop(patches.tokens + positions)))

    def step(self, state: TokenState, block: int) -> Tensor:
        """See :meth:`TokenEncoder.step`."""
        return self.layers[block](state.tokens.unflatten(1, state.grid)).flatten(1, 2)

    def finish(self, state: TokenState) -> TokenState:
        """See :meth:`TokenEncoder.finish`."""
        return state


class TimmHierarchical(Encoder):
    """The last map of a timm model at each of its strides: of every stage, before a final norm or head.

    A model of one stride (a transformer of another make than :class:`TimmViT`) gives its last map after the
    final norm.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, **spec.options)
        self._levels = spec.levels or {stride: index for index, stride in enumerate(spec.strides)}
        self._norm = len(spec.strides) == 1
        last = [max(self._levels.values())]
        self.model.prune_intermediate_layers(last, prune_norm=not self._norm, prune_head=True)

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        wanted = sorted(strides)
        maps = self.model.forward_intermediates(
            normalised,
            indices=[self._levels[stride] for stride in wanted],
            norm=self._norm,
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return dict(zip(wanted, maps, strict=True))


class TimmCNN(Encoder):
    """A CNN: the last map at each output stride from 4 to 32."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(
            spec.timm_name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), **spec.options
        )

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        return dict(zip(self.spec.strides, self.model(normalised), strict=True))


def offset_positions(positions: Tensor, trained: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Resizes positions as the code of DINO and DINOv2 does (``interpolate_pos_encoding``, offset .1).

    Args:
        positions: ``(1, N N', C)`` of the grid that was trained, row by row.
        trained: that grid, (N, N').
        grid: (h, w) wanted.

    Returns:
        ``(1, h w, C)``, bicubic without antialiasing. Sampling points are those of the factors (h + .1) / N
        and (w + .1) / N', so they lie slightly closer together than the grid's.
    """
    if grid == tuple(trained):
        return positions
    factors = tuple((wanted + 0.1) / side for wanted, side in zip(grid, trained, strict=True))
    maps = positions.float().unflatten(1, trained).permute(0, 3, 1, 2)
    resized = F.interpolate(maps, scale_factor=factors, mode="bicubic")
    return resized.flatten(2).transpose(1, 2).to(positions.dtype)


def _projected(attention: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values ``(B, N, heads d)``, of one linear map (EVA's biases lie apart) or three."""
    if attention.qkv is None:
        return attention.q_proj(tokens), attention.k_proj(tokens), attention.v_proj(tokens)
    projected = attention.qkv(tokens)
    if getattr(attention, "q_bias", None) is not None:
        projected = projected + torch.cat((attention.q_bias, attention.k_bias, attention.v_bias))
    return projected.chunk(3, dim=2)


def _turned(heads: Tensor, state: TokenState, half: bool) -> Tensor:
    """Turns the patches' queries or keys ``(B, heads, N, d)`` by their rotary positions, as timm does."""
    before, patches = heads[:, :, : state.prefix], heads[:, :, state.prefix :]
    return torch.cat((before, apply_rot_embed_cat(patches, state.rotary, half=half)), dim=2).type_as(heads)
