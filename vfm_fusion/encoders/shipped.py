"""The mini encoders that come with this project, by the names that users give."""

from __future__ import annotations

SHIPPED = {
    "mini-dino": ("mini_vit", "generated scenes, self-distilled"),
    "mini-sam": ("mini_hiera", "generated scenes, promptable masks"),
    "mini-swin": ("mini_swin", "generated scenes, class labels"),
}
"""Mini encoders whose weights lie in ``resources/encoders/``: architecture and pre-training."""
