"""Connection: a weight, what it reads and what comes of it, as learning rules that look at both see them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatNet, FlatSource, flatten
from rillnet.model.layers.synapse import Synapse
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout

_KINDS = "must be the weight of a Linear, a Conv2d or a plain Synapse"


class Connection:
    """A weight that joins what a block reads (pre) to what comes of it (post), both [batch, ...].

    Each stream is a sample, and so is each place that a convolution looks at; what is learned is the mean over them.

    Args:
        net: the net.
        address: of the weight.
        pre: what counts as read, by name, `image@-1`; None is what the block reads, as late as it reads it.
        post: what counts as sent; None is what the block itself sends.
        rule: the rule's address, for messages.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("line", inputs={"x": (2,)}).add("fit", rn.Linear(out_features=1), source="x")
        >>> connection = Connection(net, "net/fit/weight")
        >>> connection.pre, connection.post
        ('x', 'fit')
        >>> connection.correlate(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
        tensor([[2., 3.]])
    """

    def __init__(
        self,
        net: Net,
        address: str,
        pre: str | None = None,
        post: str | None = None,
        rule: str = "learning/main",
    ) -> None:
        self.address = address
        self.path, _, self.name = address.removeprefix("net/").rpartition("/")
        flat = flatten(net)
        self._port = _port_of(flat, self.path, self.name, rule)
        self._net, self._told = net, pre
        self._is_cut = False
        self.post = self.path if post is None else post
        self.pre = pre or _name(flat.blocks[self.path].sources[self._port])

    def attach(self, rollout: Rollout) -> None:
        """Takes from a rollout how late the block reads."""
        if self._told is None:
            self.pre = _name(rollout.sources(self.path)[self._port])

    def cut(self, ports: Collection[tuple[str, int]]) -> None:
        """Takes at which ports blocks see zeros, whatever is sent to them.

        Args:
            ports: each a block, and which of the things that it reads.
        """
        self._is_cut = (self.path, self._port) in ports

    def read(self, outputs: Mapping[str, Any]) -> Tensor:
        """What counts as read in a frame.

        Args:
            outputs: what the blocks sent.
        """
        found: Tensor = outputs[self.pre]
        return torch.zeros_like(found) if self._is_cut else found

    @property
    def module(self) -> nn.Module:
        """The block."""
        return self._net.get_submodule(self.path.replace("/", "."))

    @property
    def weight(self) -> Tensor:
        """The weight, [outputs, ...]; not to be changed."""
        return getattr(self.module, self.name).detach()  # type: ignore[no-any-return]

    @property
    def rows(self) -> Tensor:
        """The weight as [outputs, inputs of one place]."""
        return self.weight.flatten(1)

    def correlate(self, post: Tensor, pre: Tensor) -> Tensor:
        """The mean of post times pre over all samples, in the shape of the weight."""
        weight, module = self.weight, self.module
        post, pre = post.detach().to(weight.dtype), pre.detach().to(weight.dtype)
        if isinstance(module, nn.Linear):
            post_SO, pre_SI = post.reshape(-1, weight.shape[0]), pre.reshape(-1, weight.shape[1])
            return (post_SO.t() @ pre_SI) / post_SO.shape[0]
        post_NOXY = self._map(post)
        read, stride, dilation, groups = self._read(pre)
        change: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            read, weight.shape, post_NOXY, stride, 0, dilation, groups
        )
        return change / (post_NOXY.numel() // post_NOXY.shape[1])

    def samples(self, post: Tensor) -> Tensor:
        """What was sent, [samples, outputs]."""
        weight = self.weight
        post = post.detach().to(weight.dtype)
        if isinstance(self.module, nn.Linear):
            return post.reshape(-1, weight.shape[0])
        return self._map(post).transpose(0, 1).flatten(1).t()

    def unsample(self, samples_SO: Tensor, like: Tensor) -> Tensor:
        """The reverse of `samples`: of the shape that correlations take."""
        if isinstance(self.module, nn.Linear):
            return samples_SO.reshape(*like.shape[:-1], samples_SO.shape[1])
        shape = self._map(like).shape
        return samples_SO.t().reshape(shape[1], shape[0], *shape[2:]).transpose(0, 1)

    def respond(self, pre: Tensor) -> Tensor:
        """The weight times what is read, without a bias: [batch, ...]."""
        weight = self.weight
        pre = pre.detach().to(weight.dtype)
        if isinstance(self.module, nn.Linear):
            return functional.linear(pre, weight)
        read, stride, dilation, groups = self._read(pre)
        return functional.conv2d(read, weight, None, stride, 0, dilation, groups)

    def spread(self, values_O: Tensor) -> Tensor:
        """One number for each output, in dimensions that multiply with the weight."""
        return values_O.reshape(-1, *[1] * (self.weight.dim() - 1))

    def _map(self, post: Tensor) -> Tensor:
        """What was sent as [batch, outputs, x, y]."""
        outputs = self.weight.shape[0]
        if post.dim() == 4:
            return post
        space = post.shape[2:] if post.dim() == 3 and post.shape[1] == outputs else ()
        return post.reshape(post.shape[0], outputs, *(*space, 1, 1)[:2])

    def _read(self, pre: Tensor) -> tuple[Tensor, Sequence[int], Sequence[int], int]:
        """What is read with its edges added, and stride, dilation and groups."""
        module = self.module
        if isinstance(module, nn.Conv2d):
            edges = _edges(module)
            mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
            padded = functional.pad(pre, edges, mode=mode) if any(edges) else pre
            return padded, module.stride, module.dilation, module.groups
        assert isinstance(module, Synapse)
        field, shape = module._turns[self._port][2], (*pre.shape[1:], 1, 1)[:3]
        read = pre.reshape(pre.shape[0], *shape)
        if field.repeat != (1, 1):
            read = read.repeat_interleave(field.repeat[0], 2).repeat_interleave(field.repeat[1], 3)
        edges = [field.before[1], field.after[1], field.before[0], field.after[0]]
        return functional.pad(read, edges), field.stride, field.dilation, 1


def _name(source: FlatSource) -> str:
    return source.name + (f"@-{source.delay}" if source.delay else "")


def _port_of(flat: FlatNet, path: str, name: str, rule: str) -> int:
    """Which source of its block a weight is about.

    Raises:
        RequestError: the parameter is no weight that correlations can be learned of.
    """
    module = flat.module(path)
    if isinstance(module, nn.Linear | nn.Conv2d) and name == "weight":
        return 0
    if isinstance(module, Synapse) and name.startswith("W_") and _is_plain(module):
        return [turn[0] for turn in module._turns].index(name)
    hint = f"{type(module).__name__} has others; name the weights with a glob, such as '*/weight'"
    raise RequestError(Fault(f"{rule}.parameters", _KINDS, f"{path}.{name}", hint=hint))


def _is_plain(module: Synapse) -> bool:
    """Whether what it sends is the sum of its weights times what it reads, as far as each weight is concerned."""
    plain = len(module.factors) == 1 and not module.unshare and not any(module.projection)
    full = all(kind == "full" for kind in (*module.weight_shapes, *module.factor_shapes))
    return (
        plain and full and module.avgout == module.maxout == 1 and {*module.pre_act, *module.weight_function} == {"Id"}
    )


def _edges(module: nn.Conv2d) -> list[int]:
    """What a convolution pads: left, right, top and bottom."""
    if module.padding == "valid":
        return [0, 0, 0, 0]
    if module.padding == "same":
        whole = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        low = [size // 2 for size in whole]
        return [low[1], whole[1] - low[1], low[0], whole[0] - low[0]]
    rows, columns = (int(size) for size in module.padding)
    return [columns, columns, rows, rows]


def grid_distances(shape: Sequence[int]) -> Tensor:
    """Squared distances between the nodes of a grid, [nodes, nodes].

    Example:
        >>> grid_distances([3])
        tensor([[0., 1., 4.],
                [1., 0., 1.],
                [4., 1., 0.]])
    """
    axes = [torch.arange(size, dtype=torch.float32) for size in shape]
    place_KD = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(math.prod(shape), -1)
    return (place_KD[:, None] - place_KD[None]).pow(2).sum(-1)
