"""Any PyTorch model as a net: what ran when it was called on an example, as named blocks.

Layers are seen by hooks, the functions between them by a `TorchFunctionMode`, so that control flow is
ordinary Python: the path that ran is the path that is shown.
"""

from __future__ import annotations

import inspect
import re
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rillnet.errors import Fault, RequestError
from rillnet.model.block import Block
from rillnet.model.layers.function import (
    Attribute,
    Computed,
    Constant,
    Function,
    Grouped,
    Port,
    Setting,
    Size,
    name_of,
    part,
)
from rillnet.model.observed import Extent, Place, is_plain, not_an_input, output_of, positional, tensors_in, versions_of
from rillnet.model.shapes import Signature
from rillnet.model.structure import Structure
from rillnet.spec import SourceSpec

N = TypeVar("N", bound=Structure)

_OPENED = (
    nn.Sequential,
    nn.ModuleList,
    nn.ModuleDict,
    nn.Transformer,
    nn.TransformerEncoder,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoder,
    nn.TransformerDecoderLayer,
    nn.DataParallel,
    nn.parallel.DistributedDataParallel,
)
"""Modules of torch's that are shown by what is inside them; its others are layers."""

_SIZES = (torch.Tensor.size, torch.Tensor.shape.__get__)  # type: ignore[attr-defined]


def trace(cls: type[N], module: nn.Module, example: Sequence[Any]) -> N:
    """The net of the blocks that ran when a model was called on an example.

    The model's layers themselves, not copies, become blocks named by their path, `layer1_0_conv1`; one that
    is called again is a further block, `relu_2`, of the same module. Functions between them become
    `Function` blocks, parameters used outside layers `Constant` blocks. Sizes of tensors (`x.shape[0]`) are
    followed, so that the net works on batches of another size; other values that the model's Python code
    reads (`.item()`, a condition) are those of the example. Buffers and random states are as before.

    Args:
        cls: the class of the net.
        module: any model.
        example: its positional arguments; the first dimension of a tensor is the batch.

    Returns:
        A net that computes the same; its `output_sources` are the tensors that the model returned.

    Raises:
        RequestError: the model returned no tensor, or computed one in a way that cannot be seen.
    """
    module = getattr(module, "_orig_mod", module)  # what torch.compile has wrapped
    net = cls(type(module).__name__, seed=0)
    net.seed_given = False
    net.training = module.training
    net._phase = "train" if module.training else "val"
    tracer = _Tracer(net, module)
    devices = {tensor.device for tensor in module.parameters() if tensor.device.type != "cpu"}
    with torch.random.fork_rng(devices=sorted({device.index or 0 for device in devices})), _kept_buffers(module):
        tracer.take_inputs(example)
        tracer.run(example)
    return net


@contextmanager
def _kept_buffers(module: nn.Module) -> Iterator[None]:
    """Puts every buffer back to what it was, object and values."""
    kept = [
        (owner, name, tensor, tensor.detach().clone())
        for owner in module.modules()
        for name, tensor in owner._buffers.items()
        if tensor is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for owner, name, tensor, values in kept:
                tensor.copy_(values)
                owner._buffers[name] = tensor


class _Tracer(TorchFunctionMode):
    """Sees every call of a layer and of a function, and adds it to the net."""

    def __init__(self, net: Structure, module: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.module = module
        self.names = {id(found): name.replace(".", "_") for name, found in module.named_modules()}
        self.owned: dict[int, str] = {}
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            self.owned.setdefault(id(tensor), name.replace(".", "_"))
        self.places: dict[int, Place] = {}
        self.made: dict[Place, Tensor] = {}  # keeps them: an id must not be given to another tensor
        self.parts: dict[Place, str] = {}
        self.inside = 0
        self.calls: list[tuple[bool, dict[int, int]]] = []
        self.path: list[str] = []
        self.batch = 0
        tensors = [*module.parameters(), *module.buffers()]
        self.device_type = tensors[0].device.type if tensors else "cpu"
        self.ambient = Setting.now(self.device_type)
        self.thread = threading.get_ident()

    # --- the model's call -----------------------------------------------------------------------

    def take_inputs(self, example: Sequence[Any]) -> None:
        """Every tensor of the example as an input, named after the argument that it is (in)."""
        bound = inspect.signature(self.module.forward).bind(*example)
        for name, value in bound.arguments.items():
            for path, tensor in tensors_in(value):
                if id(tensor) in self.places:
                    continue
                unique = self._unique("_".join([name, *map(str, path)]))
                self.batch = self.batch or (tensor.shape[0] if tensor.dim() else 0)
                shape = tuple(tensor.shape[1:])
                self.net.inputs[unique] = Signature(shape, tensor.dtype, tensor.dim() > 0)
                self._keep(tensor, (unique, ()))

    def run(self, example: Sequence[Any]) -> None:
        """Calls the model, and notes what it returned."""
        with ExitStack() as stack:
            for found in self.module.modules():
                if isinstance(found, torch.jit.ScriptModule):  # cannot be watched
                    continue
                stack.callback(found.register_forward_pre_hook(self._enter, with_kwargs=True, prepend=True).remove)
                stack.callback(found.register_forward_hook(self._leave, with_kwargs=True).remove)
            stack.enter_context(self._autograd_functions())
            stack.enter_context(self)
            result = self.module(*example)
        tensors = [tensor for _, tensor in tensors_in(result)]
        if not tensors:
            raise RequestError(Fault("", "the model must return a tensor", result))
        self.net.output_sources = [self._source(self._place(tensor)) for tensor in tensors]

    # --- what is seen ---------------------------------------------------------------------------

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        is_block = not self.inside and self._is_leaf(module) and is_plain([*args, *kwargs.values()])
        self.calls.append((is_block, versions_of([*args, *kwargs.values()])))
        self.inside += is_block or self.inside > 0
        self.path.append(self.names[id(module)])

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, result: Any) -> Any:
        is_block, versions = self.calls.pop()
        name = self.path.pop()
        if not is_block:
            self.inside -= self.inside > 0
            return result
        result = not_an_input(result, versions)
        self.inside -= 1
        inputs = positional(module, args, kwargs)
        if inputs is not None and Setting.now(self.device_type) == self.ambient:
            ports = [self._source(self._place(tensor)) for tensor in inputs]
            self._add(name or type(module).__name__.lower(), module, ports, result)
        else:
            self._add_call(name or type(module).__name__.lower(), module, args, kwargs, result)
        return result

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Sees a call of one of torch's functions, and makes it."""
        keywords = kwargs or {}
        if self.inside:
            return func(*args, **keywords)
        if func in _SIZES and args and id(args[0]) in self.places:
            return self._extents(func, args, keywords)
        return self._call(func, args, keywords)

    def _call(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        versions = versions_of([*args, *kwargs.values()])
        self.inside += 1
        result = func(*args, **kwargs)
        if not _changes_first(func):
            result = not_an_input(result, versions)
        self.inside -= 1
        if getattr(func, "__name__", "") == "__get__":
            owner: Any = getattr(func, "__self__", None)
            func = Attribute(getattr(owner, "__name__", None) or owner.fget.__name__)
        sent = args[0] if _changes_first(func) else result
        if any(True for _ in tensors_in(sent)):
            self._add_call("_".join(filter(None, [*self.path[-1:], name_of(func)])), func, args, kwargs, sent)
        return result

    @contextmanager
    def _autograd_functions(self) -> Iterator[None]:
        """Makes a call of a user's own `torch.autograd.Function` one block, with the backward that it defines."""
        original = torch.autograd.Function.__dict__["apply"]

        def apply(cls: type, *args: Any, **kwargs: Any) -> Any:
            bound = types.MethodType(original.__func__, cls)
            if self.inside or threading.get_ident() != self.thread:
                return bound(*args, **kwargs)
            return self._call(bound, args, kwargs)

        torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            torch.autograd.Function.apply = original  # type: ignore[method-assign]

    def _extents(self, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        sizes = func(*args, **kwargs)
        place = self.places[id(args[0])]
        if isinstance(sizes, int):
            dim = kwargs["dim"] if "dim" in kwargs else args[1]
            return Extent(sizes, (place, dim))
        return torch.Size([Extent(size, (place, dim)) for dim, size in enumerate(sizes)])

    def _is_leaf(self, module: nn.Module) -> bool:
        """Layers of torch's, and modules without others inside; the whole model only if it is torch's."""
        is_torchs = type(module).__module__.startswith("torch.nn.")
        if isinstance(module, _OPENED):
            return False
        return is_torchs or (module is not self.module and next(module.children(), None) is None)

    # --- what is added --------------------------------------------------------------------------

    def _add_call(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, result: Any) -> None:
        ports: dict[Place, int] = {}
        arguments = tuple(self._template(value, ports) for value in args)
        keywords = {key: self._template(value, ports) for key, value in kwargs.items()}
        setting = Setting.now(self.device_type)
        sends = 0 if _changes_first(function) else None
        block = Function(
            function, arguments, keywords, setting=None if setting == self.ambient else setting, sends=sends
        )
        self._add(name, block, [self._source(place) for place in ports], result)

    def _add(self, name: str, module: nn.Module, sources: list[SourceSpec], result: Any) -> str:
        unique = self._unique(name)
        self.net.blocks[unique] = Block(unique, sources, output=output_of(result, self.batch, module))
        self.net._modules[unique] = module
        self.net.forget_plans()
        for path, tensor in tensors_in(result):
            self._keep(tensor, (unique, path))
        return unique

    def _template(self, value: Any, ports: dict[Place, int]) -> Any:
        """An argument, with ports for the tensors and the sizes of tensors in it."""
        if isinstance(value, Tensor):
            return Port(ports.setdefault(self._place(value), len(ports)))
        if isinstance(value, Extent):
            return self._number(value, ports)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return Grouped(type(value), tuple(self._template(item, ports) for item in value))
        if isinstance(value, tuple):
            return tuple(self._template(item, ports) for item in value)
        if isinstance(value, list):
            return [self._template(item, ports) for item in value]
        if isinstance(value, dict):
            return {key: self._template(item, ports) for key, item in value.items()}
        if isinstance(value, slice):
            return slice(*(self._template(bound, ports) for bound in (value.start, value.stop, value.step)))
        return value

    def _number(self, value: Any, ports: dict[Place, int]) -> Any:
        if not isinstance(value, Extent):
            return value
        if len(value.made_of) == 2:
            place, dim = value.made_of
            return Size(ports.setdefault(place, len(ports)), dim)
        symbol, left, right = value.made_of
        return Computed(symbol, self._number(left, ports), self._number(right, ports))

    def _place(self, tensor: Tensor) -> Place:
        """Where a tensor comes from; one that no block has made becomes a block itself."""
        place = self.places.get(id(tensor))
        if place is not None:
            self._check_gradient(place[0], tensor)
            return place
        if tensor.grad_fn is not None and id(tensor) not in self.owned:
            rule = "computes a tensor in a way that cannot be seen: neither by a function of torch's nor in a layer"
            raise RequestError(Fault("/".join(["net", *filter(None, self.path[-1:])]), rule))
        is_buffer = id(tensor) in self.owned
        inside, self.inside = self.inside, 1
        module = Constant(tensor, persistent=is_buffer)
        self.inside = inside
        name = self.owned.get(id(tensor), "parameter" if isinstance(tensor, nn.Parameter) else "constant")
        self._add(name, module, [], tensor)
        return self.places[id(tensor)]

    def _check_gradient(self, name: str, tensor: Tensor) -> None:
        """An autograd function that was called unseen has left its inner calls here, which have another gradient."""
        module = self.net._modules.get(name)
        setting = module.setting if isinstance(module, Function) else None
        kind = getattr(type(tensor.grad_fn), "_forward_cls", None)
        if kind is not None and setting is not None and not setting.gradient:
            rule = f"{kind.__name__}.apply is called by another name and is not seen; write {kind.__name__}.apply(...)"
            raise RequestError(Fault(f"net/{name}", rule))

    def _source(self, place: Place) -> SourceSpec:
        """How a block reads a tensor; one that lies deeper than an output's number gets a block that takes it out."""
        name, path = place
        if not path:
            return SourceSpec(block=name)
        first, rest = (path[0], path[1:]) if isinstance(path[0], int) else (None, path)
        if not rest:
            return SourceSpec(block=name, output=first)
        if place not in self.parts:
            source = SourceSpec(block=name, output=first)
            module = Function(part, (Port(0), *rest))
            self.parts[place] = self._add("_".join([name, *map(str, path)]), module, [source], [])
            self.net.blocks[self.parts[place]].output = output_of(self.made[place], self.batch)
        return SourceSpec(block=self.parts[place])

    def _keep(self, tensor: Tensor, place: Place) -> None:
        self.places[id(tensor)] = place
        self.made[place] = tensor

    def _unique(self, name: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_]", "_", name)
        number, found = 1, name
        while found in self.net.blocks or found in self.net.inputs:
            number += 1
            found = f"{name}_{number}"
        return found


def _changes_first(function: Callable[..., Any]) -> bool:
    """Whether a function returns nothing and changes its first argument: `x[0] = 1`."""
    return getattr(function, "__name__", "") == "__setitem__"
