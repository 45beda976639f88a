"""Pictures of machines: written at the end of a run, without changing it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

import rillnet as rn
from rillnet.errors import RequestError
from rillnet.model.layers.boltzmann import RestrictedBoltzmann
from rillnet.model.layers.units import Bernoulli
from rillnet.training.boltzmann_pictures import FANTASIES, FILTERS, fantasies, filters
from rillnet.training.learning_rules.divergence.stack import find_stack
from tests.training.learning_rules.divergence.machines import LAYERS, deep_net

TIE = {"weight": {"of": "hidden.weight", "transpose": True}}


def experiment(*extensions: Any) -> rn.Experiment:
    net = rn.Net("rbm", inputs={"pixels": (6,)}, seed=1)
    net.add("visible", rn.BernoulliUnits(out_features=6), source="hidden@-1", share=TIE)
    net.add("hidden", rn.BernoulliUnits(out_features=4), source="visible")
    learning = {"type": "ContrastiveDivergence", "data": "pixels"}
    run = {"steps": 3, "extensions": list(extensions), "evaluate": {"every": "never"}}
    data = {"pixels": (torch.arange(60).view(10, 6) % 5 < 2).float()}
    return rn.Experiment(net=net, data=data, learning=learning, rollout="sampling", run=run)


def test_both_pictures_are_written_and_change_nothing(tmp_path: Path) -> None:
    weights = []
    for extensions in ([], [{"type": "BoltzmannPictures", "shape": [2, 3], "steps": 5}]):
        with rn.Session(experiment(*extensions), root=tmp_path / str(len(extensions))) as session:
            session.run(progress=False)
            weights.append(session.net["hidden"].weight.detach().clone())
    assert torch.equal(*weights)
    written = {path.name: path.read_bytes()[:4] for path in tmp_path.rglob("*.png")}
    assert written == {FILTERS: b"\x89PNG", FANTASIES: b"\x89PNG"}


def test_units_that_fill_no_image_are_told_before_anything_is_learned() -> None:
    with rn.Session(experiment("BoltzmannPictures"), record=False) as session, pytest.raises(RequestError) as error:
        session.run(progress=False)
    assert str(error.value) == "run.extensions.shape: must be the height and width of an image of 6 pixels (got None)"


def test_what_is_made_up_follows_the_machine() -> None:
    weight = torch.zeros(2, 4)
    bias = torch.tensor([9.0, -9.0, 9.0, -9.0])
    machine = RestrictedBoltzmann(Bernoulli(), Bernoulli(), weight, bias, torch.zeros(2))

    torch.testing.assert_close(fantasies(machine, 3, 4, seed=1), torch.sigmoid(bias).expand(3, 4))
    assert filters(weight, 5).shape == (2, 4)
    assert bool((filters(weight, 5) == 0.5).all())


def test_of_a_deep_machine_all_layers_make_images(tmp_path: Path) -> None:
    net = deep_net()
    learning = {"type": "MeanFieldDivergence", "data": "pixels"}
    extension = {"type": "BoltzmannPictures", "layers": LAYERS, "steps": 5}
    run = {"steps": 3, "extensions": [extension], "evaluate": {"every": "never"}}
    data = {"pixels": (torch.arange(40).view(10, 4) % 5 < 2).float()}
    whole = rn.Experiment(net=net, data=data, learning=learning, rollout="sampling", run=run)
    with rn.Session(whole, root=tmp_path) as session:
        session.run(progress=False)
        machine = find_stack(session.net, LAYERS, "learning/main").machine
    assert {path.name for path in tmp_path.rglob("*.png")} == {FILTERS, FANTASIES}
    made_up = fantasies(machine, 3000, 30, seed=1).mean(0)
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9)))
    share = (-machine.energy(list(every.split([4, 3, 2], 1))).double() - machine.log_partition()).exp().float()
    torch.testing.assert_close(made_up, share @ every[:, :4], atol=0.03, rtol=0)
