"""Logging of one workflow job: everything to its log file, errors and progress in lines to the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from vfm_fusion.errors import VfmFusionError
from vfm_fusion.workflow.progress import TERMINAL

QUIET = "VFM_FUSION_QUIET"
"""Where this variable is set, progress is not shown."""


@contextmanager
def rule_log(path: str | Path, threads: int) -> Iterator[logging.Logger]:
    """Runs a job's body with logging to ``path`` and native thread pools limited to ``threads``.

    A traceback reaches the log. An error that the project raises on purpose is printed to the terminal as its
    message alone, and ends the job with exit status 1; so is Ctrl-C, with status 130. On a terminal, progress
    is shown in a line now and then that begins with the job's name: several jobs may write at once.

    Args:
        path: the rule's log file; it is started anew.
        threads: threads that the job may use.

    Yields:
        The logger of the project.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if sys.stderr.isatty() and QUIET not in os.environ:
        shown = logging.StreamHandler(sys.stderr)
        shown.setFormatter(logging.Formatter(f"{job_name(path)}: %(message)s"))
        TERMINAL.addHandler(shown)
    try:
        with threadpool_limits(threads):
            yield logging.getLogger("vfm_fusion")
    except VfmFusionError as error:
        root.exception("the job failed")
        print(f"{type(error).__name__}: {error}\n(log: {path})", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        root.exception("the job was interrupted")
        print(f"{job_name(path)}: interrupted; the same command goes on", file=sys.stderr)
        raise SystemExit(130) from None
    except BaseException:
        root.exception("the job failed")
        raise
    finally:
        TERMINAL.handlers.clear()
        root.removeHandler(handler)
        handler.close()


def job_name(log: str | Path) -> str:
    """What a job is called, by its log file.

    >>> job_name("results/quick/logs/train/fused.seed0.log")
    'train fused.seed0'
    """
    _, _, name = Path(log).with_suffix("").as_posix().rpartition("/logs/")
    return name.replace("/", " ")
