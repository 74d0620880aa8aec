"""The profile and the rules: what is grouped, what wants a GPU, what sbatch is told; without a cluster."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from on_cluster import OnCluster
from working_copy import copy_repository

from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.study.resolve import resolve

HEAVY = {
    *("extract_part", "extract_features", "extract_finetuned", "train", "predict", "measure_cost"),
    *("extract_views", "pretrain_encoder", "pretrain_upsampler"),
    *("train_clicks", "evaluate_clicks", "measure_upsampler", "draw_upsampled_maps"),
}
ALONE = HEAVY | {
    *("export_store", "verify_features", "figure_pretrained", "pretrain_mini", "pretrain_upsamplers"),
}
REPORTED = {rule.name: report.group for report in REPORTS for rule in report.rules()}
"""Rule of every report to its group: the rules themselves say it."""
LOCAL = {"feature_info", "prune_features"}

STUBS = {
    "sinfo": 'case "$*" in *%a*) cat {folder}/partitions;; *) echo "main*";; esac\n',
    "scontrol": 'echo "MinJobAge = 300 sec"; echo "AccountingStorageType = accounting_storage/none"\n',
    "sacct": "exit 1\n",
    "sacctmgr": 'echo "no accounting" >&2; exit 1\n',
    "sbatch": "{python} -c \"import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['VFM_DATA']]))\" "
    '"$@" >> {folder}/submitted; echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1\n',
}
NO_GPUS = "main*|up|infinite|(null)\n"
WITH_GPUS = NO_GPUS + "a100|up|2-00:00:00|gpu:a100:4\n"


@pytest.fixture(scope="module")
def profile(repository: Path) -> dict:
    return yaml.safe_load((repository / "slurm" / "config.yaml").read_text())


@pytest.fixture(scope="module")
def rules(repository: Path) -> dict[str, str]:
    """The text of every rule by name; of a report, that of the rule in the loop over all."""
    text = "\n".join(path.read_text() for path in (repository / "rules").glob("*.smk"))
    found = dict(re.findall(r"^rule (\w+):\n((?:.*\n)*?)(?=^\S|\Z)", text, re.MULTILINE))
    ((head, body),) = re.findall(r"^for (.*):\n\n    rule:\n((?:.*\n)*?)(?=^\S|\Z)", text, re.MULTILINE)
    assert head == "entry in REPORT_RULES"
    assert "            partial(group_of, entry)\n" in body
    return found | dict.fromkeys(REPORTED, body)


def jobs(rules: dict[str, str]) -> set[str]:
    return {name for name, text in rules.items() if "script:" in text}


def test_every_rule_is_grouped_or_submitted_alone_on_purpose(profile: dict, rules: dict[str, str]) -> None:
    assert set(profile["groups"]) | set(REPORTED) | ALONE | LOCAL == jobs(rules)
    assert not set(profile["groups"]) & (ALONE | LOCAL | set(REPORTED))
    groups = {*profile["groups"].values(), *REPORTED.values()}
    assert set(profile["group-components"]) == groups - {"choice"}
    assert not set(profile["groups"].values()) & set(REPORTED.values())


def test_no_group_has_jobs_that_want_gpus(profile: dict) -> None:
    assert not set(profile["groups"]) & HEAVY


def test_every_job_states_time_and_memory_that_grow(rules: dict[str, str]) -> None:
    for name in jobs(rules) - LOCAL:
        assert re.search(r"mem_mb=(growing\(|training_memory,)", rules[name]), name
        assert re.search(r"runtime=lasting\((\d+|entry\.report\.minutes)[,)]", rules[name]), name


def test_the_heavy_rules_ask_for_gpus_and_no_others(rules: dict[str, str]) -> None:
    assert {name for name, text in rules.items() if "gpu=" in text} == HEAVY
    assert {name for name, text in rules.items() if "slurm_partition=heavy_partition(" in text} == HEAVY


def test_the_profile_does_not_contradict_the_default_one(profile: dict, repository: Path) -> None:
    default = yaml.safe_load((repository / "profiles" / "default" / "config.yaml").read_text())
    assert not set(profile) & set(default)


def test_the_paper_is_made_for_gpus_and_the_small_experiments_are_not(repository: Path) -> None:
    wanted = {
        name: resolve({"experiment": name}, repository / "experiments").compute.gpu
        for name in ("paper", "miniature", "quick")
    }
    assert wanted == {"paper": True, "miniature": False, "quick": False}


@dataclass
class Stubbed:
    """A working copy and programs that stand for SLURM's.

    Attributes:
        workflow: the copy.
        folder: the programs, and what sbatch was told.
    """

    workflow: OnCluster
    folder: Path

    def offer(self, partitions: str) -> None:
        (self.folder / "partitions").write_text(partitions)

    def submitted(self) -> list[list[str]]:
        """Arguments of every call of sbatch."""
        path = self.folder / "submitted"
        calls = [yaml.safe_load(line) for line in path.read_text().splitlines()] if path.exists() else []
        assert all(variable == "/data sets" for _, variable in calls)
        return [arguments for arguments, _ in calls]


@pytest.fixture
def stubbed(tmp_path: Path, repository: Path) -> Stubbed:
    copy, folder = tmp_path / "a copy", tmp_path / "bin"
    copy_repository(repository, copy)
    folder.mkdir()
    for name, text in STUBS.items():
        script = folder / name
        script.write_text("#!/bin/sh\n" + text.format(folder=folder, python=shlex.quote(sys.executable)))
        script.chmod(0o755)
    workflow = OnCluster(copy)
    workflow.variables = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "VFM_DATA": "/data sets"}
    return Stubbed(workflow, folder)


def pretend(stubbed: Stubbed, names: list[str]) -> None:
    """Makes files that a job takes for the results of others."""
    for name in names:
        path = stubbed.workflow.results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def train(stubbed: Stubbed, retries: int = 0) -> subprocess.CompletedProcess:
    """Has one training submitted whose inputs are there."""
    pretend(stubbed, ["data/miniscapes.manifest.json", "datasets/miniscapes/train.parquet"])
    pretend(stubbed, ["datasets/miniscapes/categories.json", "selection/miniscapes/selection.json"])
    options = ["--retries", str(retries), "--rerun-triggers", "mtime", "--allowed-rules", "train"]
    return stubbed.workflow.snakemake(*options, "results/quick/runs/fused/seed0/model.safetensors")


def options_of(call: list[str]) -> dict[str, str]:
    """Options of sbatch and their values, whichever way they were written."""
    text = shlex.join(call[: next(i for i, word in enumerate(call) if word.startswith("--wrap"))])
    return dict(re.findall(r"(?:^| )(-\w|--[\w-]+)(?:[ =](?!-)('[^']*'|\S+))?", text))


def test_a_training_on_several_gpus_is_one_task_on_one_node(stubbed: Stubbed) -> None:
    stubbed.workflow.config |= {
        "compute": "{gpu: true}",
        "training": "{batch_size: 4, devices: 2, workers: 3}",
    }
    stubbed.offer(WITH_GPUS)
    done = train(stubbed)
    (call,) = stubbed.submitted()
    options = options_of(call)
    assert options["--gpus"] == "2"
    assert options["--nodes"] == "1"
    assert options["--cpus-per-task"] == "8"
    assert options["-p"] == "a100"
    assert options["--signal"] == "TERM@120"
    assert (options["--mem"], options["-t"]) == (str(2 * (16_000 + 3 * 2000)), "1440")
    assert options["--export"] == "ALL"
    assert "--requeue" in options
    assert not {"--ntasks", "-n", "--ntasks-per-gpu", "--gres"} & set(options)
    assert done.returncode == 1
    assert "QOSMaxSubmitJobPerUserLimit" in done.stdout + done.stderr


def measure_cost(stubbed: Stubbed) -> subprocess.CompletedProcess:
    """Has the costs measured, by a script that notes its threads in the place of each."""
    pretend(stubbed, ["datasets/miniscapes/categories.json", "selection/miniscapes/selection.json"])
    script = stubbed.workflow.folder / "workflow_scripts" / "measure_cost.py"
    note = "for path in snakemake.output:\n    open(path, 'w').write(str(snakemake.threads))\n"
    script.write_text(note)
    options = ["--retries", "0", "--rerun-triggers", "mtime", "--allowed-rules", "measure_cost"]
    return stubbed.workflow.snakemake(*options, "results/quick/runs/fused/cost.json")


def test_costs_are_measured_in_one_job_on_a_gpu_of_its_own(stubbed: Stubbed) -> None:
    stubbed.workflow.config |= {"compute": "{gpu: true}", "training": "{workers: 3}"}
    stubbed.offer(WITH_GPUS)
    measure_cost(stubbed)
    (call,) = stubbed.submitted()
    options = options_of(call)
    assert (options["--gpus"], options["--cpus-per-task"], options["-p"]) == ("1", "4", "a100")
    assert not any("exclusive" in word for word in call)


def test_on_this_machine_nothing_runs_beside_the_measurement_of_costs(stubbed: Stubbed) -> None:
    """It takes every core; all runs are measured by the one job."""
    stubbed.workflow.profile = ("--cores", "3")
    done = measure_cost(stubbed)
    assert done.returncode == 0, done.stderr
    found = {path.parent.name: path.read_text() for path in stubbed.workflow.results.glob("runs/*/cost.json")}
    assert found == dict.fromkeys(("master", "auxiliary-frozen", "fused", "fused-reverse"), "3")


def test_attempts_grow_as_far_as_the_partition_allows(stubbed: Stubbed) -> None:
    stubbed.offer("main*|up|2-00:00:00|(null)\n")
    train(stubbed, retries=2)
    asked = [options_of(call) for call in stubbed.submitted()]
    assert [options["-t"] for options in asked] == ["1440", "2880", "2880"]
    assert [options["--mem"] for options in asked] == ["4000", "8000", "12000"]


def test_a_training_without_gpus_asks_for_none(stubbed: Stubbed) -> None:
    stubbed.offer(WITH_GPUS)
    train(stubbed)
    (call,) = stubbed.submitted()
    options = options_of(call)
    assert options["-p"] == "main"
    assert (options["--ntasks"], options["--cpus-per-task"]) == ("1", "1")
    assert not {"--gpus", "--gres"} & set(options)


def test_jobs_of_a_submission_follow_one_another(stubbed: Stubbed) -> None:
    stubbed.offer(NO_GPUS)
    stubbed.workflow.snakemake("--retries", "0", "datasets")
    (call,) = stubbed.submitted()
    options = options_of(call)
    assert options["-t"] == str(30 + 60 + 60 + 5), "times add up"
    assert (options["--mem"], options["--cpus-per-task"]) == ("2000", "2"), "the largest counts"


def test_the_users_partitions_are_taken(stubbed: Stubbed) -> None:
    profile = stubbed.workflow.folder / "slurm" / "config.yaml"
    text = profile.read_text().replace("# slurm_partition: cpu", "slurm_partition: main")
    profile.write_text(text.replace("# gpu_partition: gpu", "gpu_partition: big"))
    stubbed.workflow.config["compute"] = "{gpu: true}"
    stubbed.offer(WITH_GPUS + "big|up|infinite|gpu:8\n")
    train(stubbed)
    (call,) = stubbed.submitted()
    assert options_of(call)["-p"] == "big"


def test_a_site_without_gpus_refuses_an_experiment_for_them_and_plans_it(stubbed: Stubbed) -> None:
    stubbed.workflow.config["compute"] = "{gpu: true}"
    stubbed.offer(NO_GPUS)
    assert stubbed.workflow.snakemake("-n", "all").returncode == 0
    done = train(stubbed)
    assert done.returncode == 1
    assert (
        "ComputeError: rule train needs 1 GPU(s) on one node; this cluster has main (no GPUs" in done.stderr
    )
    assert "experiment=miniature" in done.stderr
    assert stubbed.submitted() == []


def test_an_unknown_partition_is_refused_before_anything_is_submitted(stubbed: Stubbed) -> None:
    stubbed.offer(NO_GPUS)
    profile = stubbed.workflow.folder / "slurm" / "config.yaml"
    profile.write_text(profile.read_text().replace("# slurm_partition: cpu", "slurm_partition: lang"))
    done = stubbed.workflow.snakemake("--retries", "0", "datasets")
    assert done.returncode == 1
    assert "there is no partition 'lang' here; this cluster has main" in done.stderr
    assert stubbed.submitted() == []


def test_an_experiment_for_gpus_is_refused_on_a_machine_without(stubbed: Stubbed) -> None:
    stubbed.workflow.config["compute"] = "{gpu: true}"
    stubbed.workflow.profile = ("--cores", "1")
    stubbed.workflow.variables["CUDA_VISIBLE_DEVICES"] = ""
    done = train(stubbed)
    assert done.returncode == 1
    assert "ComputeError: the experiment needs 1 GPU(s); torch finds 0 here" in done.stderr
