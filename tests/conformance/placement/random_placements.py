"""Random nets with random placements as hypothesis strategies: images, skips, cycles, delays, cells, shared weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from rillnet.errors import RequestError
from rillnet.runtime.placement.plan import PlacementPlan
from rillnet.runtime.placement.records import PlacementSpec
from tests.runtime.placement.training import Case, Document, net_of, rollout_of

KINDS = ("batch", "feature", "space", "none")
CLASSES = 5
_EACH_NUMBER = ("ReLU", "Tanh", "Sigmoid", "GELU", "Dropout", "Softplus")
_OF_IMAGES = ("conv", "conv", "conv", "pool", "norm", "act", "sum", "concat", "channels")
_OF_FEATURES = ("fc", "fc", "act", "norm", "cell", "sum", "concat")

Shape = tuple[int, ...]


@dataclass
class _Growing:
    """A net while it is drawn.

    Args:
        draw: of hypothesis.
        blocks: as a document has them.
        shapes: of what each sends, for one example.
    """

    draw: st.DrawFn
    blocks: dict[str, Any] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def add(self, shape: Shape, **said: Any) -> None:
        name = f"b{len(self.blocks):02d}"
        self.blocks[name], self.shapes[name] = said, shape

    def alike(self, shape: Shape, dims: slice) -> list[str]:
        """What may stand beside something of this shape: what has the same sizes there."""
        return [name for name, other in self.shapes.items() if len(other) == len(shape) and other[dims] == shape[dims]]

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def source(self) -> tuple[str, Shape]:
        """Mostly the block before."""
        names = list(self.shapes)
        rank = len(self.shapes[names[-1]])
        same = [name for name in names if len(self.shapes[name]) == rank]
        name = same[-1] if self.number(0, 2) else self.draw(st.sampled_from(same))
        return name, self.shapes[name]

    def delayed(self, name: str) -> str:
        return name if self.number(0, 4) else f"{name}@-{self.number(1, 2)}"


def _convolution(growing: _Growing, name: str, shape: Shape) -> None:
    channels, *sizes = shape
    groups = growing.draw(st.sampled_from([n for n in (1, 1, 2) if not channels % n]))
    out = groups * growing.number(1, 4)
    kernel, stride = growing.number(1, 4), growing.number(1, 2)
    dilation, padding = growing.number(1, 2), growing.number(0, 2)
    sent = [(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in sizes]
    if min(sent) < 1 or min(size + 2 * padding for size in sizes) <= dilation * (kernel - 1):
        kernel, stride, dilation, padding, sent = 1, 1, 1, 0, sizes
    numbers = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    growing.add((out, *sent), type="Conv2d", out_channels=out, **{"from": name}, **numbers)


def _pooling(growing: _Growing, name: str, shape: Shape) -> None:
    channels, *sizes = shape
    kernel, stride = growing.number(1, min(3, *sizes)), growing.number(1, 2)
    kind = growing.draw(st.sampled_from(["MaxPool2d", "AvgPool2d"]))
    sent = [(size - kernel) // stride + 1 for size in sizes]
    growing.add((channels, *sent), type=kind, kernel_size=kernel, stride=stride, **{"from": name})


def _merged(growing: _Growing, name: str, shape: Shape, kind: str) -> None:
    if kind == "sum":
        others = growing.draw(st.lists(st.sampled_from(growing.alike(shape, slice(None))), min_size=1, max_size=2))
        sources = [name, *map(growing.delayed, others)]
        growing.add(shape, type="Sum", **{"from": sources})
        return
    others = growing.draw(st.lists(st.sampled_from(growing.alike(shape, slice(1, None))), min_size=1, max_size=2))
    total = shape[0] + sum(growing.shapes[other][0] for other in others)
    if total <= 24:
        growing.add((total, *shape[1:]), type="Concat", **{"from": [name, *map(growing.delayed, others)]})


def _grow_images(growing: _Growing) -> None:
    kind, (name, shape) = growing.draw(st.sampled_from(_OF_IMAGES)), growing.source()
    if kind == "conv":
        _convolution(growing, name, shape)
    elif kind == "pool":
        _pooling(growing, name, shape)
    elif kind == "norm":
        norm = growing.draw(st.sampled_from(["BatchNorm2d", "GroupNorm", "LocalResponseNorm"]))
        groups = max(n for n in (1, 2) if not shape[0] % n)
        more = {"GroupNorm": {"num_groups": groups}, "LocalResponseNorm": {"size": 3, "alpha": 0.5}}.get(norm, {})
        if norm != "BatchNorm2d" or shape[1] * shape[2] > 1:
            growing.add(shape, type=norm, **more, **{"from": name})
    elif kind == "channels":
        growing.add(shape, type=growing.draw(st.sampled_from(["Dropout2d", "Softmax2d"])), **{"from": name})
    elif kind == "act":
        growing.add(shape, type=growing.draw(st.sampled_from(_EACH_NUMBER)), **{"from": name})
    else:
        _merged(growing, name, shape, kind)


def _grow_features(growing: _Growing) -> None:
    kind, (name, shape) = growing.draw(st.sampled_from(_OF_FEATURES)), growing.source()
    if kind == "fc":
        out = growing.number(1, 9)
        growing.add((out,), type="Linear", out_features=out, **{"from": name}, **_shared(growing, shape, out))
    elif kind == "norm":
        norm = growing.draw(st.sampled_from(["LayerNorm", "RMSNorm"]))
        growing.add(shape, type=norm, normalized_shape=shape[0], **{"from": name})
    elif kind == "act":
        growing.add(shape, type=growing.draw(st.sampled_from(_EACH_NUMBER)), **{"from": name})
    elif kind == "cell":
        cell, size = growing.draw(st.sampled_from(["SimpleRNN", "GRUCell", "LSTMCell"])), growing.number(1, 6)
        growing.add((size,), type=cell, hidden_size=size, **{"from": name})
    else:
        _merged(growing, name, shape, kind)


def _shared(growing: _Growing, shape: Shape, out: int) -> Document:
    """Sometimes the weight, and the bias, of other layers of the same sizes."""
    linear = {name: said for name, said in growing.blocks.items() if said["type"] == "Linear"}
    of_that_size = [name for name in linear if growing.shapes[name] == (out,)]
    share = {}
    for path in ("weight", "bias"):
        fitting = [name for name in of_that_size if path not in linear[name].get("share", {})]
        if path == "weight":
            fitting = [name for name in fitting if growing.shapes[linear[name]["from"]] == shape]
        if fitting and growing.number(0, 1):
            share[path] = f"{growing.draw(st.sampled_from(fitting))}.{path}"
    return {"share": share} if share else {}


def _close_cycles(growing: _Growing, first: int) -> None:
    """Sums may also read what stands after them, a frame ago."""
    names = list(growing.shapes)
    for place, name in enumerate(names):
        later = [other for other in names[place:] if growing.shapes[other] == growing.shapes[name]]
        if growing.blocks.get(name, {}).get("type") == "Sum" and later and growing.number(0, 1):
            growing.blocks[name]["from"].append(f"{growing.draw(st.sampled_from(later))}@-{growing.number(1, 2)}")
            growing.blocks[name]["shape"] = list(growing.shapes[name])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Nets of images and features in training, in double precision: what differs beyond rounding is a fault."""
    growing = _Growing(draw)
    growing.shapes["x"] = (growing.number(1, 4), growing.number(5, 12), growing.number(3, 6))
    for _ in range(growing.number(1, 7)):
        _grow_images(growing)
    name, shape = growing.source()
    flat = shape[0] * shape[1] * shape[2]
    growing.add((flat,), type="Flatten", **{"from": name})
    for _ in range(growing.number(0, 5)):
        _grow_features(growing)
    _close_cycles(growing, 0)
    last = list(growing.shapes)[-1]
    inputs = {"x": list(growing.shapes["x"]), "label": {"dtype": "int64"}}
    head = {"type": "Linear", "out_features": CLASSES, "from": last}
    loss = {"type": "CrossEntropy", "from": ["head", "label"]}
    return Case(
        {"inputs": inputs, "blocks": {**growing.blocks, "head": head, "loss": loss}},
        outputs=["head", *draw(st.lists(st.sampled_from(list(growing.blocks)), max_size=2, unique=True))],
        rollout=draw(st.sampled_from(["sequential", "sequential", "streaming"])),
        batches=draw(st.lists(st.integers(2, 7), min_size=1, max_size=2)),
        window=draw(st.integers(1, 3)),
        dtype="float64",
        steps=5,
    )


@st.composite
def placements(draw: st.DrawFn, case: Case, world: int) -> Document:
    """How a net is split over so many processes; what a block cannot do is left out, as a person would."""
    meshes = [{"processes": world}, {"mesh": {"model": world}}]
    meshes += [{"mesh": {"data": 2, "model": 2}}, {"mesh": {"model": 2, "data": 2}}] if world == 4 else []
    kind = st.sampled_from(KINDS)
    asked = st.one_of(kind, kind, st.builds(lambda at: {"location": at}, st.integers(0, world - 1)))
    names = [name for name in case.document["blocks"] if draw(st.booleans())]
    blocks = {name: draw(asked) for name in names}
    rollout = rollout_of(case, net_of(case))
    said = {**draw(st.sampled_from(meshes)), "default": draw(asked)}
    while True:
        try:
            PlacementPlan(rollout, PlacementSpec.model_validate({**said, "blocks": blocks}))
        except RequestError as error:
            wrong = {fault.address.split(".")[2] for fault in error.faults}
            blocks = {name: how for name, how in blocks.items() if name not in wrong}
            continue
        return {**said, "blocks": blocks}
