"""Losses of several frames as one."""

from __future__ import annotations

import torch

import rillnet as rn
from rillnet.runtime.masks import FRAMES, counted_frames, find_masked, mean_of_frames


def masked_net() -> rn.Net:
    inputs = {"x": (3,), "label": rn.Scalar("int64"), "mask": rn.Scalar("bool")}
    net = rn.Net("n", inputs=inputs, seed=1).add("y", rn.Linear(out_features=4), source="x")
    net.add("loss", rn.CrossEntropy(), source=["y", "label", "mask"])
    net.add("hits", rn.Accuracy(), source=["y", "label", "mask"])
    return net.add("plain", rn.CrossEntropy(), source=["y", "label"])


def test_blocks_that_read_a_mask_are_found_with_their_delays() -> None:
    net = masked_net()
    found = find_masked(rn.Rollout(net, {"mask->loss": 2}))

    assert list(found) == ["loss", "hits"]
    assert [(s.block, s.delay) for s in found["loss"].sources.values()] == [("label", 0), ("mask", 2)]


def test_the_mean_is_over_all_that_is_marked() -> None:
    net = masked_net()
    masked = find_masked(rn.Rollout.sequential(net))
    also = {key: source for one in masked.values() for key, source in one.sources.items()}
    program = rn.Program(net, outputs=["loss", "hits", "plain"], also=also)
    x, label = torch.randn(3, 5, 3), torch.randint(4, (3, 5))
    label[0, 0] = -100
    mask = torch.tensor([[True] * 5, [False] * 5, [True, False, True, False, False]])
    sent, _ = program.unroll([{"x": a, "label": b, "mask": c} for a, b, c in zip(x, label, mask, strict=True)])

    found = mean_of_frames(sent, masked)

    scores = net["y"](x.flatten(0, 1))
    chosen = mask.flatten()
    expected = torch.nn.functional.cross_entropy(scores[chosen], label.flatten()[chosen])
    torch.testing.assert_close(found["loss"], expected)
    hits = (scores.argmax(1) == label.flatten())[chosen].float().mean()
    torch.testing.assert_close(found["hits"], hits)
    torch.testing.assert_close(found["plain"], torch.stack([frame["plain"] for frame in sent]).mean())
    assert set(found) == {"loss", "hits", "plain"}


def test_a_window_with_nothing_marked_has_no_loss() -> None:
    masked = find_masked(rn.Rollout.sequential(masked_net()))
    nothing = torch.zeros(2, dtype=torch.bool)
    frame = {"loss": torch.tensor(0.0), "loss#target": torch.zeros(2, dtype=torch.int64), "loss#mask": nothing}

    assert mean_of_frames([frame, frame], masked)["loss"].item() == 0


def test_frames_are_counted_by_how_much_of_them_is_marked() -> None:
    masked = find_masked(rn.Rollout.sequential(masked_net()))
    label = torch.tensor([0, 1, 2, -100])  # of which three can count
    masks = [[True] * 4, [False] * 4, [True, True, False, True]]
    frames = [{"loss#target": label, "loss#mask": torch.tensor(mask)} for mask in masks]

    found = counted_frames(frames, masked)

    assert list(found) == ["loss" + FRAMES]
    torch.testing.assert_close(found["loss" + FRAMES], torch.tensor(1 + 0 + 2 / 3))
