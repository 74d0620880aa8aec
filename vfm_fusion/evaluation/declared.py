"""What the registry says of an evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vfm_fusion.config.datasets import Protocol
from vfm_fusion.loading import load

if TYPE_CHECKING:
    from vfm_fusion.evaluation.evaluator import Evaluator


@dataclass(frozen=True)
class Entry:
    """An evaluator that is imported when it is used.

    Attributes:
        target: ``module:class``.
        tasks: the tasks that predict what it reads; for other runs its scores are undefined, with a reason.
        needs: the labels that it reads, ``semantic`` or ``instances``.
        protocol: the instance protocol that it follows; None: it is the same under each.
    """

    target: str
    tasks: tuple[str, ...]
    needs: tuple[str, ...]
    protocol: Protocol | None = None

    def load(self) -> type[Evaluator]:
        """Imports and returns the class."""
        return load(self.target)


def serving(entries: Mapping[str, Entry], protocol: Protocol) -> dict[str, Entry]:
    """Returns those of the entries that score under a protocol."""
    return {name: entry for name, entry in entries.items() if entry.protocol in (None, protocol)}
