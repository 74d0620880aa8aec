"""The page that benchmarks/gpu_check.py writes: from the records of its parts, whichever there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpu_parts import AUXILIARY, PARTS, VARIANTS, Setting
from training_results import FUSED, MASTER, Measured, Task, model_lines, ratio_lines

Record = Mapping[str, Any]

PAPER = (
    "The paper (Table 11) has 2.2 images/s for DINOv3 alone and 1.4 for the fused model, a ratio of 0.64; "
    "its card, its image size and what it counts are not known here."
)


def page(records: Mapping[str, Record], setting: Setting) -> str:
    """Writes the page.

    Args:
        records: part -> what was found, or why it was not; ``machine`` is among them.
        setting: where the parts ran.
    """
    return (
        "\n\n".join(
            [
                *_head(records["machine"]["found"], setting),
                _overview(records),
                *_training(records),
                *_metrics(records),
                *_extraction(records),
                *_engine(records),
            ]
        )
        + "\n"
    )


def missed_targets(records: Mapping[str, Record]) -> list[str]:
    """Returns the targets that the models missed, by variant."""
    return [f"{variant}: {target}" for variant in VARIANTS for target in _ratios(records, variant)[1]]


def found_of(records: Mapping[str, Record], name: str) -> Record | None:
    record = records.get(name)
    return record["found"] if record and record["state"] == "done" else None


def _head(machine: Record, setting: Setting) -> list[str]:
    installed = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    card = f", {machine['memory'] / 1e9:.0f} GB, CUDA {machine['cuda']}" if "cuda" in machine else ""
    compiler = machine["compiler"] or "no C compiler"
    lines = [
        f"# Benchmarks on {machine['device']}",
        "Written by `make gpu-check` (`benchmarks/gpu_check.py` says what it does).",
        f"{machine['device']}{card}; Python {machine['python']}, {installed}; {compiler}.",
    ]
    if setting.tiny or setting.device == "cpu":
        lines.append(
            f"**Made with `--device {setting.device}{' --tiny' if setting.tiny else ''}`: it shows that the "
            "parts run, and says nothing about the speed of a GPU.**"
        )
    return lines


def _overview(records: Mapping[str, Record]) -> str:
    rows = ["| part | | seconds | peak GB |", "| :-- | :-- | --: | --: |"]
    for name, part in PARTS.items():
        record = records.get(name, {"state": "not run", "reason": "its turn has not come"})
        said = f"{record['state']}: {record['reason']}" if record["reason"] else record["state"]
        seconds = f"{record['seconds']:.0f}" if "seconds" in record else ""
        peak = f"{record['peak_bytes'] / 1e9:.2f}" if record.get("peak_bytes") else ""
        rows.append(f"| {part.title} | {said.replace('|', '/')} | {seconds} | {peak} |")
    return "\n".join(rows)


def _training(records: Mapping[str, Record]) -> list[str]:
    parts = ["## Training and inference"]
    for variant in VARIANTS:
        tasks, measured = _models(records, variant)
        if not tasks:
            continue
        first = tasks[0]
        backend = f", encoders compiled ({first.compiled})" if first.compiled else ""
        head = f"Crops of {first.crop[0]} x {first.crop[1]}, batch {first.batch}, {first.precision}{backend}:"
        lines = [*model_lines(tasks, measured), "", *_ratios(records, variant)[0]]
        parts.append(f"### {variant}\n\n{head}\n\n" + _block(lines))
    missed = missed_targets(records)
    if any(_ratios(records, variant)[0] for variant in VARIANTS):
        parts.append(f"Missed: {'; '.join(missed)}." if missed else "All targets met.")
        parts.append(PAPER)
    return parts if len(parts) > 1 else []


def _models(records: Mapping[str, Record], variant: str) -> tuple[list[Task], dict[str, Measured]]:
    """What was measured of a variant; operations are those of the model as it is."""
    tasks, measured = [], {}
    for model in (MASTER, AUXILIARY, FUSED):
        plain = found_of(records, f"training of {model}, as it is")
        found = found_of(records, f"training of {model}, {variant}")
        if plain and found:
            task = found["task"]
            tasks.append(Task(**{**task, "crop": tuple(task["crop"])}))
            measured[model] = Measured(**{**found["measured"], "flops": plain["measured"]["flops"]})
    return tasks, measured


def _ratios(records: Mapping[str, Record], variant: str) -> tuple[list[str], list[str]]:
    """Lines of the rates over the master's, and missed targets; nothing where one of both is missing."""
    tasks, measured = _models(records, variant)
    return ratio_lines(tasks, measured) if {MASTER, FUSED} <= measured.keys() else ([], [])


def _metrics(records: Mapping[str, Record]) -> list[str]:
    found = [one for name in PARTS if name.startswith("metrics, ") and (one := found_of(records, name))]
    if not found:
        return []
    height, width = found[0]["size"]
    rows = [
        f"| {one['workload']} | {one['alone']:.2f} | {one['with_floors']:.2f} | {one['off']:.0e} |"
        for one in found
    ]
    return [
        f"## SC and EF of one image ({height} x {width}, OS 4/8/16/32)",
        "Images per second, one after another; the workloads are those of `benchmarks/metrics.py`.",
        "\n".join(
            [
                "| maps | images/s | with null floors | largest relative difference to the CPU |",
                "| :-- | --: | --: | --: |",
                *rows,
            ]
        ),
    ]


def _extraction(records: Mapping[str, Record]) -> list[str]:
    found = [one for name in PARTS if name.startswith("extraction, ") and (one := found_of(records, name))]
    if not found:
        return []
    height, width = found[0]["size"]
    rows = []
    for one in found:
        rates = f"{one['images_per_second']:.2f} | {one['bare_loop']:.2f} | {one['ratio']:.2f}"
        rows.append(f"| {one['architecture']} | {rates} |")
    return [
        f"## Extraction ({height} x {width}, {found[0]['precision']})",
        "Reading, encoding, writing, checking and publishing a store, against the bare loop over images in "
        "memory, both in images per second.",
        "\n".join(
            [
                "| encoder | extraction | bare loop | time over the loop's |",
                "| :-- | --: | --: | --: |",
                *rows,
            ]
        ),
    ]


def _engine(records: Mapping[str, Record]) -> list[str]:
    lines = []
    if tests := found_of(records, "tests"):
        lines.append(f"- **Tests** (`pytest -m gpu`): {tests['summary']}.")
    if resumed := found_of(records, "resumed"):
        close = "to the same bits" if resumed["same_bits"] else f"to within {resumed['resumed']:.0e}"
        lines.append(
            "- **Killed and resumed**: the fused miniature, killed by SIGKILL and resumed from step "
            f"{resumed['resumed_from']} of {resumed['steps']}, ends with an undisturbed run's weights "
            f"{close}; two undisturbed runs differ by {resumed['repeated']:.0e}."
        )
    if group := found_of(records, "group"):
        lines.append(
            f"- **Process group** ({group['backend']}, {group['processes']} process): sums at "
            f"{group['gigabytes_per_second']:.1f} GB/s; a gradient that went through it differs by "
            f"{group['gradient_off']:.0e} of its norm."
        )
    return ["## Tests and engine", "\n".join(lines)] if lines else []


def _block(lines: list[str]) -> str:
    return "\n".join(["```", *lines, "```"]).replace("\n\n```", "\n```")
