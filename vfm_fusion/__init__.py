"""Profile, pair, fuse and evaluate visual foundation models for segmentation.

Data flows one way: datasets -> encoders -> features -> metrics -> selection -> fusion -> segmentation ->
evaluation -> reporting. Nothing in this package imports Snakemake; the workflow imports it.

``vfm_fusion.profile(encoders, images)`` is all of it that many need.
"""

import sys
from importlib import import_module
from importlib.metadata import version

_CALL = {
    "profile": "vfm_fusion.profiling.call",
    "Profile": "vfm_fusion.profiling.profile_result",
    "OwnEncoder": "vfm_fusion.profiling.own_encoder",
    "EncoderConfig": "vfm_fusion.config.encoders",
}
"""Name to its module, which is imported when the name is used: not every job needs torch."""


def __getattr__(name: str) -> object:
    if name == "__version__":
        return version("vfm-fusion")
    if name in _CALL:
        return getattr(import_module(_CALL[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(_CALL)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_CALL, "__version__"])


if hasattr(sys.modules["__main__"], "snakemake"):
    # Ctrl-C while a job still imports ends it without a traceback; later on, `rule_log` says a line.
    sys.excepthook = lambda kind, *error: kind is KeyboardInterrupt or sys.__excepthook__(kind, *error)
