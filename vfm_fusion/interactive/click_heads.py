"""What makes one logit of the features of every pixel or cell."""

from __future__ import annotations

from torch import nn

from vfm_fusion.config.clicks import Head, HeadInit


def build_click_head(kind: Head, width: int, init: HeadInit = "as_released") -> nn.Sequential:
    """Builds a head, from ``(B, C, h, w)`` to ``(B, 1, h, w)``; biases 0.

    Args:
        kind: ``convhead`` two 3 x 3 convolutions with ReLU and a 1 x 1, ``simple_conv`` the same with 1 x 1,
            ``linear`` the last 1 x 1 alone.
        width: C, of the hidden layers too.
        init: weights are Kaiming-normal. ``as_released`` the last layer's too, by its one output, so that
            logits are the root of 2 C times as large as what it reads; ``small`` they are drawn by its C
            inputs and are as large.
    """
    hidden = []
    if kind != "linear":
        side = 3 if kind == "convhead" else 1
        for _ in range(2):
            hidden += [nn.Conv2d(width, width, side, padding=side // 2), nn.ReLU()]
    head = nn.Sequential(*hidden, nn.Conv2d(width, 1, 1))
    for layer in head:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    if init == "small":
        nn.init.kaiming_normal_(head[-1].weight, mode="fan_in", nonlinearity="linear")
    return head
