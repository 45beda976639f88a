"""Blocks that torch.nn does not have."""

from rillnet.model.layers.activation import (
    ErrorFunction,
    Exponential,
    Gaussian,
    Logarithm,
    Maxout,
    NegativeExponential,
    NegativeLogarithm,
    NegativeSquare,
    ScaledTanh,
    Sign,
    SoftRound,
    Spiky,
    Square,
    SquareRoot,
    Step,
    SwitchSign,
)
from rillnet.model.layers.cells import ConvLSTMCell, LSTMCell, SimpleRNN
from rillnet.model.layers.deep_metrics import LikelihoodBound
from rillnet.model.layers.difference import Difference
from rillnet.model.layers.distance import GaussianKL, KLDivergence
from rillnet.model.layers.energy import BernoulliUnits, Draw, GaussianUnits, SoftmaxUnits
from rillnet.model.layers.energy_metrics import FreeEnergy, LogLikelihood, PseudoLikelihood, ReconstructionError
from rillnet.model.layers.group_softmax import GroupCrossEntropy, GroupSoftmax
from rillnet.model.layers.labelling import CTC
from rillnet.model.layers.loss import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from rillnet.model.layers.margin import MarginRanking, MulticlassHinge, Triplet
from rillnet.model.layers.merge import Concat, Product, Sum
from rillnet.model.layers.metrics import Accuracy, AccuracyByDelay, ConfusionByDelay, Metric
from rillnet.model.layers.noise import Noise
from rillnet.model.layers.normalization import LocalResponseNorm
from rillnet.model.layers.one_hot import OneHot
from rillnet.model.layers.penalty import Hinge, SparsityPenalty
from rillnet.model.layers.pool import Pool
from rillnet.model.layers.ranking import Confusion, RankedAccuracy, RankingArea
from rillnet.model.layers.relaxation import Relaxation
from rillnet.model.layers.responses import FirstResponses
from rillnet.model.layers.synapse import Synapse

__all__ = [
    "CTC",
    "Accuracy",
    "AccuracyByDelay",
    "BernoulliUnits",
    "BinaryCrossEntropy",
    "Concat",
    "Confusion",
    "ConfusionByDelay",
    "ConvLSTMCell",
    "CrossEntropy",
    "Difference",
    "Draw",
    "ErrorFunction",
    "Exponential",
    "FirstResponses",
    "FreeEnergy",
    "Gaussian",
    "GaussianKL",
    "GaussianUnits",
    "GroupCrossEntropy",
    "GroupSoftmax",
    "Hinge",
    "KLDivergence",
    "LSTMCell",
    "LikelihoodBound",
    "LocalResponseNorm",
    "LogLikelihood",
    "Logarithm",
    "MarginRanking",
    "Maxout",
    "MeanSquaredError",
    "Metric",
    "MulticlassHinge",
    "NegativeExponential",
    "NegativeLogarithm",
    "NegativeSquare",
    "Noise",
    "OneHot",
    "Pool",
    "Product",
    "PseudoLikelihood",
    "RankedAccuracy",
    "RankingArea",
    "ReconstructionError",
    "Relaxation",
    "ScaledTanh",
    "Sign",
    "SimpleRNN",
    "SoftRound",
    "SoftmaxUnits",
    "SparsityPenalty",
    "Spiky",
    "Square",
    "SquareRoot",
    "Step",
    "Sum",
    "SwitchSign",
    "Synapse",
    "Triplet",
]
