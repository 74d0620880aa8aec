"""Colours for classes, by number: the palette of PASCAL VOC."""

from __future__ import annotations


def voc_color(number: int) -> tuple[int, int, int]:
    """Spreads the bits of a number over red, green and blue, the lowest bits on the brightest steps.

    Args:
        number: 0..255; 0 is black, and no two have the same colour.

    Returns:
        (red, green, blue), 0..255 each.
    """
    channels = [0, 0, 0]
    for step in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * step + channel) & 1) << (7 - step)
    red, green, blue = channels
    return red, green, blue
