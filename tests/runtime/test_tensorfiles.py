"""Tensors that come back bit by bit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rillnet.errors import CheckpointError, RequestError
from rillnet.runtime.manifest import TensorEntry
from rillnet.runtime.tensorfiles import DTYPES, copy_group, group_file, read_group, write_group


def there_and_back(folder: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    copies, entries = copy_group("parameters", tensors)
    write_group(group_file(folder, "parameters"), copies)
    return read_group(group_file(folder, "parameters"), entries)


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def assert_identical(one: Tensor, other: Tensor) -> None:
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert bits(one) == bits(other)


@st.composite
def any_tensor(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from(sorted(DTYPES, key=str)))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    seed = draw(st.integers(0, 2**32 - 1))
    tensor = torch.empty(shape, dtype=dtype)
    if tensor.numel():
        highest = 2 if dtype is torch.bool else 256
        raw = np.random.default_rng(seed).integers(0, highest, tensor.nbytes, dtype=np.uint8)  # NaNs of all kinds too
        tensor = torch.from_numpy(raw).view(dtype).reshape(shape)
    return tensor.permute(draw(st.permutations(range(len(shape)))))


@given(st.lists(any_tensor(), max_size=4))
@settings(max_examples=60)
def test_any_tensor_comes_back_bit_by_bit(tmp_path_factory: pytest.TempPathFactory, tensors: list[Tensor]) -> None:
    named = {f"net/block{index}/weight": tensor for index, tensor in enumerate(tensors)}
    found = there_and_back(tmp_path_factory.mktemp("group"), named)
    assert list(found) == list(named)
    for name, tensor in named.items():
        assert_identical(found[name], tensor)
        assert found[name].stride() == tensor.clone().stride()


@pytest.mark.parametrize("shape", [(8, 3, 5, 5), (8, 1, 5, 5), (8, 3, 1, 1)])
def test_channels_last_comes_back_as_it_was(tmp_path: Path, shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape).to(memory_format=torch.channels_last)
    found = there_and_back(tmp_path, {"weight": weight})["weight"]
    assert_identical(found, weight)
    assert found.stride() == weight.stride()


def test_slices_and_expanded_tensors_are_stored_without_their_gaps(tmp_path: Path) -> None:
    whole = torch.arange(1000.0)
    tensors = {"slice": whole[100:110:3], "expanded": whole[:1].expand(3, 4), "negative": whole[1:3].conj()}
    found = there_and_back(tmp_path, tensors)
    for name, tensor in tensors.items():
        assert_identical(found[name], tensor)
    assert group_file(tmp_path, "parameters").stat().st_size < 600


def test_tied_tensors_are_stored_once_and_tied_again(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.randn(100, 100))
    tensors = {"encoder": weight, "decoder": weight, "view": weight.data, "transposed": weight.T, "part": weight[:50]}
    copies, entries = copy_group("parameters", tensors)
    assert list(copies) == ["encoder", "transposed", "part"]
    assert entries["decoder"].same_as == entries["view"].same_as == "encoder"
    found = there_and_back(tmp_path, tensors)
    assert found["decoder"] is found["encoder"]
    for name, tensor in tensors.items():
        assert_identical(found[name], tensor)


def test_empty_tensors_are_not_tied(tmp_path: Path) -> None:
    tensors = {"a": torch.empty(0, 3), "b": torch.empty(0, 3)}
    found = there_and_back(tmp_path, tensors)
    assert found["a"].shape == (0, 3)
    assert found["a"] is not found["b"]


def test_an_empty_group(tmp_path: Path) -> None:
    assert there_and_back(tmp_path, {}) == {}


def test_copies_are_taken_at_once(tmp_path: Path) -> None:
    weight = torch.zeros(3)
    copies, _ = copy_group("parameters", {"weight": weight})
    weight.fill_(1)
    assert copies["weight"].tolist() == [0, 0, 0]


def test_memory_is_aligned_as_torch_aligns_it(tmp_path: Path) -> None:
    found = there_and_back(tmp_path, {f"w{n}": torch.randn(n) for n in range(1, 9)})
    assert {tensor.data_ptr() % 64 for tensor in found.values()} == {0}
    found["w3"].add_(1)  # our own memory, not the file's


def test_the_file_is_as_readable_as_its_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    there_and_back(tmp_path, {"weight": torch.zeros(1)})
    assert group_file(tmp_path, "parameters").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("group", "tensor", "message"),
    [
        (
            "parameters",
            torch.zeros(2, dtype=torch.complex128),
            "parameters/net/a: a checkpoint cannot hold such a tensor (got 'torch.complex128, torch.strided, cpu')",
        ),
        (
            "parameters",
            torch.zeros(2).to_sparse(),
            "parameters/net/a: a checkpoint cannot hold such a tensor (got 'torch.float32, torch.sparse_coo, cpu')",
        ),
        (
            "parameters",
            torch.zeros(2, device="meta"),
            "parameters/net/a: a checkpoint cannot hold such a tensor (got 'torch.float32, torch.strided, meta')",
        ),
        (
            "../up",
            torch.zeros(2),
            "tensors: a group's name must be lower-case letters, digits and _ (got '../up')",
        ),
    ],
)
def test_what_cannot_be_stored(group: str, tensor: Tensor, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        copy_group(group, {"net/a": tensor})
    assert str(caught.value) == message


def test_a_file_that_is_not_what_the_manifest_says(tmp_path: Path) -> None:
    path = group_file(tmp_path, "parameters")
    entry = TensorEntry(dtype="float32", shape=(1,))
    with pytest.raises(CheckpointError, match=r"parameters\.safetensors: cannot be read: No such file"):
        read_group(path, {"a": entry})
    write_group(path, {"a": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"parameters\.safetensors: cannot be read: .*tensor b"):
        read_group(path, {"b": entry})
    path.write_bytes(b"\x09")
    with pytest.raises(CheckpointError, match=r"parameters\.safetensors: cannot be read: "):
        read_group(path, {"a": entry})


def test_a_full_disk_is_an_error_of_the_system(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_group(group_file(small_disk, "parameters"), {"a": torch.zeros(10**6)})
    assert caught.value.errno == 28
