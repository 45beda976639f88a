"""Places of a net: parameters and buffers, their gradients, what blocks send and what later frames read of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rillnet.errors import Fault, RequestError
from rillnet.model.flat import FlatSource, outputs_of, part
from rillnet.model.shapes import Signature
from rillnet.runtime.control.controlled import Controlled
from rillnet.runtime.control.places import AddressInfo, Place, Undo, dtype_name


class TensorPlace(Place):
    """A parameter or a buffer.

    Args:
        session: whose.
        address: where.
        tensor: it, or what this process has of it.
        is_parameter: whether it is one.
    """

    def __init__(self, session: Controlled, address: str, tensor: Tensor, is_parameter: bool) -> None:
        super().__init__(address)
        self._session, self._tensor = session, tensor
        self.kind = "parameter" if is_parameter else "buffer"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole tensor, however many processes share it."""
        placement = self._session.placement
        held = placement.holdings.get(self.address) if placement is not None else None
        return tuple(self._tensor.shape) if held is None else held.shape

    def read(self) -> Tensor:
        """The tensor itself; of one that several processes share a whole copy, for which all of them ask."""
        if self._session.placement is None:
            return self._tensor
        return self._session.placement.whole({self.address: self._tensor}, everyone=True)[self.address]

    def info(self) -> AddressInfo:
        """What there is to know of it."""
        return AddressInfo(self.address, self.kind, self.shape, dtype_name(self._tensor), writable=True)

    def check(self, value: Any) -> None:
        """Looks whether it is a number, or an array of the shape."""
        self._given(value)

    def _given(self, value: Any) -> Tensor:
        tensor = self._tensor
        try:
            if value is None:
                raise TypeError
            given = torch.as_tensor(value, dtype=tensor.dtype, device=tensor.device)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise RequestError(Fault(self.address, "must be a number, or an array of numbers", value)) from error
        if given.dim() and tuple(given.shape) != self.shape:
            raise RequestError(Fault(self.address, f"must have the shape {list(self.shape)}", list(given.shape)))
        if given.is_floating_point() and not bool(given.isfinite().all()):
            raise RequestError(Fault(self.address, "must be finite numbers"))
        return given

    @torch.no_grad()
    def write(self, value: Any) -> Undo:
        """Sets it in place."""
        given, before = self._given(value), self._tensor.detach().clone()
        placement = self._session.placement
        if placement is not None and given.dim():
            given = placement.part(self.address, given)
        self._tensor.copy_(given)
        return lambda: self._put_back(before)

    @torch.no_grad()
    def _put_back(self, before: Tensor) -> None:
        now = self._session.net.state_by_address().get(self.address)
        if now is None or now.shape != before.shape:
            raise RequestError(Fault(self.address, "is no more what it was, so that it cannot be put back"))
        now.copy_(before)

    def sum(self, value: Any) -> Tensor:
        """The tensor with something added."""
        return self.read().detach() + self._given(value)


class GradientPlace(Place):
    """The gradient of a parameter, as far as one is there between two frames."""

    kind = "gradient"

    def __init__(self, address: str, parameter: torch.nn.Parameter) -> None:
        super().__init__(address)
        self._parameter = parameter

    def read(self) -> Tensor:
        """The gradient.

        Raises:
            RequestError: there is none now.
        """
        gradient = self._parameter.grad
        if gradient is None:
            rule = "there is none between two frames, as the parameter has been changed by it"
            raise RequestError(Fault(self.address, rule, hint="watch it"))
        return gradient

    def info(self) -> AddressInfo:
        """What there is to know of it."""
        return AddressInfo(self.address, self.kind, tuple(self._parameter.shape), dtype_name(self._parameter))


class SentPlace(Place):
    """What a block sends, or an input of the net: one tensor of it.

    Args:
        session: whose.
        address: where.
        name: the block, or the input.
        number: which of its outputs; None for the only or first one.
    """

    kind = "output"

    def __init__(self, session: Controlled, address: str, name: str, number: int | None) -> None:
        super().__init__(address)
        self._session, self.name, self.number = session, name, number

    @property
    def signature(self) -> Signature:
        """What it is for one example.

        Raises:
            RequestError: the block does not send so many.
        """
        return signature_of(self._session, self.name, self.number, self.address)

    def read(self) -> Tensor:
        """What it will send in the next training frame; nothing is changed by asking.

        Raises:
            RequestError: it is left out of training frames, or the net is placed in several processes.
        """
        session = self._session
        source = FlatSource(*source_of(session, self.name, self.number))
        fields = session.feed.peek().fields
        if source.block in session.rollout.flat.inputs:
            return session.executor.place(fields)[source.block]
        found = session.executor.look_ahead([source], fields, session.clock.step)
        if source not in found:
            where = "where a net is placed in several processes" if session.placement is not None else "in training"
            raise RequestError(Fault(self.address, f"is not computed {where}"))
        return found[source]

    def info(self) -> AddressInfo:
        """What there is to know of it."""
        signature = self.signature
        return AddressInfo(self.address, self.kind, signature.shape, str(signature.dtype).removeprefix("torch."))


class StatePlace(SentPlace):
    """What later frames read of a block: the newest it has sent."""

    kind = "state"

    def read(self) -> Tensor:
        """The newest, of all streams.

        Raises:
            RequestError: no later frame reads it, or none has run yet.
        """
        name, place = source_of(self._session, self.name, self.number)
        key = name + "".join(f"[{index}]" for index in place) + "@1"
        state = self._session.executor.state
        if state is None:
            raise RequestError(Fault(self.address, "is not there before the first frame"))
        if key not in state:
            raise RequestError(Fault(self.address, "is not kept, as no later frame reads it"))
        return state[key]


def source_of(session: Controlled, name: str, number: int | None) -> tuple[str, tuple[int, ...]]:
    """The leaf block behind a name, and the place of the tensor in what it sends.

    Args:
        session: whose.
        name: a block, a nested net or an input.
        number: which of its outputs; None for the only or first one.

    Raises:
        RequestError: it does not send so many.
    """
    flat = session.rollout.flat
    sources = flat.sent_by(name)
    leaf = sources[min(number or 0, len(sources) - 1)] if len(sources) > 1 else sources[0]
    rest = None if len(sources) > 1 else number
    output = flat.blocks[leaf.block].output if leaf.block in flat.blocks else flat.inputs[leaf.block]
    places = [place for place, _ in outputs_of(output) if place[: len(leaf.place)] == leaf.place]
    wanted = (number or 0) if len(sources) > 1 else (rest or 0)
    count = len(sources) if len(sources) > 1 else len(places)
    if wanted >= count:
        known = "one tensor" if count == 1 else f"{count} tensors"
        raise RequestError(Fault(f"net/{name}/output[{number}]", f"is not there: the block sends {known}"))
    return leaf.block, places[0] if len(sources) > 1 else places[wanted]


def signature_of(session: Controlled, name: str, number: int | None, address: str) -> Signature:
    """What a tensor that a block sends is for one example.

    Args:
        session: whose.
        name: a block, a nested net or an input.
        number: which of its outputs.
        address: for messages.

    Raises:
        RequestError: it does not send so many.
    """
    block, place = source_of(session, name, number)
    flat = session.rollout.flat
    output = flat.blocks[block].output if block in flat.blocks else flat.inputs[block]
    found: Signature = part(output, place)
    return found
