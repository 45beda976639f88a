"""What a checkpoint's manifest holds, and how it notices damage."""

import json
import math
from pathlib import Path

import pytest

from rillnet.errors import CheckpointError, RequestError
from rillnet.runtime.manifest import FORMAT, FileEntry, Manifest, TensorEntry, read, verify_files

VALUES = {
    "clock": {"step": 3, "epoch": 1.5, "frame": 2**60},
    "best": -math.inf,
    "rates": [0.1, 1e-300, -0.0, math.nan],
    "random": "00ff",
    "early": None,
    "text": "NaN",
    "odd": "\ud800 \u2028 größer",
}


def manifest() -> Manifest:
    made = Manifest.begin(3, VALUES)
    made.files["parameters.safetensors"] = FileEntry(size=5, sha256="00")
    made.tensors["parameters"] = {
        "a": TensorEntry(dtype="float32", shape=(2, 3), stride=(1, 2)),
        "b": TensorEntry(dtype="float32", shape=(2, 3), same_as="a"),
    }
    return made


def test_everything_comes_back(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest().to_bytes())
    again = read(tmp_path)
    assert again.files == manifest().files
    assert again.tensors == manifest().tensors
    assert repr(again.decoded_values()) == repr(VALUES)
    assert again.format == FORMAT
    assert again.step == 3


def test_it_is_valid_json_with_versions_for_other_programs(tmp_path: Path) -> None:
    content = json.loads(manifest().to_bytes(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert {"format", "rillnet", "torch", "step", "created", "values", "files", "tensors", "checksum"} == content.keys()
    assert content["values"]["best"] == {"__float__": "-inf"}
    assert content["tensors"]["parameters"]["b"] == {"dtype": "float32", "shape": [2, 3], "same_as": "a"}


def test_tuples_come_back_as_lists() -> None:
    assert Manifest.begin(0, {"betas": (0.9, 0.999)}).decoded_values() == {"betas": [0.9, 0.999]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": {"b": [1, {2}]}}, "values.a.b[1]: must be a number, text, truth value, null, list or mapping (got {2})"),
        ({"a": {3: 4}}, "values.a: must have text for keys, other than '__float__' (got 3)"),
        ({"__float__": "1"}, "values: must have text for keys, other than '__float__' (got '__float__')"),
        ({"a": b"x"}, "values.a: must be a number, text, truth value, null, list or mapping (got b'x')"),
    ],
)
def test_values_that_json_does_not_have(values: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        Manifest.begin(0, values)
    assert str(caught.value) == message


def test_every_flipped_bit_is_noticed_or_means_the_same(tmp_path: Path) -> None:
    text = manifest().to_bytes().rstrip()
    (tmp_path / "manifest.json").write_bytes(text)
    whole = repr(read(tmp_path))
    noticed = 0
    for index in range(len(text)):
        damaged = bytearray(text)
        damaged[index] ^= 1 << index % 7
        (tmp_path / "manifest.json").write_bytes(damaged)
        try:
            assert repr(read(tmp_path)) == whole  # such as 1E-300 for 1e-300
        except CheckpointError:
            noticed += 1
    assert noticed > 0.98 * len(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "is not JSON; the checkpoint is damaged, load another one"),
        (b'{"format": 1, ', "is not JSON; the checkpoint is damaged, load another one"),
        (b"\xff\xfe", "is not JSON; the checkpoint is damaged, load another one"),
        (b"[]", "does not match its own checksum; the checkpoint is damaged, load another one"),
        (b'{"format": 1}', "does not match its own checksum; the checkpoint is damaged, load another one"),
        (
            b'{"format": 2, "rillnet": "9.0"}',
            "format version must be at most 1 (got 2); it was written by a newer rillnet (9.0): install that one",
        ),
        (None, "is missing; the checkpoint is damaged, load another one"),
    ],
)
def test_damaged_manifests(tmp_path: Path, text: bytes | None, fault: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}/manifest.json: {fault}"


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}/manifest.json: cannot be read: is a directory"


def test_sizes_alone_are_verified_without_reading(tmp_path: Path) -> None:
    (tmp_path / "parameters.safetensors").write_bytes(b"wrong")
    verify_files(tmp_path, manifest(), content=False)
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        verify_files(tmp_path, manifest())
