"""Plain records of what a document says: a net, its data, how it learns, how it is run.

Front ends and Python code make these records; each package validates and builds its own part from
them. They hold numbers, words, lists and mappings only, so that they can be written out again.
"""

from rillnet.spec.experiment import (
    CheckpointSpec,
    DataSpec,
    EarlyStoppingSpec,
    EvaluateSpec,
    ExecutionSpec,
    ExperimentSpec,
    RunSpec,
)
from rillnet.spec.net import BlockSpec, InputSpec, NestedSpec, NetSpec, RolloutSpec, ShareSpec, SourceSpec
from rillnet.spec.record import NAME, PHASES, Name, Phase, Record, TypedSpec

__all__ = [
    "NAME",
    "PHASES",
    "BlockSpec",
    "CheckpointSpec",
    "DataSpec",
    "EarlyStoppingSpec",
    "EvaluateSpec",
    "ExecutionSpec",
    "ExperimentSpec",
    "InputSpec",
    "Name",
    "NestedSpec",
    "NetSpec",
    "Phase",
    "Record",
    "RolloutSpec",
    "RunSpec",
    "ShareSpec",
    "SourceSpec",
    "TypedSpec",
]
