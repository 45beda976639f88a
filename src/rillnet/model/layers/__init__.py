"""Blocks that torch.nn does not have."""

from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.merge import Concat, Product, Sum
from rillnet.model.layers.metrics import Accuracy, Metric

__all__ = [
    "Accuracy",
    "BinaryCrossEntropy",
    "Concat",
    "ConvLSTMCell",
    "CrossEntropy",
    "LSTMCell",
    "MeanSquaredError",
    "Metric",
    "Product",
    "SimpleRNN",
    "Sum",
]
