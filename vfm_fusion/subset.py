"""Evenly spaced subsets."""

from __future__ import annotations


def subset(count: int, limit: int | None) -> list[int]:
    """Returns ``limit`` evenly spaced positions out of ``count``, all of them when there are no more.

    >>> subset(10, 4)
    [0, 2, 5, 7]
    """
    if limit is None or limit >= count:
        return list(range(count))
    return [position * count // limit for position in range(limit)]
