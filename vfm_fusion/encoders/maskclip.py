"""MaskCLIP: a CLIP whose patches keep to themselves in the end, projected to the space of the text."""

from __future__ import annotations

from torch import Tensor, nn

from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.encoders.timm_models import TimmViT
from vfm_fusion.encoders.tokens import TokenState


class MaskClip(TimmViT):
    """The dense features of MaskCLIP (Zhou et al., ECCV 2022, Sec. 3.2), from CLIP's own weights.

    The last block gives its values through its attention's output projection, without mixing, residual and
    MLP; :meth:`finish` is CLIP's final norm and its projection, so maps have other channels than tokens. What
    the last block never uses is left out. The projection is timm's ``head``, OpenAI's ``visual.proj``; its
    bias, which CLIP does not have, is zero in timm's files.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model.head = nn.Linear(self.width, spec.channels[spec.strides[0]])
        nn.init.zeros_(self.model.head.bias)
        last = self.layers[-1]
        last.norm2 = last.mlp = nn.Identity()

    @property
    def width(self) -> int:
        """See :attr:`TokenEncoder.width`."""
        return self.model.embed_dim

    def step(self, state: TokenState, block: int) -> Tensor:
        """See :meth:`TokenEncoder.step`."""
        if block < self.depth - 1:
            return super().step(state, block)
        return self.value_path(state, block).tokens

    def finish(self, state: TokenState) -> TokenState:
        """See :meth:`TokenEncoder.finish`: tokens ``(B, P + h w, D)`` in the space of the text."""
        return state.with_tokens(self.model.head(self.model.norm(state.tokens)))
