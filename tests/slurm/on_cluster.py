"""A working copy of the repository in which the workflow is called as on a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from working_copy import Workflow


@dataclass
class OnCluster(Workflow):
    """A working copy whose workflow is called as on a cluster.

    Attributes:
        profile: options in place of ``--cores``; polls are as quick as the jobs of tests.
        variables: environment of the calls.
    """

    profile: tuple[str, ...] = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        command = super().command(*arguments)
        at = command.index("--cores")
        command[at : at + 2] = self.profile
        return command

    def options(self, environment: dict[str, str] | None = None) -> dict:
        return super().options({**self.variables, **(environment or {})})
