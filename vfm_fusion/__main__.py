"""The package's commands: ``python -m vfm_fusion COMMAND --help`` explains each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from vfm_fusion.errors import VfmFusionError
from vfm_fusion.loading import load

COMMANDS = {
    "profile": ("profile encoders on a folder of pictures", "vfm_fusion.profiling.profile_command"),
    "init": ("write an experiment for own encoders and data", "vfm_fusion.study.init_command"),
    "scores": (
        "make a table of iSegProbe's scores of SBD's images",
        "vfm_fusion.interactive.released_scores",
    ),
}
"""Name to what it does, and the module with its ``add_arguments`` and ``run``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; only its own module is imported.

    Args:
        arguments: what follows the program's name.

    Returns:
        The exit status: 0, 1 where a named error was printed, 2 for wrong arguments.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="python -m vfm_fusion", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (what, module) in COMMANDS.items():
        command = commands.add_parser(name, help=what, formatter_class=argparse.RawDescriptionHelpFormatter)
        if arguments[:1] == [name]:
            load(f"{module}:add_arguments")(command)
    parsed = parser.parse_args(arguments)
    try:
        return load(f"{COMMANDS[parsed.command][1]}:run")(parsed)
    except VfmFusionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
