"""Checkpoints are complete or absent, come back bit by bit, and say what is wrong with them."""

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rillnet.errors import CheckpointError, RequestError, RunError
from rillnet.runtime import checkpoint, unwritten
from rillnet.runtime.locking import Lock

NONE = "; no checkpoint was saved before"
INTACT = "; earlier checkpoints are intact, and the run goes on from the newest"


def tensors(step: int) -> dict[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(step)
    weight = torch.randn(8, 3, 5, 5, generator=generator)
    return {
        "parameters": {"net/conv1/weight": weight, "net/conv1/bias": torch.full((8,), float(step))},
        "optimizer": {"net/conv1/weight/momentum_buffer": 2 * weight, "net/conv1/weight/step": torch.tensor(step)},
        "average": {},
    }


def save(directory: Path, step: int) -> Path:
    return checkpoint.save(directory, step, tensors(step), {"clock": {"step": step}})


def assert_is(found: checkpoint.Checkpoint | None, step: int) -> None:
    assert found is not None
    assert found.step == found.values["clock"]["step"] == step
    for group, members in tensors(step).items():
        read = found.tensors(group)
        assert list(read) == list(members)
        assert all(torch.equal(read[name], tensor) for name, tensor in members.items())


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_there_and_back(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoints", 1234)
    assert path == tmp_path / "checkpoints" / "step-0000001234"
    assert names(path) == ["average.safetensors", "manifest.json", "optimizer.safetensors", "parameters.safetensors"]
    found = checkpoint.load(path)
    assert_is(found, 1234)
    assert found.path == path
    assert found.groups == ["parameters", "optimizer", "average"]
    assert found.size == sum(file.stat().st_size for file in path.glob("*.safetensors"))


def test_saving_changes_nothing(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.randn(4, 4))
    (weight * 2).sum().backward()
    state = torch.get_rng_state()
    before, version = weight.detach().clone(), weight._version
    checkpoint.save(tmp_path, 1, {"parameters": {"w": weight}}, {})
    assert torch.equal(weight, before)
    assert weight._version == version
    assert weight.grad is not None
    assert torch.equal(torch.get_rng_state(), state)


def test_a_group_that_is_not_there(tmp_path: Path) -> None:
    found = checkpoint.load(save(tmp_path, 1))
    with pytest.raises(CheckpointError) as caught:
        found.tensors("optimiser")
    message = f"{tmp_path}/step-0000000001: has no group of tensors 'optimiser'; did you mean 'optimizer'?"
    assert str(caught.value) == message


def test_a_value_that_cannot_be_stored_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^values\.feed: must be a number"):
        checkpoint.save(tmp_path / "checkpoints", 1, {}, {"feed": object()})
    assert names(tmp_path) == []


# Damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def make_newer(path: Path) -> None:
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"format": 2, "rillnet": "9.0"}))


def change_a_value(path: Path) -> None:
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps(content | {"step": 7}))


DAMAGED = "the checkpoint is damaged, load another one"
DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("parameters.safetensors", cut, f"must have 2592 bytes (got 100); {DAMAGED}"),
    ("parameters.safetensors", flip, f"does not match its checksum; {DAMAGED}"),
    ("parameters.safetensors", Path.unlink, f"is missing; {DAMAGED}"),
    ("average.safetensors", Path.unlink, f"is missing; {DAMAGED}"),
    ("manifest.json", Path.unlink, f"is missing; {DAMAGED}"),
    ("manifest.json", cut, f"is not JSON; {DAMAGED}"),
    ("manifest.json", change_a_value, f"does not match its own checksum; {DAMAGED}"),
    (
        "manifest.json",
        make_newer,
        "format version must be at most 1 (got 2); it was written by a newer rillnet (9.0): install that one",
    ),
]


@pytest.mark.parametrize(("file", "damage", "fault"), DAMAGE)
def test_damage_is_named_and_the_one_before_is_used(
    tmp_path: Path, file: str, damage: Callable[[Path], None], fault: str
) -> None:
    save(tmp_path, 1)
    path = save(tmp_path, 2) / file
    damage(path)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path.parent)
    assert str(caught.value) == f"{path}: {fault}"
    found, faults = checkpoint.newest(tmp_path)
    assert_is(found, 1)
    assert faults == [f"{path}: {fault}"]


def test_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) == (None, [])
    assert checkpoint.newest(tmp_path / "absent") == (None, [])
    assert checkpoint.saved(tmp_path / "absent") == []
    assert checkpoint.best(tmp_path) is None
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(tmp_path / "step-0000000001")
    assert str(caught.value) == f"{tmp_path}/step-0000000001: there is no such checkpoint"


def test_none_is_intact(tmp_path: Path) -> None:
    for step in (1, 2):
        flip(save(tmp_path, step) / "parameters.safetensors")
    found, faults = checkpoint.newest(tmp_path)
    assert found is None
    assert [fault.split("/")[-2] for fault in faults] == ["step-0000000002", "step-0000000001"]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (9, 10**11, 10):
        save(tmp_path, step)
    assert [checkpoint.load(path).step for path in checkpoint.saved(tmp_path)] == [9, 10, 10**11]


# Which ones are kept


def test_prune_keeps_the_newest_the_best_and_the_protected(tmp_path: Path) -> None:
    paths = [checkpoint.save(tmp_path, step, {}, {}, best=step == 1) for step in range(6)]
    checkpoint.prune(tmp_path, 2, protect=[paths[0]])
    assert checkpoint.saved(tmp_path) == [paths[0], paths[1], paths[4], paths[5]]
    assert names(tmp_path)[:3] == [".lock", "best.json", "step-0000000000"]


def test_prune_does_not_count_damaged_ones(tmp_path: Path) -> None:
    paths = [save(tmp_path, step) for step in range(4)]
    cut(paths[3] / "parameters.safetensors")
    checkpoint.prune(tmp_path, 2)
    assert checkpoint.saved(tmp_path) == paths[1:]
    save(tmp_path, 4)
    save(tmp_path, 5)
    checkpoint.prune(tmp_path, 2)
    assert [path.name[-1] for path in checkpoint.saved(tmp_path)] == ["4", "5"]


def test_best_points_at_one(tmp_path: Path) -> None:
    first = checkpoint.save(tmp_path, 1, {}, {}, best=True)
    checkpoint.save(tmp_path, 2, {}, {})
    assert checkpoint.best(tmp_path) == first
    second = checkpoint.save(tmp_path, 3, {}, {}, best=True)
    assert checkpoint.best(tmp_path) == second
    shutil.rmtree(second)
    assert checkpoint.best(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checkpoint": "../../etc"}', '{"checkpoint": "/step-0000000001"}'])
def test_a_damaged_pointer_points_at_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "best.json").write_text(text)
    assert checkpoint.best(tmp_path) is None


def test_a_step_saved_again_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, 1)
    checkpoint.save(tmp_path, 1, {}, {"again": True})
    found, faults = checkpoint.newest(tmp_path)
    assert found is not None
    assert (found.values, faults) == ({"again": True}, [])
    assert names(tmp_path) == [".lock", "step-0000000001"]


def test_another_net_takes_what_fits(tmp_path: Path) -> None:
    found = checkpoint.load(save(tmp_path, 3))
    bias = torch.zeros(8)
    match = checkpoint.match_by_name(found, {"net/conv1/bias": bias, "net/new/bias": torch.zeros(1)})
    assert match.loaded == ["net/conv1/bias"]
    assert match.missing == ["net/new/bias"]
    assert match.unexpected == ["net/conv1/weight"]
    assert bias.tolist() == [3.0] * 8


# What can go wrong while saving


def test_a_full_disk_keeps_the_earlier_ones_and_leaves_nothing(small_disk: Path) -> None:
    directory = small_disk / "checkpoints"
    save(directory, 1)
    big = {"parameters": {"net/a/weight": torch.zeros(10**6)}}
    with pytest.raises(RunError) as caught:
        checkpoint.save(directory, 2, big, {})
    message = f"{directory}/step-0000000002: cannot be saved: no space is left on the device; free some space{INTACT}"
    assert str(caught.value) == message
    assert names(directory) == [".lock", "step-0000000001"]
    assert_is(checkpoint.newest(directory)[0], 1)


def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)
    deeds: list[str] = []
    flush, rename = os.fsync, os.rename

    def flushed(descriptor: int) -> None:
        deeds.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().name.partition('-')[0]}")
        flush(descriptor)

    def renamed(source: Path, target: Path) -> None:
        deeds.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    save(tmp_path, 2)
    files = [f"flush {group}.safetensors" for group in ("parameters", "optimizer", "average")]
    assert deeds == [*files, "flush .partial", "flush .partial", "rename", f"flush {tmp_path.name.partition('-')[0]}"]


@pytest.mark.parametrize("failing", range(1, 9))
def test_an_error_at_any_flush_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    save(tmp_path, 1)
    count, flush = 0, os.fsync

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    if failing > 6:  # three files, the manifest, their folder, and the directory
        save(tmp_path, 2)
        assert count == 6
    else:
        with pytest.raises(RunError, match="no space is left on the device"):
            save(tmp_path, 2)
    expected = [".lock", "step-0000000001", "step-0000000002"]
    assert names(tmp_path) == expected[: 2 if failing < 6 else 3]
    assert_is(checkpoint.newest(tmp_path)[0], 1 if failing < 6 else 2)


def test_ctrl_c_while_saving_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)

    def interrupted(folder: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(unwritten, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2)
    assert names(tmp_path) == [".lock", "step-0000000001"]


def test_a_file_stands_where_the_directory_must_be(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError) as caught:
        save(tmp_path / "runs" / "checkpoints", 1)
    assert str(caught.value) == (
        f"{tmp_path}/runs/checkpoints/step-0000000001: cannot be saved: a file stands where a directory must be;"
        f" move the file away or choose another directory{NONE}"
    )


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """The rights of an ordinary user, whom a directory's mode keeps out."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_directory_that_is_not_writable(tmp_path: Path, unprivileged: None) -> None:
    directory = Path("/proc/self/checkpoints") if os.geteuid() == 0 else Path("/checkpoints")
    with pytest.raises(RunError) as caught:
        save(directory, 1)
    assert str(caught.value) == (
        f"{directory}/step-0000000001: cannot be saved: permission is denied;"
        f" make the directory writable or choose another{NONE}"
    )


def test_reading_needs_no_right_to_write(tmp_path_factory: pytest.TempPathFactory) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to read as another user")
    directory = tmp_path_factory.mktemp("open")
    save(directory, 1)
    parents = [path for path in directory.parents if path.stat().st_mode & 0o001 == 0]
    for path in (*parents, directory):
        path.chmod(0o755)
    os.seteuid(65534)
    try:
        assert_is(checkpoint.newest(directory)[0], 1)
    finally:
        os.seteuid(0)
        for path in parents:
            path.chmod(0o700)


def test_nobody_tidies_while_someone_saves(tmp_path: Path) -> None:
    save(tmp_path, 1)
    partial = tmp_path / ".partial-step-0000000002-1-0"
    partial.mkdir()
    with Lock.acquire(tmp_path / ".lock") or pytest.fail("the lock is held"):
        assert_is(checkpoint.newest(tmp_path)[0], 1)
        assert partial.is_dir()
    checkpoint.newest(tmp_path)
    assert not partial.exists()


def test_someone_else_saves_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_WAIT", 0.02)
    with (
        Lock.acquire(tmp_path / ".lock") or pytest.fail("the lock is held"),
        pytest.raises(RunError, match="another process has been saving here for 0 s; stop it"),
    ):
        save(tmp_path, 1)


def test_threads_save_one_after_another(tmp_path: Path) -> None:
    threads = [threading.Thread(target=save, args=(tmp_path, step)) for step in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(checkpoint.saved(tmp_path)) == 8
    assert_is(checkpoint.newest(tmp_path)[0], 7)
