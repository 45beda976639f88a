"""Values of one net in another."""

import torch

from rillnet.runtime.matching import load_matching


def test_what_fits_is_loaded_and_the_rest_is_told() -> None:
    parameters = {
        "net/conv1/weight": torch.nn.Parameter(torch.zeros(2, 1, 3, 3)),
        "net/conv1/bias": torch.zeros(2, dtype=torch.bfloat16),
        "net/logits/weight": torch.zeros(100, 2),
        "net/norm/count": torch.zeros(2),
        "net/new/weight": torch.zeros(1),
    }
    values = {
        "net/conv1/weight": torch.ones(2, 1, 3, 3).to(memory_format=torch.channels_last),
        "net/conv1/bias": torch.ones(2),
        "net/logits/weight": torch.ones(10, 2),
        "net/norm/count": torch.ones(2, dtype=torch.int64),
        "net/old/weight": torch.ones(1),
    }
    match = load_matching(values, parameters)
    assert not match.complete
    assert str(match) == (
        "2 of 5 tensors loaded\n"
        "of another shape or kind, left as they were:\n"
        "  net/logits/weight: is float32 [100, 2], the checkpoint has float32 [10, 2]\n"
        "  net/norm/count: is float32 [2], the checkpoint has int64 [2]\n"
        "missing in the checkpoint, left as they were:\n"
        "  net/new/weight\n"
        "in the checkpoint only, ignored:\n"
        "  net/old/weight"
    )
    loaded = {name for name, tensor in parameters.items() if tensor.float().mean() == 1}
    assert loaded == set(match.loaded) == {"net/conv1/weight", "net/conv1/bias"}
    assert parameters["net/conv1/bias"].dtype == torch.bfloat16
    assert parameters["net/conv1/weight"].grad_fn is None


def test_a_complete_match_is_one_line() -> None:
    match = load_matching({"a": torch.ones(1)}, {"a": torch.zeros(1)})
    assert match.complete
    assert str(match) == "1 of 1 tensors loaded"
