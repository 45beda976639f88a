"""Rules that find principal components: Oja's for the first one, Sanger's for the first ones in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rillnet.training.learning_rules.plasticity.connection import Connection
from rillnet.training.learning_rules.plasticity.local import LocalRule
from rillnet.types import LearningContext


class Oja(LocalRule):
    r"""Hebb's rule with a decay that keeps rows at length 1: $\Delta w_{oi} = \langle y_o x_i - y_o^2 w_{oi} \rangle$.

    Of a linear unit the weight becomes the first principal component of what it reads; several units of one block
    all find that one. Arguments are those of `LocalRule`.

    Example:
        >>> import rillnet as rn
        >>> net = rn.Net("pca", inputs={"x": (2,)}).add("y", rn.Linear(out_features=1, bias=False), source="x")
        >>> net["y"].weight.data[:] = torch.tensor([[1.0, 0.0]])
        >>> rule = Oja(net)
        >>> rule.changes({"x": torch.tensor([[2.0, 1.0]]), "y": torch.tensor([[2.0]])}, None)
        {'net/y/weight': tensor([[0., 2.]])}

    Source:
        E. Oja: A simplified neuron model as a principal component analyzer, J. Math. Biology 15, 1982.
    """

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """The correlation without what would lengthen the row."""
        post = outputs[connection.post]
        power_O = connection.samples(post).square().mean(0)
        return connection.correlate(post, connection.read(outputs)) - connection.spread(power_O) * connection.weight


class Sanger(LocalRule):
    r"""The generalised Hebbian rule: $\Delta w_{oi} = \langle y_o (x_i - \sum_{k \le o} y_k w_{ki}) \rangle$.

    Each row leaves what the rows before it have found, so that they become the principal components in order.
    Arguments are those of `LocalRule`.

    Source:
        T. D. Sanger: Optimal unsupervised learning in a single-layer linear feedforward neural network,
        Neural Networks 2, 1989.
    """

    def change(self, connection: Connection, outputs: Mapping[str, Any], context: LearningContext) -> Tensor:
        """The correlation without what this row and those before it explain."""
        post = outputs[connection.post]
        samples_SO = connection.samples(post)
        power_OO = torch.tril(samples_SO.t() @ samples_SO) / samples_SO.shape[0]
        explained = (power_OO @ connection.rows).reshape(connection.weight.shape)
        return connection.correlate(post, connection.read(outputs)) - explained
