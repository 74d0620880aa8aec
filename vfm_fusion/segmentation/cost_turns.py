"""What the models of all runs cost: identical ones measured once, in turns, until their times agree."""

from __future__ import annotations

import logging
import multiprocessing
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from vfm_fusion.config.cost import CostConfig
from vfm_fusion.errors import ComputeError
from vfm_fusion.segmentation.cost import CostedModel, measure_turn

log = logging.getLogger(__name__)

PHASES = ("inference", "training")
_FEWEST = 2
"""Turns of every model, so that what slows the machine down for a while is seen in its spread."""


def measure_costs(models: Mapping[str, CostedModel], cost: CostConfig, threads: int) -> dict[str, dict]:
    """Measures the models of runs on this machine; nothing else should run on it meanwhile.

    Every turn is a process forked from this one, which must not have used a GPU: libraries are loaded once,
    and the peak of memory is that of one model.

    Args:
        models: run -> its model.
        cost: image size, repetitions, turns, and the spread that ends them.
        threads: threads of torch on a CPU.

    Returns:
        Run -> plain data as of :func:`~vfm_fusion.segmentation.cost.measure_turn`, the very same for runs of
        identical models. In place of ``times``, both phases have ``seconds`` (the median of all times),
        ``images_per_second``, ``timed`` (how many times there are), ``spread`` (see :func:`spread`) and
        ``steady`` (whether that is at most ``cost.spread``).

    Raises:
        ComputeError: a process ended without an answer.
    """
    alike: dict[str, list[str]] = {}
    for run, model in models.items():
        alike.setdefault(model.identity, []).append(run)
    found: dict[str, dict[str, Any]] = {}
    for turn in range(cost.rounds):
        for identity, runs in alike.items():
            if turn >= _FEWEST and _steady(found[identity], cost):
                continue
            one = _apart(models[runs[0]], cost, threads, turn == 0, runs)
            found[identity] = _joined(found[identity], one) if turn else one
            log.info("turn %d: measured the model of %s", turn + 1, ", ".join(runs))
    return {run: _summary(found[models[run].identity], cost) for run in models}


def spread(times: Sequence[float]) -> float:
    """Returns the interquartile range over the median of two times or more.

    >>> spread([2.0, 2.0, 2.0, 2.0, 9.0]), spread([1.0, 2.0, 3.0])
    (0.0, 0.5)
    """
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / median


def _steady(found: Mapping[str, Any], cost: CostConfig) -> bool:
    return all(spread(found[phase]["times"]) <= cost.spread for phase in PHASES)


def _apart(
    model: CostedModel, cost: CostConfig, threads: int, counts: bool, runs: Sequence[str]
) -> dict[str, Any]:
    """One turn in a process of its own. A spawned one would run a workflow script again, all main script."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("fork")) as pool:
        try:
            return pool.submit(measure_turn, model, cost, threads, counts).result()
        except BrokenProcessPool:
            raise ComputeError(
                f"the process that measured the model of {', '.join(runs)} was ended from outside; the "
                "machine may have run out of memory. Ask for more, or set a smaller cost.size or "
                "training.batch_size"
            ) from None


def _joined(found: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What was found so far and in a further turn."""
    phases = {
        phase: found[phase]
        | {
            "times": found[phase]["times"] + more[phase]["times"],
            "peak_bytes": max(found[phase]["peak_bytes"], more[phase]["peak_bytes"]),
        }
        for phase in PHASES
    }
    return found | phases


def _summary(found: Mapping[str, Any], cost: CostConfig) -> dict[str, Any]:
    phases = {}
    for phase in PHASES:
        rest = {key: value for key, value in found[phase].items() if key != "times"}
        times = found[phase]["times"]
        seconds, scatter = statistics.median(times), spread(times)
        phases[phase] = rest | {
            "seconds": seconds,
            "images_per_second": rest["batch"] / seconds,
            "timed": len(times),
            "spread": scatter,
            "steady": scatter <= cost.spread,
        }
    return {**found, **phases}
