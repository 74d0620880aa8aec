"""What the sections of other systems share: an experiment has any of them, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vfm_fusion.config.base import Section

if TYPE_CHECKING:
    from vfm_fusion.config.schema import Config


class SystemConfig(Section):
    """The section of a system that stands beside profiling and fusion.

    A system is one optional field of :class:`vfm_fusion.config.schema.Config`, and rules of its own in
    ``rules/<field>.smk`` with a target rule of the same name. Where an experiment has the section, its rules
    are read and ``all`` asks for that target; where it has not, nothing of the system is there, not even a
    key in the resolved configuration.
    """

    def check(self, config: Config) -> None:
        """Holds the section against the rest of the experiment.

        Raises:
            ConfigError: it names what is not defined there.
        """

    def splits(self, config: Config) -> list[tuple[str, str]]:
        """The splits that the system reads, as (data set, split)."""
        return []
