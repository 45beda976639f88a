"""Every block of rillnet's own, in a net from a document: shapes told are shapes sent, gradients are finite, element
types are kept, the same seed gives the same, what is saved is restored, and streaming is sequential, later.

Each type has a row; a new one without a row fails `test_every_type_has_a_row`. What a block cannot do is listed with
the reason.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from rillnet.model import layers
from rillnet.model.flat import outputs_of, part
from rillnet.model.net import Net
from rillnet.model.rollout import Rollout
from rillnet.runtime.program import Program
from rillnet.spec import SourceSpec

STREAMS, FRAMES = 4, 6

Shape = tuple[int, ...]
Row = tuple[str, list[Shape], dict[str, Any]]

IMAGE, PLAIN = (2, 4, 4), (3,)
ACTIVATIONS = [
    *("ErrorFunction", "Exponential", "Gaussian", "Logarithm", "NegativeExponential", "NegativeLogarithm"),
    *("NegativeSquare", "ScaledTanh", "Sign", "SoftRound", "Spiky", "Square", "SquareRoot", "Step", "SwitchSign"),
]

# type, the shapes of what it reads, its arguments
ROWS: list[Row] = [
    *((name, [PLAIN], {}) for name in ACTIVATIONS),
    ("Concat", [PLAIN, (2,)], {}),
    ("Product", [PLAIN, PLAIN], {}),
    ("Difference", [PLAIN, PLAIN], {}),
    ("Relaxation", [PLAIN], {"sizes": [5, 2]}),
    ("Sum", [IMAGE, IMAGE], {}),
    ("LocalResponseNorm", [IMAGE], {"size": 3, "alpha": 0.5}),
    ("SimpleRNN", [PLAIN], {"hidden_size": 5}),
    ("SimpleRNN", [PLAIN], {"hidden_size": 5, "nonlinearity": "relu", "bias": False}),
    ("RNNCell", [PLAIN], {"hidden_size": 5}),
    ("GRUCell", [PLAIN], {"hidden_size": 5}),
    ("LSTMCell", [PLAIN], {"hidden_size": 5}),
    ("ConvLSTMCell", [IMAGE], {"hidden_channels": 3}),
    ("OneHot", [()], {"classes": 4}),
    ("Maxout", [IMAGE], {}),
    ("Maxout", [PLAIN], {"pieces": 3, "over": "mean"}),
    ("Noise", [PLAIN], {"std": 0.1}),
    ("Draw", [PLAIN], {}),
    ("BernoulliUnits", [PLAIN], {"out_features": 4, "draws": False}),
    ("BernoulliUnits", [PLAIN, (4,)], {"out_features": 4, "draws": False}),
    ("GaussianUnits", [PLAIN], {"out_features": 4, "std": 0.5}),
    ("SoftmaxUnits", [PLAIN], {"out_features": 4, "states": 2, "draws": False}),
    ("FreeEnergy", [PLAIN], {"units": 2, "visible": "Gaussian"}),
    ("LogLikelihood", [PLAIN], {"units": 2}),
    ("LogLikelihood", [PLAIN], {"units": 2, "exact": "never", "chains": 3, "temperatures": 5}),
    ("LikelihoodBound", [PLAIN], {"units": [2, 3]}),
    ("PseudoLikelihood", [PLAIN], {"units": 2}),
    ("ReconstructionError", [PLAIN], {"units": 2}),
    ("Pool", [IMAGE, (2,)], {"act": "tanh"}),
    ("Pool", [IMAGE], {"layernorm_mean": "spatial", "layernorm_std": "full", "gain_shape": "spatial"}),
    ("Pool", [IMAGE], {"noise": "uniform", "dropout": 0.2, "zoneout": 0.3, "bias_shape": "full"}),
    ("Pool", [PLAIN], {"unshare": ["bias"], "streams": STREAMS}),
    ("Synapse", [IMAGE], {"shape": [3, 2, 2], "rf": 3}),
    ("Synapse", [PLAIN, PLAIN, IMAGE], {"shape": [5], "factors": [2, 1], "act": ["sigmoid", "tanh"], "maxout": 2}),
    ("Synapse", [IMAGE], {"shape": [3, 8, 8], "rf": 3, "unshare": ["W_0_0"], "streams": STREAMS, "projection": 4}),
    ("MeanSquaredError", [PLAIN, PLAIN], {}),
    ("BinaryCrossEntropy", [PLAIN, PLAIN], {}),
    ("Hinge", [PLAIN, PLAIN], {"power": 2}),
    ("MulticlassHinge", [PLAIN, ()], {"power": 2}),
    ("MarginRanking", [PLAIN, PLAIN, PLAIN], {"margin": 0.5}),
    ("Triplet", [PLAIN, PLAIN, PLAIN], {}),
    ("Triplet", [PLAIN, PLAIN, PLAIN], {"squared": True}),
    ("KLDivergence", [PLAIN, PLAIN], {}),
    ("GaussianKL", [PLAIN, PLAIN], {}),
    ("CTC", [(4, 3), ()], {"blank": 2}),
    ("GroupSoftmax", [IMAGE], {"group_size": 2, "rest": 1.0}),
    ("GroupCrossEntropy", [PLAIN, ()], {"group_size": 1, "rest": 0.0}),
    ("SparsityPenalty", [PLAIN], {"rate": 0.1}),
    ("CrossEntropy", [PLAIN, PLAIN], {"label_smoothing": 0.1}),
    ("Accuracy", [PLAIN, ()], {}),
    ("RankedAccuracy", [PLAIN, ()], {"k": 2}),
    ("RankingArea", [PLAIN, ()], {"kind": "ROC"}),
    ("RankingArea", [PLAIN, ()], {"kind": "precision", "bins": 50}),
    ("Confusion", [PLAIN, ()], {}),
    ("AccuracyByDelay", [PLAIN, (), ()], {"delays": 1}),
    ("ConfusionByDelay", [PLAIN, (), ()], {"delays": 1}),
    ("FirstResponses", [()], {"count": 1}),
]
OF_TORCH = {"RNNCell", "GRUCell"}

NO_GRADIENT = {
    "FreeEnergy": "measures what contrastive divergence learns",
    "LogLikelihood": "measures what contrastive divergence learns",
    "LikelihoodBound": "measures what the learning of deep machines raises",
    "PseudoLikelihood": "measures what contrastive divergence learns",
    "ReconstructionError": "measures what contrastive divergence learns",
    "Accuracy": "a count",
    "RankedAccuracy": "a count",
    "RankingArea": "counts",
    "Confusion": "counts",
    "AccuracyByDelay": "counts",
    "ConfusionByDelay": "counts",
    "FirstResponses": "reads whole numbers",
}
ALWAYS_FLOAT32 = dict.fromkeys(NO_GRADIENT, "what counts, whatever the type of the scores")
NO_GRADIENT["OneHot"] = "reads class numbers"
NO_GRADIENT["Draw"] = "0 or 1 by chance"


def name_of(row: Row) -> str:
    return "-".join([row[0], *row[2]])


def net_of(row: Row, seed: int = 3, device: str | None = None) -> Net:
    kind, shapes, arguments = row
    names = [f"x{number}" for number in range(len(shapes))]
    inputs = {
        name: {"shape": list(shape), "dtype": "float32" if shape else "int64"}
        for name, shape in zip(names, shapes, strict=True)
    }
    block = {"type": kind, "from": names, **arguments}
    return Net.from_spec({"inputs": inputs, "blocks": {"block": block}}, seed=seed, device=device)


def frame_of(row: Row, number: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    found = {}
    for port, shape in enumerate(row[1]):
        drawn = torch.rand(STREAMS, *shape, generator=generator, dtype=torch.float64)
        found[f"x{port}"] = drawn.to(dtype) if shape else torch.zeros(STREAMS, dtype=torch.int64)
    return found


def tensors_of(net: Net, sent: Any) -> list[Tensor]:
    output = net.blocks["block"].output
    assert output is not None
    return [part(sent, place) for place, _ in outputs_of(output)]


def seed_of(path: str) -> int:
    return 11


EACH = pytest.mark.parametrize("row", ROWS, ids=name_of)


def test_every_type_has_a_row() -> None:
    own = set(layers.__all__) - {"Metric"}

    assert {row[0] for row in ROWS} - OF_TORCH == own


@EACH
def test_shapes_told_are_shapes_sent(row: Row) -> None:
    net, on_meta = net_of(row), net_of(row, device="meta")

    sent = tensors_of(net, net(**frame_of(row))["block"])

    told = [signature for _, signature in outputs_of(on_meta.infer_shapes()["block"])]
    assert [tuple(tensor.shape) for tensor in sent] == [signature.of_batch(STREAMS) for signature in told]
    assert [tensor.dtype for tensor in sent] == [signature.dtype for signature in told]


@EACH
def test_gradients_are_finite(row: Row) -> None:
    net = net_of(row)
    inputs = {name: x.requires_grad_(x.is_floating_point()) for name, x in frame_of(row).items()}
    sent = tensors_of(net, net(**inputs)["block"])
    if row[0] in NO_GRADIENT:
        assert not any(tensor.requires_grad for tensor in sent)
        return

    sum(tensor.square().sum() for tensor in sent).backward()

    gradients = [tensor.grad for tensor in [*net.parameters(), *inputs.values()] if tensor.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_element_type_is_kept(row: Row, dtype: torch.dtype) -> None:
    net = net_of(row).to(dtype)

    sent = tensors_of(net, net(**frame_of(row, dtype=dtype))["block"])

    expected = torch.float32 if row[0] in ALWAYS_FLOAT32 else dtype
    assert {tensor.dtype for tensor in sent} == {expected}


@EACH
def test_the_same_seeds_give_the_same(row: Row) -> None:
    first, second = ([*net.parameters()] for net in (net_of(row), net_of(row)))
    frames = [
        tensors_of(net, Program(net)(frame_of(row), frame_seed=seed_of)[0]["block"])
        for net in (net_of(row), net_of(row))
    ]

    assert all(torch.equal(own, other) for own, other in zip(first, second, strict=True))
    assert all(torch.equal(own, other) for own, other in zip(*frames, strict=True))


@EACH
def test_what_is_saved_is_restored(row: Row) -> None:
    saved, restored = net_of(row, seed=1), net_of(row, seed=2)

    restored.load_state_dict(saved.state_dict())

    sent = [tensors_of(net, Program(net)(frame_of(row), frame_seed=seed_of)[0]["block"]) for net in (saved, restored)]
    assert all(torch.equal(own, other) for own, other in zip(*sent, strict=True))


@EACH
def test_it_is_written_and_read_again(row: Row) -> None:
    net = net_of(row)

    again = Net.from_spec(net.to_spec(), seed=3)

    assert again.to_spec() == net.to_spec()
    assert all(torch.equal(own, other) for own, other in zip(net.parameters(), again.parameters(), strict=True))


@EACH
def test_a_live_block_is_written_as_it_was_described(row: Row) -> None:
    described = net_of(row)
    live = Net(
        "net", {name: list(x.shape[1:]) if x.dim() > 1 else {"dtype": "int64"} for name, x in frame_of(row).items()}
    )
    sources: list[str | SourceSpec] = [*described.blocks["block"].sources]

    live.add("block", described["block"], source=sources)

    assert live.infer_shapes() == described.infer_shapes()
    again = Net.from_spec(live.to_spec(), seed=3)
    assert [p.shape for p in again.parameters()] == [p.shape for p in described.parameters()]


@EACH
def test_streaming_is_sequential_later(row: Row) -> None:
    """With a delay on every edge from an input, each frame sends what the sequential net sent a frame before."""
    net = net_of(row).eval()
    frames = [frame_of(row, number) for number in range(FRAMES)]
    delayed = Rollout(net, {f"x{port}->block": 1 for port in range(len(row[1]))})
    before_first = {name: torch.zeros_like(x) for name, x in frames[0].items()}

    def unrolled(rollout: Rollout, inputs: list[dict[str, Tensor]]) -> list[list[Tensor]]:
        program = Program(net, rollout)
        state = program.initial_state(STREAMS)
        found = []
        for frame in inputs:
            outputs, state = program(frame, state, frame_seed=seed_of)
            found.append(tensors_of(net, outputs["block"]))
        return found

    sequential = unrolled(Rollout.sequential(net), [before_first, *frames[:-1]])
    streaming = unrolled(delayed, frames)

    for own, other in zip(streaming, sequential, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, other, strict=True))
