"""What blocks send, told without running them: shapes and element types on the meta device.

A block is run once on tensors that have a shape but no storage. The batch has a size there that no
ordinary layer has, so that it can be told from the sizes of an example.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import is_lazy

from rillnet.errors import Fault, ShapeError, first_line
from rillnet.spec import InputSpec

PROBE_BATCH = 61
"""Examples of the batch that shapes are inferred with: a prime that is hardly ever a layer's size."""

_REAL_BATCH = 3


@dataclass(frozen=True, slots=True)
class Signature:
    """What one output of a block is for one example.

    Args:
        shape: sizes without the batch.
        dtype: element type.
        batched: False for what has no batch, such as a loss.
        batch_dim: where the batch stands in the tensor; not first in the hidden state of a recurrent layer.

    Example:
        >>> print(Signature((1, 28, 28), torch.float32))
        [1, 28, 28]
    """

    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    batched: bool = True
    batch_dim: int = 0

    def __str__(self) -> str:
        text = "[" + ", ".join(map(str, self.shape)) + "]"
        if not self.batched:
            text += " for the whole batch"
        elif self.batch_dim:
            text += f" with the batch as dimension {self.batch_dim}"
        return text if self.dtype == torch.float32 else f"{text} {str(self.dtype).removeprefix('torch.')}"

    @classmethod
    def of_input(cls, spec: InputSpec) -> Signature:
        """The signature of a net's input."""
        return cls(tuple(spec.shape), getattr(torch, spec.dtype))

    def zeros(self, batch: int, device: torch.device | str | None = None) -> Tensor:
        """A tensor of zeros of this kind, for a batch of that many examples."""
        return torch.zeros(self.of_batch(batch), dtype=self.dtype, device=device)

    def of_batch(self, batch: int) -> tuple[int, ...]:
        """The sizes of the whole tensor for a batch of that many examples."""
        before, after = self.shape[: self.batch_dim], self.shape[self.batch_dim :]
        return (*before, batch, *after) if self.batched else self.shape


Output = Signature | tuple[Any, ...]
"""What a block returns: one signature, or a (nested) tuple of them."""


def written(output: Output) -> str:
    """An output in words, several ones in parentheses.

    Example:
        >>> written((Signature((3,)), (Signature((4,)),)))
        '([3], ([4]))'
    """
    return "(" + ", ".join(map(written, output)) + ")" if isinstance(output, tuple) else str(output)


def pick(output: Any, index: int | None) -> Any:
    """One output of what a block returned; None is the only or the first one."""
    if index is not None:
        return output[index] if isinstance(output, tuple | list) else (output,)[index]
    while isinstance(output, tuple | list):
        output = output[0]
    return output


def infer(module: nn.Module, sources: Sequence[Output]) -> Output:
    """What a module sends when it reads these.

    Args:
        module: a block, on any device; its parameters and buffers are not changed.
        sources: what it reads.

    Raises:
        Exception: whatever the module raises on inputs of these shapes.
    """
    streams = getattr(module, "streams", None)  # a block with parameters of each stream takes a batch of that many
    probe = streams if isinstance(streams, int) else PROBE_BATCH
    tensors = [*module.parameters(), *module.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):  # a lazy layer takes its sizes from a first call
        module(*(_tensors(source, _REAL_BATCH, _device_of(module)) for source in sources))
        tensors = [*module.parameters(), *module.buffers()]
    on_meta = all(tensor.is_meta for tensor in tensors)
    if on_meta and type(module).__module__.startswith(("torch.nn", "rillnet.")):
        inputs = [_tensors(source, probe, "meta") for source in sources]
        try:
            with torch.no_grad(), torch.device("meta"):
                return _signatures(_sent(module, inputs, {}), probe)
        except Exception as error:  # whatever torch raises: only what needs values is tried with some
            if not _needs_values(error):
                raise
        return _tried(copy.deepcopy(module).to_empty(device="cpu"), sources)
    try:
        with _unlogged(), FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
            inputs = [_tensors(source, probe, _device_of(module)) for source in sources]
            return _signatures(_sent(module, inputs, _without_values(module, mode)), probe)
    except Exception as error:  # whatever the user's forward raised: only what needs values is tried with values
        if not _needs_values(error) or (on_meta and tensors):
            raise
    return _tried(module, sources)


def _tried(module: nn.Module, sources: Sequence[Output]) -> Output:
    """What a module sends, found by running it on numbers."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        inputs = [_tensors(source, _REAL_BATCH, _device_of(module)) for source in sources]
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        return _signatures(_sent(module, inputs, buffers), _REAL_BATCH)


def _sent(module: nn.Module, inputs: Sequence[Any], tensors: dict[str, Tensor]) -> Any:
    """What a module returns with these parameters and buffers; of a net, what it sends on as a block of another."""
    returned = torch.func.functional_call(module, tensors, tuple(inputs)) if tensors else module(*inputs)
    send: Any = getattr(module, "sent", None)
    return send(returned) if callable(send) else returned


def _without_values(module: nn.Module, mode: FakeTensorMode) -> dict[str, Tensor]:
    """The parameters and buffers of a module as tensors that have a shape and no values."""
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    device = _device_of(module)
    return {
        name: torch.empty_like(tensor, device=device) if tensor.is_meta else mode.from_tensor(tensor)
        for name, tensor in named.items()
    }


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps torch from logging the traceback of an error that is told with the block's address."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _needs_values(error: Exception) -> bool:
    """Whether a block failed because its control flow reads values, which shapes do not have."""
    names = {type(link).__name__ for link in (error, error.__cause__, error.__context__) if link is not None}
    return (
        bool(
            names
            & {
                "DataDependentOutputException",
                "DynamicOutputShapeException",
                "UnsupportedOperatorException",
                "UnsupportedFakeTensorException",
                "GuardOnDataDependentSymNode",
            }
        )
        or "item()" in str(error)
        or "numpy" in str(error).lower()
    )


def _device_of(module: nn.Module) -> torch.device:
    found = next(iter(module.parameters()), None)
    return torch.device("cpu") if found is None or found.is_meta else found.device


def _tensors(output: Output, batch: int, device: torch.device | str) -> Any:
    if isinstance(output, tuple):
        return tuple(_tensors(item, batch, device) for item in output)
    return output.zeros(batch, device)


def _signatures(value: Any, batch: int) -> Output:
    if isinstance(value, tuple | list):
        return tuple(_signatures(item, batch) for item in value)
    if not isinstance(value, Tensor):
        raise TypeError(f"a block must return tensors, not {type(value).__name__}")
    sizes = tuple(value.shape)
    searched = sizes if batch == PROBE_BATCH else sizes[:1]  # no other size is likely to be the probe's
    if batch not in searched:
        return Signature(sizes, value.dtype, batched=False)
    at = searched.index(batch)
    return Signature(sizes[:at] + sizes[at + 1 :], value.dtype, batch_dim=at)


def shape_error(address: str, kind: str, sources: Sequence[tuple[str, Output]], error: Exception) -> ShapeError:
    """The error for a block that cannot work on what it reads."""
    read = ", ".join(f"{name} {written(output)}" for name, output in sources) or "nothing"
    rule = f"{kind} cannot work on {read}: {_in_words(first_line(error))}"
    return ShapeError(Fault(address, rule, hint=_hint(kind, sources)))


_FLAT_READERS = ("Linear", "LazyLinear", "Bilinear")
_SCORE_READERS = ("CrossEntropy", "Accuracy")


def _hint(kind: str, sources: Sequence[tuple[str, Output]]) -> str:
    """What is probably missing."""
    sizes = [len(output.shape) for _, output in sources if isinstance(output, Signature)]
    if kind in _FLAT_READERS and any(size > 1 for size in sizes):
        return "a Flatten before it makes one row of what it reads"
    if kind in _SCORE_READERS and len(sizes) > 1 and sizes[0] > 1 and sizes[1] == 0:
        return f"a Flatten before the block that makes {sources[0][0]} gives one row of scores"
    return ""


_TOO_FEW = re.compile(r"\S*forward\(\) missing \d+ required positional arguments?: (?P<names>.*)")
_TOO_MANY = re.compile(r"\S*forward\(\) takes (?P<taken>\d+) positional arguments? but (?P<given>\d+) were given")


def _in_words(reason: str) -> str:
    """What torch says of tensors of the probe's batch, with N for its size, and for what a flattening made of it."""
    few, many = _TOO_FEW.match(reason), _TOO_MANY.match(reason)
    if few:
        return f"it needs {few['names'].replace(chr(39), '')} as well; name all in `from`"
    if many:
        taken, given = int(many["taken"]) - 1, int(many["given"]) - 1
        return f"it takes {taken} source{'' if taken == 1 else 's'}, and `from` names {given}"

    def named(found: re.Match[str]) -> str:
        size = int(found[0])
        if size == PROBE_BATCH:
            return "N"
        return f"N*{size // PROBE_BATCH}" if size % PROBE_BATCH == 0 and size else found[0]

    return re.sub(r"(?<![A-Za-z_.\d])\d+(?![A-Za-wyz_.\d])", named, reason)
