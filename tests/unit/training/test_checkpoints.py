"""Order and verification of checkpoint files, and what is left when writing one fails."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch

from vfm_fusion.errors import TrainingError
from vfm_fusion.training.checkpoints import (
    load_checkpoint,
    newest_valid,
    save_checkpoint,
    stored_checkpoints,
)


def store(folder: Path, step: int, token: str = "t") -> Path:
    temporary = folder / "temporary"
    torch.save({"token": token, "weights": torch.arange(50)}, temporary)
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:16]
    return temporary.rename(folder / f"step-{step:08d}-{digest}.ckpt")


def test_step_10_is_newer_than_9_and_a_longer_number_than_a_shorter(tmp_path: Path) -> None:
    for step in (9, 10, 123456789, 99):
        store(tmp_path, step)
    assert [c.step for c in stored_checkpoints(tmp_path)] == [123456789, 99, 10, 9]
    assert newest_valid(tmp_path, "t").step == 123456789


def test_an_empty_folder_has_nothing_to_resume(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.tmp").write_bytes(b"half")
    (tmp_path / "last.ckpt").write_bytes(b"foreign")
    assert newest_valid(tmp_path, "t") is None


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "zeroed"])
def test_damage_is_noticed(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store(tmp_path, 9)
    path = store(tmp_path, 10)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[-100] ^= 4
    else:
        data = bytearray(len(data) if damage == "zeroed" else 0)
    path.write_bytes(data)
    assert newest_valid(tmp_path, "t").step == 9
    assert "damaged" in caplog.text


def test_all_damaged_starts_anew(tmp_path: Path) -> None:
    for step in (9, 10):
        store(tmp_path, step).write_bytes(b"")
    assert newest_valid(tmp_path, "t") is None


def test_a_checkpoint_with_code_is_not_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    payload = pickle.dumps({"token": Evil()}, protocol=2)
    digest = hashlib.sha256(payload).hexdigest()[:16]
    (tmp_path / f"step-00000010-{digest}.ckpt").write_bytes(payload)
    assert newest_valid(tmp_path, "t") is None
    assert not (tmp_path / "executed").exists()


def test_other_settings_are_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store(tmp_path, 9, token="old")
    store(tmp_path, 10, token="old")
    assert newest_valid(tmp_path, "new") is None
    assert "other settings" in caplog.text
    assert not stored_checkpoints(tmp_path)


def test_what_is_saved_is_loaded_and_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (8, 9, 10):
        save_checkpoint(tmp_path, "t", step, {"weights": torch.arange(step), "rows": [[0.1, step]]})
    assert sorted(path.name[:13] for path in tmp_path.iterdir()) == ["step-00000009", "step-00000010"]
    state = load_checkpoint(newest_valid(tmp_path, "t"))
    assert torch.equal(state["weights"], torch.arange(10))
    assert state["rows"] == [[0.1, 10]]


def test_a_full_disk_is_named_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, "t", 9, {"weights": torch.arange(9)})
    (tmp_path / ".checkpoint.tmp").symlink_to("/dev/full")
    with pytest.raises(
        TrainingError, match=r"checkpoint of step 10 \(No space left on device\); it takes about 12 MB"
    ):
        save_checkpoint(tmp_path, "t", 10, {"weights": torch.zeros(3_000_000), "rows": [[1.0]]})
    assert newest_valid(tmp_path, "t").step == 9
    assert len(list(tmp_path.iterdir())) == 1


def test_killed_while_writing_the_one_before_is_found(tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        import torch
        from vfm_fusion.training.checkpoints import save_checkpoint
        save_checkpoint(Path(sys.argv[1]), "t", 9, {"weights": torch.arange(9)})
        save_checkpoint(Path(sys.argv[1]), "t", 10, {"weights": torch.ones(100_000_000)})
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    temporary = tmp_path / ".checkpoint.tmp"
    while not (newest_valid(tmp_path, "t") and temporary.exists() and temporary.stat().st_size):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert temporary.stat().st_size
    assert newest_valid(tmp_path, "t").step == 9
    save_checkpoint(tmp_path, "t", 10, {"weights": torch.arange(10)})
    assert newest_valid(tmp_path, "t").step == 10
    assert not temporary.exists()
