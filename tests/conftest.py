"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from working_copy import ODD_NAME, Workflow, copy_finished, copy_repository

ROOT = Path(__file__).parent.parent

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Sums in another order move k-means to another optimum: comparisons to the last digit need one thread.
os.environ["OMP_NUM_THREADS"] = "1"
# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Hides GPUs unless ``-m gpu`` asks for the tests of one: the same bits are a promise for CPUs."""
    if config.getoption("markexpr") != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses slow tests that do not say why they are."""
    for item in items:
        if any(not mark.args for mark in item.iter_markers("slow")):
            raise pytest.UsageError(f'{item.nodeid}: say what takes its time, @pytest.mark.slow("...")')


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real photos, labels and weights."""
    folder = Path(os.environ.get("VFM_REALDATA", ROOT.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip("no real data: set VFM_REALDATA to the folder of photos, labels and weights")
    return folder.resolve()


@pytest.fixture
def fresh(tmp_path: Path, repository: Path) -> Workflow:
    """A copy of the repository where nothing has run, in a folder of an odd name."""
    folder = tmp_path / ODD_NAME
    copy_repository(repository, folder)
    return Workflow(folder)


@pytest.fixture(scope="session")
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> Workflow:
    """A copy where the small experiment has run to its end; tests undo what they change.

    The run is made once for all workers and, while no file changes, for all sessions.
    """
    cache = getattr(request.config, "cache", None)  # none with -p no:cacheprovider
    kept = cache.mkdir("finished") if cache else tmp_path_factory.getbasetemp().parent / "finished"
    return copy_finished(repository, tmp_path_factory.getbasetemp() / ODD_NAME, kept)
