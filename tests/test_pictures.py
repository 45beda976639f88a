"""The pictures of README.md and docs/ are what this source draws; `python -m tests.test_pictures` draws them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

import rillnet as rn
from rillnet.model.drawing import svg
from rillnet.model.frontends import yaml
from rillnet.model.tableau_drawing import tableau_svg
from tests.test_docs import ROOT, fences

FRAMES = 5


def tiny() -> rn.Net:
    """The net of the experiment in README.md."""
    document = next(fence.body for fence in fences(ROOT / "README.md") if fence.file == "tiny.yaml")
    spec = yaml.read_text(document).net().model_copy(update={"name": "tiny"})
    return rn.Net.from_spec(spec, device="meta")


def skip() -> rn.Net:
    """The net of docs/guide/rollouts.md."""
    net = rn.Net("skip", inputs={"x": (3,)}, seed=1)
    net.add("a", rn.Linear(out_features=8)).add("act", rn.Tanh()).add("b", rn.Linear(out_features=4))
    net.add("side", rn.Linear(out_features=4), source="x")
    return net.add("y", rn.Sum(), source=["b", "side"])


def drawn() -> dict[str, str]:
    """Every picture by its path."""
    net, guide = tiny(), skip()
    rollouts = {"sequential": rn.Rollout.sequential(net), "streaming": rn.Rollout.streaming(net)}
    three = {
        "sequential": rn.Rollout.sequential(guide),
        "streaming": rn.Rollout.streaming(guide),
        "1 everywhere": rn.Rollout(guide, default=1),
    }
    return {
        "docs/tiny.svg": svg(net),
        "docs/tiny_rollouts.svg": tableau_svg(rollouts, FRAMES),
        "docs/guide/rollouts.svg": tableau_svg(three, 4),
    }


@pytest.mark.parametrize("path", ["docs/tiny.svg", "docs/tiny_rollouts.svg", "docs/guide/rollouts.svg"])
def test_a_picture_is_what_is_drawn(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == drawn()[path], "`make reference` draws it anew"


def test_the_readme_shows_pictures_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in ("docs/tiny.svg", "docs/tiny_rollouts.svg"):
        assert f'<img src="{path}"' in text


if __name__ == "__main__":
    for path, text in drawn().items():
        Path(ROOT / path).write_text(text, encoding="utf-8")
