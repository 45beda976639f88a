"""Blocks that torch.nn does not have."""

from rillnet.model.layers.activation import (
    ErrorFunction,
    Exponential,
    Gaussian,
    Logarithm,
    NegativeExponential,
    NegativeLogarithm,
    NegativeSquare,
    Sign,
    SoftRound,
    Spiky,
    Square,
    SquareRoot,
    Step,
    SwitchSign,
)
from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.merge import Concat, Product, Sum
from rillnet.model.layers.metrics import Accuracy, AccuracyByDelay, Metric
from rillnet.model.layers.noise import Noise
from rillnet.model.layers.pool import Pool
from rillnet.model.layers.synapse import Synapse

__all__ = [
    "Accuracy",
    "AccuracyByDelay",
    "BinaryCrossEntropy",
    "Concat",
    "ConvLSTMCell",
    "CrossEntropy",
    "ErrorFunction",
    "Exponential",
    "Gaussian",
    "LSTMCell",
    "Logarithm",
    "MeanSquaredError",
    "Metric",
    "NegativeExponential",
    "NegativeLogarithm",
    "NegativeSquare",
    "Noise",
    "Pool",
    "Product",
    "Sign",
    "SimpleRNN",
    "SoftRound",
    "Spiky",
    "Square",
    "SquareRoot",
    "Step",
    "Sum",
    "SwitchSign",
    "Synapse",
]
