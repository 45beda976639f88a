from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rillnet.errors import AddressError, RequestError
from rillnet.runtime.observers.reading import Reading
from rillnet.runtime.session import Session
from tests.runtime.control.driving import driven
from tests.runtime.observers.watched_runs import CASES, STREAMS, addresses_of, chain, grouped, images, learned
from tests.training.small_experiments import differing, line_experiment


def cases() -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow if "compiled" in name else ()) for name in CASES]


def session_of(made: Any) -> Session:
    return Session(made, record=False, say=lambda text: None)


class Time:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("name", cases())
def test_parameters_are_the_same_with_and_without_viewers(name: str) -> None:
    alone = learned(CASES[name]())
    watched = learned(CASES[name](), views=20)
    assert differing(alone, watched) == []


@pytest.mark.parametrize("name", cases())
def test_what_is_watched_is_what_the_frame_sends(name: str) -> None:
    """Seen by a hook within the frame, in a run of its own, as hooks change how windows are computed."""
    if "compiled" in name or "grouped" in name or "at once" in name or "little memory" in name:
        pytest.skip("hooks change how this is computed, or see frames computed again")
    seen: dict[str, Tensor] = {}

    def keep(path: str, module: Any, read: Any, sent: Any) -> None:
        if module.training and isinstance(sent, Tensor):
            seen[path] = sent.detach().clone()

    with session_of(CASES[name]()) as hooked:
        for path in hooked.rollout.flat.blocks:
            module = hooked.rollout.flat.module(path)
            module.register_forward_hook(lambda m, read, sent, path=path: keep(path, m, read, sent))
        for _ in range(4):
            hooked.learn()
    expected = {path: value.clone() for path, value in seen.items()}
    with session_of(CASES[name]()) as session:
        view = session.views.view(queue=100)
        watches = {view.watch(f"net/{path}/output", "whole", rate=1000, stream=None): path for path in expected}
        for _ in range(4):
            session.learn()
        last = {watches[reading.watch]: reading for reading in view.read()}
    assert last.keys() == expected.keys()
    for path, reading in last.items():
        np.testing.assert_allclose(reading.data, expected[path].numpy(), rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("name", cases())
def test_everything_can_be_watched(name: str) -> None:
    with session_of(CASES[name]()) as session:
        view = session.views.view(queue=100)
        watches = {view.watch(address, "whole", rate=1000): address for address in addresses_of(session)}
        for _ in range(6):
            session.learn()
        told = {watches[reading.watch] for reading in view.read() if not reading.fault}
    assert sorted(set(watches.values()) - told) == []


def test_gradients_are_those_that_the_optimizer_is_given() -> None:
    made = line_experiment()
    with session_of(made) as session, session.views.view() as view:
        before = session["net/fit/weight"].detach().clone()
        view.watch("net/fit/weight/gradient", "whole", rate=1000)
        session.learn()
        (reading,) = view.read()
        after = session["net/fit/weight"].detach()
    assert reading.frame == 1
    np.testing.assert_allclose(reading.data, ((before - after) / 0.1).numpy(), rtol=1e-4)


def test_watches_are_answered_at_their_rate() -> None:
    made = line_experiment(run={"execution": "eager"})
    with session_of(made) as session:
        now = session.views._now = Time()
        view = session.views.view(queue=1000)
        often = view.watch("net/fit/weight", "scalar", rate=10)
        rarely = view.watch("net/fit/weight", "scalar", rate=1)
        once = view.watch("net/fit/weight", "scalar", rate=0)
        view.read()
        for _ in range(100):
            now.seconds += 0.05
            session.learn()
        counts = dict.fromkeys((often, rarely, once), 0)
        for reading in view.read():
            counts[reading.watch] += 1
    assert 45 <= counts[often] <= 51
    assert 4 <= counts[rarely] <= 6
    assert counts[once] == 0


def test_without_views_frames_are_let_alone() -> None:
    with session_of(line_experiment()) as session:
        session.learn()
        assert session._views is None
        assert session.executor.taps is None
        view = session.views.view()
        view.watch("net/fit/output")
        session.learn()
        assert session.executor.taps is session.views.taps
        view.close()
        session.learn()
        assert session.executor.taps is None
        assert session.views.counts == {"views": 0, "watches": 0, "dropped": 0}
        assert session.views.taps.frame is None


def test_what_was_not_read_is_dropped_from_the_oldest() -> None:
    with session_of(line_experiment()) as session:
        now = session.views._now = Time()
        view = session.views.view(queue=3)
        view.watch("clock/frame", "scalar", rate=1)
        view.read()
        for _ in range(8):
            now.seconds += 1.5
            session.learn()
        assert [int(reading.data) for reading in view.read()] == [6, 7, 8]
        assert view.dropped == 5


def test_for_a_viewer_that_reads_nothing_little_is_computed() -> None:
    with session_of(line_experiment()) as session:
        now = session.views._now = Time()
        view = session.views.view(queue=1)
        view.watch("clock/frame", "scalar", rate=100)
        for _ in range(60):
            now.seconds += 0.05
            session.learn()
        assert view.dropped <= 4


def test_the_newest_reading_of_a_watch_is_never_lost() -> None:
    """Many watches begin while nothing runs, each with an answer of its own, before the viewer reads any."""
    with session_of(grouped()) as session, session.views.view(queue=2) as view:
        numbers = [view.watch(f"net/{name}{number}/weight", rate=1) for number in range(12) for name in "ab"]
        assert [reading.watch for reading in view.read()] == numbers
        assert view.dropped == 0


def test_a_viewer_that_raises_is_closed_and_the_run_goes_on() -> None:
    def gone() -> None:
        raise ConnectionError

    with session_of(line_experiment()) as session:
        view = session.views.view(on_ready=gone)
        view.watch("net/fit/weight", "scalar", rate=1000)
        session.learn()
        assert view.is_closed
        session.learn()
        assert session.views.counts["watches"] == 0


def test_equal_questions_are_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reduced = []
    with session_of(line_experiment()) as session:
        views = [session.views.view() for _ in range(5)]
        for view in views:
            view.watch("net/fit/weight", "histogram", rate=1000, bins=3)
            view.watch("net/fit/bias", "histogram", rate=1000, bins=3)
        kind = type(next(iter(views[0].watches.values())).query.reduction)
        original = kind.__call__
        monkeypatch.setattr(
            kind, "__call__", lambda self, values: reduced.append(len(values)) or original(self, values)
        )
        session.learn()
        assert [len(view.read()[-2:]) for view in views] == [2] * 5
    assert sorted(reduced) == [1, 1]


def test_tensors_of_one_shape_are_reduced_together(monkeypatch: pytest.MonkeyPatch) -> None:
    reduced = []
    with session_of(grouped()) as session, session.views.view() as view:
        for number in range(12):
            view.watch(f"net/a{number}/weight", "histogram", rate=1000)
        assert len({reading.watch for reading in view.read()}) == 12
        kind = type(next(iter(view.watches.values())).query.reduction)
        original = kind.__call__
        monkeypatch.setattr(
            kind, "__call__", lambda self, values: reduced.append(len(values)) or original(self, values)
        )
        session.learn()
    assert reduced == [12]


def test_many_weights_are_one_answer() -> None:
    with session_of(grouped()) as session, session.views.view() as view:
        addresses = [f"net/{name}{number}/weight" for number in range(12) for name in "ab"]
        view.watch(addresses, "scalar", rate=1000, measure="magnitude")
        session.learn()
        reading = view.read()[-1]
        expected = [float(session[address].detach().abs().mean()) for address in addresses]
    np.testing.assert_allclose(reading.data, expected, rtol=1e-5)


def test_a_distribution_is_told_from_the_beginning_and_then_row_by_row() -> None:
    with session_of(line_experiment()) as session:
        first = session.views.view()
        first.watch("net/fit/weight", "distribution", rate=1000)
        for _ in range(3):
            session.learn()
        later = session.views.view()
        later.watch("net/fit/weight", "distribution", rate=1000)
        session.learn()
        session.learn()
        shapes = [reading.data.shape for reading in later.read()]
        assert [reading.data.shape for reading in first.read()] == [(1, 10)] * 6
        assert shapes[0][0] >= 4
        assert shapes[1:] == [(1, 10)] * (len(shapes) - 1)


def test_a_paused_session_answers_at_once() -> None:
    with session_of(chain("sequential")) as session, session.views.view() as view:
        view.watch("net/c/output", "whole", rate=1000, stream=None)
        session.learn()
        seen = view.read()[-1]
        again = session.views.read("net/b/output", "whole", stream=None)
        assert (again.frame, again.data.shape) == (1, (STREAMS, 4))
        with torch.no_grad():
            state = {name: tensor.clone() for name, tensor in session.net.state_by_address().items()}
        session.views.refresh(stale=True)
        assert differing(state, {n: t.detach() for n, t in session.net.state_by_address().items()}) == []
        assert seen.frame == 1


def test_a_look_leaves_the_phase_as_it_was() -> None:
    with session_of(images()) as session, session.views.view() as view:
        view.watch("net/norm/output", "scalar", rate=1000)
        session.learn()
        session.evaluate("test")
        phase = session.net.phase, session.net.training
        before = session["net/norm/running_mean"].clone()
        session.views.read("net/drop/output", "scalar")
        assert (session.net.phase, session.net.training) == phase
        assert torch.equal(session["net/norm/running_mean"], before)


def test_nothing_is_there_before_the_first_frame() -> None:
    with session_of(line_experiment()) as session:
        with pytest.raises(RequestError) as raised:
            session.views.read("net/fit/output")
        assert str(raised.value) == (
            "net/fit/output: there is nothing to be read yet; what blocks send, and gradients, are seen while frames "
            "run, or after the first that was watched"
        )
        assert session.views.read("net/fit/weight").data.shape == (1, 1)
        assert session.views.counts["views"] == 0


def test_the_first_viewer_of_a_paused_run_sees_what_its_next_frame_sends() -> None:
    with driven(session_of(images())) as session:
        session.command("pause")
        looked_at = session.command("get net/conv/output")
        found = session.views.read("net/conv/output", stream=None)
        image = session.views.read(f"net/{next(iter(session.net.inputs))}/output", stream=None)
        assert found.frame == session.clock.frame
        assert np.array_equal(found.data, looked_at.numpy())
        assert image.data.shape[0] == len(looked_at)


def test_frames_that_learn_nothing_are_seen_too() -> None:
    with session_of(chain("streaming", window=4, every=1)) as session, session.views.view(queue=50) as view:
        watches = {view.watch(f"net/{name}/output", "whole", rate=1000): name for name in ("x", "act", "c")}
        inputs = {"x": torch.randn(STREAMS, 3)}
        sent: Any = {}
        for _ in range(3):
            time.sleep(0.002)
            sent = session.step(inputs)
        last = {watches[reading.watch]: reading for reading in view.read()}
        np.testing.assert_array_equal(last["c"].data, sent["c"][0].numpy())
        np.testing.assert_array_equal(last["act"].data, sent["act"][0].numpy())
        assert last["c"].frame == 3


def test_what_cannot_be_watched_is_told() -> None:
    with session_of(line_experiment()) as session, session.views.view() as view:
        with pytest.raises(AddressError) as unknown:
            view.watch("net/fitt/weight")
        assert str(unknown.value) == "net/fitt/weight: unknown address; did you mean 'net/fit/weight'?"
        with pytest.raises(RequestError) as reduction:
            view.watch("net/fit/weight", "os:system", command="true")
        assert str(reduction.value) == (
            "reduction: unknown reduction (got 'os:system'); known: argmax, distribution, health, histogram, "
            "percentiles, scalar, thumbnail, whole"
        )
        with pytest.raises(RequestError) as rate:
            view.watch("net/fit/weight", rate=-1)
        assert str(rate.value) == "rate: must be a number from 0 to 1000 (got -1)"
        with pytest.raises(RequestError) as setting:
            view.watch("net/fit/weight", "histogram", bin=3)
        assert str(setting.value) == "histogram.bin: unknown key; did you mean 'bins'?"
        assert view.watches == {}


def test_a_watch_that_fails_is_over_and_told_why() -> None:
    with session_of(line_experiment()) as session, session.views.view() as view:
        view.watch("net/fit/output", "scalar", rate=1000, stream=100)
        view.watch("control/state", "scalar", rate=1000)
        session.learn()
        faults = sorted(reading.fault for reading in view.read())
        assert faults == [
            "control/state: is no number; get reads it",
            "net/fit/output: there are not so many streams",
        ]
        assert view.watches == {}
        assert session.views.counts["watches"] == 0


def test_a_frame_is_not_held_longer_than_until_the_next() -> None:
    with session_of(chain("streaming", window=4, every=1)) as session, session.views.view() as view:
        view.watch("net/c/output", "scalar", rate=1000)
        for _ in range(6):
            session.learn()
        frame = session.views.taps.frame
        assert frame is not None
        assert not any(tensor.requires_grad for tensor in frame.state.values())
        kept = weakref.ref(frame.inputs["x"])
        del frame
        for _ in range(8):  # the window holds the inputs of its frames
            session.learn()
        gc.collect()
        assert kept() is None


def test_viewers_come_and_go_from_other_threads_while_frames_run() -> None:
    made = chain("sequential")
    with session_of(made) as session:
        hub, errors, read = session.views, [], []
        stop = threading.Event()

        def look(number: int) -> None:
            try:
                while not stop.is_set():
                    with hub.view(queue=2) as view:
                        for name in ("a", "b", "c"):
                            view.watch(f"net/{name}/output", ("thumbnail", "whole")[number % 2], rate=1000)
                        found: list[Reading] = view.read(timeout=1)
                        read.append(len(found))
            except Exception as error:
                errors.append(error)

        viewers = [threading.Thread(target=look, args=(number,)) for number in range(4)]
        with session.control.running():
            for viewer in viewers:
                viewer.start()
            for _ in range(150):
                if session.control.awaits:
                    session.control.between_frames()
                session.learn()
            stop.set()
            for viewer in viewers:
                viewer.join()
        assert errors == []
        assert sum(read) > 0
        assert hub.counts["watches"] == 0


def test_a_block_that_fails_when_it_is_looked_at_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with session_of(images()) as session, session.views.view() as view:
        view.watch("net/conv/output", "scalar", rate=1000)
        session.learn()
        view.read()
        module = session.rollout.flat.module("conv")
        forward, module.forward = module.forward, None  # type: ignore[assignment]
        session.views.refresh(stale=True)
        with pytest.raises(RequestError, match="there is nothing to be read yet"):
            session.views.read("net/conv/output")
        module.forward = forward  # type: ignore[method-assign]
        session.learn()
        assert len(view.read()) == 1
    assert "what blocks send could not be shown" in caplog.text
