"""What is sent while a backward pass goes on: gradients in buckets, each as soon as all of its gradients are there."""

from __future__ import annotations

import weakref
from typing import Generic, Protocol, TypeVar

from torch import Tensor, nn


class Bucket(Protocol):
    """Parameters whose gradients are sent as one.

    Attributes:
        parameters: in the order in which their gradients are expected.
        waiting: those whose gradients are not there yet, by their identity.
    """

    parameters: list[nn.Parameter]
    waiting: set[int]

    def send(self) -> None:
        """Starts sending."""

    def receive(self) -> None:
        """Waits for what comes of it, and puts it where it belongs."""


B = TypeVar("B", bound=Bucket)


class Sending(Generic[B]):
    """Sends buckets during a backward pass, all processes in one order.

    Between `begin` and `finish` lies one backward pass. A bucket is sent as soon as all of its gradients
    are there and those before it have been sent.

    Attributes:
        buckets: in the order in which they are sent.
    """

    def __init__(self) -> None:
        self.buckets: list[B] = []
        self._sent = 0
        self._armed = False
        self._bucket_of: dict[int, B] = {}

    def add(self, bucket: B) -> None:
        """Sends this one after those before it."""
        self.buckets.append(bucket)
        self._bucket_of |= {id(parameter): bucket for parameter in bucket.parameters}

    def listen(self, parameter: nn.Parameter) -> None:
        """Is told of a parameter's gradients for as long as this is used: an edited net has other reductions."""
        arrived = weakref.WeakMethod(self._arrived)

        def tell(told: Tensor) -> None:
            own = arrived()
            if own is not None:
                own(told)

        handle = parameter.register_post_accumulate_grad_hook(tell)  # type: ignore[no-untyped-call]
        weakref.finalize(self, handle.remove).atexit = False

    def begin(self) -> None:
        """A backward pass is about to begin whose gradients count."""
        self._armed, self._sent = True, 0
        for bucket in self.buckets:
            bucket.waiting = {id(parameter) for parameter in bucket.parameters}

    def _arrived(self, parameter: Tensor) -> None:
        if not self._armed:
            return
        self._bucket_of[id(parameter)].waiting.discard(id(parameter))
        self._send_ready()

    def _send_ready(self, *, everything: bool = False) -> None:
        while self._sent < len(self.buckets) and (everything or not self.buckets[self._sent].waiting):
            self.buckets[self._sent].send()
            self._sent += 1

    def finish(self) -> None:
        """Sends what is left, and waits until all of it is there."""
        self._send_ready(everything=True)
        self._armed = False
        for bucket in self.buckets:
            bucket.receive()
