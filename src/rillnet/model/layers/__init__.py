"""Blocks that torch.nn does not have."""

from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.merge import Concat, Product, Sum
from rillnet.model.layers.metrics import Accuracy, Metric

__all__ = [
    "Accuracy",
    "BinaryCrossEntropy",
    "Concat",
    "CrossEntropy",
    "MeanSquaredError",
    "Metric",
    "Product",
    "Sum",
]
